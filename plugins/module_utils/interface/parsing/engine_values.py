# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsing of options, as Ansible has checked and converted them, to the values of the engine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
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
from ...model.object_diff import DiffForm
from ...model.run_options import RunOptions
from ..options.common import APP, CONNECTION, IGNORE, SOURCE
from .option_values import path_or_none, with_defaults

_LIMIT = re.compile(r"(\d{1,6})(%?)", re.ASCII)
_APP_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # with `plumb-` before it, a ConfigMap's name
_AS_THEY_ARE = (
    "source",
    "path",
    "namespace",
    "create_namespace",
    "prune",
    "allow_empty",
    "adopt",
    "force_conflicts",
    "recreate",
    "wait",
    "suspend",
    "confirm_members",
    "keep_marked",
)
_MOST_CONCURRENCY = 256


def source_spec(options: Mapping[str, Any]) -> SourceSpec:
    """Return a source from its options. Raises InputError for a duration that is none."""
    values = with_defaults(SOURCE, options)
    kind = next(kind for kind in RefKind if values[kind.value] is not None)
    return SourceSpec(
        name=str(values["name"]),
        url=str(values["url"]),
        ref_kind=kind,
        ref=str(values[kind.value]),
        token_file=path_or_none(values, "token_file"),
        username=values["username"],
        ssh_key_file=path_or_none(values, "ssh_key_file"),
        known_hosts_file=path_or_none(values, "known_hosts_file"),
        ca_file=path_or_none(values, "ca_file"),
        proxy=values["proxy"],
        allow_http=bool(values["allow_http"]),
        rewritten=RewritePolicy(values["rewritten"]),
        timeout=parse_duration(values["timeout"], subject=f"source {values['name']}, timeout"),
    )


def app_specs(apps: Sequence[Mapping[str, Any]]) -> tuple[AppSpec, ...]:
    """Return the apps from their options. Raises InputError for a name, limit or duration that is none."""
    return tuple(map(app_spec, apps))


def app_spec(options: Mapping[str, Any]) -> AppSpec:
    """Return an app from its options. Raises InputError for a name, limit or duration that is none."""
    values = with_defaults(APP, options)
    name = str(values["name"])
    if not _APP_NAME.fullmatch(name):
        raise InputError(
            f"app {name[:80]!r}",
            "reading its name",
            "it is not a DNS label: up to 63 lower case letters, digits and '-', with no '-' at an end",
            "Rename the app; its inventory is a ConfigMap of that name.",
        )
    return AppSpec(
        name=name,
        prune_limit=_prune_limit(str(values["prune_limit"]), name),
        timeout=parse_duration(str(values["timeout"]), subject=f"app {name}, timeout"),
        drift=DriftPolicy(values["drift"]),
        additions=AdditionPolicy(values["additions"]),
        ignore=tuple(_ignore_rule(rule, name) for rule in values["ignore"]),
        state=AppState(values["state"]),
        moved_from=tuple(values["moved_from"]),
        depends_on=tuple(values["depends_on"]),
        **{option: values[option] for option in _AS_THEY_ARE},
    )


def _ignore_rule(options: Mapping[str, Any], app: str) -> IgnoreRule:
    values = with_defaults(IGNORE, options)
    pointer, manager = str(values["pointer"]), str(values["manager"])
    if pointer and not pointer.startswith("/"):
        why, next_step = f"{pointer[:80]!r} is no JSON pointer", "Write it like /spec/replicas."
    elif not pointer and not manager:
        why, next_step = (
            "a rule names neither a pointer nor a manager",
            "Name the field, its manager, or both.",
        )
    else:
        labels = sorted((str(key), str(value)) for key, value in values["labels"].items())
        return IgnoreRule(
            pointer=pointer,
            manager=manager,
            kind=str(values["kind"]),
            name=str(values["name"]),
            labels=tuple(labels),
        )
    raise InputError(f"app {app}, ignore", "reading a rule", why, next_step)


