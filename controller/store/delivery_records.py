# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of what no run came to: a commit that is to be applied, and the health of an app that was waited for."""

from __future__ import annotations

from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.interface.outputs.run_record import RunRecord

from .health_waits import HEALTHY, HealthWait

SYNC, PENDING, HEALTH = ".sync", ".pending", ".health"  # how the names of records end, by what they are about


def record_name(stamp: str, *, is_sync: bool) -> str:
    """Return the name of the file with the record of a run. `after_sync` follows only the runs that are a sync."""
    return f"{stamp}{SYNC if is_sync else ''}.json"


def pending_record(source: str, commit: str, apps: tuple[str, ...]) -> RunRecord:
    """Return the record of a commit of a source that is to be applied to these apps."""
    return RunRecord(pulled=_pulled(source, commit), only=apps)


def health_record(wait: HealthWait, source: str) -> RunRecord:
    """Return the record of what the wait for an app of this source came to."""
    app: dict[str, Any] = {"name": wait.app, "failed": wait.result != HEALTHY}
    if not app["failed"]:
        app["text"] = "as Git says, and healthy"
    elif wait.unhealthy:
        app["unhealthy"] = list(wait.unhealthy)
    else:
        app["error"] = wait.waits_for
    applied = {"health": True, "lines": [], "apps": [app], "actions": []}
    return RunRecord(pulled=_pulled(source, wait.commit), applied=applied, only=(wait.app,))


def _pulled(source: str, commit: str) -> dict[str, Any]:
    return {"sources": [{"name": source, "revision": {"commit": commit}}]}
