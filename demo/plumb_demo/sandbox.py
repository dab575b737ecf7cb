# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and stop the sandbox, and parse its description."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DemoError
from .programs import SANDBOX, run, started


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A running control plane."""

    kubeconfig: Path
    context: str
    server: str
    audit_log: Path
    version: str  # of the API server
    forge: Gitea | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gitea:
    """The forge of a sandbox that has one."""

    url: str
    user: str
    token_file: Path
    password_file: Path
    registry: str  # as names of images begin


def start(folder: Path, *, keep_running: bool, forge: bool = True) -> Sandbox:
    """Start it, anew where it was stopped; unless it is to outlive us, it ends with this process, however that ends.

    Its progress (the first start builds its programs) goes straight to standard error.
    """
    env = {} if keep_running else {"PLUMB_SANDBOX_OWNER_PID": str(os.getpid())}
    shape = () if forge else ("--without-forge",)
    words = (sys.executable, str(SANDBOX), "up", "--dir", str(folder), "--json", *shape)
    with started(words, env=env, stderr=None) as process:
        output, _nothing = process.communicate()
    if process.returncode != 0:
        raise DemoError("The sandbox did not start; its output is above.")
    return _read(json.loads(output))


def stop(folder: Path) -> None:
    """Stop it; no process is left, its data is. Harmless when it does not run."""
    run((sys.executable, str(SANDBOX), "down", "--dir", str(folder)))


def push_image(folder: Path, image: str) -> str:
    """Push an image, NAME:TAG, to the sandbox's registry; return its whole name with tag and digest."""
    return run((sys.executable, str(SANDBOX), "push", "--dir", str(folder), image)).strip()


def stop_command(folder: Path) -> str:
    """Return the command that stops it."""
    return shlex.join((sys.executable, str(SANDBOX), "down", "--dir", str(folder)))


def _read(description: dict[str, Any]) -> Sandbox:
    forge = description.get("forge")
    return Sandbox(
        kubeconfig=Path(description["kubeconfig"]),
        context=description["context"],
        server=description["server"],
        audit_log=Path(description["audit_log"]),
        version=description["versions"]["kube-apiserver"],
        forge=Gitea(
            url=forge["url"],
            user=forge["admin_user"],
            token_file=Path(forge["admin_token_file"]),
            password_file=Path(forge["admin_password_file"]),
            registry=forge["registry"],
        )
        if forge
        else None,
    )
