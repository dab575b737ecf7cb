# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far inside a host is: on this machine, in a private network or cluster, or public.

A server on the internet that names the next address could have the agent send a request to what only the agent reaches.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from enum import IntEnum
from typing import Union

_Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]  # noqa: UP007 - pylint takes the other form for arithmetic
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?", re.ASCII)
# Names that no public DNS has: of clusters, of mDNS, and those that networks keep for themselves.
_PRIVATE_ENDINGS = (
    "svc",
    "cluster.local",
    "local",
    "internal",
    "intranet",
    "lan",
    "corp",
    "home.arpa",
    "localdomain",
)
_IN_A_CLUSTER = re.compile(r"\.svc(?:\.|$)")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
# Services of clouds, at addresses that look public, which give a machine its credentials.
_METADATA = frozenset({ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("100.100.100.200")})


class Reach(IntEnum):
    """Where a host is; the larger, the nearer."""

    PUBLIC = 0
    PRIVATE = 1  # a private network, a cluster
    MACHINE = 2  # this machine, its link, its cloud's metadata


def reach_of(host: str) -> Reach:
    """Return where a host is, by its name or address and by what its name resolves to. What is no host name is MACHINE.

    A name that does not resolve here is judged as it is written: a proxy may know it, or the request fails.
    """
    written = written_reach(host)
    if written is Reach.MACHINE or _address(_plain(host)) is not None:
        return written
    try:
        addresses = socket.getaddrinfo(_plain(host), 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return written
    return max(written, *(_of_address(ipaddress.ip_address(str(entry[4][0]))) for entry in addresses))


def written_reach(host: str) -> Reach:
    """Return where a host is by its text alone, without asking a resolver."""
    plain = _plain(host)
    address = _address(plain)
    if address is not None:
        return _of_address(address)
    if (
        not _NAME.fullmatch(plain)
        or plain == "localhost"
        or plain.endswith((".localhost", ".localhost.localdomain"))
    ):
        return Reach.MACHINE
    if (
        "." not in plain
        or _IN_A_CLUSTER.search(plain)
        or plain.endswith(tuple(f".{end}" for end in _PRIVATE_ENDINGS))
    ):
        return Reach.PRIVATE
    return Reach.PUBLIC


def is_inside_address(host: str) -> bool:
    """Return whether a host is literally an address inside, or `localhost`."""
    plain = _plain(host)
    address = _address(plain)
    return plain == "localhost" if address is None else _of_address(address) is not Reach.PUBLIC


def _plain(host: str) -> str:
    return host.strip("[]").lower().removesuffix(".")


def _address(host: str) -> _Address | None:
    """Return the address that a host is: also IPv4 as one number, in octal or hexadecimal, or with parts left out."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    if not re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}", host, re.ASCII):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _of_address(address: _Address) -> Reach:
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return _of_address(inner)
    if address.is_loopback or address.is_link_local or address.is_unspecified or address in _METADATA:
        return Reach.MACHINE
    if (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or getattr(address, "is_site_local", False)
    ):
        return Reach.PRIVATE
    return Reach.PUBLIC


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
