# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what a run came to in a file, or read it back, by the names of variables: it passes through no template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.git_config_store import (
    load_git_config,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.options.feedback import (
    spec_of_run_record,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.outputs.run_record import (
    RUN_RECORDS,
    RunRecord,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.untag import to_plain_types
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import printable
from ansible_collections.plumb.gitops.plugins.plugin_utils.failures import without_excerpt

_OF_ANSIBLE = frozenset({"ansible_facts", "deprecations", "failed", "failed_when_result", "invocation"})


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs; it makes no connection."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write or read the file."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        without_excerpt(self._task)
        spec, rules = spec_of_run_record()
        _checked, options = self.validate_argument_spec(argument_spec=spec, **rules)
        if options["state"] == "written":
            if self._task.check_mode:
                return {**result, "changed": True}
            return {**result, **_write(options, task_vars or {})}
        return {**result, **_read(Path(options["path"]), options["part"])}


def _write(options: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    record = RunRecord(
        pulled=_result(variables, options["pulled"]),
        applied=_result(variables, options["applied"]),
        only=tuple(options["only"]),
        suspended=tuple(options["suspended"]),
    )
    try:
        RUN_RECORDS.save(Path(options["path"]), record)
    except OSError as error:
        return _failed(options["path"], "writing it", printable(error.strerror or str(error)))
    return {"changed": True}


def _result(variables: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """Return the result that a variable has; empty where there is none, or its task was skipped."""
    value = variables.get(name) if name else None
    if not isinstance(value, Mapping) or value.get("skipped"):
        return {}
    return {key: inner for key, inner in to_plain_types(value).items() if key not in _OF_ANSIBLE}


def _read(file: Path, part: str) -> dict[str, Any]:
    record = RUN_RECORDS.load(file)
    if record is None:
        return _failed(str(file), "reading it", "it is missing or damaged")
    if part == "applied":
        return {"changed": False, **record.applied}
    return {"changed": False, **record.pulled, **_config_in_force(record.pulled)}


def _config_in_force(pulled: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config with the commit that is in force now: a later run may have put another one there."""
    config = pulled.get("config") or {}
    in_force = load_git_config(Path(config["path"])) if config.get("path") else None
    if in_force is None:
        return {"config": {key: value for key, value in config.items() if key != "path"}} if config else {}
    return {"config": {**config, "commit": in_force.commit}}


def _failed(path: str, operation: str, why: str) -> dict[str, Any]:
    return {"failed": True, "msg": f"run record {path}: {operation}: {why}. The next run writes a new one."}
