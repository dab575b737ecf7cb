"""Running Ansible with an installed collection, and listing what should be in it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ansible:
    """An Ansible that sees the collections under `collections` and no others."""

    python: Path
    collections: Path
    home: Path

    def run(self, command: str, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """`ansible-COMMAND ARGUMENTS`, or `ansible ARGUMENTS` for the command "adhoc"; seconds of `timeout`."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        environment |= {
            "HOME": str(self.home),
            "ANSIBLE_HOME": str(self.home / ".ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
            "ANSIBLE_NOCOLOR": "true",
        }
        return subprocess.run(
            [str(self.python), "-m", "ansible", command, *arguments],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def working_tree() -> list[str]:
    """Every file of the working tree that git tracks or would track, relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(name for name in set(listed.stdout.split("\0")) if name and (ROOT / name).is_file())
