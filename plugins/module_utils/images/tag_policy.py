# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tag of an image is wanted: a table of policies, each an order of tags. No request is made here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from ..model.errors import InputError
from ..source.semver_range import VersionRange, parse_range, versions_of

_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)
# Signatures, attestations and bills of materials that tools attach by a tag made of the image's digest
# (cosign; the referrers tag schema of the OCI distribution specification 1.1).
_ATTACHED = re.compile(r"sha(?:256|512)-[0-9a-f]{64,128}(?:\.[A-Za-z0-9._-]+)?", re.ASCII)
NEVER = datetime.min.replace(tzinfo=UTC)


class Kind(Enum):
    """The five kinds of policies; the value is the option's name."""

    SEMVER = "semver"
    NUMERICAL = "numerical"
    ALPHABETICAL = "alphabetical"
    NEWEST = "newest"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Policy:
    """`value` is the range for `semver`, `asc` or `desc` for the orders, `build` for `newest`, the tag for `digest`."""

    kind: Kind
    value: str
    versions: VersionRange | None = None

    @property
    def is_ordered(self) -> bool:
        """Whether the tags alone decide which is newer."""
        return self.kind in {Kind.SEMVER, Kind.NUMERICAL, Kind.ALPHABETICAL}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tag, and its key for comparing: the tag itself, or what a filter extracts of it."""

    tag: str
    key: str


def parse_policy(options: Mapping[str, Any], *, subject: str) -> Policy:
    """Return the policy of a map with one key. Raises InputError, with `subject`."""
    words = {kind.value: kind for kind in Kind}
    chosen = {name: value for name, value in options.items() if value not in (None, "")}
    if len(chosen) != 1 or not chosen.keys() <= words.keys():
        why = "it is not one of " + ", ".join(words)
        raise InputError(subject, "reading policy", why, 'Write for example {semver: ">=1.0.0 <2.0.0"}.')
    ((name, value),) = chosen.items()
    kind, text = words[name], str(value)
    if kind is Kind.SEMVER:
        return Policy(kind, text, parse_range(text, subject=subject))
    allowed = _VALUES[kind]
    if not allowed.fullmatch(text):
        raise InputError(subject, f"reading policy {name}", f"{text[:80]!r} is not its value", _HINTS[kind])
    return Policy(kind, text)


def without_attachments(tags: Sequence[str]) -> list[str]:
    """Return the tags that are images, without those of signatures, attestations and the like."""
    return [tag for tag in tags if not _ATTACHED.fullmatch(tag)]


def rank_tags(
    policy: Policy, candidates: Sequence[Candidate], created: Mapping[str, datetime] | None = None
) -> list[str]:
    """Return the tags that the policy admits, best first. `created`, by tag, is for `newest`."""
    return _ORDERS[policy.kind](policy, candidates, created or {})


def is_older(policy: Policy, candidate: Candidate, other: Candidate) -> bool | None:
    """Return whether `candidate` ranks below `other`; None where tags alone do not decide it."""
    if not policy.is_ordered:
        return None
    order = rank_tags(policy, (candidate, other))
    if candidate.tag == other.tag or other.tag not in order:
        return False
    return order[0] == other.tag


def choice_reason(policy: Policy, admitted: int, candidates: int) -> str:
    """Return for people why the first tag is chosen: of how many, and by which order."""
    return _REASONS[policy.kind, policy.value if policy.kind in _DIRECTED else ""].format(
        value=policy.value, admitted=admitted, candidates=candidates
    )


def _semver(policy: Policy, candidates: Sequence[Candidate], _created: Mapping[str, datetime]) -> list[str]:
    wanted = policy.versions
    if wanted is None:
        return []
    rows = [(versions_of([candidate.key]), candidate.tag) for candidate in candidates]
    admitted = [(versions[0][0], tag) for versions, tag in rows if versions and wanted.admits(versions[0][0])]
    return [tag for _version, tag in sorted(admitted, reverse=True)]


def _numerical(
    policy: Policy, candidates: Sequence[Candidate], _created: Mapping[str, datetime]
) -> list[str]:
    numbers = [
        (Decimal(candidate.key), candidate.tag)
        for candidate in candidates
        if _NUMBER.fullmatch(candidate.key)
    ]
    return [tag for _number, tag in sorted(numbers, reverse=policy.value == "asc")]


def _alphabetical(
    policy: Policy, candidates: Sequence[Candidate], _created: Mapping[str, datetime]
) -> list[str]:
    keys = [(candidate.key, candidate.tag) for candidate in candidates]
    return [tag for _key, tag in sorted(keys, reverse=policy.value == "asc")]


def _newest(_policy: Policy, candidates: Sequence[Candidate], created: Mapping[str, datetime]) -> list[str]:
    builds = [
        (created[candidate.tag], candidate.key, candidate.tag)
        for candidate in candidates
        if candidate.tag in created
    ]
    return [tag for _moment, _key, tag in sorted(builds, reverse=True)]


def _digest(policy: Policy, candidates: Sequence[Candidate], _created: Mapping[str, datetime]) -> list[str]:
    return [candidate.tag for candidate in candidates if candidate.tag == policy.value]


_ORDERS: Mapping[Kind, Callable[[Policy, Sequence[Candidate], Mapping[str, datetime]], list[str]]] = {
    Kind.SEMVER: _semver,
    Kind.NUMERICAL: _numerical,
    Kind.ALPHABETICAL: _alphabetical,
    Kind.NEWEST: _newest,
    Kind.DIGEST: _digest,
}
_DIRECTED = frozenset({Kind.NUMERICAL, Kind.ALPHABETICAL})
_REASONS: Mapping[tuple[Kind, str], str] = {
    (Kind.SEMVER, ""): "the highest of {admitted} versions in {value}, of {candidates} tags",
    (Kind.NUMERICAL, "asc"): "the highest of {admitted} numbers, of {candidates} tags",
    (Kind.NUMERICAL, "desc"): "the lowest of {admitted} numbers, of {candidates} tags",
    (Kind.ALPHABETICAL, "asc"): "the last by name of {candidates} tags",
    (Kind.ALPHABETICAL, "desc"): "the first by name of {candidates} tags",
    (Kind.NEWEST, ""): "built last of {admitted}",
    (Kind.DIGEST, ""): "the tag that is followed by its digest",
}
_DIRECTION = re.compile("asc|desc")
_VALUES = {
    Kind.NUMERICAL: _DIRECTION,
    Kind.ALPHABETICAL: _DIRECTION,
    Kind.NEWEST: re.compile("build"),
    Kind.DIGEST: re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII),
}
_HINTS = {
    Kind.NUMERICAL: "Write asc for the highest number, desc for the lowest.",
    Kind.ALPHABETICAL: "Write asc for the last by name, desc for the first.",
    Kind.NEWEST: "Write newest: build.",
    Kind.DIGEST: "Write the tag whose digest is to be followed.",
}
