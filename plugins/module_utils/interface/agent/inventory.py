# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of an agent from an operator's: the same variables, literal, with the agent's own files."""

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

# The kubeconfig that is made for an agent says how its account is reached; these options still hold for it.
_OF_ANY_ACCOUNT = frozenset({"impersonate_user", "impersonate_groups", "request_timeout", "concurrency"})
_OF_THE_AGENT = frozenset({"impersonate_user", "impersonate_groups"})  # whoever sets it up acts as themselves
# Options of one run from one machine.
_OF_A_RUN = frozenset(
    {
        "before_sync",
        "cache_dir",
        "lease_file",
        "only",
        "progress",
        "progress_file",
        "pulled_path",
        "record_path",
        "report_path",
        "retry_refused",
        "serial",
        "suspended",
    }
)
_AGENT_OPTIONS = (
    (INVENTORY.keys() - CONNECTION.keys() - _OF_A_RUN) | IMAGES.keys() | FEEDBACK.keys() | _OF_ANY_ACCOUNT
)

# Lists whose items name files, each with what an item is called and what the names of its copies begin with. All copies
# are in one folder: in a pod that is a Secret's.
_LISTS_WITH_FILES: Mapping[str, tuple[Spec, str, str]] = {
    "sources": (SOURCE, "source", ""),
    "images": (IMAGE, "image", "image."),
    "image_updates": (UPDATE, "image update", "update."),
    "notifications": (NOTIFICATION, "notification", "notification."),
}
# The same of single maps. The names of their copies begin with `_`, which no source's name does.
_MAPS_WITH_FILES: Mapping[str, Spec] = {"forge": FLEET_FORGE, "hooks": HOOKS}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}", re.ASCII)
_TEMPLATE = re.compile(r"\{[{%#]")


def cluster(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the variables of a host that is a cluster say: `name`, `connection`, and `variables` for its agent.

    `place` and `server` are plumb_agent_place and plumb_agent_server, empty where the host does not have them. Values
    are as the inventory has them; `for_agent` checks them.
    """
    return {
        "name": str(variables["inventory_hostname"]),
        "place": str(variables.get(f"{PREFIX}agent_place") or ""),
        "server": str(variables.get(f"{PREFIX}agent_server") or ""),
        "connection": _without_prefix(variables, CONNECTION.keys() - _OF_THE_AGENT),
        "variables": _without_prefix(variables, _AGENT_OPTIONS),
    }


def _without_prefix(variables: Mapping[str, Any], options: Iterable[str]) -> dict[str, Any]:
    return {option: variables[PREFIX + option] for option in sorted(options) if PREFIX + option in variables}


def for_agent(cluster: Mapping[str, Any], *, access: str, credentials: str, cache: str) -> dict[str, Any]:
    """Return what an agent is given of a cluster that `cluster` returned. The folders are on the agent's host.

    `variables` are those of the host in the agent's inventory, and `ports` those that it connects to for them. `files`
    are to be copied there, each with `src` on this machine (absolute; a folder ends in `/`) and `dest`. Raises
    InputError for a name that cannot be a file's, and for a value with template syntax: Ansible would evaluate it where
    the agent runs.
    """
    name = str(cluster["name"])
    _check_name(name, f"host {name[:80]!r}", "Rename the host.")
    settings = {
        option: _literal(value, f"{PREFIX}{option} of {name}")
        for option, value in cluster["variables"].items()
    }
    home = f"{credentials}/{name}"
    files: list[dict[str, str]] = []
    for option, (spec, what, start) in _LISTS_WITH_FILES.items():
        if settings.get(option):
            settings[option] = [
                _with_files(item, spec, f"{home}/{start}", f"{what} {{}} of {name}", files)
                for item in settings[option]
            ]
    for update in settings.get("image_updates") or ():
        if update.get("signing"):
            key = f"{home}/update.{update['name']}."
            update["signing"] = _with_files(update["signing"], SIGNING, key, "", files, name="signing")
    if (settings.get("config") or {}).get("credentials_dir"):
        origin = Path(str(settings["config"]["credentials_dir"])).expanduser().absolute()
        settings["config"] = {**settings["config"], "credentials_dir": f"{home}/config"}
        files.append({"src": f"{origin}/", "dest": f"{home}/config/"})
    for option, spec in _MAPS_WITH_FILES.items():
        if settings.get(option):
            settings[option] = _with_files(settings[option], spec, f"{home}/_", "", files, name=option)
    variables = {f"{PREFIX}{option}": value for option, value in sorted(settings.items())}
    variables[f"{PREFIX}kubeconfig"] = f"{access}/{name}.kubeconfig"
    variables[f"{PREFIX}cache_dir"] = cache
    return {
        "name": name,
        "server": cluster.get("server") or "",
        "connection": cluster["connection"],
        "variables": {"ansible_connection": "local", **variables},
        "files": files,
        "folder": home,
        "ports": ports_of(settings),
    }


def _with_files(
    item: Mapping[str, Any],
    spec: Spec,
    start: str,
    subject: str,
    files: list[dict[str, str]],
    *,
    name: str = "",
) -> dict[str, Any]:
    """Return an item with the files that it names as the agent has them. What is to be copied is added to `files`."""
    name, changed = name or str(item.get("name")), dict(item)
    options = [option for option in spec if spec[option]["type"] == "path" and item.get(option)]
    if options:
        _check_name(name, subject.format(repr(name[:80])), "Rename it.")
    for option in options:
        origin = str(Path(str(item[option])).expanduser().absolute())
        changed[option] = f"{start}{name}.{option}"
        files.append({"src": origin, "dest": changed[option]})
    return changed


def _check_name(name: str, subject: str, next_step: str) -> None:
    if _NAME.fullmatch(name) is None:
        why = "its name cannot be a file's: it has other characters than letters, digits, '.', '_' and '-'"
        raise InputError(subject, "making the agent's inventory", why, next_step)


def _literal(value: Any, place: str) -> Any:
    """Return a value in plain JSON types: Ansible's own kinds of text and maps do not belong in a file."""
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
