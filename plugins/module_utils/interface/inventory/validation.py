# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of the inventory: unknown names, with the nearest known one; types; and values that cannot be used."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ...model.app import RefKind
from ...model.errors import PlumbError, printable
from ...reconcile.desired.dependencies import dependencies
from ...reconcile.desired.desired_state import check_former_names
from ...source.git.address import check_spec
from ..options.agent import AGENT
from ..options.common import INVENTORY, Spec, for_ansible
from ..options.feedback import FEEDBACK
from ..options.images import IMAGES
from ..parsing.checkout_paths import cache_size_of
from ..parsing.engine_values import app_specs, connection_spec, source_spec
from ..parsing.option_values import with_defaults
from ..parsing.receivers import unusable_feedback
from ..parsing.untag import to_plain_types

PREFIX = "plumb_"
_KNOWN: Spec = {**INVENTORY, **FEEDBACK, **IMAGES, **AGENT}

_OF_CONFIG = {name: INVENTORY[name] for name in ("sources", "apps")}  # what a config in Git may say
_FILES = ("token_file", "ssh_key_file", "known_hosts_file", "ca_file")
_NO_FILES = "names a file of this machine, which Git may not without credentials_dir in plumb_config"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CheckedInventory:
    """The `plumb_*` variables of a host: `settings` with types and defaults, or what is wrong, a line for each."""

    settings: Mapping[str, Any]
    wrong: tuple[str, ...] = ()


def check_inventory(variables: Mapping[str, Any], *, addresses: bool = False) -> CheckedInventory:
    """Check the `plumb_*` variables of a host; with `addresses` also its sources' addresses, as a pull does.

    A variable that is null is as good as none.
    """
    values = {
        name.removeprefix(PREFIX): to_plain_types(value)
        for name, value in variables.items()
        if name.startswith(PREFIX) and value is not None
    }
    known = {name: value for name, value in values.items() if name in _KNOWN}
    wrong = unknown_keys(variables, known, _KNOWN)
    if wrong:
        return CheckedInventory({}, tuple(wrong))
    checked = ArgumentSpecValidator(for_ansible(_KNOWN)).validate(known)
    if checked.error_messages:
        return CheckedInventory({}, tuple(f"{PREFIX}*: {message}" for message in checked.error_messages))
    settings = _with_empty_lists(_KNOWN, checked.validated_parameters)
    return CheckedInventory(settings, tuple(_unusable(settings, addresses=addresses)))


def check_config(
    document: Mapping[str, Any], credentials_dir: str, inventory: Mapping[str, Any]
) -> CheckedInventory:
    """Check a config that lives in Git, beside the sources, apps and namespace of an `inventory`.

    Its sources may name no file of this machine, unless the operator gives a `credentials_dir`: then they name files in
    it, by their plain names.
    """
    known = {f"{PREFIX}{name}" for name in _OF_CONFIG}
    values = {name.removeprefix(PREFIX): document[name] for name in document if name in known}
    wrong = [_unknown("key", str(name), known) for name in sorted(map(str, document)) if name not in known]
    wrong += unknown_keys((), values, _OF_CONFIG)
    placed, unplaced = _with_credentials(values.get("sources"), credentials_dir)
    if wrong or unplaced:
        return CheckedInventory({}, tuple(wrong + unplaced))
    checked = ArgumentSpecValidator(for_ansible(_OF_CONFIG)).validate({**values, "sources": placed})
    if checked.error_messages:
        return CheckedInventory({}, tuple(f"{PREFIX}*: {message}" for message in checked.error_messages))
    settings = _with_empty_lists(_OF_CONFIG, checked.validated_parameters)
    return CheckedInventory(settings, tuple(at_odds(settings["sources"], settings["apps"], inventory)))


