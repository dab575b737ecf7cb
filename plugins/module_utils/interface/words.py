# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the inventory: which are known, and which was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..model.errors import PlumbError
from ..reconcile.claims import check_former_names
from ..reconcile.dependencies import dependencies
from .options import INVENTORY, Spec, for_ansible
from .values import app_specs, connection_spec, source_spec

PREFIX = "plumb_"


def check_inventory(variables: Mapping[str, Any]) -> list[str]:
    """What is wrong with the `plumb_*` variables of a host, one line each; empty where they can be used."""
    given = {name.removeprefix(PREFIX): value for name, value in variables.items() if name.startswith(PREFIX)}
    known = {name: value for name, value in given.items() if name in INVENTORY}
    wrong = wrong_words(variables, known, INVENTORY)
    if wrong:
        return wrong
    checked = ArgumentSpecValidator(for_ansible(INVENTORY)).validate(known)
    if checked.error_messages:
        return [f"{PREFIX}*: {message}" for message in checked.error_messages]
    return _unusable(checked.validated_parameters)


def _unusable(settings: Mapping[str, Any]) -> list[str]:
    """What has the right words and types and still cannot be: durations, limits, names, references between them."""
    wrong: list[str] = []
    sources = settings.get("sources") or ()
    apps = settings.get("apps") or ()
    for check in (
        lambda: [source_spec(given) for given in sources],
        lambda: dependencies(app_specs(apps)),
        lambda: check_former_names(app_specs(apps), settings["namespace"]),
        lambda: connection_spec(settings),
    ):
        try:
            check()
        except PlumbError as error:
            wrong.append(str(error))
    names = {given["name"] for given in sources}
    wrong += [
        f"app {app['name']}: there is no source {app['source']!r}; known are {', '.join(sorted(names)) or 'none'}."
        for app in apps
        if app["source"] not in names
    ]
    return wrong


def wrong_words(variables: Iterable[str], given: Mapping[str, Any], spec: Spec) -> list[str]:
    """What is wrong with the words of an inventory, each with the nearest right one.

    `variables` are all names of variables that a host has; `given` the values of those that are known, without the
    prefix. Types and choices are not looked at here.
    """
    known = {f"{PREFIX}{name}" for name in spec}
    found = [
        _unknown("variable", name, known)
        for name in sorted(variables)
        if name.startswith(PREFIX) and name not in known
    ]
    for name in sorted(given):
        found += _inside(f"{PREFIX}{name}", given[name], spec[name])
    return found


def _inside(place: str, value: Any, option: Mapping[str, Any]) -> Iterator[str]:
    """The unknown keys of a list of dicts, an item at a time."""
    inner = option.get("options")
    if inner is None or not isinstance(value, (list, tuple)):
        return
    for index, item in enumerate(value):
        if not isinstance(item, Mapping):
            continue
        where = f"{place}[{item.get('name', index)}]"
        for key in item:
            if key not in inner:
                yield _unknown(f"{where}: option", str(key), inner)


def _unknown(what: str, word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"{what} {word!r} is unknown; " + (
        f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}."
    )
