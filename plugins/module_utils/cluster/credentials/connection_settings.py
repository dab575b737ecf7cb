# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of one API server, from a kubeconfig, a pod or the options."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...model.errors import InputError
from ...state.file import read_bounded

LARGEST_TOKEN = 256 * 1024  # bytes
TOKEN_FRESH = 10.0  # seconds after which a token file is read again


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """An API server and the way to it, before anything is opened. Files must exist until they are loaded."""

    server: str
    ca_file: Path | None = None  # None: the system's
    verify: bool = True
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str = ""  # to be checked in the certificate, where it is not the host's
    proxy: str = field(default="", repr=False)
    authorization: Callable[[], str] = field(default=str, repr=False)  # the header's value now; empty: none


class TokenFile:
    """A bearer token in a file that another process renews."""

    def __init__(self, path: Path, named: str) -> None:
        self._path, self._named = path, named
        self._lock = threading.Lock()
        self._value, self._until = "", 0.0

    def __call__(self) -> str:
        """Return the header's value. Raises InputError where the file is gone or empty."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._value, self._until = self._read(), time.monotonic() + TOKEN_FRESH
            return self._value

    def _read(self) -> str:
        try:
            token = read_bounded(self._path, LARGEST_TOKEN).decode().strip()
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "it is no text"
            raise self._refused(f"{self._path}: {why}") from exc
        if not token:
            raise self._refused(f"{self._path}: the file is empty")
        return f"Bearer {token}"

    def _refused(self, why: str) -> InputError:
        return InputError(self._named, "reading its token", why, "Restore the file, and run again.")


class PluginToken:
    """The header's value of a plugin's credentials. Reading it runs the plugin again when they have expired.

    It is read again after TOKEN_FRESH, and so is one that could not be: each request would wait for it otherwise.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._value, self._until = "", 0.0
        self._error: InputError | None = None

    def __call__(self) -> str:
        """Return the value. Raises the InputError of `read`."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._value, self._error = self._renewed()
                self._until = time.monotonic() + TOKEN_FRESH
            if self._error is not None:
                raise self._error
            return self._value

    def _renewed(self) -> tuple[str, InputError | None]:
        try:
            return self._read(), None
        except InputError as exc:
            return "", exc
