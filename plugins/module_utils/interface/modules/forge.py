# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `repository` and `deploy_key` do between their options and their results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...forge.client import ForgeClient
from ...forge.deploy_key import (
    Credential,
    WantedKey,
    WantedToken,
    ensure_key,
    ensure_token,
    remove_key,
    remove_token,
)
from ...forge.repository import Repository, WantedRepository, ensure_repository
from ...forge.repository_address import ForgeRepository
from ...model.app import Person
from ...model.duration import parse_duration
from ...source.first_commit import FirstCommit
from ..options.common import REPOSITORY as REPOSITORY_OPTIONS
from ..options.common import spec_of_deploy_key, spec_of_repository
from ..parsing.option_values import path_or_none
from .main import ModuleWork
from .mode import Mode


def repository(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the result of `repository`."""
    first = None
    if options["files"]:
        first = FirstCommit(
            files={str(path): str(text) for path, text in options["files"].items()},
            subject=options["commit_message"],
            author=Person(options["author_name"], options["author_email"]),
        )
    wanted = WantedRepository(
        create=options["create"], private=options["private"], description=options["description"], first=first
    )
    with ForgeClient(_forge_repository(options)) as client:
        ensured = ensure_repository(client, wanted, check=mode.check)
    result: dict[str, Any] = {"changed": ensured.changed, "repository": _described(ensured)}
    if mode.diff:
        result["diff"] = {"before": _before(ensured), "after": _after(ensured)}
    return result


def deploy_key(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the result of `deploy_key`."""
    absent = options["state"] == "absent"
    with ForgeClient(_forge_repository(options)) as client:
        if options["deploy_token_file"]:
            token = WantedToken(title=options["title"], token_file=Path(options["deploy_token_file"]))
            done = (remove_token if absent else ensure_token)(client, token, check=mode.check)
        else:
            key = WantedKey(
                title=options["title"],
                key_file=Path(options["key_file"]),
                read_only=options["read_only"],
                known_hosts_file=path_or_none(options, "known_hosts_file"),
            )
            done = (remove_key if absent else ensure_key)(client, key, check=mode.check)
    result: dict[str, Any] = {"changed": done.changed, **_credential(done)}
    if mode.diff:
        result["diff"] = {"prepared": "".join(f"{line}\n" for line in _diff(options, done))}
    return result


def _forge_repository(options: Mapping[str, Any]) -> ForgeRepository:
    return ForgeRepository(
        kind=options["forge"],
        url=options["url"],
        owner=options["owner"],
        name=options["name"],
        token_file=Path(options["token_file"]),
        ca_file=path_or_none(options, "ca_file"),
        proxy=options["proxy"],
        allow_http=options["allow_http"],
        timeout=parse_duration(options["timeout"], subject="the forge, timeout"),
        branch=options.get("branch", REPOSITORY_OPTIONS["branch"]["default"]),  # deploy_key takes none
    )


def _described(repository: Repository) -> dict[str, Any]:
    return {
        "exists": repository.exists,
        "created": repository.created,
        "url": repository.url,
        "ssh_url": repository.ssh_url,
        "page": repository.page,
        "branch": repository.branch,
        "private": repository.private,
        "commit": repository.commit,
    }


def _before(repository: Repository) -> str:
    return "" if repository.created else f"{repository.url}\n"


def _after(repository: Repository) -> str:
    lines = (repository.url, *(f"  {path}" for path in repository.files))
    return "".join(f"{line}\n" for line in lines)


def _credential(done: Credential) -> dict[str, Any]:
    values = {"url": done.url, "username": done.username, "public_key": done.public}
    return {
        "made": done.made,
        "added": done.added,
        "removed": done.removed,
        **{k: v for k, v in values.items() if v},
    }


def _diff(options: Mapping[str, Any], done: Credential) -> list[str]:
    file = options["deploy_token_file"] or options["key_file"]
    rows = (
        (done.made, f"+ {file}"),
        (done.guarded, f"~ {file}  mode 0600"),
        (done.removed, f"- {options['title']} at {options['owner']}/{options['name']}"),
        (done.added, f"+ {options['title']} at {options['owner']}/{options['name']}"),
    )
    return [line for holds, line in rows if holds]


REPOSITORY = ModuleWork("repository", spec_of_repository(), repository)
_ONE_FILE = [["key_file", "deploy_token_file"]]
DEPLOY_KEY = ModuleWork(
    "deploy_key",
    spec_of_deploy_key(),
    deploy_key,
    {"mutually_exclusive": _ONE_FILE, "required_one_of": _ONE_FILE},
)
