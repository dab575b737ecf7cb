# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks of what a record would say to a receiver: where none differs from the last ones, nothing has to be delivered.

A mark is a digest by what it is about, such as `app shop`; it is empty where there is nothing to say about that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.interface.outputs.run_record import RunRecord
from ansible_collections.plumb.gitops.plugins.module_utils.notify.messages import failure_text, news_of
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import digest_of_texts


def status_marks(record: RunRecord, sources: Mapping[str, str]) -> dict[str, str]:
    """Return the marks for the forge. `sources` has the source of each app that there is, by the app's name."""
    commits = {
        source["name"]: source["revision"]["commit"]
        for source in record.pulled.get("sources", ())
        if source.get("revision")
    }
    applied = record.applied
    if "lines" not in applied or applied.get("stopped"):
        why = applied.get("stopped") or applied.get("msg") or ""
        names = record.only or tuple(sources)
        return {f"app {name}": _digest(commits.get(sources.get(name, "")), why) for name in names}
    return {
        f"app {app['name']}": _digest(commits.get(sources.get(app["name"], "")), *_state(app, applied))
        for app in applied["apps"]
        if not app.get("suspended")
    }


def _state(app: Mapping[str, Any], applied: Mapping[str, Any]) -> tuple[Any, ...]:
    failed = failure_text(app, applied.get("actions", ())) if app.get("failed") else ""
    return failed, app.get("waits_for"), (app.get("in_progress") or {}).get("objects")


def news_marks(record: RunRecord, severity: int) -> dict[str, str]:
    """Return the marks for a receiver of notifications of this severity and worse."""
    keys = {f"source {source['name']}" for source in record.pulled.get("sources", ())} | {"run"}
    apps = [app["name"] for app in record.applied.get("apps", ())]
    keys |= {f"{about} {app}" for about in ("app", "drift", "changed") for app in apps}
    if record.applied.get("health"):
        keys = {f"app {app}" for app in apps}
    news = news_of(record.pulled.get("sources", ()), record.applied, {})
    return dict.fromkeys(keys, "") | {each.key: each.mark for each in news if each.severity >= severity}


def _digest(*values: Any) -> str:
    return digest_of_texts(json.dumps(values, sort_keys=True))
