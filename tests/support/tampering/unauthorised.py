# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unauthorised changes of an object of Git's, drawn at random, and what a check must report of each of them."""

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
from ansible_collections.plumb.gitops.tests.support.tampering.drawn_patches import Operation, Path, pointer

EDITORS = ("kubectl-edit", "kubectl-patch", "kubectl-replace", "some-tool", "plumb")
APPLIER = "another-applier"
_NOT_CONTENT = {"apiVersion", "kind", "metadata", "status"}
_POD_KINDS = {"Deployment": (), "DaemonSet": (), "StatefulSet": ()}
_POD = ("spec", "template", "spec")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedChange:
    """A change that was made. `manager` is whom the cluster must name; where it may record nobody, `maybe` did it."""

    ref: ObjectRef
    what: str
    manager: str = ""
    maybe: str = ""
    deleted: bool = False
    foreign: bool = False  # nobody's now: refused, and left
    claimed: bool = False  # another applier's now: refused and named


@dataclass(slots=True)
class Tampering:
    """Draws changes and makes them. The server may refuse any of them: then another one is drawn."""

    cluster: Cluster
    kubectl: Kubectl
    draw: random.Random
    made: dict[str, int] = field(default_factory=dict)

    def change(self, manifest: Body, ref: ObjectRef) -> AppliedChange | None:
        """Change the live object of a manifest somehow; None where nothing that was drawn could be done."""
        resource = self.cluster.discover().find(manifest["apiVersion"], manifest["kind"])
        assert resource is not None
        for _ in range(12):
            what = self.draw.choice(_DRAWN)
            change, _weight = CHANGES[what]
            before = self.get(resource, ref)
            try:
                made = change(self, resource, ref, manifest, before)
            except RequestError:
                continue  # immutable, invalid, not served
            if made is None:
                continue
            after = self.get(resource, ref)
            if (
                after is not None
                and after["metadata"]["uid"] == before["metadata"]["uid"]
                and not made.claimed
            ) and _content(after) == _content(before):
                continue  # the server put the default back, which is what Git says
            self.made[what] = self.made.get(what, 0) + 1
            return made
        return None

    def get(self, resource: ApiResource, ref: ObjectRef) -> Any:
        """Return the live object; None where there is none."""
        return self.cluster.get(resource, namespace=ref.namespace, name=ref.name)

    def patch(self, resource: ApiResource, ref: ObjectRef, manager: str, *operations: Operation) -> None:
        """Change the live object as a field manager."""
        self.cluster.json_patch(
            resource,
            namespace=ref.namespace,
            name=ref.name,
            operations=list(operations),
            field_manager=manager,
        )


def _content(live: Body) -> Any:
    metadata = {key: live["metadata"].get(key) or None for key in ("labels", "annotations", "finalizers")}
    return {**{key: value for key, value in live.items() if key not in _NOT_CONTENT}, "metadata": metadata}


