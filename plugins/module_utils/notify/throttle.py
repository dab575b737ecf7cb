# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which news a receiver gets: the same news only once in a while, and no more messages than anybody can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .messages import News, Severity, recovered

_HOUR = 3600.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """What one receiver wants. `repeat_after` in seconds; `most` is messages in an hour."""

    severity: Severity
    repeat_after: float
    most: int


@dataclass(frozen=True, slots=True)
class SentNews:
    """What one receiver has got.

    `by_key` has the news by their keys, each with its `mark`, `time`, `app` and whether it `failed`; `sent` are the
    times of the messages of the last hour, and `left_out` is how many news had no message.
    """

    by_key: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sent: tuple[float, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be sent now, and what the receiver has got after that. Without news there is no message."""

    news: tuple[News, ...]
    left_out: int
    after: SentNews


def due(news: Sequence[News], before: SentNews, throttle: Throttle, now: float, ran: frozenset[str]) -> Due:
    """Return what of a run's news is to be sent. `ran` are the keys of all that this run could have had news of."""
    wanted = [piece for piece in news if piece.severity >= throttle.severity]
    reported: dict[str, Mapping[str, Any]] = {
        key: entry
        for key, entry in before.by_key.items()
        if now - entry["time"] < max(throttle.repeat_after, _HOUR) or entry["failed"]
    }
    fresh = [piece for piece in wanted if not _is_known(reported.get(piece.key), piece, throttle, now)]
    failing = {piece.key for piece in news if piece.kind == "failed"}
    keys = {piece.key for piece in news}
    for key, entry in before.by_key.items():
        if entry["failed"] and key in ran and key not in failing:
            fresh.append(
                recovered(News(severity=Severity.ERROR, kind="failed", app=entry["app"], text="", key=key))
            )
            del reported[key]
        elif key in ran and key not in keys and now - entry["time"] > _HOUR:
            reported.pop(key, None)  # it has passed: the next time it is news again
    sent = tuple(when for when in before.sent if 0 <= now - when < _HOUR)
    if not fresh:
        return Due((), 0, SentNews(reported, sent, before.left_out))
    reported |= {
        piece.key: {"mark": piece.mark, "time": now, "failed": piece.kind == "failed", "app": piece.app}
        for piece in fresh
        if piece.kind != "recovered"
    }
    if len(sent) >= throttle.most:
        return Due((), 0, SentNews(reported, sent, before.left_out + len(fresh)))
    return Due(tuple(fresh), before.left_out, SentNews(reported, (*sent, now), 0))


def _is_known(before: Mapping[str, Any] | None, news: News, throttle: Throttle, now: float) -> bool:
    return (
        before is not None
        and before["mark"] == news.mark
        and 0 <= now - before["time"] < throttle.repeat_after
    )


def to_content(delivered: SentNews) -> dict[str, Any]:
    """Return JSON types for a file."""
    return {"told": dict(delivered.by_key), "sent": list(delivered.sent), "left_out": delivered.left_out}


def from_content(content: Mapping[str, Any]) -> SentNews:
    """Return what `to_content` was given. Raises KeyError, TypeError or ValueError for anything else."""
    by_key = {
        str(key): {
            "mark": str(entry["mark"]),
            "time": float(entry["time"]),
            "failed": bool(entry["failed"]),
            "app": str(entry["app"]),
        }
        for key, entry in content["told"].items()
    }
    return SentNews(by_key, tuple(map(float, content["sent"])), int(content["left_out"]))
