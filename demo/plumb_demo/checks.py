# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the scenes, by kubectl, the audit log and the process table. They raise CheckFailed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.controller.runner.processes import descendants

from . import screen
from .audit_log import AgentAuditLog, AgentTraffic
from .cluster import Cluster, Name, Object, changed_objects, render, wait_until
from .errors import CheckFailed

PLATFORM = "apps/platform"
PROD = "apps/shop/overlays/prod"


def check(fact: bool, text: str) -> None:
    """Print a fact, or raise CheckFailed."""
    if not fact:
        raise CheckFailed(f"Not so: {text}")
    screen.print_verified(text)


def ansible_runs_of(pid: int) -> list[int]:
    """Return the processes of Ansible runs below a process; one may be waiting there already for the next run."""
    words = ("controller.runner.fork_server", "controller.runner.playbook_process")
    return [each.pid for each in descendants(pid) if any(word in command_of(each.pid) for word in words)]


def command_of(pid: int) -> str:
    """Return the command line of a process; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def check_no_writes(audit: AgentAuditLog, mark: int) -> None:
    """Check that since the mark the agent has read, and changed nothing but its Lease."""
    traffic = audit.since(mark)
    _refuse_writes(traffic)
    check(
        traffic.reads > 0,
        f"No write, by the API server's audit log: {traffic.reads} reads, {traffic.dry_runs} dry-runs, 0 writes",
    )


def check_no_requests(audit: AgentAuditLog, mark: int) -> None:
    """Check that since the mark the agent has done nothing but renew its Lease."""
    traffic = audit.since(mark)
    _refuse_writes(traffic)
    check(
        traffic.reads == traffic.dry_runs == 0 < traffic.renewals,
        f"By the audit log it only watched, and renewed its Lease {traffic.renewals} times",
    )


def _refuse_writes(traffic: AgentTraffic) -> None:
    if traffic.writes:
        raise CheckFailed(f"{len(traffic.writes)} writes in the audit log: {', '.join(traffic.writes[:10])}")


def check_unchanged(before: Mapping[Name, Object], after: Mapping[Name, Object]) -> None:
    """Check that none of these objects has changed but in its status."""
    changed = changed_objects(before, after)
    if changed:
        raise CheckFailed(f"These have changed: {', '.join(changed)}")
    same = sum(
        before[name]["metadata"]["resourceVersion"] == after[name]["metadata"]["resourceVersion"]
        for name in before
    )
    rest = (
        "" if same == len(before) else f" (the other {len(before) - same}: only their status, by controllers)"
    )
    check(
        len(before) > 0,
        f"None of {len(before)} objects has changed; {same} have the same resourceVersion{rest}",
    )


def check_matches_git(cluster: Cluster, clone: Path) -> None:
    """Check that all of the working copy is in the cluster as written, and that the sets have no other member."""
    shop, platform = (render(clone / folder) for folder in (PROD, PLATFORM))
    differing = cluster.differing([*platform, *shop])
    if differing:
        raise CheckFailed(f"Not as Git says in {cluster.name}: {', '.join(differing)}")
    wanted, members = len(shop) + len(platform), len(cluster.members())
    check(
        members == wanted,
        f"All {wanted} objects of {cluster.name} are as Git says, and the sets have no other member",
    )


def check_healthy(cluster: Cluster) -> None:
    """Check by kubectl that all is available, complete and scaled."""
    waits = ("wait", "--namespace", "shop", "--timeout=30s")
    cluster.kubectl(*waits, "--for=condition=Available", "deployments", "--all")
    cluster.kubectl(*waits, "--for=condition=Complete", "jobs", "--all")
    cluster.kubectl("rollout", "status", "--namespace", "shop", "--timeout=30s", "statefulset/stock")
    deployments = len(cluster.list_objects("deployments", "--namespace", "shop"))
    pods = cluster.list_objects("pods", "--namespace", "shop", "--field-selector", "status.phase=Running")
    screen.print_verified(
        f"{deployments} Deployments are available, the stock is rolled out, its seed Job is complete"
    )
    screen.print_verified(f"{len(pods)} Pods run")
    # Git says no replicas for it; wait, so that the autoscaler's write is not taken for Plumb's later, nor comes
    # between the two halves of a comparison.
    wait_until("2 storefronts by the autoscaler", lambda: replicas(cluster, "storefront") == 2, 60.0)
    screen.print_verified("The autoscaler has scaled the storefront to 2 replicas, which Git leaves to it")


def check_rollout(cluster: Cluster, app: str, image: str, *, count: int) -> None:
    """Check that the Pods that run are of this image, and as many as Git says."""

    def images() -> list[str]:
        pods = cluster.list_objects("pods", "--namespace", "shop", "--selector", f"app={app}")
        return [pod["spec"]["containers"][0]["image"] for pod in pods if _is_ready(pod)]

    wait_until(f"{count} ready Pods of {image} in {cluster.name}", lambda: images() == [image] * count)
    screen.print_verified(f"{cluster.name}: {count} Pods of {image} are ready, none of another version")


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def replicas(cluster: Cluster, name: str) -> int:
    """Return the replicas that a Deployment asks for; -1 without one."""
    deployment = cluster.get("deployments", name)
    return int(deployment["spec"]["replicas"]) if deployment else -1


def log_level(cluster: Cluster, name: str) -> str:
    """Return the LOG_LEVEL of a Deployment; empty without one."""
    deployment = cluster.get("deployments", name)
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"] if deployment else []
    return next((str(each["value"]) for each in env if each["name"] == "LOG_LEVEL"), "")


def count_labelled(cluster: Cluster, label: str) -> int:
    """Return how many members carry a label."""
    return sum(label in (each["metadata"].get("labels") or {}) for each in cluster.members().values())


def drift_by_field(report: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return the manager that changed a field, as the cluster recorded it, by object and field."""
    return {
        (action["object"], change["path"]): change.get("culprit", {}).get("manager", "")
        for app in report["apps"]
        for action in app["actions"]
        for change in action.get("changes", ())
        if change["cause"] == "drift"
    }


def print_drift(report: Mapping[str, Any]) -> None:
    """Print the drift of a report, a line for each field, as a check on a terminal does."""
    for app in report["apps"]:
        for action in app["actions"]:
            for change in action.get("changes", ()):
                if change["cause"] == "drift":
                    who = change.get("culprit", {})
                    by = " ".join(who[key] for key in ("manager", "operation", "time") if key in who)
                    values = f"{change.get('live')} -> {change.get('desired')}"
                    screen.print_output(f"! {action['object']}   {change['path']}   {values}   by {by}")
