# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options with the defaults of their spec, so that whoever reads an option needs to know none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..options.common import Spec


def with_defaults(spec: Spec, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of a spec. One that is not given, and an empty text, has the spec's default.

    Ansible fills the defaults of a task in. Options that were kept on disk may be those of an earlier version, which
    did not have all of them.
    """
    return {name: _value(option, options.get(name)) for name, option in spec.items()}


def _value(option: Mapping[str, Any], value: Any) -> Any:
    is_given = value is not None and not (value == "" and "default" in option)
    return value if is_given else option.get("default")


def path_or_none(options: Mapping[str, Any], name: str) -> Path | None:
    """Return the path of an option, or None where it is not given or empty."""
    value = options.get(name)
    return Path(str(value)) if value else None
