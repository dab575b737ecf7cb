# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 79: where a registry may send a question: one rule for token services and redirects."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.http.network_reach import Reach, reach_of
from ansible_collections.plumb.gitops.plugins.module_utils.images.errors import RegistryError
from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.challenge import (
    RegistryAuthorization,
)
from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.docker_config import ANONYMOUS
from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.registry_cache import RegistryCache
from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.session import (
    RegistryAccess,
    RegistrySession,
)

NAMES = {
    "rebound.example.com": ["8.8.8.8", "10.0.0.5"],
    "v6.example.com": ["::ffff:127.0.0.1"],
    "far.example.com": ["8.8.4.4"],
}

MACHINE = (
    "localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.1", "127.255.0.9", "2130706433", "0x7f000001", "0x7f.1",
    "0177.0.0.1", "017700000001", "0", "00.0", "::1", "::", "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1",
    "64:ff9b::7f00:1", "2002:7f00:1::", "169.254.169.254", "0xa9fea9fe", "::ffff:169.254.169.254", "fe80::1",
    "fe80::1%eth0", "168.63.129.16", "v6.example.com",
    "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "a b", "%6cocalhost", "",
)  # fmt: skip
PRIVATE = (
    "10.0.0.1", "167772161", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1", "fd00::1", "fec0::1", "ff02::1",
    "224.0.0.1", "240.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "registry", "registry.svc", "registry.infra.svc",
    "registry.infra.svc.cluster.local", "registry.infra.svc.example.org", "kubernetes.default.svc.", "printer.local",
    "metadata.google.internal", "nas.lan", "x.home.arpa", "rebound.example.com",
)  # fmt: skip
PUBLIC = (
    "8.8.8.8",
    "134744072",
    "2001:4860:4860::8888",
    "far.example.com",
    "ghcr.io",
    "my-svc.example.com",
    "a.b.c.d.example",
)


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS as the test has it; no other resolver is used."""

    def resolve(host: str, port: int, **_how: Any) -> list[tuple[Any, ...]]:
        if host not in NAMES:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in NAMES[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.parametrize(
    ("hosts", "reach"), [(MACHINE, Reach.MACHINE), (PRIVATE, Reach.PRIVATE), (PUBLIC, Reach.PUBLIC)]
)
def test_row_79_where_hosts_are(hosts: tuple[str, ...], reach: Reach) -> None:
    assert {host: reach_of(host) for host in hosts} == dict.fromkeys(hosts, reach)


def _session(registry: str) -> RegistrySession:
    return RegistrySession(
        RegistryAccess(subject="image shop"), RegistryCache(), registry=registry, until=time.monotonic() + 5
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if host.count(":") > 1 else host


def _judged(registry: str, host: str, *, realm: str = "") -> str:
    """What a registry hears that names a token service on a host, without a login; empty where it would be asked."""
    authority = RegistryAuthorization(_session(registry), f"https://{registry}", "shop/web", ANONYMOUS, realm)
    try:
        authority._checked(f"https://{_in_url(host)}/token")
    except RegistryError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("host", [*MACHINE[:-4], *PRIVATE])
def test_row_79_a_public_registry_leads_nowhere_inside(host: str) -> None:
    assert "where the registry is not" in _judged("registry.example.com", host)
    with pytest.raises(RegistryError, match="which is not followed"):
        _session("registry.example.com")._target(
            "https://registry.example.com/v2/", f"https://{_in_url(host)}/x", "asking"
        )


@pytest.mark.parametrize(
    ("registry", "host", "followed"),
    [
        ("registry.infra.svc:5000", "registry.infra.svc", True),
        ("registry.infra.svc:5000", "auth.infra.svc", True),
        ("10.1.2.3:5000", "minio.infra.svc.cluster.local", True),
        ("rebound.example.com", "10.9.9.9", True),
        ("registry.infra.svc:5000", "127.0.0.1", False),
        ("10.1.2.3:5000", "169.254.169.254", False),
        ("127.0.0.1:5000", "localhost", True),
        ("far.example.com", "far.example.com:8443", True),
        ("far.example.com", "ghcr.io", True),
    ],
)
def test_row_79_a_registry_inside_leads_no_further_in_than_it_is(
    registry: str, host: str, followed: bool
) -> None:
    session, target = _session(registry), f"https://{host}/x"
    if followed:
        assert session._target(f"https://{registry}/v2/", target, "asking") == target
        assert _judged(registry, host) == ""
    else:
        with pytest.raises(RegistryError, match="which is not followed"):
            session._target(f"https://{registry}/v2/", target, "asking")
        assert "where the registry is not" in _judged(registry, host)


def test_row_79_the_operator_may_name_a_token_service_inside() -> None:
    assert "set realm: https://auth.infra.svc:8443." in _judged("far.example.com", "auth.infra.svc:8443")
    realm = "https://auth.infra.svc:8443"
    assert _judged("far.example.com", "auth.infra.svc:8443", realm=realm) == ""


def test_row_79_nothing_is_sent_to_a_token_service_inside() -> None:
    """The whole way from a challenge; a server on this machine sees nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        port = listening.getsockname()[1]
        for host in ("127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"):
            authority = RegistryAuthorization(
                _session("far.example.com"), "https://far.example.com", "shop/web", ANONYMOUS
            )
            with pytest.raises(RegistryError, match="where the registry is not"):
                authority.respond(f'Bearer realm="https://{host}:{port}/token",service="s"')
        with pytest.raises(BlockingIOError):
            listening.accept()
