# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forge client against GitHub and GitLab as their documents describe them: real HTTP, real Git, no network."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.forge.client import ForgeClient
from ansible_collections.plumb.gitops.plugins.module_utils.forge.deploy_key import (
    WantedKey,
    WantedToken,
    ensure_key,
    ensure_token,
    remove_key,
    remove_token,
)
from ansible_collections.plumb.gitops.plugins.module_utils.forge.errors import ForgeError
from ansible_collections.plumb.gitops.plugins.module_utils.forge.repository import (
    WantedRepository,
    ensure_repository,
    token_owner,
)
from ansible_collections.plumb.gitops.plugins.module_utils.forge.repository_address import ForgeRepository
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import Person
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError, PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.source.first_commit import FirstCommit
from ansible_collections.plumb.gitops.tests.support.git.forge_contract import (
    TOKEN,
    ForgeServer,
    GitHub,
    GitLab,
)
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer, Reply, Request
from ansible_collections.plumb.gitops.tests.support.tls.authority import Authority

FIRST = FirstCommit(
    files={"README.md": "# The fleet\n", "clusters/prod.yml": "plumb_apps: []\n"},
    subject="Begin the fleet",
    author=Person("Alma Berg", "alma@example.com"),
)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "forge-token"
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    return file


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ForgeServer]:
    server = {"github": GitHub, "gitlab": GitLab}[request.param](tmp_path / "served")
    with server.git:
        yield server


@pytest.fixture
def place(forge: ForgeServer, token_file: Path) -> ForgeRepository:
    kind = type(forge).__name__.lower()
    url = forge.git.url("").rstrip("/")
    return ForgeRepository(
        kind=kind, url=url, owner=forge.groups[0], name="fleet", token_file=token_file, timeout=20
    )


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_repository_is_created_once_with_one_first_commit(
    forge: ForgeServer, place: ForgeRepository
) -> None:
    wanted = WantedRepository(create=True, description="What runs where", first=FIRST)
    with ForgeClient(place) as client:
        checked = ensure_repository(client, wanted, check=True)
        assert checked.created
        assert checked.files == ("README.md", "clusters/prod.yml")
        assert {method for method, _path, _body in forge.asked} == {"GET"}
        assert not forge.projects

        made = ensure_repository(client, wanted, check=False)
        again = ensure_repository(client, wanted, check=False)
    assert made.created
    assert made.private
    assert made.url == place.clone_url
    assert made.ssh_url == f"git@git.example.com:{place.owner}/fleet.git"
    project = forge.projects[f"{place.owner}/fleet"]
    assert (project.private, project.description) == (True, "What runs where")
    bare = forge.root / f"{place.owner}/fleet.git"
    assert git(bare, "rev-list", "--count", "--all") == "1"
    assert git(bare, "show", "main:clusters/prod.yml") == "plumb_apps: []"
    assert git(bare, "log", "-1", "--format=%an <%ae> %s") == "Alma Berg <alma@example.com> Begin the fleet"
    assert made.commit == git(bare, "rev-parse", "main")
    assert not again.changed


def test_a_repository_of_the_tokens_own_account_is_created_as_that(
    forge: ForgeServer, place: ForgeRepository
) -> None:
    own = replace(place, owner=forge.user)
    with ForgeClient(own) as client:
        assert token_owner(client) == forge.user
        made = ensure_repository(client, WantedRepository(create=True, private=False), check=False)
    assert made.created
    assert not made.private
    assert list(forge.projects) == [f"{forge.user}/fleet"]


def test_an_empty_repository_gets_its_first_commit_and_another_one_never(
    forge: ForgeServer, place: ForgeRepository, tmp_path: Path
) -> None:
    forge.make(place.title, private=True, description="")
    wanted = WantedRepository(create=False, first=FIRST)
    with ForgeClient(place) as client:
        assert ensure_repository(client, wanted, check=True).files
        made = ensure_repository(client, wanted, check=False)
        assert not made.created
        assert made.commit
        other = replace(FIRST, files={"other": "1"})
        assert not ensure_repository(client, WantedRepository(create=False, first=other), check=False).changed
    assert git(forge.root / f"{place.title}.git", "rev-parse", "main") == made.commit


