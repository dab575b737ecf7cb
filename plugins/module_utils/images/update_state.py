# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was decided and written before: with nothing new Git is not asked, and what was taken back stays taken back.

The same for what was only offered, on another branch: a pull request that somebody closed is not opened again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..model.errors import printable
from ..state.record_store import RecordStore, record_file
from .errors import UpdateError
from .image_reference import is_digest, name_of, tag_of
from .specs import Choice, ImagePolicy

_MOST = 20  # values that are remembered of each slot in each file

Values = Mapping[str, Mapping[str, tuple[str, ...]]]  # by file and slot (`shop:tag`), oldest first


@dataclass(frozen=True, slots=True)
class Committed:
    """What an update came to last: its declaration, the choice of each policy, and all that it wrote where.

    `offered` is what it wrote to other branches than the one that is followed; `looked` are the commit of that branch
    which was looked at last, and those before it.
    """

    declared: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    written: Values = field(default_factory=dict)
    offered: Values = field(default_factory=dict)
    looked: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()  # the policies that no marker named

    def knows(self, declared: str, choices: Mapping[str, str]) -> bool:
        """Whether Git has been looked at with just this."""
        return self.declared == declared and all(
            self.choices.get(name) == said for name, said in choices.items()
        )

    def has_looked_at(self, commit: str) -> bool:
        """Whether Git was looked at when it had this commit; so, too, where either is not known (empty)."""
        return not commit or not self.looked or commit in self.looked

    def was_offered(self, file: str, slot: str, value: str) -> bool:
        """Whether this was written to another branch already."""
        return value in self.offered.get(file, {}).get(slot, ())

    def last(self, file: str, slot: str) -> str:
        """What was written last at a slot's markers in a file; empty where nothing is remembered."""
        return (self.written.get(file, {}).get(slot) or ("",))[-1]

    def choice(self, policy: ImagePolicy) -> Choice | None:
        """What a policy came to last; None where it was for another image, or nothing is remembered."""
        said = self.choices.get(policy.name, "")
        name, tag, digest = name_of(said), tag_of(said), said.partition("@")[2]
        if name is None or name.text != policy.image.text or not tag or not is_digest(digest):
            return None
        return Choice(policy.name, policy.image.text, tag, digest)

    def after(self, declared: str, choices: Mapping[str, str], found: UpdateState) -> Committed:
        """The same with what was decided and found now."""
        return Committed(
            declared=declared,
            choices={**self.choices, **choices},
            written=_with(self.written, found.there),
            offered=_with(self.offered, found.offered),
            looked=found.looked,
            unmarked=found.unmarked,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateState:
    """File, slot and value of all that stands in Git by the choices, and that is offered; the commits looked at.

    `unmarked` are the policies that no marker names.
    """

    there: tuple[tuple[str, str, str], ...]
    offered: tuple[tuple[str, str, str], ...]
    looked: tuple[str, ...]
    unmarked: tuple[str, ...] = ()


def _with(values: Values, new: Iterable[tuple[str, str, str]]) -> Values:
    found = {file: dict(of_file) for file, of_file in values.items()}
    for file, slot, value in new:
        of_file = found.setdefault(file, {})
        before = [one for one in of_file.get(slot, ()) if one != value]
        of_file[slot] = (*before, value)[-_MOST:]
    return found


def committed_file(cache: Path, cluster: str, update: str, url: str) -> Path:
    """Where an update's memory is kept."""
    return record_file(cache / "images", cluster, update, url)


def load_committed(file: Path) -> Committed:
    """The memory in a file; an empty one where there is none, or none that can be used."""
    return _STORE.load(file) or Committed()


def save_committed(file: Path, memory: Committed) -> None:
    """Keep a memory. One that is known is not written again. Raises UpdateError where the disk does not take it."""
    if memory == load_committed(file):
        return
    try:
        _STORE.save(file, memory)
    except OSError as error:
        raise UpdateError(
            f"cache {file.parent}",
            "keeping what was written to Git",
            printable(error.strerror or str(error)),
            "Set plumb_cache_dir (cache_dir) to a place this account can write, with room left.",
        ) from error


def _encode(memory: Committed) -> dict[str, Any]:
    return {
        "declared": memory.declared,
        "choices": dict(memory.choices),
        "written": _lists(memory.written),
        "offered": _lists(memory.offered),
        "looked": list(memory.looked),
        "unmarked": list(memory.unmarked),
    }


def _lists(values: Values) -> dict[str, dict[str, list[str]]]:
    return {file: {name: list(those) for name, those in one.items()} for file, one in values.items()}


def _decode(content: Mapping[str, Any]) -> Committed:
    return Committed(
        declared=str(content["declared"]),
        choices={str(name): str(said) for name, said in content["choices"].items()},
        written=_tuples(content["written"]),
        offered=_tuples(content["offered"]),
        looked=tuple(map(str, content["looked"])),
        unmarked=tuple(map(str, content.get("unmarked", ()))),
    )


def _tuples(content: Mapping[str, Any]) -> Values:
    return {
        str(file): {str(name): tuple(map(str, values)) for name, values in one.items()}
        for file, one in content.items()
    }


_STORE = RecordStore[Committed](kind="plumb.gitops/images", version=1, encode=_encode, decode=_decode)
