# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and stop a sandbox, and read its status, from outside its supervisor."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumb_sandbox import preflight
from plumb_sandbox.components import binaries
from plumb_sandbox.components.table import FILES, wanted_components
from plumb_sandbox.errors import SandboxError
from plumb_sandbox.layout import Layout
from plumb_sandbox.process.children import living_in_session
from plumb_sandbox.process.locks import locked
from plumb_sandbox.progress import print_progress
from plumb_sandbox.supervisor.startup import StartRequest
from plumb_sandbox.supervisor.supervisor import dump_start_request

_STOP_SECONDS = 30.0
_KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What a caller of `up` asked for. OWNER is the process with which the sandbox is to end."""

    layout: Layout
    forge: bool = True
    controllers: bool = True
    owner: int | None = None


def up(options: SandboxOptions) -> tuple[dict[str, Any], bool]:
    """Start the sandbox or find it running; return its description and whether it was started now."""
    layout = options.layout
    layout.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    _refuse_foreign_folder(layout)
    with locked(layout.start_lock, _print_waiting):
        described = layout.read_description() if layout.is_running() else None
        if described is not None:
            _refuse_other_shape(options, described)
            return described, False
        _start(_start_request(options))
        described = layout.read_description()
        if described is None:
            raise _not_started(layout, "it stopped as soon as it was ready")
        return described, True


def down(layout: Layout, *, purge: bool = False) -> bool:
    """Stop the sandbox, and with PURGE remove its folder; return whether there was anything to do."""
    if not layout.start_lock.exists():
        return False
    with locked(layout.start_lock, _print_waiting):
        was_running = layout.is_running()
        if was_running:
            _stop(layout)
        layout.description.unlink(missing_ok=True)
        if purge:
            shutil.rmtree(layout.root)
    return was_running or purge


def status(layout: Layout) -> dict[str, Any] | None:
    """Return the description of a running sandbox, else None."""
    return layout.read_description() if layout.is_running() else None


def user_env(described: Mapping[str, Any]) -> dict[str, str]:
    """Return what a command needs in its environment to use the sandbox."""
    env = {
        "KUBECONFIG": described["kubeconfig"],
        "K8S_AUTH_KUBECONFIG": described["kubeconfig"],
        "K8S_AUTH_CONTEXT": described["context"],
        "PLUMB_SANDBOX_DIR": str(Path(described["kubeconfig"]).parent),
    }
    if "forge" in described:
        env["PLUMB_SANDBOX_FORGE_URL"] = described["forge"]["url"]
        env["PLUMB_SANDBOX_FORGE_TOKEN_FILE"] = described["forge"]["admin_token_file"]
    return env


def _start_request(options: SandboxOptions) -> StartRequest:
    wanted = wanted_components(forge=options.forge, controllers=options.controllers)
    missing = [component for component in wanted if binaries.find(component) is None]
    preflight.check(options.layout.root, wanted, missing)
    programs = binaries.find_or_build(wanted)
    return StartRequest(
        layout=options.layout,
        binaries={name: use.path for name, use in programs.items()},
        versions={name: use.version for name, use in programs.items()},
        owner=options.owner,
    )


def _start(request: StartRequest) -> None:
    """Run the supervisor in a session of its own and wait until it reports that all is ready."""
    layout = request.layout
    command = (sys.executable, str(FILES / "sandbox.py"), "supervise")
    reader, writer = os.pipe()
    with layout.supervisor_log.open("ab") as log, os.fdopen(reader) as answers:
        process = subprocess.Popen(
            (*command, "--answer-fd", str(writer)),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=layout.root,
            start_new_session=True,
            pass_fds=(writer,),
        )
        os.close(writer)
        try:
            if process.stdin is not None:
                process.stdin.write(dump_start_request(request).encode())
                process.stdin.close()
            answer = answers.read()
        except BaseException:
            # Ctrl-C, say: whoever asked is not going to use it.
            process.terminate()
            process.wait(_STOP_SECONDS)
            raise
    if answer != "ready":
        process.wait(_STOP_SECONDS)
        raise _not_started(layout, answer or "its supervisor ended without an answer")


def _stop(layout: Layout) -> None:
    pid = int(layout.supervisor_lock.read_text(encoding="ascii"))
    for number, patience in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
        os.kill(pid, number)
        if _wait_for_end(layout, pid, patience):
            return
    raise SandboxError(
        f"stopping the sandbox in {layout.root}",
        f"processes {living_in_session(pid)} do not end",
        "See supervisor.log in its folder.",
    )


def _wait_for_end(layout: Layout, supervisor: int, patience: float) -> bool:
    """Return whether, within PATIENCE seconds, the supervisor and everything that it started has ended."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if not layout.is_running() and not living_in_session(supervisor):
            return True
        time.sleep(0.02)
    return False


def _print_waiting() -> None:
    print_progress("waiting for another process that starts or stops this sandbox")


def _refuse_foreign_folder(layout: Layout) -> None:
    """Refuse a folder with other people's files: they would be lost with `down --purge`."""
    entries = set(layout.root.iterdir())  # read once: another start makes its lock before anything else
    if entries and layout.start_lock not in entries:
        raise SandboxError(
            f"starting a sandbox in {layout.root}",
            "the folder holds files that are not a sandbox's",
            "Name a new or an empty folder.",
        )


def _refuse_other_shape(options: SandboxOptions, described: Mapping[str, Any]) -> None:
    lacking = [
        name
        for name, wanted, is_running in (
            ("forge", options.forge, "forge" in described),
            ("controllers", options.controllers, "kwok" in described["pids"]),
        )
        if wanted and not is_running
    ]
    if lacking:
        raise SandboxError(
            f"using the sandbox in {options.layout.root}",
            f"it was started without {' and '.join(lacking)}",
            "Stop it with `down` first, or use another folder.",
        )


def _not_started(layout: Layout, why: str) -> SandboxError:
    return SandboxError(
        f"starting the sandbox in {layout.root}", why, f"See {layout.supervisor_log} and logs/ beside it."
    )
