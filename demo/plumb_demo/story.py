# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenes. Each one does something, lets Plumb run, and looks at the cluster itself; Refuted if it is not so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from . import screen
from .audit import AuditLog
from .cluster import Cluster, Name, Object, moved, rendered, wait_until
from .developer import Developer
from .errors import Refuted
from .forge import Forge
from .place import Place
from .playbook import Reconciler, Run

PLATFORM = "apps/platform"
PROD = "apps/shop/overlays/prod"
_OVERLAY = f"{PROD}/kustomization.yaml"
_LAST_LINES = 20
_IMAGE = "registry.example.com/shop/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Who and what plays."""

    cluster: Cluster
    audit: AuditLog
    forge: Forge
    developer: Developer
    reconciler: Reconciler
    place: Place


def first_sync(stage: Stage) -> None:
    """Everything that Git says comes into an empty cluster and is awaited until it is healthy."""
    screen.tell(
        "The cluster is empty. One command brings it to what Git says, and waits until all of it is healthy."
    )
    run = _reconcile(stage)
    _as_wanted(stage)
    _healthy(stage.cluster)
    screen.tell(f"From an empty cluster to a healthy shop: {run.seconds:.1f} s.")


def nothing_to_do(stage: Stage) -> None:
    """A second run writes nothing; the API server's audit log is the witness."""
    screen.tell("Nothing has changed. The same command again must not write.")
    before, mark = stage.cluster.members(), stage.audit.position()
    _reconcile(stage)
    _wrote_nothing(stage, mark)
    _unmoved(before, stage.cluster.members())


def merge_rolls_out(stage: Stage) -> None:
    """A pull request is merged on the forge; the new version is rolled out."""
    screen.tell(
        "A developer raises the basket's version and allows paying later, by a pull request that gets merged."
    )
    developer = stage.developer
    developer.branch("basket-1.5.0")
    developer.change(_OVERLAY, "shop/basket\n    newTag: 1.4.1", "shop/basket\n    newTag: 1.5.0")
    developer.change(f"{PROD}/flags.yaml", 'pay-later: "false"', 'pay-later: "true"')
    developer.commit_and_push("Raise the basket to 1.5.0 and allow paying later")
    number = stage.forge.open_pull_request("basket-1.5.0", "Raise the basket to 1.5.0 and allow paying later")
    merged = stage.forge.merge(number)
    developer.back_to_main()
    screen.verified(f"Pull request {number} is merged in Gitea: main is at {merged[:7]}")
    run = _reconcile(stage)
    _rolled_out(stage.cluster, "basket", f"{_IMAGE}basket:1.5.0", replicas=3)
    _as_wanted(stage)
    screen.tell(f"From the merge to ready Pods: {run.seconds:.1f} s.")


def drift_is_undone(stage: Stage) -> None:
    """Two people change the cluster by hand; it is shown with their names, then undone."""
    cluster = stage.cluster
    screen.tell("Meanwhile, two people help themselves.")
    _scale(cluster, "basket", 9)
    _edit(stage, "checkout")
    screen.tell("What has drifted, and by whom? A check writes nothing.")
    mark = stage.audit.position()
    run = _reconcile(stage, "--check", "--diff")
    _wrote_nothing(stage, mark)
    _says(run, "Deployment shop/basket", "spec.replicas", "9 -> 3")
    _says(run, "Deployment shop/checkout", "LOG_LEVEL", "kubectl-edit")
    _holds(_replicas(cluster, "basket") == 9, "The basket still has 9 replicas after the check")
    screen.tell("And now without --check.")
    _reconcile(stage)
    _holds(_replicas(cluster, "basket") == 3, "The basket is back at 3 replicas")
    _holds(_replicas(cluster, "storefront") == 2, "The storefront has the autoscaler's 2 replicas still")
    _holds(_log_level(cluster, "checkout") == "info", "The checkout logs at level info again")
    _as_wanted(stage)


