# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One comment on a pull request that is kept up to date. A line in it that readers do not see identifies it."""

from __future__ import annotations

import re

from ..model.errors import InputError
from .api_calls import ForgeAction
from .client import ForgeClient
from .errors import ForgeError
from .repository import token_owner

_MARK = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]{0,200}")


def comment_marker(mark: str) -> str:
    """Return the first line of the comment `mark`: an HTML comment. Raises InputError for what could end one."""
    if not _MARK.fullmatch(mark) or "--" in mark:
        raise InputError(
            f"comment {mark}", "marking it", "it has other characters than letters, digits and ' ._/-'"
        )
    return f"<!-- plumb: {mark} -->"


def ensure_comment(client: ForgeClient, number: int, mark: str, body: str) -> bool:
    """Have one comment `mark` of ours on the pull request, with this Markdown; return whether something was written.

    Only a comment by the token's own account counts as ours: anybody can write the line. Raises ForgeError.
    """
    text = f"{comment_marker(mark)}\n{body}"
    comment = _own_comment(client, number, comment_marker(mark))
    if comment is None:
        client.request(ForgeAction.ADD_COMMENT, {"body": text}, identity=str(number))
        return True
    identity, written = comment
    if written.strip().splitlines() == text.strip().splitlines():
        return False
    client.request(ForgeAction.EDIT_COMMENT, {"body": text}, identity=str(number), inner=identity)
    return True


def _own_comment(client: ForgeClient, number: int, line: str) -> tuple[str, str] | None:
    """Return the id and the text of the comment that begins with this line."""
    comments = [
        comment
        for comment in client.list_items(ForgeAction.LIST_COMMENTS, identity=str(number))
        if _body(client, comment).startswith(line)
    ]
    if not comments:
        return None
    try:
        me = token_owner(client)
    except ForgeError:  # a token of an app or a bot, which may not ask that
        me = ""
    mine = [comment for comment in comments if client.read(comment, "author") == me or not me]
    return (client.read(mine[0], "id"), _body(client, mine[0])) if mine else None


def _body(client: ForgeClient, comment: object) -> str:
    return client.read(comment, "note") or client.read(comment, "body")
