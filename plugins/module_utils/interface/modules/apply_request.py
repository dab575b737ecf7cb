# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of `diff` and `apply` as values, parsed once: nothing after this reads an option by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...cluster.connection import ConnectionSpec
from ...model.app import AppSpec, Checkout
from ...model.errors import InputError, PlumbError
from ...model.progress import Progress
from ...model.report import ConfigReport, SourceReport
from ...model.run_options import RunOptions
from ..inventory.git_config import apps_in_force, config_report
from ..outputs.writers import OutputPaths
from ..parsing.cache_folder import cache_of
from ..parsing.engine_values import app_specs, connection_spec, pulled_sources, run_options
from ..parsing.option_values import path_or_none
from .mode import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRequest:
    """What `diff` or `apply` is to do.

    `apps` are those of the inventory and of the config in Git, `source_reports` what `pull` reported, by source.
    """

    cluster: str
    connection: ConnectionSpec
    apps: tuple[AppSpec, ...]
    sources: Mapping[str, Checkout | PlumbError]
    source_reports: Mapping[str, SourceReport]
    config: ConfigReport | None
    options: RunOptions
    cache: Path
    outputs: OutputPaths
    audit_log: Path | None
    lease_file: Path | None
    events: bool
    retry_refused: bool
    progress: Progress
    unknown_suspended: tuple[str, ...]  # names in `suspended` that no app has

    @property
    def used_sources(self) -> frozenset[str]:
        """The sources of the selected apps, and that of the config in Git."""
        only = self.options.only
        used = {app.source for app in self.apps if not only or app.name in only}
        return frozenset(used | ({self.config.source} if self.config is not None else set()))


def apply_request(options: Mapping[str, Any], mode: Mode) -> ApplyRequest:
    """Return the request of a task from its options. Raises InputError for values that cannot be used."""
    apps = apps_of(options)
    names = {app.name for app in apps}
    sources = pulled_sources(options["sources"])
    entries = {str(entry.get("name") or ""): entry for entry in options["sources"]}
    return ApplyRequest(
        cluster=options["cluster"],
        connection=connection_spec(options),
        apps=apps,
        sources=sources,
        source_reports={name: _source_report(name, state, entries[name]) for name, state in sources.items()},
        config=config_report(options),
        options=_check_only(run_options(options, check=mode.check, diff=mode.diff), names),
        cache=cache_of(options),
        outputs=OutputPaths(
            report=options["report_path"], markdown=options["markdown_path"], trail=options["trail_path"]
        ),
        audit_log=path_or_none(options, "audit_log"),
        lease_file=path_or_none(options, "lease_file"),
        events=options["events"],
        retry_refused=options["retry_refused"],
        progress=mode.progress,
        unknown_suspended=tuple(sorted(set(options["suspended"]) - names)),
    )


def apps_of(options: Mapping[str, Any]) -> tuple[AppSpec, ...]:
    """Return the apps, of the config in Git too. Those that `suspended` names are suspended, whatever they say."""
    suspended = frozenset(options["suspended"])
    apps = app_specs([*options["apps"], *apps_in_force(options)])
    return tuple(replace(app, suspend=app.suspend or app.name in suspended) for app in apps)


def _check_only(options: RunOptions, names: Sequence[str] | set[str]) -> RunOptions:
    """Return the options. Raises InputError where `only` names an app that does not exist."""
    for name in sorted(options.only - set(names)):
        raise InputError(
            f"app {name}",
            "selecting apps by only (plumb_only)",
            "there is no such app",
            f"The apps are {', '.join(sorted(names)) or 'none'}.",
        )
    return options


def _source_report(name: str, state: Checkout | PlumbError, entry: Mapping[str, Any]) -> SourceReport:
    """Return a source as it is in this run, with what `pull` reported of it."""
    warning = str(entry.get("warning") or "")
    if isinstance(state, Checkout):
        return SourceReport(name, state.revision, str(entry.get("error") or ""), warning)
    return SourceReport(name, None, str(state), warning)
