# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: one run on one cluster, whole."""

from __future__ import annotations

from dataclasses import dataclass

from .app import Revision
from .plan import AppResult


@dataclass(frozen=True, slots=True)
class SourceReport:
    """A source in a run: the revision it resolved to, or why it did not.

    With both a revision and an error, the run went on with an older revision than the ref is at.
    """

    name: str
    revision: Revision | None
    error: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReport:
    """The config in Git: the commit in force (empty: none), and why that is not what Git says now."""

    source: str
    file: str
    commit: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run on one cluster found and did. Times are RFC 3339, UTC."""

    cluster: str
    server: str
    check: bool
    started: str
    seconds: float
    sources: tuple[SourceReport, ...]
    apps: tuple[AppResult, ...]
    unclaimed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()  # what of the run could not be reported as it should be
    config: ConfigReport | None = None
    stopped: str = (
        ""  # why the run ended before its time: the API server failed for one request after another
    )
    requests: tuple[tuple[str, int], ...] = ()  # what the run asked of the API server, by kind of request

    @property
    def changed(self) -> bool:
        """Whether something was, or in a check would be, written."""
        return any(app.changed for app in self.apps)

    @property
    def failed(self) -> bool:
        """Whether a source, the config, an app or the run itself failed."""
        unread = any(source.error for source in self.sources) or bool(self.config and self.config.error)
        return bool(unread or self.stopped or any(app.failed for app in self.apps))

    @property
    def drifted(self) -> bool:
        """Whether an object of an app drifted."""
        return any(app.drifted for app in self.apps)
