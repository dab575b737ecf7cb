# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records on disk: all that Plumb remembers between runs, written whole or not at all, and never misread.

    {"kind": "plumb.gitops/looks", "format": 2, "checksum": "<SHA-256 of the second line>"}
    {"checked": 12.5, "looks": {...}}

A file that is missing, cut, edited, foreign, or of another format, older or newer, counts as missing: what is kept so
can be made anew, or its loss is noticed by whoever needs it. A file, or its folder, that belongs to somebody else or
that others may write to is refused, because its checksum says nothing of who wrote it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..model.compact import compact
from .file import LARGEST, read_private, write_whole
from .folder import Trust, check_folder

_LONGEST_HEAD = 1024  # characters of a file's first line

T = TypeVar("T")


def record_file(folder: Path, *identity: str) -> Path:
    """Return the file in `folder` of what these texts identify; its name is a digest of them."""
    return folder / f"{digest_of_texts(*identity)}.json"


def digest_of_texts(*texts: str) -> str:
    """Return a digest of some texts, 32 hexadecimal digits, for the name of a file."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)  # no slots: with them RecordStore[T](...) fails in Python 3.11
class RecordStore(Generic[T]):
    """How values of one type are kept in files of one kind and format.

    `encode` gives the JSON types of a value, `decode` the value of these; what `decode` raises KeyError, TypeError,
    ValueError or AttributeError for counts as missing. Another `version` makes files of before count as missing, too.
    """

    kind: str
    version: int
    encode: Callable[[T], Mapping[str, Any]]
    decode: Callable[[dict[str, Any]], T]
    trust: Trust = Trust.CACHE
    sort: bool = True  # without it keys keep their order, for content in which it is of use to people

    def load(self, file: Path) -> T | None:
        """Return the value that was saved; None where the file is missing or not as it was written.

        Raises NotPrivateError where others may have written it.
        """
        try:
            head, _newline, text = read_private(file, self.trust).partition("\n")
            text = text.removesuffix("\n")
            content = json.loads(text) if json.loads(head) == self._head(text) else None
            return self.decode(content) if isinstance(content, dict) else None
        except (AttributeError, KeyError, OSError, RecursionError, TypeError, ValueError):
            return None

    def save(self, file: Path, value: T) -> None:
        """Write a value. Raises OSError, also for more than is read back, and NotPrivateError as `load` does."""
        text = compact(self.encode(value), sort=self.sort).decode()
        if len(text) > LARGEST - _LONGEST_HEAD:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(file))
        if self.trust is Trust.CACHE:
            check_folder(file.parent)
        write_whole(file, f"{json.dumps(self._head(text))}\n{text}\n")

    def save_or_forget(self, file: Path, value: T) -> None:
        """Write a value; where the disk does not take it, remove the file, because an older value would be wrong."""
        try:
            self.save(file, value)
        except OSError:
            file.unlink(missing_ok=True)

    def is_newer(self, file: Path) -> bool:
        """Return whether a later version wrote the file: it is not damaged, and cannot be read either.

        For what may not be made anew: there people need to know which of the two it is.
        """
        try:
            with file.open(encoding="utf-8") as opened:
                head = json.loads(opened.readline(_LONGEST_HEAD))
        except (OSError, ValueError, RecursionError):
            return False
        version = head.get("format") if isinstance(head, dict) and head.get("kind") == self.kind else None
        return isinstance(version, int) and version > self.version

    def _head(self, text: str) -> dict[str, Any]:
        checksum = hashlib.sha256(text.encode()).hexdigest()
        return {"kind": self.kind, "format": self.version, "checksum": checksum}
