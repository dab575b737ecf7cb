# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run is made, as the operator decides it: one carrier from the module's parameters to the plan of an object."""

from __future__ import annotations

from dataclasses import dataclass

from .object_diff import DiffForm

DEFAULT_OWNER = "plumb"
DEFAULT_NAMESPACE = "plumb-system"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of a run that hold for all of its apps. Each field but `check` has the name of the module's option."""

    only: frozenset[str] = frozenset()  # names of apps; empty: all of them
    check: bool = False  # the plan is the end product: creates are verified by a dry-run too
    wait: bool = True  # for what is applied to become healthy; else apps end as in progress
    deep: bool = False  # believe no verified state: ask the server for each object
    diff: DiffForm = DiffForm.FIELDS  # how differences are shown
    owner: str = DEFAULT_OWNER  # whom the inventories in the cluster belong to
    namespace: str = DEFAULT_NAMESPACE  # for the parents of apps that have no namespace
