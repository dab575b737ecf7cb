# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's folders and programs, and one way to run a program."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import DemoError

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = REPOSITORY / ".venv" / "bin"
COLLECTIONS = REPOSITORY / ".venv" / "collections"
SANDBOX = REPOSITORY / "roles" / "sandbox" / "files" / "sandbox.py"
SHOP = REPOSITORY / "demo" / "shop"
INVENTORY = REPOSITORY / "demo" / "inventory.yml"

_TERM_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder that holds all that one run of the demo makes."""

    root: Path

    def sandbox(self, name: str) -> Path:
        """Return the folder of a cluster's sandbox."""
        return self.root / f"sandbox-{name}"

    def pod(self, name: str) -> Path:
        """Return the folder that the agent's Pod of a cluster would see as its root."""
        return self.root / f"pod-{name}"

    @property
    def clone(self) -> Path:
        """The developer's working copy of the shop."""
        return self.root / "shop"

    @property
    def inventory(self) -> Path:
        """The inventory that the bootstrap gets."""
        return self.root / "inventory.yml"

    @property
    def ansible_config(self) -> Path:
        """An empty one, so that none of the user's is read."""
        return self.root / "ansible.cfg"

    def log(self, name: str) -> Path:
        """Return the file of a log."""
        return self.root / f"{name}.log"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the caller's environment, the repository's tools first, without kubeconfig, Ansible and Git settings."""
    variables = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ANSIBLE_", "K8S_AUTH_", "GIT_"))
    }
    variables.pop("KUBECONFIG", None)
    return {**variables, "PATH": f"{TOOLS}:{os.environ.get('PATH', os.defpath)}", **(extra or {})}


def ending_with_us() -> Callable[[], None]:
    """Return a `preexec_fn` by which the kernel asks the program to end when this process ends, however it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM)) and None


@contextmanager
def started(
    words: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    stderr: int | None = subprocess.PIPE,
) -> Iterator[subprocess.Popen[str]]:
    """Start a program in a process group of its own; whatever ends the body early ends the whole group.

    The group is asked first (SIGTERM) and has some seconds to clear up.
    """
    try:
        process = subprocess.Popen(
            words,
            env=environment(env),
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise DemoError(f"{words[0]} cannot be started: {error}") from error
    with process:
        try:
            yield process
        except BaseException:
            _end_group(process)
            raise


def _end_group(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TERM_SECONDS)
            return


def run(
    words: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
    timeout: float = 120.0,
) -> str:
    """Run a program to its end and return its standard output; DemoError with its output if it fails."""
    with started(words, env=env, cwd=cwd, stdin=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise DemoError(f"{' '.join(words[:6])} has not ended within {timeout:.0f} s") from error
    if process.returncode != 0:
        output = (err.strip() or out.strip())[-2000:]
        raise DemoError(f"{' '.join(words[:6])} ended with {process.returncode}: {output}")
    return out
