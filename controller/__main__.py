# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's command line: `run` is the agent itself, the other commands send requests to one that runs."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import (
    InputError,
    PlumbError,
    printable,
)

if TYPE_CHECKING:
    from .client import AgentClient

PROGRAM = "plumb-agent"
_CONFIG = "/etc/plumb/agent.yml"
_COMMANDS = {
    "sync": "start a run now",
    "suspend": "leave a cluster or an app alone",
    "resume": "resume it",
}


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says. Return the exit code: 0, 1 for a failure, 2 for wrong options or configuration."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "verify-trail":
            return _verify(options.path, archived=options.archived)
        return _run(options.config) if options.command in {None, "run"} else _command(options)
    except InputError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return 2
    except PlumbError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return 1
    except ExceptionGroup as group:  # of the tasks that make up the agent
        first = group.exceptions[0]
        sys.stderr.write(f"{PROGRAM}: ended by a defect: {type(first).__name__}: {printable(str(first))}\n")
        return 1


def _run(file: Path) -> int:
    from .agent import Agent  # noqa: PLC0415 - commands need none of it
    from .core.config import read_config  # noqa: PLC0415
    from .core.log import open_log  # noqa: PLC0415

    config = read_config(file)
    os.umask(0o077)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(Agent(file, config, open_log(config.log_format)).run())
    return 0


def _verify(path: Path, *, archived: bool) -> int:
    """Print whether trails are as they were written. Return 1 where one is not."""
    from ansible_collections.plumb.gitops.plugins.module_utils.report.verify import trails, verify  # noqa: PLC0415

    files = trails(path)
    intact = bool(files)
    if not files:
        sys.stdout.write(f"{path}: there is no trail\n")
    for file in files:
        verification = verify(file, archived=archived)
        intact = intact and verification.is_intact
        word = "intact" if verification.is_intact else "NOT INTACT"
        ends = f"ends with record {verification.head.seq}, {verification.head.hash}"
        report = [f"{file}: {word}: {verification.records} records; it {ends}"]
        report += [f"  x {printable(problem)}" for problem in verification.problems]
        report += [f"  ? {printable(remark)}" for remark in verification.remarks]
        sys.stdout.write("\n".join(report) + "\n")
    return 0 if intact else 1


def _command(options: argparse.Namespace) -> int:
    from .client import AgentClient, CommandError  # noqa: PLC0415
    from .core.config import read_config  # noqa: PLC0415

    client = AgentClient(read_config(options.config))
    try:
        return _status(client, options) if options.command == "status" else _send(client, options)
    except (
        KeyError,
        TypeError,
    ) as error:  # an answer has other fields: updated on disk, and not restarted yet
        why = f"its answer has no {error.args[0]!r}, so it is of another version than this command"
        raise CommandError("the agent", options.command, why, "Restart the agent.") from error


def _status(client: AgentClient, options: argparse.Namespace) -> int:
    from .status_text import lines  # noqa: PLC0415

    status = client.status()
    text = [json.dumps(status, indent=2)] if options.json else lines(status)
    sys.stdout.write("\n".join(text) + "\n")
    return 0


def _send(client: AgentClient, options: argparse.Namespace) -> int:
    from .status_text import lines  # noqa: PLC0415

    done = client.command(options.command, options.cluster, options.app)
    clusters = ", ".join(done["clusters"])
    sys.stdout.write(f"{options.command}: {f'app {options.app} of ' if options.app else ''}{clusters}\n")
    if not getattr(options, "wait", False):
        return 0
    ended = client.wait(done["runs"])
    sys.stdout.write("\n".join(lines({"clusters": ended})) + "\n")
    return 0 if all(cluster["last_run"]["result"] == "succeeded" for cluster in ended) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Brings clusters to what Git says.")
    parser.add_argument(
        "--config", type=Path, default=Path(_CONFIG), help=f"the agent's file (default {_CONFIG})"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("run", help="work until SIGTERM (the default)")
    status = commands.add_parser("status", help="show the clusters, their last runs and what is suspended")
    status.add_argument("--json", action="store_true", help="the whole state as JSON")
    trail = commands.add_parser("verify-trail", help="verify that nobody changed an audit trail")
    trail.add_argument("path", type=Path, help="the trail's file, or a folder of trails")
    trail.add_argument(
        "--archived", action="store_true", help="its older files may have been moved elsewhere"
    )
    for name, does in _COMMANDS.items():
        command = commands.add_parser(name, help=does)
        command.add_argument("--cluster", default="", help="the cluster (default: all)")
        command.add_argument("--app", default="", help="the app (default: all of the cluster)")
        if name == "sync":
            command.add_argument(
                "--wait", action="store_true", help="wait until the run has ended; exit code 1 if it failed"
            )
    return parser


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # threads that wait for a remote are not waited for
