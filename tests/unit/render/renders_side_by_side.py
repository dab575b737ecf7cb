# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders apps side by side as a run does, in a process of its own: the path of a checkout, then the apps' paths.

With `budget=MANIFESTS,PROGRAMS` before them, in MiB, these are the shares; else what there is decides. It writes JSON:
what each came to, and the most memory that it and each of its children had.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Manifest
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.desired_state import RENDERERS
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_path
from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds.memory_budget import MemoryBudget


def main() -> None:
    """Render them all, and hold what they came to."""
    words = sys.argv[1:]
    budget = MemoryBudget.of_process()
    if words[0].startswith("budget="):
        manifests, programs = map(int, words.pop(0).removeprefix("budget=").split(","))
        budget = MemoryBudget(manifests << 20, programs << 20)
    root, *apps = words
    held: list[tuple[Manifest, ...]] = []

    def render(app: str) -> str:
        try:
            held.append(render_path(Path(root), app, subject=f"app {app}", budget=budget))
        except RenderError as error:
            return str(error)
        return f"{len(held[-1])} manifests"

    with ThreadPoolExecutor(RENDERERS) as pool:
        results = dict(zip(apps, pool.map(render, apps), strict=True))
    most = [_peak_of_this_process(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024]
    json.dump({"results": results, "most": most}, sys.stdout)


def _peak_of_this_process() -> int:
    """Return the most resident memory in bytes; getrusage counts what the test that started this had before, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(peak) * 1024


if __name__ == "__main__":
    main()
