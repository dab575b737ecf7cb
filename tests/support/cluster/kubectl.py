# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubectl for tests: another person at the same cluster."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.tests.support.cluster.api import api_of

PROGRAM = Path(sys.executable).parent / "kubectl"


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with a kubeconfig. Calls raise if it fails, with its output."""

    kubeconfig: Path

    def __call__(self, *words: str, stdin: str = "", **environment: str) -> str:
        """Run kubectl with these words; return its output."""
        done = subprocess.run(
            [str(PROGRAM), *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={
                "KUBECONFIG": str(self.kubeconfig),
                "HOME": "/nonexistent",
                "PATH": "/usr/bin:/bin",
                **environment,
            },
        )
        if done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """Return an object with its managedFields, or None; read from the API itself, which is ten times as quick."""
        return api_of(self.kubeconfig).get(kind, name, namespace)

    def live(self, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
        """Return an object that has to be there."""
        live = self.get(kind, name, namespace)
        if live is None:
            raise AssertionError(f"there is no {kind} {namespace}/{name}")
        return live

    def apply(self, manifest: str, *words: str) -> str:
        """Run `kubectl apply -f -`, client-side unless the options say otherwise."""
        return self("apply", *words, "-f", "-", stdin=manifest)
