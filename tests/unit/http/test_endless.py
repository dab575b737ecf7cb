# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers without end, in redirects and refusals too, of which `requests` by itself reads all."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.forge.client import ForgeClient
from ansible_collections.plumb.gitops.plugins.module_utils.forge.repository import token_owner
from ansible_collections.plumb.gitops.plugins.module_utils.forge.repository_address import ForgeRepository
from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.registry_cache import RegistryCache
from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.session import (
    RegistryAccess,
    RegistrySession,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.notify.message_text import Message
from ansible_collections.plumb.gitops.plugins.module_utils.notify.messages import News, Severity
from ansible_collections.plumb.gitops.plugins.module_utils.notify.receiver import Receiver
from ansible_collections.plumb.gitops.plugins.module_utils.notify.send import send
from ansible_collections.plumb.gitops.tests.support.faults.endless_server import EndlessServer

MOST = 8 << 20
BUFFERS = 16 << 20  # bytes that the system takes for who does not read them

REDIRECT = (302, {"Location": "/elsewhere"})
ANSWERS = {"an answer": (200, {}), "a redirect": REDIRECT, "a refusal": (404, {}), "no service": (503, {})}


def ask_forge(url: str, folder: Path) -> None:
    token = folder / "token"
    token.write_text("s3cr3t", encoding="utf-8")
    with ForgeClient(
        ForgeRepository(kind="gitea", url=url, owner="team", name="fleet", token_file=token)
    ) as client:
        token_owner(client)


def ask_registry(url: str, _folder: Path) -> None:
    session = RegistrySession(
        RegistryAccess(subject="image shop"),
        RegistryCache(),
        registry="127.0.0.1",
        until=time.monotonic() + 600,
    )
    session.request(f"{url}/v2/", "listing the tags", limit=MOST)


def tell_receiver(url: str, folder: Path) -> None:
    file = folder / "address"
    file.write_text(url, encoding="utf-8")
    news = News(severity=Severity.ERROR, kind="failed", app="shop", text="it does not render", key="shop")
    send(Receiver(name="team", webhook_url_file=file), Message(cluster="prod", news=(news,), time=""))


@pytest.mark.parametrize("answer", list(ANSWERS))
@pytest.mark.parametrize("ask", [ask_forge, ask_registry, tell_receiver])
def test_no_more_is_taken_than_may_be(tmp_path: Path, ask: Callable[[str, Path], None], answer: str) -> None:
    status, headers = ANSWERS[answer]
    with EndlessServer(status, headers) as server:
        if ask is tell_receiver and status == 200:
            ask(server.url, tmp_path)  # what it says is not read
        else:
            with pytest.raises(PlumbError) as caught:
                ask(server.url, tmp_path)
            message = "the receiver answers" if ask is tell_receiver else "larger than 8192 KiB"
            assert message in str(caught.value)
            assert caught.value.next_step
    assert server.taken
    assert max(server.taken) <= MOST + BUFFERS


def test_a_compressed_answer_is_not_unpacked(tmp_path: Path) -> None:
    for ask in (ask_forge, ask_registry):
        with (
            EndlessServer(200, {"Content-Encoding": "gzip"}) as server,
            pytest.raises(PlumbError, match="compressed"),
        ):
            ask(server.url, tmp_path)
        assert max(server.taken) <= BUFFERS
