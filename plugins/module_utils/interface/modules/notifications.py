# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `notify` does: tells receivers the news of a run, and never fails because of one of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...model.errors import PlumbError
from ...notify.message_text import Message, by_severity
from ...notify.messages import News, news_of
from ...notify.send import send
from ...notify.throttle import Due, SentNews, due, from_content, to_content
from ...state.record_store import RecordStore, record_file
from ..parsing.cache_folder import cache_of
from ..parsing.receivers import receiver_of
from .commit_statuses import app_sources
from .mode import Mode

_STORE = RecordStore[SentNews](
    kind="plumb.gitops/notifications", version=1, encode=to_content, decode=from_content
)


def notify(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """The result of `notify`. A receiver that does not answer is a warning, and is told the next time."""
    applied = options.get("applied")
    sources = app_sources(options)
    news = by_severity(news_of(options["pulled"], applied, sources))
    ran = _ran(options, applied)
    sent: list[str] = []
    warnings: list[str] = []
    for given in options["notifications"]:
        try:
            if _tell(options, given, news, ran, mode):
                sent.append(given["name"])
        except PlumbError as error:
            warnings.append(f"{error} It is told again by the next run.")
    result: dict[str, Any] = {
        "changed": bool(sent),
        "sent": sent,
        "news": [
            {"severity": one.severity.word, "kind": one.kind, "app": one.app, "text": one.text}
            for one in news
        ],
    }
    return {**result, "warnings": warnings} if warnings else result


def _tell(
    options: Mapping[str, Any],
    given: Mapping[str, Any],
    news: tuple[News, ...],
    ran: frozenset[str],
    mode: Mode,
) -> bool:
    receiver, bounds = receiver_of(given)
    file = _file(options, receiver.name)
    before, now = _STORE.load(file) or SentNews(), time.time()
    found = due(news, before, bounds, now, ran)
    if mode.check:
        return bool(found.news)
    if found.news:
        send(receiver, _message(options, found, now))
    if found.after != before:
        _STORE.save_or_forget(file, found.after)  # where it is forgotten, it is told once more
    return bool(found.news)


def _message(options: Mapping[str, Any], found: Due, now: float) -> Message:
    return Message(
        cluster=options["cluster"],
        news=found.news,
        time=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        link=options.get("page_url") or "",
        left_out=found.left_out,
    )


def _ran(options: Mapping[str, Any], applied: Mapping[str, Any] | None) -> frozenset[str]:
    """The keys of what could have been news in this run."""
    keys = {f"source {one['name']}" for one in options["pulled"]}
    if applied is not None:
        keys.add("run")
        names = [app["name"] for app in applied.get("apps", ())]
        keys |= {f"{about} {name}" for about in ("app", "drift", "changed") for name in names}
    return frozenset(keys)


def _file(options: Mapping[str, Any], name: str) -> Path:
    return record_file(cache_of(options) / "notifications", options["cluster"], name)
