# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of JSON lines that is only ever appended to, each line chained to the one before by its hash.

A record has `seq` (from 1), `previous` (the hash of the record before it) and `hash`: SHA-256 over the canonical JSON
of all the rest. A full file is set aside under the number of its first record, and the chain goes on in the next one. A
small file beside them, the head, says how far the chain had come, so that a cut end shows as well. It is written before
the first record, so that one which is missing was taken away.

What a process that was killed left of a line is closed by a record of its own (`kind: sealed`), which names its bytes.
Where the end is not what the head says, or the head cannot be read, somebody changed it: the next append begins with
a record that says so (`kind: break`) and stays in the chain.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..state.file import ensure_space
from ..state.folder import Trust, make_folder
from ..state.record_store import RecordStore

LARGEST = 16 * 1024 * 1024  # bytes of a file before the next record goes into a new one
GENESIS = "0" * 64  # what the first record names as the one before it
_ROOM = 1024 * 1024  # bytes that have to be free before a run begins
_BLOCK = 64 * 1024  # bytes read at once from a file's end

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain has come."""

    seq: int = 0
    hash: str = GENESIS


_HEADS = RecordStore[Head](
    kind="plumb.gitops/trail-head",
    version=1,
    encode=asdict,
    decode=lambda content: Head(int(content["seq"]), str(content["hash"])),
    trust=Trust.ANYONE,
)


def hash_of(record: Mapping[str, Any]) -> str:
    """Return the hash of a record, its own field `hash` left out."""
    rest = {key: value for key, value in record.items() if key != "hash"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def head_file(path: Path) -> Path:
    """Return the file that says how far the chain of `path` has come."""
    return path.with_name(f"{path.name}.head")


def older_files(path: Path) -> list[tuple[int, Path]]:
    """Return the full files of a chain, each with the number of its first record, in order."""
    files: list[tuple[int, Path]] = []
    for file in path.parent.glob("*"):
        name = file.name.removeprefix(f"{path.stem}.").removesuffix(path.suffix)
        if file.name == f"{path.stem}.{name}{path.suffix}" and name.isascii() and name.isdecimal():
            files.append((int(name), file))
    return sorted(files)


def ensure_chain_space(path: Path) -> None:
    """Check that records could be appended there now. Only the folder and the lock are made. Raises OSError."""
    ensure_space(path, _ROOM)
    with _alone(path):
        if path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND))


def append(path: Path, records: Iterable[Mapping[str, Any]], *, largest: int = LARGEST) -> Head:
    """Append records (JSON types without `seq`, `previous` and `hash`) and see them onto the disk; where it ends then.

    Processes that append to the same chain take turns. Raises OSError.
    """
    added = list(records)
    with _alone(path):
        head, tail, broken = _end(path)
        if broken:
            added = [_break(broken, head), *added]
        if not added:
            return head
        if not _has_begun(path):
            _begin(path)
        if not tail and path.exists() and path.stat().st_size >= largest:
            path.replace(path.with_name(f"{path.stem}.{_first_of(path):012d}{path.suffix}"))
        if tail and (last := parse(tail)) is not None and follows(last, head):
            head = Head(last["seq"], last["hash"])  # all of it but its line end was written
        elif tail:
            added = [sealing(tail), *added]
        lines = []
        for record in added:
            whole = {**record, "seq": head.seq + 1, "previous": head.hash}
            head = Head(head.seq + 1, hash_of(whole))
            lines.append(line_of({**whole, "hash": head.hash}))
        _write(path, (b"\n" if tail else b"") + b"\n".join(lines) + b"\n")
        _HEADS.save(head_file(path), head)
        return head


def follows(record: Record, head: Head) -> bool:
    """Return whether a record is whole and the next one after `head`."""
    return (record["seq"], record.get("previous"), record["hash"]) == (
        head.seq + 1,
        head.hash,
        hash_of(record),
    )


def line_of(record: Record) -> bytes:
    """Return the canonical bytes of a record: keys sorted, no blanks, ASCII."""
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode()


def sealing(torn: bytes) -> Record:
    """Return the record that closes the rest of a line."""
    return {"kind": "sealed", "bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()}


def parse(line: bytes) -> Record | None:
    """Return the record of a line; None where it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(record, dict) and isinstance(record.get("seq"), int)
    return record if whole and isinstance(record.get("hash"), str) else None


