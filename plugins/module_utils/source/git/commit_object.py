# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a commit object: who, when and what, as printable text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ...model.app import Person
from ...model.errors import printable

_PERSON = re.compile(r"(?P<name>[^<]*)<(?P<email>[^>]*)>(?: (?P<time>-?[0-9]{1,18}))?.*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SUBJECT = 200  # characters
_MAX_NAME = 100
# Codecs of Python that are no character sets, or that cost more than they are worth on hostile text.
_PLAIN_ENCODING = re.compile(
    r"(?:utf-?8|us-ascii|ascii|iso-?8859-\d{1,2}|latin-?1|windows-125\d|cp125\d|koi8-[ru]"
    r"|shift[_-]jis|euc-(?:jp|kr)|gb(?:k|2312|18030)|big5)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class CommitObject:
    """What a commit says of itself; nothing of it is verified."""

    author: Person
    committer: Person
    authored: str  # RFC 3339, UTC
    committed: str
    subject: str


def parse_commit(raw: bytes) -> CommitObject:
    """Read a commit object's content. Text is made printable and cut; a time that is none becomes 1970."""
    head, _blank, message = raw.partition(b"\n\n")
    headers = _headers(head)
    encoding = _encoding(headers.get(b"encoding", b"utf-8"))
    author, authored = _person(headers.get(b"author", b""), encoding)
    committer, committed = _person(headers.get(b"committer", b""), encoding)
    return CommitObject(
        author=author,
        committer=committer,
        authored=authored,
        committed=committed,
        subject=_subject(message, encoding),
    )


def _headers(head: bytes) -> dict[bytes, bytes]:
    """Return the first of each header; lines that begin with a blank belong to a signature."""
    headers: dict[bytes, bytes] = {}
    for line in head.split(b"\n"):
        name, _blank, value = line.partition(b" ")
        if name:
            headers.setdefault(name, value)
    return headers


def _encoding(raw: bytes) -> str:
    name = raw.decode("ascii", "replace")
    return name if _PLAIN_ENCODING.fullmatch(name) else "utf-8"


def _person(raw: bytes, encoding: str) -> tuple[Person, str]:
    match = _PERSON.fullmatch(raw.decode(encoding, "replace"))
    if not match:
        return Person("", ""), _time(None)
    return Person(printable(match["name"], _MAX_NAME), printable(match["email"], _MAX_NAME)), _time(
        match["time"]
    )


def _time(seconds: str | None) -> str:
    try:
        moment = _EPOCH + timedelta(seconds=int(seconds or 0))
    except OverflowError:
        moment = _EPOCH
    return moment.isoformat().replace("+00:00", "Z")


def _subject(message: bytes, encoding: str) -> str:
    """Return the first paragraph on one line, as `git log --format=%s` shows it."""
    text = message.decode(encoding, "replace").lstrip("\n")
    return printable(text.split("\n\n", 1)[0], _MAX_SUBJECT)
