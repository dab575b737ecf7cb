# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenes. In each something happens to Git or to a cluster, the agents see to it, and the demo looks for itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from . import looks, sandbox, screen
from .cast import Site, Stage
from .cluster import Cluster, wait_until
from .errors import Refuted
from .looks import PROD, holds

_OVERLAY = f"{PROD}/kustomization.yaml"
_IMAGE = "registry.example.com/shop/"
_IDLE = 5.0  # seconds that are watched in which nothing moves; less than the interval
_WRITES = 5  # of an apply, after which the agent is killed


def bootstrap_and_first_sync(stage: Stage) -> None:
    """The agent is installed, and brings everything that Git says into an empty cluster."""
    screen.tell(
        "The cluster is empty. One playbook puts the agent into it; after that nobody calls one any more."
    )
    east = stage.set_up("east")
    start = time.monotonic()
    line = east.agent.run()
    holds(line.event == "reconciled", "The agent's first run has failed nothing")
    looks.healthy(east.cluster)
    looks.as_git_says(east.cluster, stage.developer.clone)
    screen.tell(f"From an empty cluster to a healthy and verified shop: {time.monotonic() - start:.1f} s.")


def nothing_to_do(stage: Stage) -> None:
    """Nothing moves: no run until the interval is over, and then one that writes nothing."""
    screen.tell(
        f"Nothing moves. For {_IDLE:.0f} seconds the agent only asks Git whether its branch has moved."
    )
    east = stage.east
    before = east.cluster.members()
    east.agent.skip()
    east.agent.run(cause="interval")
    mark, runs = east.audit.position(), east.agent.status()["runs"]
    time.sleep(_IDLE)
    holds(east.agent.status()["runs"] == runs, f"No run has begun in {_IDLE:.0f} s")
    looks.asked_nothing(east.audit, mark)
    screen.tell("When the interval is over, it looks whether the cluster is still what Git says.")
    line = east.agent.run(cause="interval")
    holds(line.values["changed"] == "0", "The run changed nothing")
    looks.wrote_nothing(east.audit, mark)
    looks.unmoved(before, east.cluster.members())


def merge_rolls_out(stage: Stage) -> None:
    """A pull request is merged on the forge; the agent notices, and the new version is rolled out."""
    screen.tell(
        "A developer raises the basket's version and allows paying later, by a pull request that gets merged."
    )
    developer, east = stage.developer, stage.east
    developer.branch("basket-1.5.0")
    developer.change(_OVERLAY, "shop/basket\n    newTag: 1.4.1", "shop/basket\n    newTag: 1.5.0")
    developer.change(f"{PROD}/flags.yaml", 'pay-later: "false"', 'pay-later: "true"')
    developer.commit_and_push("Raise the basket to 1.5.0 and allow paying later")
    number = stage.forge.open_pull_request("basket-1.5.0", "Raise the basket to 1.5.0 and allow paying later")
    east.agent.skip()
    start = time.monotonic()
    merged = stage.forge.merge(number)
    developer.back_to_main()
    screen.verified(f"Pull request {number} is merged in Gitea: main is at {merged[:7]}")
    line = east.agent.run(revision=merged[:7])
    ended = time.monotonic() - start
    holds("fleet moved" in line.values["cause"], "The agent saw by itself that main has moved")
    looks.rolled_out(east.cluster, "basket", f"{_IMAGE}basket:1.5.0", count=3)
    looks.as_git_says(east.cluster, developer.clone)
    took = float(line.values["seconds"])
    screen.tell(
        f"From the merge to ready Pods: {ended:.1f} s, of which {max(0.0, ended - took):.1f} s until the run began and "
        f"{took:.1f} s for the run."
    )


def drift_is_undone(stage: Stage) -> None:
    """Two people change the cluster by hand; the agent undoes it as it comes, and the report says who it was."""
    east, cluster = stage.east, stage.east.cluster
    screen.tell(
        "Two people help themselves. The agent watches what Git decides, and does not wait for the interval."
    )
    east.agent.skip()
    _scale(cluster, "basket", 9)
    named = _undone(east, "Deployment shop/basket")
    holds(named.get("spec.replicas") == "kubectl", "The report names the field, and kubectl")
    holds(looks.replicas(cluster, "basket") == 3, "The basket is back at 3 replicas")
    _edit(stage, cluster, "checkout")
    named = _undone(east, "Deployment shop/checkout")
    holds("kubectl-edit" in named.values(), "The report names the field, and kubectl-edit")
    holds(looks.log_level(cluster, "checkout") == "info", "The checkout logs at level info again")
    holds(looks.replicas(cluster, "storefront") == 2, "The storefront has the autoscaler's 2 replicas still")
    looks.as_git_says(cluster, stage.developer.clone)


