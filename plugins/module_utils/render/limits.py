# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one app may cost to render. Every bound is far above what a cluster could take in, and far below harm."""

from __future__ import annotations

from ..model.errors import RenderError

MIB = 1024 * 1024
MAX_FILE_BYTES = 16 * MIB  # one file; the API server takes no object above 3 MiB
MAX_APP_BYTES = 64 * MIB  # all files of an app; also the text of all values with aliases written out
MAX_DOCUMENTS = 50_000  # YAML documents of an app, empty ones too
MAX_FILES = 50_000  # files and folders looked at for an app
MAX_VALUES = 1_000_000  # scalars, lists and maps of an app with aliases written out
MAX_DEPTH = 100  # lists and maps inside one another; also folders
KUSTOMIZE_MEMORY = 512 * MIB  # of one build
KUSTOMIZE_SECONDS = 120.0  # one build; a thousand resources take some 5 s
STDERR_BYTES = MIB  # what is kept of a child's messages
MAX_MESSAGE = 16 * 1024  # characters of a message, quotations left out, that are searched for private text


class Meter:
    """Counts what one app has cost so far and refuses the rest once a bound is passed."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.read_bytes = 0
        self.files = 0
        self.documents = 0
        self.values = 0
        self.text = 0

    def file(self, where: str) -> None:
        """Count one file or folder."""
        self.files += 1
        if self.files > MAX_FILES:
            raise self.refusal(where, f"the app has more than {MAX_FILES} files and folders")

    def content(self, where: str, size: int) -> None:
        """Count `size` bytes read."""
        if size > MAX_FILE_BYTES:
            raise self.refusal(where, f"the file is larger than {MAX_FILE_BYTES // MIB} MiB")
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

    def expanded(self, where: str, values: int, text: int) -> None:
        """Count `values` values holding `text` characters, aliases written out."""
        self.values += values
        self.text += text
        if self.values > MAX_VALUES:
            raise self.refusal(where, f"the app has more than {MAX_VALUES} values with aliases written out")
        if self.text > MAX_APP_BYTES:
            raise self.refusal(
                where, f"the app is larger than {MAX_APP_BYTES // MIB} MiB with aliases written out"
            )

    def refusal(self, where: str, reason: str) -> RenderError:
        """The error for a bound that was passed at `where`."""
        return RenderError(self.subject, f"reading {where}", reason, "Split it into several apps.")
