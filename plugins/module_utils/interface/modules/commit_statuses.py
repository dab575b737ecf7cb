# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `commit_status` does: set a status for each app's commit, on change only. It never makes a sync fail.

The statuses that were set last are in a file. Where that is lost, the forge is asked what it has.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...forge.client import ForgeClient
from ...forge.commit_status import State, Status, is_new_status, newest_status, set_status, shown_status
from ...forge.errors import ForgeError
from ...model.errors import PlumbError, printable
from ...notify.messages import failure_text
from ...state.record_store import RecordStore, record_file
from ..inventory.git_config import apps_in_force
from ..inventory.source_repositories import ForgeSources, forge_repository, sources_on_forge
from ..options.feedback import spec_of_commit_status
from ..parsing.cache_folder import cache_of
from .main import ModuleWork
from .mode import Mode

_STAYING = ("create", "update", "adopt", "recreate", "unchanged")  # actions after which an app has the object
TO_BE_APPLIED = "is to be applied"
_PATIENCE = 30.0  # seconds that a run waits for statuses; the next one sets the rest
_LATER = "The next run sets them; nothing else of this one depends on it."
RECEIVER = "commit statuses"  # the name under which the agent delivers them

Statuses = dict[str, Status]  # by repository and context


@dataclass(frozen=True, slots=True)
class WantedStatus:
    """A status that a commit of this repository is to have."""

    repository: tuple[str, str]
    status: Status

    @property
    def key(self) -> str:
        """The repository and the context, under which the status is remembered."""
        return f"{'/'.join(self.repository)} {self.status.context}"


@dataclass(slots=True)
class SetStatuses:
    """What a run came to: all statuses that commits have by now, those that were set, and what could not be."""

    known: Statuses
    set: list[Status] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def commit_status(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the result of `commit_status`. A forge that does not take a status is a warning, never a failure."""
    file = _file(options)
    before = _STORE.load(file) or {}
    sources = sources_on_forge(options)
    wanted = list(_wanted(options, sources))
    due = [status for status in wanted if _is_due(before.get(status.key), status.status)]
    done = SetStatuses(dict(before))
    if due and not mode.check:
        _set_all(options, due, done)
    if not options["only"]:
        keys = {status.key for status in wanted}
        done.known = {key: status for key, status in done.known.items() if key in keys}
    if done.known != before and not mode.check:
        _save(file, done)
    shown = [wanted.status for wanted in due] if mode.check else done.set
    result: dict[str, Any] = {"changed": bool(shown), "statuses": [_shown(status) for status in shown]}
    result["left_out"] = list(sources.left_out)
    result["undelivered"] = [{"receiver": RECEIVER, "error": why} for why in done.undelivered]
    warnings = [*(f"{why} {_LATER}" for why in done.undelivered), *done.warnings]
    return {**result, "warnings": warnings} if warnings else result


def app_sources(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the source of each app of the run that is not suspended, by the app's name."""
    only, suspended = set(options["only"]), set(options["suspended"])
    return {
        app["name"]: app["source"]
        for app in (*options["apps"], *apps_in_force(options))
        if (not only or app["name"] in only) and not app.get("suspend") and app["name"] not in suspended
    }


def _wanted(options: Mapping[str, Any], sources: ForgeSources) -> Iterator[WantedStatus]:
    """Yield a status for each app whose commit is known, of a source on the forge."""
    repositories = sources.repositories
    commits = {
        source["name"]: source["revision"]["commit"]
        for source in options["pulled"]
        if source.get("revision") and source["name"] in repositories
    }
    applied = options["applied"]
    results = {app["name"]: app for app in (applied or {}).get("apps", ())}
    for app, source in sorted(app_sources(options).items()):
        if source not in commits:
            continue
        if applied is None:
            state, description = State.PENDING, TO_BE_APPLIED
        elif app in results:
            state, description = _outcome(results[app], applied.get("actions", ()))
        elif "lines" not in applied or applied.get("stopped"):
            state, description = State.FAILURE, _first_line(applied.get("stopped") or applied.get("msg"))
        else:
            continue
        status = Status(
            commit=commits[source],
            context=f"plumb/{options['cluster']}/{app}",
            state=state,
            description=description,
            link=options["page_url"],
        )
        yield WantedStatus(repositories[source], status)


def _outcome(app: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]) -> tuple[State, str]:
    if app.get("failed"):
        return State.FAILURE, failure_text(app, actions)
    if waits_for := app.get("waits_for"):
        return State.PENDING, f"waits for app {waits_for}, which is not healthy yet"
    if awaited := (app.get("in_progress") or {}).get("objects"):
        first = awaited[0]
        more = f" and {len(awaited) - 1} more" if len(awaited) > 1 else ""
        return (
            State.PENDING,
            f"in progress: {first['object']}{more}: {first.get('message') or first['status']}",
        )
    if app.get("text"):  # of a record of health
        return State.SUCCESS, printable(str(app["text"]), 400)
    counts = app.get("counts", {})
    changed = sum(counts.get(verb, 0) for verb in ("create", "update", "adopt", "recreate", "prune"))
    number = sum(counts.get(verb, 0) for verb in _STAYING)
    parts = [f"{number} {'object' if number == 1 else 'objects'} as Git says"]
    parts += [f"{changed} changed"] if changed else []
    parts += [f"{counts['drifted']} drifted"] if counts.get("drifted") else []
    return State.SUCCESS, ", ".join(parts)


