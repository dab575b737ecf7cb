# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that talk to a forge do between their options and their results."""

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
from .mode import Mode


def repository(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """The result of `repository`."""
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
    with ForgeClient(_place(options)) as client:
        found = ensure_repository(client, wanted, check=mode.check)
    result: dict[str, Any] = {"changed": found.changed, "repository": _described(found)}
    if mode.diff:
        result["diff"] = {"before": _before(found), "after": _after(found)}
    return result


def deploy_key(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """The result of `deploy_key`."""
    absent = options["state"] == "absent"
    with ForgeClient(_place(options)) as client:
        if options.get("deploy_token_file"):
            token = WantedToken(title=options["title"], token_file=Path(options["deploy_token_file"]))
            done = (remove_token if absent else ensure_token)(client, token, check=mode.check)
        else:
            key = WantedKey(
                title=options["title"],
                key_file=Path(options["key_file"]),
                read_only=options["read_only"],
                known_hosts_file=_path(options, "known_hosts_file"),
            )
            done = (remove_key if absent else ensure_key)(client, key, check=mode.check)
    result: dict[str, Any] = {"changed": done.changed, **_credential(done)}
    if mode.diff:
        result["diff"] = {"prepared": "".join(f"{line}\n" for line in _told(options, done))}
    return result


def _place(options: Mapping[str, Any]) -> ForgeRepository:
    return ForgeRepository(
        kind=options["forge"],
        url=options["url"],
        owner=options["owner"],
        name=options["name"],
        token_file=Path(options["token_file"]),
        ca_file=_path(options, "ca_file"),
        proxy=options.get("proxy") or "",
        allow_http=bool(options.get("allow_http")),
        timeout=parse_duration(options.get("timeout") or "30s", subject="the forge, timeout"),
        branch=options.get("branch") or "main",
    )


def _described(found: Repository) -> dict[str, Any]:
    return {
        "exists": found.exists,
        "created": found.created,
        "url": found.url,
        "ssh_url": found.ssh_url,
        "page": found.page,
        "branch": found.branch,
        "private": found.private,
        "commit": found.commit,
    }


def _before(found: Repository) -> str:
    return "" if found.created else f"{found.url}\n"


def _after(found: Repository) -> str:
    return "".join(f"{line}\n" for line in (found.url, *(f"  {path}" for path in found.files)))


def _credential(done: Credential) -> dict[str, Any]:
    said = {"url": done.url, "username": done.username, "public_key": done.public}
    return {
        "made": done.made,
        "added": done.added,
        "removed": done.removed,
        **{k: v for k, v in said.items() if v},
    }


def _told(options: Mapping[str, Any], done: Credential) -> list[str]:
    file = options.get("deploy_token_file") or options["key_file"]
    rows = (
        (done.made, f"+ {file}"),
        (done.guarded, f"~ {file}  mode 0600"),
        (done.removed, f"- {options['title']} at {options['owner']}/{options['name']}"),
        (done.added, f"+ {options['title']} at {options['owner']}/{options['name']}"),
    )
    return [line for holds, line in rows if holds]


def _path(options: Mapping[str, Any], key: str) -> Path | None:
    return Path(options[key]) if options.get(key) else None
