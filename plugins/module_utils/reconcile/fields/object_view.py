# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A live object as the health rules read it: total functions over a body whose shape nobody guarantees.

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
    def said(self) -> str:
        """Reason and message for a person, cut and on one line."""
        return printable(": ".join(part for part in (self.reason, self.message) if part), _MAX_TEXT)


@dataclass(frozen=True, slots=True)
class LiveView:
    """Typed reads along a path: `view.number("status", "replicas")`."""

    body: Body

    def at(self, *path: str) -> Any:
        """The value at `path`, or None where the path ends early."""
        value: Any = self.body
        for key in path:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    def number(self, *path: str, default: int = 0) -> int:
        """An integer as Kubernetes has them (64 bit)."""
        value = self.at(*path)
        return (
            value
            if isinstance(value, int) and not isinstance(value, bool) and -_MAX_NUMBER <= value <= _MAX_NUMBER
            else default
        )

    def text(self, *path: str, default: str = "") -> str:
        value = self.at(*path)
        return value if isinstance(value, str) and value else default

    def flag(self, *path: str) -> bool:
        return self.at(*path) is True

    def items(self, *path: str) -> Iterator[LiveView]:
        """Those elements of the list at `path` that are maps."""
        value = self.at(*path)
        if isinstance(value, list | tuple):
            yield from (LiveView(item) for item in value if isinstance(item, dict))

    def texts(self, *path: str) -> tuple[str, ...]:
        """Those elements of the list at `path` that are strings."""
        value = self.at(*path)
        return (
            tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()
        )

    @property
    def group_kind(self) -> GroupKind:
        return GroupKind(api_group(self.text("apiVersion")), self.text("kind"))

    @property
    def generation(self) -> int:
        """0 for a kind that keeps none."""
        return self.number("metadata", "generation")

    def condition(self, kind: str) -> Condition | None:
        """The first condition of type `kind`."""
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
        """The condition of type `kind`, if its status is `status`."""
        found = self.condition(kind)
        return found if found is not None and found.status == status else None
