# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`plumb-agent`: `run` is the agent itself, the other commands are about one that runs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import (
    InputError,
    PlumbError,
    printable,
)

from .cli.parser import PROGRAM, make_parser


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says. Return the exit code: 0, 1 for a failure, 2 for wrong options or configuration.

    With `--exit-code` 3 says that something is not in sync, or would change.
    """
    options = make_parser().parse_args(arguments)
    try:
        if options.command in {None, "run"}:
            return _run(options.config)
        from .cli.run_command import run_command  # noqa: PLC0415 - the agent needs none of it

        return run_command(options)
    except InputError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return 2
    except (PlumbError, OSError) as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except ExceptionGroup as group:  # of the tasks that make up the agent
        first = group.exceptions[0]
        sys.stderr.write(f"{PROGRAM}: ended by a defect: {type(first).__name__}: {printable(str(first))}\n")
        return 1


def _run(file: Path) -> int:
    from .agent import Agent  # noqa: PLC0415 - commands need none of it
    from .core.config import read_config  # noqa: PLC0415
    from .core.log import open_log  # noqa: PLC0415

    config = read_config(file)
    os.umask(0o077)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(Agent(file, config, open_log(config.log_format)).run())
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # threads that wait for a remote are not waited for
