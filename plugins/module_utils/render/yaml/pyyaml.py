# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one import of PyYAML in this package, and which of its parsers is used."""

from __future__ import annotations

from typing import Any

from ...model.errors import RenderError

__all__ = ["parser_class", "yaml"]

try:
    import yaml
except ImportError:
    yaml = None  # type: ignore[assignment]


def parser_class(subject: str) -> Any:
    """PyYAML's parser in C where it is built in, else the one in Python; RenderError where PyYAML is missing."""
    if yaml is None:
        raise RenderError(
            subject,
            "reading YAML",
            "the Python package PyYAML is not installed here",
            "Run: pip install PyYAML",
        )
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
