# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free ports on loopback."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterable, Mapping

# Below the kernel's range for outgoing connections (32768 and up on Linux), which would otherwise take a
# port between our look and the server's bind.
LOWEST = 20000
HIGHEST = 32767


def candidates(seed: random.Random) -> Iterable[int]:
    """Return all ports worth trying, in an order that differs between sandboxes."""
    return seed.sample(range(LOWEST, HIGHEST + 1), HIGHEST - LOWEST + 1)


def is_free(port: int) -> bool:
    """Return whether nothing listens on PORT of loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do, so that connections of one that has ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose(names: Iterable[str], order: Iterable[int], free: Callable[[int], bool]) -> dict[str, int]:
    """Return the first free port of ORDER for each of NAMES, no port twice; raise OSError if they do not suffice."""
    wanted = list(names)
    usable = (port for port in order if free(port))
    chosen = dict(zip(wanted, usable, strict=False))
    if len(chosen) < len(wanted):
        raise OSError(f"only {len(chosen)} of {len(wanted)} ports from {LOWEST} to {HIGHEST} are free")
    return chosen


def choose_ports(names: Iterable[str], last: Mapping[str, int]) -> dict[str, int]:
    """Return a free port of loopback for each of NAMES, the one that it had LAST where that is free."""
    wanted = list(names)
    again = {name: last[name] for name in wanted if name in last and is_free(last[name])}
    order = (port for port in candidates(random.SystemRandom()) if port not in again.values())
    return again | choose((name for name in wanted if name not in again), order, is_free)
