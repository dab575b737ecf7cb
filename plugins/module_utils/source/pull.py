# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulling sources: each one's ref is resolved, fetched where it moved, and checked out; side by side."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from ..model.app import Checkout, RefKind, RewritePolicy, SourceSpec
from ..model.errors import InputError, SourceError
from ..model.progress import Phase, Progress
from .cache.checkout import (
    CacheRules,
    CheckoutRecord,
    load_last_checkout,
    load_last_good,
    obtain,
    save_last_good,
)
from .cache.eviction import clear_old
from .cache.outcome import PullOutcome, save_outcome
from .cache.repositories import open_cache, open_entry
from .cache.selection import NO_REFERENCES, References
from .cache.space import DEFAULT_BYTES, Space
from .git.address import check_spec
from .git.command import Limits
from .git.remote import RemoteRevision, resolve_remote
from .history import was_rewritten
from .pulling import Pulling, limits_of, locked, require_programs, runner_within

# What a source's ref is at the remote, or why that is not known.
Resolution: TypeAlias = "RemoteRevision | SourceError"
WIDTH = 8  # sources at a time


@dataclass(frozen=True, slots=True)
class PulledSource:
    """What became of one source: a checkout, or the error that kept it from one.

    It has both where the ref could not be read, or was rewritten and that is refused: then the checkout is that of the
    last good revision, which stays in force.
    """

    name: str
    checkout: Checkout | None
    error: SourceError | InputError | None
    warning: str = ""


def pull_sources(
    specs: Sequence[SourceSpec],
    cache_dir: Path,
    *,
    deadline: float | None = None,
    width: int = WIDTH,
    cache_size: int = DEFAULT_BYTES,
    references: References = NO_REFERENCES,
    progress: Progress | None = None,
) -> tuple[PulledSource, ...]:
    """Bring each source's revision into the cache and return them in the order of `specs`.

    A checkout holds the source's `paths` and what these reach, by links and by `references`. The cache takes at most
    `cache_size` bytes on disk, also while something is fetched.

    `deadline` is a `time.monotonic()` for all of it; each exchange with a remote also ends after the source's own
    `timeout`. A source whose ref has not moved costs one round trip, one whose commit is there already costs none.
    One source's failure is in its result and does not touch the others. Raises InputError where the cache directory
    cannot be used or two sources have one name, SourceError where git is missing.
    """
    counts = Counter(spec.name for spec in specs)
    for name, count in counts.items():
        if count > 1:
            raise InputError(f"source {name}", "reading sources", "two have this name", "Give each its own.")
    require_programs()
    cache = open_cache(cache_dir)
    limits = limits_of(deadline)
    rules = CacheRules(Space(cache, cache_size), references)
    counted = progress or Progress()
    counted.begin(Phase.PULLING, counts)

    def pull_one(spec: SourceSpec) -> PulledSource:
        try:
            return _pulled(spec, rules, limits)
        finally:
            counted.finish(spec.name)

    with ThreadPoolExecutor(max_workers=max(1, min(width, len(specs))), thread_name_prefix="source") as pool:
        try:
            return tuple(pool.map(pull_one, specs))
        finally:
            limits.cancelled.set()  # on Ctrl-C too: leaving the pool waits for its threads


def with_paths(
    pulled: PulledSource,
    spec: SourceSpec,
    cache_dir: Path,
    *,
    cache_size: int = DEFAULT_BYTES,
    references: References = NO_REFERENCES,
) -> PulledSource:
    """Return what was pulled, at the same revision, with the paths of `spec`: from the cache, else pulled again.

    Raises what `pull_sources` raises.
    """
    if pulled.checkout is None:
        return pulled
    revision = pulled.checkout.revision
    rules = CacheRules(Space(open_cache(cache_dir), cache_size), references)
    pulling = Pulling(runner_within(spec, limits_of(None)), open_entry(rules.space.cache, spec), spec, rules)
    checkout = pulling.of(CheckoutRecord(revision.commit, revision.resolved))
    if checkout is not None:
        return replace(pulled, checkout=checkout)
    (again,) = pull_sources([spec], cache_dir, cache_size=cache_size, references=references)
    return again


