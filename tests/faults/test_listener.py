# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of the agent's listener that drip: headers, bodies, more of them than there is room for (row 58)."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.controller.http.connection_limits import BACKLOG, MOST
from ansible_collections.plumb.gitops.tests.support.agent import instant_runs
from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess, running

TOKEN = "sesame-sesame-sesame"


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    agent = AgentProcess(tmp_path_factory.mktemp("listener") / "agent", module=instant_runs.__name__)
    agent.inventory(dict.fromkeys(instant_runs.HOSTS))
    with running(agent):
        agent.await_run("one")
        yield agent


class Drip:
    """A client that sends one byte after another, and never all; `answer` is what it gets in the end."""

    def __init__(self, agent: AgentProcess, beginning: bytes) -> None:
        host, _colon, port = agent.words["http"]["listen"].partition(":")
        self.answer: bytes | None = None
        self._raw = socket.create_connection((host, int(port)), timeout=60)
        with contextlib.suppress(OSError):  # there was no room
            self._raw.sendall(beginning)
        self._raw.settimeout(0.2)

    @property
    def is_given_up(self) -> bool:
        try:
            return self._raw.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        self._raw.close()

    def go_on(self) -> bool:
        """Say a byte more; whether the agent still listens."""
        if self.answer is None:
            try:
                self._raw.sendall(b"a")
                if (received := self._raw.recv(4096)) or received == b"":
                    self.answer = received
            except TimeoutError:
                return True
            except OSError:
                self.answer = b""
            self._raw.close()
        return False


def drip_until_given_up(drips: list[Drip], agent: AgentProcess) -> None:
    """Drip until none of them is listened to any more, and see that others are served meanwhile, whenever they ask."""
    given_up = threading.Event()

    def drip() -> None:
        while sum(client.go_on() for client in drips):
            pass
        given_up.set()

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        done = False
        while not done:
            done = given_up.wait(0.05)  # some are given up at once: others ask once at least
            assert agent.get("/healthz") == (200, "ok\n")
            assert agent.get("/api/v1/status", token=TOKEN)[0] == 200
    finally:
        thread.join()


HEADER = b"GET /healthz HTTP/1.1\r\nHost: agent\r\nX-Slow: "
LINE = b"GET /"
BODY = (
    b"POST /api/v1/sync HTTP/1.1\r\nHost: agent\r\n"
    b"Authorization: Bearer sesame-sesame-sesame\r\nContent-Length: 4000\r\n\r\n{"
)
UNREAD = b"GET /healthz HTTP/1.1\r\nHost: agent\r\nContent-Length: 4000\r\n\r\n"


@pytest.mark.parametrize("beginning", [LINE, HEADER, BODY, UNREAD], ids=["line", "header", "body", "unread"])
def test_58_a_client_that_drips_is_given_up_and_others_are_served(
    agent: AgentProcess, beginning: bytes
) -> None:
    drips = [Drip(agent, beginning) for _number in range(8)]
    drip_until_given_up(drips, agent)
    statuses = {(client.answer or b"").partition(b"\r\n")[0] for client in drips}
    wanted = {BODY: b"HTTP/1.1 408 Request Timeout", UNREAD: b"HTTP/1.1 200 OK"}
    assert statuses == {wanted.get(beginning, b"")}


def test_58_more_clients_that_drip_than_there_is_room_for_shut_nobody_out(agent: AgentProcess) -> None:
    before = agent.resident()
    drips = [Drip(agent, HEADER) for _number in range(MOST + BACKLOG + 200)]
    assert agent.get("/healthz") == (200, "ok\n")
    assert len(list(Path(f"/proc/{agent.pid}/fd").iterdir())) < MOST + BACKLOG + 50
    assert all(drip.is_given_up for drip in drips[:100]), "the oldest made room"
    assert agent.resident() - before < 32 << 20
    for drip in drips:
        drip.close()
