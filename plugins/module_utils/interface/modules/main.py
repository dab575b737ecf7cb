# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way into and out of a module: no traceback, one shape for results and failures."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ...model.errors import PlumbError
from ..parsing.option_values import with_defaults
from .mode import Mode


@dataclass(frozen=True, slots=True)
class ModuleWork:
    """What the module of a name does, and its options. The module and its in-process action are made from it.

    `rules` are those among options, such as `required_one_of`, as AnsibleModule takes them.
    """

    name: str
    argument_spec: Mapping[str, Any]
    function: Callable[[Mapping[str, Any], Mode], Mapping[str, Any]]
    rules: Mapping[str, Any] = field(default_factory=dict)


def run_module(work: ModuleWork) -> None:
    """Check the options, do the work, and end the module with its result or with what went wrong."""
    module = AnsibleModule(argument_spec=dict(work.argument_spec), supports_check_mode=True, **work.rules)
    mode = Mode(module.check_mode, module._diff)  # noqa: SLF001 - Ansible has no other word for it
    result = outcome_of(work, module.params, mode)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


def outcome_of(work: ModuleWork, options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the result of the work, or what went wrong as a result with `failed` and `msg`. Nothing is raised."""
    try:
        return dict(work.function(with_defaults(work.argument_spec, options), mode))
    except PlumbError as error:
        return {"failed": True, "msg": str(error), "error": type(error).__name__}
    except Exception as error:  # noqa: BLE001 - the single exit of a module
        return {"failed": True, "msg": defect(error)}


def defect(error: Exception) -> str:
    """Return what a user reads of a defect: the kind of error and the place in Plumb's code, never values."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"Plumb: a defect ({type(error).__name__}{at}). Nothing more is done in this run. Please report this line."
