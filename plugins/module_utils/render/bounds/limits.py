# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one app may cost to render. Every bound is far above what a cluster could take in, and far below harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...model.errors import RenderBoundError
from .memory_budget import COLLECTING, READING, TEXT, VALUE, MemoryShare, OverBudgetError

MIB = 1024 * 1024
MAX_FILE_BYTES = 16 * MIB  # one file; the API server takes no object above 3 MiB
MAX_APP_BYTES = 64 * MIB  # all files of an app; also the text of all values with aliases written out
MAX_DOCUMENTS = 50_000  # YAML documents of an app, empty ones too
MAX_FILES = 50_000  # files and folders read for an app
MAX_VALUES = 1_000_000  # scalars, lists and maps of an app with aliases written out
MAX_DEPTH = 100  # lists and maps inside one another; also folders
# Memory of one build: the first try, which is enough for 1,000 resources, and the second.
KUSTOMIZE_MEMORY = (192 * MIB, 512 * MIB)
KUSTOMIZE_SECONDS = 120.0  # one build; a thousand resources take some 5 s
STDERR_BYTES = MIB  # what is kept of a child's messages
MAX_MESSAGE = 16 * 1024  # characters of a message, quotations left out, that are searched for private text

MAX_PRIVATE = MIB  # characters of private texts that are searched for in a message

SPLIT = "Split it into several apps."
MORE_MEMORY = (
    "Split it into several apps, or give Plumb more memory: plumb_agent_resources of an agent in a cluster, "
    "plumb_agent_memory of one on a host."
)


class Meter:
    """Counts what one app has cost so far and refuses the rest once a bound is passed.

    `account` is its share of the memory of the run; without one only the bounds of this module hold.
    """

    def __init__(self, subject: str, account: MemoryShare | None = None) -> None:
        self.subject = subject
        self.read_bytes = 0
        self.files = 0
        self.documents = 0
        self.values = 0
        self.text = 0
        self.held = 0  # bytes of memory that the values read so far take
        self._of_document = 0  # bytes of memory counted for the document that is being read
        self._account = account

    def file(self, where: str) -> None:
        """Count one file or folder."""
        self.files += 1
        if self.files > MAX_FILES:
            raise self.refusal(where, f"the app has more than {MAX_FILES} files and folders")

    def content(self, where: str, size: int) -> None:
        """Count `size` bytes read."""
        if size > MAX_FILE_BYTES:
            raise self.refusal(
                where,
                f"the file has {-(-size // MIB)} MiB, and a file may have {MAX_FILE_BYTES // MIB}",
                "Split the file, or keep it out of the app's path if it is no manifest.",
            )
        self.read_bytes += size
        if self.read_bytes > MAX_APP_BYTES:
            raise self.refusal(where, f"the app's files are larger than {MAX_APP_BYTES // MIB} MiB together")

    def built(self, where: str, size: int) -> None:
        """Count `size` bytes that a program made of files."""
        self.read_bytes += size
        if self.read_bytes > MAX_APP_BYTES:
            raise self.refusal(where, f"the app is larger than {MAX_APP_BYTES // MIB} MiB, built")

    def document(self, where: str) -> None:
        """Count one document."""
        self.documents += 1
        if self.documents > MAX_DOCUMENTS:
            raise self.refusal(where, f"the app has more than {MAX_DOCUMENTS} documents")

    @contextmanager
    def parsing(self, where: str, size: int, more: int = 0) -> Iterator[None]:
        """Count the memory that it takes to read `size` bytes, and `more`, while they are read."""
        amount = READING * size + more
        self._take(where, amount)
        try:
            yield
        finally:
            self._take(where, -amount)

    @contextmanager
    def collecting(self, where: str) -> Iterator[Callable[[int], None]]:
        """Yield a function that counts each part of an output, in bytes, as long as that is collected."""
        collected = 0

        def count(size: int) -> None:
            nonlocal collected
            self._take(where, COLLECTING * size)
            collected += COLLECTING * size

        try:
            yield count
        finally:
            self._take(where, -collected)

    @contextmanager
    def program(self, most: int) -> Iterator[int]:
        """Wait until a program may take `most` bytes of memory, or all that there is for programs; how much it is."""
        if self._account is None:
            yield most
            return
        with self._account.budget.program(most) as amount:
            yield amount

    def expanding(self, where: str, values: int, text: int) -> None:
        """Count what a document has so far: `values` values holding `text` characters, aliases written out."""
        if self.values + values > MAX_VALUES:
            raise self.refusal(where, f"the app has more than {MAX_VALUES} values with aliases written out")
        if self.text + text > MAX_APP_BYTES:
            raise self.refusal(
                where, f"the app is larger than {MAX_APP_BYTES // MIB} MiB with aliases written out"
            )
        amount = VALUE * values + TEXT * text
        self._take(where, amount - self._of_document)
        self.held += amount - self._of_document
        self._of_document = amount

    def expanded(self, where: str, values: int, text: int) -> None:
        """Count a whole document, as `expanding` does a part of one."""
        self.expanding(where, values, text)
        self.values += values
        self.text += text
        self._of_document = 0

    def drop(self, where: str, held: int) -> None:
        """Stop counting the values that were read since `held` had this value: nobody has them any more."""
        self._take(where, held - self.held)
        self.held = held

    def _take(self, where: str, amount: int) -> None:
        if self._account is None:
            return
        try:
            self._account.charge(amount)
        except OverBudgetError as error:
            others = f", of which other apps of this run have {error.held // MIB} MiB" if error.held else ""
            raise RenderBoundError(
                self.subject,
                f"reading {where}",
                f"it needs more memory than there is for manifests: {error.available // MIB} MiB{others}",
                MORE_MEMORY,
                memory=error.available - error.held,
            ) from error

    def refusal(self, where: str, reason: str, next_step: str = SPLIT) -> RenderBoundError:
        """Return the error for a bound that was passed at `where`."""
        return RenderBoundError(self.subject, f"reading {where}", reason, next_step)