def leaves_git(stage: Stage) -> None:
    """An object's manifest is deleted in Git; the object is pruned, and nothing else."""
    cluster, developer = stage.cluster, stage.developer
    screen.tell("Winter is over: the campaign leaves Git.")
    before = cluster.members()
    _holds(cluster.get("campaigns", "winter-lights") is not None, "Campaign shop/winter-lights is there")
    developer.change(_OVERLAY, "  - winter-lights.yaml\n", "")
    developer.remove(f"{PROD}/winter-lights.yaml")
    developer.commit_and_push("End the winter campaign")
    _reconcile(stage)
    _holds(cluster.get("campaigns", "winter-lights") is None, "Campaign shop/winter-lights is gone")
    gone = before.keys() - cluster.members().keys()
    _holds(len(gone) == 1, f"Nothing else is gone: {len(before) - len(gone)} of {len(before)} objects remain")
    _as_wanted(stage)


def broken_commit(stage: Stage) -> None:
    """A commit that does not parse is refused as a whole, also what it gets right."""
    cluster, developer = stage.cluster, stage.developer
    screen.tell(
        "A commit raises the checkout's version, removes the feature flags, and breaks a file. Half of it could be "
        "applied. None of it must be."
    )
    before, mark = cluster.members(), stage.audit.position()
    developer.change(_OVERLAY, "shop/checkout\n    newTag: 1.4.1", "shop/checkout\n    newTag: 1.5.0")
    developer.change(_OVERLAY, "  - flags.yaml\n", "")
    developer.remove(f"{PROD}/flags.yaml")
    developer.change(
        "apps/shop/base/mailer.yaml", "  name: mailer-relay\n  labels:", "  name: mailer-relay\n labels:"
    )
    developer.commit_and_push("Raise the checkout to 1.5.0")
    run = _reconcile(stage, succeeds=False)
    _says(run, "mailer.yaml")
    _wrote_nothing(stage, mark)
    _unmoved(before, cluster.members())
    screen.tell("The developer takes the commit back, and Git is followed again.")
    developer.take_back_last("Take back the checkout's new version")
    mark = stage.audit.position()
    _reconcile(stage)
    _wrote_nothing(stage, mark)
    _as_wanted(stage)


SCENES: tuple[tuple[str, Callable[[Stage], None]], ...] = (
    ("The first sync, until all is healthy", first_sync),
    ("Nothing to do", nothing_to_do),
    ("A merge rolls out", merge_rolls_out),
    ("Someone changes the cluster by hand", drift_is_undone),
    ("An object leaves Git", leaves_git),
    ("A broken commit", broken_commit),
)


# What the scenes look up


def _holds(fact: bool, text: str) -> None:
    if not fact:
        raise Refuted(f"Not so: {text}")
    screen.verified(text)


def _reconcile(stage: Stage, *options: str, succeeds: bool = True) -> Run:
    run = stage.reconciler.reconcile(*options)
    if (run.status == 0) != succeeds:
        end = "\n".join(run.text.splitlines()[-_LAST_LINES:])
        raise Refuted(f"The playbook ended with {run.status}. The end of its output:\n{end}")
    if not succeeds:
        screen.verified(f"The playbook fails, with exit status {run.status}")
    return run


def _says(run: Run, *words: str) -> None:
    """One line of the output has all these words."""
    if not any(all(word in line for word in words) for line in run.text.splitlines()):
        raise Refuted(f"The playbook does not say in one line: {', '.join(words)}")
    screen.verified(f"It says so: {', '.join(words)}")


def _wrote_nothing(stage: Stage, mark: int) -> None:
    traffic = stage.audit.since(mark)
    if traffic.writes:
        raise Refuted(f"{len(traffic.writes)} writes in the audit log: {', '.join(traffic.writes[:10])}")
    _holds(
        traffic.reads > 0,
        f"No write, by the API server's audit log: {traffic.reads} reads, {traffic.dry_runs} dry-runs, 0 writes",
    )


