# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of all clusters, in a size that 100 clusters of 200 apps do not make large.

    overview   counts, causes and a head of each cluster: no list of apps
    cluster    all of one cluster
    search     the first apps of all clusters that a query matches

The view of a cluster is derived once for each of its versions (event_broker.py), and its problems are grouped then.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..core.causes import MOST_CAUSES, ProblemCause, cause_documents, group_by_cause, merge_causes
from ..core.instants import instant
from ..store.reverts import SPANS, count_reverts
from .cluster_view import (
    STATE_NAMES,
    ClusterSnapshot,
    ClusterView,
    cluster_document,
    cluster_head,
    problems_of,
    reasons_of_app,
    view_of,
)

KIND = "AgentState"
MOST_FOUND = 50  # apps of one answer
_MOST_REASONS = 3  # of an app or of a cluster, where there are many
_LONGEST = 300  # characters of a reason
_VIEWED = (
    "apps",
    "app_states",
    "suspended",
    "suspended_apps",
    "last_run",
    "conflicts",
)  # of a status, by view_of


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSearch:
    """Which apps are looked for; what is empty matches all. Each of `words` has to be in names, path or reasons."""

    words: tuple[str, ...] = ()  # in small letters
    states: frozenset[str] = frozenset()
    cluster: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class _Derived:
    """A cluster's view at one version, with what is expensive to derive from it."""

    version: int
    view: ClusterView
    causes: Sequence[ProblemCause]
    texts: Sequence[str]  # of each app: what words are looked for in


class FleetView:
    """The views of all clusters. `snapshot` returns what is known of one, `version` grows with each change of it."""

    def __init__(
        self,
        names: Callable[[], Sequence[str]],
        snapshot: Callable[[str], ClusterSnapshot],
        version: Callable[[str], int],
    ) -> None:
        self._names = names
        self._snapshot = snapshot
        self._version = version
        self._known: dict[str, _Derived] = {}

    def overview(self, agent: Mapping[str, Any], *, version: int, now: float) -> dict[str, Any]:
        """Return the agent's status, counts, causes, and a head of each cluster. Times are seconds since the epoch."""
        derived = self._all()
        views = [each.view for each in derived]
        causes = merge_causes(itertools.chain.from_iterable(each.causes for each in derived))
        heads = [_bounded(cluster_head(view, now)) for view in views]
        return {
            **self._frame(agent, version, now),
            "clusters": heads,
            "counts": {
                "clusters": _in_order(Counter(view.state for view in views)),
                "apps": _in_order(Counter(app["state"] for view in views for app in view.apps)),
            },
            "causes": cause_documents(causes),
            "more_causes": max(0, len(causes) - MOST_CAUSES),
            "reverts": {word: sum(head["reverts"][word] for head in heads) for word in SPANS},
        }

    def cluster(
        self, agent: Mapping[str, Any], name: str, *, version: int, now: float
    ) -> dict[str, Any] | None:
        """Return the agent's status and all of one cluster; None for one that is unknown."""
        if name not in self._names():
            return None
        document = cluster_document(self._derived(name).view, now)
        return {**self._frame(agent, version, now), "clusters": [document]}

    def search(self, query: AppSearch, *, now: float) -> dict[str, Any]:
        """Return the first apps that match, the worst first, how many there are, and how many in each state."""
        matching = [*self._matching(query)]
        chosen = [each for each in matching if not query.states or each[1]["state"] in query.states]
        chosen.sort(key=lambda each: (STATE_NAMES.index(each[1]["state"]), each[1]["name"], each[0].name))
        some = chosen[query.offset : query.offset + MOST_FOUND]
        return {
            "kind": "AppList",
            "time": instant(now),
            "total": len(chosen),
            "offset": query.offset,
            "counts": _in_order(Counter(app["state"] for _view, app in matching)),
            "apps": [_row(view, app, now) for view, app in some],
        }

    def views(self) -> list[ClusterView]:
        """Return the view of each cluster, by name."""
        return [derived.view for derived in self._all()]

    def app_states(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield each cluster with the states of its apps by name; not of those that have left its inventory."""
        for derived in self._all():
            view = derived.view
            present = {app["name"] for app in view.snapshot.apps}
            yield view.name, {app["name"]: app["state"] for app in view.apps if app["name"] in present}

    def _frame(self, agent: Mapping[str, Any], version: int, now: float) -> dict[str, Any]:
        return {**agent, "kind": KIND, "version": version, "time": instant(now)}

    def _matching(self, query: AppSearch) -> Iterator[tuple[ClusterView, Mapping[str, Any]]]:
        for derived in self._all():
            if query.cluster in {"", derived.view.name}:
                for app, text in zip(derived.view.apps, derived.texts, strict=True):
                    if all(word in text for word in query.words):
                        yield derived.view, app

    def _all(self) -> list[_Derived]:
        names = self._names()
        for gone in self._known.keys() - set(names):
            del self._known[gone]
        return [self._derived(name) for name in names]

    def _derived(self, name: str) -> _Derived:
        version, snapshot = self._version(name), self._snapshot(name)
        known = self._known.get(name)
        if known is not None and known.version != version and _shows_the_same(known.view.snapshot, snapshot):
            known = replace(known, version=version)  # the progress of a run, for example
        if known is None or known.version != version:
            view = view_of(snapshot)
            causes = group_by_cause(problems_of(view))
            known = _Derived(version, view, causes, [_text_of(name, app) for app in view.apps])
        # What the loop counts down or up without a change of the cluster is read each time.
        known = replace(known, view=replace(known.view, snapshot=snapshot))
        self._known[name] = known
        return known


def _shows_the_same(first: ClusterSnapshot, second: ClusterSnapshot) -> bool:
    """Return whether the views of two snapshots are the same, but for what is read each time."""
    return (
        first.history is second.history
        and list(first.apps) == list(second.apps)
        and all(first.status.get(key) == second.status.get(key) for key in _VIEWED)
    )


def _text_of(cluster: str, app: Mapping[str, Any]) -> str:
    reasons = (f"{reason['object']} {reason['text']}" for reason in reasons_of_app(app))
    return " ".join((cluster, app["name"], app["source"], app["path"], *reasons)).lower()


def _row(view: ClusterView, app: Mapping[str, Any], now: float) -> dict[str, Any]:
    fields = ("name", "state", "since", "waits_for", "commit", "source", "path", "suspended", "objects")
    reasons = list(reasons_of_app(app))
    return {
        "cluster": view.name,
        **{field: app[field] for field in fields},
        "reasons": _cut(reasons),
        "more_reasons": max(0, len(reasons) + app["more_findings"] - _MOST_REASONS),
        "reverts": count_reverts(view.snapshot.history.reverts.get(app["name"], ()), now),
    }


def _bounded(head: Mapping[str, Any]) -> dict[str, Any]:
    last = head["last_run"]
    failures = [failure[:_LONGEST] for failure in last["failures"][:_MOST_REASONS]]
    return {**head, "why": _cut(head["why"]), "last_run": {**last, "failures": failures}}


def _cut(reasons: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{**reason, "text": reason["text"][:_LONGEST]} for reason in reasons[:_MOST_REASONS]]


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {state: counts[state] for state in STATE_NAMES if counts.get(state)}
