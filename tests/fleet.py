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

from ansible_collections.plumb.gitops.tests.play import Play, Played
from ansible_collections.plumb.gitops.tests.sandbox_session import Sandbox

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
        shared: dict[str, Any] = {
            "plumb_kubeconfig": str(self.sandbox.kubeconfig),
            "plumb_cache_dir": str(self.folder / "cache"),
            "plumb_sources": [self.source()],
            "plumb_apps": [self.app()],
            "plumb_report_path": str(self.folder / "reports"),
            **variables,
        }
        group = {"hosts": dict.fromkeys(hosts), "vars": {k: v for k, v in shared.items() if v is not None}}
        inventory = self.folder / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"plumb_clusters": group}), encoding="utf-8")
        return self.play.playbook(RECONCILE, "-i", str(inventory), *words)

    def source(self, **options: Any) -> dict[str, Any]:
        return {"name": "fleet", "branch": "main", **self.git, **options}

    def app(self, **options: Any) -> dict[str, Any]:
        return {
            "name": "app",
            "source": "fleet",
            "path": "app",
            "namespace": self.namespace,
            "timeout": "60s",
            **options,
        }

    def report(self) -> Mapping[str, Any]:
        """The newest report of the cluster `here`."""
        newest = max((self.folder / "reports" / "here").iterdir(), key=lambda file: file.stat().st_mtime_ns)
        assert stat.S_IMODE(newest.stat().st_mode) == 0o600
        loaded: Mapping[str, Any] = json.loads(newest.read_text(encoding="utf-8"))
        return loaded