def _leaves(manifest: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield what Git decides, leaf by leaf; without names and what Plumb itself writes."""
    items = (
        manifest.items()
        if isinstance(manifest, dict)
        else enumerate(manifest)
        if isinstance(manifest, list)
        else ()
    )
    for key, value in items:
        below = (*path, key)
        if below[0] in ("apiVersion", "kind") or below[:2] in (
            ("metadata", "name"),
            ("metadata", "namespace"),
        ):
            continue
        if isinstance(value, (dict, list)) and value:
            yield from _leaves(value, below)
        else:
            yield below, value


def _other(draw: random.Random, value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + draw.randint(1, 3)
    if isinstance(value, str):
        return f"{value}x" if value else "other"
    return value


Change = Callable[[Tampering, ApiResource, ObjectRef, Body, Body], AppliedChange | None]


def _edit(
    tampering: Tampering, resource: ApiResource, ref: ObjectRef, manifest: Body, _live: Body
) -> AppliedChange | None:
    """Change a value that Git decides."""
    path, value = tampering.draw.choice(list(_leaves(manifest)))
    manager = tampering.draw.choice(EDITORS)
    tampering.patch(
        resource,
        ref,
        manager,
        {"op": "replace", "path": pointer(path), "value": _other(tampering.draw, value)},
    )
    return AppliedChange(ref=ref, what=f"edit of {pointer(path)}", manager=manager)


def _remove(
    tampering: Tampering, resource: ApiResource, ref: ObjectRef, manifest: Body, _live: Body
) -> AppliedChange | None:
    """Remove a field that Git decides; managedFields records nobody for it, but of a list that is owned whole."""
    path, _value = tampering.draw.choice(list(_leaves(manifest)))
    manager = tampering.draw.choice(EDITORS)
    tampering.patch(resource, ref, manager, {"op": "remove", "path": pointer(path)})
    return AppliedChange(ref=ref, what=f"removal of {pointer(path)}", maybe=manager)


def _add_metadata(
    tampering: Tampering, resource: ApiResource, ref: ObjectRef, _manifest: Body, live: Body
) -> AppliedChange | None:
    where, key = tampering.draw.choice([("labels", "team"), ("annotations", "note")])
    operation = {"op": "add", "path": f"/metadata/{where}", "value": {key: "x"}}
    if live["metadata"].get(where):
        operation = {"op": "add", "path": f"/metadata/{where}/{key}", "value": "x"}
    manager = tampering.draw.choice(EDITORS)
    tampering.patch(resource, ref, manager, operation)
    return AppliedChange(ref=ref, what=f"addition to {where}", manager=manager)


def _add_container(
    tampering: Tampering, resource: ApiResource, ref: ObjectRef, _manifest: Body, _live: Body
) -> AppliedChange | None:
    if ref.kind not in _POD_KINDS:
        return None
    manager = tampering.draw.choice(EDITORS)
    sidecar = {"name": "side", "image": "example.com/side:1"}
    tampering.patch(
        resource, ref, manager, {"op": "add", "path": f"{pointer(_POD)}/containers/-", "value": sidecar}
    )
    return AppliedChange(ref=ref, what="addition of a container", manager=manager)


def _add_env(
    tampering: Tampering, resource: ApiResource, ref: ObjectRef, _manifest: Body, live: Body
) -> AppliedChange | None:
    if ref.kind not in _POD_KINDS or "env" not in live["spec"]["template"]["spec"]["containers"][0]:
        return None
    manager = tampering.draw.choice(EDITORS)
    variable = {"name": "ADDED", "value": "x"}
    tampering.patch(
        resource,
        ref,
        manager,
        {"op": "add", "path": f"{pointer(_POD)}/containers/0/env/-", "value": variable},
    )
    return AppliedChange(ref=ref, what="addition of a variable", manager=manager)


def _reorder(
    tampering: Tampering, resource: ApiResource, ref: ObjectRef, _manifest: Body, live: Body
) -> AppliedChange | None:
    if ref.kind not in _POD_KINDS:
        return None
    env = live["spec"]["template"]["spec"]["containers"][0].get("env") or []
    if len(env) < 2:
        return None
    path = f"{pointer(_POD)}/containers/0/env"
    manager = tampering.draw.choice(EDITORS)
    tampering.patch(resource, ref, manager, {"op": "replace", "path": path, "value": env[::-1]})
    return AppliedChange(ref=ref, what="another order", maybe=manager)


def _scale(
    tampering: Tampering, _resource: ApiResource, ref: ObjectRef, _manifest: Body, _live: Body
) -> AppliedChange | None:
    if ref.kind != "StatefulSet":
        return None
    tampering.kubectl(
        "scale", "statefulset", ref.name, "-n", ref.namespace, f"--replicas={tampering.draw.randint(2, 4)}"
    )
    return AppliedChange(ref=ref, what="scale", manager="kubectl")


def _delete(
    tampering: Tampering, resource: ApiResource, ref: ObjectRef, _manifest: Body, live: Body
) -> AppliedChange | None:
    if ref.kind == "PersistentVolumeClaim":
        return None  # it goes only after a while
    tampering.cluster.delete(
        resource, namespace=ref.namespace, name=ref.name, uid=live["metadata"]["uid"],
        resource_version=live["metadata"]["resourceVersion"],
    )  # fmt: skip
    return AppliedChange(ref=ref, what="deletion", deleted=True)


def _recreate(
    tampering: Tampering, resource: ApiResource, ref: ObjectRef, manifest: Body, live: Body
) -> AppliedChange | None:
    """Delete it, and make it anew as somebody else: it is nobody's of ours now."""
    if ref.kind not in {"ConfigMap", "Secret", "Role", "LimitRange", "ResourceQuota"}:
        return None
    _delete(tampering, resource, ref, manifest, live)
    body = deepcopy({key: value for key, value in manifest.items() if key != "metadata"})
    named = {"name": ref.name, **({"namespace": ref.namespace} if ref.namespace else {})}
    tampering.cluster.apply(resource, {**body, "metadata": named}, field_manager="somebody", force=False)
    return AppliedChange(ref=ref, what="recreation", foreign=True)


def _apply(
    tampering: Tampering, resource: ApiResource, ref: ObjectRef, manifest: Body, _live: Body
) -> AppliedChange | None:
    """Take a field of Git's by server-side apply as another tool."""
    if ref.kind != "ConfigMap":
        return None
    named = {"name": ref.name, "namespace": ref.namespace}
    key = tampering.draw.choice(sorted(manifest["data"]))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": {key: "claimed"}}
    tampering.cluster.apply(resource, body, field_manager=APPLIER, force=True)
    return AppliedChange(ref=ref, what="another applier's claim", manager=APPLIER, claimed=True)


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


def manifests_by_ref(bodies: list[Body], namespace: str, cluster: Cluster) -> dict[ObjectRef, Body]:
    """Return the manifests by the identity that their objects have."""
    manifests = {}
    for body in bodies:
        resource = cluster.discover().find(body["apiVersion"], body["kind"])
        assert resource is not None, body["kind"]
        ref = ref_of(body)
        manifests[ObjectRef(ref.group, ref.kind, namespace if resource.namespaced else "", ref.name)] = body
    return manifests