def pull_resolved(
    spec: SourceSpec,
    resolution: Resolution,
    cache_dir: Path,
    *,
    cancelled: threading.Event,
    cache_size: int = DEFAULT_BYTES,
    references: References = NO_REFERENCES,
) -> PulledSource:
    """Bring a source into the cache as `pull_sources` does, where `current_revision` was asked before.

    The remote is asked nothing again; of one that did not answer, the last good revision is returned with the error.
    `cancelled` ends it early. Raises what `pull_sources` raises.
    """
    require_programs()
    rules = CacheRules(Space(open_cache(cache_dir), cache_size), references)
    return _pulled(spec, rules, limits_of(None, cancelled), resolution)


def current_revision(
    spec: SourceSpec, *, deadline: float | None = None, cancelled: threading.Event | None = None
) -> RemoteRevision:
    """Return what the source's ref is at the remote now: one round trip, nothing fetched; for a poll.

    Raises InputError or SourceError. For a source that names a commit it returns that commit and asks no server.
    """
    require_programs()
    return resolve_remote(runner_within(spec, limits_of(deadline, cancelled)), spec)


def last_known(spec: SourceSpec, cache_dir: Path) -> Checkout | None:
    """Return the checkout of this source's last good pull, from the cache alone; None where there is none.

    Raises InputError for a source or cache directory that cannot be used.
    """
    check_spec(spec)
    return load_last_checkout(open_entry(open_cache(cache_dir), spec), spec)


def last_commit(spec: SourceSpec, cache_dir: Path) -> str:
    """Return the commit of this source's last good pull, from its record; empty where there is none.

    Raises InputError for a source or cache directory that cannot be used.
    """
    check_spec(spec)
    record = load_last_good(open_entry(open_cache(cache_dir), spec), spec)
    return record.commit if record else ""


def _pulled(
    spec: SourceSpec, rules: CacheRules, limits: Limits, resolution: Resolution | None = None
) -> PulledSource:
    pulled = _pull_or_fail(spec, rules, limits, resolution)
    if not limits.cancelled.is_set():
        with contextlib.suppress(OSError, InputError):  # an entry that is not safe is in the result already
            save_outcome(
                open_entry(rules.space.cache, spec), spec, PullOutcome.of(pulled.error, pulled.warning)
            )
    return pulled


def _pull_or_fail(
    spec: SourceSpec, rules: CacheRules, limits: Limits, resolution: Resolution | None
) -> PulledSource:
    try:
        return _pull(spec, rules, limits, resolution)
    except InputError as exc:
        return PulledSource(spec.name, None, exc)
    except OSError as exc:
        where = f": {exc.filename}" if exc.filename else ""
        error = SourceError(
            f"source {spec.name}",
            "writing the cache",
            f"{exc.strerror or exc}{where}",
            "See that the cache's disk has space, and that the cache belongs to the user who runs this.",
        )
        return PulledSource(spec.name, None, error)


def _pull(spec: SourceSpec, rules: CacheRules, limits: Limits, resolution: Resolution | None) -> PulledSource:
    pulling = Pulling(runner_within(spec, limits), open_entry(rules.space.cache, spec), spec, rules)
    try:
        if isinstance(resolution, SourceError):
            return _fall_back(pulling, resolution)
        return _follow_ref(pulling, resolution or resolve_remote(pulling.runner, spec))
    except SourceError as exc:
        return _fall_back(pulling, exc)


