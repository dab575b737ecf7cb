# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lets an agent read one repository and nothing else: a deploy key, or where the forge has them a deploy token."""

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
from .key_pair import check_known_host, forget, guard, make_pair, read_pair
from .repository import find_repository


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedKey:
    """A deploy key: its title at the forge, and where the private half lies or will lie."""

    title: str
    key_file: Path
    read_only: bool = True
    known_hosts_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedToken:
    """A deploy token: its name at the forge, and the file that it lies or will lie in."""

    title: str
    token_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What came of it. `made`: a key pair or token was made; `added`, `removed`: at the forge."""

    url: str = ""  # the repository's address that this credential is for
    username: str = ""  # that goes with a token
    public: str = ""
    made: bool = False
    added: bool = False
    removed: bool = False
    guarded: bool = False  # the file's mode was set to 0600

    @property
    def changed(self) -> bool:
        return self.made or self.added or self.removed or self.guarded


def ensure_key(client: ForgeClient, wanted: WantedKey, *, check: bool) -> Credential:
    """Make the pair if there is none, and add it to the repository if it is not there. Safe to repeat.

    A key of ours with other rights is replaced; keys of others are left alone. Raises ForgeError, InputError.
    """
    pair = read_pair(wanted.key_file)
    url = find_repository(client).ssh_url
    if wanted.known_hosts_file is not None:
        check_known_host(wanted.known_hosts_file, replace(client.place.git, url=url, token_file=None))
    mine = [key for key in client.all(ForgeAction.LIST_KEYS) if pair and _is(client, key, pair.public)]
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
        guard(wanted.key_file)
    if not right:
        for key in mine:
            client.ask(ForgeAction.REMOVE_KEY, identity=client.read(key, "id"))
        client.ask(
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
    mine = [key for key in client.all(ForgeAction.LIST_KEYS) if pair and _is(client, key, pair.public)]
    if not check:
        for key in mine:
            client.ask(ForgeAction.REMOVE_KEY, identity=client.read(key, "id"))
        forget(wanted.key_file)
    return Credential(public=pair.public if pair else "", removed=pair is not None)


def ensure_token(client: ForgeClient, wanted: WantedToken, *, check: bool) -> Credential:
    """A token that may read the repository, in its file; made anew where the file or the token is gone.

    Raises ForgeError, InputError; InputError as well for a forge that has no such tokens.
    """
    live = _live_tokens(client, wanted)
    there, guarded = _token_file(wanted.token_file)
    url = client.place.clone_url
    if there and live:
        result = Credential(url=url, username=client.read(live[-1], "token_user"), guarded=not guarded)
        if result.guarded and not check:
            guard(wanted.token_file)
        return result
    if check:
        return Credential(url=url, made=True, added=True)
    made = client.ask(ForgeAction.ADD_TOKEN, {"title": wanted.title, "scopes": list(READ_SCOPES)}).content
    try:
        write_whole(wanted.token_file, f"{client.read(made, 'token')}\n")
    except OSError as exc:
        client.ask(ForgeAction.REMOVE_TOKEN, identity=client.read(made, "id"))
        raise _no_place(wanted.token_file, exc) from exc
    return Credential(url=url, username=client.read(made, "token_user"), made=True, added=True)


def remove_token(client: ForgeClient, wanted: WantedToken, *, check: bool) -> Credential:
    """Revoke the tokens of this name, and remove the file."""
    live = _live_tokens(client, wanted)
    there, _guarded = _token_file(wanted.token_file)
    if not check:
        for token in live:
            client.ask(ForgeAction.REMOVE_TOKEN, identity=client.read(token, "id"))
        try:
            wanted.token_file.unlink(missing_ok=True)
        except OSError as exc:
            raise _no_place(wanted.token_file, exc) from exc
    return Credential(removed=bool(live) or there)


def _is(client: ForgeClient, key: Mapping[str, Any], public: str) -> bool:
    return client.read(key, "key").split()[:2] == public.split()


def _live_tokens(client: ForgeClient, wanted: WantedToken) -> list[Mapping[str, Any]]:
    return [
        token
        for token in client.all(ForgeAction.LIST_TOKENS)
        if client.read(token, "token_name") == wanted.title
        and not client.holds(token, "revoked")
        and not client.holds(token, "expired")
    ]


def _token_file(path: Path) -> tuple[bool, bool]:
    """Whether the file is there, and whether nobody else may read it."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False, True
    except OSError as exc:
        raise _no_place(path, exc) from exc
    if not stat.S_ISREG(mode) or not path.is_absolute():
        raise InputError(
            f"file {path}", "looking after the deploy token", "it is not a file", "Name another one."
        )
    return path.stat().st_size > 0, stat.S_IMODE(mode) & 0o077 == 0


def _no_place(path: Path, exc: OSError) -> InputError:
    return InputError(
        f"file {path}",
        "looking after the deploy token",
        exc.strerror or str(exc),
        "Name a place that this account may write to.",
    )
