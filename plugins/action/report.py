# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints a run's lines as they are, and decides whether the play fails."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.plumb.gitops.plugins.module_utils.interface.verdict import colour_of, verdict
from ansible_collections.plumb.gitops.plugins.plugin_utils.failures import without_excerpt


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs; it makes no connection."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        without_excerpt(self._task)
        _checked, given = self.validate_argument_spec(
            argument_spec={
                "applied": {"type": "dict", "required": True},
                "fail_on": {"type": "str", "choices": ["drift", "failure", "never"], "default": "failure"},
            }
        )
        applied = given["applied"]
        display = Display()
        for colour, lines in groupby(applied.get("lines", ()), colour_of):
            # Each call goes to Ansible's first process and back to a screen, so there is one for all of a colour.
            display.display("\n".join(lines), color=getattr(constants, colour) if colour else None)
        return {**result, **verdict(applied, given["fail_on"])}
