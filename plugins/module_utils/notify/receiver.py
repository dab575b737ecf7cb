# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets notifications. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where messages go; exactly one of the two files is given. `timeout` in seconds."""

    name: str
    webhook_url_file: Path | None = None
    apprise_url_file: Path | None = None
    secret_file: Path | None = None
    ca_file: Path | None = None
    allow_http: bool = False
    timeout: float = 10.0

    @property
    def subject(self) -> str:
        """The receiver's name in errors."""
        return f"notification {self.name}"
