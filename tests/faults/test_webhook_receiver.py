# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`POST /webhook/<name>` of a running agent, by raw sockets (row 58 of the list of faults).

Nothing but a webhook could start a run here: the interval and the poll are an hour apart.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
import uuid
from collections.abc import Iterator, Mapping

import pytest

from ansible_collections.plumb.gitops.controller.http.request_body import READING
from ansible_collections.plumb.gitops.controller.http.webhook import MOST_BODY
from ansible_collections.plumb.gitops.plugins.module_utils.notify.signature import signed_headers
from ansible_collections.plumb.gitops.tests.support.agent.agent_on_git import FollowedGit, followed_git
from ansible_collections.plumb.gitops.tests.support.agent.process import running, until
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map

SECRET = b"it takes one to know one"
KINDS = ("gitea", "github", "gitlab", "generic", "registry")
PUSH = json.dumps({"ref": "refs/heads/main", "repository": {"full_name": "platform/fleet"}}).encode()


@pytest.fixture(scope="module")
def followed(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FollowedGit]:
    with followed_git(sandbox, tmp_path_factory.mktemp("webhook")) as followed:
        secret = followed.folder / "hook-secret"
        secret.write_bytes(SECRET + b"\n")
        hooks: list[dict[str, object]] = [
            {"name": kind, "kind": kind, "secret_file": str(secret)} for kind in KINDS
        ]
        hooks.append({"name": "other", "kind": "gitea", "secret_file": str(secret), "sources": ["another"]})
        hooks.append({"name": "lost", "kind": "gitea", "secret_file": str(followed.folder / "none")})
        http = {**followed.agent.words["http"], "webhooks": hooks}
        followed.agent.configure(http=http, poll_interval="1h", interval="1h")
        followed.push({"a.yaml": config_map("a")})
        with running(followed.agent):
            followed.agent.await_run()
            yield followed


