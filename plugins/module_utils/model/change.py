# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A difference in one field of one object, and who made it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Absent(Enum):
    """The value of a field that is not there; `None` is JSON's null."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT
MASK = "(hidden)"


@dataclass(frozen=True, slots=True)
class Culprit:
    """Who wrote a live field, as managedFields says it. Empty where it does not say."""

    manager: str
    operation: str  # Update or Apply
    subresource: str = ""
    time: str = ""

    def __str__(self) -> str:
        by = f"{self.manager} ({self.subresource})" if self.subresource else self.manager
        return f"{by}, {self.time}" if self.time else f"{by}, time not recorded"


class Cause(Enum):
    """Why a live field is not as wanted."""

    GIT = "git"  # the manifest says something new
    DRIFT = "drift"  # someone else changed the live object
    ADDITION = "addition"  # someone else added what Git does not know


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: what is live, what is wanted, and why they differ.

    `path` is as people write it: `spec.template.spec.containers[main].image`. Values of a Secret never stand here:
    both are `MASK`, or ABSENT where the field is not there.
    """

    path: str
    live: Any
    desired: Any
    cause: Cause = Cause.GIT
    culprit: Culprit | None = None
