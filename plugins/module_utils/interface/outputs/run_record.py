# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of an agent came to, kept in a file: what others are to be told of it is delivered by a run of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...state.folder import Trust
from ...state.record_store import RecordStore

_MOST_LINES = 200  # of the text for people; the report has all of it


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What `pull` and `apply` returned, and of which apps the run was.

    `applied` is empty where nothing was applied yet; `only` is empty for all apps. With `health` in `applied` it is not
    about a run, but about what the wait for an app came to that an earlier run applied.
    """

    pulled: Mapping[str, Any]
    applied: Mapping[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    suspended: tuple[str, ...] = ()


def _content(record: RunRecord) -> dict[str, Any]:
    applied = dict(record.applied)
    if "lines" in applied:
        applied["lines"] = list(applied["lines"])[:_MOST_LINES]
    return {
        "pulled": dict(record.pulled),
        "applied": applied,
        "only": list(record.only),
        "suspended": list(record.suspended),
    }


def _parse(content: Mapping[str, Any]) -> RunRecord:
    return RunRecord(
        pulled=dict(content["pulled"]),
        applied=dict(content["applied"]),
        only=tuple(content["only"]),
        suspended=tuple(content["suspended"]),
    )


RUN_RECORDS = RecordStore[RunRecord](
    kind="plumb.gitops/run", version=1, encode=_content, decode=_parse, trust=Trust.STATE
)
