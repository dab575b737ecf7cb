# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commit says of itself, however it is written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import Person
from ansible_collections.plumb.gitops.plugins.module_utils.source.git.commit_object import parse_commit

PLAIN = b"""tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904
parent 4b825dc642cb6eb9a060e54bf8d69288fbee4904
author Ada Author <ada@example.com> 1763625600 +0200
committer Carl Committer <carl@example.com> 1763717400 -0330
gpgsig -----BEGIN PGP SIGNATURE-----
 author Mallory <m@example.com> 0 +0000
 -----END PGP SIGNATURE-----

Raise checkout
limits

Body
"""


def test_a_plain_commit() -> None:
    about = parse_commit(PLAIN)
    assert about.author == Person("Ada Author", "ada@example.com")
    assert about.committer == Person("Carl Committer", "carl@example.com")
    assert (about.authored, about.committed) == ("2025-11-20T08:00:00Z", "2025-11-21T09:30:00Z")
    assert about.subject == "Raise checkout limits"


def test_text_is_made_printable_and_cut() -> None:
    raw = b"author A\x1b[31m\x00 <a@b\r> 0 +0000\n\n\x1b]0;title\x07 {{ 7*7 }} $(id) \xff" + b"x" * 5000
    about = parse_commit(raw)
    assert about.author == Person("A [31m", "a@b")
    assert about.subject.startswith("]0;title {{ 7*7 }} $(id)")
    assert len(about.subject) == 200
    assert about.subject.isprintable()


def test_the_encoding_that_a_commit_names_is_used_if_it_is_a_plain_one() -> None:
    raw = b"author J\xfcrgen <j@example.com> 0 +0000\nencoding ISO-8859-1\n\n\xdcber alles"
    assert parse_commit(raw).author.name == "Jürgen"
    assert parse_commit(raw).subject == "Über alles"
    assert parse_commit(raw.replace(b"ISO-8859-1", b"zlib_codec")).author.name == "J\ufffdrgen"


def test_a_time_that_is_none_is_1970() -> None:
    for time in (b"", b"999999999999999999", b"-999999999999999999", b"soon"):
        assert parse_commit(b"author A <a@b> " + time + b" +0000\n\n").authored == "1970-01-01T00:00:00Z"


@given(st.binary(max_size=300))
def test_any_bytes_are_read_as_printable_text(raw: bytes) -> None:
    about = parse_commit(raw)
    assert (about.author.name + about.author.email + about.subject).isprintable()
    assert about.authored.endswith("Z")
