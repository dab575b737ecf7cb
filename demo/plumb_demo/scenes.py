# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenes. In each something happens to Git or to a cluster, the agents react, and the demo checks the result."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from . import checks, sandbox, screen
from .checks import PROD, check
from .cluster import Cluster, wait_until
from .context import DemoContext, ManagedCluster
from .errors import CheckFailed

_OVERLAY = f"{PROD}/kustomization.yaml"
_IMAGE = "registry.example.com/shop/"
_IDLE = 5.0  # seconds that are watched in which nothing moves; less than the interval
_WRITES = 5  # of an apply, after which the agent is killed


def bootstrap_and_first_sync(context: DemoContext) -> None:
    """Install the agent in an empty cluster, and check that it applies everything of Git."""
    screen.print_text(
        "The cluster is empty. One playbook installs the agent in it. No playbook is run by hand after that."
    )
    east = context.start_agent("east")
    start = time.monotonic()
    line = east.agent.wait_for_run()
    check(line.event == "reconciled", "The agent's first run has no failures")
    checks.check_healthy(east.cluster)
    checks.check_matches_git(east.cluster, context.developer.clone)
    screen.print_text(
        f"From an empty cluster to a healthy and verified shop: {time.monotonic() - start:.1f} s."
    )


def nothing_to_do(context: DemoContext) -> None:
    """Check that without a change there is no run before the interval is over, and then one that writes nothing."""
    screen.print_text(
        f"Nothing changes. For {_IDLE:.0f} seconds the agent only asks Git whether its branch has moved."
    )
    east = context.east
    before = east.cluster.members()
    east.agent.skip_log()
    east.agent.wait_for_run(cause="interval")
    mark, runs = east.audit.position(), east.agent.status()["runs"]
    time.sleep(_IDLE)
    check(east.agent.status()["runs"] == runs, f"No run began within {_IDLE:.0f} s")
    checks.check_no_requests(east.audit, mark)
    screen.print_text("When the interval is over, it checks whether the cluster is still what Git says.")
    line = east.agent.wait_for_run(cause="interval")
    check(line.values["changed"] == "0", "The run changed nothing")
    checks.check_no_writes(east.audit, mark)
    checks.check_unchanged(before, east.cluster.members())


def merge_rolls_out(context: DemoContext) -> None:
    """Merge a pull request on the forge, and check that the agent notices and rolls out the new version."""
    screen.print_text(
        "A developer raises the basket's version and allows paying later, by a pull request that gets merged."
    )
    developer, east = context.developer, context.east
    developer.branch("basket-1.5.0")
    developer.change(_OVERLAY, "shop/basket\n    newTag: 1.4.1", "shop/basket\n    newTag: 1.5.0")
    developer.change(f"{PROD}/flags.yaml", 'pay-later: "false"', 'pay-later: "true"')
    developer.commit_and_push("Raise the basket to 1.5.0 and allow paying later")
    number = context.forge.open_pull_request(
        "basket-1.5.0", "Raise the basket to 1.5.0 and allow paying later"
    )
    east.agent.skip_log()
    start = time.monotonic()
    merged = context.forge.merge(number)
    developer.back_to_main()
    screen.print_verified(f"Pull request {number} is merged in Gitea: main is at {merged[:7]}")
    line = east.agent.wait_for_run(revision=merged[:7])
    ended = time.monotonic() - start
    check("fleet moved" in line.values["cause"], "The agent saw by itself that main has moved")
    checks.check_rollout(east.cluster, "basket", f"{_IMAGE}basket:1.5.0", count=3)
    checks.check_matches_git(east.cluster, developer.clone)
    took = float(line.values["seconds"])
    screen.print_text(
        f"From the merge to ready Pods: {ended:.1f} s, of which {max(0.0, ended - took):.1f} s until the run began and "
        f"{took:.1f} s for the run."
    )


