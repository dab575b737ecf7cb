# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out the commands of `plumb-agent`: each sends requests to the running agent, and prints the answer."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.duration import parse_duration
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError, printable

from ..core.config import read_config
from ..core.instants import instant, parse_instant
from .client import AgentClient, CommandError
from .history_text import history_lines
from .logs import show_logs
from .screen import Screen
from .selection import AppSelection, is_in_sync, select, selection_of, split_target
from .status_text import StatusView, status_lines
from .sync_wait import wait_for_sync
from .verify_text import verify_lines

DIFFERS = 3  # exit code, with --exit-code
_USER = "PLUMB_AGENT_USER"  # in the environment: who it is, where a launcher has come from another machine


def run_command(options: argparse.Namespace) -> int:
    """Carry out the command of the options. Return the exit code. Raises PlumbError or OSError."""
    if options.command in {"verify", "verify-trail"}:
        return _verify(options)
    if options.command == "logs":
        show_logs(os.environ, lines=options.lines, since=options.since, follow=options.follow)
    client = AgentClient(read_config(options.config))
    try:
        return _COMMANDS[options.command](client, options)
    except (KeyError, TypeError) as error:  # an answer has other fields: updated on disk, not restarted yet
        why = f"its answer has no {error.args[0]!r}, so it is of another version than this command"
        raise CommandError("the agent", options.command, why, "Restart the agent.") from error


def _status(client: AgentClient, options: argparse.Namespace) -> int:
    selection = selection_of(options.cluster, options.app, options.state, options.target)
    status = select(client.status(), selection)
    if options.output == "json":
        _print([json.dumps(status, indent=2)])
    else:
        view = StatusView(
            screen=_screen(), all_apps=options.all or selection.is_of_apps, wide=options.output == "wide"
        )
        _print(status_lines(status, view))
    return DIFFERS if options.exit_code and not is_in_sync(status, selection) else 0


def _sync(client: AgentClient, options: argparse.Namespace) -> int:
    cluster, app = _target(options)
    answer = client.command("sync", {"cluster": cluster, "app": app})
    _print([_done("sync", app, answer["clusters"]), *_silent(answer)])
    if not options.wait:
        return 0
    ended = wait_for_sync(client, answer["runs"], app, lambda line: _print([line]))
    status = {**ended.status, "clusters": ended.clusters}
    shown = select(status, AppSelection(apps=(app,) if app else ()))
    _print(status_lines(shown, StatusView(screen=_screen(), all_apps=bool(app))))
    return 0 if ended.succeeded else 1


def _suspend(client: AgentClient, options: argparse.Namespace) -> int:
    cluster, app = _target(options)
    words = {"reason": options.reason, "for": options.lasts, "until": options.until, "by": _user()}
    answer = client.command("suspend", {"cluster": cluster, "app": app, **words})
    until = f", until {answer['until']}" if answer["until"] else ""
    _print([f"{_done('suspend', app, answer['clusters'])}{until}"])
    return 0


def _resume(client: AgentClient, options: argparse.Namespace) -> int:
    cluster, app = _target(options)
    answer = client.command("resume", {"cluster": cluster, "app": app, "by": _user()})
    _print([_done("resume", app, answer["clusters"])])
    return 0


def _diff(client: AgentClient, options: argparse.Namespace) -> int:
    cluster, app = _target(options)
    status = client.status()
    having = [
        each["name"]
        for each in status["clusters"]
        if cluster in {"", each["name"]} and (not app or app in each["app_states"])
    ]
    failed = changed = False
    for name in having or [cluster]:  # the agent says what is wrong with a name that it does not know
        words = {"cluster": name, "app": app}
        answer = client.command("diff", words, seconds=2 * client.config.run_timeout)
        _print(map(_line, answer["lines"]))
        failures = [f"x {printable(failure)}" for failure in answer["failures"]]
        sys.stderr.write("".join(f"{line}\n" for line in (*_silent(answer), *failures)))
        failed, changed = failed or answer["failed"], changed or answer["changed"]
    return 1 if failed else DIFFERS if options.exit_code and changed else 0


def _history(client: AgentClient, options: argparse.Namespace) -> int:
    cluster, app = _target(options)
    since = _since(options.since)
    moments = [each for each in client.history(cluster, app) if each["time"] >= since][: options.lines]
    if options.output == "json":
        _print([json.dumps({"moments": moments}, indent=2)])
    else:
        _print(history_lines(moments, _screen()))
    return 0


def _verify(options: argparse.Namespace) -> int:
    path: Path = options.path or read_config(options.config).state_dir / "trail"
    intact, lines = verify_lines(path, archived=options.archived)
    _print(lines)
    return 0 if intact else 1


_COMMANDS: Mapping[str, Callable[[AgentClient, argparse.Namespace], int]] = {
    "status": _status,
    "sync": _sync,
    "suspend": _suspend,
    "resume": _resume,
    "diff": _diff,
    "history": _history,
}


def _target(options: argparse.Namespace) -> tuple[str, str]:
    """Return cluster and app, empty for all. Raises InputError where both ways to name them are used."""
    if options.target and (options.cluster or options.app):
        why = "the target is named twice"
        raise InputError(
            options.command, "reading the options", why, "Use CLUSTER/APP or --cluster and --app."
        )
    return split_target(options.target) if options.target else (options.cluster, options.app)


def _since(text: str) -> str:
    """Return the instant from which on moments count: a duration ago, or as it is written. Raises InputError."""
    if not text:
        return ""
    is_duration = text[-1:] in {"s", "m", "h"}
    seconds = time.time() - parse_duration(text, subject="--since") if is_duration else 0.0
    return instant(seconds or parse_instant(text, subject="--since"))


def _user() -> str:
    """Return who runs this command, as far as this machine knows: it proves nothing."""
    try:
        if user := os.environ.get(_USER):
            return user
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"


def _screen() -> Screen:
    return Screen.of(sys.stdout, os.environ)


def _done(name: str, app: str, clusters: Iterable[str]) -> str:
    return f"{name}: {f'app {app} of ' if app else ''}{', '.join(clusters)}"


def _silent(answer: Mapping[str, Any]) -> list[str]:
    names = ", ".join(answer["silent"])
    return [f"? {names} did not answer, so the last commit that was pulled is used"] if names else []


def _line(text: str) -> str:
    """Return a line of the playbook without characters that could start another one."""
    return "".join(c if c.isprintable() else " " for c in text)


def _print(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
