# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From options, as Ansible has checked and converted them, to the values of the engine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...cluster.connection import ConnectionSpec
from ...model.app import (
    AdditionPolicy,
    AppSpec,
    AppState,
    Checkout,
    DriftPolicy,
    IgnoreRule,
    Person,
    PruneLimit,
    RefKind,
    Revision,
    RewritePolicy,
    SourceSpec,
)
from ...model.duration import parse_duration
from ...model.errors import InputError, PlumbError, SourceError

_LIMIT = re.compile(r"(\d{1,6})(%?)", re.ASCII)
_APP_NAME = re.compile(
    r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
)  # with `plumb-` before it, the name of a ConfigMap
_MOST_CONCURRENCY = 256


def source_spec(given: Mapping[str, Any]) -> SourceSpec:
    """A source from its options. Raises InputError for a duration that is none."""
    subject = f"source {given['name']}"
    kind = next(kind for kind in RefKind if given.get(kind.value) is not None)
    return SourceSpec(
        name=str(given["name"]),
        url=str(given["url"]),
        ref_kind=kind,
        ref=str(given[kind.value]),
        token_file=_path(given, "token_file"),
        username=given.get("username") or "",
        ssh_key_file=_path(given, "ssh_key_file"),
        known_hosts_file=_path(given, "known_hosts_file"),
        ca_file=_path(given, "ca_file"),
        proxy=given.get("proxy") or "",
        allow_http=bool(given.get("allow_http")),
        rewritten=RewritePolicy(given.get("rewritten") or "follow"),
        timeout=parse_duration(given.get("timeout") or "60s", subject=f"{subject}, timeout"),
    )


def app_specs(given: Sequence[Mapping[str, Any]]) -> tuple[AppSpec, ...]:
    """The apps from their options. Raises InputError for a name, limit or duration that is none."""
    return tuple(map(app_spec, given))


def app_spec(given: Mapping[str, Any]) -> AppSpec:
    """An app from its options. Raises InputError for a name, limit or duration that is none."""
    name = str(given["name"])
    if not _APP_NAME.fullmatch(name):
        raise InputError(
            f"app {name[:80]!r}",
            "reading its name",
            "it is not a DNS label: up to 63 lower case letters, digits and '-', with no '-' at an end",
            "Rename the app; its inventory is a ConfigMap of that name.",
        )
    chosen = {
        key: given[key]
        for key in ("source", "path", "namespace", "create_namespace", "prune", "allow_empty", "adopt",
                    "force_conflicts", "recreate", "wait", "suspend", "confirm_members", "keep_marked")
        if given.get(key) is not None
    }  # fmt: skip
    return AppSpec(
        name=name,
        prune_limit=_limit(str(given.get("prune_limit") or "50%"), name),
        timeout=parse_duration(str(given.get("timeout") or "5m"), subject=f"app {name}, timeout"),
        drift=DriftPolicy(given.get("drift") or "revert"),
        additions=AdditionPolicy(given.get("additions") or "report"),
        ignore=tuple(_ignore_rule(rule, name) for rule in given.get("ignore") or ()),
        state=AppState(given.get("state") or "present"),
        moved_from=tuple(given.get("moved_from") or ()),
        depends_on=tuple(given.get("depends_on") or ()),
        **chosen,
    )


def _ignore_rule(given: Mapping[str, Any], app: str) -> IgnoreRule:
    pointer, manager = str(given.get("pointer") or ""), str(given.get("manager") or "")
    if pointer and not pointer.startswith("/"):
        why, next_step = f"{pointer[:80]!r} is no JSON pointer", "Write it like /spec/replicas."
    elif not pointer and not manager:
        why, next_step = "a rule names neither a pointer nor a manager", "Say what is left to whom."
    else:
        labels = sorted((str(key), str(value)) for key, value in (given.get("labels") or {}).items())
        return IgnoreRule(
            pointer=pointer,
            manager=manager,
            kind=str(given.get("kind") or ""),
            name=str(given.get("name") or ""),
            labels=tuple(labels),
        )
    raise InputError(f"app {app}, ignore", "reading a rule", why, next_step)


