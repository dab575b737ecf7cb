# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenes look up, by kubectl, the audit log and the process table. Refuted where it is not so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.controller.runner.processes import descendants

from . import screen
from .audit import AuditLog, Traffic
from .cluster import Cluster, Name, Object, moved, rendered, wait_until
from .errors import Refuted

PLATFORM = "apps/platform"
PROD = "apps/shop/overlays/prod"


def holds(fact: bool, text: str) -> None:
    """Say a fact, or that it is none."""
    if not fact:
        raise Refuted(f"Not so: {text}")
    screen.verified(text)


def runs_below(pid: int) -> list[int]:
    """The processes of Ansible runs below a process; one may be waiting there already for the next run."""
    words = ("controller.runner.fork_server", "controller.runner.playbook_process")
    return [each.pid for each in descendants(pid) if any(word in command_of(each.pid) for word in words)]


def command_of(pid: int) -> str:
    """The command line of a process; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def wrote_nothing(audit: AuditLog, mark: int) -> None:
    """Since the mark the agent has asked the API server, and changed nothing but its Lease."""
    traffic = audit.since(mark)
    _refuse_writes(traffic)
    holds(
        traffic.reads > 0,
        f"No write, by the API server's audit log: {traffic.reads} reads, {traffic.dry_runs} dry-runs, 0 writes",
    )


def asked_nothing(audit: AuditLog, mark: int) -> None:
    """Since the mark the agent has done nothing but renew its Lease."""
    traffic = audit.since(mark)
    _refuse_writes(traffic)
    holds(
        traffic.reads == traffic.dry_runs == 0 < traffic.renewals,
        f"It has asked nothing of the API server but to renew its Lease, {traffic.renewals} times; and it watches",
    )


def _refuse_writes(traffic: Traffic) -> None:
    if traffic.writes:
        raise Refuted(f"{len(traffic.writes)} writes in the audit log: {', '.join(traffic.writes[:10])}")


def unmoved(before: Mapping[Name, Object], after: Mapping[Name, Object]) -> None:
    """Nobody has touched any of these objects."""
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
    holds(
        len(before) > 0,
        f"Each of {len(before)} objects is as it was; {same} have the same resourceVersion{rest}",
    )


def as_git_says(cluster: Cluster, clone: Path) -> None:
    """All that the working copy of main says is in the cluster as written, and the sets have no other member."""
    shop, platform = (rendered(clone / folder) for folder in (PROD, PLATFORM))
    unlike = cluster.unlike([*platform, *shop])
    if unlike:
        raise Refuted(f"Not as Git says in {cluster.name}: {', '.join(unlike)}")
    wanted, members = len(shop) + len(platform), len(cluster.members())
    holds(
        members == wanted,
        f"All {wanted} objects of {cluster.name} are as Git says, and the sets have no other member",
    )


def healthy(cluster: Cluster) -> None:
    """kubectl's own opinion of what runs."""
    waits = ("wait", "--namespace", "shop", "--timeout=30s")
    cluster.kubectl(*waits, "--for=condition=Available", "deployments", "--all")
    cluster.kubectl(*waits, "--for=condition=Complete", "jobs", "--all")
    cluster.kubectl("rollout", "status", "--namespace", "shop", "--timeout=30s", "statefulset/stock")
    deployments = len(cluster.listed("deployments", "--namespace", "shop"))
    pods = cluster.listed("pods", "--namespace", "shop", "--field-selector", "status.phase=Running")
    screen.verified(
        f"{deployments} Deployments are available, the stock is rolled out, its seed Job is complete"
    )
    screen.verified(f"{len(pods)} Pods run")
    # Git says no replicas for it; wait, so that the autoscaler's write is not taken for Plumb's later, nor comes
    # between the two halves of a comparison.
    wait_until("2 storefronts by the autoscaler", lambda: replicas(cluster, "storefront") == 2, 60.0)
    screen.verified("The autoscaler has brought the storefront to 2 replicas, on which Git is silent")


def rolled_out(cluster: Cluster, app: str, image: str, *, count: int) -> None:
    """The Pods that run are of this image, and as many as Git says."""

    def images() -> list[str]:
        pods = cluster.listed("pods", "--namespace", "shop", "--selector", f"app={app}")
        return [pod["spec"]["containers"][0]["image"] for pod in pods if _is_ready(pod)]

    wait_until(f"{count} ready Pods of {image} in {cluster.name}", lambda: images() == [image] * count)
    screen.verified(f"{cluster.name}: {count} Pods of {image} are ready, none of another version")


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def replicas(cluster: Cluster, name: str) -> int:
    found = cluster.get("deployments", name)
    return int(found["spec"]["replicas"]) if found else -1


def log_level(cluster: Cluster, name: str) -> str:
    found = cluster.get("deployments", name)
    env = found["spec"]["template"]["spec"]["containers"][0]["env"] if found else []
    return next((str(each["value"]) for each in env if each["name"] == "LOG_LEVEL"), "")


def labelled(cluster: Cluster, label: str) -> int:
    """How many members carry a label."""
    return sum(label in (each["metadata"].get("labels") or {}) for each in cluster.members().values())


def drift_in(report: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Who had changed what, by object and field: the manager as the cluster recorded it."""
    return {
        (action["object"], change["path"]): change.get("culprit", {}).get("manager", "")
        for app in report["apps"]
        for action in app["actions"]
        for change in action.get("changes", ())
        if change["cause"] == "drift"
    }


def show_drift(report: Mapping[str, Any]) -> None:
    """The drift of a report, a line for each field, as a check on a terminal shows it."""
    for app in report["apps"]:
        for action in app["actions"]:
            for change in action.get("changes", ()):
                if change["cause"] == "drift":
                    who = change.get("culprit", {})
                    by = " ".join(who[key] for key in ("manager", "operation", "time") if key in who)
                    values = f"{change.get('live')} -> {change.get('desired')}"
                    screen.output(f"! {action['object']}   {change['path']}   {values}   by {by}")
