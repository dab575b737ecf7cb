# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compact JSON: by orjson where it is installed, five times as fast, and else by Python's own writer."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["compact", "orjson"]

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]

_HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair


def compact(value: Any, *, sort: bool = False) -> bytes:
    """JSON types as JSON in UTF-8 without spaces; with `sort` by key.

    What UTF-8 cannot hold, half a surrogate pair, stands as an escape. The two writers differ in how they write some
    numbers (`1e-7`, `1e-07`), never in what that means. Raises ValueError or TypeError for what is no JSON.
    """
    if orjson is not None:
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort else None)
        except TypeError:
            pass  # integers beyond 64 bits, keys that are no text, halves of surrogate pairs: Python's own takes them
    text = json.dumps(value, sort_keys=sort, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return _HALF.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()
