# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A trail that was cut, garbled or rewritten: verification fails, also after the next run (row 77)."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.controller.__main__ import main
from ansible_collections.plumb.gitops.plugins.module_utils.report.chain import (
    append,
    hash_of,
    head_file,
    line_of,
    lock_file,
)
from ansible_collections.plumb.gitops.plugins.module_utils.report.verify import trails, verify

RECORDS = 6


def make(path: Path, count: int = RECORDS, *, largest: int = 1 << 20) -> None:
    for number in range(count):
        append(path, [{"text": f"record {number}"}], largest=largest)


def cut_lines(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))


def cut_within_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def cut_all(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


def garble(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-90] + b"\0" * 90)


def rewrite(path: Path) -> None:
    """Make the chain anew with the last record changed, all its hashes right."""
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    records[-1]["text"] = "nothing happened"
    records[-1]["hash"] = hash_of(records[-1])
    path.write_bytes(b"".join(line_of(record) + b"\n" for record in records))


def leave(_path: Path) -> None:
    """Do nothing."""


TAMPERING: dict[str, Callable[[Path], None]] = {
    change.__name__: change
    for change in (leave, cut_lines, cut_within_a_line, cut_all, remove, garble, rewrite)
}


def as_folder(head: Path) -> None:
    head.unlink()
    head.mkdir()


HEADS: dict[str, Callable[[Path], object]] = {
    "kept": lambda head: None,
    "gone": lambda head: head.unlink(),
    "garbage": lambda head: head.write_bytes(b"\xff\xfe garbage"),
    "empty": lambda head: head.write_bytes(b""),
    "edited": lambda head: head.write_text(head.read_text().replace('"seq":6', '"seq":4'), encoding="utf-8"),
    "a folder": as_folder,
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("tampering", TAMPERING)
def test_row_77_what_was_done_to_a_trail_shows_at_once_and_for_good(
    tmp_path: Path, tampering: str, head: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "here.jsonl"
    make(path)
    TAMPERING[tampering](path)
    HEADS[head](head_file(path))
    untouched = (tampering, head) == ("leave", "kept")
    assert main(["verify-trail", str(tmp_path)]) == (0 if untouched else 1), capsys.readouterr().out
    if head == "a folder":
        with pytest.raises(OSError, match="here"):  # nothing is appended where the head cannot be written
            append(path, [{"text": "later"}])
        return
    append(path, [])  # a run that has nothing to record
    assert main(["verify-trail", str(path)]) == (0 if untouched else 1)
    for number in range(3):
        append(path, [{"text": f"later {number}"}])
    assert main(["verify-trail", str(path)]) == (0 if untouched else 1)
    shown = capsys.readouterr().out
    assert ("notes a break" in shown) is not untouched
    noted = [line for line in path.read_bytes().splitlines() if b'"kind":"break"' in line]
    assert len(noted) == (0 if untouched else 1)  # once, in the chain


def test_row_77_a_trail_that_is_gone_as_a_whole_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "here.jsonl"
    make(path)
    make(tmp_path / "other.jsonl")
    path.unlink()
    head_file(path).unlink()
    assert path in trails(tmp_path)
    assert main(["verify-trail", str(tmp_path)]) == 1
    make(path, 2)
    assert not verify(path).is_intact
    assert b'"kind":"break"' in path.read_bytes()


@pytest.mark.parametrize("left", range(1, 100, 9))
def test_row_77_a_crash_is_told_apart_from_tampering(tmp_path: Path, left: int) -> None:
    """Killed while it wrote: the head is of before, and the line is incomplete. That is a remark, not a break."""
    path = tmp_path / "here.jsonl"
    make(path)
    before, head = path.read_bytes(), head_file(path).read_bytes()
    append(path, [{"text": "cut short"}])
    path.write_bytes(before + path.read_bytes()[len(before) :][:left])
    head_file(path).write_bytes(head)
    assert verify(path).is_intact
    append(path, [{"text": "later"}])
    assert verify(path).is_intact
    assert b'"kind":"break"' not in path.read_bytes()


def test_row_77_a_first_append_that_was_killed_is_no_break(tmp_path: Path) -> None:
    path = tmp_path / "here.jsonl"
    make(path, 1)
    text = path.read_bytes()
    path.unlink()
    head_file(path).unlink()
    lock_file(path).unlink()
    append(path, [])
    assert not head_file(path).exists()
    make(path, 1)
    head = head_file(path).read_text(encoding="utf-8")
    assert '"seq":1' in head
    path.write_bytes(text[:30])
    assert verify(path).problems  # a record that the head counts is gone


@given(st.data())
def test_row_77_no_cut_of_any_trail_passes(data: st.DataObject) -> None:
    """Drawn: how many records and files, how many bytes are taken from the end, what becomes of the head."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "here.jsonl"
        make(path, data.draw(st.integers(2, 8)), largest=data.draw(st.sampled_from([300, 1 << 20])))
        text = path.read_bytes()
        head = data.draw(st.sampled_from(["kept", "gone", "garbage", "empty"]))
        cut = data.draw(st.integers(2, len(text)))
        path.write_bytes(text[:-cut])
        HEADS[head](head_file(path))
        assert not verify(path).is_intact
        with contextlib.suppress(OSError):
            append(path, [{"text": "later"}])
        assert not verify(path).is_intact
        make(path, 2)
        assert not verify(path).is_intact
