# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of an update: what was decided and written before.

With nothing new no request goes to the Git server, and a value that somebody took back is not written again. The same
holds for what was written to another branch: a pull request that somebody closed is not opened again.
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
class UpdateState:
    """The last result of an update: its declaration, the choice of each policy, and the values that it wrote.

    `offered` are values written to other branches than the followed one; `looked` are the commit of the followed branch
    that was read last, and those before it.
    """

    declared: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    written: Values = field(default_factory=dict)
    offered: Values = field(default_factory=dict)
    looked: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()  # the policies that no marker named

    def knows(self, declared: str, choices: Mapping[str, str]) -> bool:
        """Return whether Git was read with just this declaration and these choices."""
        return self.declared == declared and all(
            self.choices.get(name) == identity for name, identity in choices.items()
        )

    def has_read(self, commit: str) -> bool:
        """Return whether Git was read when it had this commit; true where either is unknown (empty)."""
        return not commit or not self.looked or commit in self.looked

    def was_offered(self, file: str, slot: str, value: str) -> bool:
        """Return whether this value was written to another branch before."""
        return value in self.offered.get(file, {}).get(slot, ())

    def last(self, file: str, slot: str) -> str:
        """Return the value written last at a slot's markers in a file; empty where nothing is remembered."""
        return (self.written.get(file, {}).get(slot) or ("",))[-1]

    def choice(self, policy: ImagePolicy) -> Choice | None:
        """Return the last choice of a policy; None where it was for another image, or nothing is remembered."""
        reference = self.choices.get(policy.name, "")
        name, tag, digest = name_of(reference), tag_of(reference), reference.partition("@")[2]
        if name is None or name.text != policy.image.text or not tag or not is_digest(digest):
            return None
        return Choice(policy.name, policy.image.text, tag, digest)

    def after(self, declared: str, choices: Mapping[str, str], observed: ObservedValues) -> UpdateState:
        """Return this state with the new choices and values."""
        return UpdateState(
            declared=declared,
            choices={**self.choices, **choices},
            written=_merged(self.written, observed.present),
            offered=_merged(self.offered, observed.offered),
            looked=observed.looked,
            unmarked=observed.unmarked,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedValues:
    """File, slot and value of the choices that Git has (`present`), and of those on other branches; the commits read.

    `unmarked` are the policies that no marker names.
    """

    present: tuple[tuple[str, str, str], ...]
    offered: tuple[tuple[str, str, str], ...]
    looked: tuple[str, ...]
    unmarked: tuple[str, ...] = ()


def _merged(values: Values, new: Iterable[tuple[str, str, str]]) -> Values:
    result = {file: dict(of_file) for file, of_file in values.items()}
    for file, slot, value in new:
        of_file = result.setdefault(file, {})
        before = [earlier for earlier in of_file.get(slot, ()) if earlier != value]
        of_file[slot] = (*before, value)[-_MOST:]
    return result


def state_file(cache: Path, cluster: str, update: str, url: str) -> Path:
    """Return the file of an update's state."""
    return record_file(cache / "images", cluster, update, url)


def load_state(file: Path) -> UpdateState:
    """Return the state in a file; an empty one where there is none, or none that can be used."""
    return _STORE.load(file) or UpdateState()


def save_state(file: Path, memory: UpdateState) -> None:
    """Write a state, unless the file has it. Raises UpdateError where it cannot be written."""
    if memory == load_state(file):
        return
    try:
        _STORE.save(file, memory)
    except OSError as error:
        raise UpdateError(
            f"cache {file.parent}",
            "keeping what was written to Git",
            printable(error.strerror or str(error)),
            "Set plumb_cache_dir (cache_dir) to a place this account can write, with free space.",
        ) from error


def _encode(memory: UpdateState) -> dict[str, Any]:
    return {
        "declared": memory.declared,
        "choices": dict(memory.choices),
        "written": _lists(memory.written),
        "offered": _lists(memory.offered),
        "looked": list(memory.looked),
        "unmarked": list(memory.unmarked),
    }


def _lists(values: Values) -> dict[str, dict[str, list[str]]]:
    return {file: {name: list(those) for name, those in slots.items()} for file, slots in values.items()}


def _decode(content: Mapping[str, Any]) -> UpdateState:
    return UpdateState(
        declared=str(content["declared"]),
        choices={str(name): str(identity) for name, identity in content["choices"].items()},
        written=_tuples(content["written"]),
        offered=_tuples(content["offered"]),
        looked=tuple(map(str, content["looked"])),
        unmarked=tuple(map(str, content.get("unmarked", ()))),
    )


def _tuples(content: Mapping[str, Any]) -> Values:
    return {
        str(file): {str(name): tuple(map(str, values)) for name, values in slots.items()}
        for file, slots in content.items()
    }


_STORE = RecordStore[UpdateState](kind="plumb.gitops/images", version=1, encode=_encode, decode=_decode)
