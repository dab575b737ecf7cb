# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pull of one source works with: Git, the source's entry in the cache, and the lock of that entry."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..model.app import Checkout, SourceSpec
from ..model.errors import SourceError
from .cache.checkout import CacheRules, CheckoutRecord, load_last_good, reuse, write_checkout
from .cache.repositories import LOCK_WAIT, CachedRepository, exclusive
from .git.address import check_spec
from .git.command import GitRunner, Limits, require_git
from .git.credentials import access_to
from .git.packages import require_packages
from .git.remote import RemoteRevision


def require_programs() -> None:
    """Raise SourceError where git, or a package that is needed, is missing."""
    require_packages()
    require_git()


def limits_of(deadline: float | None, cancelled: threading.Event | None = None) -> Limits:
    """Return limits until `deadline`, a `time.monotonic()`, or until `cancelled` is set."""
    return Limits(math.inf if deadline is None else deadline, cancelled or threading.Event())


def runner_within(spec: SourceSpec, limits: Limits) -> GitRunner:
    """Return a runner of Git for a source. Raises InputError."""
    address = check_spec(spec)
    return GitRunner(
        subject=f"source {spec.name}",
        transport=address.transport,
        access=access_to(spec, address),
        limits=limits,
        timeout=spec.timeout,
    )


def runner_of(spec: SourceSpec) -> GitRunner:
    """Return a runner of Git for a source, without a deadline. Raises InputError, SourceError."""
    require_programs()
    return runner_within(spec, limits_of(None))


@dataclass(frozen=True, slots=True)
class Pulling:
    """One source's pull; with the lock of its entry where `runner` holds one."""

    runner: GitRunner
    entry: CachedRepository
    spec: SourceSpec
    rules: CacheRules
    lock_wait: float = LOCK_WAIT  # seconds

    def present(self, remote: RemoteRevision) -> Checkout | None:
        """Return the checkout of a revision, if there is one."""
        return reuse(self.entry, self.spec, remote.commit, remote.resolved)

    def last_good(self) -> CheckoutRecord | None:
        """Return what the cache says of the ref's last good revision."""
        return load_last_good(self.entry, self.spec)

    def in_force(self) -> Checkout | None:
        """Return the last good revision's checkout; made of what was fetched if it was of other paths, or damaged."""
        last = self.last_good()
        return self.of(last) if last else None

    def of(self, revision: CheckoutRecord) -> Checkout | None:
        """Return the checkout of a revision that was fetched before, if it can be had without the server."""
        present = reuse(self.entry, self.spec, revision.commit, revision.resolved)
        if present is not None:
            return present
        try:
            with locked(self) as held:
                return write_checkout(held.runner, held.entry, held.spec, revision, held.rules)
        except (SourceError, OSError):
            return None


@contextlib.contextmanager
def locked(pulling: Pulling) -> Iterator[Pulling]:
    """Yield the same pull with the lock of its entry, which it may hold already."""
    runner = pulling.runner
    if runner.held:
        yield pulling
        return
    with exclusive(pulling.entry, runner.subject, runner.limits.within(pulling.lock_wait)) as lock:
        yield replace(pulling, runner=replace(runner, held=(lock,)))
