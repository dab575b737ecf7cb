# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set the stage, play the scenes, and clear up whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from . import sandbox, screen
from .audit import AuditLog
from .cluster import Cluster
from .developer import Developer
from .errors import DemoError, Refuted
from .forge import Forge
from .place import COLLECTIONS, TOOLS, Place
from .playbook import Reconciler, write_inventory
from .screen import Style, paint
from .story import SCENES, Stage

_PLUMB_USER = (
    "admin"  # whom the sandbox's kubeconfig makes of Plumb; nothing else in the sandbox is that user
)


class Interrupted(BaseException):
    """Ctrl-C, or another signal that asks us to end."""


def main() -> int:
    """Play the demo. 0 only if every scene was verified on the cluster; 130 when interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    keep = os.environ.get("KEEP", "") not in ("", "0")
    try:
        with _place(keep=keep) as place:
            _play(place, keep=keep)
    except Refuted as error:
        screen.refuted(str(error))
        screen.say(paint("The demo stops here: a fact was not as told.", Style.BAD))
        return 1
    except DemoError as error:
        screen.refuted(str(error))
        return 1
    except Interrupted:
        screen.say()
        screen.say("Interrupted; the sandbox is stopped and its folder removed.")
        return 130
    return 0


@contextmanager
def _place(*, keep: bool) -> Iterator[Place]:
    """A folder for this run. With `keep` it stays with its sandbox, unless someone interrupts."""
    place = Place(Path(tempfile.mkdtemp(prefix="plumb-demo-")).resolve())
    try:
        yield place
    except Interrupted:
        _clear(place)
        raise
    except DemoError:
        _end(place, keep=keep)
        raise
    else:
        _end(place, keep=keep)


def _end(place: Place, *, keep: bool) -> None:
    if keep and (place.sandbox / "sandbox.json").exists():
        _say_how_to_look_around(place)
    else:
        _clear(place)


def _clear(place: Place) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # cleaning up takes a second; a second Ctrl-C must not break it
    if place.sandbox.exists():
        sandbox.stop(place)
    shutil.rmtree(place.root, ignore_errors=True)


def _play(place: Place, *, keep: bool) -> None:
    start = time.monotonic()
    screen.say(paint("Plumb: a cluster becomes, and stays, what Git says", Style.TITLE))
    stage = _set(place, keep=keep)
    for number, (heading, scene) in enumerate(SCENES, start=1):
        screen.title(number, heading)
        scene(stage)
    screen.say()
    seconds = time.monotonic() - start
    screen.say(paint(f"{screen.TICK} All of it was verified on the cluster, in {seconds:.0f} s.", Style.GOOD))


def _set(place: Place, *, keep: bool) -> Stage:
    screen.say()
    screen.tell(
        "A Kubernetes control plane and a Git forge start on this machine. (The first time, they are built from their "
        "sources, which takes some ten minutes.)"
    )
    with screen.timed("Starting them"):
        running = sandbox.start(place, outlives_us=keep)
    screen.verified(f"Kubernetes v{running.version} at {running.server}, Gitea at {running.forge_url}")
    forge = Forge(running, "shop")
    forge.create()
    developer = Developer(place.clone, forge)
    commit = developer.begin()
    screen.verified(f"The sample shop is in Gitea: {forge.clone_url} main {commit[:7]}")
    write_inventory(place, running, forge)
    return Stage(
        cluster=Cluster(running),
        audit=AuditLog(running.audit_log, _PLUMB_USER),
        forge=forge,
        developer=developer,
        reconciler=Reconciler(place),
        place=place,
    )


def _say_how_to_look_around(place: Place) -> None:
    described = sandbox.describe(place)
    screen.say()
    screen.say(paint("KEEP=1: everything is left running. To look around:", Style.STRONG))
    for line in (
        f"cd {place.root}",
        f"export KUBECONFIG={described.kubeconfig} PATH={TOOLS}:$PATH",
        f"export ANSIBLE_COLLECTIONS_PATH={COLLECTIONS}",
        "kubectl --namespace shop get all,campaigns --show-labels",
        "ansible-playbook -i inventory.yml plumb.gitops.reconcile --check --diff",
        f"open {described.forge_url}    # user {described.forge_user}, password in {described.forge_password_file}",
        f"{sandbox.stop_command(place)} && rm -r {place.root}    # the end of it",
    ):
        screen.say(f"   {line}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted
