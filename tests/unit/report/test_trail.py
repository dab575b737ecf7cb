# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail: what it says, and that nothing in it can be changed unseen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.controller.__main__ import main
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Outcome, Result, Verb
from ansible_collections.plumb.gitops.plugins.module_utils.report.chain import (
    GENESIS,
    append,
    hash_of,
    head_file,
    line_of,
    load_head,
    older_files,
)
from ansible_collections.plumb.gitops.plugins.module_utils.report.trail import (
    TrailError,
    ensure_trail_space,
    records,
    trail_file,
    write_trail,
)
from ansible_collections.plumb.gitops.plugins.module_utils.report.verify import verify
from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.unit.report.reports import REPORTS, action, app, report

NOW = "2026-11-23T09:13:05Z"
NO_FAULT = "the last line was cut short"


def entry(number: int) -> dict[str, Any]:
    return {
        "object": f"ConfigMap shop/c{number}",
        "fields": [{"path": "data.a", "live": 'é\n"', "desired": 1.5}],
    }


def make(path: Path, count: int, *, largest: int = 1 << 20) -> list[Path]:
    """Return a trail of so many records; its files in order."""
    for number in range(0, count, 2):
        append(path, [entry(n) for n in range(number, min(count, number + 2))], largest=largest)
    return [file for _first, file in older_files(path)] + [path]


def test_records_are_chained_from_the_first_on(tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    make(path, 5)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5]
    assert [line["previous"] for line in lines] == [GENESIS, *(line["hash"] for line in lines[:-1])]
    verified = verify(path)
    assert (verified.records, verified.problems, verified.remarks) == (5, [], [])
    assert verified.head.hash == lines[-1]["hash"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_chain_goes_on_over_files(tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    files = make(path, 40, largest=600)
    assert len(files) > 5
    verified = verify(path)
    assert (verified.records, verified.problems, verified.remarks) == (40, [], [])
    assert files[1].name == "trail.000000000005.jsonl"


def test_full_files_may_be_taken_elsewhere_if_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    files = make(path, 40, largest=600)
    files[0].unlink()
    assert verify(path).problems == [f"{files[1]}:1: records 1 to 4 are missing before it"]
    verified = verify(path, archived=True)
    assert verified.is_intact
    assert "begins with record 5" in verified.remarks[0]
    files[3].unlink()
    assert not verify(path, archived=True).is_intact


_EDITS = ("edit", "remove", "swap", "repeat", "cut", "blank", "reorder keys", "hash anew")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_is_done_to_a_line_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("trail") / "trail.jsonl"
    files = make(path, 12, largest=data.draw(st.sampled_from([600, 1500, 1 << 20])))
    file = data.draw(st.sampled_from(files))
    lines = file.read_bytes().splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    edit = data.draw(st.sampled_from(_EDITS))
    if edit == "edit":
        place = data.draw(st.integers(0, len(lines[at]) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda b: b != lines[at][place]))
        lines[at] = lines[at][:place] + bytes([byte]) + lines[at][place + 1 :]
    elif edit == "remove":
        del lines[at : data.draw(st.integers(at + 1, len(lines)))]
    elif edit == "swap":
        other = data.draw(st.integers(0, len(lines) - 1).filter(lambda n: n != at)) if len(lines) > 1 else at
        lines[at], lines[other] = lines[other], lines[at]
        if other == at:
            lines = []
    elif edit == "repeat":
        lines.insert(data.draw(st.integers(0, len(lines))), lines[at])
    elif edit == "cut":
        lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at]) - 1))]
        if data.draw(st.booleans()):
            del lines[at + 1 :]
    elif edit == "blank":
        lines.insert(at, b"")
    else:
        record = json.loads(lines[at])
        if edit == "reorder keys":
            lines[at] = json.dumps(dict(reversed(record.items())), separators=(",", ":")).encode()
        else:
            record["object"] = "ConfigMap shop/other"
            record["hash"] = hash_of(record)
            lines[at] = line_of(record)
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    assert not verify(path).is_intact, (edit, at)
    append(path, [entry(99)])
    assert not verify(path).is_intact, (edit, at)


def test_a_cut_end_is_found_even_where_whole_lines_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    make(path, 6)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]))
    assert verify(path).problems == [f"{path}: records 5 to 6 are missing at its end"]
    path.unlink()
    assert not verify(path).is_intact
    path.write_bytes(b"".join(lines[:4]))
    head_file(path).unlink()
    assert verify(path).problems == [
        f"{path}: trail.jsonl.head is gone, so records may be missing at its end"
    ]


