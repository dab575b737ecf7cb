# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether audit trails are as they were written, for people."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import printable
from ansible_collections.plumb.gitops.plugins.module_utils.report.verify import trails, verify


def verify_lines(path: Path, *, archived: bool) -> tuple[bool, list[str]]:
    """Return whether the trails of a file or folder are as they were written, and the lines that say so."""
    files = trails(path)
    if not files:
        return False, [f"{path}: there is no trail"]
    intact, lines = True, []
    for file in files:
        verification = verify(file, archived=archived)
        intact = intact and verification.is_intact
        word = "intact" if verification.is_intact else "NOT INTACT"
        ends = f"ends with record {verification.head.seq}, {verification.head.hash}"
        lines.append(f"{file}: {word}: {verification.records} records; it {ends}")
        lines += [f"  x {printable(problem)}" for problem in verification.problems]
        lines += [f"  ? {printable(remark)}" for remark in verification.remarks]
    return intact, lines
