# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unified diff of a planned action, made only for a run that shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...cluster.bulk_reads import read_objects
from ...model.change import ABSENT, Cause, FieldChange
from ...model.object_diff import DiffForm, Hunk, ObjectDiff
from ...model.objects import Body, ObjectRef
from ...model.plan import Action, Verb
from ...model.well_known import PART_OF
from ..drift.explain import value_at
from ..drift.foreign_fields import foreign_fields
from ..drift.ignore import Ignored
from ..fields.applied_fields import ANNOTATION
from ..fields.diff import differences
from ..fields.diff_sides import owned_part, sides, with_value, without_secret_values
from ..fields.fieldset import FieldSet, Path, display, union
from ..fields.managed_fields import DIGEST, owners
from ..fields.ownership_match import same
from ..fields.yaml_lines import hunks, yaml_lines
from .context import PlanContext
from .planned_action import PlannedAction

_OWN = {"labels": frozenset({PART_OF}), "annotations": frozenset({DIGEST, ANNOTATION})}
_OF_KUBECTL = "kubectl.kubernetes.io/last-applied-configuration"  # a copy of the object
_FIRST = ("apiVersion", "kind", "metadata")
_SHOWN_METADATA = frozenset({"name", "namespace", "labels", "annotations", "finalizers", "ownerReferences"})


def with_dry_run_diff(
    context: PlanContext, planned: PlannedAction, outcome: Body, added: Iterable[Path]
) -> PlannedAction:
    """Return an action that a dry-run decided with its diff, if the run shows it.

    `outcome` is what the apply makes of the live object, `added` the paths of additions among the action's changes.
    """
    live, wanted, action = planned.live, planned.wanted, planned.action
    if context.options.diff is not DiffForm.UNIFIED or live is None or wanted is None or not action.changes:
        return planned
    known = {display(path): path for path in (*(d[0] for d in differences(live, outcome)), *added)}
    diff = _of_changes(action, live, _manifest(wanted.body, wanted.copied), outcome, known)
    return replace(planned, action=replace(action, diff=replace(diff, revision=_revision(context))))


def with_diffs(context: PlanContext, planned_actions: Sequence[PlannedAction]) -> tuple[Action, ...]:
    """Return the actions of an app, if the run shows diffs with those that no dry-run has decided.

    That is of what comes, of what goes, which is read whole where only its metadata was, and of additions alone.
    """
    if context.options.diff is not DiffForm.UNIFIED:
        return tuple(planned.action for planned in planned_actions)
    revision, whole = _revision(context), _read_whole(context, planned_actions)
    actions = []
    for planned in planned_actions:
        action = planned.action
        if action.diff is None and (
            diff := _diff(replace(planned, live=whole.get(action.ref, planned.live)))
        ):
            action = replace(action, diff=replace(diff, revision=revision))
        actions.append(action)
    return tuple(actions)


def _read_whole(context: PlanContext, planned_actions: Sequence[PlannedAction]) -> Mapping[ObjectRef, Body]:
    """Return the objects to prune of which only the metadata was read, as far as they can be read."""
    partial = [
        (resource, planned.action.ref)
        for planned in planned_actions
        if planned.action.verb is Verb.PRUNE and planned.live is not None and planned.live.keys() <= {*_FIRST}
        if (resource := context.discovery.find(str(planned.live["apiVersion"]), planned.action.ref.kind))
    ]
    bodies, _unreadable = read_objects(context.cluster, partial) if partial else ({}, {})
    return {ref: body for (_version, ref), body in bodies.items()}


def _diff(planned: PlannedAction) -> ObjectDiff | None:
    try:
        return _diff_of_verb(planned)
    except RecursionError:  # whoever may edit an object decides how deep it is
        return None


def _diff_of_verb(planned: PlannedAction) -> ObjectDiff | None:
    action, live, body, wanted = planned.action, planned.live, planned.body, planned.wanted
    copied = wanted.copied if wanted is not None else frozenset[str]()
    if action.verb is Verb.PRUNE and live is not None:
        return ObjectDiff(hunks=_hunks(_of_live(live), ABSENT), wanted=False)
    if action.verb is Verb.CREATE and body is not None:
        return ObjectDiff(hunks=_hunks(ABSENT, _manifest(body, copied)), live=False)
    if action.verb is Verb.RECREATE and body is not None and live is not None:
        return ObjectDiff(hunks=_of_recreated(live, _manifest(body, copied)))
    if action.verb is Verb.UNCHANGED and action.changes and live is not None and wanted is not None:
        return _of_additions(action, live, _manifest(wanted.body, copied))
    return None


