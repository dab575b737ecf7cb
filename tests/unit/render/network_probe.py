# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries every way to a network, or around it, and prints a line for each: run where none may work."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Callable

PORT, NAME = (int(sys.argv[1]), "\0" + sys.argv[2]) if __name__ == "__main__" else (0, "")
IO_URING_SETUP, CLONE_NEWUSER, X32 = 425, 0x10000000, 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def call(*arguments: object) -> int:
    result = LIBC.syscall(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def datagram(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sending:
        sending.sendto(b"probe", (host, PORT))


def local(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as connecting:
        connecting.connect(NAME)


WAYS: dict[str, Callable[[], object]] = {
    "tcp4": lambda: socket.create_connection(("127.0.0.1", PORT), 5),
    "tcp6": lambda: socket.create_connection(("::1", PORT), 5),
    "udp4": lambda: datagram(socket.AF_INET, "127.0.0.1"),
    "udp6": lambda: datagram(socket.AF_INET6, "::1"),
    "abstract": lambda: local(socket.SOCK_STREAM),
}
CALLS: dict[str, Callable[[], object]] = {
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "pair": socket.socketpair,
    "io_uring": lambda: call(IO_URING_SETUP, 8, ctypes.create_string_buffer(256)),
    "namespace": lambda: call({"x86_64": 272, "aarch64": 97}[os.uname().machine], CLONE_NEWUSER),
}
if os.uname().machine == "x86_64":
    CALLS["x32"] = lambda: call(X32 + 41, 2, 1, 0)


def main() -> None:
    """Try each way; with a third argument only those that every confinement denies. Then once more in a child."""
    ways = WAYS if "ways" in sys.argv else WAYS | CALLS
    for name, attempt in ways.items():
        try:
            attempt()
        except OSError as error:
            outcome = str(error.errno)
        else:
            outcome = "worked"
        sys.stdout.write(f"{name} {outcome}\n")
    sys.stdout.flush()
    if "child" in sys.argv and os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-I", "-S", *[w for w in sys.argv if w != "child"]])  # noqa: S606


if __name__ == "__main__":
    main()
