# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a revision something stands, for errors."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.errors import RenderError
from ..model.objects import Origin


@dataclass(frozen=True, slots=True)
class Location:
    """A file and line of an app; `subject` names the app as errors do, for example `app shop`."""

    subject: str
    origin: Origin

    def error(self, reason: str, next_step: str = "Correct the file.") -> RenderError:
        """Return the error for what was found here; the caller raises it."""
        return RenderError(self.subject, f"reading {self.origin}", reason, next_step)
