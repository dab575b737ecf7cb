# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The namespaces that apps live in: which are there, which a run makes, and what is refused where one is missing."""

from __future__ import annotations

from collections.abc import Iterable

from ...cluster.bulk_reads import read_objects
from ...cluster.client import Cluster
from ...cluster.discovery import Discovery
from ...cluster.errors import Invalid, RequestError
from ...model.app import AppState
from ...model.objects import Body, GroupKind, ObjectRef
from ...model.plan import Action, Verb
from ..desired.manifests import DesiredObject
from ..fields.managed_fields import CREATOR
from .context import PlanContext
from .planned_action import PlannedAction

_ADD = "Add it to Git, or set create_namespace: true."  # what to do about a missing one
_NAMESPACE = GroupKind("", "Namespace")


def existing_namespaces(
    cluster: Cluster, discovery: Discovery, names: Iterable[str]
) -> dict[str, Body | None]:
    """Return each of these namespaces, None for one that is missing. One that may not be read counts as existing."""
    resource = discovery.of(_NAMESPACE)
    if resource is None:
        return {}
    names = sorted(set(names) - {""})
    objects, unreadable = read_objects(
        cluster, [(resource, ObjectRef("", "Namespace", "", name)) for name in names]
    )
    known: dict[str, Body | None] = {
        name: objects.get((resource.api_version, ObjectRef("", "Namespace", "", name))) for name in names
    }
    return {**known, **{ref.name: {"metadata": {"name": ref.name}} for ref in unreadable}}


def missing_namespace_error(context: PlanContext) -> str:
    """Return why nothing of the app can be recorded, and so nothing written: its namespace is missing."""
    app = context.app
    if app.state is AppState.ABSENT or app.namespace not in context.missing_namespaces:
        return ""
    return f"app {app.name}: its namespace {app.namespace} is missing. {remedy(context, app.namespace)}"


def remedy(context: PlanContext, namespace: str) -> str:
    """Return the next step for a missing namespace."""
    other = context.namespace_providers.get(namespace, "")
    return f"App {other} brings it: add depends_on: [{other}] to app {context.app.name}." if other else _ADD


def namespace_to_create(
    context: PlanContext, wanted: Iterable[DesiredObject]
) -> tuple[tuple[PlannedAction, ...], str]:
    """Return the app's namespace to create (`create_namespace`, missing, in no manifest), or why it cannot be.

    It is created, and from then on left alone: it is no member of the app, so it is never pruned with it.
    """
    app, ref = context.app, ObjectRef("", "Namespace", "", context.app.namespace)
    missing = (
        app.namespace in context.coming_namespaces and app.create_namespace and app.state is AppState.PRESENT
    )
    if not missing or any(w.ref == ref for w in wanted):
        return (), ""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": app.namespace}}
    if error := _invalid(context, body):
        return (), f"app {app.name}: its namespace cannot be created: {error}"
    return (
        PlannedAction(action=Action(ref=ref, verb=Verb.CREATE, reason="create_namespace"), body=body),
    ), ""


def _invalid(context: PlanContext, body: Body) -> str:
    """Return why the server refuses this Namespace, as far as the Namespace itself is invalid."""
    resource = context.discovery.of(_NAMESPACE)
    if resource is None:
        return ""
    try:
        context.cluster.apply(resource, body, field_manager=CREATOR, force=False, dry_run=True)
    except Invalid as error:
        return f"{error.reason}. Correct the app's namespace."
    except RequestError:
        return ""  # the write fails with the same error
    return ""
