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
ALLOCATED = "(allocated by the server)"  # a value that nobody knows before the write


MANAGED_FIELDS, AUDIT_LOG = "managedFields", "audit log"  # where it is known from who did something


@dataclass(frozen=True, slots=True)
class Culprit:
    """Who wrote a live field, as managedFields says it, and the audit log where that leaves no doubt.

    Empty where they do not say. Without a manager (a removal leaves none) it is the audit log alone that speaks.
    """

    manager: str
    operation: str  # Update or Apply
    subresource: str = ""
    time: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    user_agent: str = ""
    verb: str = ""  # of the request
    one_of: tuple[str, ...] = ()  # users, where it was one of them and it is not known which
    evidence: str = MANAGED_FIELDS

    def __str__(self) -> str:
        return "; ".join(filter(None, (self._of_managed_fields, self._of_audit_log)))

    @property
    def _of_managed_fields(self) -> str:
        if not self.manager:
            return ""
        by = f"{self.manager} ({self.subresource})" if self.subresource else self.manager
        return f"{by}, {self.time}" if self.time else f"{by}, time not recorded"

    @property
    def _of_audit_log(self) -> str:
        if self.one_of:
            return f"one of the users {', '.join(self.one_of)} ({AUDIT_LOG})"
        if not self.user:
            return ""
        at = f" from {', '.join(self.addresses)}" if self.addresses else ""
        how = "" if self.manager else f", {self.verb} with {self.user_agent}, {self.time}"
        return f"user {self.user}{at}{how} ({AUDIT_LOG})"


class Cause(Enum):
    """Why a live field is not as wanted."""

    GIT = "git"  # the manifest says something new
    DRIFT = "drift"  # someone else changed the live object
    ADDITION = "addition"  # someone else added what Git does not know


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: what is live, what is wanted, and why they differ.

    `path` is as people write it: `spec.template.spec.containers[main].image`. Values of a Secret never stand here:
    both are `MASK`, or ABSENT where the field is not there. What the server draws anew for each write is `ALLOCATED`.
    """

    path: str
    live: Any
    desired: Any
    cause: Cause = Cause.GIT
    culprit: Culprit | None = None