def drift_is_undone(context: DemoContext) -> None:
    """Change the cluster by hand twice, and check that the agent reverts both and the report names who did it."""
    east, cluster = context.east, context.east.cluster
    screen.print_text(
        "Two people change the cluster by hand. The agent watches it, and does not wait for the interval."
    )
    east.agent.skip_log()
    _scale(cluster, "basket", 9)
    named = _wait_for_revert(east, "Deployment shop/basket")
    check(named.get("spec.replicas") == "kubectl", "The report names the field, and kubectl")
    check(checks.replicas(cluster, "basket") == 3, "The basket is back at 3 replicas")
    _edit(context, cluster, "checkout")
    named = _wait_for_revert(east, "Deployment shop/checkout")
    check("kubectl-edit" in named.values(), "The report names the field, and kubectl-edit")
    check(checks.log_level(cluster, "checkout") == "info", "The checkout logs at level info again")
    check(checks.replicas(cluster, "storefront") == 2, "The storefront still has the autoscaler's 2 replicas")
    checks.check_matches_git(cluster, context.developer.clone)


def _wait_for_revert(managed: ManagedCluster, name: str) -> dict[str, str]:
    """Print the log until a run has found drift; return who had changed which field of the object, by the report."""
    start = time.monotonic()
    line = managed.agent.wait_for_run()
    while line.values["drifted"] == "0":  # it was under way already
        line = managed.agent.wait_for_run()
    screen.print_duration("The revert", time.monotonic() - start)
    report = managed.agent.report()
    checks.print_drift(report)
    return {field: who for (what, field), who in checks.drift_by_field(report).items() if what == name}


def object_leaves_git(context: DemoContext) -> None:
    """Delete an object's manifest in Git, and check that the object is pruned, and nothing else."""
    cluster, developer, agent = context.east.cluster, context.developer, context.east.agent
    screen.print_text("Winter is over: the campaign leaves Git.")
    before = cluster.members()
    check(cluster.get("campaigns", "winter-lights") is not None, "Campaign shop/winter-lights is there")
    developer.change(_OVERLAY, "  - winter-lights.yaml\n", "")
    developer.remove(f"{PROD}/winter-lights.yaml")
    commit = developer.commit_and_push("End the winter campaign")
    agent.wait_for_run(revision=commit[:7])
    check(cluster.get("campaigns", "winter-lights") is None, "Campaign shop/winter-lights is gone")
    gone = before.keys() - cluster.members().keys()
    check(len(gone) == 1, f"Nothing else is gone: {len(before) - len(gone)} of {len(before)} objects remain")
    checks.check_matches_git(cluster, developer.clone)


