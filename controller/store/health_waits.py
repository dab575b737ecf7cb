# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The waits for health that runs of a cluster have left: one for each app, linked to the report of its run.

A wait goes on until its app is healthy, its time is over (`failed`), or a later run applied the app again
(`superseded`). A failed one is still looked at, since the app may recover. Values and rules; kept on disk, so that a
restart goes on with the time already waited.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import (
    Awaited,
    FollowUp,
    describe_awaited,
)
from ansible_collections.plumb.gitops.plugins.module_utils.report.follow_up import (
    follow_up_document,
    parse_follow_up,
)
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import Trust
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import RecordStore

HEALTHY, FAILED, SUPERSEDED = "healthy", "failed", "superseded"
_MOST_ENDED = 50  # waits of a cluster that are remembered after their end


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthWait:
    """A wait of one app. Times are seconds since the epoch; `ended` is 0 and `result` empty while it goes on."""

    app: str
    report: str  # the file of the report of the run that applied the app
    commit: str  # of its source in that run
    began: float
    follow_up: FollowUp  # what is still waited for
    ended: float = 0.0
    result: str = ""
    # What is not there, with reasons (report/document.unhealthy_document), as far as it was explained.
    unhealthy: tuple[Mapping[str, Any], ...] = ()

    @property
    def goes_on(self) -> bool:
        """Whether the app is in progress."""
        return not self.result

    @property
    def until(self) -> float:
        """When its time is over."""
        return self.began + self.follow_up.seconds

    @property
    def waits_for(self) -> str:
        """What it waits for, in one line."""
        return describe_awaited(self.follow_up.objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthWaits:
    """The waits of one cluster: by app those that go on or failed, and the last ones that ended, the newest first."""

    by_app: Mapping[str, HealthWait] = field(default_factory=dict)
    ended: tuple[HealthWait, ...] = ()

    def with_(self, *waits: HealthWait) -> HealthWaits:
        """Return the waits with these in place of those of their apps."""
        by_app, ended = dict(self.by_app), list(self.ended)
        for wait in waits:
            before = by_app.pop(wait.app, None)
            if before is not None and before.goes_on and before.began != wait.began:
                ended.insert(0, replace(before, result=SUPERSEDED, ended=wait.began))
            if wait.result in {"", FAILED}:
                by_app[wait.app] = wait
            if not wait.goes_on and (before is None or before.result != wait.result):
                ended.insert(0, wait)
        return HealthWaits(by_app=by_app, ended=tuple(ended[:_MOST_ENDED]))

    def only(self, apps: frozenset[str]) -> HealthWaits:
        """Return the waits of these apps: others have left the inventory."""
        return replace(self, by_app={app: wait for app, wait in self.by_app.items() if app in apps})


def wait_after_run(
    before: HealthWait | None, app: Mapping[str, Any], commit: str, report: str, now: float
) -> HealthWait | None:
    """Return the wait of an app after a run that planned it; None where it waits for nothing, and did not before.

    `app` is the run's summary of it. A run that wrote begins the wait anew, another one goes on with the one before.
    """
    content = app.get("in_progress")
    if app.get("error") or app.get("waits_for") or app.get("suspended"):
        return before  # it was not applied
    if content is None and before is None:
        return None
    follow_up = (
        parse_follow_up(content) if content is not None else FollowUp(set_id="", seconds=0, objects=())
    )
    if before is not None and not app.get("changed"):
        return wait_after_read(before, follow_up.objects, now, moves=True)
    after = HealthWait(app=app["name"], report=report, commit=commit, began=now, follow_up=follow_up)
    return after if content is not None else replace(after, result=HEALTHY, ended=now)


def wait_after_read(wait: HealthWait, pending: Sequence[Awaited], now: float, *, moves: bool) -> HealthWait:
    """Return the wait after its objects were read: `pending` are not there yet, and `moves` says that they may come."""
    after = replace(wait, follow_up=replace(wait.follow_up, objects=tuple(pending)))
    if not pending:
        return replace(after, result=HEALTHY, ended=now, unhealthy=())
    if wait.goes_on and (not moves or now >= wait.until):
        return replace(after, result=FAILED, ended=now)
    return after


def _encode_wait(wait: HealthWait) -> dict[str, Any]:
    values = {entry.name: getattr(wait, entry.name) for entry in dataclasses.fields(wait)}
    return {**values, "unhealthy": list(wait.unhealthy), "follow_up": follow_up_document(wait.follow_up)}


def _decode_wait(content: Mapping[str, Any]) -> HealthWait:
    values = {**content, "unhealthy": tuple(content["unhealthy"])}
    return HealthWait(**{**values, "follow_up": parse_follow_up(content["follow_up"])})


def _decode(content: Mapping[str, Any]) -> HealthWaits:
    waits = map(_decode_wait, content["waits"])
    return HealthWaits(
        by_app={wait.app: wait for wait in waits}, ended=tuple(map(_decode_wait, content["ended"]))
    )


_STORE = RecordStore[HealthWaits](
    kind="plumb.gitops/health",
    version=1,
    encode=lambda waits: {
        "waits": list(map(_encode_wait, waits.by_app.values())),
        "ended": list(map(_encode_wait, waits.ended)),
    },
    decode=_decode,
    trust=Trust.STATE,
)


def read_waits(folder: Path, cluster: str) -> HealthWaits:
    """Read the waits of a cluster; none where there is no record."""
    return _STORE.load(folder / cluster) or HealthWaits()


def write_waits(folder: Path, cluster: str, waits: HealthWaits) -> None:
    """Write the waits of a cluster. Raises OSError."""
    _STORE.save(folder / cluster, waits)
