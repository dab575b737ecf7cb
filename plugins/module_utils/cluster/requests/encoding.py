# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The encoding of request bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...model.compact import compact

# Characters that JSON may hold as they are and YAML may not, or folds as line breaks (YAML 1.2, 5.1 and 5.4).
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def encode(body: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Return compact JSON that a YAML parser reads as the same value: the server reads an apply's body as YAML.

    So characters beyond the Basic Multilingual Plane are not escaped: their JSON escape is a pair of surrogates,
    which YAML refuses.
    """
    data = compact(body)
    if data.isascii() and b"\x7f" not in data:
        return data
    return _NOT_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", data.decode()).encode()
