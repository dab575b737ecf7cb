# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups problems by their cause, so that a bad commit is one entry and not one for each app on each cluster.

Problems have the same cause where their state, their reason without the names in it, and the commit that brought
them are the same:

    prod-eu/shop  refused  `ConfigMap eu/flags belongs to nobody`  fleet@4f2a9c1  \\
    prod-us/shop  refused  `ConfigMap us/flags belongs to nobody`  fleet@4f2a9c1   >  one cause: 2 clusters, 2 apps

Values only: the page, the HTTP API and the status on a terminal share it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_CAUSES = 25  # of a document
MOST_CLUSTERS = 20  # of a cause, by name
MOST_APPS = 5  # of a cluster of a cause, by name
_LONGEST = 600  # characters of a reason

# What a commit does not bring about; it is the same problem at whatever commit it is met.
_WITHOUT_COMMIT = frozenset({"drifted", "conflicting", "unverified"})
_HASH = "[bcdfghjklmnpqrstvwxz2456789]"  # the letters of the names that Kubernetes generates
_VARYING = (  # what differs between two reasons of one cause: a pattern, and what is put in its place
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"\[[0-9a-fA-F:]*:[0-9a-fA-F:]*\](?::\d+)?"), "<address>"),
    (re.compile(r"https?://[^/\s\"']+"), "<server>"),
    (re.compile(rf"-(?:{_HASH}{{8,10}}-)?{_HASH}{{5}}\b(?=[\s\"',;:.)]|$)"), "-<pod>"),
    (
        re.compile(
            r"\b\d+(?:\.\d+)?(?:ms|s|m|h)(?:\d+(?:\.\d+)?(?:ms|s|m))*\b|\b\d+(?:\.\d+)? (?:ms|s|min|h)\b"
        ),
        "<duration>",
    ),
    (re.compile(r"\b\d+(?: of |/)\d+\b"), "<count>"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem of an app on a cluster. `app` is empty for one of the whole cluster, `object` for one of the app."""

    cluster: str
    state: str  # of docs/glossary.md
    reason: str
    app: str = ""
    object: str = ""  # `Kind namespace/name`
    source: str = ""
    commit: str = ""
    subject: str = ""  # the first line of the commit's message


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemCause:
    """A cause, and what has it. `apps`: by cluster, the names of its apps (the empty name: the cluster itself)."""

    state: str
    reason: str  # of the first problem
    source: str = ""
    commit: str = ""
    subject: str = ""
    key: str = field(default="", compare=False)  # the reason without what varies
    apps: Mapping[str, frozenset[str]] = field(default_factory=dict)
    objects: int = 0

    @property
    def app_count(self) -> int:
        """How many apps have it, of all clusters."""
        return sum(len(names - {""}) for names in self.apps.values())


def group_by_cause(problems: Iterable[Problem]) -> tuple[ProblemCause, ...]:
    """Return the causes of the problems: of what is most widespread first, then by name."""
    return merge_causes(map(_cause_of, problems))


def merge_causes(causes: Iterable[ProblemCause]) -> tuple[ProblemCause, ...]:
    """Return the causes of several groups as one group; the same as that of all their problems."""
    merged: dict[tuple[str, ...], ProblemCause] = {}
    for cause in causes:
        key = (cause.state, cause.key, cause.source, cause.commit)
        merged[key] = _merge(merged[key], cause) if key in merged else cause
    return tuple(sorted(merged.values(), key=_order))


def cause_documents(causes: Iterable[ProblemCause], *, most: int = MOST_CAUSES) -> list[dict[str, Any]]:
    """Return the first causes as JSON types: with numbers, and the first names only."""
    return [_document(cause) for _number, cause in zip(range(most), causes, strict=False)]


def normalise(reason: str, names: Iterable[str] = ()) -> str:
    """Return the reason without `names` and without what varies where the cause is the same: hosts, times, Pods."""
    text = reason[:_LONGEST]
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "<name>", text)
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return text.strip()


def _cause_of(problem: Problem) -> ProblemCause:
    kind, _space, path = problem.object.partition(" ")
    names = {problem.cluster, problem.app, *(path or kind).split("/")}
    of_commit = problem.state not in _WITHOUT_COMMIT
    return ProblemCause(
        state=problem.state,
        reason=problem.reason[:_LONGEST],
        source=problem.source if of_commit else "",
        commit=problem.commit if of_commit else "",
        subject=problem.subject if of_commit else "",
        key=normalise(problem.reason, names),
        apps={problem.cluster: frozenset({problem.app})},
        objects=bool(problem.object),
    )


def _merge(first: ProblemCause, second: ProblemCause) -> ProblemCause:
    apps = dict(first.apps)
    for cluster, names in second.apps.items():
        apps[cluster] = apps.get(cluster, frozenset()) | names
    leading, other = sorted((first, second), key=lambda cause: (min(cause.apps), cause.reason))
    return ProblemCause(
        state=first.state,
        reason=leading.reason,
        source=first.source,
        commit=first.commit,
        subject=leading.subject or other.subject,
        key=first.key,
        apps=apps,
        objects=first.objects + second.objects,
    )


def _order(cause: ProblemCause) -> tuple[int, int, str, str, str]:
    return -len(cause.apps), -cause.app_count, cause.state, cause.reason, cause.commit


def _document(cause: ProblemCause) -> dict[str, Any]:
    clusters = [
        {"name": cluster, "apps": len(cause.apps[cluster] - {""}), "first": _first(cause.apps[cluster])}
        for cluster in sorted(cause.apps)[:MOST_CLUSTERS]
    ]
    return {
        "state": cause.state,
        "reason": cause.reason,
        "source": cause.source,
        "commit": cause.commit,
        "subject": cause.subject,
        "clusters": clusters,
        "cluster_count": len(cause.apps),
        "app_count": cause.app_count,
        "object_count": cause.objects,
    }


def _first(apps: Iterable[str]) -> list[str]:
    return sorted(filter(None, apps))[:MOST_APPS]
