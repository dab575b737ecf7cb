# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent remembers of a cluster's last runs, also over a restart."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import Trust
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import RecordStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """The last runs of a cluster. Times are seconds since the epoch, 0 where there was none."""

    ended: float = 0.0
    last_success: float = 0.0  # the end of the last run of all apps in which nothing failed
    failed: int = 0  # runs in a row
    result: str = ""  # succeeded, failed, deadline or died
    cause: str = ""
    failures: tuple[str, ...] = ()
    report: str = ""  # the last report's file
    summary: Mapping[str, Any] = field(default_factory=dict)  # of that report; see reports.summary_of
    commits: Mapping[str, str] = field(default_factory=dict)  # by source, of the last run that resolved it

    def commit_of(self, source: str) -> str:
        """Return the commit that the last run had of a source; empty where it had none."""
        failed = {each["name"] for each in self.summary.get("sources", ()) if "error" in each}
        return "" if source in failed else self.commits.get(source, "")

    def misses(self, source: str) -> bool:
        """Return whether the last run that needed a source had an error of it."""
        return any(each["name"] == source and "error" in each for each in self.summary.get("sources", ()))


def _content(record: RunState) -> dict[str, Any]:
    """Return a record as it lies on disk: in the words of 0.1.0, whose agent may come back and read it."""
    content = dataclasses.asdict(record)
    content["good"] = content.pop("last_success")
    return {**content, "result": "good" if record.result == "succeeded" else record.result}


def _parse(content: Mapping[str, Any]) -> RunState:
    """Parse what `_content` returned. Raises TypeError, KeyError."""
    values = {**content, "failures": tuple(content["failures"])}
    values["last_success"] = values.pop("good")
    return RunState(**{**values, "result": "succeeded" if values["result"] == "good" else values["result"]})


_STORE = RecordStore[RunState](
    kind="plumb.gitops/cluster",
    version=1,
    encode=_content,
    decode=_parse,
    trust=Trust.STATE,
)


def read_record(folder: Path, cluster: str) -> RunState:
    """Read the record of a cluster; an empty one where there is none."""
    return _STORE.load(folder / cluster) or RunState()


def write_record(folder: Path, cluster: str, record: RunState) -> None:
    """Write the record of a cluster. Raises OSError."""
    _STORE.save(folder / cluster, record)
