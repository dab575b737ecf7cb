# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deploy key, or on some forges a deploy token: with it an agent can read one repository and nothing else."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..model.errors import InputError
from ..state.file import write_whole
from .api_calls import ForgeAction
from .api_table import READ_SCOPES
from .client import ForgeClient
from .key_pair import check_known_host, make_pair, read_pair, remove_pair, restrict_access
from .repository import find_repository


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedKey:
    """A deploy key: its title at the forge, and the file of the private half."""

    title: str
    key_file: Path
    read_only: bool = True
    known_hosts_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedToken:
    """A deploy token: its name at the forge, and its file."""

    title: str
    token_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What was done. `made`: a key pair or token was made; `added`, `removed`: at the forge."""

    url: str = ""  # the repository's address that this credential is for
    username: str = ""  # that goes with a token
    public: str = ""
    made: bool = False
    added: bool = False
    removed: bool = False
    guarded: bool = False  # the file's mode was set to 0600

    @property
    def changed(self) -> bool:
        """Whether anything was, or in a check would be, changed."""
        return self.made or self.added or self.removed or self.guarded


def ensure_key(client: ForgeClient, wanted: WantedKey, *, check: bool) -> Credential:
    """Make the pair if there is none, and add it to the repository if it is not there. Safe to repeat.

    A key of ours with other rights is replaced; keys of others are left alone. Raises ForgeError, InputError.
    """
    pair = read_pair(wanted.key_file)
    url = find_repository(client).ssh_url
    if wanted.known_hosts_file is not None:
        check_known_host(wanted.known_hosts_file, replace(client.repository.git, url=url, token_file=None))
    mine = [
        key for key in client.list_items(ForgeAction.LIST_KEYS) if pair and _is_key(client, key, pair.public)
    ]
    right = [key for key in mine if client.holds(key, "read_only") == wanted.read_only]
    result = Credential(
        url=url,
        public=pair.public if pair else "",
        made=pair is None,
        added=not right,
        removed=bool(mine) and not right,
        guarded=pair is not None and not pair.guarded,
    )
    if check:
        return result
    if pair is None:
        pair = make_pair(wanted.key_file, wanted.title)
        result = replace(result, public=pair.public)
    if result.guarded:
        restrict_access(wanted.key_file)
    if not right:
        for key in mine:
            client.request(ForgeAction.REMOVE_KEY, identity=client.read(key, "id"))
        client.request(
            ForgeAction.ADD_KEY,
            {
                "title": wanted.title,
                "key": pair.public,
                "read_only": wanted.read_only,
                "can_push": not wanted.read_only,
            },
        )
    return result


def remove_key(client: ForgeClient, wanted: WantedKey, *, check: bool) -> Credential:
    """Take the key of `key_file` from the repository, and remove the file. A key whose file is gone stays."""
    pair = read_pair(wanted.key_file)
    mine = [
        key for key in client.list_items(ForgeAction.LIST_KEYS) if pair and _is_key(client, key, pair.public)
    ]
    if not check:
        for key in mine:
            client.request(ForgeAction.REMOVE_KEY, identity=client.read(key, "id"))
        remove_pair(wanted.key_file)
    return Credential(public=pair.public if pair else "", removed=pair is not None)


def ensure_token(client: ForgeClient, wanted: WantedToken, *, check: bool) -> Credential:
    """Have a token that may read the repository in its file; it is made again where the file or the token is gone.

    Raises ForgeError, InputError; InputError as well for a forge that has no such tokens.
    """
    live = _live_tokens(client, wanted)
    exists, guarded = _token_file(wanted.token_file)
    url = client.repository.clone_url
    if exists and live:
        result = Credential(url=url, username=client.read(live[-1], "token_user"), guarded=not guarded)
        if result.guarded and not check:
            restrict_access(wanted.token_file)
        return result
    if check:
        return Credential(url=url, made=True, added=True)
    made = client.request(ForgeAction.ADD_TOKEN, {"title": wanted.title, "scopes": list(READ_SCOPES)}).content
    try:
        write_whole(wanted.token_file, f"{client.read(made, 'token')}\n")
    except OSError as exc:
        client.request(ForgeAction.REMOVE_TOKEN, identity=client.read(made, "id"))
        raise _unwritable(wanted.token_file, exc) from exc
    return Credential(url=url, username=client.read(made, "token_user"), made=True, added=True)


def remove_token(client: ForgeClient, wanted: WantedToken, *, check: bool) -> Credential:
    """Revoke the tokens of this name, and remove the file."""
    live = _live_tokens(client, wanted)
    exists, _guarded = _token_file(wanted.token_file)
    if not check:
        for token in live:
            client.request(ForgeAction.REMOVE_TOKEN, identity=client.read(token, "id"))
        try:
            wanted.token_file.unlink(missing_ok=True)
        except OSError as exc:
            raise _unwritable(wanted.token_file, exc) from exc
    return Credential(removed=bool(live) or exists)


def _is_key(client: ForgeClient, key: Mapping[str, Any], public: str) -> bool:
    return client.read(key, "key").split()[:2] == public.split()


def _live_tokens(client: ForgeClient, wanted: WantedToken) -> list[Mapping[str, Any]]:
    return [
        token
        for token in client.list_items(ForgeAction.LIST_TOKENS)
        if client.read(token, "token_name") == wanted.title
        and not client.holds(token, "revoked")
        and not client.holds(token, "expired")
    ]


def _token_file(path: Path) -> tuple[bool, bool]:
    """Return whether the file is there, and whether nobody else may read it."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False, True
    except OSError as exc:
        raise _unwritable(path, exc) from exc
    if not stat.S_ISREG(mode) or not path.is_absolute():
        raise InputError(f"file {path}", "managing the deploy token", "it is not a file", "Name another one.")
    return path.stat().st_size > 0, stat.S_IMODE(mode) & 0o077 == 0


def _unwritable(path: Path, exc: OSError) -> InputError:
    return InputError(
        f"file {path}",
        "managing the deploy token",
        exc.strerror or str(exc),
        "Name a place that this account may write to.",
    )
