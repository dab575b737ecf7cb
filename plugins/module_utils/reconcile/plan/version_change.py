# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object that changes to another version of its kind, which has fields that the former one does not know.

The server converts what is applied to the version of each entry in managedFields, and answers 500 where that version
does not know a field. So the entries are rewritten first, to the version of the manifest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...cluster.discovery import ApiResource
from ...model.change import ABSENT
from ...model.objects import Body, api_group
from ..drift.explain import value_at
from ..fields.fieldset import Path, intersect, leaves
from ..fields.managed_fields import owners
from ..fields.ownership_match import same
from ..forecast.replace import dry_run_replace
from ..forecast.rewrite import Forecast, forecast, our_fields
from .dry_run_input import DryRunInput
from .refused_apply import AcceptedApply, merged_body


def is_in_other_version(dry_run_input: DryRunInput) -> bool:
    """Whether some entry of the object is in another version of the kind than the manifest."""
    return _in_version(dry_run_input.live, dry_run_input.wanted.api_version) is not None


def plan_version_change(dry_run_input: DryRunInput, resource: ApiResource) -> AcceptedApply | None:
    """Return the forecast once the entries are in the manifest's version; None where the manifest itself is wrong.

    Raises RequestError where the server refuses that.
    """
    live = _in_version(dry_run_input.live, dry_run_input.wanted.api_version)
    if live is None:
        return None
    dry_run_input = replace(dry_run_input, live=live)
    merged_live = merged_body(dry_run_input)
    coming = our_fields(merged_live)
    cluster = dry_run_input.context.cluster
    expected = forecast(
        cluster, resource, live, merged_live, dry_run_input.ownership_transfer(coming, dry_run_input.removed)
    )
    outcome = expected.outcome
    if outcome is merged_live:
        outcome = dry_run_replace(cluster, resource, dry_run_input.wanted.ref, live, merged_live)
    if any(
        value_at(outcome, path) is ABSENT
        for path in leaves(coming)
        if value_at(merged_live, path) is not ABSENT
    ):
        return None  # this version does not know the field either
    return AcceptedApply(
        merged_live, Forecast(outcome, expected.managed_fields or live["metadata"]["managedFields"])
    )


def overridden_in_version(
    dry_run_input: DryRunInput, outcome: Body, coming: Body
) -> dict[str, tuple[Path, ...]]:
    """Return, by manager, the fields of other appliers that the apply would change."""
    changed = {
        owner.manager: tuple(
            path
            for path in leaves(intersect(owner.fields, our_fields(coming)))
            if not same(value_at(dry_run_input.live, path), value_at(outcome, path))
        )
        for owner in owners(dry_run_input.live)
        if owner.is_applier and owner.manager not in dry_run_input.not_conflicting
    }
    return {manager: paths for manager, paths in changed.items() if paths}


def _in_version(live: Body, api_version: str) -> dict[str, Any] | None:
    """Return the object with all entries of its kind's group in this version; None where they are already."""
    entries = [
        {**entry, "apiVersion": api_version}
        if entry and api_group(str(entry.get("apiVersion") or "")) == api_group(api_version)
        else entry
        for entry in live["metadata"].get("managedFields") or ()
    ]
    if entries == live["metadata"].get("managedFields"):
        return None
    return {**live, "metadata": {**live["metadata"], "managedFields": entries}}