def _prune_limit(text: str, app: str) -> PruneLimit:
    match = _LIMIT.fullmatch(text)
    if match is None or (match[2] and int(match[1]) > 100):
        raise InputError(
            f"app {app}, prune_limit",
            "reading a limit",
            f"{text[:40]!r} is neither a number of objects nor a percentage up to 100%",
            "Write for example 20 or 50%.",
        )
    return PruneLimit(int(match[1]), percent=bool(match[2]))


def connection_spec(options: Mapping[str, Any]) -> ConnectionSpec:
    """Return the connection from its options. Raises InputError for a duration or a concurrency that cannot be."""
    values = with_defaults(CONNECTION, options)
    concurrency = int(values["concurrency"])
    if not 1 <= concurrency <= _MOST_CONCURRENCY:
        raise InputError(
            "concurrency",
            "reading the connection options",
            f"{concurrency} is not between 1 and {_MOST_CONCURRENCY}",
            "16 is a good number for most clusters.",
        )
    return ConnectionSpec(
        kubeconfig=path_or_none(values, "kubeconfig"),
        context=values["context"] or "",
        host=values["host"] or "",
        api_key=values["api_key"] or "",
        ca_cert=path_or_none(values, "ca_cert"),
        client_cert=path_or_none(values, "client_cert"),
        client_key=path_or_none(values, "client_key"),
        validate_certs=values["validate_certs"],
        proxy=values["proxy"] or "",
        impersonate_user=values["impersonate_user"],
        impersonate_groups=tuple(values["impersonate_groups"] or ()),
        request_timeout=parse_duration(values["request_timeout"], subject="request_timeout"),
        concurrency=concurrency,
    )


def run_options(options: Mapping[str, Any], *, check: bool, diff: bool = False) -> RunOptions:
    """Return how a run is made. What the module has no option for is as RunOptions has it.

    `diff` is whether differences are shown as a unified diff where no option says how.
    """
    values = {field.name: options[field.name] for field in fields(RunOptions) if field.name in options}
    form = DiffForm(values.get("diff") or (DiffForm.UNIFIED if diff else DiffForm.FIELDS))
    only = frozenset(options.get("only") or ())
    return RunOptions(**{**values, "only": only, "check": check, "diff": form})


def pulled_sources(entries: Sequence[Mapping[str, Any]]) -> dict[str, Checkout | PlumbError]:
    """Read back what `pull` returned: by source its checkout, or the error that kept it from one.

    Raises InputError for entries that `pull` did not make.
    """
    sources: dict[str, Checkout | PlumbError] = {}
    for entry in entries:
        name = str(entry.get("name") or "")
        error = entry.get("error")
        if error and not entry.get("path"):
            sources[name] = _source_error(name, str(error))
            continue
        try:
            sources[name] = Checkout(_revision(name, entry["revision"]), Path(entry["path"]))
        except (KeyError, TypeError) as missing:
            raise InputError(
                f"source {name or '(no name)'}",
                "reading the option sources",
                "it has no revision or no path",
                'Give sources what plumb.gitops.pull returned: "{{ pulled.sources }}".',
            ) from missing
    return sources


def _source_error(name: str, text: str) -> SourceError:
    """Return the error again that `pull` returned as text."""
    subject = f"source {name}"
    operation, _colon, reason = text.removeprefix(f"{subject}: ").partition(": ")
    return SourceError(subject, operation, reason) if reason else SourceError(subject, "pulling it", text)


def _revision(source: str, entry: Any) -> Revision:
    if not isinstance(entry, Mapping):
        raise TypeError("a revision is a map")
    return Revision(
        source=source,
        ref=str(entry.get("ref", "")),
        commit=str(entry["commit"]),
        subject=str(entry.get("subject", "")),
        author=_person(entry.get("author")),
        committer=_person(entry.get("committer")),
        authored=str(entry.get("authored", "")),
        committed=str(entry.get("committed", "")),
        resolved=str(entry.get("resolved", "")),
    )


def _person(entry: Any) -> Person:
    values = entry if isinstance(entry, Mapping) else {}
    return Person(str(values.get("name", "")), str(values.get("email", "")))
