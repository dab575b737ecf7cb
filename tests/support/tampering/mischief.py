# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unauthorised changes of an object of Git's, drawn at random, and what each of them must be told as."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.discovery import ApiResource
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.errors import RequestError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Body, ObjectRef, ref_of
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl

EDITORS = ("kubectl-edit", "kubectl-patch", "kubectl-replace", "some-tool", "plumb")
APPLIER = "another-applier"
_KEPT_WITH = {"apiVersion", "kind", "metadata", "status"}
_POD_KINDS = {"Deployment": (), "DaemonSet": (), "StatefulSet": ()}
_POD = ("spec", "template", "spec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A change that was made. `manager` is whom the cluster must name; where it may record nobody, `maybe` did it."""

    ref: ObjectRef
    what: str
    manager: str = ""
    maybe: str = ""
    deleted: bool = False
    foreign: bool = False  # nobody's now: refused, and kept
    claimed: bool = False  # another applier's now: refused and named


@dataclass(slots=True)
class Mischief:
    """Draws changes. The server may refuse any of them: then another one is drawn."""

    cluster: Cluster
    kubectl: Kubectl
    draw: random.Random
    tried: int = 0
    made: dict[str, int] = field(default_factory=dict)

    def make(self, wanted: Body, ref: ObjectRef) -> Made | None:
        """Change the live object of a manifest somehow; None where nothing that was drawn could be done."""
        resource = self.cluster.discover().find(wanted["apiVersion"], wanted["kind"])
        assert resource is not None
        for _ in range(12):
            what = self.draw.choice(_DRAWN)
            change, _weight = CHANGES[what]
            self.tried += 1
            before = self.get(resource, ref)
            try:
                made = change(self, resource, ref, wanted, before)
            except RequestError:
                continue  # immutable, invalid, not served
            if made is None:
                continue
            after = self.get(resource, ref)
            if (
                after is not None
                and after["metadata"]["uid"] == before["metadata"]["uid"]
                and not made.claimed
            ) and said(after) == said(before):
                continue  # the server put the default back, which is what Git says
            self.made[what] = self.made.get(what, 0) + 1
            return made
        return None

    def get(self, resource: ApiResource, ref: ObjectRef) -> Any:
        return self.cluster.get(resource, namespace=ref.namespace, name=ref.name)

    def patch(
        self, resource: ApiResource, ref: ObjectRef, manager: str, *operations: Mapping[str, Any]
    ) -> None:
        self.cluster.json_patch(
            resource,
            namespace=ref.namespace,
            name=ref.name,
            operations=list(operations),
            field_manager=manager,
        )


def said(live: Body) -> Any:
    """What a live object says, whoever says it."""
    metadata = live["metadata"]
    kept = {key: metadata.get(key) or None for key in ("labels", "annotations", "finalizers")}
    return {**{key: value for key, value in live.items() if key not in _KEPT_WITH}, "metadata": kept}


def _places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """What Git decides, leaf by leaf; names, and what Plumb itself writes, aside."""
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        here = (*path, key)
        if here[0] in ("apiVersion", "kind") or here[:2] in (("metadata", "name"), ("metadata", "namespace")):
            continue
        if isinstance(value, (dict, list)) and value:
            yield from _places(value, here)
        else:
            yield here, value


def _pointer(path: tuple[Any, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _other(draw: random.Random, value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + draw.randint(1, 3)
    if isinstance(value, str):
        return f"{value}x" if value else "other"
    return value


Change = Callable[[Mischief, ApiResource, ObjectRef, Body, Body], Made | None]


def _edit(m: Mischief, resource: ApiResource, ref: ObjectRef, wanted: Body, _live: Body) -> Made | None:
    """A value that Git decides is another one."""
    path, value = m.draw.choice(list(_places(wanted)))
    manager = m.draw.choice(EDITORS)
    m.patch(resource, ref, manager, {"op": "replace", "path": _pointer(path), "value": _other(m.draw, value)})
    return Made(ref=ref, what=f"edit of {_pointer(path)}", manager=manager)


def _remove(m: Mischief, resource: ApiResource, ref: ObjectRef, wanted: Body, _live: Body) -> Made | None:
    """A field that Git decides is gone; managedFields records nobody for it, but of a list that is owned whole."""
    path, _value = m.draw.choice(list(_places(wanted)))
    manager = m.draw.choice(EDITORS)
    m.patch(resource, ref, manager, {"op": "remove", "path": _pointer(path)})
    return Made(ref=ref, what=f"removal of {_pointer(path)}", maybe=manager)


def _add_metadata(
    m: Mischief, resource: ApiResource, ref: ObjectRef, _wanted: Body, live: Body
) -> Made | None:
    where, key = m.draw.choice([("labels", "team"), ("annotations", "note")])
    there = live["metadata"].get(where)
    operation = {"op": "add", "path": f"/metadata/{where}", "value": {key: "x"}}
    if there:
        operation = {"op": "add", "path": f"/metadata/{where}/{key}", "value": "x"}
    manager = m.draw.choice(EDITORS)
    m.patch(resource, ref, manager, operation)
    return Made(ref=ref, what=f"addition to {where}", manager=manager)


def _add_container(
    m: Mischief, resource: ApiResource, ref: ObjectRef, _wanted: Body, _live: Body
) -> Made | None:
    if ref.kind not in _POD_KINDS:
        return None
    manager = m.draw.choice(EDITORS)
    sidecar = {"name": "side", "image": "example.com/side:1"}
    m.patch(resource, ref, manager, {"op": "add", "path": f"{_pointer(_POD)}/containers/-", "value": sidecar})
    return Made(ref=ref, what="addition of a container", manager=manager)


def _add_env(m: Mischief, resource: ApiResource, ref: ObjectRef, _wanted: Body, live: Body) -> Made | None:
    if ref.kind not in _POD_KINDS or "env" not in live["spec"]["template"]["spec"]["containers"][0]:
        return None
    manager = m.draw.choice(EDITORS)
    variable = {"name": "ADDED", "value": "x"}
    m.patch(
        resource,
        ref,
        manager,
        {"op": "add", "path": f"{_pointer(_POD)}/containers/0/env/-", "value": variable},
    )
    return Made(ref=ref, what="addition of a variable", manager=manager)


def _reorder(m: Mischief, resource: ApiResource, ref: ObjectRef, _wanted: Body, live: Body) -> Made | None:
    if ref.kind not in _POD_KINDS:
        return None
    env = live["spec"]["template"]["spec"]["containers"][0].get("env") or []
    if len(env) < 2:
        return None
    path = f"{_pointer(_POD)}/containers/0/env"
    manager = m.draw.choice(EDITORS)
    m.patch(resource, ref, manager, {"op": "replace", "path": path, "value": env[::-1]})
    return Made(ref=ref, what="another order", maybe=manager)


def _scale(m: Mischief, _resource: ApiResource, ref: ObjectRef, _wanted: Body, _live: Body) -> Made | None:
    if ref.kind != "StatefulSet":
        return None
    m.kubectl("scale", "statefulset", ref.name, "-n", ref.namespace, f"--replicas={m.draw.randint(2, 4)}")
    return Made(ref=ref, what="scale", manager="kubectl")


def _delete(m: Mischief, resource: ApiResource, ref: ObjectRef, _wanted: Body, live: Body) -> Made | None:
    if ref.kind == "PersistentVolumeClaim":
        return None  # it goes only after a while
    m.cluster.delete(
        resource, namespace=ref.namespace, name=ref.name, uid=live["metadata"]["uid"],
        resource_version=live["metadata"]["resourceVersion"],
    )  # fmt: skip
    return Made(ref=ref, what="deletion", deleted=True)


def _recreate(m: Mischief, resource: ApiResource, ref: ObjectRef, wanted: Body, live: Body) -> Made | None:
    """Deleted, and made anew by somebody else: it is nobody's of ours now."""
    if ref.kind not in {"ConfigMap", "Secret", "Role", "LimitRange", "ResourceQuota"}:
        return None
    _delete(m, resource, ref, wanted, live)
    body = deepcopy({key: value for key, value in wanted.items() if key != "metadata"})
    named = {"name": ref.name, **({"namespace": ref.namespace} if ref.namespace else {})}
    m.cluster.apply(resource, {**body, "metadata": named}, field_manager="somebody", force=False)
    return Made(ref=ref, what="recreation", foreign=True)


def _apply(m: Mischief, resource: ApiResource, ref: ObjectRef, wanted: Body, _live: Body) -> Made | None:
    """Another tool claims a field of Git's by server-side apply."""
    if ref.kind != "ConfigMap":
        return None
    named = {"name": ref.name, "namespace": ref.namespace}
    key = m.draw.choice(sorted(wanted["data"]))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": {key: "claimed"}}
    m.cluster.apply(resource, body, field_manager=APPLIER, force=True)
    return Made(ref=ref, what="another applier's claim", manager=APPLIER, claimed=True)


# By name: the change, and how often it is drawn beside the others.
CHANGES: Mapping[str, tuple[Change, int]] = {
    "edit": (_edit, 4),
    "remove": (_remove, 2),
    "add metadata": (_add_metadata, 2),
    "add a container": (_add_container, 1),
    "add a variable": (_add_env, 1),
    "reorder": (_reorder, 1),
    "scale": (_scale, 2),
    "delete": (_delete, 1),
    "recreate": (_recreate, 1),
    "apply": (_apply, 2),
}
_DRAWN = [name for name, (_change, weight) in CHANGES.items() for _ in range(weight)]


def wanted_by_ref(bodies: list[Body], namespace: str, cluster: Cluster) -> dict[ObjectRef, Body]:
    """The manifests by the identity that their objects have."""
    found = {}
    for body in bodies:
        resource = cluster.discover().find(body["apiVersion"], body["kind"])
        assert resource is not None, body["kind"]
        ref = ref_of(body)
        found[ObjectRef(ref.group, ref.kind, namespace if resource.namespaced else "", ref.name)] = body
    return found
