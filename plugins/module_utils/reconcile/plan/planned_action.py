# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A planned action: what is to be done to one object, and what it takes to do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...model.objects import Body
from ...model.plan import Action
from ..desired.manifests import DesiredObject
from .verified_cache import VerifiedState


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAction:
    """An action with the bodies it needs. The live object's uid and resourceVersion guard the write."""

    action: Action
    wanted: DesiredObject | None = None
    body: Body | None = None  # what is applied; `wanted.body` but for fields that others decide
    live: Body | None = None
    managed_fields: list[Mapping[str, Any]] | None = None  # written first, where ownership has to be repaired
    appeared: bool = (
        False  # the object has appeared, or exists in another version: it is planned anew before the write
    )
    deferred: bool = False  # the definition of its kind changes first; then it is planned again
    verified: VerifiedState | None = None  # of an object that is as wanted: saved for the next run
