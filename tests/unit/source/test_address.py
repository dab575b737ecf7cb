# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources are accepted before anything is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import RefKind
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.plugins.module_utils.source.git.address import GitProtocol, check_spec
from ansible_collections.plumb.gitops.tests.support.git.upstream import source

KEY = Path("/etc/plumb/key")
SSH: dict[str, Any] = {"ssh_key_file": KEY, "known_hosts_file": Path("/etc/plumb/known_hosts")}


@pytest.mark.parametrize(
    ("url", "fields", "transport", "origin"),
    [
        ("https://git.example.com/platform/fleet.git", {}, GitProtocol.HTTPS, "https://git.example.com"),
        ("https://Git.Example.com:8443/a", {}, GitProtocol.HTTPS, "https://git.example.com:8443"),
        ("https://[2001:db8::1]:8443/a", {}, GitProtocol.HTTPS, "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1:3000/a", {}, GitProtocol.HTTP, "http://127.0.0.1:3000"),
        ("http://localhost/a", {}, GitProtocol.HTTP, "http://localhost"),
        ("http://[::1]:3000/a", {}, GitProtocol.HTTP, "http://[::1]:3000"),
        ("http://gitea.forge.svc/a", {"allow_http": True}, GitProtocol.HTTP, "http://gitea.forge.svc"),
        ("ssh://git@git.example.com:2222/a.git", SSH, GitProtocol.SSH, "ssh://git.example.com:2222"),
        ("ssh://git.example.com/a.git", SSH, GitProtocol.SSH, "ssh://git.example.com"),
        ("git@git.example.com:platform/fleet.git", SSH, GitProtocol.SSH, "ssh://git.example.com"),
        ("git@git.example.com:/srv/fleet.git", SSH, GitProtocol.SSH, "ssh://git.example.com"),
    ],
)
def test_accepted_addresses(url: str, fields: dict[str, Any], transport: GitProtocol, origin: str) -> None:
    address = check_spec(source(url, **fields))
    assert (address.transport, address.origin, address.url) == (transport, origin, url)


HOSTILE_URLS = [
    "",
    "fleet",
    "/srv/git/fleet.git",
    "../fleet.git",
    "file:///srv/git/fleet.git",
    "FILE:///srv/git",
    "git://git.example.com/a",
    "ftp://git.example.com/a",
    "ext::sh -c id",
    "ext::sh%20-c%20id",
    "ext::ssh@host:path",
    "fd::17",
    "http::http://127.0.0.1/a",
    "https::https://git.example.com/a",
    "--upload-pack=id",
    "-oProxyCommand=id",
    "-u git@host:path",
    "ssh://-oProxyCommand=id/a",
    "ssh://git@-oProxyCommand=id/a",
    "git@-oProxyCommand=id:a",
    "-git@host:a",
    "git@host:-oProxyCommand=id",
    "host:path",
    "https://git.example.com",
    "https:///a",
    "https://git.example.com/a?token=hunter2",
    "https://git.example.com/a#hunter2",
    "https://user:hunter2@git.example.com/a",
    "https://hunter2@git.example.com/a",
    "ssh://git:hunter2@git.example.com/a",
    "git:hunter2@git.example.com:a",
    "https://git.example.com/a b",
    "https://git.example.com/a\nb",
    "https://git.example.com/a%0Ahost=evil",
    "https://git.example.com/a%00",
    "https://git.example.com\\@evil.example/a",
    "https://git.example.com:port/a",
    "https://git.example.com:123456/a",
    "http://git.example.com/a",
    "http://127.0.0.1.evil.example/a",
    "http://localhost.evil.example/a",
    "http://127.1/a",
    "http://2130706433/a",
    "https://git.example.com/" + "a" * 3000,
    "https://git.example.com/\u202ea",
]


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_hostile_addresses_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError) as caught:
        check_spec(source(url, **SSH) if url.startswith(("ssh", "git")) else source(url))
    assert "hunter2" not in str(caught.value)
    assert caught.value.subject == "source fleet"
    assert caught.value.operation == "reading url"
    assert caught.value.next_step


@pytest.mark.parametrize("kind", [RefKind.BRANCH, RefKind.TAG])
@pytest.mark.parametrize(
    "ref",
    [
        "",
        "-x",
        "--upload-pack=id",
        "a b",
        "a..b",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "a@{1}",
        "@",
        "/a",
        "a/",
        "a//b",
        ".a",
        "a/.b",
        "a.lock",
        "a.lock/b",
        "a.",
        "a\nb",
        "a\x00",
        "a\x7f",
        "refs/heads/main",
        "a" * 256,
        "\udcff",
        "\u202e",
    ],
)
def test_refs_that_git_would_not_take_are_refused(kind: RefKind, ref: str) -> None:
    with pytest.raises(InputError, match=f"reading {kind.value}"):
        check_spec(source("https://git.example.com/a", ref, kind))


@pytest.mark.parametrize(
    "ref", ["main", "release/1.x", "feature/a-b_c", "v1.2.3+b", "ümlaut", "$(id)", "{{7+7}}", ";id"]
)
def test_refs_that_git_takes_are_accepted_even_if_they_look_like_code(ref: str) -> None:
    check_spec(source("https://git.example.com/a", ref))


@pytest.mark.parametrize(
    "ref", ["", "main", "abc123", "g" * 40, "a" * 39, "a" * 41, "-" * 40, "a" * 40 + "\n"]
)
def test_a_commit_is_a_whole_object_id(ref: str) -> None:
    with pytest.raises(InputError, match="reading commit"):
        check_spec(source("https://git.example.com/a", ref, RefKind.COMMIT))


@pytest.mark.parametrize(
    ("url", "fields", "operation"),
    [
        ("git@h:a", {}, "ssh_key_file"),
        ("git@h:a", {"ssh_key_file": KEY}, "ssh_key_file"),
        ("git@h:a", {**SSH, "token_file": KEY}, "token_file"),
        ("git@h:a", {**SSH, "username": "me"}, "token_file"),
        ("git@h:a", {**SSH, "proxy": "http://proxy:3128"}, "proxy"),
        ("git@h:a", {**SSH, "ca_file": KEY}, "proxy"),
        ("git@h:a", {**SSH, "ssh_key_file": Path("/etc/a b")}, "ssh_key_file"),
        ("git@h:a", {**SSH, "ssh_key_file": Path("key")}, "ssh_key_file"),
        ("git@h:a", {**SSH, "known_hosts_file": Path("/etc/%h")}, "known_hosts_file"),
        ("https://h/a", {"ssh_key_file": KEY}, "ssh_key_file"),
        ("https://h/a", {"known_hosts_file": KEY}, "ssh_key_file"),
        ("https://h/a", {"username": "a:b"}, "username"),
        ("https://h/a", {"username": "a\nb"}, "username"),
        ("https://h/a", {"proxy": "http://me:hunter2@proxy:3128"}, "proxy"),
        ("https://h/a", {"proxy": "-x"}, "proxy"),
        ("https://h/a", {"proxy": "file:///etc"}, "proxy"),
        ("https://h/a", {"timeout": 0.0}, "timeout"),
        ("https://h/a", {"timeout": float("nan")}, "timeout"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(url: str, fields: dict[str, Any], operation: str) -> None:
    with pytest.raises(InputError) as caught:
        check_spec(source(url, **fields))
    assert caught.value.operation == f"reading {operation}"
    assert "hunter2" not in str(caught.value)