def test_a_deploy_key_is_made_added_replaced_and_removed(
    forge: ForgeServer, place: ForgeRepository, tmp_path: Path
) -> None:
    project = forge.make(place.title, private=True, description="")
    project.keys += [
        {"id": 9000 + n, "title": f"other {n}", "key": f"ssh-ed25519 AAAA{n}"} for n in range(130)
    ]
    known = tmp_path / "known_hosts"
    known.write_text("git.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF\n", encoding="utf-8")
    key = WantedKey(title="plumb prod", key_file=tmp_path / "keys" / "fleet", known_hosts_file=known)
    with ForgeClient(place) as client:
        checked = ensure_key(client, key, check=True)
        assert (checked.made, checked.added) == (True, True)
        assert not key.key_file.exists()
        assert len(project.keys) == 130

        made = ensure_key(client, key, check=False)
        assert stat.S_IMODE(key.key_file.stat().st_mode) == 0o600
        assert made.url == f"git@git.example.com:{place.title}.git"
        added = project.keys[-1]
        assert added["key"] == made.public
        assert added.get("read_only", True) is True
        assert added.get("can_push", False) is False
        assert not ensure_key(client, key, check=False).changed

        key.key_file.chmod(0o644)
        mended = ensure_key(client, key, check=False)
        assert (mended.changed, mended.added) == (True, False)
        assert stat.S_IMODE(key.key_file.stat().st_mode) == 0o600

        writing = replace(key, read_only=False)
        assert ensure_key(client, writing, check=False).removed
        assert not ensure_key(client, writing, check=False).changed
        assert len(project.keys) == 131

        assert remove_key(client, key, check=True).changed
        assert key.key_file.exists()
        assert remove_key(client, key, check=False).changed
        assert not remove_key(client, key, check=False).changed
    assert len(project.keys) == 130
    assert [file.name for file in key.key_file.parent.iterdir()] == []


def test_a_forge_whose_host_key_is_not_known_is_said_before_anything_is_changed(
    forge: ForgeServer, place: ForgeRepository, tmp_path: Path
) -> None:
    project = forge.make(place.title, private=True, description="")
    known = tmp_path / "known_hosts"
    known.write_text("elsewhere.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF\n", encoding="utf-8")
    key = WantedKey(title="plumb", key_file=tmp_path / "key", known_hosts_file=known)
    with ForgeClient(place) as client, pytest.raises(InputError, match=r"ssh-keyscan git\.example\.com"):
        ensure_key(client, key, check=False)
    assert not key.key_file.exists()
    assert not project.keys


