# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's audit log as a file of JSON lines: its last part is read, and what runs made of it is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ...cluster.client import Cluster
from ...cluster.errors import RequestError
from ...model.change import Culprit
from ...model.errors import PlumbError, printable
from ...model.objects import GroupKind
from ...model.plan import AppResult
from ...reconcile.drift.attribution import (
    AuditEvent,
    AuditLog,
    LastObservation,
    attribute_changes,
    observations_of,
    read_event,
)
from ...state.record_store import RecordStore
from ...state.rotated import WINDOW, rotated

_LONGEST = 1024 * 1024  # bytes of one event; a longer one is passed over
_CLOCKS = timedelta(seconds=60)  # by which the clocks of this machine and of the API server may differ
_READS = re.compile(rb'"verb":"(?:get|list|watch)"')
_TIME = re.compile(rb'"requestReceivedTimestamp":"([^"]{20,40})"')
_REVIEW = GroupKind("authentication.k8s.io", "SelfSubjectReview")


class AuditLogError(PlumbError):
    """The audit log cannot be read."""


@dataclass(frozen=True, slots=True)
class AuditLogFile:
    """Where a log ended when a run began."""

    path: Path
    file: int  # inode
    size: int


def audit_log_file(path: Path | None) -> tuple[AuditLogFile | None, tuple[str, ...]]:
    """Return where a log ends now, or a warning where it cannot be read: that stops no run."""
    if path is None:
        return None, ()
    try:
        return audit_log_file_of(path), ()
    except AuditLogError as error:
        return None, (str(error),)


def audit_log_file_of(path: Path) -> AuditLogFile:
    """Return where the log ends now. Raises AuditLogError."""
    try:
        status = path.stat()
        with path.open("rb"):
            return AuditLogFile(path, status.st_ino, status.st_size)
    except OSError as error:
        raise _unreadable(path, error) from error


def with_audit_log(
    cluster: Cluster,
    results: tuple[AppResult, ...],
    place: AuditLogFile | None,
    memory: Path,
    started: datetime,
) -> tuple[tuple[AppResult, ...], tuple[str, ...]]:
    """Return the results of a run with what the log has of those who had changed something, and warnings.

    The log is read only where something had drifted. `memory` is the file in which runs remember their observations.
    """
    if place is None:
        return results, ()
    seen = _STORE.load(memory) or {}
    if any(result.drifted for result in results):
        discovery = cluster.discover()

        def plural_of(kind: GroupKind) -> str:
            known = discovery.of(kind)
            return known.plural if known is not None else ""

        try:
            log = replace(read_log(place), account=_account(cluster))
        except AuditLogError as error:
            return results, (str(error),)
        results = attribute_changes(results, log, seen, plural_of)
    at = (started - _CLOCKS).strftime("%Y-%m-%dT%H:%M:%SZ")
    _STORE.save_or_forget(
        memory, observations_of(results, at, seen)
    )  # where it is forgotten, the next run claims less
    return results, ()


def read_log(place: AuditLogFile, window: int = WINDOW) -> AuditLog:
    """Return the last part of a log, older files of it included. Raises AuditLogError."""
    events: list[AuditEvent] = []
    begins = ""
    try:
        for line, late in _lines(place, window):
            if not begins and (match := _TIME.search(line)):
                begins = match[1].decode("ascii", "replace")
            event = None if _READS.search(line) else _event(line, late=late)
            if event is not None:
                events.append(event)
    except OSError as error:
        raise _unreadable(place.path, error) from error
    return AuditLog(events=tuple(events), begins=begins)


def _event(line: bytes, *, late: bool) -> AuditEvent | None:
    try:
        event = json.loads(line)
        return read_event(event, late=late) if isinstance(event, Mapping) else None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _lines(place: AuditLogFile, window: int) -> Iterator[tuple[bytes, bool]]:
    """Yield the whole lines of the last `window` bytes, each with whether it came after this run had begun."""
    files, left = [], window
    for file in (place.path, *reversed(rotated(place.path))):
        if left <= 0:
            break
        size = file.stat().st_size
        files.append((file, max(0, size - left)))
        left -= size
    for file, start in reversed(files):
        with file.open("rb") as opened:
            is_known = opened.seek(0, 2) >= 0 and file.stat().st_ino == place.file
            is_older = file != place.path and not is_known
            at = opened.seek(start)
            if start:
                at += len(opened.readline(_LONGEST))
            while line := opened.readline(_LONGEST):
                if line.endswith(b"\n") and len(line) < _LONGEST:
                    yield line, not is_older and not (is_known and at < place.size)
                at += len(line)


def _account(cluster: Cluster) -> str:
    """Return the user that this run is to the server; empty where it does not say."""
    kind = cluster.discover().of(_REVIEW)
    if kind is None:
        return ""
    body = {"apiVersion": kind.api_version, "kind": kind.kind}
    try:
        review = cluster.post(kind, body, operation="asking who this account is")
    except RequestError:
        return ""
    user = (review.get("status") or {}).get("userInfo") or {}
    return str(user.get("username") or "")


def _decode(content: Mapping[str, Any]) -> LastObservation:
    drifted = {
        name: {path: _culprit(culprit) for path, culprit in paths.items()}
        for name, paths in content["drifted"].items()
    }
    return LastObservation(str(content["at"]), drifted)


def _culprit(content: Mapping[str, Any]) -> Culprit:
    return Culprit(**{name: _frozen(value) for name, value in content.items()})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_STORE = RecordStore[Mapping[str, LastObservation]](
    kind="plumb.gitops/evidence",
    version=1,
    encode=lambda observed: {"seen": {app: asdict(observation) for app, observation in observed.items()}},
    decode=lambda content: {app: _decode(observation) for app, observation in content["seen"].items()},
)


def _unreadable(path: Path, error: OSError) -> AuditLogError:
    return AuditLogError(
        f"audit log {path}",
        "reading the audit log",
        printable(error.strerror or str(error)),
        "Name the file that the API server writes (plumb_audit_log), and let this account read it.",
    )
