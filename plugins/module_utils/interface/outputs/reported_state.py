# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was reported of a state that lasts: a refusal, drift that is left, the same failure again.

Each run finds it again, and it is no news. Where the file is lost, it is reported once more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...model.objects import digest_of
from ...model.plan import Result
from ...model.report import Report
from ...state.record_store import RecordStore, record_file

_PASSING = ("time", "run", "revision")  # differs from run to run, and is no news of an object
_EVIDENCE = (
    "user",
    "groups",
    "addresses",
    "user_agent",
    "verb",
    "one_of",
    "evidence",
)  # may come late, and go

_NUMBER = re.compile(r"\d+")

ReportedState = dict[str, dict[str, str]]  # by app and object: the digest of what was reported
_STORE = RecordStore[ReportedState](
    kind="plumb.gitops/standing",
    version=1,
    encode=lambda reported: {"told": reported},
    decode=lambda content: dict(content["told"]),
)


def reported_state_file(cache: Path, *about: str) -> Path:
    """Return the file for what is reported of a cluster in one output, such as a trail."""
    return record_file(cache / "standing", *about)


def unreported(
    file: Path, records: Sequence[Mapping[str, Any]], report: Report
) -> tuple[list[Mapping[str, Any]], ReportedState]:
    """Return the records that are news, and the state to save once they are written."""
    before = _STORE.load(file) or {}
    known = {app.plan.app for app in report.apps if not (app.plan.error or app.plan.suspended)}
    reported: ReportedState = {app: dict(objects) for app, objects in before.items() if app not in known}
    fresh: list[Mapping[str, Any]] = []
    for record in records:
        if record["result"] == Result.DONE.value:  # it passes
            fresh.append(record)
            continue
        digest = digest_of(_lasting(record))
        app, name = record["app"], f"{record['object']} {record.get('group', '')}"
        if before.get(app, {}).get(name) != digest:
            fresh.append(record)
        reported.setdefault(app, {})[name] = digest
    return fresh, reported


def _lasting(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without what differs from run to run though nothing happened."""
    lasting = {key: value for key, value in record.items() if key not in {*_PASSING, "culprit"}}
    # A port, a count or a duration in what the server says is another at each try.
    lasting |= {key: _NUMBER.sub("0", str(lasting[key])) for key in ("error", "reason") if key in lasting}
    fields = []
    for change in record.get("fields", ()):
        culprit = {k: v for k, v in change.get("culprit", {}).items() if k not in _EVIDENCE}
        fields.append({**change, "culprit": culprit if culprit.get("manager") else {}})
    return {**lasting, "fields": fields}


def save_reported_state(file: Path, reported: ReportedState) -> None:
    """Save what was reported. Where the disk does not take it, it is reported again."""
    if reported != (_STORE.load(file) or {}):
        _STORE.save_or_forget(file, reported)
