# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a trail is as it was written: every line there, in its place, and unchanged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from .chain import (
    Head,
    Record,
    has_lock_of_begun,
    hash_of,
    line_of,
    lines_of,
    load_head,
    numbers,
    older_files,
    parse,
    sealing,
    unknown_end,
)

_MOST_PROBLEMS = 50


@dataclass(slots=True)
class Verified:
    """What the check of a trail found. `problems` say which line is not as it was written; `remarks` are no fault."""

    records: int = 0
    head: Head = field(default_factory=Head)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


def verify(path: Path, *, archived: bool = False) -> Verified:
    """Read a trail with its older files from end to end.

    `archived` says that older files may have been taken elsewhere: then the first that is left may begin after record
    1, with the number in its name. Raises OSError where a file cannot be read.
    """
    walk = _ChainWalk(load_head(path))
    files = older_files(path)
    if archived and files:
        walk.begin_at(files[0][0])
    for first, file in files:
        walk.through(file, first)
    if path.exists():
        walk.through(path, None)
    elif not files:
        walk.problem(f"{path}: there is no such file")
    return walk.end(path)


def trails(path: Path) -> list[Path]:
    """Return the trails in a folder, each by its newest file; or just this one."""
    if not path.is_dir():
        return [path]
    files = {file for file in path.iterdir() if file.suffix == ".jsonl"}
    heads = {path / file.name.removesuffix(".head") for file in path.iterdir() if file.suffix == ".head"}
    locks = {path / file.name.removesuffix(".lock") for file in path.iterdir() if file.suffix == ".lock"}
    begun = files | heads | {file for file in locks if has_lock_of_begun(file)}
    older = {file for known in begun for _first, file in older_files(known)}
    return sorted(begun - older)


class _ChainWalk:
    """One way through all lines of a chain."""

    def __init__(self, head: Head | None) -> None:
        self._verified = Verified()
        self._head = head  # how far the chain had come, as the file beside it says
        self._any = False  # whether whatever comes first is right
        self._broken: tuple[str, bytes] | None = (
            None  # a line that is no record, until the next one closes it
        )

    def begin_at(self, first: int) -> None:
        self._any = first > 1
        self._verified.head = Head(first - 1) if self._any else Head()

    def problem(self, text: str) -> None:
        if len(self._verified.problems) < _MOST_PROBLEMS:
            self._verified.problems.append(text)

    def through(self, file: Path, first: int | None) -> None:
        """Walk through one file; `first` is the number that its name promises."""
        for number, line in enumerate(lines_of(file), 1):
            at, text = f"{file}:{number}", line.removesuffix(b"\n")
            record = parse(text)
            if record is None:
                self._no_record(at, text)
                continue
            if number == 1 and first is not None and record["seq"] != first:
                self.problem(f"{at}: record {record['seq']} stands where the file's name says {first}")
            if line_of(record) != text or record["hash"] != hash_of(record):
                self.problem(f"{at}: record {record['seq']} was edited: its hash is not that of its content")
            self._record(at, record)

    def end(self, path: Path) -> Verified:
        """Return what was found, after the last file."""
        verified, head = self._verified, self._head
        if self._broken is not None:
            at, text = self._broken
            if _ends_with(path, text):
                verified.remarks.append(f"{at}: the last line was cut short; the next run closes it")
            else:
                self.problem(f"{at}: it is no record")
        if head is None:
            self.problem(f"{path}: {unknown_end(path)}")
        elif head.seq > verified.head.seq:
            self.problem(f"{path}: {numbers(verified.head.seq + 1, head.seq)} missing at its end")
        return verified

    def _no_record(self, at: str, text: bytes) -> None:
        if self._broken is not None:
            self.problem(f"{self._broken[0]}: it is no record")
        self._broken = (at, text)

    def _record(self, at: str, record: Record) -> None:
        before, seq = self._verified.head, record["seq"]
        if self._any:
            self._any = False
            self._verified.remarks.append(f"{at}: begins with record {seq}; what was before is not looked at")
        elif seq > before.seq + 1:
            self.problem(f"{at}: {numbers(before.seq + 1, seq - 1)} missing before it")
        elif seq != before.seq + 1:
            self.problem(f"{at}: record {seq} stands after record {before.seq}: it was moved or repeated")
        elif record.get("previous") != before.hash:
            self.problem(f"{at}: record {seq} does not follow the one before it: one of the two was replaced")
        if self._head is not None and seq == self._head.seq and record["hash"] != self._head.hash:
            self.problem(f"{at}: record {seq} is not the one that was written last")
        if record.get("kind") == "break":
            self.problem(f"{at}: record {seq} notes a break when it was written: {record.get('reason')}")
        self._sealed(at, record)
        self._verified.head = Head(seq, record["hash"])
        self._verified.records += 1

    def _sealed(self, at: str, record: Record) -> None:
        """Accept a line that is no record as one that was cut short, if the record after it says so."""
        broken, self._broken = self._broken, None
        closes = record.get("kind") == "sealed"
        if broken is not None and not (closes and sealing(broken[1]).items() <= record.items()):
            self.problem(f"{broken[0]}: it is no record")
        elif broken is not None:
            self._verified.remarks.append(
                f"{broken[0]}: it was cut short when it was written, and closed later"
            )
        elif closes:
            self.problem(f"{at}: record {record['seq']} closes a line that is not there")


def _ends_with(path: Path, text: bytes) -> bool:
    """Return whether the file ends with this line, and without a line end."""
    last = next(iter(deque(lines_of(path), maxlen=1)), b"") if path.exists() else b""
    return last == text != b""
