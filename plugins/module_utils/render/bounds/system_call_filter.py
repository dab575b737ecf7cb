# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A seccomp filter, as classic BPF: no network, no way into other processes, no memory that the limits do not count.

The kernel asks the filter for each system call of the program and of all that the program starts. What is denied gets
EPERM, which programs report; a call of another architecture (32-bit code in a 64-bit program) ends the program, since
its numbers mean other calls. The numbers are Linux's, of arch/x86/entry/syscalls/syscall_64.tbl and
include/uapi/asm-generic/unistd.h.
"""

from __future__ import annotations

import errno
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# struct seccomp_data
_NUMBER, _ARCHITECTURE = 0, 4
_ARGUMENTS = 16  # of eight bytes each; their lower half comes first on the architectures below
# struct sock_filter
_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
# What a filter returns
_KILL_PROCESS, _ERROR, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000

_X32 = 0x40000000  # this bit in a number means x32, a second set of calls on x86-64
_CLONE_THREAD = 0x00010000
_CLONE_NEW = 0x7E020000  # all namespaces that clone can make
_SHARED_ANONYMOUS = 0x21  # MAP_SHARED and MAP_ANONYMOUS: memory that no limit of a process counts

_DENIED = (
    # any network, local ones too
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg",
    "io_uring_setup", "io_uring_enter", "io_uring_register",
    # sockets, memory and keys of other processes, other namespaces, programs in the kernel
    "pidfd_getfd", "ptrace", "process_vm_readv", "process_vm_writev", "unshare", "setns", "mount", "bpf",
    "perf_event_open", "userfaultfd", "add_key", "request_key", "keyctl",
    # memory that outlives or escapes the limits, and a process group that is not killed with the others
    "memfd_create", "memfd_secret", "shmget", "setsid", "setpgid",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Architecture:
    """The kernel's name of an architecture (AUDIT_ARCH_*) and the numbers of the calls that the filter knows."""

    audit: int
    numbers: Mapping[str, int]
    x32: bool = False


_SINCE_5 = {"pidfd_getfd": 438, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
            "clone3": 435, "memfd_secret": 447}  # fmt: skip
ARCHITECTURES = {
    "x86_64": Architecture(
        0xC000003E,
        {
            **_SINCE_5, "mmap": 9, "shmget": 29, "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "sendmsg": 46,
            "bind": 49, "listen": 50, "socketpair": 53, "clone": 56, "fork": 57, "vfork": 58, "ptrace": 101,
            "setpgid": 109, "setsid": 112, "mount": 165, "add_key": 248, "request_key": 249, "keyctl": 250,
            "unshare": 272, "accept4": 288, "perf_event_open": 298, "sendmmsg": 307, "setns": 308,
            "process_vm_readv": 310, "process_vm_writev": 311, "memfd_create": 319, "bpf": 321, "userfaultfd": 323,
        },
        x32=True,
    ),
    "aarch64": Architecture(
        0xC00000B7,
        {
            **_SINCE_5, "mount": 40, "unshare": 97, "ptrace": 117, "setpgid": 154, "setsid": 157, "shmget": 194,
            "socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "accept": 202, "connect": 203, "sendto": 206,
            "sendmsg": 211, "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220, "mmap": 222,
            "perf_event_open": 241, "accept4": 242, "setns": 268, "sendmmsg": 269, "process_vm_readv": 270,
            "process_vm_writev": 271, "memfd_create": 279, "bpf": 280, "userfaultfd": 282,
        },
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction; `then` and `otherwise` are labels to jump to, the next instruction where they are empty."""

    code: int
    value: int
    then: str = ""
    otherwise: str = ""
    label: str = ""


def filter_for(machine: str, *, may_start_programs: bool) -> bytes:
    """Return the filter for a machine by its name in `os.uname`, an array of struct sock_filter; empty if unknown.

    A 32-bit Python on a 64-bit machine counts as unknown. Threads are always allowed.
    """
    architecture = ARCHITECTURES.get(machine)
    if architecture is None or sys.maxsize < 2**32 or sys.byteorder != "little":
        return b""
    return _assembled([*_steps(architecture, may_start_programs=may_start_programs)])


def _steps(architecture: Architecture, *, may_start_programs: bool) -> Iterable[_Step]:
    numbers = architecture.numbers
    yield _Step(_LOAD, _ARCHITECTURE)
    yield _Step(_EQUAL, architecture.audit, otherwise="kill")
    yield _Step(_LOAD, _NUMBER)
    if architecture.x32:
        yield _Step(_AT_LEAST, _X32, then="deny")
    for name in _DENIED:
        yield _Step(_EQUAL, numbers[name], then="deny")
    if not may_start_programs:
        for name in ("fork", "vfork"):
            if name in numbers:
                yield _Step(_EQUAL, numbers[name], then="deny")
    # The flags of clone3 are in memory, where no filter can read them; programs go on to clone.
    yield _Step(_EQUAL, numbers["clone3"], then="missing")
    yield _Step(_EQUAL, numbers["mmap"], then="mmap")
    yield _Step(_EQUAL, numbers["clone"], then="clone")
    yield _Step(_RETURN, _ALLOW)
    yield _Step(_LOAD, _ARGUMENTS + 3 * 8, label="mmap")
    yield _Step(_AND, _SHARED_ANONYMOUS)
    yield _Step(_EQUAL, _SHARED_ANONYMOUS, then="deny", otherwise="allow")
    yield _Step(_LOAD, _ARGUMENTS, label="clone")
    yield _Step(_AND, _CLONE_NEW if may_start_programs else _CLONE_THREAD)
    yield _Step(_EQUAL, 0 if may_start_programs else _CLONE_THREAD, then="allow")
    yield _Step(_RETURN, _ERROR | errno.EPERM, label="deny")
    yield _Step(_RETURN, _ERROR | errno.ENOSYS, label="missing")
    yield _Step(_RETURN, _KILL_PROCESS, label="kill")
    yield _Step(_RETURN, _ALLOW, label="allow")


def _assembled(steps: Sequence[_Step]) -> bytes:
    places = {step.label: index for index, step in enumerate(steps) if step.label}
    return b"".join(
        struct.pack(
            "HBBI",
            step.code,
            places[step.then] - index - 1 if step.then else 0,
            places[step.otherwise] - index - 1 if step.otherwise else 0,
            step.value,
        )
        for index, step in enumerate(steps)
    )
