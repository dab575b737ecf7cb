# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a contender's command and taking its measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LAUNCH = Path(__file__).with_name("launcher.py")
_SHOWN = 2000  # characters of a failed command's output


class CommandFailed(Exception):
    """A contender did not do its work; nothing may be measured with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A command that ended: wall seconds, processor seconds of all its processes, memory of the largest one."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    output: str  # standard output


def run(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    good: frozenset[int] = frozenset({0}),
) -> Ran:
    """Run to the end in `folder`, which gets the output in files. Raises CommandFailed for other codes than `good`."""
    reader, writer = os.pipe()
    out, err = folder / "stdout", folder / "stderr"
    with os.fdopen(reader) as pipe, out.open("wb") as stdout, err.open("wb") as stderr:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LAUNCH), str(writer), *words],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(writer,),
            )
        finally:
            os.close(writer)
        with process:
            measured = pipe.read()
    text = out.read_text(encoding="utf-8", errors="replace")
    measure = json.loads(measured) if measured else {"code": process.returncode}
    if measure["code"] not in good:
        wrong = err.read_text(encoding="utf-8", errors="replace")[-_SHOWN:]
        raise CommandFailed(f"{' '.join(words)}: exit code {measure['code']}\n{text[-_SHOWN:]}\n{wrong}")
    return Ran(
        seconds=measure["seconds"],
        cpu_seconds=measure["cpu_seconds"],
        peak_mib=measure["peak_kib"] / 1024,
        output=text,
    )
