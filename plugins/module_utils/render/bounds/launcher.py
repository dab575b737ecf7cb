# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that gives up the network, sets limits for itself, and then becomes the program that its arguments name.

`bounded_subprocess` starts it with `python -I -S -c`, with the text of this file: code between fork and exec in a
process with threads may deadlock, and a collection may be read from a zip file, where no path leads to this one. Only
what starts fast is imported: the standard library's ctypes, os, resource and sys.

Arguments: the process id of the parent, a descriptor, the limits as `DATA=1073741824,CPU=60`, the filter in
hexadecimal (empty: none for this machine), `confined` or `anyhow`, then the program by its path and its arguments. On
the descriptor it writes one line about what kept it from becoming the program; nothing where it became it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys

CONFINEMENT = "no confinement: "  # a refusal that begins so says that no means of giving up the network works
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 38, 22
_SECCOMP_MODE_FILTER = 2
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_NETWORK = "/proc/self/ns/net"
_SIGKILL, _SIGPIPE, _SIGXFSZ = 9, 13, 25  # the module signal is slow to import
_INSTRUCTION = 8  # bytes of a struct sock_filter


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _called(result: int, what: str) -> None:
    """Raise OSError where a call of the C library failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _set_limits(written: str) -> None:
    """Set each limit, to no more than what this process may have."""
    for item in written.split(","):
        name, _equals, value = item.partition("=")
        kind = getattr(resource, f"RLIMIT_{name}")
        most = resource.getrlimit(kind)[1]
        limit = int(value) if most == resource.RLIM_INFINITY else min(int(value), most)
        try:
            # At the first limit of time a signal says what it was, at the second there is no more to be said.
            resource.setrlimit(kind, (limit, limit + (most != limit) if name == "CPU" else limit))
        except (OSError, ValueError) as error:
            raise OSError(f"the limit {name} cannot be set: {error}") from error


def _end_first() -> None:
    """Have the kernel end this program before any other where memory runs out."""
    try:
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(descriptor, b"1000")
        os.close(descriptor)
    except OSError:  # no /proc, or a read-only one: the limits hold all the same
        pass


def _filter_calls(libc: ctypes.CDLL, instructions: bytes) -> None:
    """Have the kernel filter all calls from now on. Raises OSError where it does not."""
    if not instructions:
        raise OSError("there is no filter for this machine's architecture")
    program = _Program(len(instructions) // _INSTRUCTION, instructions)
    _called(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program), 0, 0), "prctl")
    descriptor = libc.socket(1, 1, 0)
    if descriptor != -1:  # a kernel, or an emulation of one, that takes filters and does not heed them
        os.close(descriptor)
        raise OSError("the filter has no effect")


def _leave_network(libc: ctypes.CDLL) -> None:
    """Go into an empty network of one's own. Raises OSError where that is not allowed."""
    before = os.stat(_NETWORK).st_ino  # noqa: PTH116 - pathlib takes as long to import as all the rest
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        _called(libc.unshare(_CLONE_NEWNET), "unshare")
    if os.stat(_NETWORK).st_ino == before:  # noqa: PTH116
        raise OSError("unshare has no effect")


def _confine(libc: ctypes.CDLL, instructions: bytes) -> None:
    """Give up the network by the first means that works. Raises OSError, which names why none does."""
    try:
        _filter_calls(libc, instructions)
    except OSError as first:
        try:
            _leave_network(libc)
        except OSError as second:
            raise OSError(
                f"seccomp: {first.strerror or first}; namespaces: {second.strerror or second}"
            ) from second


def _become(parent: int, limits: str, instructions: bytes, policy: str, program: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
    _called(libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        raise OSError("whoever started it has ended")
    for number in (_SIGPIPE, _SIGXFSZ):  # Python ignores them, and a new program would go on with that
        libc.signal(number, None)
    _end_first()
    _set_limits(limits)
    _called(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    try:
        _confine(libc, instructions)
    except OSError as error:
        if policy != "anyhow":
            raise OSError(f"{CONFINEMENT}{error}") from error
    os.execv(program[0], program)  # noqa: S606 - there is no shell in it


def main() -> None:
    """Become the program, or report why not."""
    parent, descriptor, limits, instructions, policy = sys.argv[1:6]
    os.set_inheritable(int(descriptor), False)
    try:
        _become(int(parent), limits, bytes.fromhex(instructions), policy, sys.argv[6:])
    except OSError as error:
        os.write(int(descriptor), str(error.strerror or error).encode())
    os._exit(127)


if __name__ == "__main__":
    main()
