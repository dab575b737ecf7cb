# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a task was started."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...model.progress import Progress


@dataclass(frozen=True, slots=True)
class Mode:
    """How a task was started: with `--check`, with `--diff`; and where it counts how far it is."""

    check: bool
    diff: bool
    progress: Progress = field(default_factory=Progress, compare=False)
