# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check forecast of an object beside what became of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.change import ABSENT, Cause
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Action
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.applied_fields import ANNOTATION
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.diff import differences, masked
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.fieldset import display, owns
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.managed_fields import (
    DIGEST,
    owners,
)

Changes = set[tuple[str, str, str]]  # path, value before, value after

_RECORDS = {f"metadata.annotations[{name}]" for name in (DIGEST, ANNOTATION)}


def forecast(action: Action) -> Changes:
    """Return the changes that an action forecasts; additions that stay are none."""
    return {
        (c.path, _text(c.live), _text(c.desired)) for c in action.changes if c.cause is not Cause.ADDITION
    }


def happened(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """Return the fields in which an object has changed, without Plumb's own record and what controllers write."""
    controllers = [owner.fields for owner in owners(after) if owner.manager == "kube-controller-manager"]
    return {
        (display(path), _text(masked(after, path, old)), _text(masked(after, path, new)))
        for path, old, new in differences(before, after)
        if display(path) not in _RECORDS and not any(owns(fields, path) for fields in controllers)
    }


def _text(value: Any) -> str:
    return "(none)" if value is ABSENT else json.dumps(value, sort_keys=True)
