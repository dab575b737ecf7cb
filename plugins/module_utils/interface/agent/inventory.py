# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an operator's inventory to the one that an agent works with: the same words, literal, and files of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from ..inventory.validation import PREFIX
from ..options.common import CONNECTION, INVENTORY, SOURCE, Spec
from ..options.feedback import FEEDBACK, FLEET_FORGE, HOOKS, NOTIFICATION
from ..options.images import IMAGE, IMAGES, SIGNING, UPDATE
from .egress_ports import ports_of

# How an agent's own account is reached stands in the kubeconfig that is made for it; these still hold for it.
_OF_ANY_ACCOUNT = frozenset({"impersonate_user", "impersonate_groups", "request_timeout", "concurrency"})
_OF_THE_AGENT = frozenset({"impersonate_user", "impersonate_groups"})  # who sets it up acts as himself
# What is about one run from one place.
_OF_A_RUN = frozenset(
    {"cache_dir", "lease_file", "only", "report_path", "retry_refused", "serial", "suspended"}
)
_WORDS = (
    (INVENTORY.keys() - CONNECTION.keys() - _OF_A_RUN) | IMAGES.keys() | FEEDBACK.keys() | _OF_ANY_ACCOUNT
)

# Lists whose items name files, each with what an item is called and what the names of its copies begin with. They all
# are in one folder: in a pod that is a Secret's.
_NAMING_FILES: Mapping[str, tuple[Spec, str, str]] = {
    "sources": (SOURCE, "source", ""),
    "images": (IMAGE, "image", "image."),
    "image_updates": (UPDATE, "image update", "update."),
    "notifications": (NOTIFICATION, "notification", "notification."),
}
# The same of single things; no source, of which the names of copies begin otherwise, is called so.
_NAMES_FILES: Mapping[str, Spec] = {"forge": FLEET_FORGE, "hooks": HOOKS}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}", re.ASCII)
_TEMPLATE = re.compile(r"\{[{%#]")


def cluster(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Of the variables of a host that is a cluster: its `name`, the `connection`, and `variables` for its agent.

    `place` and `server` are plumb_agent_place and plumb_agent_server, empty where the host does not have them. Values
    are as the inventory has them; `for_agent` checks them.
    """
    return {
        "name": str(variables["inventory_hostname"]),
        "place": str(variables.get(f"{PREFIX}agent_place") or ""),
        "server": str(variables.get(f"{PREFIX}agent_server") or ""),
        "connection": _chosen(variables, CONNECTION.keys() - _OF_THE_AGENT),
        "variables": _chosen(variables, _WORDS),
    }


def _chosen(variables: Mapping[str, Any], words: Iterable[str]) -> dict[str, Any]:
    return {word: variables[PREFIX + word] for word in sorted(words) if PREFIX + word in variables}


def for_agent(given: Mapping[str, Any], *, access: str, credentials: str, cache: str) -> dict[str, Any]:
    """What an agent is to be given of what `cluster` gave. The folders are on the agent's host.

    `variables` are those of the host in the agent's inventory, and `ports` those that it connects to for them. `files`
    are to be copied there, each with `src` on this machine (absolute; a folder ends in `/`) and `dest`. Raises
    InputError for a name that cannot be a file's, and for a value with template syntax: Ansible would evaluate it where
    the agent runs.
    """
    name = str(given["name"])
    _check_name(name, f"host {name[:80]!r}", "Rename the host.")
    words = {word: _literal(value, f"{PREFIX}{word} of {name}") for word, value in given["variables"].items()}
    home = f"{credentials}/{name}"
    files: list[dict[str, str]] = []
    for word, (spec, what, start) in _NAMING_FILES.items():
        if words.get(word):
            words[word] = [
                _with_files(one, spec, f"{home}/{start}", f"{what} {{}} of {name}", files)
                for one in words[word]
            ]
    for one in words.get("image_updates") or ():
        if one.get("signing"):
            key = f"{home}/update.{one['name']}."
            one["signing"] = _with_files(one["signing"], SIGNING, key, "", files, name="signing")
    if (words.get("config") or {}).get("credentials_dir"):
        origin = Path(str(words["config"]["credentials_dir"])).expanduser().absolute()
        words["config"] = {**words["config"], "credentials_dir": f"{home}/config"}
        files.append({"src": f"{origin}/", "dest": f"{home}/config/"})
    for word, spec in _NAMES_FILES.items():
        if words.get(word):
            words[word] = _with_files(words[word], spec, f"{home}/_", "", files, name=word)
    variables = {f"{PREFIX}{word}": value for word, value in sorted(words.items())}
    variables[f"{PREFIX}kubeconfig"] = f"{access}/{name}.kubeconfig"
    variables[f"{PREFIX}cache_dir"] = cache
    return {
        "name": name,
        "server": given.get("server") or "",
        "connection": given["connection"],
        "variables": {"ansible_connection": "local", **variables},
        "files": files,
        "folder": home,
        "ports": ports_of(words),
    }


def _with_files(
    given: Mapping[str, Any],
    spec: Spec,
    start: str,
    subject: str,
    files: list[dict[str, str]],
    *,
    name: str = "",
) -> dict[str, Any]:
    """An item with the files it names as the agent has them; what is to be copied is added to `files`."""
    name, changed = name or str(given.get("name")), dict(given)
    named = [option for option, said in spec.items() if said["type"] == "path" and given.get(option)]
    if named:
        _check_name(name, subject.format(repr(name[:80])), "Rename it.")
    for option in named:
        origin = str(Path(str(given[option])).expanduser().absolute())
        changed[option] = f"{start}{name}.{option}"
        files.append({"src": origin, "dest": changed[option]})
    return changed


def _check_name(name: str, subject: str, next_step: str) -> None:
    if _NAME.fullmatch(name) is None:
        why = "its name cannot be a file's: it has other characters than letters, digits, '.', '_' and '-'"
        raise InputError(subject, "making the agent's inventory", why, next_step)


def _literal(value: Any, place: str) -> Any:
    """The value in plain JSON types. Ansible's own kinds of text and maps do not belong in a file."""
    if isinstance(value, Mapping):
        return {_literal(key, place): _literal(inner, f"{place}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_literal(inner, f"{place}[{index}]") for index, inner in enumerate(value)]
    if isinstance(value, str):
        if _TEMPLATE.search(value):
            why = "its value has template syntax, which would be evaluated where the agent runs"
            raise InputError(place, "making the agent's inventory", why, "Write it without.")
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise InputError(
        place, "making the agent's inventory", f"it is a {type(value).__name__}", "Write it as text."
    )
