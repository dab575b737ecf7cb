# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that Plumb keeps for itself: written whole or not at all, and read back only if they are what was written.

A file says its kind, its format, and a checksum of its content. Whatever is missing, cut, edited, foreign, or of
another format, older or newer, counts as not there: what is kept so can be made anew. A file, or its folder, that
belongs to somebody else or that others may write to is refused: its checksum says nothing of who wrote it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..model.compact import compact
from .folder import Trust, check_folder, check_status, make_folder

_LONGEST_HEAD = 1024  # characters of a file's first line
_LARGEST = 256 * 1024 * 1024  # bytes; more was not written by us


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


def see_room(target: Path, size: int) -> None:
    """See that a file of `size` bytes could be written there now; only its folder is made. Raises OSError."""
    make_folder(target.parent)
    with tempfile.TemporaryFile(dir=target.parent) as file:
        os.posix_fallocate(file.fileno(), 0, size)


def keep(
    target: Path,
    kind: str,
    form: int,
    content: Mapping[str, Any],
    *,
    sort: bool = True,
    trust: Trust = Trust.CACHE,
) -> None:
    """Write `content` (JSON types) as a file of this kind in this format.

    Without `sort`, keys keep their order, for content in which it is of use to people. Raises OSError, also for more
    than is read back, and NotPrivateError for a cache that others may write to.
    """
    text = compact(content, sort=sort).decode()
    if len(text) > _LARGEST - 1024:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(target))
    head = json.dumps({"kind": kind, "format": form, "checksum": _checksum(text)})
    if trust is Trust.CACHE:
        check_folder(target.parent)
    write_whole(target, f"{head}\n{text}\n")


def kept(target: Path, kind: str, form: int, *, trust: Trust = Trust.CACHE) -> dict[str, Any] | None:
    """The content of a file that `keep` wrote; None where it is not there or not as it was written.

    Raises NotPrivateError where others may have written it.
    """
    try:
        head, _newline, text = read_private(target, trust).partition("\n")
        said = json.loads(head)
        if said != {"kind": kind, "format": form, "checksum": _checksum(text.removesuffix("\n"))}:
            return None
        content = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def is_newer(target: Path, kind: str, form: int) -> bool:
    """Whether a file of this kind is there in a later format: a newer version wrote it, and this one cannot read it.

    For what may not be made anew: there `kept` says None as of a damaged file, and people need to know which it is.
    """
    try:
        with target.open(encoding="utf-8") as file:
            head = json.loads(file.readline(_LONGEST_HEAD))
    except (OSError, ValueError, RecursionError):
        return False
    found = head.get("format") if isinstance(head, dict) and head.get("kind") == kind else None
    return isinstance(found, int) and found > form


def read_private(target: Path, trust: Trust = Trust.CACHE) -> str:
    """The text of a regular file. Raises NotPrivateError where others may have written it, OSError, UnicodeError."""
    if trust is Trust.CACHE:
        check_folder(target.parent)
    handle = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, encoding="utf-8") as file:  # noqa: PTH123
        found = os.fstat(handle)
        check_status(target, found, trust)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(target))
        return file.read()


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
