# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tasks that take long show how far they are, as modules document it."""

from __future__ import annotations


class ModuleDocFragment:
    """The options `progress` and `progress_file`."""

    DOCUMENTATION = r"""
options:
  progress:
    description:
      - How the task shows on standard error how far it is, such as C(812 of 1,000 applied) and what it waits for.
      - V(auto) is a live line on a terminal with one cluster, else a line every five seconds, less often while nothing
        changes. V(always) is lines on a terminal as well, V(never) is nothing.
      - It shows nothing where it runs as a module and not in Ansible's own process.
    type: str
    choices: [auto, always, never]
    default: auto
  progress_file:
    description:
      - A file that holds the progress as JSON while the task works, written at most once a second. For programs; the
        agent uses it.
    type: path
"""