def _unmoved(before: Mapping[Name, Object], after: Mapping[Name, Object]) -> None:
    changed = moved(before, after)
    if changed:
        raise Refuted(f"These have changed: {', '.join(changed)}")
    same = sum(
        before[name]["metadata"]["resourceVersion"] == after[name]["metadata"]["resourceVersion"]
        for name in before
    )
    rest = (
        "" if same == len(before) else f" (the other {len(before) - same}: only their status, by controllers)"
    )
    _holds(
        len(before) > 0,
        f"Each of {len(before)} objects is as it was; {same} have the same resourceVersion{rest}",
    )


def _as_wanted(stage: Stage) -> None:
    """All that the working copy of main says is in the cluster as written, and the sets have no other member."""
    cluster, clone = stage.cluster, stage.developer.clone
    shop, platform = (rendered(clone / folder) for folder in (PROD, PLATFORM))
    unlike = cluster.unlike([*platform, *shop])
    if unlike:
        raise Refuted(f"Not as Git says: {', '.join(unlike)}")
    wanted, members = len(shop) + len(platform), len(cluster.members())
    _holds(members == wanted, f"All {wanted} objects are as Git says, and the sets have no other member")


def _healthy(cluster: Cluster) -> None:
    """kubectl's own opinion of what runs."""
    waits = ("wait", "--namespace", "shop", "--timeout=20s")
    cluster.kubectl(*waits, "--for=condition=Available", "deployments", "--all")
    cluster.kubectl(*waits, "--for=condition=Complete", "jobs", "--all")
    cluster.kubectl("rollout", "status", "--namespace", "shop", "--timeout=20s", "statefulset/stock")
    deployments = len(cluster.listed("deployments", "--namespace", "shop"))
    pods = cluster.listed("pods", "--namespace", "shop", "--field-selector", "status.phase=Running")
    screen.verified(
        f"{deployments} Deployments are available, the stock is rolled out, its seed Job is complete"
    )
    screen.verified(f"{len(pods)} Pods run")
    # Git says no replicas for it; wait, so that the autoscaler's write is not taken for Plumb's later.
    wait_until("2 storefronts by the autoscaler", lambda: _replicas(cluster, "storefront") == 2, 60.0)
    screen.verified("The autoscaler has brought the storefront to 2 replicas, on which Git is silent")


def _rolled_out(cluster: Cluster, app: str, image: str, *, replicas: int) -> None:
    """The Pods that run are of this image, and as many as Git says."""

    def images() -> list[str]:
        pods = cluster.listed("pods", "--namespace", "shop", "--selector", f"app={app}")
        return [pod["spec"]["containers"][0]["image"] for pod in pods if _is_ready(pod)]

    wait_until(f"{replicas} ready Pods of {image}", lambda: images() == [image] * replicas)
    screen.verified(f"{replicas} Pods of {image} are ready, none of another version")


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _replicas(cluster: Cluster, name: str) -> int:
    found = cluster.get("deployments", name)
    return int(found["spec"]["replicas"]) if found else -1


def _log_level(cluster: Cluster, name: str) -> str:
    found = cluster.get("deployments", name)
    env = found["spec"]["template"]["spec"]["containers"][0]["env"] if found else []
    return next((str(each["value"]) for each in env if each["name"] == "LOG_LEVEL"), "")


def _scale(cluster: Cluster, name: str, replicas: int) -> None:
    screen.command(f"kubectl --namespace shop scale deployment {name} --replicas={replicas}")
    cluster.kubectl("--namespace", "shop", "scale", "deployment", name, f"--replicas={replicas}")
    _holds(_replicas(cluster, name) == replicas, f"Deployment shop/{name} has {replicas} replicas")


def _edit(stage: Stage, name: str) -> None:
    """`kubectl edit`, with an editor that needs no hands."""
    editor = stage.place.root / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/value: info/value: debug/" "$1"\n', encoding="utf-8")
    editor.chmod(0o700)
    screen.command(f"kubectl --namespace shop edit deployment {name}    # LOG_LEVEL: info -> debug")
    stage.cluster.kubectl("--namespace", "shop", "edit", "deployment", name, env={"KUBE_EDITOR": str(editor)})
    _holds(_log_level(stage.cluster, name) == "debug", f"Deployment shop/{name} logs at level debug")