def broken_commit(context: DemoContext) -> None:
    """Push a commit that does not parse, and check that all of it is refused, also what is right."""
    east, developer = context.east, context.developer
    screen.print_text(
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
    line = east.agent.wait_for_run(revision=commit[:7])
    check(
        line.event == "reconciled in part" and "mailer.yaml" in line.text,
        "The log names the file, mailer.yaml",
    )
    checks.check_no_writes(east.audit, mark)
    checks.check_unchanged(before, east.cluster.members())
    screen.print_text("The developer takes the commit back, and Git is followed again.")
    commit = developer.revert_last("Take back the checkout's new version")
    line = east.agent.wait_for_run(revision=commit[:7])
    check(line.event == "reconciled", "The agent's run has no failures")
    checks.check_no_writes(east.audit, mark)
    checks.check_matches_git(east.cluster, developer.clone)


def killed_in_an_apply(context: DemoContext) -> None:
    """Kill the agent while it applies a commit to every object, and check that the next one finishes."""
    east, developer = context.east, context.developer
    screen.print_text(
        "A commit labels every object of the shop. In the middle of it the agent is killed by SIGKILL."
    )
    mark = east.audit.position()
    label = "labels:\n  - pairs: {season: spring}\n"
    developer.change(_OVERLAY, "images:\n", f"{label}images:\n")
    developer.commit_and_push("Label everything for spring")
    deadline = time.monotonic() + 60
    while len(east.audit.since(mark).writes) < _WRITES:
        if time.monotonic() > deadline:
            raise CheckFailed("The agent has not begun to apply the commit within 60 s")
        time.sleep(0.02)
    pid = east.agent.pid
    left = checks.ansible_runs_of(pid)
    east.agent.end(signal.SIGKILL)
    check(bool(left), f"The agent (process {pid}) was killed while its run was writing")
    wait_until("its run is gone, too", lambda: not any(map(checks.command_of, left)))
    done, of = checks.count_labelled(east.cluster, "season"), len(east.cluster.members())
    check(0 < done < of, f"Half done: {done} of {of} objects have the label")
    screen.print_text("Another one is started. It has to wait until the Lease of the dead one has run out.")
    east.agent.start()
    line = east.agent.wait_for_run()
    check(line.event == "reconciled", "Its first run has no failures")
    checks.check_matches_git(east.cluster, developer.clone)


def servers_stop_and_start(context: DemoContext) -> None:
    """Stop API server and forge for a while, and check that nothing is lost and the next commit is rolled out."""
    east, developer = context.east, context.developer
    screen.print_text("The API server, its store and Gitea are stopped.")
    before = east.cluster.members()
    east.agent.skip_log()
    sandbox.stop(context.workspace.sandbox("east"))
    east.agent.wait_for_event("no longer leading")
    check(east.agent.get("/healthz")[0] == 200, "The agent waits, and is healthy: no restart would help")
    check(east.agent.get("/readyz")[0] == 200, "It still answers with what it knows")
    screen.print_text("They are started again.")
    with screen.timed("Starting them"):
        context.sandboxes["east"] = sandbox.start(
            context.workspace.sandbox("east"), keep_running=context.keep
        )
    east.agent.wait_for_event("leading")
    line = east.agent.wait_for_run()
    check(line.event == "reconciled", "The agent is back at work by itself")
    checks.check_unchanged(before, east.cluster.members())
    developer.change(_OVERLAY, "shop/checkout\n    newTag: 1.4.1", "shop/checkout\n    newTag: 1.5.0")
    commit = developer.commit_and_push("Raise the checkout to 1.5.0, this time whole")
    east.agent.wait_for_run(revision=commit[:7])
    checks.check_rollout(east.cluster, "checkout", f"{_IMAGE}checkout:1.5.0", count=3)


def two_clusters(context: DemoContext) -> None:
    """Add a second cluster with its own agent, and check that one commit reaches both."""
    east, developer = context.east, context.developer
    screen.print_text(
        "A second cluster joins: a host more in the inventory, and the same playbook for it alone."
    )
    with screen.timed("Starting it"):
        context.sandboxes["west"] = sandbox.start(
            context.workspace.sandbox("west"), keep_running=context.keep, forge=False
        )
    west = context.start_agent("west")
    check(west.agent.wait_for_run().event == "reconciled", "The new agent's first run has no failures")
    checks.check_healthy(west.cluster)
    checks.check_matches_git(west.cluster, developer.clone)
    screen.print_text("One commit for both. Neither agent knows of the other.")
    for managed in (east, west):
        managed.agent.skip_log()
    developer.change(_OVERLAY, "shop/basket\n    newTag: 1.5.0", "shop/basket\n    newTag: 1.6.0")
    commit = developer.commit_and_push("Raise the basket to 1.6.0")
    for managed in (east, west):
        managed.agent.wait_for_run(revision=commit[:7])
        checks.check_rollout(managed.cluster, "basket", f"{_IMAGE}basket:1.6.0", count=3)
        checks.check_matches_git(managed.cluster, developer.clone)


def new_images(context: DemoContext) -> None:
    """Push images, and check that the agent commits them, by a pull request or directly, and sets statuses."""
    developer, forge = context.developer, context.forge
    screen.print_text(
        "A developer marks two tags in Git as the agent's: the basket's by pull request, the storefront's directly."
    )
    for image in ("basket:1.6.0", "storefront:2.3.0"):
        _push(context, image)
    developer.change(
        _OVERLAY, "shop/basket\n    newTag: 1.6.0", f"shop/basket\n{_marked_tag(context, 'basket', '1.6.0')}"
    )
    storefront = f"  - name: {_IMAGE}storefront\n{_marked_tag(context, 'storefront', '2.3.0')}\n"
    developer.change(_OVERLAY, "replicas:\n", f"{storefront}replicas:\n")
    context.east.agent.skip_log()
    commit = developer.commit_and_push("Let the agent raise the basket and the storefront")
    context.east.agent.wait_for_run(revision=commit[:7])
    screen.print_text(
        "The inventory gets the tags that are wanted and who writes them; the bootstrap brings it to the agent."
    )
    east = context.start_agent("east", images=True)

    screen.print_text("CI pushes a new basket.")
    start = time.monotonic()
    _push(context, "basket:1.7.0")
    number = _wait_for_pull_request(context, "basket")
    screen.print_duration(
        f"From the push to pull request {number}, opened by the agent,", time.monotonic() - start
    )
    start = time.monotonic()
    merged = forge.merge(number)
    developer.back_to_main()
    screen.print_verified(f"Somebody merges it: main is at {merged[:7]}")
    _wait_for_green(context, merged)
    screen.print_duration("From the merge to a green commit", time.monotonic() - start)
    checks.check_rollout(east.cluster, "basket", f"{forge.image('basket')}:1.7.0", count=3)

    screen.print_text("CI pushes a new storefront. Nobody has to merge it.")
    start, before = time.monotonic(), forge.head()
    _push(context, "storefront:2.4.0")
    checks.check_rollout(east.cluster, "storefront", f"{forge.image('storefront')}:2.4.0", count=2)
    screen.print_duration(
        "From the push to ready Pods, by way of a commit, asking the registry every 15 s,",
        time.monotonic() - start,
    )
    check(forge.head() != before, "It is in Git: the agent has committed it")
    developer.back_to_main()
    _wait_for_green(context, forge.head())
    checks.check_matches_git(east.cluster, developer.clone)


def _marked_tag(context: DemoContext, name: str, tag: str) -> str:
    """Return the rest of an entry of `images:`, for an image of the forge's registry whose tag the agent writes."""
    return f'    newName: {context.forge.image(name)}\n    newTag: {tag} # {{"$plumb": "{name}:tag"}}'


def _push(context: DemoContext, image: str) -> None:
    screen.print_verified(f"Pushed {sandbox.push_image(context.workspace.sandbox('east'), image)}")


def _wait_for_pull_request(context: DemoContext, word: str) -> int:
    """Wait for the agent's pull request; return its number."""
    numbers: list[int] = []

    def is_open() -> bool:
        numbers[:] = [number for number, title in context.forge.open_pull_requests().items() if word in title]
        return bool(numbers)

    wait_until(f"a pull request about the {word}", is_open, 60)
    return numbers[0]


def _wait_for_green(context: DemoContext, commit: str) -> None:
    """Wait until each agent has set a green status on the commit."""
    wanted = {f"plumb/{name}/shop" for name in context.managed_clusters}

    def is_green() -> bool:
        statuses = context.forge.statuses(commit)
        return all(statuses.get(context) == "success" for context in wanted)

    wait_until(f"a green status of {commit[:7]} from {', '.join(sorted(wanted))}", is_green, 60)
    screen.print_verified(f"The commit {commit[:7]} is green in Gitea: {', '.join(sorted(wanted))}")


SCENES: tuple[tuple[str, Callable[[DemoContext], None]], ...] = (
    ("Bootstrap, and the first sync until all is healthy", bootstrap_and_first_sync),
    ("Nothing to do", nothing_to_do),
    ("A merge rolls out", merge_rolls_out),
    ("Someone changes the cluster by hand", drift_is_undone),
    ("An object leaves Git", object_leaves_git),
    ("A broken commit", broken_commit),
    ("The agent is killed in the middle", killed_in_an_apply),
    ("API server and forge are away", servers_stop_and_start),
    ("A second cluster", two_clusters),
    ("New images", new_images),
)


def _scale(cluster: Cluster, name: str, replicas: int) -> None:
    screen.print_command(f"kubectl --namespace shop scale deployment {name} --replicas={replicas}")
    cluster.kubectl("--namespace", "shop", "scale", "deployment", name, f"--replicas={replicas}")
    check(checks.replicas(cluster, name) == replicas, f"Deployment shop/{name} has {replicas} replicas")


def _edit(context: DemoContext, cluster: Cluster, name: str) -> None:
    """Run `kubectl edit` with an editor that is a script."""
    editor = context.workspace.root / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/value: info/value: debug/" "$1"\n', encoding="utf-8")
    editor.chmod(0o700)
    screen.print_command(f"kubectl --namespace shop edit deployment {name}    # LOG_LEVEL: info -> debug")
    cluster.kubectl("--namespace", "shop", "edit", "deployment", name, env={"KUBE_EDITOR": str(editor)})
    check(checks.log_level(cluster, name) == "debug", f"Deployment shop/{name} logs at level debug")
