# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random
import socket

import pytest
from plumb_sandbox.process.ports import HIGHEST, LOWEST, candidates, choose, choose_ports, is_free


def test_takes_the_first_free_ones_in_order():
    chosen = choose(["a", "b"], [1, 2, 3, 4], lambda port: port % 2 == 0)
    assert chosen == {"a": 2, "b": 4}


def test_says_so_when_they_do_not_suffice():
    with pytest.raises(OSError, match="only 1 of 2 ports"):
        choose(["a", "b"], [1, 2], lambda port: port == 1)


def test_candidates_stay_below_the_range_for_outgoing_connections():
    ports = list(candidates(random.SystemRandom()))
    assert sorted(ports) == list(range(LOWEST, HIGHEST + 1))
    assert ports != sorted(ports)
    assert HIGHEST < 32768


def test_a_listening_port_is_not_free():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert not is_free(listening.getsockname()[1])


def test_who_had_a_port_gets_it_again_while_it_is_free():
    first = choose_ports(["a", "b"], {})
    assert choose_ports(["a", "b"], first) == first
    with socket.create_server(("127.0.0.1", first["a"])) as listening:
        listening.listen()
        again = choose_ports(["a", "b"], first)
        assert again["a"] != first["a"]
        assert again["b"] == first["b"]
