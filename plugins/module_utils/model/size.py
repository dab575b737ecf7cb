# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes in bytes as operators write them: `512Mi`, `2Gi`."""

from __future__ import annotations

import re

from .errors import InputError

_UNITS = {"Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
_SIZE = re.compile(r"([1-9]\d{0,5})(Mi|Gi|Ti)", re.ASCII)


def parse_size(text: str, *, subject: str) -> int:
    """Return bytes of a size such as `512Mi` or `2Gi`. Raises InputError, naming `subject`, for anything else."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InputError(
            subject,
            "reading a size",
            f"{text[:40]!r} is not a whole number with a unit",
            "Write it like 512Mi, 2Gi or 1Ti.",
        )
    return int(match[1]) * _UNITS[match[2]]