def _limit(text: str, app: str) -> PruneLimit:
    match = _LIMIT.fullmatch(text)
    if match is None or (match[2] and int(match[1]) > 100):
        raise InputError(
            f"app {app}, prune_limit",
            "reading a limit",
            f"{text[:40]!r} is neither a number of objects nor a percentage up to 100%",
            "Write for example 20 or 50%.",
        )
    return PruneLimit(int(match[1]), percent=bool(match[2]))


def connection_spec(given: Mapping[str, Any]) -> ConnectionSpec:
    """The connection from its options. Raises InputError for a duration or a concurrency that cannot be."""
    said = given.get("concurrency")
    concurrency = 16 if said is None else int(said)
    if not 1 <= concurrency <= _MOST_CONCURRENCY:
        raise InputError(
            "concurrency",
            "reading the connection options",
            f"{concurrency} is not between 1 and {_MOST_CONCURRENCY}",
            "16 is a good number for most clusters.",
        )
    return ConnectionSpec(
        kubeconfig=_path(given, "kubeconfig"),
        context=given.get("context") or "",
        host=given.get("host") or "",
        api_key=given.get("api_key") or "",
        ca_cert=_path(given, "ca_cert"),
        client_cert=_path(given, "client_cert"),
        client_key=_path(given, "client_key"),
        validate_certs=given.get("validate_certs"),
        proxy=given.get("proxy") or "",
        impersonate_user=given.get("impersonate_user"),
        impersonate_groups=tuple(given.get("impersonate_groups") or ()),
        request_timeout=parse_duration(given.get("request_timeout") or "30s", subject="request_timeout"),
        concurrency=concurrency,
    )


def pulled_sources(given: Sequence[Mapping[str, Any]]) -> dict[str, Checkout | PlumbError]:
    """What `pull` returned, read back: by source its checkout, or the error that kept it from one.

    Raises InputError for entries that `pull` did not make.
    """
    found: dict[str, Checkout | PlumbError] = {}
    for entry in given:
        name = str(entry.get("name") or "")
        error = entry.get("error")
        if error and not entry.get("path"):
            found[name] = _source_error(name, str(error))
            continue
        try:
            found[name] = Checkout(_revision(name, entry["revision"]), Path(entry["path"]))
        except (KeyError, TypeError) as missing:
            raise InputError(
                f"source {name or '(no name)'}",
                "reading the option sources",
                "it has no revision or no path",
                'Give sources what plumb.gitops.pull returned: "{{ pulled.sources }}".',
            ) from missing
    return found


def _source_error(name: str, said: str) -> SourceError:
    """The error again that `pull` returned as text."""
    subject = f"source {name}"
    operation, _colon, reason = said.removeprefix(f"{subject}: ").partition(": ")
    return SourceError(subject, operation, reason) if reason else SourceError(subject, "pulling it", said)


def _revision(source: str, given: Any) -> Revision:
    if not isinstance(given, Mapping):
        raise TypeError("a revision is a map")
    return Revision(
        source=source,
        ref=str(given.get("ref", "")),
        commit=str(given["commit"]),
        subject=str(given.get("subject", "")),
        author=_person(given.get("author")),
        committer=_person(given.get("committer")),
        authored=str(given.get("authored", "")),
        committed=str(given.get("committed", "")),
        resolved=str(given.get("resolved", "")),
    )


def _person(given: Any) -> Person:
    said = given if isinstance(given, Mapping) else {}
    return Person(str(said.get("name", "")), str(said.get("email", "")))


def _path(given: Mapping[str, Any], key: str) -> Path | None:
    value = given.get(key)
    return Path(str(value)) if value else None
