# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the demo plays: folders and programs, and one way to run a program."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import DemoError

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = REPOSITORY / ".venv" / "bin"
COLLECTIONS = REPOSITORY / ".venv" / "collections"
SANDBOX = REPOSITORY / "roles" / "sandbox" / "files" / "sandbox.py"
SHOP = REPOSITORY / "demo" / "shop"
INVENTORY = REPOSITORY / "demo" / "inventory.yml"


@dataclass(frozen=True, slots=True)
class Place:
    """The folder that holds all that one run of the demo makes."""

    root: Path

    @property
    def sandbox(self) -> Path:
        return self.root / "sandbox"

    @property
    def clone(self) -> Path:
        """The developer's working copy of the shop."""
        return self.root / "shop"

    @property
    def inventory(self) -> Path:
        return self.root / "inventory.yml"

    def log(self, name: str) -> Path:
        return self.root / f"{name}.log"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment with the repository's tools first, and without its kubeconfig or Ansible settings."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ANSIBLE_", "K8S_AUTH_", "GIT_"))
    }
    kept.pop("KUBECONFIG", None)
    return {**kept, "PATH": f"{TOOLS}:{os.environ.get('PATH', os.defpath)}", **(extra or {})}


def run(
    words: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
    timeout: float = 120.0,
) -> str:
    """Run a program to its end and return its standard output; DemoError with what it said if it fails."""
    try:
        done = subprocess.run(
            words,
            env=environment(env),
            cwd=cwd,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DemoError(f"{' '.join(words[:4])}: {error}") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise DemoError(f"{' '.join(words[:6])} ended with {done.returncode}: {said}")
    return done.stdout
