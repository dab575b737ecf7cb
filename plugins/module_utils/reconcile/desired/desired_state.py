# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which app wants which object: this decides about objects that move between apps, and about overlaps.

A run renders in two steps, both of them visible in its order:

    load()         the selected apps, before anything is planned
    load_others()  the rest of the inventory, only once an object is met that another app has, or that left Git

An app that cannot be rendered costs only itself: its error is its desired state. All other methods read what was
loaded, and render nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ...cluster.discovery import Discovery
from ...model.app import AppSpec, AppState
from ...model.errors import InputError, PlumbError
from ...model.objects import Body, GroupKind, Manifest, ObjectRef
from ...model.well_known import RECORD_PREFIX
from ..applyset.inventory import SetIdentity, identity_of
from .containers import contains
from .manifests import DefinedKind, DesiredObjects, defined_kinds, desired_objects

_NAMESPACE, _CONFIG_MAP = GroupKind("", "Namespace"), GroupKind("", "ConfigMap")

Render = Callable[[AppSpec], tuple[Manifest, ...]]

RENDERERS = 4  # renders side by side; a kustomization is a process of its own


def former_identities(app: AppSpec, default_namespace: str) -> tuple[SetIdentity, ...]:
    """Return the sets that `moved_from` names: `name` in the app's own namespace, or `namespace/name`."""
    own_namespace = app.namespace or default_namespace
    identities = []
    for former in app.moved_from:
        namespace, _slash, name = former.rpartition("/")
        identities.append(SetIdentity(name, namespace or own_namespace))
    return tuple(identities)


def identities_of(app: AppSpec, default_namespace: str) -> tuple[SetIdentity, ...]:
    """Return the identity of the app's own set, then those of the sets of its former names."""
    return (identity_of(app, default_namespace), *former_identities(app, default_namespace))


def check_former_names(apps: Sequence[AppSpec], default_namespace: str) -> None:
    """Raise InputError for a `moved_from` that names an app which is still there: it would lose what it has."""
    present = {identity_of(app, default_namespace): app.name for app in apps}
    for app in apps:
        for former in former_identities(app, default_namespace):
            if former in present:
                raise InputError(
                    f"app {app.name}",
                    "reading moved_from",
                    f"{former.app!r} in namespace {former.namespace} is no former name: app {present[former]} has it",
                    "Remove that app from plumb_apps, or the name from moved_from.",
                )


