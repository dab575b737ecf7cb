# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small disk of a test's own, that can be filled and made read-only. Needs the right to mount."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIZE = 8 * 1024 * 1024  # bytes


class CannotMount(Exception):
    """This machine does not let the test mount a disk; the text says why."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A mounted file system; `folder` is its root."""

    folder: Path

    def fill(self) -> None:
        """Fill all free space."""
        with (self.folder / "filler").open("ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def make_room(self) -> None:
        """Remove what `fill` wrote."""
        (self.folder / "filler").unlink()

    def writable(self, *, yes: bool) -> None:
        """Mount it anew, writable or read-only."""
        _run("mount", "-o", f"remount,{'rw' if yes else 'ro'}", str(self.folder))


@contextmanager
def mounted(folder: Path) -> Iterator[Disk]:
    """Mount a disk of SIZE bytes at a new folder, mode 0700. Raises CannotMount."""
    folder.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotMount(str(getattr(error, "stderr", "") or error).strip()) from error
    try:
        yield Disk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)