def _revision(context: PlanContext) -> str:
    return context.run.revisions.get(context.app.source, "")


def _of_changes(
    action: Action, live: Body, git: Body, outcome: Body, known: Mapping[str, Path]
) -> ObjectDiff:
    paths = {known[change.path]: change.path for change in action.changes if change.path in known}
    stays = action.verb is Verb.UNCHANGED
    left = {
        change.path
        for change in action.changes
        if stays or (change.cause is Cause.ADDITION and _stays(live, outcome, known.get(change.path, ())))
    }
    before, after = sides(live, git, outcome, paths, _shape(live, outcome))
    return ObjectDiff(hunks=_hunks(before, after), left=frozenset(left))


def _stays(live: Body, outcome: Body, path: Path) -> bool:
    return same(value_at(live, path), value_at(outcome, path))


def _of_additions(action: Action, live: Body, git: Body) -> ObjectDiff:
    """Return the diff of an object that is as wanted, but for additions; of the live one, metadata may be all."""
    foreign = foreign_fields(live, action.ref.group_kind, Ignored(), metadata_only=True)
    known = {display(addition.path): addition.path for addition in foreign}
    both: Any = git
    for change in action.changes:
        if change.path in known:
            both = with_value(both, known[change.path], _live_value(live, known[change.path], change))
    # What is not among the fields that somebody owns now is unknown; it is live and stays, so both sides have it.
    merged = {
        **both,
        "metadata": {**both["metadata"], "managedFields": live["metadata"].get("managedFields")},
    }
    return _of_changes(action, merged, git, merged, known)


def _live_value(live: Body, path: Path, change: FieldChange) -> Any:
    value = value_at(live, path)
    return change.live if value is ABSENT else value


def _of_recreated(live: Body, git: Body) -> tuple[Hunk, ...]:
    """Return the diff of an object that is created anew: the server says nothing of what differs."""
    managed_fields = live["metadata"].get("managedFields")
    part = _of_live(live)
    part = {**part, "metadata": {**part["metadata"], "managedFields": managed_fields}}
    paths = {path: display(path) for path, _live, _git in differences(part, git)}
    return _hunks(*sides(part, git, git, paths, _shape(live)))


def _hunks(before: Any, after: Any) -> tuple[Hunk, ...]:
    kind = (before if after is ABSENT else after)["kind"]
    if kind == "Secret":
        before, after = without_secret_values(before), without_secret_values(after)
    return hunks(yaml_lines(before), yaml_lines(after))


def _shape(*bodies: Body) -> FieldSet:
    shape: FieldSet = {}
    for body in bodies:
        for owner in owners(body):
            shape = union(shape, owner.fields)
    return shape


def _manifest(body: Body, copied: frozenset[str] = frozenset()) -> Body:
    """Return the manifest as in Git: without what Plumb adds to it, and in the order in which people read it."""
    metadata = {name: value for name, value in body["metadata"].items() if name in {"name", "namespace"}}
    for name, value in body["metadata"].items():
        own = _OWN.get(name, frozenset()) | (copied if name == "labels" else frozenset())
        is_ours = own and isinstance(value, Mapping)
        metadata[name] = {key: item for key, item in value.items() if key not in own} if is_ours else value
    metadata = {name: value for name, value in metadata.items() if value not in ({}, None)}
    identity = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata}
    return {**identity, **{name: value for name, value in body.items() if name not in _FIRST}}


def _of_live(live: Body) -> Body:
    """Return what somebody decided of a live object: nothing that the server added or that its status says."""
    shape: FieldSet = {}
    for owner in owners(live):
        shape = union(shape, owner.fields) if not owner.subresource else shape
    metadata = {name: value for name, value in live["metadata"].items() if name in _SHOWN_METADATA}
    if isinstance(metadata.get("annotations"), Mapping):
        metadata["annotations"] = {k: v for k, v in metadata["annotations"].items() if k != _OF_KUBECTL}
    content = {name: value for name, value in live.items() if name not in {*_FIRST, "status"}}
    if shape:
        content = owned_part(content, shape)
        named = {name: metadata[name] for name in ("name", "namespace") if name in metadata}
        metadata = {**named, **owned_part(metadata, shape.get("f:metadata", {}))}
    return _manifest(
        {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata, **content}
    )
