# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often an address may send a wrong token."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

AT_ONCE = 10  # wrong tokens; then one more each
PAUSE = 5.0  # seconds
_MOST_ADDRESSES = 1024


class LoginThrottle:
    """Wrong tokens by address. Times are seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        self._spent: OrderedDict[str, float] = OrderedDict()  # when the address has no wrong tokens left

    def wait(self, address: str, now: float) -> float:
        """Return the seconds until the address may send a token again; 0 where it may now."""
        return max(0.0, self._spent.get(_network(address), now) - now - (AT_ONCE - 1) * PAUSE)

    def count_wrong(self, address: str, now: float) -> None:
        """Count a wrong token from the address."""
        network = _network(address)
        self._spent[network] = max(self._spent.get(network, now), now) + PAUSE
        self._spent.move_to_end(network)
        while len(self._spent) > _MOST_ADDRESSES:
            self._spent.popitem(last=False)


def _network(address: str) -> str:
    """Return the address; of an IPv6 address its network, since who has one has all of that."""
    try:
        read = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((read, 64), strict=False)) if read.version == 6 else str(read)
