# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine for tests: a folder of manifests, applied to a real cluster without Ansible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.renderer import renderer_of
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import (
    AppSpec,
    Checkout,
    Person,
    Revision,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Action, AppResult, Verb
from ansible_collections.plumb.gitops.plugins.module_utils.model.run_options import DEFAULT_OWNER, RunOptions
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.run import Run, RunResult, run_apps
from ansible_collections.plumb.gitops.plugins.module_utils.render.render_cache import RenderCache
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

_NOBODY = Person("A. Tester", "tester@example.com")


@dataclass(frozen=True, slots=True)
class Done:
    """A run, and what it asked of the API server."""

    result: RunResult
    writes: int
    dry_runs: int
    reads: int

    @property
    def app(self) -> AppResult:
        """The only app of the run."""
        (app,) = self.result.apps
        return app

    def verbs(self) -> dict[str, Verb]:
        """Return what is, or was, to be done to each object (`ConfigMap ns/name`) that is not unchanged."""
        return {
            str(action.ref): action.verb
            for app in self.result.apps
            for action in app.plan.actions
            if action.verb is not Verb.UNCHANGED
        }

    def action(self, kind: str, name: str) -> Action:
        """Return the one action on an object of this kind and name."""
        (actions,) = [
            a
            for app in self.result.apps
            for a in app.plan.actions
            if (a.ref.kind, a.ref.name) == (kind, name)
        ]
        return actions


@dataclass(slots=True)
class Engine:
    """Runs apps from `root`, one folder for each app of the same name; everything lands in `namespace`."""

    sandbox: Sandbox
    namespace: str
    root: Path
    commit: str = "0" * 40
    sources: dict[str, Checkout | PlumbError] = field(default_factory=dict)

    def write(self, path: str, text: str) -> Path:
        """Write a file below the root, such as `app/config.yaml`."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def remove(self, path: str) -> None:
        """Remove a file, and folders that are empty then: Git has none."""
        (self.root / path).unlink()
        for folder in (self.root / path).parents:
            if folder == self.root or any(folder.iterdir()):
                break
            folder.rmdir()

    def spec(self, name: str = "app", **options: Any) -> AppSpec:
        """Return an app in the folder of its name; it does not wait unless the options say so."""
        chosen = {
            "source": "git",
            "path": name,
            "namespace": self.namespace,
            "wait": False,
            "timeout": 30.0,
            **options,
        }
        return AppSpec(name=name, **chosen)

    def apply(self, *apps: AppSpec, **options: Any) -> Done:
        """Bring the cluster to what the apps say; without apps, one named `app`."""
        return self._run(apps, check=False, **options)

    def check(self, *apps: AppSpec, **options: Any) -> Done:
        """Plan without writing."""
        return self._run(apps, check=True, **options)

    def _run(
        self,
        apps: Sequence[AppSpec],
        *,
        check: bool,
        only: Sequence[str] = (),
        deep: bool = False,
        owner: str = DEFAULT_OWNER,
        kubeconfig: Path | None = None,
        request_timeout: float = 30.0,
        **options: Any,
    ) -> Done:
        self.root.mkdir(parents=True, exist_ok=True)
        revision = Revision(
            source="git", ref="main", commit=self.commit, subject="Test", author=_NOBODY, committer=_NOBODY,
            authored="2026-01-01T00:00:00Z", committed="2026-01-01T00:00:00Z",
        )  # fmt: skip
        renderings = RenderCache(self.root.with_name("no-cache"), writable=False)
        run = Run(
            apps=tuple(apps) or (self.spec(),),
            sources={"git": Checkout(revision, self.root), **self.sources},
            render=renderer_of(renderings),
            remarks=lambda app: renderings.remarks.get(f"app {app}", ()),
            options=RunOptions(only=frozenset(only), check=check, deep=deep, owner=owner),
            **options,
        )
        connection = ConnectionSpec(
            kubeconfig=kubeconfig or self.sandbox.kubeconfig,
            in_cluster=False,
            request_timeout=request_timeout,
        )
        with connect(connection) as cluster:
            result = run_apps(cluster, run)
            asked = cluster.requests
            return Done(result, asked.writes, asked.dry_runs, asked.reads)
