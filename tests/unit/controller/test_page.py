# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in, what each answer carries, and the events; over real HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from ansible_collections.plumb.gitops.controller.core.config import Http
from ansible_collections.plumb.gitops.controller.http import page
from ansible_collections.plumb.gitops.controller.http.auth import Authenticator, short_token
from ansible_collections.plumb.gitops.controller.http.event_broker import (
    MOST_LISTENERS,
    EventBroker,
    FullError,
)
from ansible_collections.plumb.gitops.controller.http.login_throttle import AT_ONCE, PAUSE, LoginThrottle
from ansible_collections.plumb.gitops.controller.http.session import LIFE, Sessions

TOKEN = "a-long-token-that-nobody-guesses"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HEADER = "X-Forwarded-User"
Client = TestClient[Any, Any]


def on_page(
    folder: Path,
    scenario: Callable[[Client, EventBroker], Awaitable[None]],
    *,
    token: str = TOKEN,
    header: str = "",
) -> None:
    """Serve a page with two clusters, and have somebody ask for it."""
    file = folder / "token"
    file.write_text(token, encoding="utf-8")

    def state(cluster: str) -> dict[str, Any] | None:
        return {"clusters": [cluster or "all"]} if cluster in {"", "prod"} else None

    async def serve() -> None:
        broker = EventBroker()
        application = web.Application(client_max_size=4096)
        application.on_response_prepare.append(page.harden)
        http = Http(token_file=file if token else None, trusted_user_header=header)
        shown = page.PageData(state, broker, lambda query: {"apps": [repr(query)]})
        page.add_page(application, Authenticator(http), shown)
        async with TestClient(TestServer(application)) as client:
            await scenario(client, broker)

    asyncio.run(serve())


async def sign_in(client: Client, token: str = TOKEN, **headers: str) -> ClientResponse:
    return await client.post("/sign-in", data={"token": token}, headers=headers)


def test_the_state_is_for_who_has_the_token(tmp_path: Path) -> None:
    async def scenario(client: Client, _broker: EventBroker) -> None:
        for path in ("/api/v1/state", "/api/v1/events"):
            answer = await client.get(path)
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert (await client.get(path, headers={"Authorization": f"Bearer {TOKEN}x"})).status == 401
            assert (await client.get(path, headers={"Authorization": f"Basic {TOKEN}"})).status == 401
        answer = await client.get("/api/v1/state", headers=BEARER)
        assert await answer.json() == {"clusters": ["all"]}
        answer = await client.get("/api/v1/state?cluster=prod", headers=BEARER)
        assert await answer.json() == {"clusters": ["prod"]}
        assert (await client.get("/api/v1/state?cluster=<b>", headers=BEARER)).status == 404

    on_page(tmp_path, scenario)


def test_a_browser_signs_in_and_out(tmp_path: Path) -> None:
    async def scenario(client: Client, _broker: EventBroker) -> None:
        assert await (await client.get("/api/v1/session")).json() == {"by": "", "sign_in": True}
        assert (await sign_in(client, "wrong")).status == 401
        answer = await sign_in(client)
        assert answer.status == 204
        (cookie,) = answer.cookies.values()
        assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (
            True, "Strict", "/", "",
        )  # fmt: skip
        assert TOKEN not in f"{cookie.key}={cookie.value}"
        assert (await client.get("/api/v1/state")).status == 200
        assert (await (await client.get("/api/v1/session")).json())["by"] == "session"
        (tmp_path / "token").write_text("another")
        assert (await client.get("/api/v1/state")).status == 401
        (tmp_path / "token").write_text(TOKEN)
        assert (await client.get("/api/v1/state")).status == 200
        assert (await client.post("/sign-out")).status == 204
        assert (await client.get("/api/v1/state")).status == 401

    on_page(tmp_path, scenario)


def test_a_cookie_is_secure_behind_something_that_speaks_tls(tmp_path: Path) -> None:
    async def scenario(client: Client, _broker: EventBroker) -> None:
        (cookie,) = (await sign_in(client, **{"X-Forwarded-Proto": "https"})).cookies.values()
        assert cookie["secure"] is True

    on_page(tmp_path, scenario)


def test_no_other_site_signs_anyone_in(tmp_path: Path) -> None:
    async def scenario(client: Client, _broker: EventBroker) -> None:
        assert (await sign_in(client, **{"Sec-Fetch-Site": "cross-site"})).status == 403
        assert (await sign_in(client, **{"Sec-Fetch-Site": "same-origin"})).status == 204

    on_page(tmp_path, scenario)


