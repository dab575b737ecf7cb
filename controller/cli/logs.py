# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the agent's log is. It writes to standard error and keeps none: systemd's journal or the Pod has it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

UNIT = "PLUMB_AGENT_UNIT"  # in the environment: the agent's unit, which its launcher knows
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def show_logs(environment: Mapping[str, str], *, lines: int, since: str, follow: bool) -> NoReturn:
    """Become journalctl for the agent's unit. Raises InputError, which says how the log is read without one."""
    if environment.get("KUBERNETES_SERVICE_HOST"):
        raise _elsewhere("this is a Pod, and the log is its output", f"Run outside of it: {_kubectl(follow)}")
    unit = environment.get(UNIT)
    if not unit or shutil.which("journalctl") is None:
        why = f"{UNIT} names no unit of systemd" if not unit else "there is no journalctl"
        raise _elsewhere(
            why, "The log is the standard error of the agent's process: read it where that goes."
        )
    os.execvp("journalctl", journal_command(unit, lines=lines, since=since, follow=follow))  # noqa: S606 - it is the user's


def journal_command(unit: str, *, lines: int, since: str, follow: bool) -> list[str]:
    """Return the command that shows the log of a unit; `since` as journalctl takes it."""
    bounds = [f"--since={since}"] if since else []
    follows = ["--follow"] if follow else []
    return ["journalctl", f"--unit={unit}", "--output=cat", f"--lines={lines}", *bounds, *follows]


def _kubectl(follow: bool) -> str:
    try:
        namespace = _NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        namespace = "plumb-system"
    pod = os.environ.get("HOSTNAME", "POD")
    return f"kubectl -n {namespace} logs {pod}{' -f' if follow else ''}"


def _elsewhere(why: str, step: str) -> InputError:
    return InputError("logs", "reading the agent's log", why, step)
