# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials, TLS, redirects and proxies against a real server, and what an unfriendly environment can do."""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import RefKind
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import pull_sources
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer, Reply, Request
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream, pull, refused, source
from ansible_collections.plumb.gitops.tests.support.tls.authority import Authority
from ansible_collections.plumb.gitops.tests.unit.source.processes import no_process_names, processes

TOKEN = "glpat-Zq8wN3vT5xYrK2mB"
ENCODED = base64.b64encode(f"git:{TOKEN}".encode()).decode()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    return file


def test_a_token_opens_a_private_repository_and_costs_one_challenge(
    served: Path, upstream: Upstream, cache: Path, token_file: Path
) -> None:
    with GitServer(served, token=TOKEN) as server:
        spec = source(server.url("fleet.git"), token_file=token_file)
        pull(spec, cache)
        server.requests.clear()
        pull(spec, cache)
        # Git before 2.46 asks without the token first; both requests go over one connection.
        assert len(server.requests) <= 2
        assert server.requests[-1].authorized


def test_the_username_is_sent_where_one_is_given(
    served: Path, upstream: Upstream, cache: Path, token_file: Path
) -> None:
    with GitServer(served, token=TOKEN, username="deployer") as server:
        pull(source(server.url("fleet.git"), token_file=token_file, username="deployer"), cache)
        assert (
            "does not accept the token"
            in refused(source(server.url("fleet.git"), token_file=token_file), cache).reason
        )


@pytest.mark.parametrize("text", [TOKEN + "\r\n", "  " + TOKEN + "\n\n", TOKEN])
def test_blanks_and_line_ends_around_the_token_do_not_matter(
    served: Path, upstream: Upstream, cache: Path, token_file: Path, text: str
) -> None:
    token_file.write_bytes(text.encode())
    with GitServer(served, token=TOKEN) as server:
        pull(source(server.url("fleet.git"), token_file=token_file), cache)


def test_a_wrong_or_missing_token_is_said_without_showing_it(
    served: Path, upstream: Upstream, cache: Path, token_file: Path
) -> None:
    with GitServer(served, token="another") as server:
        wrong = refused(source(server.url("fleet.git"), token_file=token_file), cache)
        missing = refused(source(server.url("fleet.git")), cache)
    assert "does not accept the token" in wrong.reason
    assert "asks for credentials" in missing.reason
    assert "token_file" in missing.next_step
    assert TOKEN not in str(wrong) + repr(wrong.args)


def test_a_token_that_the_server_sends_back_is_masked(
    served: Path, upstream: Upstream, cache: Path, token_file: Path
) -> None:
    def echo(request: Request) -> Reply | None:
        if not request.authorized:
            return None
        plain = base64.b64decode(request.authorization.split()[1])
        body = b"You sent " + plain + b" as " + request.authorization.encode()
        return Reply(403, {"Content-Type": "text/plain; charset=utf-8"}, body)

    with GitServer(served, token=TOKEN) as server:
        server.intercept = echo
        error = refused(source(server.url("fleet.git"), token_file=token_file), cache)
    assert "You sent" in str(error)
    assert TOKEN not in str(error)
    assert ENCODED not in str(error)


def test_the_token_is_in_no_argument_environment_or_file_of_the_cache(
    served: Path, upstream: Upstream, cache: Path, token_file: Path
) -> None:
    seen: list[dict[str, bytes]] = []

    def look(_request: Request) -> None:
        seen.append(processes())

    with GitServer(served, token=TOKEN) as server:
        server.intercept = look
        pull(source(server.url("fleet.git"), token_file=token_file), cache)
    assert any(
        b"git-remote-http" in text or b"remote-http" in text for look_ in seen for text in look_.values()
    )
    for needle in (TOKEN.encode(), ENCODED.encode()):
        assert not [name for look_ in seen for name, text in look_.items() if needle in text]
        assert not [path for path in cache.rglob("*") if path.is_file() and needle in path.read_bytes()]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_takes_no_token_along(
    served: Path, upstream: Upstream, cache: Path, token_file: Path, status: int
) -> None:
    with GitServer(served, token=TOKEN) as other, GitServer(served, token=TOKEN) as server:

        def redirect(request: Request) -> Reply | None:
            return Reply(status, {"Location": other.url(request.path.lstrip("/"))})

        server.intercept = redirect
        error = refused(source(server.url("fleet.git"), token_file=token_file), cache)
        assert "redirects" in error.reason
        assert other.requests == []
        assert not any(request.authorized for request in server.requests)


def test_the_token_goes_to_no_other_port_of_the_host(
    served: Path, upstream: Upstream, cache: Path, token_file: Path
) -> None:
    """The proxy is another origin; one that asks for credentials does not get the repository's."""
    with GitServer(served, token=TOKEN) as server, GitServer(served) as proxy:
        proxy.intercept = lambda _request: Reply(407, {"Proxy-Authenticate": 'Basic realm="proxy"'})
        address = f"http://127.0.0.1:{proxy.port}"
        error = refused(source(server.url("fleet.git"), token_file=token_file, proxy=address), cache)
        assert proxy.requests[0].path.startswith("http://127.0.0.1")
        assert not any(request.authorized for request in proxy.requests)
        assert server.requests == []
    assert "proxy" in str(error)


