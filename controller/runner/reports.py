# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads reports, sums them up for the log, the metrics, the status and the watch, and removes old ones."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError, printable
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind
from ansible_collections.plumb.gitops.plugins.module_utils.report.document import API_VERSION, KIND, failures

_LARGEST = 256 * 1024 * 1024  # bytes; a report of 10,000 objects has some 5 MB
_MOST_FAILURES = 10
_MOST_MANAGERS = 50  # kinds and managers of an app that are told apart in one run
_MOST_NAMES = 300  # of objects of an app, by which the next run knows them again
_LONGEST_NAME = 64  # characters of a manager


class UnreadableReportError(PlumbError):
    """A file that is no report of this version."""


def read_report(path: Path) -> dict[str, Any]:
    """Read a report's document. Raises UnreadableReportError."""
    try:
        if path.stat().st_size > _LARGEST:
            raise _unreadable(path, f"it is larger than {_LARGEST // 1024 // 1024} MiB")
        document = json.loads(path.read_bytes())
    except OSError as exc:
        raise _unreadable(path, exc.strerror or "it cannot be read") from exc
    except (ValueError, RecursionError) as exc:
        raise _unreadable(path, "it is not JSON") from exc
    if not isinstance(document, dict) or (document.get("apiVersion"), document.get("kind")) != (
        API_VERSION,
        KIND,
    ):
        raise _unreadable(path, f"it is no {API_VERSION} {KIND}")
    return document


def _unreadable(path: Path, why: str) -> UnreadableReportError:
    return UnreadableReportError(f"report {path}", "reading it", why, "The next run writes a new one.")


def summary_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the summary of a report: its numbers, sources, apps and failures, without the objects."""
    failed = failures(document)
    return {
        "started": document["started"],
        "seconds": document["seconds"],
        "changed": document["changed"],
        "failed": document["failed"],
        "drifted": document["drifted"],
        "counts": document["counts"],
        "sources": [_source(source) for source in document["sources"]],
        "apps": [_app(app) for app in document["apps"]],
        "failures": failed[:_MOST_FAILURES],
        "more_failures": max(0, len(failed) - _MOST_FAILURES),
        **({"stopped": document["stopped"]} if document.get("stopped") else {}),
    }


def writes_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run wrote, for the watch of the cluster.

    `written`: the objects, each as `Kind.group namespace/name`; `removed`: those of them that were deleted. `reverted`:
    `[app, object, path, manager]` of each field that was reverted; the path is empty for an object that had been
    deleted, the manager where none is known.
    """
    written: list[str] = []
    removed: list[str] = []
    reverted: list[list[str]] = []
    for app in document["apps"]:
        for action in app.get("actions", ()):
            if action.get("result") != "done":
                continue
            key = key_of(action.get("group", ""), action["kind"], action.get("namespace", ""), action["name"])
            written.append(key)
            if action["action"] in {"prune", "recreate"}:
                removed.append(key)
            if action["drifted"]:
                reverted += [[app["name"], action["object"], *field] for field in _reverted_fields(action)]
    return {"written": written, "removed": removed, "reverted": reverted}


def key_of(group: str, kind: str, namespace: str, name: str) -> str:
    """Return an object's name with its API group: `Deployment.apps shop/cart`."""
    return f"{GroupKind(group, kind)} {namespace}/{name}" if namespace else f"{GroupKind(group, kind)} {name}"


def _reverted_fields(action: Mapping[str, Any]) -> list[list[str]]:
    fields = [
        [change["path"], (change.get("culprit") or {}).get("manager", "")]
        for change in action.get("changes", ())
        if change["cause"] != "git"
    ]
    return fields or [["", ""]]


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    revision = source.get("revision") or {}
    fields = {key: revision[key] for key in ("ref", "resolved", "commit", "subject") if key in revision}
    error = {"error": source["error"]} if "error" in source else {}
    return {"name": source["name"], **fields, **error}


