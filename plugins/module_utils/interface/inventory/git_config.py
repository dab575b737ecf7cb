# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a config that lives in Git: sources and apps beside those of the inventory.

It is data. The engine's own reader reads it and the inventory's specs check it; it never passes through a play's
variables. A commit that cannot be used changes nothing: the last one that could stays in force.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...model.app import Checkout
from ...model.errors import InputError, PlumbError, RenderError, printable
from ...model.report import ConfigReport
from ...render.bounds.limits import Meter
from ...render.tree import Tree
from ...render.yaml.documents import read_documents
from ...source.cache.checkout import reading
from ...source.pull import PulledSource
from ..parsing.engine_values import source_spec
from .git_config_store import GitConfig, git_config_file, load_git_config, save_git_config
from .validation import at_odds, check_config

_SHOWN = 8  # faults of one commit that its error names
_CORRECT = "Correct it in Git"


@dataclass(frozen=True, slots=True)
class FollowedConfig:
    """The config in force, if one is, and why that is not what Git says now, if it is not."""

    file: Path
    config: GitConfig | None
    error: str = ""

    def result(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of `pull` about the config: where it is, never its content."""
        result: dict[str, Any] = {"source": wanted["source"], "file": wanted["path"]}
        if self.config is not None:
            result |= {"path": str(self.file), "commit": self.config.commit}
        return {**result, "error": self.error} if self.error else result


def follow_git_config(
    options: Mapping[str, Any], cache: Path, pulled: Sequence[PulledSource]
) -> FollowedConfig:
    """Return what `plumb_config` comes to, after the inventory's sources were pulled.

    Raises InputError where the inventory itself is wrong: what it names as the source is none.
    """
    wanted = options["config"]
    source = next((source for source in options["sources"] if source["name"] == wanted["source"]), None)
    if source is None:
        raise InputError(
            "config",
            "looking for its source",
            f"there is no source {wanted['source']!r}",
            "Name one of plumb_sources in plumb_config.",
        )
    file = git_config_file(cache, source_spec(source), wanted, options["cluster"])
    checkout = next(source.checkout for source in pulled if source.name == wanted["source"])
    try:
        if checkout is None:
            why = "its source could not be pulled"
            raise InputError(_subject(wanted), "reading it", why, "See the source's own error.")
        config = read_git_config(checkout, options)
        save_git_config(file, config)
    except OSError as error:
        return _last_good(
            options, file, f"{_subject(wanted)}: keeping it: {printable(error.strerror or str(error))}."
        )
    except PlumbError as error:
        return _last_good(options, file, str(error))
    return FollowedConfig(file, config)


def _subject(wanted: Mapping[str, Any], commit: str = "") -> str:
    return f"config {wanted['source']}:{wanted['path']}" + (f" at {commit[:7]}" if commit else "")


def _last_good(options: Mapping[str, Any], file: Path, error: str) -> FollowedConfig:
    config = load_git_config(file)
    if config is None:
        return FollowedConfig(file, None, f"{error} No earlier config is known, so none is in force.")
    wrong = at_odds(config.sources, config.apps, options)
    if wrong:
        return FollowedConfig(
            file, None, f"{error} The config of {config.commit[:7]} does not fit the inventory: {wrong[0]}"
        )
    return FollowedConfig(file, config, f"{error} The config of {config.commit[:7]} stays in force.")


def read_git_config(checkout: Checkout, options: Mapping[str, Any]) -> GitConfig:
    """Return the config of a revision, which is not in force by that.

    Raises InputError, which names up to eight of its faults, and SourceError.
    """
    wanted, commit = options["config"], checkout.revision.commit
    subject = _subject(wanted, commit)
    checked = check_config(
        _document(checkout, subject, wanted["path"]), wanted["credentials_dir"] or "", options
    )
    if checked.wrong:
        more = len(checked.wrong) - _SHOWN
        faults = " ".join(
            line if line.endswith(("?", ".")) else f"{line}." for line in checked.wrong[:_SHOWN]
        )
        rest = f" And {more} more" if more > 0 else ""
        raise InputError(subject, "reading it", f"{faults}{rest}".rstrip("."), f"{_CORRECT}.")
    return GitConfig(commit, tuple(checked.settings["sources"]), tuple(checked.settings["apps"]))


def _document(checkout: Checkout, subject: str, path: str) -> Mapping[str, Any]:
    meter = Meter(subject)
    try:
        with reading(checkout):
            tree = Tree(checkout.path, meter)
            data = tree.read(tree.find(path))
        documents = read_documents(data, file=path, meter=meter)
    except RenderError as error:
        raise InputError(
            subject, error.operation, error.reason, f"{_CORRECT}, or correct path in plumb_config."
        ) from error
    if len(documents) != 1 or not isinstance(documents[0].value, Mapping):
        raise InputError(
            subject,
            f"reading {path}",
            "it is not one YAML map",
            f"{_CORRECT}: a file with plumb_sources and plumb_apps, one of the two at least.",
        )
    return documents[0].value


def apps_in_force(options: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the apps of the config that `pull` put in force, as options. Raises InputError if it is not there."""
    config = _in_force(options)
    return config.apps if config is not None else ()


def sources_in_force(options: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the sources of that config, as their options. Raises InputError if it is not there."""
    config = _in_force(options)
    return config.sources if config is not None else ()


def _in_force(options: Mapping[str, Any]) -> GitConfig | None:
    pulled = options["config"] or {}
    if not pulled.get("path"):
        return None
    config = load_git_config(Path(pulled["path"]))
    if config is None or config.commit != pulled.get("commit"):
        raise InputError(
            "config",
            f"reading it from the cache, {pulled['path']}",
            "it does not exist any more, or another run has replaced it",
            "Pull again, and give config what that returns.",
        )
    return config


def config_report(options: Mapping[str, Any]) -> ConfigReport | None:
    """Return what a run reports of the config that `pull` returned; None where there is none."""
    pulled = options["config"]
    if not pulled:
        return None
    return ConfigReport(**{key: str(pulled.get(key) or "") for key in ("source", "file", "commit", "error")})
