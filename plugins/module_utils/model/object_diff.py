# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an object in the cluster differs from its manifest in Git, as a unified diff of YAML."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class DiffForm(Enum):
    """How the differences of an object are shown."""

    FIELDS = "fields"  # a line for each field
    UNIFIED = "unified"


@dataclass(frozen=True, slots=True)
class Hunk:
    """A part of a diff: lines that begin with a blank, `-` or `+`, and where in the object they are.

    `changes` are the paths of those of the action's changes that begin to show in this hunk.
    """

    at: str
    changes: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDiff:
    """The diff of one object from the cluster to Git. Values of a Secret are digests."""

    hunks: tuple[Hunk, ...]
    live: bool = True  # the cluster has the object
    wanted: bool = True  # Git has the object
    revision: str = ""  # of Git, short
    left: frozenset[str] = frozenset()  # paths of changes that stay as they are in the cluster