class DesiredState:
    """The manifests of all apps, ready for the cluster, and which app wants what. Safe to use from threads."""

    def __init__(
        self,
        apps: Sequence[AppSpec],
        selected: Iterable[str],
        render: Render,
        discovery: Discovery,
        home: str,
        *,
        unread: str = "",
    ) -> None:
        self._unread = unread
        self._apps = {app.name: app for app in apps}
        self._rank = {app.name: rank for rank, app in enumerate(apps)}
        self._render = render
        self._discovery = discovery
        self._home = home
        self._ids = {identity_of(app, home).id: app.name for app in apps}
        self._sets = {app.name: identity_of(app, home) for app in apps}
        self._set_ids = {name: identity.id for name, identity in self._sets.items()}
        self._parents = {identity_of(app, home).ref: app.name for app in apps}
        self._former = {app.name: {identity.id for identity in former_identities(app, home)} for app in apps}
        self._lock = threading.Lock()
        self._defined: dict[str, dict[GroupKind, DefinedKind]] = {}  # by app: the kinds that its CRDs define
        self._desired: dict[str, DesiredObjects | PlumbError] = {}
        self._wanted_by: dict[ObjectRef, list[str]] = {}
        self._complete = False
        self._selected = frozenset(selected)

    def load(self) -> None:
        """Render the selected apps, side by side; the error of one that fails is what `desired` returns for it."""
        with self._lock:
            self._load([name for name in self._apps if name in self._selected])

    def load_others(self) -> None:
        """Render the apps that are not selected, if that has not been done."""
        with self._lock:
            if not self._complete:
                self._load([name for name in self._apps if name not in self._desired])
                self._complete = True

    def desired(self, name: str) -> DesiredObjects | PlumbError:
        """Return what an app that is loaded wants, or why that is not known."""
        return self._desired[name]

    def belongs_to_other_app(self, name: str, set_id: str) -> bool:
        """Whether the set of this id is that of another app of the inventory."""
        return set_id in self._ids and set_id != self._set_ids[name]

    def conflict(self, name: str, ref: ObjectRef, set_id: str) -> str:
        """Return why an object of the set of this id (empty: of none) cannot be this app's; empty where it can.

        Of several apps that want one object, the one that has it keeps it; else the first in the inventory gets it.
        """
        if own := self._bookkeeping(ref):
            return f"it is {own}. Give the object another name."
        if set_id and set_id not in self._ids and set_id not in self._former[name]:
            return f"it belongs to another apply set ({set_id}), which no app of this inventory is"
        rightful, wanting = self._rightful_app(ref, set_id)
        if rightful and rightful != name and name in wanting:
            return f"app {rightful} has it too. One object belongs to one app: remove it from one of the two."
        other = self._ids.get(set_id, name)
        if other != name and self._apps[other].suspend:
            return f"it belongs to app {other}, which is suspended: nothing in it is changed"
        if other != name and isinstance(self._desired.get(other), PlumbError):
            return f"it belongs to app {other}, which does not render now, so it may still want it"
        return ""

    def _bookkeeping(self, ref: ObjectRef) -> str:
        """Return which of Plumb's own ConfigMaps the object is; empty where it is none."""
        if ref in self._parents:
            return f"the inventory of app {self._parents[ref]}"
        in_home = ref.group_kind == _CONFIG_MAP and ref.namespace == self._home
        return "a record of what apps have" if in_home and ref.name.startswith(RECORD_PREFIX) else ""

    def wanted_elsewhere(self, name: str, ref: ObjectRef) -> str:
        """Return the other app that wants an object; empty where none does. Of apps that are loaded.

        A manifest that cannot be used counts too, and for any namespace where it is not known which one it means.
        """
        wanting = [*self._wanted_by.get(ref, ()), *self._wanted_by.get(replace(ref, namespace=""), ())]
        return next((other for other in wanting if other != name), "")

    def wanted_inside(self, ref: ObjectRef, live: Body) -> str:
        """Return a wanted object that would go with this Namespace or this definition of its kind; empty where none."""
        within = [other for other in self._wanted_by if contains(ref, live, other)]
        return str(min(within)) if within else ""

    def unknown_reason(self, name: str) -> str:
        """Return why it is not known which app wants what this one no longer has; empty where it is known."""
        if self._unread:
            return self._unread
        broken = sorted(
            other
            for other, desired in self._desired.items()
            if other != name and self._may_take_from(other, name) and isinstance(desired, PlumbError)
        )
        if not broken:
            return ""
        return f"app {broken[0]} does not render, so it is not known what it takes over"

    def _may_take_from(self, other: str, name: str) -> bool:
        """Whether objects are likely to move from one app to the other: they share a source, or a former name."""
        same_source = self._apps[other].source == self._apps[name].source
        return same_source or bool(self._former[other] & self._former[name])

    def other_sets(self, name: str) -> tuple[SetIdentity, ...]:
        """Return the sets of the other apps."""
        return tuple(identity for other, identity in self._sets.items() if other != name)

    def provided_namespaces(self) -> dict[str, frozenset[str]]:
        """Return the Namespaces that apps of this run create, by manifest or create_namespace, each with those apps."""
        with self._lock:
            apps_of = {
                ref.name: frozenset(names)
                for ref, names in self._wanted_by.items()
                if ref.group_kind == _NAMESPACE
            }
        for app in self._apps.values():
            if app.create_namespace and app.namespace and app.state is AppState.PRESENT:
                apps_of[app.namespace] = apps_of.get(app.namespace, frozenset()) | {app.name}
        return {name: apps & self._selected for name, apps in apps_of.items() if apps & self._selected}

    def with_dependencies(self, name: str) -> frozenset[str]:
        """Return the app itself and those that are done before it begins."""
        names: set[str] = set()
        pending = [name]
        while pending:
            current = pending.pop()
            if current not in names:
                names.add(current)
                pending += self._apps[current].depends_on
        return frozenset(names)

    def _rightful_app(self, ref: ObjectRef, set_id: str) -> tuple[str, Sequence[str]]:
        with self._lock:
            wanting = list(self._wanted_by.get(ref, ()))
        current_app = self._ids.get(set_id, "")
        first = min(wanting, key=self._rank.__getitem__, default="")
        return (current_app if current_app in wanting else first), wanting

    def _load(self, names: Sequence[str]) -> None:
        """Render these apps, side by side, and index what they want."""
        with ThreadPoolExecutor(RENDERERS) as pool:
            rendered = dict(zip(names, pool.map(self._rendered, names), strict=True))
        for name, manifests in rendered.items():
            if not isinstance(manifests, PlumbError) and (kinds := defined_kinds(manifests)):
                self._defined[name] = kinds
        for name, manifests in rendered.items():
            desired = (
                manifests if isinstance(manifests, PlumbError) else self._desired_objects(name, manifests)
            )
            self._desired[name] = desired
            for ref in () if isinstance(desired, PlumbError) else desired.refs:
                self._wanted_by.setdefault(ref, []).append(name)

    def _rendered(self, name: str) -> tuple[Manifest, ...] | PlumbError:
        app = self._apps[name]
        if app.state is AppState.ABSENT:
            return ()
        try:
            return self._render(app)
        except PlumbError as error:
            return error

    def _desired_objects(self, name: str, manifests: tuple[Manifest, ...]) -> DesiredObjects | PlumbError:
        awaited = self.with_dependencies(name)
        defined = {kind: definition for kinds in self._defined.values() for kind, definition in kinds.items()}
        first = {kind for app in awaited for kind in self._defined.get(app, ())}
        others = ((kind, app) for app, kinds in sorted(self._defined.items(), reverse=True) for kind in kinds)
        elsewhere = {kind: app for kind, app in others if kind not in first}
        try:
            return desired_objects(
                self._apps[name],
                self._set_ids[name],
                manifests,
                self._discovery,
                defined,
                elsewhere=elsewhere,
            )
        except PlumbError as error:
            return error
