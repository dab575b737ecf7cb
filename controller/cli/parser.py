# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of `plumb-agent`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ansible_collections.plumb.gitops.plugins.module_utils.model.version import VERSION

from .selection import STATE_NAMES

PROGRAM = "plumb-agent"
CONFIG = "/etc/plumb/agent.yml"
_EXIT = """exit codes: 0 done; 1 the agent was not reached or refused, a run failed, a trail is not intact;
2 wrong options or configuration; 3 with --exit-code: something is not in sync, or would change"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser. `command` is None for the agent itself."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="Brings clusters to what Git says.", epilog=_EXIT
    )
    parser.add_argument(
        "--config", type=Path, default=Path(CONFIG), help=f"the agent's file (default {CONFIG})"
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("run", help="be the agent: work until SIGTERM (the default)")
    _add_status(commands.add_parser("status", help="show the clusters, and what is not in sync and why"))
    _add_sync(commands.add_parser("sync", help="start a run now"))
    _add_suspend(commands.add_parser("suspend", help="leave a cluster or an app alone"))
    _add_target(commands.add_parser("resume", help="take it up again, with a run at once"))
    _add_diff(commands.add_parser("diff", help="show what the next run would do; nothing is written"))
    _add_history(commands.add_parser("history", help="show reverts, applied commits and failures"))
    _add_logs(commands.add_parser("logs", help="show the log of the agent on this host"))
    verify = commands.add_parser(
        "verify", aliases=["verify-trail"], help="verify that nobody changed an audit trail"
    )
    verify.add_argument(
        "path", type=Path, nargs="?", help="a trail, or a folder of trails (default: the agent's)"
    )
    verify.add_argument(
        "--archived", action="store_true", help="its older files may have been moved elsewhere"
    )
    return parser


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target", nargs="?", default="", metavar="CLUSTER[/APP]", help="default: all clusters"
    )
    parser.add_argument("--cluster", default="", help="the cluster")
    parser.add_argument("--app", default="", help="the app, on all clusters that have it if none is named")


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        nargs="?",
        default="",
        metavar="CLUSTER[/APP]",
        help="only this; a pattern such as 'prod-*/shop'",
    )
    parser.add_argument(
        "--cluster", action="append", default=[], metavar="PATTERN", help="only these clusters"
    )
    parser.add_argument("--app", action="append", default=[], metavar="PATTERN", help="only these apps")
    parser.add_argument(
        "--state",
        action="append",
        default=[],
        metavar="STATE",
        help=f"only apps in this state: {', '.join(STATE_NAMES)}",
    )
    parser.add_argument("--all", action="store_true", help="each app in a line of its own")
    parser.add_argument(
        "-o", "--output", choices=["wide", "json"], default="", help="wide: all apps, nothing cut"
    )
    parser.add_argument(
        "--json", action="store_const", dest="output", const="json", help="the same as -o json"
    )
    parser.add_argument("--exit-code", action="store_true", help="exit with 3 if something is not in sync")


def _add_sync(parser: argparse.ArgumentParser) -> None:
    _add_target(parser)
    parser.add_argument(
        "--wait",
        action="store_true",
        help="show what is done until all is healthy; exit with 1 if the run failed or something is not healthy",
    )


def _add_suspend(parser: argparse.ArgumentParser) -> None:
    _add_target(parser)
    parser.add_argument("--reason", default="", help="why; it is shown wherever the suspension is")
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument(
        "--for", dest="lasts", default="", metavar="DURATION", help="it ends by itself: 2h, 1h30m"
    )
    ends.add_argument("--until", default="", metavar="TIME", help="it ends by itself: 2026-12-24T08:00Z")


def _add_diff(parser: argparse.ArgumentParser) -> None:
    _add_target(parser)
    parser.add_argument("--exit-code", action="store_true", help="exit with 3 if something would change")


def _add_history(parser: argparse.ArgumentParser) -> None:
    _add_target(parser)
    parser.add_argument("-n", "--lines", type=int, default=30, help="how many at most (default 30)")
    parser.add_argument(
        "--since", default="", metavar="TIME", help="a duration such as 2h, or 2026-12-24T08:00Z"
    )
    parser.add_argument("-o", "--output", choices=["json"], default="", help="the moments as JSON")


def _add_logs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on with new lines until Ctrl-C")
    parser.add_argument("-n", "--lines", type=int, default=100, help="how many at first (default 100)")
    parser.add_argument("--since", default="", help="as journalctl takes it: 2026-12-24 08:00, -2h")
