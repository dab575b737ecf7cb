# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of sandbox.py."""

from __future__ import annotations

import argparse
import base64
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from plumb_sandbox import lifecycle
from plumb_sandbox.components import binaries
from plumb_sandbox.components.table import COMPONENTS, FILES
from plumb_sandbox.errors import SandboxError
from plumb_sandbox.forge import sample_repository
from plumb_sandbox.forge.image_push import ImagePusher
from plumb_sandbox.layout import Layout
from plumb_sandbox.process.children import dies_with
from plumb_sandbox.progress import Stopwatch, print_progress
from plumb_sandbox.supervisor.supervisor import parse_start_request, supervise

_ENDS = {
    (True, True): "is stopped, its folder removed",
    (True, False): "is stopped; its data stays for the next start",
    (False, True): "was not there",
    (False, False): "was not running",
}
OWNER_VARIABLE = "PLUMB_SANDBOX_OWNER_PID"


class Interrupted(BaseException):
    """A signal asked this program to end."""


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status: 0, 1 for a failure, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    if options.command != "supervise":
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, _interrupt)
    try:
        return int(options.run(options))
    except SandboxError as error:
        print_progress(f"sandbox: {error}")
        return 1
    except Interrupted as interrupted:
        print_progress(f"sandbox: {interrupted}")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sandbox.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run, text in (
        ("up", _up, "start a sandbox, or find it running, and say how to use it"),
        ("down", _down, "stop a sandbox; no process is left"),
        ("status", _status, "say whether a sandbox runs; exit status 3 if not"),
        ("run", _run, "start a sandbox, run a command with it, stop it"),
        ("push", _push, "push an image without content to the sandbox's registry, as a build would"),
    ):
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
        command.add_argument("--dir", type=_folder, required=True, help="the folder that holds all of it")
        if name != "run":
            command.add_argument("--json", action="store_true", help="one line of JSON on stdout")
        if name in {"up", "run"}:
            command.add_argument("--without-forge", action="store_true", help="no Gitea")
            command.add_argument("--without-controllers", action="store_true", help="only the API server")
        if name == "up":
            command.add_argument("--with-parent", action="store_true", help="end with the calling process")
            command.add_argument(
                "--with-sample", action="store_true", help="a sample repository on the forge"
            )
        if name == "down":
            command.add_argument("--purge", action="store_true", help="remove the folder, too")
        if name == "run":
            command.add_argument("words", nargs="+", metavar="COMMAND", help="after --")
        if name == "push":
            command.add_argument("image", metavar="NAME:TAG", help="below the forge's administrator")
    commands.add_parser("build", help="only find or build the programs").set_defaults(run=_build)
    hidden = commands.add_parser("supervise")
    hidden.set_defaults(run=_supervise)
    hidden.add_argument("--answer-fd", type=int, required=True)
    return parser


def _folder(text: str) -> Path:
    return Path(text).absolute().resolve()


def _up(options: argparse.Namespace) -> int:
    watch = Stopwatch()
    described, started = lifecycle.up(_sandbox_options(options, _owner(with_parent=options.with_parent)))
    is_new = (
        options.with_sample
        and "forge" in described
        and sample_repository.provide(Layout(options.dir), described["forge"])
    )
    if options.json:
        print(json.dumps({**described, "changed": started or is_new}))
    else:
        print(_usage(options.dir, described, f"started in {watch}" if started else "was running"))
    return 0


def _down(options: argparse.Namespace) -> int:
    stopped = lifecycle.down(Layout(options.dir), purge=options.purge)
    if options.json:
        print(json.dumps({"changed": stopped}))
    else:
        print(f"The sandbox in {options.dir} {_ENDS[stopped, options.purge]}.")
    return 0


def _status(options: argparse.Namespace) -> int:
    described = lifecycle.status(Layout(options.dir))
    if options.json:
        print(json.dumps({"running": described is not None, **(described or {})}))
    elif described is None:
        print(f"The sandbox in {options.dir} is not running.")
    else:
        print(_usage(options.dir, described, "is running"))
    return 0 if described is not None else 3


