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
    """Return the health of a live object, from its own body alone.

    Order, as in kstatus: deletion; generation; Reconciling; Stalled; the kind's own rule; Ready; else it is current.
    Never raises: what cannot be read counts as missing, and a body that is no object is `Unknown`.
    """
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        return Health(HealthStatus.UNKNOWN, "The server's answer is not an object")
    view = LiveView(body)
    health = _deletion(view) or _generation(view) or _standard_conditions(view)
    if health is not None:
        return health
    rule = RULES.get(view.group_kind)
    return rule(view) if rule is not None else _ready(view)


def _deletion(view: LiveView) -> Health | None:
    """Return `Terminating`, with what the deletion waits for: finalizers, and what a Namespace still holds."""
    if not view.text("metadata", "deletionTimestamp"):
        return None
    finalizers = (*view.texts("metadata", "finalizers"), *view.texts("spec", "finalizers"))
    waits = f", waits for {', '.join(finalizers)}" if finalizers else ""
    content = [
        condition.message
        for kind in ("NamespaceContentRemaining", "NamespaceDeletionDiscoveryFailure")
        if (condition := view.condition_is(kind, "True")) is not None
    ]
    return Health(HealthStatus.TERMINATING, printable(": ".join([f"Being deleted{waits}", *content])))


def _generation(view: LiveView) -> Health | None:
    """Return `InProgress` while the controller has not seen the latest spec."""
    observed = view.number("status", "observedGeneration", default=-1)
    if not view.generation or observed in (-1, view.generation):
        return None
    return Health.in_progress(
        f"Its controller has seen generation {observed}, the spec is at {view.generation}"
    )


def _standard_conditions(view: LiveView) -> Health | None:
    """Return the health by kstatus's own conditions, which any controller may set; None where they decide nothing.

    Other than in kstatus, a Stalled that names an older generation counts as progress: it is about a former spec.
    """
    reconciling = view.condition_is("Reconciling", "True")
    if reconciling is not None:
        return Health.in_progress(reconciling.summary or "Reconciling")
    stalled = view.condition_is("Stalled", "True")
    if stalled is None:
        return None
    if 0 < stalled.generation < view.generation:
        return Health.in_progress(f"Stalled at generation {stalled.generation}: {stalled.summary}")
    return Health.failed(stalled.summary or "Stalled")


def _ready(view: LiveView) -> Health:
    """Return the health of a kind without a rule of its own: a Ready condition decides; without one it is current.

    Other than in kstatus, a Ready that names an older generation does not count as ready.
    """
    ready = view.condition("Ready")
    if ready is None:
        return Health.current()
    if ready.status != "True":
        return Health.in_progress(printable(f"Not ready: {ready.summary}" if ready.summary else "Not ready"))
    if 0 < ready.generation < view.generation:
        return Health.in_progress(
            f"Ready is said of generation {ready.generation}, the spec is at {view.generation}"
        )
    return Health.current()
