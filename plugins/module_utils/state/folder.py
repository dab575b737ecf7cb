# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of files that Plumb keeps for itself and believes: who may write to them, and how large they become.

Who can write there decides what is applied to clusters. So a folder or file that belongs to somebody else, or that
others may write to, is refused, not passed over: nothing in it is read, and nothing is written to it.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path

from ..model.errors import InputError

_TOUCH = 24 * 3600.0  # seconds after which a use is noted on a file
_LEFT_OVER = 600.0  # seconds after which what a killed process was writing is removed
_CACHE_STEP = (
    "Remove it, or name a folder (plumb_cache_dir) that belongs to the user who runs this, with mode 0700; what was"
    " in it may have been written by others."
)
_STATE_STEP = "Find out who wrote it; then give it to the user who runs this, with mode 0600, or remove it."
_ROOT = 0  # the user id whose links are trusted as one's own


class Trust(Enum):
    """Whose files are believed.

    CACHE: of who runs this, in a folder of theirs, to which nobody else may write. STATE: the same for the file, but
    its group may write to it if that is one's own: Kubernetes sets that on a volume, whose folder is root's. ANYONE:
    what is not believed more than the files beside it, and is read by others, too (an audit trail's head).
    """

    CACHE = "cache"
    STATE = "state"
    ANYONE = "anyone"


class NotPrivateError(InputError):
    """A folder or file of Plumb's own belongs to somebody else, or others may write to it."""


def private_folder(folder: Path) -> Path:
    """Return the folder, made with mode 0700 where it is missing, with those above it.

    Raises NotPrivateError where it may not be believed, and OSError where it cannot be made.
    """
    make_folder(folder)
    check_folder(folder)
    return folder


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, with mode 0700 whatever the umask. Raises OSError."""
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for path in reversed(missing):
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            if not path.is_dir():
                raise
        else:
            path.chmod(0o700)


def check_folder(folder: Path) -> None:
    """Raise NotPrivateError unless a folder belongs to who runs this and only they may write to it.

    One that is not there passes. Links on the way to it must be root's or one's own: in a folder where all may write,
    such as /tmp, another user's link would lead to content of one's own that is no cache.
    """
    try:
        status = folder.lstat()
        if stat.S_ISLNK(status.st_mode):
            raise NotPrivateError(*_account(folder, "it is a symbolic link"))
        if not stat.S_ISDIR(status.st_mode):
            return  # nothing can be in it
        check_status(folder, status)
        for above in folder.absolute().parents:
            link = above.lstat()
            if stat.S_ISLNK(link.st_mode) and link.st_uid not in (_ROOT, os.geteuid()):
                reason = f"{above} is a symbolic link of user id {link.st_uid}"
                raise NotPrivateError(*_account(folder, reason))
    except (FileNotFoundError, NotADirectoryError):
        return


def check_status(path: Path, status: os.stat_result, trust: Trust = Trust.CACHE) -> None:
    """Raise NotPrivateError where a file or folder of this status is somebody else's, or others may write to it."""
    if trust is Trust.ANYONE:
        return
    own_group = trust is Trust.STATE and status.st_gid == os.getegid()
    if status.st_uid != os.geteuid():
        reason = f"it belongs to user id {status.st_uid}, not to {os.geteuid()}"
        raise NotPrivateError(*_account(path, reason, trust))
    if status.st_mode & (0o002 if own_group else 0o022):
        raise NotPrivateError(
            *_account(path, f"others may write to it (mode {status.st_mode & 0o7777:04o})", trust)
        )
    # An open file that was replaced since has no name any more; that is how files of ours change.
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        raise NotPrivateError(*_account(path, f"it has {status.st_nlink} names (hard links)", trust))


def _account(path: Path, reason: str, trust: Trust = Trust.CACHE) -> tuple[str, str, str, str]:
    if trust is Trust.CACHE:
        return f"cache {path}", "opening the cache", reason, _CACHE_STEP
    return f"state {path}", "opening the agent's state", reason, _STATE_STEP


def note_use(file: Path) -> None:
    """Note on a file, at most once a day, that it was of use."""
    with suppress(OSError):
        if time.time() - file.stat().st_mtime > _TOUCH:
            os.utime(file)


def bound_folder(folder: Path, *, largest: int, unused: float) -> None:
    """Remove files that were not used for `unused` seconds, then the oldest until the rest is `largest` bytes."""
    now = time.time()
    files: list[tuple[float, int, Path]] = []
    with suppress(OSError):
        for file in folder.iterdir():
            with suppress(OSError):
                status = file.lstat()
                if stat.S_ISREG(status.st_mode):
                    age = now - status.st_mtime
                    over = age > (_LEFT_OVER if file.name.startswith(".") else unused)
                    files.append((float("inf") if over else age, status.st_size, file))
    size = sum(of for _age, of, _file in files)
    for age, of, file in sorted(files, reverse=True):
        if age != float("inf") and size <= largest:
            break
        with suppress(OSError):
            file.unlink()
            size -= of
