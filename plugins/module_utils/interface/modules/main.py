# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way into and out of a module: no traceback, one shape for results and failures."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ...model.errors import PlumbError
from .mode import Mode

Work = Callable[[Mapping[str, Any], Mode], Mapping[str, Any]]


def run_module(argument_spec: Mapping[str, Any], work: Work, **rules: Any) -> None:
    """Check the options, do the work, and end the module with its result or with what went wrong.

    `rules` are those among options, such as `required_one_of`, as AnsibleModule takes them.
    """
    module = AnsibleModule(argument_spec=dict(argument_spec), supports_check_mode=True, **rules)
    mode = Mode(module.check_mode, module._diff)  # noqa: SLF001 - Ansible has no other word for it
    result = outcome_of(work, module.params, mode)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


def outcome_of(work: Work, options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """The result of the work, or what went wrong as a result with `failed` and `msg`. Nothing is raised."""
    try:
        return dict(work(options, mode))
    except PlumbError as error:
        return {"failed": True, "msg": str(error), "error": type(error).__name__}
    except Exception as error:  # noqa: BLE001 - the single exit of a module
        return {"failed": True, "msg": defect(error)}


def defect(error: Exception) -> str:
    """What a user is told of a defect: the kind of error and the place in Plumb's code, never values."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"Plumb: a defect ({type(error).__name__}{at}). Nothing more is done in this run. Please report this line."
