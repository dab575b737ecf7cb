# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox of its own for a test session: a real API server, controllers and a forge."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).resolve().parents[3] / "roles" / "sandbox" / "files" / "sandbox.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """How to reach a running sandbox. The forge's fields are empty where it runs without one."""

    dir: Path
    kubeconfig: Path
    context: str
    server: str
    ca_file: Path
    ca_key_file: Path
    audit_log: Path
    forge_url: str = ""
    forge_user: str = ""
    forge_token: str = ""
    registry: str = ""

    def kubeconfig_of(self, user: str) -> Path:
        """Return the kubeconfig of `viewer` (may read all but Secrets), `tenant` or `nobody` (without rights)."""
        return self.dir / "users" / f"{user}.kubeconfig"


def sandbox_command(*words: str | Path) -> tuple[str, ...]:
    """Return the command line of sandbox.py with these words."""
    return (sys.executable, str(PROGRAM), *map(str, words))


@contextmanager
def sandbox_session(tmp_dir: Path, *, forge: bool = True, controllers: bool = True) -> Iterator[Sandbox]:
    """Start a sandbox in TMP_DIR (new or empty), stop it at the end; it also stops if this process dies.

    The first call on a machine builds the programs, which takes minutes and shows its progress on stderr.
    """
    shape = [] if forge else ["--without-forge"]
    shape += [] if controllers else ["--without-controllers"]
    started = subprocess.run(
        sandbox_command("up", "--dir", tmp_dir, "--json", "--with-parent", *shape),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    try:
        yield _read(json.loads(started.stdout))
    finally:
        subprocess.run(sandbox_command("down", "--dir", tmp_dir), stdout=subprocess.DEVNULL, check=True)


def _read(described: dict[str, Any]) -> Sandbox:
    forge = described.get("forge")
    kubeconfig = Path(described["kubeconfig"])
    return Sandbox(
        dir=kubeconfig.parent,
        kubeconfig=kubeconfig,
        context=described["context"],
        server=described["server"],
        ca_file=Path(described["ca_file"]),
        ca_key_file=Path(described["ca_key_file"]),
        audit_log=Path(described["audit_log"]),
        forge_url=forge["url"] if forge else "",
        forge_user=forge["admin_user"] if forge else "",
        forge_token=Path(forge["admin_token_file"]).read_text(encoding="utf-8").strip() if forge else "",
        registry=forge["registry"] if forge else "",
    )