def test_https_needs_the_authority_that_issued_the_certificate(
    served: Path, upstream: Upstream, cache: Path, tmp_path: Path, token_file: Path
) -> None:
    ours, foreign = Authority(tmp_path / "ours"), Authority(tmp_path / "foreign")
    with GitServer(served, token=TOKEN, tls=ours.server_context("127.0.0.1")) as server:
        url = server.url("fleet.git")
        pull(source(url, token_file=token_file, ca_file=ours.certificate), cache)
        for ca_file in (None, foreign.certificate):
            error = refused(source(url, token_file=token_file, ca_file=ca_file), cache)
            assert "certificate is not trusted" in error.reason
            assert "ca_file" in error.next_step
    with GitServer(served, tls=ours.server_context("git.example.com")) as server:
        error = refused(source(server.url("fleet.git"), ca_file=ours.certificate), cache)
        assert "certificate is not trusted" in error.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "one token"),
        ("a b", "one token"),
        ("a\nb", "one token"),
        ("\x07", "one token"),
        ("x" * 20000, "one token"),
    ],
)
def test_a_file_that_holds_no_token_is_refused(
    cache: Path, tmp_path: Path, content: str, reason: str
) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    error = refused(source("http://127.0.0.1:1/a", token_file=file), cache)
    assert reason in error.reason
    assert str(file) in error.operation


def test_credential_files_that_cannot_be_read_are_named(cache: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "missing", tmp_path, tmp_path / "pipe", Path("relative")):
        error = refused(source("http://127.0.0.1:1/a", token_file=file), cache)
        assert f"reading token_file {file}" == error.operation
        assert error.next_step


def test_a_private_repository_is_not_found_in_the_cache_of_who_may_read_it(
    served: Path, upstream: Upstream, cache: Path, token_file: Path
) -> None:
    with GitServer(served, token=TOKEN) as server:
        private = source(server.url("fleet.git"), token_file=token_file)
        commit = pull(private, cache).revision.commit
        error = refused(source(server.url("fleet.git"), commit, RefKind.COMMIT), cache)
    assert "asks for credentials" in error.reason


def test_an_unfriendly_environment_changes_nothing(
    server: GitServer, upstream: Upstream, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary"
    touch = f"touch {canary}"
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[url "file:///etc"]\n\tinsteadOf = {server.url("")}\n[core]\n\tfsmonitor = {touch}\n\tsshCommand = {touch}\n'
    )
    (home / ".netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    hostile = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_DIR": "/nonexistent",
        "GIT_WORK_TREE": "/",
        "GIT_OBJECT_DIRECTORY": "/nonexistent",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "url.file:///etc.insteadOf",
        "GIT_CONFIG_VALUE_0": server.url(""),
        "GIT_CONFIG_KEY_99": "core.pager",
        "GIT_CONFIG_PARAMETERS": "'core.sshCommand=false'",
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_EXEC_PATH": str(tmp_path),
        "GIT_TEMPLATE_DIR": str(tmp_path),
        "GIT_ALLOW_PROTOCOL": "file:ext",
        "GIT_ASKPASS": str(canary),
        "GIT_SSH_COMMAND": touch,
        "GIT_SSL_NO_VERIFY": "1",
        "GIT_TRACE": str(canary),
        "GIT_TRACE_CURL": str(canary),
        "GIT_NAMESPACE": "evil",
        "GIT_INDEX_FILE": "/nonexistent",
        "SSH_ASKPASS": str(canary),
        "http_proxy": "http://127.0.0.1:1",
        "LC_ALL": "de_DE.UTF-8",
        "LANGUAGE": "de",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    pull(source(server.url("fleet.git")), cache)
    assert "no such repository" in refused(source(server.url("missing.git")), cache).reason
    assert not canary.exists()
    assert not any(request.authorized for request in server.requests)


def test_an_address_that_nobody_listens_at(cache: Path) -> None:
    error = refused(source("http://127.0.0.1:1/fleet.git"), cache)
    assert "cannot be reached" in error.reason
    error = refused(source("https://plumb.invalid/fleet.git", name="nowhere"), cache)
    assert error.subject == "source nowhere"
    assert "does not resolve" in error.reason


@pytest.mark.parametrize(
    ("status", "reason"), [(403, "denies access"), (500, "failed"), (503, "failed"), (429, "failed")]
)
def test_a_server_that_refuses_or_fails(
    server: GitServer, upstream: Upstream, cache: Path, status: int, reason: str
) -> None:
    server.intercept = lambda _request: Reply(status)
    assert reason in refused(source(server.url("fleet.git")), cache).reason


def test_a_silent_server_is_left_at_the_deadline_and_no_process_stays(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    let_go = threading.Event()

    def wait(_request: Request) -> None:
        let_go.wait(30)

    server.intercept = wait
    try:
        (result,) = pull_sources([source(server.url("fleet.git"), timeout=0.5)], cache)
        assert "no end within" in str(result.error)
        no_process_names(f"127.0.0.1:{server.port}")
    finally:
        let_go.set()
