# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How well an object does, in the words of kstatus (cli-utils)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .errors import printable

# What of a reason differs from one look at the same trouble to the next: the name of a Pod, how many, how often.
_PASSING = re.compile(r"^(?:Pod \S+|\d+ Pods): |, \d+ restarts?\b| \(and \d+ more reasons?\)$")


def brief_reason(reasons: Sequence[str]) -> str:
    """Return the first reason for places that have one line, the same as long as the trouble is; empty without one."""
    return _PASSING.sub("", reasons[0]) if reasons else ""


class HealthStatus(Enum):
    """kstatus's words; `Current` is the only good one."""

    CURRENT = "Current"  # the object is what its spec says
    IN_PROGRESS = "InProgress"  # it is on its way there
    FAILED = "Failed"  # it will not get there without a change
    TERMINATING = "Terminating"  # it is being deleted
    NOT_FOUND = "NotFound"  # the cluster does not have it
    UNKNOWN = "Unknown"  # what the server says of it cannot be judged


@dataclass(frozen=True, slots=True)
class Health:
    """The health of one object.

    `message` says why, for a person, on one line (`Available: 1/3`). It is empty when there is nothing to say; a
    current object may carry a remark (`The rollout is paused`). The class methods cut and flatten what they are given.
    """

    status: HealthStatus
    message: str = ""

    @classmethod
    def current(cls, remark: str = "") -> Health:
        """Return the health of an object that is what its spec says."""
        return cls(HealthStatus.CURRENT, printable(remark))

    @classmethod
    def in_progress(cls, why: str) -> Health:
        """Return the health of an object that is on its way."""
        return cls(HealthStatus.IN_PROGRESS, printable(why))

    @classmethod
    def failed(cls, why: str) -> Health:
        """Return the health of an object that needs a change."""
        return cls(HealthStatus.FAILED, printable(why))

    @property
    def summary(self) -> str:
        """The message, or the status where there is none."""
        return self.message or self.status.value

    @property
    def is_current(self) -> bool:
        """Whether the object is what its spec says."""
        return self.status is HealthStatus.CURRENT