def test_row_78_wrong_tokens_are_counted_and_the_right_one_is_taken_all_the_same(tmp_path: Path) -> None:
    async def scenario(client: Client, _broker: EventBroker) -> None:
        for number in range(AT_ONCE):
            wrong = {"Authorization": f"Bearer {number}"}
            asked = client.get("/api/v1/state", headers=wrong) if number % 2 else sign_in(client, str(number))
            assert (await asked).status == 401
        for _number in range(3 * AT_ONCE):
            answer = await sign_in(client, "wrong")
            assert answer.status == 429
            assert 0 < int(answer.headers["Retry-After"]) <= AT_ONCE * PAUSE
            assert (await sign_in(client)).status == 204
            assert (await client.get("/api/v1/state", headers=BEARER)).status == 200
        client.session.cookie_jar.clear()
        assert (await client.get("/api/v1/state")).status == 401  # says no token

    on_page(tmp_path, scenario)


@pytest.mark.parametrize(
    ("token", "is_short"), [("", True), ("sesame", True), ("x" * 15, True), ("x" * 16, False)]
)
def test_row_78_a_token_that_could_be_guessed_is_warned_of(
    tmp_path: Path, token: str, is_short: bool
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{token}\n", encoding="utf-8")
    assert bool(short_token(Http(token_file=file))) is is_short
    assert token not in short_token(Http(token_file=file)) or not token
    assert short_token(Http()) == ""
    assert short_token(Http(token_file=tmp_path / "missing")) == ""


def test_a_body_is_not_read_beyond_its_bound(tmp_path: Path) -> None:
    async def scenario(client: Client, _broker: EventBroker) -> None:
        assert (await sign_in(client, "a" * 100_000)).status == 413

    on_page(tmp_path, scenario)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({HEADER: "alma@example.com"}, 200),
        ({}, 401),
        ({HEADER: ""}, 401),
        ({HEADER: "alma", "Host": "plumb.evil.example:8400"}, 401),
        ({HEADER: "alma", "Host": "localhost:8400"}, 200),
        ({HEADER: "alma", "Host": "[::1]:8400"}, 200),
        ({HEADER: "alma", "Authorization": "Bearer wrong"}, 401),
    ],
)
def test_a_proxy_says_who_reads_by_the_agents_own_address(
    headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    async def scenario(client: Client, _broker: EventBroker) -> None:
        assert (await client.get("/api/v1/state", headers=headers)).status == status

    on_page(tmp_path, scenario, header=HEADER)


def test_without_a_token_there_is_only_the_proxy(tmp_path: Path) -> None:
    async def scenario(client: Client, _broker: EventBroker) -> None:
        assert await (await client.get("/api/v1/session")).json() == {"by": "", "sign_in": False}
        assert (await sign_in(client, "")).status == 401
        assert (await client.get("/api/v1/state", headers={"Authorization": "Bearer "})).status == 401
        answer = await client.get("/api/v1/session", headers={HEADER: "alma"})
        assert (await answer.json())["name"] == "alma"

    on_page(tmp_path, scenario, token="", header=HEADER)


def test_a_header_that_nobody_configured_says_nothing(tmp_path: Path) -> None:
    async def scenario(client: Client, _broker: EventBroker) -> None:
        assert (await client.get("/api/v1/state", headers={HEADER: "alma"})).status == 401

    on_page(tmp_path, scenario)


def test_an_empty_token_file_lets_nobody_in(tmp_path: Path) -> None:
    async def scenario(client: Client, _broker: EventBroker) -> None:
        (tmp_path / "token").write_text(" \n")
        assert (await sign_in(client, "")).status == 503
        assert (await client.get("/api/v1/state", headers=BEARER)).status == 503

    on_page(tmp_path, scenario)


def test_each_answer_tells_the_browser_what_it_may_not_do(tmp_path: Path) -> None:
    async def scenario(client: Client, _broker: EventBroker) -> None:
        for path in ("/", "/page.js", "/page.css", "/icon.svg", "/api/v1/state", "/nothing"):
            headers = (await client.get(path)).headers
            policy = headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';"), path
            assert "unsafe" not in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cache-Control"] == (
                "no-store" if "api" in path or "nothing" in path else "no-cache"
            )

    on_page(tmp_path, scenario)


def test_a_file_that_the_browser_has_is_not_sent_again(tmp_path: Path) -> None:
    async def scenario(client: Client, _broker: EventBroker) -> None:
        answer = await client.get("/page.js")
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        again = await client.get("/page.js", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status, await again.read()) == (304, b"")

    on_page(tmp_path, scenario)


