# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of a module in Ansible's own process where the result is the same, and as a module everywhere else.

A module is packed, started and imports all it needs for each task; that costs more than a run on a cluster that is in
sync. The work itself is the same code either way: see docs/adr/0007.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import (
    ModuleWork,
    outcome_of,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.mode import Mode
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.untag import to_plain_types
from ansible_collections.plumb.gitops.plugins.plugin_utils.failures import without_excerpt
from ansible_collections.plumb.gitops.plugins.plugin_utils.process_tuning import (
    garbage_collection_paused,
    tune_process,
)
from ansible_collections.plumb.gitops.plugins.plugin_utils.progress_reporter import (
    ProgressReporter,
    progress_outputs,
)


class WorkAction(ActionBase):
    """The action of the module whose work is `work`."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    @property
    def work(self) -> ModuleWork:
        """The work of the module of this name."""
        raise NotImplementedError

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Tune the process again: by now it has imported what this action needs."""
        super().__init_subclass__(**kwargs)
        tune_process()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do the work here, or run the module, and return its result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        without_excerpt(self._task)
        self._task.args = dict(_set_options(self._task.args, self.work.argument_spec))
        if not self._is_here(task_vars or {}):
            module = f"plumb.gitops.{self.work.name}"
            return {**result, **self._execute_module(module_name=module, task_vars=task_vars)}
        self._task.args = to_plain_types(self._task.args)
        _checked, options = self.validate_argument_spec(
            argument_spec=dict(self.work.argument_spec), **self.work.rules
        )
        mode = Mode(check=bool(self._task.check_mode), diff=bool(self._task.diff))
        hosts = len((task_vars or {}).get("ansible_play_hosts") or ())
        with garbage_collection_paused(), ProgressReporter(mode.progress, progress_outputs(options, hosts)):
            return {**result, **outcome_of(self.work, options, mode)}

    def _is_here(self, task_vars: Mapping[str, Any]) -> bool:
        """Whether a module would run in this Python, as this user, on this machine, with this environment."""
        interpreter = task_vars.get("ansible_python_interpreter")
        return (
            self._connection.transport == "local"
            and not self._connection.become
            and not self._task.async_val
            and not any(self._task.environment or ())
            and interpreter is not None
            and self._templar.template(interpreter) == sys.executable
        )


def _set_options(options: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the options that are set. A variable that is null sets none.

    Before ansible-core 2.19 a null that a template comes to is an empty text, which is no list, map or number either.
    """
    for name, value in options.items():
        takes_text = spec.get(name, {}).get("type", "str") in {"str", "path", "raw"}
        if value is not None and (takes_text or value != ""):
            yield name, value