def _undone(site: Site, name: str) -> dict[str, str]:
    """Show the log until a run has found drift; what the report says of this object: who had changed which field."""
    start = time.monotonic()
    line = site.agent.run()
    while line.values["drifted"] == "0":  # it was under way already
        line = site.agent.run()
    screen.took("Undoing it", time.monotonic() - start)
    report = site.agent.report()
    looks.show_drift(report)
    return {field: who for (what, field), who in looks.drift_in(report).items() if what == name}


def leaves_git(stage: Stage) -> None:
    """An object's manifest is deleted in Git; the object is pruned, and nothing else."""
    cluster, developer, agent = stage.east.cluster, stage.developer, stage.east.agent
    screen.tell("Winter is over: the campaign leaves Git.")
    before = cluster.members()
    holds(cluster.get("campaigns", "winter-lights") is not None, "Campaign shop/winter-lights is there")
    developer.change(_OVERLAY, "  - winter-lights.yaml\n", "")
    developer.remove(f"{PROD}/winter-lights.yaml")
    commit = developer.commit_and_push("End the winter campaign")
    agent.run(revision=commit[:7])
    holds(cluster.get("campaigns", "winter-lights") is None, "Campaign shop/winter-lights is gone")
    gone = before.keys() - cluster.members().keys()
    holds(len(gone) == 1, f"Nothing else is gone: {len(before) - len(gone)} of {len(before)} objects remain")
    looks.as_git_says(cluster, developer.clone)


def broken_commit(stage: Stage) -> None:
    """A commit that does not parse is refused as a whole, also what it gets right."""
    east, developer = stage.east, stage.developer
    screen.tell(
        "A commit raises the checkout's version, removes the feature flags, and breaks a file. Half of it could be "
        "applied. None of it must be."
    )
    before, mark = east.cluster.members(), east.audit.position()
    developer.change(_OVERLAY, "shop/checkout\n    newTag: 1.4.1", "shop/checkout\n    newTag: 1.5.0")
    developer.change(_OVERLAY, "  - flags.yaml\n", "")
    developer.remove(f"{PROD}/flags.yaml")
    developer.change(
        "apps/shop/base/mailer.yaml", "  name: mailer-relay\n  labels:", "  name: mailer-relay\n labels:"
    )
    commit = developer.commit_and_push("Raise the checkout to 1.5.0")
    line = east.agent.run(revision=commit[:7])
    holds(line.event == "reconciled in part" and "mailer.yaml" in line.text, "It names the file, mailer.yaml")
    looks.wrote_nothing(east.audit, mark)
    looks.unmoved(before, east.cluster.members())
    screen.tell("The developer takes the commit back, and Git is followed again.")
    commit = developer.take_back_last("Take back the checkout's new version")
    line = east.agent.run(revision=commit[:7])
    holds(line.event == "reconciled", "The agent's run has failed nothing")
    looks.wrote_nothing(east.audit, mark)
    looks.as_git_says(east.cluster, developer.clone)


def killed_in_an_apply(stage: Stage) -> None:
    """A commit touches every object; the agent is killed in the middle, and one that starts after it finishes."""
    east, developer = stage.east, stage.developer
    screen.tell(
        "A commit labels every object of the shop. In the middle of it the agent is killed by SIGKILL."
    )
    mark = east.audit.position()
    label = "labels:\n  - pairs: {season: spring}\n"
    developer.change(_OVERLAY, "images:\n", f"{label}images:\n")
    developer.commit_and_push("Label everything for spring")
    deadline = time.monotonic() + 60
    while len(east.audit.since(mark).writes) < _WRITES:
        if time.monotonic() > deadline:
            raise Refuted("The agent has not begun to apply the commit within 60 s")
        time.sleep(0.02)
    pid = east.agent.pid
    left = looks.runs_below(pid)
    east.agent.end(signal.SIGKILL)
    holds(bool(left), f"The agent (process {pid}) was killed while its run was writing")
    wait_until("its run is gone, too", lambda: not any(map(looks.command_of, left)))
    done, of = looks.labelled(east.cluster, "season"), len(east.cluster.members())
    holds(0 < done < of, f"Half done: {done} of {of} objects have the label")
    screen.tell("Another one is started. It has to wait until the Lease of the dead one has run out.")
    east.agent.start()
    line = east.agent.run()
    holds(line.event == "reconciled", "Its first run has failed nothing")
    looks.as_git_says(east.cluster, developer.clone)


