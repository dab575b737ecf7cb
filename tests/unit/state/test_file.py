"""Files that are kept: what comes back, and what counts as not there."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.state.file import (
    is_newer,
    keep,
    kept,
    write_whole,
)

CONTENT = {"b": [1, 2, {"ü": None}], "a": "x" * 100}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    target = tmp_path / "folder" / "kept.json"
    keep(target, "looks", 1, CONTENT)
    return target


def test_what_was_kept_comes_back(file: Path) -> None:
    assert kept(file, "looks", 1) == CONTENT
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_same_content_gives_the_same_bytes(file: Path, tmp_path: Path) -> None:
    keep(tmp_path / "other.json", "looks", 1, dict(reversed(CONTENT.items())))
    assert (tmp_path / "other.json").read_bytes() == file.read_bytes()


def test_what_is_missing_or_of_another_kind_or_format_is_not_there(file: Path) -> None:
    assert kept(file.with_name("missing"), "looks", 1) is None
    assert kept(file.parent, "looks", 1) is None
    assert kept(file, "reports", 1) is None
    assert kept(file, "looks", 0) is None
    assert kept(file, "looks", 2) is None


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
    assert is_newer(file, "looks", 2) is newer
    assert kept(file, "looks", 2) is None


def test_no_cut_is_taken_for_the_whole(file: Path) -> None:
    whole = file.read_bytes()
    for end in range(len(whole) - 1):  # the last byte is a newline that says nothing
        file.write_bytes(whole[:end])
        assert kept(file, "looks", 1) is None, end


@given(at=st.integers(min_value=0, max_value=240), to=st.integers(min_value=0, max_value=255))
def test_no_changed_byte_is_taken_for_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, at: int, to: int
) -> None:
    target = tmp_path_factory.mktemp("kept") / "kept.json"
    keep(target, "looks", 1, CONTENT)
    whole = bytearray(target.read_bytes())
    before = whole[at]
    whole[at] = to
    target.write_bytes(bytes(whole))
    assert kept(target, "looks", 1) in ((CONTENT,) if before == to else (None, CONTENT))
    if before != to and kept(target, "looks", 1) == CONTENT:
        # Only white space of the head may differ: what it says is compared, not how.
        assert json.loads(bytes(whole).split(b"\n")[0]) == json.loads(target.read_text().split("\n")[0])


@pytest.mark.parametrize("text", ["", "\n", "[]\n[]\n", '"x"\n{}\n', "[" * 100_000, "\x00", "{}"])
def test_foreign_files_are_not_there(tmp_path: Path, text: str) -> None:
    (tmp_path / "foreign").write_text(text, encoding="utf-8")
    assert kept(tmp_path / "foreign", "looks", 1) is None


def test_a_write_that_fails_leaves_the_old_file(file: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "\ud800")
    assert kept(file, "looks", 1) == CONTENT
    assert list(file.parent.iterdir()) == [file]


ROOM = """
import resource, sys
from pathlib import Path
from ansible_collections.plumb.gitops.plugins.module_utils.state.file import see_room
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
see_room(Path(sys.argv[1]), 4096)
try:
    see_room(Path(sys.argv[1]), 4097)
except OSError:
    print("no room")
"""


def test_row_20_a_disk_without_room_is_noticed_and_nothing_is_left_there(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "report.json"
    done = subprocess.run(
        [sys.executable, "-c", ROOM, str(target)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "no room\n"), done.stderr
    assert list(target.parent.iterdir()) == []
