# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception tree.

Every error names the object, what was being done, why it failed and the next step. Text from outside (a server's
message, Git's standard error) is cut and stripped of control characters here, so that it cannot forge output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_REASON = 1000  # characters of foreign text that an error carries


def printable(text: str, limit: int = MAX_REASON) -> str:
    """Return `text` on one line, without control characters, of at most `limit` characters."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


class PlumbError(Exception):
    """The root: `subject` is the object, `operation` what was being done, `reason` why not, `next_step` what helps."""

    def __init__(self, subject: str, operation: str, reason: str, next_step: str = "") -> None:
        self.subject = printable(subject, 300)
        self.operation = printable(operation, 300)
        self.reason = printable(reason)
        self.next_step = printable(next_step)
        super().__init__(self.subject, self.operation, self.reason, self.next_step)

    def __str__(self) -> str:
        return f"{self.subject}: {self.account}"

    @property
    def account(self) -> str:
        """The error without its subject, for where that stands already."""
        text = f"{self.operation}: {self.reason}"
        return f"{text}. {self.next_step}" if self.next_step else text


class InputError(PlumbError):
    """What the operator wrote (an option, an inventory variable) cannot be used."""


class SourceError(PlumbError):
    """A source could not be fetched, resolved, verified or checked out."""


class RenderError(PlumbError):
    """A path of a revision does not render: nothing of that app is applied or pruned."""


class RenderBoundError(RenderError):
    """A render went beyond a bound. It will again until what it reads, or the bound, is another.

    `memory`: the bytes that were not enough for manifests, and `program_memory` those that were not enough for a
    program, where there may be more another time; else 0.
    """

    def __init__(
        self,
        subject: str,
        operation: str,
        reason: str,
        next_step: str = "",
        *,
        memory: int = 0,
        program_memory: int = 0,
    ) -> None:
        super().__init__(subject, operation, reason, next_step)
        self.memory, self.program_memory = memory, program_memory

    def document(self) -> dict[str, str | int]:
        """Return the error as JSON types; `of` reads it."""
        return {
            "subject": self.subject,
            "operation": self.operation,
            "reason": self.reason,
            "next_step": self.next_step,
            "memory": self.memory,
            "program_memory": self.program_memory,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> RenderBoundError:
        """Return the error that a document says. Raises KeyError, TypeError or ValueError for what is none."""
        return cls(
            *(str(document[name]) for name in ("subject", "operation", "reason", "next_step")),
            memory=int(document["memory"]),
            program_memory=int(document["program_memory"]),
        )


class ClusterError(PlumbError):
    """A request to the API server failed. The subclasses say how; none carries a response's body."""


class InventoryError(PlumbError):
    """What is recorded of an app in the cluster is not ours or contradicts itself."""
