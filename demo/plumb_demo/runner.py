# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start everything, run the scenes, and clean up whatever happens."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from . import sandbox, screen
from .context import DemoContext
from .developer import Developer
from .errors import CheckFailed, DemoError
from .forge import ForgeRepository
from .programs import COLLECTIONS, TOOLS, Workspace
from .scenes import SCENES
from .screen import Style, paint

_CLUSTERS = ("east", "west")


class DemoInterrupted(BaseException):
    """Ctrl-C, or another signal that asks us to end."""


def main() -> int:
    """Run the demo and return the exit code: 0 only if every check held, 130 when interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    keep = os.environ.get("KEEP", "") not in ("", "0")
    try:
        with _resources(keep=keep) as resources:
            _run_scenes(resources, keep=keep)
    except CheckFailed as error:
        screen.print_failed(str(error))
        screen.print_line(paint("The demo stops here: a check failed.", Style.BAD))
        return 1
    except DemoError as error:
        screen.print_failed(str(error))
        return 1
    except DemoInterrupted:
        screen.print_line()
        screen.print_line("DemoInterrupted; agents and sandboxes are stopped and their folder is removed.")
        return 130
    return 0


@dataclass(slots=True)
class Resources:
    """What is to be cleaned up: the folder, and what runs in it once it was started."""

    workspace: Workspace
    context: DemoContext | None = None


@contextmanager
def _resources(*, keep: bool) -> Iterator[Resources]:
    """Yield a folder for this run. With `keep` it stays with all that runs in it, unless someone interrupts."""
    resources = Resources(Workspace(Path(tempfile.mkdtemp(prefix="plumb-demo-")).resolve()))
    try:
        yield resources
    except DemoError:
        _end(resources, keep=keep)
        raise
    except BaseException:
        _clean_up(resources)
        raise
    else:
        _end(resources, keep=keep)


def _end(resources: Resources, *, keep: bool) -> None:
    if keep and resources.context is not None:
        _print_next_steps(resources.context)
    else:
        _clean_up(resources)


def _clean_up(resources: Resources) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # cleaning up takes a second; a second Ctrl-C must not break it
    for managed in resources.context.managed_clusters.values() if resources.context else ():
        managed.agent.end()
    failed: DemoError | None = None
    for folder in map(resources.workspace.sandbox, _CLUSTERS):
        try:
            if folder.exists():
                sandbox.stop(folder)
        except DemoError as error:  # it ends with this process; the rest is cleared up all the same
            failed = error
    shutil.rmtree(resources.workspace.root, ignore_errors=True)
    if failed is not None:
        raise failed


def _run_scenes(resources: Resources, *, keep: bool) -> None:
    start = time.monotonic()
    screen.print_line(paint("Plumb: a cluster becomes, and stays, what Git says", Style.TITLE))
    context = resources.context = _start(resources.workspace, keep=keep)
    for number, (heading, scene) in enumerate(SCENES, start=1):
        screen.print_heading(number, heading)
        scene(context)
    screen.print_line()
    seconds = time.monotonic() - start
    screen.print_line(
        paint(f"{screen.TICK} All of it was verified on the clusters, in {seconds:.0f} s.", Style.GOOD)
    )


def _start(workspace: Workspace, *, keep: bool) -> DemoContext:
    screen.print_line()
    screen.print_text(
        "A Kubernetes control plane and a Git forge start on this machine. (The first time, they are built from their "
        "sources, which takes some ten minutes.)"
    )
    with screen.timed("Starting them"):
        running = sandbox.start(workspace.sandbox("east"), keep_running=keep)
    if running.forge is None:
        raise DemoError("The sandbox has no forge.")
    screen.print_verified(f"Kubernetes v{running.version} at {running.server}, Gitea at {running.forge.url}")
    forge = ForgeRepository(running.forge, "shop")
    forge.create()
    developer = Developer(workspace.clone, forge)
    commit = developer.begin()
    screen.print_verified(f"The sample shop is in Gitea: {forge.clone_url} main {commit[:7]}")
    return DemoContext(
        workspace=workspace, keep=keep, forge=forge, developer=developer, sandboxes={"east": running}
    )


def _print_next_steps(context: DemoContext) -> None:
    root, gitea = context.workspace.root, context.forge.gitea
    screen.print_line()
    screen.print_line(paint("KEEP=1: everything is left running. To look around:", Style.STRONG))
    agents = [managed.agent for managed in context.managed_clusters.values()]
    lines = [f"cd {root}", f"export PATH={TOOLS}:$PATH ANSIBLE_COLLECTIONS_PATH={COLLECTIONS}"]
    for name, cluster in context.sandboxes.items():
        lines.append(
            f"kubectl --kubeconfig {cluster.kubeconfig} get all,campaigns --namespace shop    # {name}"
        )
    lines += [f"{shlex.join(agent.pod.command)} status    # its log: {agent.log}" for agent in agents]
    lines.append(f"open {gitea.url}    # user {gitea.user}, password in {gitea.password_file}")
    ends = [f"kill {agent.pid}" for agent in agents]
    ends += [sandbox.stop_command(context.workspace.sandbox(name)) for name in context.sandboxes]
    lines.append(f"{' && '.join(ends)} && rm -r {root}    # the end of it")
    for line in lines:
        screen.print_line(f"   {line}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise DemoInterrupted
