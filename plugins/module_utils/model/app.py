# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator declares: sources and apps; and the revision a source resolved to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


class RefKind(Enum):
    """The four ways to name a revision; a source uses exactly one."""

    BRANCH = "branch"
    TAG = "tag"
    SEMVER = "semver"
    COMMIT = "commit"


class RewritePolicy(Enum):
    """What becomes of a source whose branch was rewritten or whose tag was moved."""

    FOLLOW = "follow"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """A Git repository at a ref. Credentials are named by file, never held."""

    name: str
    url: str
    ref_kind: RefKind
    ref: str
    token_file: Path | None = None
    username: str = ""  # with token_file; empty: the forge does not care
    ssh_key_file: Path | None = None
    known_hosts_file: Path | None = None
    ca_file: Path | None = None
    proxy: str = ""
    allow_http: bool = False
    rewritten: RewritePolicy = RewritePolicy.FOLLOW
    timeout: float = 60.0  # seconds for one exchange with the remote
    paths: tuple[str, ...] | None = None  # what of it apps name and is checked out; None for all of it


@dataclass(frozen=True, slots=True)
class Person:
    """An author or committer as the commit says it; not verified."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The commit that a source resolved to."""

    source: str
    ref: str  # what was asked for: a branch, a tag, a range or the commit
    commit: str  # 40 (or 64) hexadecimal digits
    subject: str
    author: Person
    committer: Person
    authored: str  # RFC 3339, UTC
    committed: str  # RFC 3339, UTC
    resolved: str = ""  # the tag that a semver range chose

    @property
    def short(self) -> str:
        """The first seven digits of the commit."""
        return self.commit[:7]


@dataclass(frozen=True, slots=True)
class Checkout:
    """A revision's files on disk. Read only; it stays as it is while it is in use."""

    revision: Revision
    path: Path


class DriftPolicy(Enum):
    """What becomes of a live field that Git decides and someone else changed."""

    REVERT = "revert"
    REPORT = "report"


class AdditionPolicy(Enum):
    """What becomes of fields that someone added to an object and Git does not know."""

    REPORT = "report"
    REMOVE = "remove"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRule:
    """Fields that are left to others. Patterns may hold `*`; empty ones are for all."""

    pointer: str = ""  # a JSON pointer (RFC 6901), `*` for every item or key; with all that is below it
    manager: str = ""  # only what this field manager owns
    kind: str = ""  # `Kind` or `Kind.group`
    name: str = ""
    labels: tuple[tuple[str, str], ...] = ()


class AppState(Enum):
    """Whether an app is wanted; `absent` prunes all of it."""

    PRESENT = "present"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class PruneLimit:
    """How much of an app one run may prune: a number of objects, or a percentage of the app."""

    amount: int
    percent: bool = False

    def allows(self, count: int, total: int) -> bool:
        """Return whether `count` of `total` objects may go; a percentage holds only above 10 objects."""
        if not self.percent:
            return count <= self.amount
        return total <= 10 or count * 100 <= self.amount * total

    def __str__(self) -> str:
        return f"{self.amount}%" if self.percent else str(self.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSpec:
    """A named piece of a source, applied as one unit with one inventory."""

    name: str
    source: str
    path: str = "."
    namespace: str = ""
    create_namespace: bool = False
    prune: bool = True
    prune_limit: PruneLimit = field(default=PruneLimit(50, percent=True))
    keep_marked: bool = True  # what other tools are told never to delete
    confirm_members: str = (
        ""  # digest of labelled objects that no run recorded, and the operator says are the app's
    )
    allow_empty: bool = False
    adopt: bool = False
    force_conflicts: bool = False
    recreate: bool = False
    wait: bool = True
    timeout: float = 300.0  # seconds
    drift: DriftPolicy = DriftPolicy.REVERT
    additions: AdditionPolicy = AdditionPolicy.REPORT
    ignore: tuple[IgnoreRule, ...] = ()
    suspend: bool = False
    moved_from: tuple[str, ...] = ()
    state: AppState = AppState.PRESENT
    depends_on: tuple[str, ...] = ()
