# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written whole or not at all, and read with a bound on their size and on who may have written them."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path

from .folder import Trust, check_folder, check_status, make_folder

LARGEST = 256 * 1024 * 1024  # bytes; a larger file was not written by Plumb


def write_whole(target: Path, text: str) -> None:
    """Write a file of mode 0600 atomically; its folder is made, mode 0700, if it is missing. Raises OSError."""
    make_folder(target.parent)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # mkstemp makes it 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


def read_bounded(file: Path, largest: int) -> bytes:
    """Return what a regular file holds. Raises OSError for a larger one, and for what only a process could fill.

    A pipe would be waited for, and a device has no end.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(file))
    with os.fdopen(descriptor, "rb") as opened:
        data = opened.read(largest + 1)
    if len(data) > largest:
        raise OSError(errno.EFBIG, f"it is larger than {largest} bytes", str(file))
    return data


def ensure_space(target: Path, size: int) -> None:
    """Check that a file of `size` bytes could be written there now; only its folder is made. Raises OSError."""
    make_folder(target.parent)
    with tempfile.TemporaryFile(dir=target.parent) as file:
        os.posix_fallocate(file.fileno(), 0, size)


def read_private(target: Path, trust: Trust = Trust.CACHE) -> str:
    """Return the text of a regular file.

    Raises NotPrivateError where others may have written it, OSError, UnicodeError.
    """
    if trust is Trust.CACHE:
        check_folder(target.parent)
    handle = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, encoding="utf-8") as file:  # noqa: PTH123
        status = os.fstat(handle)
        check_status(target, status, trust)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(target))
        return file.read()