def servers_stop_and_start(stage: Stage) -> None:
    """API server and forge are away for a while: nothing is lost, and what is pushed afterwards rolls out."""
    east, developer = stage.east, stage.developer
    screen.tell("The API server, its store and Gitea are stopped.")
    before = east.cluster.members()
    east.agent.skip()
    sandbox.stop(stage.place.sandbox("east"))
    east.agent.until("no longer leading")
    holds(east.agent.ask("/healthz")[0] == 200, "The agent waits, and is healthy: no restart would help")
    holds(east.agent.ask("/readyz")[0] == 200, "It still serves what it knows")
    screen.tell("They are started again.")
    with screen.timed("Starting them"):
        stage.clusters["east"] = sandbox.start(stage.place.sandbox("east"), outlives_us=stage.keep)
    east.agent.until("leading")
    line = east.agent.run()
    holds(line.event == "reconciled", "The agent is back at work by itself")
    looks.unmoved(before, east.cluster.members())
    developer.change(_OVERLAY, "shop/checkout\n    newTag: 1.4.1", "shop/checkout\n    newTag: 1.5.0")
    commit = developer.commit_and_push("Raise the checkout to 1.5.0, this time whole")
    east.agent.run(revision=commit[:7])
    looks.rolled_out(east.cluster, "checkout", f"{_IMAGE}checkout:1.5.0", count=3)


def two_clusters(stage: Stage) -> None:
    """A second cluster gets an agent of its own, which follows the same repository."""
    east, developer = stage.east, stage.developer
    screen.tell("A second cluster joins: a host more in the inventory, and the same playbook for it alone.")
    with screen.timed("Starting it"):
        stage.clusters["west"] = sandbox.start(
            stage.place.sandbox("west"), outlives_us=stage.keep, forge=False
        )
    west = stage.set_up("west")
    holds(west.agent.run().event == "reconciled", "The new agent's first run has failed nothing")
    looks.healthy(west.cluster)
    looks.as_git_says(west.cluster, developer.clone)
    screen.tell("One commit for both. Neither agent knows of the other.")
    for site in (east, west):
        site.agent.skip()
    developer.change(_OVERLAY, "shop/basket\n    newTag: 1.5.0", "shop/basket\n    newTag: 1.6.0")
    commit = developer.commit_and_push("Raise the basket to 1.6.0")
    for site in (east, west):
        site.agent.run(revision=commit[:7])
        looks.rolled_out(site.cluster, "basket", f"{_IMAGE}basket:1.6.0", count=3)
        looks.as_git_says(site.cluster, developer.clone)


