# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds' own health rules, as a table; see `assess` for the rules that all kinds share.

Each rule takes a live object that is not being deleted and whose controller has seen the latest generation, as far as
the object says so. Source: kstatus (cli-utils, pkg/kstatus/status/core.go), unless the rule's docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

from ...model.health import Health, HealthStatus
from ...model.objects import GroupKind
from ..fields.object_view import LiveView
from . import workloads

Rule = Callable[[LiveView], Health]

_CURRENT = Health.current()


def persistent_volume_claim(view: LiveView) -> Health:
    """Judge a PersistentVolumeClaim: current when bound. `Lost` is failed, which kstatus does not tell from pending."""
    phase = view.text("status", "phase", default="not known")
    if phase == "Bound":
        return _CURRENT
    if phase == "Lost":
        return Health.failed("The claim has lost its volume")
    return Health.in_progress(
        f"Not bound, phase {phase}; a claim whose class says WaitForFirstConsumer waits for a Pod that uses it"
    )


def service(view: LiveView) -> Health:
    """Judge a Service: current, but for a LoadBalancer without a cluster IP. Its outside address is only a remark."""
    if view.text("spec", "type") != "LoadBalancer":
        return _CURRENT
    if not view.text("spec", "clusterIP"):
        return Health.in_progress("No cluster IP yet")
    has_address = any(True for _entry in view.items("status", "loadBalancer", "ingress"))
    return _CURRENT if has_address else Health.current("No load balancer has given it an address yet")


def disruption_budget(view: LiveView) -> Health:
    """Judge a PodDisruptionBudget: current once the disruption controller has observed it."""
    return workloads.unobserved(view) or _CURRENT


def custom_resource_definition(view: LiveView) -> Health:
    """Judge a CustomResourceDefinition: current once it is established; refused names fail it."""
    refused = view.condition_is("NamesAccepted", "False")
    if refused is not None:
        return Health.failed(f"Names not accepted: {refused.summary}")
    established = view.condition("Established")
    if established is not None and established.status == "True":
        return _CURRENT
    if established is not None and established.status == "False" and established.reason != "Installing":
        return Health.failed(f"Not established: {established.summary}")
    return Health.in_progress("Not established yet")


def namespace(view: LiveView) -> Health:
    """Judge a Namespace: current when active. kstatus has no rule for it."""
    phase = view.text("status", "phase", default="not known")
    if phase == "Active":
        return _CURRENT
    if phase == "Terminating":
        return Health(HealthStatus.TERMINATING, "Being deleted")
    return Health.in_progress(f"Not active, phase {phase}")


def api_service(view: LiveView) -> Health:
    """Judge an APIService: current when available. kstatus has no rule for it; every discovery depends on it."""
    available = view.condition("Available")
    if available is not None and available.status == "True":
        return _CURRENT
    return Health.in_progress(
        f"Not available: {available.summary}" if available is not None else "Not available yet"
    )


_NO_TARGET = frozenset({"FailedGetScale", "FailedUpdateScale"})


def autoscaler(view: LiveView) -> Health:
    """Judge a HorizontalPodAutoscaler: current, unless it cannot scale its target. kstatus has no rule for it.

    Missing metrics are a remark: they come and go with the metrics server and say nothing of what Git declared.
    """
    able = view.condition_is("AbleToScale", "False")
    if able is not None and able.reason in _NO_TARGET:
        return Health.in_progress(f"Cannot scale its target: {able.summary}")
    inactive = able or view.condition_is("ScalingActive", "False")
    return (
        Health.current(f"Does not scale at present: {inactive.summary}") if inactive is not None else _CURRENT
    )


def cron_job(view: LiveView) -> Health:
    """Judge a CronJob: current; its Jobs are not part of what Git declares."""
    return Health.current("Suspended") if view.flag("spec", "suspend") else _CURRENT


RULES: dict[GroupKind, Rule] = {
    GroupKind("", "Namespace"): namespace,
    GroupKind("", "PersistentVolumeClaim"): persistent_volume_claim,
    GroupKind("", "Pod"): workloads.pod,
    GroupKind("", "ReplicationController"): workloads.replica_set,
    GroupKind("", "Service"): service,
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): custom_resource_definition,
    GroupKind("apiregistration.k8s.io", "APIService"): api_service,
    GroupKind("apps", "DaemonSet"): workloads.daemon_set,
    GroupKind("apps", "Deployment"): workloads.deployment,
    GroupKind("apps", "ReplicaSet"): workloads.replica_set,
    GroupKind("apps", "StatefulSet"): workloads.stateful_set,
    GroupKind("autoscaling", "HorizontalPodAutoscaler"): autoscaler,
    GroupKind("batch", "CronJob"): cron_job,
    GroupKind("batch", "Job"): workloads.job,
    GroupKind("policy", "PodDisruptionBudget"): disruption_budget,
}
"""The kinds with a rule of their own. ConfigMap, Secret, Ingress, RBAC and the like need none: they are current."""
