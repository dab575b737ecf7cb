# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `notify` does: send the news of a run to receivers. It never fails because of one of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...model.errors import PlumbError
from ...notify.message_text import Message, by_severity
from ...notify.messages import News, is_settled, news_of
from ...notify.send import send
from ...notify.throttle import Due, SentNews, due, from_content, to_content
from ...state.record_store import RecordStore, record_file
from ..options.feedback import spec_of_notify
from ..parsing.cache_folder import cache_of
from ..parsing.receivers import receiver_of
from .commit_statuses import app_sources
from .main import ModuleWork
from .mode import Mode

_STORE = RecordStore[SentNews](
    kind="plumb.gitops/notifications", version=1, encode=to_content, decode=from_content
)


def notify(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the result of `notify`. A receiver that does not answer is a warning, and is notified the next time."""
    applied = options["applied"]
    sources = app_sources(options)
    news = by_severity(news_of(options["pulled"], applied, sources))
    ran = _ran(options, applied)
    sent: list[str] = []
    undelivered: list[dict[str, str]] = []
    for notification in _chosen(options):
        try:
            if _notify(options, notification, news, ran, mode):
                sent.append(notification["name"])
        except PlumbError as error:
            undelivered.append({"receiver": notification["name"], "error": str(error)})
    result: dict[str, Any] = {
        "changed": bool(sent),
        "sent": sent,
        "news": [
            {"severity": item.severity.word, "kind": item.kind, "app": item.app, "text": item.text}
            for item in news
        ],
        "undelivered": undelivered,
    }
    warnings = [f"{entry['error']} The next run sends it again." for entry in undelivered]
    return {**result, "warnings": warnings} if warnings else result


def _chosen(options: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the receivers that are to be served now."""
    names = options["receivers"]
    return [each for each in options["notifications"] if names is None or each["name"] in names]


def _notify(
    options: Mapping[str, Any],
    notification: Mapping[str, Any],
    news: tuple[News, ...],
    ran: frozenset[str],
    mode: Mode,
) -> bool:
    """Send what is due to one receiver, and return whether anything was (in a check: would be)."""
    receiver, throttle = receiver_of(notification)
    file = _file(options, receiver.name)
    before, now = _STORE.load(file) or SentNews(), time.time()
    message = due(news, before, throttle, now, ran)
    if mode.check:
        return bool(message.news)
    if message.news:
        send(receiver, _message(options, message, now))
    if message.after != before:
        _STORE.save_or_forget(file, message.after)  # where it is forgotten, it is sent once more
    return bool(message.news)


def _message(options: Mapping[str, Any], message: Due, now: float) -> Message:
    return Message(
        cluster=options["cluster"],
        news=message.news,
        time=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        link=options["page_url"],
        left_out=message.left_out,
    )


def _ran(options: Mapping[str, Any], applied: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the keys of what could have been news in this run.

    An app whose health is still waited for has not recovered yet, and a record of health is of nothing but that.
    """
    apps = (applied or {}).get("apps", ())
    settled = {f"app {app['name']}" for app in apps if is_settled(app)}
    if applied is not None and applied.get("health"):
        return frozenset(settled)
    keys = {f"source {source['name']}" for source in options["pulled"]} | settled
    if applied is not None:
        keys.add("run")
        keys |= {f"{about} {app['name']}" for about in ("drift", "changed") for app in apps}
    return frozenset(keys)


def _file(options: Mapping[str, Any], name: str) -> Path:
    return record_file(cache_of(options) / "notifications", options["cluster"], name)


NOTIFY = ModuleWork("notify", spec_of_notify(), notify)