def new_images(stage: Stage) -> None:
    """CI pushes images and stops there; the agent commits them, by a pull request or directly, and answers."""
    developer, forge = stage.developer, stage.forge
    screen.tell(
        "A developer marks two tags in Git as the agent's: the basket's by pull request, the storefront's directly."
    )
    for image in ("basket:1.6.0", "storefront:2.3.0"):
        _push(stage, image)
    developer.change(
        _OVERLAY, "shop/basket\n    newTag: 1.6.0", f"shop/basket\n{_followed(stage, 'basket', '1.6.0')}"
    )
    storefront = f"  - name: {_IMAGE}storefront\n{_followed(stage, 'storefront', '2.3.0')}\n"
    developer.change(_OVERLAY, "replicas:\n", f"{storefront}replicas:\n")
    stage.east.agent.skip()
    commit = developer.commit_and_push("Let the agent raise the basket and the storefront")
    stage.east.agent.run(revision=commit[:7])
    screen.tell(
        "The inventory gets the tags that are wanted and who writes them; the bootstrap brings it to the agent."
    )
    east = stage.set_up("east", images=True)

    screen.tell("CI pushes a new basket.")
    start = time.monotonic()
    _push(stage, "basket:1.7.0")
    number = _proposed(stage, "basket")
    screen.took(f"From the push to pull request {number}, opened by the agent,", time.monotonic() - start)
    start = time.monotonic()
    merged = forge.merge(number)
    developer.back_to_main()
    screen.verified(f"Somebody merges it: main is at {merged[:7]}")
    _answered(stage, merged)
    screen.took("From the merge to a green commit", time.monotonic() - start)
    looks.rolled_out(east.cluster, "basket", f"{forge.image('basket')}:1.7.0", count=3)

    screen.tell("CI pushes a new storefront. Nobody has to merge it.")
    start, before = time.monotonic(), forge.head()
    _push(stage, "storefront:2.4.0")
    looks.rolled_out(east.cluster, "storefront", f"{forge.image('storefront')}:2.4.0", count=2)
    screen.took(
        "From the push to ready Pods, by way of a commit, asking the registry every 15 s,",
        time.monotonic() - start,
    )
    holds(forge.head() != before, "It is in Git: the agent has committed it")
    developer.back_to_main()
    _answered(stage, forge.head())
    looks.as_git_says(east.cluster, developer.clone)


def _followed(stage: Stage, name: str, tag: str) -> str:
    """The rest of an entry of `images:`, for an image of the forge's registry whose tag the agent writes."""
    return f'    newName: {stage.forge.image(name)}\n    newTag: {tag} # {{"$plumb": "{name}:tag"}}'


def _push(stage: Stage, image: str) -> None:
    screen.verified(f"Pushed {sandbox.push_image(stage.place.sandbox('east'), image)}")


def _proposed(stage: Stage, word: str) -> int:
    """Wait for the agent's pull request; its number."""
    found: list[int] = []

    def is_open() -> bool:
        found[:] = [number for number, title in stage.forge.open_pull_requests().items() if word in title]
        return bool(found)

    wait_until(f"a pull request about the {word}", is_open, 60)
    return found[0]


def _answered(stage: Stage, commit: str) -> None:
    """Wait until each agent has said of the commit that its apps are well."""
    wanted = {f"plumb/{name}/shop" for name in stage.sites}

    def is_green() -> bool:
        said = stage.forge.statuses(commit)
        return all(said.get(context) == "success" for context in wanted)

    wait_until(f"a green status of {commit[:7]} from {', '.join(sorted(wanted))}", is_green, 60)
    screen.verified(f"The commit {commit[:7]} is green in Gitea: {', '.join(sorted(wanted))}")


SCENES: tuple[tuple[str, Callable[[Stage], None]], ...] = (
    ("Bootstrap, and the first sync until all is healthy", bootstrap_and_first_sync),
    ("Nothing to do", nothing_to_do),
    ("A merge rolls out", merge_rolls_out),
    ("Someone changes the cluster by hand", drift_is_undone),
    ("An object leaves Git", leaves_git),
    ("A broken commit", broken_commit),
    ("The agent is killed in the middle", killed_in_an_apply),
    ("API server and forge are away", servers_stop_and_start),
    ("A second cluster", two_clusters),
    ("New images", new_images),
)


def _scale(cluster: Cluster, name: str, replicas: int) -> None:
    screen.command(f"kubectl --namespace shop scale deployment {name} --replicas={replicas}")
    cluster.kubectl("--namespace", "shop", "scale", "deployment", name, f"--replicas={replicas}")
    holds(looks.replicas(cluster, name) == replicas, f"Deployment shop/{name} has {replicas} replicas")


def _edit(stage: Stage, cluster: Cluster, name: str) -> None:
    """`kubectl edit`, with an editor that needs no hands."""
    editor = stage.place.root / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/value: info/value: debug/" "$1"\n', encoding="utf-8")
    editor.chmod(0o700)
    screen.command(f"kubectl --namespace shop edit deployment {name}    # LOG_LEVEL: info -> debug")
    cluster.kubectl("--namespace", "shop", "edit", "deployment", name, env={"KUBE_EDITOR": str(editor)})
    holds(looks.log_level(cluster, name) == "debug", f"Deployment shop/{name} logs at level debug")
