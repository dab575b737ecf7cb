# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent with a defect in each of its loops: what a loop calls raises once, as a wrong line of code would.

`PLUMB_FAULTS` names, with commas between, `module:name` of functions that raise at their second call.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any


def raises_once(real: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return a function that raises at its second call, and else does what the real one does."""
    calls = 0

    def faulty(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise LookupError(f"a defect in {name}")
        return real(*arguments, **named)

    return faulty


def main() -> int:
    """Put the defects in, and run the agent."""
    for named in filter(None, os.environ["PLUMB_FAULTS"].split(",")):
        module_name, _colon, path = named.partition(":")
        owner: Any = importlib.import_module(f"ansible_collections.plumb.gitops.{module_name}")
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        setattr(owner, name, raises_once(getattr(owner, name), path))
    program = importlib.import_module("ansible_collections.plumb.gitops.controller.__main__")
    code: int = program.main(sys.argv[1:])
    return code


if __name__ == "__main__":
    ended = main()
    sys.stderr.flush()
    os._exit(ended)
