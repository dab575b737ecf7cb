# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds that a server knows, and the paths of their objects."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from ..model.objects import GroupKind

_MANAGED = frozenset({"list", "delete", "patch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResource:
    """A kind in one version of its group, as the server offers it. `plural` is its name in paths."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    @property
    def api_version(self) -> str:
        """The `apiVersion` of manifests: group and version."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_kind(self) -> GroupKind:
        """The kind, whatever its version."""
        return GroupKind(self.group, self.kind)

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of an object, or without a name of the collection; without a namespace of all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace and self.namespaced else ""
        last = f"/{quote(name, safe='')}" if name else ""
        return f"{root}{within}/{self.plural}{last}"


class Discovery:
    """The kinds of a server at one time. `resources` come in the server's order: preferred versions first."""

    def __init__(self, resources: Iterable[ApiResource], incomplete_groups: Iterable[str] = ()) -> None:
        self.resources = tuple(resources)
        self.incomplete_groups = frozenset(incomplete_groups)
        self._by_version: dict[tuple[str, str], ApiResource] = {}
        self._preferred: dict[GroupKind, ApiResource] = {}
        for resource in self.resources:
            self._by_version.setdefault((resource.api_version, resource.kind), resource)
            self._preferred.setdefault(resource.group_kind, resource)

    def find(self, api_version: str, kind: str) -> ApiResource | None:
        """Return the resource of exactly this `apiVersion` and `kind`."""
        return self._by_version.get((api_version, kind))

    def of(self, group_kind: GroupKind) -> ApiResource | None:
        """Return the resource of a kind at the version that the server prefers."""
        return self._preferred.get(group_kind)

    def listable(self) -> tuple[ApiResource, ...]:
        """Return the kinds that can be listed, patched and deleted, at their preferred versions, sorted."""
        resources = (self._preferred[group_kind] for group_kind in sorted(self._preferred))
        return tuple(resource for resource in resources if resource.verbs >= _MANAGED)

    def nearest(self, api_version: str, kind: str) -> list[str]:
        """Return up to three `apiVersion kind` that may be meant: other versions of the kind, then similar names."""
        same = [f"{r.api_version} {r.kind}" for r in self.resources if r.kind == kind]
        known = [f"{version} {name}" for version, name in sorted(self._by_version)]
        close = difflib.get_close_matches(f"{api_version} {kind}", known, n=3, cutoff=0.7)
        return list(dict.fromkeys([*same, *close]))[:3]