def load_head(path: Path) -> Head | None:
    """Return how far the chain had come when something was appended last; None where that is not known."""
    return _HEADS.load(head_file(path))


def is_of_newer_version(path: Path) -> bool:
    """Return whether a newer version has appended last: it may chain records otherwise, so nothing is appended."""
    return _HEADS.is_newer(head_file(path))


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, each with its line end if it has one."""
    with path.open("rb") as file:
        yield from file


def _end(path: Path) -> tuple[Head, bytes, str]:
    """Return the chain's end, what follows its last line end (the rest of an append), and how it was broken."""
    end, tail = Head(), b""
    for file in [path, *(older for _first, older in reversed(older_files(path)))]:
        last, rest = _last(file)
        tail = tail or (rest if file == path else b"")
        if last is not None:
            end = Head(last["seq"], last["hash"])
            break
    head = load_head(path)
    goes_on = head if head is not None and head.seq >= end.seq else end
    return goes_on, tail, _how_broken(path, head, end)


def _how_broken(path: Path, head: Head | None, end: Head) -> str:
    """Return why what was appended last is not what is there; empty where it is, or an append was only cut short."""
    if head is None:
        return unknown_end(path) if _has_begun(path) else ""
    if head.seq > end.seq:
        return f"{numbers(end.seq + 1, head.seq)} missing at its end"
    if head.seq == end.seq and head.hash != end.hash:
        return f"record {end.seq} is not the one that was written last"
    return ""


def unknown_end(path: Path) -> str:
    """Return why it is not known how far the chain had come."""
    head = head_file(path)
    how = "is not as it was written" if head.exists() else "is gone"
    return f"{head.name} {how}, so records may be missing at its end"


def numbers(first: int, last: int) -> str:
    """Return the beginning of a sentence about records, by their numbers."""
    return f"record {first} is" if first == last else f"records {first} to {last} are"


def _break(why: str, head: Head) -> Record:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"kind": "break", "time": now, "reason": why, "after": head.seq}


def lock_file(path: Path) -> Path:
    """Return the file that processes lock which append; it says whether the chain has begun."""
    return path.with_name(f"{path.name}.lock")


def has_lock_of_begun(path: Path) -> bool:
    """Return whether something was appended once, whatever is left of it."""
    lock = lock_file(path)
    return lock.exists() and lock.stat().st_size > 0


def _has_begun(path: Path) -> bool:
    return path.exists() or head_file(path).exists() or bool(older_files(path)) or has_lock_of_begun(path)


def _begin(path: Path) -> None:
    replace(_HEADS, trust=Trust.CACHE).save(head_file(path), Head())
    lock_file(path).write_bytes(b"begun\n")


def _last(file: Path) -> tuple[Record | None, bytes]:
    """Return the last whole record of a file, and what stands after the last line end."""
    if not file.exists():
        return None, b""
    with file.open("rb") as opened:
        start = opened.seek(0, os.SEEK_END)
        data = b""
        while start:
            step = min(start, max(_BLOCK, len(data)))
            start -= step
            opened.seek(start)
            data = opened.read(step) + data
            whole, _newline, tail = data.rpartition(b"\n")
            for line in reversed(whole.split(b"\n")[1 if start else 0 :]):
                record = parse(line)
                if record is not None:
                    return record, tail
    return None, data.rpartition(b"\n")[2]


def _first_of(path: Path) -> int:
    """Return the number of the first record in a file."""
    for line in lines_of(path):
        record = parse(line)
        if record is not None:
            return int(record["seq"])
    return 0


def _write(path: Path, left: bytes) -> None:
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the chain for this process."""
    make_folder(path.parent)
    descriptor = os.open(lock_file(path), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
