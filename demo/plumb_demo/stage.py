# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set the stage, play the scenes, and clear up whatever happens."""

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
from .cast import Stage
from .developer import Developer
from .errors import DemoError, Refuted
from .forge import Forge
from .place import COLLECTIONS, TOOLS, Place
from .screen import Style, paint
from .story import SCENES

_CLUSTERS = ("east", "west")


class Interrupted(BaseException):
    """Ctrl-C, or another signal that asks us to end."""


def main() -> int:
    """Play the demo. 0 only if every scene was verified on the cluster; 130 when interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    keep = os.environ.get("KEEP", "") not in ("", "0")
    try:
        with _cleared(keep=keep) as stages:
            _play(stages, keep=keep)
    except Refuted as error:
        screen.refuted(str(error))
        screen.say(paint("The demo stops here: a fact was not as told.", Style.BAD))
        return 1
    except DemoError as error:
        screen.refuted(str(error))
        return 1
    except Interrupted:
        screen.say()
        screen.say("Interrupted; agents and sandboxes are stopped and their folder is removed.")
        return 130
    return 0


@dataclass(slots=True)
class Stages:
    """What is to be cleared up: the folder, and the stage once it is set."""

    place: Place
    stage: Stage | None = None


@contextmanager
def _cleared(*, keep: bool) -> Iterator[Stages]:
    """A folder for this run. With `keep` it stays with all that runs in it, unless someone interrupts."""
    stages = Stages(Place(Path(tempfile.mkdtemp(prefix="plumb-demo-")).resolve()))
    try:
        yield stages
    except DemoError:
        _end(stages, keep=keep)
        raise
    except BaseException:
        _clear(stages)
        raise
    else:
        _end(stages, keep=keep)


def _end(stages: Stages, *, keep: bool) -> None:
    if keep and stages.stage is not None:
        _say_how_to_look_around(stages.stage)
    else:
        _clear(stages)


def _clear(stages: Stages) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # cleaning up takes a second; a second Ctrl-C must not break it
    for site in stages.stage.sites.values() if stages.stage else ():
        site.agent.end()
    failed: DemoError | None = None
    for folder in map(stages.place.sandbox, _CLUSTERS):
        try:
            if folder.exists():
                sandbox.stop(folder)
        except DemoError as error:  # it ends with this process; the rest is cleared up all the same
            failed = error
    shutil.rmtree(stages.place.root, ignore_errors=True)
    if failed is not None:
        raise failed


def _play(stages: Stages, *, keep: bool) -> None:
    start = time.monotonic()
    screen.say(paint("Plumb: a cluster becomes, and stays, what Git says", Style.TITLE))
    stage = stages.stage = _set(stages.place, keep=keep)
    for number, (heading, scene) in enumerate(SCENES, start=1):
        screen.title(number, heading)
        scene(stage)
    screen.say()
    seconds = time.monotonic() - start
    screen.say(
        paint(f"{screen.TICK} All of it was verified on the clusters, in {seconds:.0f} s.", Style.GOOD)
    )


def _set(place: Place, *, keep: bool) -> Stage:
    screen.say()
    screen.tell(
        "A Kubernetes control plane and a Git forge start on this machine. (The first time, they are built from their "
        "sources, which takes some ten minutes.)"
    )
    with screen.timed("Starting them"):
        running = sandbox.start(place.sandbox("east"), outlives_us=keep)
    if running.forge is None:
        raise DemoError("The sandbox has no forge.")
    screen.verified(f"Kubernetes v{running.version} at {running.server}, Gitea at {running.forge.url}")
    forge = Forge(running.forge, "shop")
    forge.create()
    developer = Developer(place.clone, forge)
    commit = developer.begin()
    screen.verified(f"The sample shop is in Gitea: {forge.clone_url} main {commit[:7]}")
    return Stage(place=place, keep=keep, forge=forge, developer=developer, clusters={"east": running})


def _say_how_to_look_around(stage: Stage) -> None:
    root, gitea = stage.place.root, stage.forge.gitea
    screen.say()
    screen.say(paint("KEEP=1: everything is left running. To look around:", Style.STRONG))
    agents = [site.agent for site in stage.sites.values()]
    lines = [f"cd {root}", f"export PATH={TOOLS}:$PATH ANSIBLE_COLLECTIONS_PATH={COLLECTIONS}"]
    for name, cluster in stage.clusters.items():
        lines.append(
            f"kubectl --kubeconfig {cluster.kubeconfig} get all,campaigns --namespace shop    # {name}"
        )
    lines += [f"{shlex.join(agent.pod.command)} status    # its log: {agent.log}" for agent in agents]
    lines.append(f"open {gitea.url}    # user {gitea.user}, password in {gitea.password_file}")
    ends = [f"kill {agent.pid}" for agent in agents]
    ends += [sandbox.stop_command(stage.place.sandbox(name)) for name in stage.clusters]
    lines.append(f"{' && '.join(ends)} && rm -r {root}    # the end of it")
    for line in lines:
        screen.say(f"   {line}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted
