# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health of live objects by kstatus's rules.

The rules are those of kstatus (sigs.k8s.io/cli-utils, pkg/kstatus/status: generic.go, core.go). Where Plumb differs,
the docstring of the rule says so; docs/health.md lists the differences.
"""

from __future__ import annotations

from ...model.errors import printable
from ...model.health import Health, HealthStatus
from ...model.objects import Body
from ..fields.object_view import LiveView
from .rules import RULES


def assess(body: Body) -> Health:
    """The health of a live object, as its own body tells it.

    Order, as in kstatus: deletion; generation; Reconciling; Stalled; the kind's own rule; Ready; else it is current.
    Never raises: what cannot be read counts as not said, and a body that is no object is `Unknown`.
    """
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        return Health(HealthStatus.UNKNOWN, "The server's answer is not an object")
    view = LiveView(body)
    found = _deletion(view) or _generation(view) or _standard_conditions(view)
    if found is not None:
        return found
    rule = RULES.get(view.group_kind)
    return rule(view) if rule is not None else _ready(view)


def _deletion(view: LiveView) -> Health | None:
    """`Terminating`, with what the deletion waits for: finalizers, and what a Namespace still holds."""
    if not view.text("metadata", "deletionTimestamp"):
        return None
    finalizers = (*view.texts("metadata", "finalizers"), *view.texts("spec", "finalizers"))
    waits = f", waits for {', '.join(finalizers)}" if finalizers else ""
    held = [
        condition.message
        for kind in ("NamespaceContentRemaining", "NamespaceDeletionDiscoveryFailure")
        if (condition := view.condition_is(kind, "True")) is not None
    ]
    return Health(HealthStatus.TERMINATING, printable(": ".join([f"Being deleted{waits}", *held])))


def _generation(view: LiveView) -> Health | None:
    """`InProgress` while the controller has not seen the latest spec."""
    observed = view.number("status", "observedGeneration", default=-1)
    if not view.generation or observed in (-1, view.generation):
        return None
    return Health.in_progress(
        f"Its controller has seen generation {observed}, the spec is at {view.generation}"
    )


def _standard_conditions(view: LiveView) -> Health | None:
    """kstatus's own conditions, which any controller may set.

    Other than in kstatus, a Stalled that names an older generation counts as progress: it speaks of a former spec.
    """
    reconciling = view.condition_is("Reconciling", "True")
    if reconciling is not None:
        return Health.in_progress(reconciling.said or "Reconciling")
    stalled = view.condition_is("Stalled", "True")
    if stalled is None:
        return None
    if 0 < stalled.generation < view.generation:
        return Health.in_progress(f"Stalled at generation {stalled.generation}: {stalled.said}")
    return Health.failed(stalled.said or "Stalled")


def _ready(view: LiveView) -> Health:
    """The generic rule for kinds that have none of their own: a Ready condition decides; without one it is current.

    Other than in kstatus, a Ready that names an older generation does not count as ready.
    """
    ready = view.condition("Ready")
    if ready is None:
        return Health.current()
    if ready.status != "True":
        return Health.in_progress(printable(f"Not ready: {ready.said}" if ready.said else "Not ready"))
    if 0 < ready.generation < view.generation:
        return Health.in_progress(
            f"Ready is said of generation {ready.generation}, the spec is at {view.generation}"
        )
    return Health.current()
