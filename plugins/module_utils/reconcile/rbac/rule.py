# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rule of RBAC, as a Role or ClusterRole has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Rule:
    """A rule of a Role or ClusterRole; without names it holds for all objects of the resources."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the rule in the form of a manifest."""
        rule = {"apiGroups": self.groups, "resources": self.resources, "verbs": self.verbs}
        if self.names:
            rule["resourceNames"] = self.names
        return {key: list(value) for key, value in rule.items()}
