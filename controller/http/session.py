# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser's session: a value that only somebody with the token can make, that does not reveal it, and that ends.

Nothing of it is kept here: it outlives a restart, and a new token ends all of them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

LIFE = 12 * 3600  # seconds
_FORM = re.compile(r"(\d{1,12})\.([A-Za-z0-9_-]{22})\.([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of one token."""

    token: bytes

    @property
    def cookie(self) -> str:
        """The cookie's name; agents on other ports of the same host have others, since cookies know no port."""
        return f"plumb-{self._derived('name').hex()[:12]}"

    def begin(self, now: float) -> str:
        """Return the value of a new session's cookie."""
        value = f"{int(now) + LIFE}.{secrets.token_urlsafe(16)}"
        return f"{value}.{self._seal(value)}"

    def ends(self, value: str, now: float) -> int:
        """Return when the session ends, in seconds since the epoch; 0 for one that is over or none of this token."""
        match = _FORM.fullmatch(value)
        if match is None or not hmac.compare_digest(self._seal(f"{match[1]}.{match[2]}"), match[3]):
            return 0
        return int(match[1]) if now < int(match[1]) <= now + LIFE else 0

    def _seal(self, value: str) -> str:
        return hmac.new(self._derived("seal"), value.encode(), hashlib.sha256).hexdigest()

    def _derived(self, purpose: str) -> bytes:
        return hmac.new(self.token, f"plumb.gitops/session/v1/{purpose}".encode(), hashlib.sha256).digest()
