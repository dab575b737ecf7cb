# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One comment on a pull request that is kept up to date, found again by a line in it that readers do not see."""

from __future__ import annotations

import re

from ..model.errors import InputError
from .api_calls import ForgeAction
from .client import ForgeClient
from .errors import ForgeError
from .repository import whose_token

_MARK = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]{0,200}")


def marker(mark: str) -> str:
    """The line that begins the comment `mark`: an HTML comment. Raises InputError for what could end one."""
    if not _MARK.fullmatch(mark) or "--" in mark:
        raise InputError(
            f"comment {mark}", "marking it", "it has other characters than letters, digits and ' ._/-'"
        )
    return f"<!-- plumb: {mark} -->"


def keep_comment(client: ForgeClient, number: int, mark: str, body: str) -> bool:
    """See that the pull request has one comment `mark` of ours, with this Markdown; whether something was written.

    Only a comment by the token's own account counts as ours: anybody can write the line. Raises ForgeError.
    """
    text = f"{marker(mark)}\n{body}"
    found = _ours(client, number, marker(mark))
    if found is None:
        client.ask(ForgeAction.ADD_COMMENT, {"body": text}, identity=str(number))
        return True
    identity, written = found
    if written.strip().splitlines() == text.strip().splitlines():
        return False
    client.ask(ForgeAction.EDIT_COMMENT, {"body": text}, identity=str(number), inner=identity)
    return True


def _ours(client: ForgeClient, number: int, line: str) -> tuple[str, str] | None:
    """The id and the text of the comment that begins with this line."""
    found = [
        one
        for one in client.all(ForgeAction.LIST_COMMENTS, identity=str(number))
        if _body(client, one).startswith(line)
    ]
    if not found:
        return None
    try:
        me = whose_token(client)
    except ForgeError:  # a token of an app or a bot, which may not ask that
        me = ""
    mine = [one for one in found if client.read(one, "author") == me or not me]
    return (client.read(mine[0], "id"), _body(client, mine[0])) if mine else None


def _body(client: ForgeClient, comment: object) -> str:
    return client.read(comment, "note") or client.read(comment, "body")