@pytest.mark.parametrize("cut", [1, 2, 40, 200])
def test_an_append_that_was_killed_is_closed_by_the_next_one(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "trail.jsonl"
    make(path, 2)
    head = head_file(path).read_bytes()
    append(path, [entry(2)])
    head_file(path).write_bytes(head)  # a kill comes before it is written
    path.write_bytes(path.read_bytes()[:-cut])
    verified = verify(path)
    assert verified.is_intact
    append(path, [entry(3)])
    verified = verify(path)
    assert verified.is_intact
    assert verified.records == 4, "the three and the one that closes, or the whole one"
    assert len(verified.remarks) == (cut > 1)
    broken = path.read_bytes().splitlines()
    if cut > 1:
        broken[2] = broken[2][:-1]
        path.write_bytes(b"\n".join(broken) + b"\n")
        assert not verify(path).is_intact, "what was left of it is not to be changed either"


def test_processes_killed_while_they_append_leave_a_chain_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    code = (
        "import sys; from pathlib import Path\n"
        "from ansible_collections.plumb.gitops.plugins.module_utils.report.chain import append\n"
        "print('begun', flush=True)\n"
        "while True: append(Path(sys.argv[1]), [{'text': 'x' * 5000}] * 20, largest=500_000)\n"
    )
    for _ in range(6):
        begun = head.seq if (head := load_head(path)) is not None else 0
        children = [
            subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) for _ in "ab"
        ]
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        until(partial(has_more_than, path, begun + 60), "records")
        for child in children:
            os.kill(child.pid, signal.SIGKILL)
            child.communicate()
    append(path, [entry(1)])
    verified = verify(path)
    assert verified.problems == []
    assert verified.records > 100


def has_more_than(path: Path, count: int) -> bool:
    head = load_head(path)
    return head is not None and head.seq > count


def test_a_place_that_takes_nothing_is_told_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrailError, match="audit trail") as caught:
        ensure_trail_space(tmp_path / "file" / "trail.jsonl")
    assert "plumb_trail_path" in caught.value.next_step
    (tmp_path / "trail.jsonl").mkdir()
    with pytest.raises(TrailError):
        ensure_trail_space(tmp_path / "trail.jsonl")
    with pytest.raises(TrailError):
        write_trail(tmp_path / "trail.jsonl", [entry(1)])


def test_where_a_trail_is() -> None:
    assert trail_file("/var/trail", "prod-eu") == Path("/var/trail/prod-eu.jsonl")
    assert trail_file("/var/trail/all.jsonl", "prod-eu") == Path("/var/trail/all.jsonl")
    assert trail_file("/var/trail", "") == Path("/var/trail/cluster.jsonl")


def test_what_is_told_of_a_run() -> None:
    made = records(REPORTS["applied"], {"shop": "fleet"}, NOW)
    assert [(r["object"], r["action"], r["result"], r["drifted"]) for r in made] == [
        ("Deployment shop/checkout", "update", "done", False),
        ("Deployment shop/cart", "update", "done", True),
        ("ConfigMap shop/flags", "create", "done", False),
        ("Job shop/migrate", "prune", "done", False),
    ]
    cart = made[1]
    assert cart["fields"][0]["culprit"]["manager"] == "kubectl"
    assert cart["revision"]["author"] == {"name": "Ada Lovelace", "email": "ada@example.com"}
    assert cart["revision"]["commit"].startswith("4f2a9c1")
    assert (cart["time"], cart["run"], cart["cluster"]) == (NOW, "2026-11-23T09:13:02Z", "prod-eu")


def test_what_is_left_refused_or_failed_is_told_too() -> None:
    made = {r["object"]: r for r in records(REPORTS["verbs"], {}, NOW)}
    assert made["PersistentVolumeClaim shop/data"]["result"] == "refused"
    assert made["Deployment shop/left"]["result"] == "left"
    assert "Deployment shop/scaled" not in made
    refused = action("ConfigMap", "x", Verb.REFUSED, reason="it is another's")
    (record,) = records(report(app("shop", refused, outcomes=(Outcome(refused, Result.DONE),))), {}, NOW)
    assert (record["action"], record["result"]) == ("refused", "refused")
    failed = {r["object"]: r for r in records(REPORTS["failed"], {"shop": "fleet"}, NOW)}
    assert (failed["Deployment shop/cart"]["result"], failed["Deployment shop/cart"]["error"]) == (
        "failed", "the server said no",
    )  # fmt: skip


def test_secrets_are_masked_and_long_values_cut() -> None:
    made = [r for name in REPORTS for r in records(REPORTS[name], {}, NOW)]
    assert all(len(json.dumps(record)) < 1 << 20 for record in made)


def test_the_command_says_which_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "prod.jsonl"
    make(path, 6, largest=600)
    assert main(["verify-trail", str(tmp_path)]) == 0
    assert "prod.jsonl: intact: 6 records" in capsys.readouterr().out
    first = older_files(path)[0][1]
    first.write_bytes(first.read_bytes().replace(b"c1", b"c7"))
    assert main(["verify-trail", str(path)]) == 1
    assert f"{first.name}:2: record 2 was edited" in capsys.readouterr().out
    assert main(["verify-trail", str(tmp_path / "none.jsonl")]) == 1