def _first_line(text: Any) -> str:
    return printable(str(text or "").partition("\n")[0] or "the run failed", 400)


def _is_due(before: Status | None, now: Status) -> bool:
    """Return whether a status is to be set. A commit that has a result is not set to pending again."""
    if now.state is State.PENDING and before is not None and before.commit == now.commit:
        return before.state is State.PENDING and before.description != now.description != TO_BE_APPLIED
    return is_new_status(before, now)


def _set_all(options: Mapping[str, Any], due: Sequence[WantedStatus], done: SetStatuses) -> None:
    """Set the statuses that are due, as long as the forge takes them and there is time."""
    until = time.monotonic() + _PATIENCE
    clients: dict[tuple[str, str], ForgeClient] = {}
    refused: set[tuple[str, str]] = set()
    with ExitStack() as stack:
        for wanted in due:
            if wanted.repository in refused:
                continue
            if time.monotonic() > until:
                done.undelivered.append(f"commit statuses: not all within {_PATIENCE:.0f} s.")
                return
            try:
                if wanted.repository not in clients:
                    repository = forge_repository(options, wanted.repository)
                    clients[wanted.repository] = stack.enter_context(ForgeClient(repository))
                _set(clients[wanted.repository], wanted, done)
            except PlumbError as error:
                done.undelivered.append(f"commit statuses: {error}")
                if isinstance(error, ForgeError) and error.is_passing:
                    return
                refused.add(wanted.repository)


def _set(client: ForgeClient, wanted: WantedStatus, done: SetStatuses) -> None:
    status = shown_status(client, wanted.status)
    lost = wanted.key not in done.known
    newest = newest_status(client, status.commit, status.context) if lost else None
    if newest is not None and not _is_due(newest, status):
        done.known[wanted.key] = newest
        return
    if set_status(client, status):
        done.set.append(status)
    done.known[wanted.key] = wanted.status


def _file(options: Mapping[str, Any]) -> Path:
    return record_file(
        cache_of(options) / "statuses", options["forge"]["url"].rstrip("/"), options["cluster"]
    )


def _decode(content: Mapping[str, Any]) -> Statuses:
    return {
        key: Status(**{**status, "state": State(status["state"])}) for key, status in content["said"].items()
    }


def _save(file: Path, done: SetStatuses) -> None:
    try:
        _STORE.save(file, done.known)
    except OSError as error:
        done.warnings.append(
            f"commit statuses: what was set cannot be saved in {file.parent}: {error.strerror}. The forge is asked"
            " again in each run; set plumb_cache_dir to a place with free space."
        )


def _shown(status: Status) -> dict[str, Any]:
    return {
        "commit": status.commit,
        "context": status.context,
        "state": status.state.value,
        "description": status.description,
        "link": status.link,
    }


_STORE = RecordStore[Statuses](
    kind="plumb.gitops/statuses",
    version=1,
    encode=lambda statuses: {"said": {key: _shown(status) for key, status in statuses.items()}},
    decode=_decode,
)


COMMIT_STATUS = ModuleWork("commit_status", spec_of_commit_status(), commit_status)
