# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the remote once which refs it has, and choosing the one that a source wants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...model.app import RefKind, SourceSpec
from ...model.errors import SourceError
from ...model.nearest import nearest_names
from ..semver_range import parse_range, versions_of
from .command import GitRunner
from .git_errors import failure

_LINE = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64})\t(refs/(?:heads|tags)/[^\n]+)")
_PEELED = "^{}"
_PREFIXES = {RefKind.BRANCH: "refs/heads/", RefKind.TAG: "refs/tags/", RefKind.SEMVER: "refs/tags/"}
_OPERATION = "asking the server for its refs"
# Protocol 0 names all refs in its first answer: one round trip. Protocol 2 needs a second for what protocol 0 says.
_ONE_ROUND_TRIP = {"protocol.version": "0"}


@dataclass(frozen=True, slots=True)
class RemoteRevision:
    """What a source's ref is at the remote now."""

    ref: str  # the ref's full name, or the commit id itself where the source names a commit
    commit: str
    resolved: str = ""  # the tag that a semver range chose


def resolve_remote(runner: GitRunner, spec: SourceSpec) -> RemoteRevision:
    """Resolve the source's ref at the remote: one round trip, none for a commit.

    Raises SourceError where the remote does not answer or has no such ref; the nearest names are in its next step.
    """
    if spec.ref_kind is RefKind.COMMIT:
        commit = spec.ref.lower()
        return RemoteRevision(commit, commit)
    if spec.ref_kind is RefKind.SEMVER:
        parse_range(spec.ref, subject=f"source {spec.name}")  # before anything is sent
    answer = runner.run(
        ("ls-remote", "--quiet", "--heads", "--tags", "--", spec.url),
        operation=_OPERATION,
        settings=_ONE_ROUND_TRIP,
    )
    if answer.status != 0:
        raise failure(runner.subject, _OPERATION, answer.stderr)
    return choose(spec, parse_refs(answer.output))


def parse_refs(listing: bytes) -> dict[str, str]:
    """Branches and tags of `git ls-remote` by full name; an annotated tag has the commit that it points to."""
    matches = (_LINE.fullmatch(line) for line in listing.split(b"\n"))
    refs = {match[2].decode("utf-8", "surrogateescape"): match[1].decode() for match in matches if match}
    return {name: refs.get(name + _PEELED, oid) for name, oid in refs.items() if not name.endswith(_PEELED)}


def choose(spec: SourceSpec, refs: Mapping[str, str]) -> RemoteRevision:
    """Return the ref that a source with a branch, tag or range wants; raises SourceError where there is none."""
    subject = f"source {spec.name}"
    if not refs:
        raise SourceError(
            subject,
            f"finding {spec.ref_kind.value} {spec.ref}",
            "the repository is empty: it has no branch and no tag",
            "Push a first commit.",
        )
    prefix = _PREFIXES[spec.ref_kind]
    names = [name.removeprefix(prefix) for name in refs if name.startswith(prefix)]
    if spec.ref_kind is not RefKind.SEMVER:
        if prefix + spec.ref not in refs:
            raise _no_such_ref(spec, names, refs)
        return RemoteRevision(prefix + spec.ref, refs[prefix + spec.ref])
    tag = parse_range(spec.ref, subject=subject).choose(names)
    if tag is None:
        raise _no_version(spec, names)
    return RemoteRevision(prefix + tag, refs[prefix + tag], tag)


def _no_such_ref(spec: SourceSpec, names: list[str], refs: Mapping[str, str]) -> SourceError:
    kind = spec.ref_kind.value
    other = RefKind.TAG if spec.ref_kind is RefKind.BRANCH else RefKind.BRANCH
    near = nearest_names(spec.ref, names)
    if _PREFIXES[other] + spec.ref in refs:
        next_step = f"There is a {other.value} of this name: write {other.value}: {spec.ref}."
    elif near:
        next_step = f"The nearest: {', '.join(near)}."
    elif names:
        next_step = f"There are {len(names)}, among them {', '.join(sorted(names)[:3])}."
    else:
        next_step = f"It has no {kind} at all."
    return SourceError(
        f"source {spec.name}", f"finding {kind} {spec.ref}", f"the repository has no such {kind}", next_step
    )


def _no_version(spec: SourceSpec, names: list[str]) -> SourceError:
    highest = [tag for _version, tag in sorted(versions_of(names), reverse=True)[:3]]
    if highest:
        next_step = (
            f"The highest versions there: {', '.join(highest)}; a prerelease needs a range that names one."
        )
    else:
        next_step = "None of its tags is a version such as 1.4.2 or v1.4.2."
    return SourceError(
        f"source {spec.name}",
        f"finding semver {spec.ref}",
        "no tag of the repository is in this range",
        next_step,
    )
