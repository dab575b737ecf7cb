# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 68: every exchange with a server ends at its one deadline, and its connection with it, however slowly it goes on.

No times are measured: a server that saw its connection closed had sent a few bytes of a million, one each 0.05 s, and
each read had come in time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.cli.client import AgentClient
from ansible_collections.plumb.gitops.controller.core.config import Http
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.credentials import kubeconfig
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.credentials.connection_settings import (
    PluginToken,
)
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.discovery import ApiResource
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.retry import Clock
from ansible_collections.plumb.gitops.plugins.module_utils.forge.api_calls import ForgeAction
from ansible_collections.plumb.gitops.plugins.module_utils.forge.client import ForgeClient
from ansible_collections.plumb.gitops.plugins.module_utils.forge.repository_address import ForgeRepository
from ansible_collections.plumb.gitops.plugins.module_utils.http.deadline import (
    Deadline,
    DeadlinePassed,
    run_within,
)
from ansible_collections.plumb.gitops.plugins.module_utils.http.session import open_session
from ansible_collections.plumb.gitops.plugins.module_utils.images.image_reference import parse_name
from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.client import ImageRepository
from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.registry_cache import RegistryCache
from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.session import RegistryAccess
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import RefKind, SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.notify.message_text import Message
from ansible_collections.plumb.gitops.plugins.module_utils.notify.messages import News, Severity
from ansible_collections.plumb.gitops.plugins.module_utils.notify.receiver import Receiver
from ansible_collections.plumb.gitops.plugins.module_utils.notify.send import send
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import current_revision
from ansible_collections.plumb.gitops.tests.support.faults.dripping_server import (
    LENGTH,
    Drip,
    DrippingServer,
    dripping_server,
)

SECONDS = 1.0
NEWS = News(severity=Severity.ERROR, kind="failed", app="shop", text="it does not render", key="shop")
MESSAGE = Message(cluster="prod", news=(NEWS,), time="")
PODS = ApiResource(
    group="", version="v1", kind="Pod", plural="pods", namespaced=True, verbs=frozenset({"list"})
)


def _file(folder: Path, text: str) -> Path:
    file = folder / "written"
    file.write_text(text, encoding="utf-8")
    return file


def _forge(server: DrippingServer, folder: Path) -> ForgeClient:
    token = _file(folder, "s3cr3t")
    return ForgeClient(
        ForgeRepository(
            kind="gitea", url=server.url(), owner="team", name="fleet", token_file=token, timeout=SECONDS
        )
    )


def ask_forge(server: DrippingServer, folder: Path) -> None:
    with _forge(server, folder) as client:
        client.request(ForgeAction.WHO)


def list_at_forge(server: DrippingServer, folder: Path) -> None:
    with _forge(server, folder) as client:
        list(client.list_items(ForgeAction.LIST_KEYS))


def write_to_forge(server: DrippingServer, folder: Path) -> None:
    with _forge(server, folder) as client:
        client.request(ForgeAction.ADD_KEY, {"title": "plumb"})


def ask_registry(server: DrippingServer, _folder: Path) -> None:
    image = parse_name(f"127.0.0.1:{server.port}/shop/web", subject="image shop")
    access = RegistryAccess(subject="image shop", insecure=server.drip is not Drip.HANDSHAKE)
    until = time.monotonic() + SECONDS
    with ImageRepository(image, access, cache=RegistryCache(), until=until) as repository:
        repository.tags()


def post(server: DrippingServer, folder: Path) -> None:
    send(Receiver(name="team", webhook_url_file=_file(folder, server.url()), timeout=SECONDS), MESSAGE)


def _by_apprise(url: str, folder: Path) -> None:
    send(Receiver(name="team", apprise_url_file=_file(folder, url), timeout=SECONDS), MESSAGE)


def chat(server: DrippingServer, folder: Path) -> None:
    _by_apprise(server.url("jsons" if server.drip is Drip.HANDSHAKE else "json") + "/?rto=60", folder)


def mail(server: DrippingServer, folder: Path) -> None:
    _by_apprise(server.url("mailto") + "/?from=plumb@example.com&to=team@example.com&rto=60", folder)


def ask_api_server(server: DrippingServer, _folder: Path) -> None:
    spec = ConnectionSpec(host=server.url(), request_timeout=SECONDS, validate_certs=False)
    with connect(spec, clock=Clock(sleep=lambda _seconds: None)) as cluster:
        cluster.list(PODS)


