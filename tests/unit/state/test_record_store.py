# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records: what comes back, and what counts as missing."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.state import record_store
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import RecordStore, record_file


def store(kind: str = "looks", version: int = 1) -> RecordStore[dict[str, Any]]:
    return RecordStore(kind=kind, version=version, encode=dict, decode=dict)


CONTENT = {"b": [1, 2, {"ü": None}], "a": "x" * 100}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    target = tmp_path / "folder" / "kept.json"
    store().save(target, CONTENT)
    return target


def test_what_was_kept_comes_back(file: Path) -> None:
    assert store().load(file) == CONTENT
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_same_content_gives_the_same_bytes(file: Path, tmp_path: Path) -> None:
    store().save(tmp_path / "other.json", dict(reversed(CONTENT.items())))
    assert (tmp_path / "other.json").read_bytes() == file.read_bytes()


def test_what_is_missing_or_of_another_kind_or_format_is_not_there(file: Path) -> None:
    assert store().load(file.with_name("missing")) is None
    assert store().load(file.parent) is None
    assert store("reports").load(file) is None
    assert store(version=0).load(file) is None
    assert store(version=2).load(file) is None


@pytest.mark.parametrize(
    ("text", "newer"),
    [
        ('{"kind": "looks", "format": 3, "checksum": ""}\n{}\n', True),
        ('{"kind": "looks", "format": 3, "more": "of a later version"}', True),
        ('{"kind": "looks", "format": 2, "checksum": ""}\n{}\n', False),
        ('{"kind": "looks", "format": 1, "checksum": ""}\n{}\n', False),
        ('{"kind": "looks", "format": "3"}\n', False),
        ('{"kind": "looks", "format": true}\n', False),
        ('{"kind": "other", "format": 3}\n', False),
        ('["looks", 3]\n', False),
        ('{"kind": "looks", "form', False),
        ('{"kind": "looks", "format": 3, "more": "' + "x" * 2000 + '"}', False),
        ("", False),
        (None, False),
    ],
)
def test_row_109_a_file_of_a_newer_version_is_told_from_a_damaged_one(
    tmp_path: Path, text: str | None, newer: bool
) -> None:
    file = tmp_path / "kept.json"
    if text is not None:
        file.write_text(text)
    assert store(version=2).is_newer(file) is newer
    assert store(version=2).load(file) is None


def test_no_cut_is_taken_for_the_whole(file: Path) -> None:
    whole = file.read_bytes()
    for end in range(len(whole) - 1):  # the last byte is a newline that says nothing
        file.write_bytes(whole[:end])
        assert store().load(file) is None, end


@given(at=st.integers(min_value=0, max_value=240), to=st.integers(min_value=0, max_value=255))
def test_no_changed_byte_is_taken_for_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, at: int, to: int
) -> None:
    target = tmp_path_factory.mktemp("kept") / "kept.json"
    store().save(target, CONTENT)
    whole = bytearray(target.read_bytes())
    before = whole[at]
    whole[at] = to
    target.write_bytes(bytes(whole))
    assert store().load(target) in ((CONTENT,) if before == to else (None, CONTENT))
    if before != to and store().load(target) == CONTENT:
        # Only white space of the head may differ: what it says is compared, not how.
        assert json.loads(bytes(whole).split(b"\n")[0]) == json.loads(target.read_text().split("\n")[0])


@pytest.mark.parametrize("text", ["", "\n", "[]\n[]\n", '"x"\n{}\n', "[" * 100_000, "\x00", "{}"])
def test_foreign_files_are_not_there(tmp_path: Path, text: str) -> None:
    (tmp_path / "foreign").write_text(text, encoding="utf-8")
    assert store().load(tmp_path / "foreign") is None


# As versions before the record store wrote it: an update's memory cannot be made anew, so it stays readable.
BEFORE = (
    '{"kind": "looks", "format": 1, "checksum": "a8d71f64d3dc772b9eb4e657b383397a3aadf01d32947e3bc05925eaf48e41bf"}\n'
    '{"a":"x","b":[1,null]}\n'
)


def test_a_file_of_a_version_before_is_read_and_written_alike(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text(BEFORE)
    assert store().load(file) == {"a": "x", "b": [1, None]}
    store().save(tmp_path / "again.json", {"b": [1, None], "a": "x"})
    assert (tmp_path / "again.json").read_text() == BEFORE


def test_the_name_of_a_file_is_as_it_was_before() -> None:
    assert record_file(Path("/cache"), "prod", "images", "https://git.example/fleet") == Path(
        "/cache/000d973363ce6ca117108be33c71bc95.json"
    )
    assert record_file(Path(), "a", "b") != record_file(Path(), "ab")


@pytest.mark.parametrize("error", [AttributeError, KeyError, TypeError, ValueError])
def test_content_that_does_not_decode_counts_as_missing(file: Path, error: type[Exception]) -> None:
    def decode(_content: dict[str, Any]) -> dict[str, Any]:
        raise error

    assert replace(store(), decode=decode).load(file) is None


def test_what_cannot_be_saved_is_forgotten_rather_than_left_as_it_was(file: Path) -> None:
    store().save_or_forget(file, {"new": 1})
    assert store().load(file) == {"new": 1}
    with patch.object(record_store, "LARGEST", 1024):
        store().save_or_forget(file, {"new": "x" * 1024})
    assert not file.exists()
