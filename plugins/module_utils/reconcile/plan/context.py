# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run and the planning of one app know, and the actions that planners return.

    RunContext   one for each run: the connection, the desired state of all apps, what earlier runs verified
        |
    PlanContext  one for each app: what was read of the cluster for it, and which objects it manages
        |
    plan_object, dry_run, prune: PlannedAction for each object

What holds for the whole run (its options, what was verified) is in the RunContext only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ...cluster.client import Cluster
from ...cluster.discovery import ApiResource, Discovery
from ...cluster.errors import Forbidden, RequestError
from ...model.app import AppSpec
from ...model.change import FieldChange
from ...model.errors import ClusterError
from ...model.objects import Body, ObjectRef
from ...model.plan import Action, Verb
from ...model.progress import Progress
from ...model.run_options import RunOptions
from ..applyset.inventory import Inventory
from ..applyset.recovery import RecoveredMembers
from ..desired.desired_state import DesiredState
from ..desired.manifests import DesiredObject
from ..drift.ignore import Ignored
from ..fields.managed_fields import our_entry, owners
from ..health.assess import assess
from ..membership.member_records import MemberRecords
from ..membership.membership import Membership
from .appearances import Appearances
from .planned_action import PlannedAction
from .snapshot import Autoscalers
from .verified_cache import VerifiedStates

NOT_RECORDED = (
    "it carries this app's label and Plumb's field manager, but no run of Plumb recorded it as the app's."
    " Set adopt: true to take it over."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What all apps of one run share."""

    cluster: Cluster
    desired: DesiredState
    parents: Mapping[ObjectRef, Body | ClusterError]
    records: MemberRecords
    recovered: RecoveredMembers  # what carries the label of sets that have neither parent nor record
    revisions: Mapping[str, str]  # by source: the short commit
    options: RunOptions
    appearances: Appearances  # of what its apps create
    verified: VerifiedStates = field(default_factory=dict)  # by earlier runs; a deep run uses none of it
    remarks: Callable[[str], tuple[str, ...]] = lambda _app: ()  # (app) -> what its rendering has to report
    progress: Progress = field(default_factory=Progress, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanContext:
    """What is known when the objects of one app are planned."""

    run: RunContext
    discovery: Discovery
    app: AppSpec
    inventory: Inventory
    former_inventories: tuple[Inventory, ...]  # of the app's former names
    autoscalers: Autoscalers
    missing_namespaces: frozenset[str]  # that neither exist nor come with this run
    # That do not exist yet and come with this run, before this app's objects.
    coming_namespaces: frozenset[str]
    read_at: float  # when the cluster was read, by time.monotonic()
    membership: Membership
    applied_before: bool  # without a record: all these manifests were applied before, as 0.1.0 remembered it
    # By namespace: an app of this run that brings it.
    namespace_providers: Mapping[str, str] = field(default_factory=dict)

    @property
    def cluster(self) -> Cluster:
        """The connection of the run."""
        return self.run.cluster

    @property
    def options(self) -> RunOptions:
        """The options of the run."""
        return self.run.options

    def conflict(self, ref: ObjectRef, set_id: str) -> str:
        """Return why an object of the set of this id (empty: of none) cannot be this app's; empty where it can.

        Where another app of the inventory has it, the apps that this run does not select are rendered first.
        """
        desired = self.run.desired
        if desired.belongs_to_other_app(self.app.name, set_id):
            desired.load_others()
        return desired.conflict(self.app.name, ref, set_id)

    def deleted(self, wanted: DesiredObject) -> bool:
        """Whether a missing object was applied before: then someone deleted it. Raises InventoryError, ClusterError."""
        if not self.membership.record.exists:
            return self.applied_before
        recorded = self.membership.entry_of(wanted.ref)
        return recorded is not None and bool(recorded.applied)

    def applied(self, wanted: DesiredObject) -> bool:
        """Whether a missing object was last applied from this manifest. Raises InventoryError, ClusterError."""
        recorded = self.membership.entry_of(wanted.ref)
        if recorded is not None:
            return recorded.is_of(wanted)
        return self.applied_before and not self.membership.record.exists

    def resource(self, wanted: DesiredObject) -> ApiResource | None:
        """Return the resource of an object's kind and version; None where the server does not know it."""
        return self.discovery.find(wanted.api_version, wanted.ref.kind)

    def was_verified(self, wanted: DesiredObject, live: Body, ignored: Ignored) -> bool:
        """Whether an earlier run verified the object, as it is now, to be what its manifest wants."""
        verified = self.run.verified.get(self.inventory.identity.id, {}).get(wanted.ref)
        autoscaled = self.autoscalers.may_decide(wanted.ref)
        return verified is not None and verified.still_valid(
            wanted, live, ignored, autoscaled=autoscaled, health_matters=False
        )


def action_for(
    wanted: DesiredObject,
    verb: Verb,
    live: Body | None,
    *,
    changes: Sequence[FieldChange] = (),
    reason: str = "",
    warning: str = "",
    unverified: bool = False,
    deleted_by_someone: bool = False,
) -> Action:
    """Return the action on a wanted object, with the health of the live one."""
    return Action(
        ref=wanted.ref,
        verb=verb,
        changes=tuple(changes),
        reason=reason,
        warning=warning,
        origin=wanted.origin,
        unverified=unverified,
        deleted_by_someone=deleted_by_someone,
        health=assess(live) if live is not None else None,
        api_version=wanted.api_version,
        uid=uid_of(live),
        applied=applied_at(live) if changes else "",
    )


def uid_of(live: Body | None) -> str:
    """Return the uid of a live object; empty where there is none."""
    return str(live["metadata"].get("uid") or "") if live is not None else ""


def applied_at(live: Body | None) -> str:
    """Return when our entry of a live object was last written (RFC 3339, seconds); empty where that is not recorded."""
    entry = our_entry(owners(live)) if live is not None else None
    return entry.time if entry is not None else ""


def refused(wanted: DesiredObject, reason: str, live: Body | None) -> PlannedAction:
    """Return a planned action that does nothing, with the reason."""
    return PlannedAction(
        action=action_for(wanted, Verb.REFUSED, live, reason=reason), wanted=wanted, live=live
    )


def failed_dry_run(
    wanted: DesiredObject, verb: Verb, live: Body | None, error: RequestError
) -> PlannedAction:
    """Return the action after a dry-run that failed: unverified where the account may not patch, else refused."""
    if isinstance(error, Forbidden) and "cannot patch resource" in error.message:
        action = action_for(wanted, verb, live, reason=with_origin(error, wanted), unverified=True)
        return PlannedAction(action=action, wanted=wanted, body=wanted.body, live=live)
    return refused(wanted, with_origin(error, wanted), live)


def with_origin(error: RequestError, wanted: DesiredObject) -> str:
    """Return the message of a failed request with the location in Git that led to it."""
    return f"{error.account} ({wanted.origin})"
