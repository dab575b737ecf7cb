# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints a run's lines as they are, and decides whether the play fails.

It is told the name of the variable that has the run's result, so that this goes through no template: before
ansible-core 2.19 a text loses its mark of being no template in filters, and hundreds of actions take long to template.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.fail_policy import (
    colour_of,
    verdict,
)
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
                "variable": {"type": "str"},
                "applied": {"type": "dict"},
                "fail_on": {"type": "str", "choices": ["drift", "failure", "never"], "default": "failure"},
            },
            mutually_exclusive=[("variable", "applied")],
            required_one_of=[("variable", "applied")],
        )
        variable = given["variable"]
        if variable and not isinstance((task_vars or {}).get(variable), Mapping):
            said = f"variable {variable!r} holds no result. Name the one that the task before registered."
            return {**result, "failed": True, "msg": said}
        applied = (task_vars or {})[variable] if variable else given["applied"]
        display = Display()
        for colour, lines in groupby(applied.get("lines", ()), colour_of):
            # Each call goes to Ansible's first process and back to a screen, so there is one for all of a colour.
            display.display("\n".join(lines), color=getattr(constants, colour) if colour else None)
        return {**result, **verdict(applied, given["fail_on"])}
