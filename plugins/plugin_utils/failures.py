# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a failed task of this collection is printed."""

from __future__ import annotations

from ansible.playbook.task import Task


def without_excerpt(task: Task) -> None:
    """Print a failure of this task without the lines of the playbook that the task is in.

    They are the collection's own, and no reader can correct anything there. ansible-core from 2.19 on quotes what
    `get_ds` returns.
    """
    task.get_ds = lambda: None