def _follow_ref(pulling: Pulling, remote: RemoteRevision) -> PulledSource:
    spec = pulling.spec
    last = pulling.last_good()
    if last and last.refused == remote.commit and spec.rewritten is RewritePolicy.REFUSE:
        return _refuse(pulling, last, remote.commit)
    checkout = pulling.present(remote)
    if checkout is None or (last and last.commit != remote.commit):
        return _fetch(pulling, remote)
    return _accept(pulling, checkout)


def _fetch(pulling: Pulling, remote: RemoteRevision) -> PulledSource:
    with locked(pulling) as held:
        checkout = held.present(remote)  # another run may just have brought it
        if checkout is None:
            checkout = obtain(held.runner, held.entry, held.spec, remote, held.rules)
        pulled = _apply_policy(held, checkout, remote)
        clear_old(held.entry, time.time())
        return pulled


def _apply_policy(pulling: Pulling, checkout: Checkout, remote: RemoteRevision) -> PulledSource:
    """Apply the source's policy to a ref that may have been rewritten to get to this checkout."""
    spec, last = pulling.spec, pulling.last_good()
    now = replace(remote, commit=checkout.revision.commit)
    if last is None:
        return _accept(pulling, checkout)
    try:
        rewritten = was_rewritten(pulling.runner, pulling.entry, spec, last, now, space=pulling.rules.space)
    except SourceError as exc:
        if spec.rewritten is RewritePolicy.REFUSE:
            raise
        unknown = f"it is not known whether it was rewritten to get to {now.commit}: {exc.account}"
        return _accept(pulling, checkout, f"source {spec.name}: {_ref(spec)} was at {last.commit}; {unknown}")
    if not rewritten:
        return _accept(pulling, checkout)
    if spec.rewritten is RewritePolicy.REFUSE:
        return _refuse(pulling, last, now.commit)
    return _accept(
        pulling, checkout, f"source {spec.name}: {_rewriting(spec, last, now.commit)}; it is followed"
    )


def _accept(pulling: Pulling, checkout: Checkout, warning: str = "") -> PulledSource:
    good = CheckoutRecord(checkout.revision.commit, checkout.revision.resolved)
    save_last_good(pulling.entry, pulling.spec, good)
    return PulledSource(pulling.spec.name, checkout, None, warning)


def _fall_back(pulling: Pulling, error: SourceError) -> PulledSource:
    """Return the error with the last good revision, if the cache has it."""
    checkout = pulling.in_force()
    if checkout is None:
        return PulledSource(pulling.spec.name, None, error)
    stays = f"Until then {checkout.revision.commit[:7]}, its last good revision, stays in force."
    explained = SourceError(
        error.subject, error.operation, error.reason, f"{error.next_step} {stays}".strip()
    )
    return PulledSource(pulling.spec.name, checkout, explained)


def _refuse(pulling: Pulling, last: CheckoutRecord, commit: str) -> PulledSource:
    """Return the last good revision, and the refusal of the commit that the ref was rewritten to."""
    spec, checkout = pulling.spec, pulling.in_force()
    now = f"{last.commit[:7]} stays in force" if checkout else "The cache no longer has its last revision"
    error = SourceError(
        f"source {spec.name}",
        f"following {_ref(spec)}",
        _rewriting(spec, last, commit),
        f"{now}. If the new one is meant, pull once with rewritten: follow; otherwise restore the ref.",
    )
    if checkout is None:
        raise error
    save_last_good(pulling.entry, spec, replace(last, refused=commit))
    return PulledSource(spec.name, checkout, error)


def _ref(spec: SourceSpec) -> str:
    return f"{spec.ref_kind.value} {spec.ref}"


def _rewriting(spec: SourceSpec, last: CheckoutRecord, commit: str) -> str:
    if spec.ref_kind is RefKind.BRANCH:
        return f"{_ref(spec)} was rewritten: it is at {commit}, which has {last.commit} not in its past"
    tag = f"tag {last.resolved}" if last.resolved else _ref(spec)
    return f"{tag} was moved from {last.commit} to {commit}"
