# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`plumb.gitops.reconcile` for tests, as users run it: an inventory, a source, a real cluster."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.validation import (
    check_inventory,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.fail_policy import closing_result
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import outcome_of
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.mode import Mode
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.pull import PULL
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.reconcile import APPLY
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play, Played
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

RECONCILE = "plumb.gitops.reconcile"


@dataclass(slots=True)
class Fleet:
    """An inventory whose clusters are all the sandbox, and one source; `git` says where that is."""

    play: Play
    sandbox: Sandbox
    git: Mapping[str, Any]
    namespace: str
    folder: Path

    def run(self, *words: str, hosts: tuple[str, ...] = ("here",), **variables: Any) -> Played:
        """Run the playbook; `variables` replace those of the inventory, `None` leaves one out."""
        return self.run_hosts({host: {} for host in hosts}, *words, **variables)

    def run_hosts(self, hosts: Mapping[str, Mapping[str, Any]], *words: str, **variables: Any) -> Played:
        """Run the playbook on hosts that have variables of their own."""
        group = {
            "hosts": {name: dict(own) for name, own in hosts.items()},
            "vars": self.variables(**variables),
        }
        inventory = self.folder / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"plumb_clusters": group}), encoding="utf-8")
        return self.play.playbook(RECONCILE, "-i", str(inventory), *words)

    def variables(self, **variables: Any) -> dict[str, Any]:
        """Return the variables of the inventory's group."""
        shared: dict[str, Any] = {
            "plumb_kubeconfig": str(self.sandbox.kubeconfig),
            "plumb_cache_dir": str(self.folder / "cache"),
            "plumb_sources": [self.source()],
            "plumb_apps": [self.app()],
            "plumb_report_path": str(self.folder / "reports"),
            **variables,
        }
        return {name: value for name, value in shared.items() if value is not None}

    def reconcile(self, *, check: bool = False, **variables: Any) -> Played:
        """Do what the playbook's tasks do on the host `here`, one after another, in this process and without Ansible.

        For tests that are about the engine: a playbook takes Ansible a second or two to start.
        """
        shared = self.variables(**variables)
        options = {name.removeprefix("plumb_"): value for name, value in shared.items()}
        mode = Mode(check=check, diff=False)
        wrong = check_inventory(shared).wrong
        pulled = (
            {"msg": "\n".join(wrong)}
            if wrong
            else outcome_of(PULL, options_of(PULL.argument_spec, options), mode)
        )
        if "sources" not in pulled:
            return Played(2, pulled["msg"])
        config = {"config": pulled["config"]} if "config" in pulled else {}
        run_options = {**options, **config, "sources": pulled["sources"], "cluster": "here"}
        applied = outcome_of(APPLY, options_of(APPLY.argument_spec, run_options), mode)
        if "lines" not in applied:
            return Played(2, applied["msg"])
        closing = closing_result(applied, options.get("fail_on", "failure"))
        output = "\n".join([*applied["lines"], closing.get("msg", "")])
        return Played(2 if closing.get("failed") else 0, output, [applied])

    def source(self, **options: Any) -> dict[str, Any]:
        """Return the source `fleet`, with these options besides or instead."""
        return {"name": "fleet", "branch": "main", **self.git, **options}

    def app(self, **options: Any) -> dict[str, Any]:
        """Return the app `app`, with these options besides or instead."""
        return {
            "name": "app",
            "source": "fleet",
            "path": "app",
            "namespace": self.namespace,
            "timeout": "60s",
            **options,
        }

    def report(self) -> Mapping[str, Any]:
        """Return the newest report of the cluster `here`."""
        newest = max((self.folder / "reports" / "here").iterdir(), key=lambda file: file.stat().st_mtime_ns)
        assert stat.S_IMODE(newest.stat().st_mode) == 0o600
        loaded: Mapping[str, Any] = json.loads(newest.read_text(encoding="utf-8"))
        return loaded


def options_of(spec: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a module's options as Ansible checks and completes them, of what the inventory says."""
    checked = ArgumentSpecValidator(dict(spec)).validate(
        {name: values[name] for name in spec if name in values}
    )
    assert not checked.error_messages, checked.error_messages
    options: dict[str, Any] = checked.validated_parameters
    return options
