# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Typed reads of a live object whose shape nobody guarantees, as the health rules need them.

A field that is missing or of the wrong type reads as its default. Nothing here raises, whatever the server sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...model.errors import printable
from ...model.objects import Body, GroupKind, api_group

_MAX_TEXT = 200  # characters of the server's text in one message
_MAX_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `status.conditions`; `generation` is 0 where the entry names none."""

    type: str
    status: str
    reason: str
    message: str
    generation: int

    @property
    def summary(self) -> str:
        """Reason and message for a person, on one line of at most 200 characters."""
        return printable(": ".join(part for part in (self.reason, self.message) if part), _MAX_TEXT)


@dataclass(frozen=True, slots=True)
class LiveView:
    """Typed reads along a path: `view.number("status", "replicas")`."""

    body: Body

    def at(self, *path: str) -> Any:
        """Return the value at `path`, or None where the path ends early."""
        value: Any = self.body
        for key in path:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    def number(self, *path: str, default: int = 0) -> int:
        """Return the integer at `path` (64 bit, as Kubernetes has them); the default for anything else."""
        value = self.at(*path)
        return (
            value
            if isinstance(value, int) and not isinstance(value, bool) and -_MAX_NUMBER <= value <= _MAX_NUMBER
            else default
        )

    def text(self, *path: str, default: str = "") -> str:
        """Return the text at `path`; the default where there is none or an empty one."""
        value = self.at(*path)
        return value if isinstance(value, str) and value else default

    def flag(self, *path: str) -> bool:
        """Whether `true` stands at `path`."""
        return self.at(*path) is True

    def items(self, *path: str) -> Iterator[LiveView]:
        """Yield those elements of the list at `path` that are maps."""
        value = self.at(*path)
        if isinstance(value, list | tuple):
            yield from (LiveView(item) for item in value if isinstance(item, dict))

    def texts(self, *path: str) -> tuple[str, ...]:
        """Return those elements of the list at `path` that are strings."""
        value = self.at(*path)
        return (
            tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()
        )

    @property
    def group_kind(self) -> GroupKind:
        """The kind with its API group; empty ones where the body names none."""
        return GroupKind(api_group(self.text("apiVersion")), self.text("kind"))

    @property
    def generation(self) -> int:
        """`metadata.generation`; 0 for a kind that keeps none."""
        return self.number("metadata", "generation")

    def condition(self, kind: str) -> Condition | None:
        """Return the first condition of type `kind`."""
        for entry in self.items("status", "conditions"):
            if entry.text("type") == kind:
                return Condition(
                    kind,
                    entry.text("status"),
                    entry.text("reason"),
                    entry.text("message"),
                    entry.number("observedGeneration"),
                )
        return None

    def condition_is(self, kind: str, status: str) -> Condition | None:
        """Return the condition of type `kind`, if its status is `status`."""
        condition = self.condition(kind)
        return condition if condition is not None and condition.status == status else None