def test_a_deploy_token_is_there_where_the_forge_has_them(
    forge: ForgeServer, place: ForgeRepository, tmp_path: Path
) -> None:
    project = forge.make(place.title, private=True, description="")
    token = WantedToken(title="plumb prod", token_file=tmp_path / "git-token")
    with ForgeClient(place) as client:
        if isinstance(forge, GitHub):
            with pytest.raises(InputError, match="key_file"):
                ensure_token(client, token, check=False)
            return
        assert ensure_token(client, token, check=True).changed
        assert not project.tokens
        made = ensure_token(client, token, check=False)
        assert made.username == project.tokens[0]["username"]
        assert project.tokens[0]["scopes"] == ["read_repository"]
        assert token.token_file.read_text(encoding="utf-8").strip() == project.tokens[0]["token"]
        assert stat.S_IMODE(token.token_file.stat().st_mode) == 0o600
        assert not ensure_token(client, token, check=False).changed
        project.tokens[0]["revoked"] = True
        assert ensure_token(client, token, check=False).added
        assert remove_token(client, token, check=False).removed
        assert not token.token_file.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"owner": "nobody"}, "it does not exist, or"),
        ({"name": "no such"}, "letters"),
        ({"owner": "a//b"}, "not the name"),
        ({"url": "ftp://x"}, "not the forge's address"),
        ({"url": "http://git.example.com"}, "clear text"),
    ],
)
def test_what_cannot_be_is_found_in_a_check(
    forge: ForgeServer, place: ForgeRepository, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(PlumbError, match=message), ForgeClient(replace(place, **change)) as client:
        ensure_repository(client, WantedRepository(create=True), check=True)


def test_no_error_tells_the_token(forge: ForgeServer, place: ForgeRepository, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wr0ng-t0ken", encoding="utf-8")
    with ForgeClient(replace(place, token_file=wrong)) as client, pytest.raises(ForgeError) as caught:
        ensure_repository(client, WantedRepository(create=True), check=True)
    assert caught.value.status == 401
    assert "does not accept the token" in str(caught.value)
    assert "wr0ng" not in str(caught.value)

    forge.git.intercept = lambda request: Reply(403, {}, b'{"message": "you sent %s"}' % TOKEN.encode())
    with ForgeClient(place) as client, pytest.raises(ForgeError) as caught:
        token_owner(client)
    assert "you sent ********" in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_redirect_is_followed_on_the_same_host_only(
    forge: ForgeServer, place: ForgeRepository, tmp_path: Path
) -> None:
    answer = forge.git.intercept
    with GitServer(tmp_path / "other") as other:
        targets = iter([f"{urlpath(forge)}/user", other.url("user")])

        def moved(request: Request) -> Reply | None:
            if request.path.endswith("/user") and "moved" not in request.path:
                return Reply(307, {"Location": next(targets)})
            return answer(Request(request.method, request.path.replace("/moved", ""), "", request.headers))

        forge.git.intercept = moved
        with ForgeClient(place) as client:
            assert token_owner(client) == forge.user
            with pytest.raises(ForgeError, match="redirects to http://127"):
                token_owner(client)
        assert other.requests == []


def urlpath(forge: ForgeServer) -> str:
    return "/moved/api/v3" if isinstance(forge, GitHub) else "/moved/api/v4"


def test_a_private_authority_is_trusted_where_it_is_named(token_file: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    server = GitHub(tmp_path / "served")
    server.git = GitServer(server.root, token=TOKEN, tls=authority.server_context("127.0.0.1"))
    server.git.intercept = server._answer
    with server.git:
        url = server.git.url("").rstrip("/")
        place = ForgeRepository(kind="github", url=url, owner="platform", name="fleet", token_file=token_file)
        with ForgeClient(place) as client, pytest.raises(ForgeError, match="not signed by an authority"):
            token_owner(client)
        with ForgeClient(replace(place, ca_file=authority.certificate)) as client:
            made = ensure_repository(client, WantedRepository(create=True, first=FIRST), check=False)
        assert made.commit
        with pytest.raises(InputError, match="ca_file"):
            ForgeClient(replace(place, ca_file=token_file))


def test_a_proxy_that_is_named_is_used(forge: ForgeServer, place: ForgeRepository, tmp_path: Path) -> None:
    with GitServer(tmp_path / "proxy") as proxy:
        proxy.intercept = lambda request: Reply(502, {}, b"")
        with (
            ForgeClient(replace(place, proxy=proxy.url("").rstrip("/"))) as client,
            pytest.raises(ForgeError, match="502"),
        ):
            token_owner(client)
        assert proxy.requests[0].path.startswith(place.url)
        assert len(proxy.requests) == 3  # reads are tried again, twice
    assert forge.asked == []


def test_github_itself_has_its_api_on_a_host_of_its_own(token_file: Path) -> None:
    place = ForgeRepository(
        kind="github", url="https://GitHub.com/", owner="example", name="fleet", token_file=token_file
    )
    assert place.api == "https://api.github.com"
    assert place.clone_url == "https://GitHub.com/example/fleet.git"
