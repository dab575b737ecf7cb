# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print a run's lines as they are, and decide whether the play fails.

The action takes the name of the variable that has the run's result, so that the result passes through no template:
before ansible-core 2.19 a text loses its mark of being no template in filters, and hundreds of actions take long.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.fail_policy import (
    closing_result,
    coloured,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.options.common import INVENTORY
from ansible_collections.plumb.gitops.plugins.plugin_utils.failures import without_excerpt


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs; it makes no connection."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Print the lines, and return whether the play fails."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        without_excerpt(self._task)
        _checked, options = self.validate_argument_spec(
            argument_spec={
                "variable": {"type": "str"},
                "applied": {"type": "dict"},
                "fail_on": dict(INVENTORY["fail_on"]),
            },
            mutually_exclusive=[("variable", "applied")],
            required_one_of=[("variable", "applied")],
        )
        variable = options["variable"]
        if variable and not isinstance((task_vars or {}).get(variable), Mapping):
            message = (
                f"variable {variable!r} holds no result. Name the variable that the task before registered."
            )
            return {**result, "failed": True, "msg": message}
        applied = (task_vars or {})[variable] if variable else options["applied"]
        display = Display()
        for colour, lines in coloured(applied.get("lines", ())):
            # Each call goes to Ansible's first process and back to a screen, so there is one for all of a colour.
            # Display ends a text with one line break at most, so an empty line at the end needs one more.
            text = "\n".join(lines) + ("\n" if len(lines) > 1 and not lines[-1] else "")
            display.display(text, color=getattr(constants, colour) if colour else None)
        return {**result, **closing_result(applied, options["fail_on"])}