def test_nothing_on_the_page_is_inline_or_from_elsewhere() -> None:
    folder = Path(page.__file__).parent / "assets"
    served = {name for name, _kind in page._FILES.values()}
    assert served == {file.name for file in folder.iterdir()}
    for name in served:
        text = (folder / name).read_text(encoding="utf-8")
        elsewhere = text.replace("http://www.w3.org/", "").replace("https://www.gnu.org/", "")
        for word in (
            "://",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "style=",
            "<style",
            "onclick",
            "eval(",
        ):
            assert word not in elsewhere, (name, word)


async def events(answer: ClientResponse, number: int) -> list[tuple[str, dict[str, Any]]]:
    """The next events of a stream."""
    received: list[tuple[str, dict[str, Any]]] = []
    while len(received) < number:
        lines = []
        while line := (await asyncio.wait_for(answer.content.readline(), 20)).decode().rstrip("\n"):
            lines.append(line)
        message = dict(line.split(": ", 1) for line in lines)
        received.append((message["event"], json.loads(message["data"])))
    return received


def test_events_say_which_clusters_changed(tmp_path: Path) -> None:
    async def scenario(client: Client, broker: EventBroker) -> None:
        answer = await client.get("/api/v1/events", headers=BEARER)
        assert answer.headers["Content-Type"] == "text/event-stream"
        ((name, message),) = await events(answer, 1)
        assert (name, message["clusters"]) == ("alive", [])
        for cluster in ("prod", "test", "prod"):
            broker.changed(cluster)
        ((name, message),) = await events(answer, 1)
        assert (name, message["clusters"], message["version"]) == ("changed", ["prod", "test"], 3)

    on_page(tmp_path, scenario)


def test_a_sign_of_life_comes_where_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "HEARTBEAT", 0.02)

    async def scenario(client: Client, _broker: EventBroker) -> None:
        answer = await client.get("/api/v1/events", headers=BEARER)
        assert {name for name, _message in await events(answer, 4)} == {"alive"}
        (tmp_path / "token").write_text("another")
        assert (
            await asyncio.wait_for(answer.content.read(), 20) is not None
        )  # it ends: nobody may read any more

    on_page(tmp_path, scenario)


def test_listeners_are_bounded_and_end_with_the_agent(tmp_path: Path) -> None:
    async def scenario(client: Client, broker: EventBroker) -> None:
        answers = [await client.get("/api/v1/events", headers=BEARER) for _number in range(MOST_LISTENERS)]
        for answer in answers:
            await events(answer, 1)
        more = await client.get("/api/v1/events", headers=BEARER)
        assert (more.status, more.headers["Retry-After"]) == (503, "10")
        answers[0].close()
        while len(broker._listeners) == MOST_LISTENERS:
            broker.changed("prod")  # a closed one is noticed when there is something to send
            await asyncio.sleep(0.01)
        broker.end()
        for answer in answers[1:]:
            await asyncio.wait_for(answer.content.read(), 20)
        assert not broker._listeners

    on_page(tmp_path, scenario)


def test_no_more_than_so_many_listen() -> None:
    broker = EventBroker()
    blocks = [broker.listening() for _number in range(MOST_LISTENERS)]
    for block in blocks:
        block.__enter__()
    with pytest.raises(FullError), broker.listening():
        pass
    blocks[0].__exit__(None, None, None)
    with broker.listening():
        pass


def test_a_session_ends_and_cannot_be_made_without_the_token() -> None:
    sessions, now = Sessions(TOKEN.encode()), time.time()
    value = sessions.begin(now)
    assert sessions.ends(value, now) == int(now) + LIFE
    assert sessions.ends(value, now + LIFE + 1) == 0
    assert Sessions(b"another").ends(value, now) == 0
    assert Sessions(b"another").cookie != sessions.cookie
    assert sessions.begin(now) != value
    end, nonce, seal = value.split(".")
    for forged in (
        f"{int(end) + 9}.{nonce}.{seal}",
        f"{end}.{nonce}.{'0' * 64}",
        "",
        "..",
        f"{value}.",
        TOKEN,
    ):
        assert sessions.ends(forged, now) == 0, forged


def test_wrong_tokens_are_forgiven_with_time_and_held_against_their_address_only() -> None:
    throttle = LoginThrottle()
    for _number in range(AT_ONCE):
        assert throttle.wait("192.0.2.1", 100.0) == 0
        throttle.count_wrong("192.0.2.1", 100.0)
    assert throttle.wait("192.0.2.1", 100.0) == PAUSE
    assert throttle.wait("192.0.2.1", 100.0 + PAUSE) == 0
    assert throttle.wait("192.0.2.2", 100.0) == 0
    for number in range(AT_ONCE):
        throttle.count_wrong(f"2001:db8::{number}", 100.0)
    assert throttle.wait("2001:db8::ffff", 100.0) > 0
    for number in range(5000):
        throttle.count_wrong(f"host-{number}", 100.0)
    assert len(throttle._spent) <= 1024
