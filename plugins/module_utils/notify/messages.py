# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The news of a run, each with a severity and a mark by which it is recognised later. Values only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ..model.errors import printable
from ..report.document import unhealthy_text

_MOST = 20  # objects or failures that one piece of news names


class Severity(IntEnum):
    """How much it matters."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    @property
    def word(self) -> str:
        """The severity in lower case."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One piece of news. `key` says what it is about, `text` what happened; both come from outside in part."""

    severity: Severity
    kind: str  # failed, recovered, drifted, changed
    app: str  # empty where it is about a source or the whole run
    text: str
    commit: str = ""
    key: str = ""

    @property
    def mark(self) -> str:
        """A digest that is equal for news that says the same."""
        commit = self.commit if self.kind == "changed" else ""
        return hashlib.sha256(f"{self.kind}\0{self.text}\0{commit}".encode()).hexdigest()


def news_of(
    pulled: Sequence[Mapping[str, Any]], applied: Mapping[str, Any] | None, sources: Mapping[str, str]
) -> tuple[News, ...]:
    """Return the news of a run: of what `pull` and `apply` returned (None: it did not begin), and each app's source."""
    commits = {source["name"]: source["revision"]["commit"] for source in pulled if source.get("revision")}
    news = [
        News(
            severity=Severity.ERROR,
            kind="failed",
            app="",
            text=_text(source["error"]),
            key=f"source {source['name']}",
        )
        for source in pulled
        if source.get("error")
    ]
    if applied is None:
        return tuple(news)
    if "lines" not in applied or applied.get("stopped"):
        why = _text(applied.get("stopped") or applied.get("msg") or "the run failed")
        news.append(News(severity=Severity.ERROR, kind="failed", app="", text=why, key="run"))
    for app in applied.get("apps", ()):
        commit = commits.get(sources.get(app["name"], ""), "")
        actions = [action for action in applied.get("actions", ()) if action["app"] == app["name"]]
        news += _of_app(app, actions, commit)
    return tuple(news)


def recovered(news: News) -> News:
    """Return the news that something no longer fails; as severe as the failure, so that it gets where that went."""
    return News(severity=news.severity, kind="recovered", app=news.app, text="no longer fails", key=news.key)


def _of_app(app: Mapping[str, Any], actions: Sequence[Mapping[str, Any]], commit: str) -> Iterator[News]:
    name = app["name"]
    if app.get("failed"):
        yield News(
            severity=Severity.ERROR, kind="failed", app=name, text=failure_text(app, actions), commit=commit,
            key=f"app {name}",
        )  # fmt: skip
    drifted = [action["object"] for action in actions if action.get("drifted")]
    if drifted:
        yield News(
            severity=Severity.WARNING, kind="drifted", app=name, text=_some(drifted), commit=commit,
            key=f"drift {name}",
        )  # fmt: skip
    moved = [
        f"{action['action']} {action['object']}"
        for action in actions
        if action.get("result") == "done" and not action.get("drifted")
    ]
    if moved:
        yield News(
            severity=Severity.INFO, kind="changed", app=name, text=_some(moved), commit=commit,
            key=f"changed {name}",
        )  # fmt: skip


def is_settled(app: Mapping[str, Any]) -> bool:
    """Return whether the app of a result waits neither for health nor for another app."""
    return not (app.get("waits_for") or app.get("in_progress"))


def failure_text(app: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]) -> str:
    """Return why an app failed: the first words about each thing that did."""
    reasons = [app["error"]] if app.get("error") else []
    reasons += [
        f"{entry['object']}: {entry.get('error') or entry.get('reason', '')}"
        for entry in actions
        if entry["app"] == app["name"] and (entry.get("result") == "failed" or entry["action"] == "refused")
    ]
    reasons += [unhealthy_text(entry) for entry in app.get("unhealthy", ())]
    return _some(reasons) if reasons else "it failed; the report says why"


def _some(texts: Sequence[str]) -> str:
    more = [f"and {len(texts) - _MOST} more"] if len(texts) > _MOST else []
    return "; ".join([*(_text(text) for text in texts[:_MOST]), *more])


def _text(text: Any) -> str:
    return printable(str(text), 400)