def ask_through_proxy(server: DrippingServer, _folder: Path) -> None:
    spec = ConnectionSpec(host="https://api.example.com", proxy=server.url("http"), request_timeout=SECONDS)
    with connect(spec, clock=Clock(sleep=lambda _seconds: None)) as cluster:
        cluster.list(PODS)


def ask_git(server: DrippingServer, _folder: Path) -> None:
    url = f"{server.url('http')}/fleet.git"
    spec = SourceSpec(name="fleet", url=url, ref_kind=RefKind.BRANCH, ref="main", timeout=SECONDS)
    current_revision(spec)


def ask_agent(server: DrippingServer, folder: Path) -> None:
    config: Any = SimpleNamespace(http=Http(port=server.port, token_file=_file(folder, "s3cr3t")))
    AgentClient(config)._request("GET", "status", seconds=SECONDS)


HTTP = (Drip.HEADER, Drip.BODY, Drip.CLOSED_BODY)
EXCHANGES: dict[Callable[[DrippingServer, Path], None], tuple[Drip, ...]] = {
    ask_forge: (*HTTP, Drip.AFTER_REDIRECT, Drip.HANDSHAKE),
    list_at_forge: (*HTTP, Drip.AFTER_REDIRECT, Drip.SECOND_PAGE, Drip.HANDSHAKE),
    write_to_forge: (*HTTP, Drip.HANDSHAKE),
    ask_registry: (*HTTP, Drip.AFTER_REDIRECT, Drip.TOKEN, Drip.HANDSHAKE),
    post: (Drip.HEADER, Drip.HANDSHAKE),  # the body of its answer is not read
    chat: (*HTTP, Drip.HANDSHAKE),
    mail: (Drip.GREETING,),
    ask_api_server: (*HTTP, Drip.HANDSHAKE),
    ask_through_proxy: (Drip.HEADER,),
    ask_git: HTTP,
    ask_agent: (Drip.HEADER, Drip.BODY),
}


@pytest.mark.timeout(120)  # without a deadline it would go on for ever
@pytest.mark.parametrize(
    ("exchange", "drip"), [(exchange, drip) for exchange, drips in EXCHANGES.items() for drip in drips]
)
def test_an_exchange_ends_at_its_deadline_and_so_does_its_connection(
    tmp_path: Path, exchange: Callable[[DrippingServer, Path], None], drip: Drip
) -> None:
    with dripping_server(drip) as server:
        with pytest.raises(PlumbError) as caught:
            exchange(server, tmp_path)
        if exchange is not ask_agent:  # a command that ends by itself, and its connection with it
            assert server.closed.wait(60)
        assert server.sent < LENGTH
    error = caught.value
    assert any(
        words in str(error) for words in ("no whole answer", "no connection to https", "no end within")
    ), error
    assert error.subject
    assert error.operation
    assert error.next_step
    assert "s3cr3t" not in str(error)


@pytest.mark.timeout(120)
def test_retries_have_no_time_beyond_the_deadline(tmp_path: Path) -> None:
    """A read is tried three times; what drips in the second one ends them all."""
    with dripping_server(Drip.AFTER_REDIRECT) as server:
        with pytest.raises(PlumbError, match=r"no whole answer within 1\.0s"):
            ask_forge(server, tmp_path)
        assert server.closed.wait(60)
        assert len(server.requests) == 2


def test_nothing_is_sent_by_what_connects_only_after_the_deadline() -> None:
    """As a resolver that answers late makes it: the exchange goes on in its thread, and finds that it is over."""
    late, done = threading.Event(), threading.Event()
    with dripping_server(Drip.HEADER) as server, open_session("a test", "asking", ca_file=None) as session:

        def ask() -> None:
            late.wait(60)
            try:
                session.get(server.url(), timeout=5)
            finally:
                done.set()

        with pytest.raises(DeadlinePassed):
            run_within(Deadline.after(0.05), ask)
        late.set()
        assert done.wait(60)
        assert server.requests == []


def test_a_plugin_that_gives_no_fresh_token_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubeconfig, "PLUGIN_TIMEOUT", 0.05)
    over, calls = threading.Event(), []

    def hang() -> str:
        calls.append("")
        over.wait(60)
        return "Bearer late"

    token = PluginToken(lambda: kubeconfig._renewed_token(tmp_path / "config", hang, (OSError,)))
    for _request in range(3):
        with pytest.raises(PlumbError, match="did not answer within"):
            token()
    over.set()
    assert len(calls) == 1
