# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter for system calls, asked as the kernel asks it, for each architecture (row 64)."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds.system_call_filter import (
    ARCHITECTURES,
    filter_for,
)

DENIED, MISSING, KILLED, ALLOWED = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x80000000, 0x7FFF0000
NETWORK = (
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "pidfd_getfd",
)  # fmt: skip
OTHERS = (
    "ptrace",
    "process_vm_readv",
    "unshare",
    "setns",
    "mount",
    "bpf",
    "memfd_create",
    "shmget",
    "setsid",
)
HARMLESS = {"x86_64": (0, 1, 3, 60, 231, 257, 202, 318), "aarch64": (63, 64, 57, 93, 94, 56, 98, 278)}
HEADERS = {
    "x86_64": (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), "__NR_"),
    "aarch64": (Path("/usr/include/asm-generic/unistd.h"), "__NR_|__NR3264_"),
}
PRIVATE, SHARED, ANONYMOUS = 0x2, 0x1, 0x20
THREAD, FORK, NEW_USER = 0x3D0F00, 17, 0x10000000


def answer(
    machine: str, number: int, *arguments: int, audit: int = 0, may_start_programs: bool = False
) -> int:
    """Return what the filter returns for a call, worked out as Linux does (kernel/seccomp.c, net/core/filter.c)."""
    data = struct.pack(
        "<IIQ6Q", number, audit or ARCHITECTURES[machine].audit, 0, *arguments, *[0] * (6 - len(arguments))
    )
    code = [*struct.iter_unpack("HBBI", filter_for(machine, may_start_programs=may_start_programs))]
    place, accumulator = 0, 0
    while True:
        operation, then, otherwise, value = code[place]
        place += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x54:
                accumulator &= value
            case 0x15:
                place += then if accumulator == value else otherwise
            case 0x35:
                place += then if accumulator >= value else otherwise
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(operation)


@pytest.mark.parametrize("machine", [*ARCHITECTURES])
@pytest.mark.parametrize("name", [*NETWORK, *OTHERS])
@pytest.mark.parametrize("may_start_programs", [False, True])
def test_row_64_calls_for_a_network_or_around_the_limits_are_denied(
    machine: str, name: str, may_start_programs: bool
) -> None:
    number = ARCHITECTURES[machine].numbers[name]
    assert answer(machine, number, may_start_programs=may_start_programs) == DENIED


@pytest.mark.parametrize("machine", [*ARCHITECTURES])
def test_row_64_other_calls_are_allowed_and_those_of_other_architectures_end_the_program(
    machine: str,
) -> None:
    assert {answer(machine, number) for number in HARMLESS[machine]} == {ALLOWED}
    for foreign in (0x40000003, 0x40000028, *(a.audit for m, a in ARCHITECTURES.items() if m != machine)):
        assert answer(machine, HARMLESS[machine][0], audit=foreign) == KILLED


def test_row_64_no_call_of_x32_is_allowed() -> None:
    for number in (0, 41, 9, 435, 0x3FFFFFFF, 0xBFFFFFFF):
        assert answer("x86_64", 0x40000000 + number) == DENIED


@pytest.mark.parametrize("machine", [*ARCHITECTURES])
def test_row_64_programs_are_started_only_where_that_is_allowed(machine: str) -> None:
    numbers = ARCHITECTURES[machine].numbers
    assert answer(machine, numbers["clone"], THREAD) == ALLOWED
    assert answer(machine, numbers["clone"], FORK) == DENIED
    assert answer(machine, numbers["clone"], FORK, may_start_programs=True) == ALLOWED
    assert answer(machine, numbers["clone"], FORK | NEW_USER, may_start_programs=True) == DENIED
    assert {answer(machine, numbers["clone3"], may_start_programs=may) for may in (True, False)} == {MISSING}
    for name in {"fork", "vfork"} & set(numbers):
        assert answer(machine, numbers[name]) == DENIED
        assert answer(machine, numbers[name], may_start_programs=True) == ALLOWED


@pytest.mark.parametrize("machine", [*ARCHITECTURES])
def test_row_69_memory_that_no_limit_counts_is_denied(machine: str) -> None:
    number = ARCHITECTURES[machine].numbers["mmap"]
    assert answer(machine, number, 0, 1, 3, SHARED | ANONYMOUS) == DENIED
    assert answer(machine, number, 0, 1, 3, PRIVATE | ANONYMOUS) == ALLOWED
    assert answer(machine, number, 0, 1, 3, SHARED) == ALLOWED, "of a file, whose size is limited"


@pytest.mark.parametrize("machine", [*ARCHITECTURES])
def test_the_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    header, prefix = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"{header} is not here: apt-get install linux-libc-dev")
    numbers = ARCHITECTURES[machine].numbers
    of_headers = {
        name: int(number)
        for name, number in re.findall(rf"#define (?:{prefix})(\w+)\s+(\d+)\b", header.read_text())
        if name in numbers
    }
    assert of_headers == numbers


def test_an_unknown_machine_has_no_filter() -> None:
    assert filter_for("mips64", may_start_programs=False) == b""