def _build(_options: argparse.Namespace) -> int:
    for name, program in binaries.find_or_build(COMPONENTS).items():
        print(f"{name} {program.version} {program.path}")
    return 0


def _run(options: argparse.Namespace) -> int:
    layout = Layout(options.dir)
    described, started = lifecycle.up(_sandbox_options(options, os.getpid()))
    if not started:
        raise SandboxError(
            f"running {options.words[0]}",
            f"the sandbox in {options.dir} runs already, and would be stopped afterwards",
            "Name another folder, or stop it with `down` first.",
        )
    try:
        return _command(options.words, {**os.environ, **lifecycle.user_env(described)})
    finally:
        lifecycle.down(layout)


def _command(words: Sequence[str], env: dict[str, str]) -> int:
    try:
        process = subprocess.Popen(words, env=env, preexec_fn=dies_with(os.getpid()))  # noqa: PLW1509 - one thread
    except OSError as error:
        raise SandboxError(f"running {words[0]}", str(error), "Check its name and PATH.") from error
    try:
        return process.wait()
    except Interrupted:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def _supervise(options: argparse.Namespace) -> int:
    os.set_inheritable(options.answer_fd, False)
    request = parse_start_request(sys.stdin.read())
    return supervise(request, os.fdopen(options.answer_fd, "w"))


def _push(options: argparse.Namespace) -> int:
    forge = (lifecycle.status(Layout(options.dir)) or {}).get("forge")
    name, _colon, tag = options.image.rpartition(":")
    if forge is None or not name:
        why = "it is no NAME:TAG" if forge else f"no sandbox with a forge runs in {options.dir}"
        raise SandboxError(
            f"pushing {options.image}", why, "Start one with `up`, and write the image like web:1.0.0."
        )
    user, token = forge["admin_user"], Path(forge["admin_token_file"]).read_text(encoding="ascii").strip()
    proof = base64.b64encode(f"{user}:{token}".encode()).decode()
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = ImagePusher(forge["url"], f"Basic {proof}").push(
        f"{user}/{name}", tag, created=created, label=tag
    )
    pushed = {"image": f"{forge['registry']}/{user}/{name}", "tag": tag, "digest": digest}
    print(json.dumps(pushed) if options.json else f"{pushed['image']}:{tag}@{digest}")
    return 0


def _sandbox_options(options: argparse.Namespace, owner: int | None) -> lifecycle.SandboxOptions:
    return lifecycle.SandboxOptions(
        layout=Layout(options.dir),
        forge=not options.without_forge,
        controllers=not options.without_controllers,
        owner=owner,
    )


def _owner(*, with_parent: bool) -> int | None:
    named = os.environ.get(OWNER_VARIABLE, "")
    if named:
        if not named.isdigit():
            raise SandboxError(f"reading {OWNER_VARIABLE}", f"{named!r} is no process id", "Give a number.")
        return int(named)
    return os.getppid() if with_parent else None


def _usage(folder: Path, described: dict[str, Any], state: str) -> str:
    versions = described["versions"]
    lines = [
        f"Sandbox in {folder} {state}: Kubernetes v{versions['kube-apiserver']} at {described['server']}",
        f"  export KUBECONFIG={shlex.quote(described['kubeconfig'])}    # context {described['context']}",
    ]
    if "forge" in described:
        forge = described["forge"]
        lines += [
            f"  forge: {forge['url']}    Gitea {versions['gitea']}, user {forge['admin_user']},",
            f"         password in {forge['admin_password_file']},",
            f"         token in {forge['admin_token_file']}, registry {forge['registry']}",
        ]
    if Layout(folder).inventory.exists():
        lines.append(f"  inventory: {Layout(folder).inventory}    # an app of the sample repository")
    lines += [
        f"  audit log: {described['audit_log']}",
        f"  stop: {shlex.join(('python3', str(FILES / 'sandbox.py'), 'down', '--dir', str(folder)))}",
    ]
    return "\n".join(lines)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # From now on we are cleaning up; a second Ctrl-C must not stop that.
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")
