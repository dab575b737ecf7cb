# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible passes to an action, as Python's own maps, lists and texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def to_plain_types(value: Any) -> Any:
    """Return the value with a copy of each map and list, and texts without Ansible's notes of their origin.

    Checking options fills defaults into maps, into one of two aliases of YAML twice; and it copies them first, which
    takes fifty times as long for texts that carry their origin.
    """
    if isinstance(value, Mapping):
        return {to_plain_types(key): to_plain_types(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain_types(inner) for inner in value]
    return str.__str__(value) if isinstance(value, str) else value
