# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `commit_status` does: a status of each app's commit, on change only, and never a reason for a sync to fail.

What was said last is kept in a file. Where that is lost, the forge is asked what it has.
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
from ..inventory.source_repositories import OnForge, forge_place, on_forge
from ..parsing.cache_folder import cache_of
from .mode import Mode

_STAYING = ("create", "update", "adopt", "recreate", "unchanged")  # what an app has after them
_PATIENCE = 30.0  # seconds that a run waits for statuses; the rest is said by the next one

Said = dict[str, Status]  # by repository and context


@dataclass(frozen=True, slots=True)
class WantedStatus:
    """A status that is to be said, in this repository."""

    repository: tuple[str, str]
    status: Status

    @property
    def key(self) -> str:
        return f"{'/'.join(self.repository)} {self.status.context}"


@dataclass(slots=True)
class Done:
    """What came of it: the statuses that were set, and what could not be."""

    said: Said
    set: list[Status] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def commit_status(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """The result of `commit_status`. A forge that does not take a status is a warning, never a failure."""
    file = _file(options)
    before = _STORE.load(file) or {}
    where = on_forge(options)
    wanted = list(_wanted(options, where))
    due = [one for one in wanted if _is_due(before.get(one.key), one.status)]
    done = Done(dict(before))
    if due and not mode.check:
        _say(options, due, done)
    if not options.get("only"):
        names = {one.key for one in wanted}
        done.said = {key: status for key, status in done.said.items() if key in names}
    if done.said != before and not mode.check:
        _save(file, done)
    told = [one.status for one in due] if mode.check else done.set
    result: dict[str, Any] = {"changed": bool(told), "statuses": [_shown(one) for one in told]}
    result["left_out"] = list(where.left_out)
    return {**result, "warnings": done.warnings} if done.warnings else result


def app_sources(options: Mapping[str, Any]) -> dict[str, str]:
    """The source of each app of the run that is not suspended, by the app's name."""
    only, suspended = set(options.get("only") or ()), set(options.get("suspended") or ())
    return {
        app["name"]: app["source"]
        for app in (*options["apps"], *apps_in_force(options))
        if (not only or app["name"] in only) and not app.get("suspend") and app["name"] not in suspended
    }


def _wanted(options: Mapping[str, Any], where: OnForge) -> Iterator[WantedStatus]:
    """A status for each app whose commit is known, of a source on the forge."""
    places = where.repositories
    commits = {
        source["name"]: source["revision"]["commit"]
        for source in options["pulled"]
        if source.get("revision") and source["name"] in places
    }
    applied = options.get("applied")
    results = {app["name"]: app for app in (applied or {}).get("apps", ())}
    for app, source in sorted(app_sources(options).items()):
        if source not in commits:
            continue
        if applied is None:
            state, told = State.PENDING, "is to be applied"
        elif app in results:
            state, told = _outcome(results[app], applied.get("actions", ()))
        elif "lines" not in applied or applied.get("stopped"):
            state, told = State.FAILURE, _first_line(applied.get("stopped") or applied.get("msg"))
        else:
            continue
        status = Status(
            commit=commits[source],
            context=f"plumb/{options['cluster']}/{app}",
            state=state,
            description=told,
            link=options.get("page_url") or "",
        )
        yield WantedStatus(places[source], status)


def _outcome(app: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]) -> tuple[State, str]:
    if app.get("failed"):
        return State.FAILURE, failure_text(app, actions)
    counts = app.get("counts", {})
    changed = sum(counts.get(verb, 0) for verb in ("create", "update", "adopt", "recreate", "prune"))
    number = sum(counts.get(verb, 0) for verb in _STAYING)
    told = [f"{number} {'object' if number == 1 else 'objects'} as Git says"]
    told += [f"{changed} changed"] if changed else []
    told += [f"{counts['drifted']} drifted"] if counts.get("drifted") else []
    return State.SUCCESS, ", ".join(told)


def _first_line(text: Any) -> str:
    return printable(str(text or "").partition("\n")[0] or "the run failed", 400)


def _is_due(before: Status | None, now: Status) -> bool:
    """Whether it is to be said. That a commit is to be applied is said once, whatever became of it then."""
    if now.state is State.PENDING:
        return before is None or before.commit != now.commit
    return is_new_status(before, now)


def _say(options: Mapping[str, Any], due: Sequence[WantedStatus], done: Done) -> None:
    """Set what is due, as long as the forge takes it and there is time."""
    until = time.monotonic() + _PATIENCE
    clients: dict[tuple[str, str], ForgeClient] = {}
    refused: set[tuple[str, str]] = set()
    with ExitStack() as stack:
        for one in due:
            if one.repository in refused:
                continue
            if time.monotonic() > until:
                done.warnings.append(
                    f"commit statuses: not all within {_PATIENCE:.0f} s; the next run says the rest"
                )
                return
            try:
                if one.repository not in clients:
                    place = forge_place(options, one.repository)
                    clients[one.repository] = stack.enter_context(ForgeClient(place))
                _say_one(clients[one.repository], one, done)
            except PlumbError as error:
                done.warnings.append(f"commit statuses: {error} Nothing else of this run depends on it.")
                if isinstance(error, ForgeError) and error.is_passing:
                    return
                refused.add(one.repository)


def _say_one(client: ForgeClient, one: WantedStatus, done: Done) -> None:
    status = shown_status(client, one.status)
    lost = one.key not in done.said
    newest = newest_status(client, status.commit, status.context) if lost else None
    if newest is not None and not _is_due(newest, status):
        done.said[one.key] = newest
        return
    if set_status(client, status):
        done.set.append(status)
    done.said[one.key] = one.status


def _file(options: Mapping[str, Any]) -> Path:
    return record_file(
        cache_of(options) / "statuses", options["forge"]["url"].rstrip("/"), options["cluster"]
    )


def _decode(content: Mapping[str, Any]) -> Said:
    return {
        key: Status(**{**status, "state": State(status["state"])}) for key, status in content["said"].items()
    }


def _save(file: Path, done: Done) -> None:
    try:
        _STORE.save(file, done.said)
    except OSError as error:
        done.warnings.append(
            f"commit statuses: what was said cannot be kept in {file.parent}: {error.strerror}. The forge is asked"
            " again in each run; set plumb_cache_dir to a place with room."
        )


def _shown(status: Status) -> dict[str, Any]:
    return {
        "commit": status.commit,
        "context": status.context,
        "state": status.state.value,
        "description": status.description,
        "link": status.link,
    }


_STORE = RecordStore[Said](
    kind="plumb.gitops/statuses",
    version=1,
    encode=lambda statuses: {"said": {key: _shown(status) for key, status in statuses.items()}},
    decode=_decode,
)