def _app(app: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        "name",
        "error",
        "suspended",
        "waits_for",
        "in_progress",
        "changed",
        "failed",
        "drifted",
        "counts",
    )
    present = [action for action in app.get("actions", ()) if action["action"] != "prune"]
    kinds = sorted({str(GroupKind(action.get("group", ""), action["kind"])) for action in present})
    fields = {key: app[key] for key in (*keys, "seconds") if key in app}
    objects = sum(action["action"] != "prune" for action in app.get("actions", ()))
    unhealthy = len(app.get("unhealthy", ()))
    return fields | {
        "objects": objects,
        "unhealthy": unhealthy,
        "kinds": kinds,
        "found": _finding_sets(app),
        "drift": _drift(app),
    }


def _finding_sets(app: Mapping[str, Any]) -> dict[str, Any]:
    """Return the objects that failed, were refused or drifted, and those that were not reverted (`left`)."""
    actions = app.get("actions", ())
    failed = [_name(action) for action in actions if action.get("result") == "failed"]
    refused = [_name(action) for action in actions if action["action"] == "refused"]
    drifted = [action for action in actions if action["drifted"]]
    of_app = ["the app"] if app.get("error") else []
    unhealthy = [f"{each['object']} is unhealthy" for each in app.get("unhealthy", ())]
    return {
        "failing": _named([*of_app, *failed, *refused, *unhealthy]),
        "refused": _named(refused),
        "drifted": _named(map(_name, drifted)),
        "left": _named(_name(action) for action in drifted if not _is_reverted(action)),
    }


def _named(names: Iterable[str]) -> dict[str, Any]:
    """Return how many names there are, and the first of them."""
    sorted_names = sorted(set(names))
    return {"count": len(sorted_names), "names": sorted_names[:_MOST_NAMES]} if sorted_names else {}


def _name(action: Mapping[str, Any]) -> str:
    return key_of(action.get("group", ""), action["kind"], action.get("namespace", ""), action["name"])


def _is_reverted(action: Mapping[str, Any]) -> bool:
    return action.get("result") == "done" and action["action"] not in {"unchanged", "refused"}


def _drift(app: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how many objects of an app had drifted, and how many were reverted, by kind and by manager."""
    counts: dict[tuple[str, str], list[int]] = {}
    objects: dict[tuple[str, str], tuple[list[str], list[str]]] = {}  # all, and those not reverted
    for action in app.get("actions", ()):
        if not action["drifted"]:
            continue
        reverted = _is_reverted(action)
        for manager in _managers(action):
            key = (action["kind"], manager)
            if key not in counts and len(counts) >= _MOST_MANAGERS:
                key = (action["kind"], "others")
            numbers = counts.setdefault(key, [0, 0])
            numbers[0] += 1
            numbers[1] += reverted
            names, left = objects.setdefault(key, ([], []))
            names.append(_name(action))
            if not reverted:
                left.append(_name(action))
    return [
        {
            "kind": kind,
            "manager": manager,
            "found": numbers[0],
            "reverted": numbers[1],
            "objects": _named(objects[kind, manager][0]),
            "left": _named(objects[kind, manager][1]),
        }
        for (kind, manager), numbers in sorted(counts.items())
    ]


def _managers(action: Mapping[str, Any]) -> list[str]:
    """Return the managers that changed an object; empty for what is not recorded. Clients choose these names."""
    changes = [change for change in action.get("changes", ()) if change["cause"] != "git"]
    names = {printable((c.get("culprit") or {}).get("manager", ""), _LONGEST_NAME) for c in changes}
    return sorted(names) or [""]


def drop_old(folder: Path, keep: int) -> None:
    """Remove all but the last `keep` reports of one cluster, and what an interrupted write left."""
    if not folder.is_dir():
        return
    files = sorted(folder.iterdir())
    reports = [file for file in files if file.suffix == ".json" and not file.name.startswith(".")]
    left = [file for file in files if file.name.startswith(".")]
    for file in [*left, *reports[: max(0, len(reports) - keep)]]:
        with contextlib.suppress(OSError):
            file.unlink()