def signed(body: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


def gitea(body: bytes, **more: str) -> dict[str, str]:
    return {"X-Gitea-Signature": signed(body), "X-Gitea-Delivery": str(uuid.uuid4()), **more}


def request(path: str, headers: Mapping[str, str], method: str = "POST") -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: agent",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def connect(followed: FollowedGit) -> socket.socket:
    host, _colon, port = followed.agent.words["http"]["listen"].partition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def read_all(raw: socket.socket) -> bytes:
    """Everything until the other side has ended; what it resets after its answer is no matter."""
    received = b""
    try:
        while chunk := raw.recv(1 << 16):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def post(followed: FollowedGit, name: str, headers: Mapping[str, str], body: bytes = PUSH) -> int:
    length = {"Content-Length": str(len(body)), "Connection": "close"}
    with connect(followed) as raw:
        raw.sendall(request(f"/webhook/{name}", {**length, **headers}) + body)
        return status_of(read_all(raw))


def asked_of_git(followed: FollowedGit) -> int:
    return len([request for request in followed.server.requests if "info/refs" in request.path])


def settled(followed: FollowedGit) -> int:
    """How often Git was asked, once what was started before is done."""
    asked = -1
    while (now := asked_of_git(followed)) != asked:
        asked = now
        time.sleep(1.5)
    return asked


def test_58_a_push_that_is_proven_starts_the_poll_and_nothing_else(followed: FollowedGit) -> None:
    runs, asked = len(followed.agent.runs()), asked_of_git(followed)
    assert post(followed, "gitea", gitea(PUSH)) == 202
    until(lambda: asked_of_git(followed) > asked, "Git to be asked")
    settled(followed)
    assert followed.agent.at_work() == [], "nothing had moved, so nothing runs"

    commit = followed.push({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    assert post(followed, "other", gitea(PUSH + b" "), PUSH + b" ") == 202  # of another source
    settled(followed)
    assert followed.agent.at_work() == []
    assert post(followed, "gitea", gitea(PUSH + b" "), PUSH + b" ") == 202
    line = followed.agent.await_run(more_than=runs)
    assert f"fleet@{commit[:7]}" in line
    assert "fleet moved" in line


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        (
            "github",
            {"X-Hub-Signature-256": "sha256={hmac}", "X-GitHub-Delivery": "d1", "X-GitHub-Event": "push"},
        ),
        ("gitlab", {"X-Gitlab-Token": SECRET.decode(), "X-Gitlab-Event": "Push Hook"}),
        ("generic", {"X-Signature": "sha256={hmac}"}),
        ("registry", {"Authorization": f"Bearer {SECRET.decode()}"}),
    ],
)
def test_58_each_kind_proves_itself_in_its_own_way(
    followed: FollowedGit, name: str, headers: dict[str, str]
) -> None:
    body = json.dumps({"of": name, "n": str(uuid.uuid4())}).encode()
    good = {key: value.replace("{hmac}", signed(body)) for key, value in headers.items()}
    bad = {key: value.replace("{hmac}", signed(body, b"guess")) for key, value in headers.items()}
    bad |= {key: "Bearer guess" for key in bad if key in {"Authorization", "X-Gitlab-Token"}}
    assert post(followed, name, bad, body) == 401
    assert post(followed, name, {"X-Gitea-Signature": signed(body)}, body) == 401, "the proof of another kind"
    assert post(followed, name, good, body + b" ") in ({202} if name in {"gitlab", "registry"} else {401})
    assert post(followed, name, good, body) == 202
    again = post(followed, name, good, body)
    assert again == (202 if name == "registry" else 409)  # a registry would send it for ever


def test_58_a_standard_webhook_is_taken_once_and_not_when_it_is_old(followed: FollowedGit) -> None:
    now = int(time.time())
    good = signed_headers(SECRET, "msg-1", now, PUSH)
    assert post(followed, "generic", signed_headers(SECRET, "msg-0", now - 600, PUSH)) == 401
    assert post(followed, "generic", {**good, "webhook-timestamp": str(now - 1)}) == 401
    assert post(followed, "generic", {**good, "webhook-id": "msg-2"}) == 401
    assert post(followed, "generic", good) == 202
    assert post(followed, "generic", good) == 409


def test_58_without_its_proof_nothing_is_read_and_nothing_happens(followed: FollowedGit) -> None:
    asked = settled(followed)
    with connect(followed) as raw:  # no proof: answered before a byte of the body has come
        raw.sendall(request("/webhook/gitea", {"Content-Length": str(1 << 40)}))
        raw.settimeout(READING / 2)
        assert status_of(raw.recv(4096)) == 401
    assert post(followed, "gitea", {}) == 401
    assert post(followed, "gitea", {"X-Gitea-Signature": ""}) == 401
    assert post(followed, "gitea", {"X-Gitea-Signature": signed(PUSH, b"guess")}) == 401
    assert post(followed, "gitea", {"X-Gitea-Signature": signed(PUSH)}, PUSH + b"\n") == 401
    assert post(followed, "gitea", {"X-Gitea-Signature": "\xff" * 64}) in {400, 401}
    assert post(followed, "nobody", gitea(PUSH)) == 404
    assert post(followed, "lost", gitea(PUSH)) == 503
    with connect(followed) as raw:
        raw.sendall(request("/webhook/gitea", {"Connection": "close"}, "GET"))
        assert status_of(read_all(raw)) == 405
    time.sleep(1)
    assert asked_of_git(followed) == asked


def test_58_a_delivery_is_taken_once_whatever_id_it_is_sent_with(followed: FollowedGit) -> None:
    body = b'{"n": 1}'
    headers = gitea(body)
    assert post(followed, "gitea", headers, body) == 202
    assert post(followed, "gitea", headers, body) == 409
    assert post(followed, "gitea", gitea(body), body) == 409, "the id stands outside of what is signed"
    other = b'{"n": 2}'
    same_id = {**gitea(other), "X-Gitea-Delivery": headers["X-Gitea-Delivery"]}
    assert post(followed, "gitea", same_id, other) == 409


def test_58_a_body_of_ten_mebibytes_is_refused_whether_it_says_so_or_not(followed: FollowedGit) -> None:
    body = b" " * (10 << 20)
    before = followed.agent.resident()
    assert post(followed, "gitea", gitea(body), body) == 413
    with connect(followed) as raw:
        head = {**gitea(body), "Transfer-Encoding": "chunked", "Connection": "close"}
        raw.sendall(request("/webhook/gitea", head))
        sent = 0
        try:
            while sent < len(body):
                raw.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
                sent += 0x10000
        except OSError:
            pass  # it has ended the connection, having said why
        assert status_of(read_all(raw)) == 413
    assert len(body) > MOST_BODY
    assert followed.agent.resident() - before < 8 << 20


def test_58_a_body_that_does_not_come_is_given_up_and_holds_up_nobody(followed: FollowedGit) -> None:
    slow = [connect(followed) for _number in range(12)]
    try:
        for raw in slow:
            raw.sendall(request("/webhook/gitea", {**gitea(PUSH), "Content-Length": str(len(PUSH))}) + b"{")
        assert followed.agent.get("/healthz") == (200, "ok\n")
        statuses = sorted(status_of(raw.recv(4096)) for raw in slow)
    finally:
        for raw in slow:
            raw.close()
    assert statuses == [408] * 8 + [503] * 4, "so many are read side by side, and no more"
    assert post(followed, "gitea", gitea(b"[0]"), b"[0]") == 202


def test_58_what_a_body_says_is_not_done(followed: FollowedGit) -> None:
    canary = followed.folder / "canary"
    runs = len(followed.agent.runs())
    claims = {
        "cluster": "here",
        "app": "app",
        "ref": f"$(touch {canary})",
        "repository": {"clone_url": f"ext::sh -c touch% {canary}", "full_name": "{{ lookup('pipe', 'id') }}"},
        "suspend": True,
        "apps": [],
    }
    body = json.dumps(claims).encode()
    assert post(followed, "gitea", gitea(body), body) == 202
    deep = b"[" * 100_000
    assert post(followed, "gitea", gitea(deep), deep) == 202
    settled(followed)
    assert followed.agent.at_work() == []
    assert not canary.exists()
    assert len(followed.agent.runs()) == runs
    status, text = followed.agent.get("/api/v1/status", token=followed.token)
    assert status == 200
    assert "suspended: true" not in text
    followed.is_well()


def test_58_many_good_deliveries_are_bounded(followed: FollowedGit) -> None:
    asked = asked_of_git(followed)
    statuses = []
    for number in range(60):
        body = f'{{"flood": {number}}}'.encode()
        statuses.append(post(followed, "gitea", gitea(body), body))
    assert set(statuses) == {202, 429}
    assert statuses[-1] == 429
    time.sleep(1)
    assert asked_of_git(followed) - asked < 60
    series = followed.agent.series()
    assert series['plumb_webhook_deliveries_total{status="429",webhook="gitea"}'] > 0
    assert SECRET.decode() not in "\n".join(followed.agent.lines())


def test_58_wrong_proofs_shut_nobody_out_and_a_short_secret_serves_nobody(followed: FollowedGit) -> None:
    """Behind a proxy all senders have one address, so who guesses must not be able to use up what others may."""
    wrong = {"X-Gitea-Signature": "0" * 64}
    assert {post(followed, "github", {"X-Hub-Signature-256": "sha256=0"}) for _number in range(40)} == {401}
    body = b"[1]"
    good = {"X-Hub-Signature-256": f"sha256={signed(body)}", "X-GitHub-Delivery": "after"}
    assert post(followed, "github", good, body) == 202
    (followed.folder / "none").write_text("short", encoding="utf-8")
    assert post(followed, "lost", wrong) == 503
    assert post(followed, "lost", {"X-Gitea-Signature": signed(PUSH, b"short")}) == 503