def _with_empty_lists(spec: Spec, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with an empty list for each list of items that is not given, or null."""
    lists = [name for name, option in spec.items() if option.get("elements") == "dict"]
    return {**settings, **{name: settings[name] or [] for name in lists}}


def at_odds(
    sources: Sequence[Mapping[str, Any]], apps: Sequence[Mapping[str, Any]], inventory: Mapping[str, Any]
) -> list[str]:
    """Return why these sources and apps cannot be used beside those of an inventory, a line for each reason."""
    of_inventory = {"source": inventory["sources"], "app": inventory["apps"]}
    wrong: list[str] = []
    for what, items in (("source", sources), ("app", apps)):
        taken = {str(item["name"]) for item in of_inventory[what]}
        for name in (str(item["name"]) for item in items):
            if name in taken:
                wrong.append(f"{what} {name[:80]!r}: another {what} has this name, here or in the inventory")
            taken.add(name)
    if wrong:
        return wrong
    for source in sources:
        try:
            check_spec(source_spec(source))
        except PlumbError as error:
            wrong.append(str(error))
    both = {
        "sources": [*of_inventory["source"], *sources],
        "apps": [*of_inventory["app"], *apps],
        "namespace": inventory["namespace"],
    }
    return wrong or _unusable(_with_empty_lists(_KNOWN, with_defaults(_KNOWN, both)), addresses=False)


def _with_credentials(sources: Any, credentials_dir: str) -> tuple[Any, list[str]]:
    """Return the sources with the files that they name in `credentials_dir`, and what is wrong with those names."""
    if not isinstance(sources, (list, tuple)):
        return sources, []  # the check of types says so
    placed: list[Any] = []
    wrong: list[str] = []
    for index, source in enumerate(sources):
        if not isinstance(source, Mapping):
            placed.append(source)
            continue
        named = {name: source[name] for name in _FILES if source.get(name) is not None}
        for name, value in named.items():
            why = "" if credentials_dir else _NO_FILES
            if not why and not (isinstance(value, str) and _PLAIN_NAME.fullmatch(value)):
                why = "is not the plain name of a file in credentials_dir"
            if why:
                wrong.append(
                    f"{PREFIX}sources[{printable(str(source.get('name', index)), 80)}]: {name} {why}"
                )
        placed.append({**source, **{name: f"{credentials_dir}/{value}" for name, value in named.items()}})
    return placed, wrong


def _unusable(settings: Mapping[str, Any], *, addresses: bool) -> list[str]:
    """Return what has known names and right types and cannot be used: durations, limits, names, references."""
    wrong: list[str] = []
    sources, apps, config = settings["sources"], settings["apps"], settings["config"]
    for check in (
        lambda: [check_spec(source_spec(source)) if addresses else source_spec(source) for source in sources],
        lambda: dependencies(app_specs(apps)),
        lambda: check_former_names(app_specs(apps), settings["namespace"]),
        lambda: connection_spec(settings),
        lambda: cache_size_of(settings),
        lambda: _check_images(settings),
    ):
        try:
            check()
        except PlumbError as error:
            wrong.append(str(error))
    names = {source["name"] for source in sources}
    wrong += [
        f"app {app['name']}: there is no source {app['source']!r}; known are {', '.join(sorted(names)) or 'none'}."
        for app in apps
        if app["source"] not in names
    ]
    if config and config["source"] not in names:
        wrong.append(
            f"config: there is no source {config['source']!r}; known are {', '.join(sorted(names)) or 'none'}."
        )
    wrong += unusable_feedback(settings)
    if config and config["credentials_dir"] and not Path(config["credentials_dir"]).is_absolute():
        wrong.append("config: credentials_dir is not an absolute path.")
    return list(dict.fromkeys(wrong))


def _check_images(settings: Mapping[str, Any]) -> None:
    if settings["images"] or settings["image_updates"]:
        from ..parsing.image_values import check_images  # noqa: PLC0415 - a package that most runs do without

        check_images(settings)


def unknown_keys(variables: Iterable[str], values: Mapping[str, Any], spec: Spec) -> list[str]:
    """Return a line for each name in an inventory that is unknown, with the nearest known one.

    `variables` are all names of variables that a host has; `values` those of the known ones, without the prefix. Types
    and choices are not checked here.
    """
    known = {f"{PREFIX}{name}" for name in spec}
    lines = [
        _unknown("variable", name, known)
        for name in sorted(variables)
        if name.startswith(PREFIX) and name not in known
    ]
    for name in sorted(values):
        lines += _inside(f"{PREFIX}{name}", values[name], spec[name])
    return [*lines, *_wrong_refs(values.get("sources"), spec)]


def _wrong_refs(sources: Any, spec: Spec) -> Iterator[str]:
    """Yield a line for each source that does not name exactly one revision: Ansible's own check does not say which.

    Where none is named, an unknown option may be the misspelt one, and has its own message.
    """
    options = spec["sources"]["options"] if "sources" in spec else {}
    for index, source in enumerate(sources if isinstance(sources, (list, tuple)) else ()):
        if not isinstance(source, Mapping):
            continue
        named = [kind.value for kind in RefKind if source.get(kind.value) is not None]
        if len(named) == 1 or (not named and not options.keys() >= source.keys()):
            continue
        where = f"{PREFIX}sources[{printable(str(source.get('name', index)), 80)}]"
        fault = f"{', '.join(named[:-1])} and {named[-1]} are given" if named else "no revision is given"
        yield (
            f"{where}: {fault}, and a source follows exactly one of branch, tag, semver and commit. "
            + (
                f"Leave {', '.join(named[:-1])} or {named[-1]}."
                if named
                else "Write for example branch: main."
            )
        )


def _inside(place: str, value: Any, option: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each unknown key of a dict, or of the dicts of a list."""
    inner = option.get("options")
    if inner is None or not isinstance(value, (list, tuple, Mapping)):
        return
    is_map = isinstance(value, Mapping)
    for index, item in enumerate([value] if is_map else value):
        if not isinstance(item, Mapping):
            continue
        where = place if is_map else f"{place}[{item.get('name', index)}]"
        for key in item:
            if key not in inner:
                yield _unknown(f"{where}: option", str(key), inner)


def _unknown(what: str, word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"{what} {word!r} is unknown; " + (
        f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}."
    )
