# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was told to whom: the same thing once in a while only, and no more messages than anybody can read."""

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
class Told:
    """What one receiver was told: by key the mark, the time and what failed; when messages went; what was left out."""

    told: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sent: tuple[float, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be told now, and what was told once that is done. Without news there is no message."""

    news: tuple[News, ...]
    left_out: int
    after: Told


def due(news: Sequence[News], before: Told, bounds: Throttle, now: float, ran: frozenset[str]) -> Due:
    """What of the news of a run is to be told. `ran` are the keys that a recovery can be seen of in this run."""
    wanted = [one for one in news if one.severity >= bounds.severity]
    told: dict[str, Mapping[str, Any]] = {
        key: one
        for key, one in before.told.items()
        if now - one["time"] < max(bounds.repeat_after, _HOUR) or one["failed"]
    }
    fresh = [one for one in wanted if not _is_known(told.get(one.key), one, bounds, now)]
    failing = {one.key for one in news if one.kind == "failed"}
    for key, one in before.told.items():
        if one["failed"] and key in ran and key not in failing:
            fresh.append(
                recovered(News(severity=Severity.ERROR, kind="failed", app=one["app"], text="", key=key))
            )
            del told[key]
        elif key in ran and key not in {one.key for one in news} and now - one["time"] > _HOUR:
            told.pop(key, None)  # it has passed: the next time it is news again
    sent = tuple(when for when in before.sent if 0 <= now - when < _HOUR)
    if not fresh:
        return Due((), 0, Told(told, sent, before.left_out))
    told |= {
        news.key: {"mark": news.mark, "time": now, "failed": news.kind == "failed", "app": news.app}
        for news in fresh
        if news.kind != "recovered"
    }
    if len(sent) >= bounds.most:
        return Due((), 0, Told(told, sent, before.left_out + len(fresh)))
    return Due(tuple(fresh), before.left_out, Told(told, (*sent, now), 0))


def _is_known(before: Mapping[str, Any] | None, news: News, bounds: Throttle, now: float) -> bool:
    return (
        before is not None and before["mark"] == news.mark and 0 <= now - before["time"] < bounds.repeat_after
    )


def as_content(told: Told) -> dict[str, Any]:
    """JSON types for a file."""
    return {"told": dict(told.told), "sent": list(told.sent), "left_out": told.left_out}


def from_content(content: Mapping[str, Any]) -> Told:
    """Back from `as_content`. Raises KeyError, TypeError or ValueError for anything else."""
    told = {
        str(key): {
            "mark": str(one["mark"]), "time": float(one["time"]), "failed": bool(one["failed"]), "app": str(one["app"]),
        }
        for key, one in content["told"].items()
    }  # fmt: skip
    return Told(told, tuple(float(when) for when in content["sent"]), int(content["left_out"]))
