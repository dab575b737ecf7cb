# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a run: its news, each with a severity and a mark by which it is known again. Values only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ..model.errors import printable

_MOST = 20  # objects or failures that one piece of news names


class Severity(IntEnum):
    """How much it matters."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One thing that is told. `key` says what it is about, `text` what happened; both come from outside in part."""

    severity: Severity
    kind: str  # failed, recovered, drifted, changed
    app: str  # empty where it is about a source or the whole run
    text: str
    commit: str = ""
    key: str = ""

    @property
    def mark(self) -> str:
        """Equal for what was told before."""
        commit = self.commit if self.kind == "changed" else ""
        return hashlib.sha256(f"{self.kind}\0{self.text}\0{commit}".encode()).hexdigest()


def news_of(
    pulled: Sequence[Mapping[str, Any]], applied: Mapping[str, Any] | None, sources: Mapping[str, str]
) -> tuple[News, ...]:
    """The news of a run: of what `pull` and `apply` returned (None: it was not come to), and each app's source."""
    commits = {one["name"]: one["revision"]["commit"] for one in pulled if one.get("revision")}
    found = [
        News(
            severity=Severity.ERROR,
            kind="failed",
            app="",
            text=_text(one["error"]),
            key=f"source {one['name']}",
        )
        for one in pulled
        if one.get("error")
    ]
    if applied is None:
        return tuple(found)
    if "lines" not in applied or applied.get("stopped"):
        why = _text(applied.get("stopped") or applied.get("msg") or "the run failed")
        found.append(News(severity=Severity.ERROR, kind="failed", app="", text=why, key="run"))
    for app in applied.get("apps", ()):
        commit = commits.get(sources.get(app["name"], ""), "")
        found += _of_app(
            app, [one for one in applied.get("actions", ()) if one["app"] == app["name"]], commit
        )
    return tuple(found)


def recovered(news: News) -> News:
    """That something which failed does so no longer; as severe as the failure was, so that it gets where that went."""
    return News(severity=news.severity, kind="recovered", app=news.app, text="no longer fails", key=news.key)


def _of_app(app: Mapping[str, Any], actions: Sequence[Mapping[str, Any]], commit: str) -> Iterator[News]:
    name = app["name"]
    if app.get("failed"):
        yield News(
            severity=Severity.ERROR, kind="failed", app=name, text=failure_text(app, actions), commit=commit,
            key=f"app {name}",
        )  # fmt: skip
    drifted = [one["object"] for one in actions if one.get("drifted")]
    if drifted:
        yield News(
            severity=Severity.WARNING, kind="drifted", app=name, text=_some(drifted), commit=commit,
            key=f"drift {name}",
        )  # fmt: skip
    moved = [
        f"{one['action']} {one['object']}"
        for one in actions
        if one.get("result") == "done" and not one.get("drifted")
    ]
    if moved:
        yield News(
            severity=Severity.INFO, kind="changed", app=name, text=_some(moved), commit=commit,
            key=f"changed {name}",
        )  # fmt: skip


def failure_text(app: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]) -> str:
    """Why an app failed: of each thing that did, its first words."""
    said = [app["error"]] if app.get("error") else []
    said += [
        f"{one['object']}: {one.get('error') or one.get('reason', '')}"
        for one in actions
        if one["app"] == app["name"] and (one.get("result") == "failed" or one["action"] == "refused")
    ]
    said += [
        f"{one['object']} is not healthy: {one['status']} {one.get('message', '')}".rstrip()
        for one in app.get("unhealthy", ())
    ]
    return _some(said) if said else "it failed; the report says why"


def _some(said: Sequence[str]) -> str:
    more = [f"and {len(said) - _MOST} more"] if len(said) > _MOST else []
    return "; ".join([*(_text(one) for one in said[:_MOST]), *more])


def _text(text: Any) -> str:
    return printable(str(text), 400)
