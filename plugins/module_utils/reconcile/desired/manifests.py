# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that an app wants in a cluster: its manifests with namespace, member label and digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...cluster.discovery import Discovery
from ...model.app import AppSpec
from ...model.errors import RenderError
from ...model.objects import Body, GroupKind, Manifest, ObjectRef, Origin, digest_of
from ...model.plan import Action, Verb
from ...model.well_known import PART_OF
from ..fields.managed_fields import DIGEST
from ..fields.object_view import LiveView
from .order import sort_key

SECRET = GroupKind("", "Secret")
# Kinds whose objects get the labels of their template where they have none themselves.
# Source: SetDefaults_Job and SetDefaults_ReplicationController of Kubernetes 1.36.
_COPIES_LABELS = frozenset({GroupKind("batch", "Job"), GroupKind("", "ReplicationController")})
CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")


@dataclass(frozen=True, slots=True, eq=False)
class DesiredObject:
    """One object that an app wants, ready to be applied. `body` must not be changed. Compared by identity."""

    ref: ObjectRef
    body: Body
    digest: str  # of the manifest; equal means that Git says the same
    origin: Origin
    # Names of labels that the template has and the manifest itself has not.
    copied: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """The group and version that the manifest is written in."""
        return str(self.body["apiVersion"])


@dataclass(frozen=True, slots=True)
class DefinedKind:
    """A kind that a CRD among the manifests defines."""

    namespaced: bool
    versions: frozenset[str]


@dataclass(frozen=True, slots=True)
class DesiredObjects:
    """All objects that an app wants, and those whose manifests cannot be used, with the reason."""

    wanted: tuple[DesiredObject, ...]
    refused: tuple[Action, ...]
    warnings: tuple[str, ...] = ()

    @property
    def refs(self) -> tuple[ObjectRef, ...]:
        """All objects in Git, usable or not: none of them has left it."""
        return (*(wanted.ref for wanted in self.wanted), *(action.ref for action in self.refused))


def defined_kinds(manifests: Iterable[Manifest]) -> dict[GroupKind, DefinedKind]:
    """Return the kinds that CRDs among the manifests define: the server knows them once those are applied."""
    kinds: dict[GroupKind, DefinedKind] = {}
    for manifest in manifests:
        if manifest.ref.group_kind != CRD:
            continue
        crd = LiveView(manifest.body)  # nobody has checked its shape yet
        versions = frozenset(version.text("name") for version in crd.items("spec", "versions"))
        kinds[kind_defined_by(manifest.body)] = DefinedKind(
            crd.text("spec", "scope") == "Namespaced", versions
        )
    return kinds


def kind_defined_by(crd: Body) -> GroupKind:
    """Return the kind that a CustomResourceDefinition defines."""
    view = LiveView(crd)
    return GroupKind(view.text("spec", "group"), view.text("spec", "names", "kind"))


def desired_objects(
    app: AppSpec,
    set_id: str,
    manifests: Iterable[Manifest],
    discovery: Discovery,
    defined: Mapping[GroupKind, DefinedKind],
    *,
    elsewhere: Mapping[GroupKind, str] | None = None,
) -> DesiredObjects:
    """Make an app's manifests ready for this cluster.

    `elsewhere` names, by kind, an app that defines it and that this app does not wait for.
    Raises RenderError if two come to the same identity once the app's namespace is filled in.
    """
    wanted: dict[ObjectRef, DesiredObject] = {}
    refused: list[Action] = []
    for manifest in manifests:
        namespaced = _is_namespaced(manifest, discovery, defined)
        problem = _problem(app, manifest, namespaced, discovery) or _missing_dependency(
            app, manifest, discovery, elsewhere or {}
        )
        if problem:
            ref = _likely_ref(app, manifest, namespaced, discovery)
            refused.append(Action(ref=ref, verb=Verb.REFUSED, reason=problem, origin=manifest.origin))
            continue
        namespace = (manifest.ref.namespace or app.namespace) if namespaced else ""
        desired = _desired_object(manifest, namespace, set_id)
        if desired.ref in wanted:
            raise RenderError(
                f"app {app.name}",
                "giving its manifests their namespace",
                f"{desired.ref} is defined in {wanted[desired.ref].origin} and in {desired.origin}",
                "Remove one of the two.",
            )
        wanted[desired.ref] = desired
    return DesiredObjects(tuple(sorted(wanted.values(), key=lambda w: sort_key(w.ref))), tuple(refused))


def _likely_ref(app: AppSpec, manifest: Manifest, namespaced: bool | None, discovery: Discovery) -> ObjectRef:
    """Return the object that an unusable manifest is probably for: a member of that name must not count as gone."""
    served = discovery.of(manifest.ref.group_kind)  # perhaps in another version
    scoped = namespaced is False or (served is not None and not served.namespaced)
    return replace(manifest.ref, namespace="" if scoped else manifest.ref.namespace or app.namespace)


def _is_namespaced(
    manifest: Manifest, discovery: Discovery, defined: Mapping[GroupKind, DefinedKind]
) -> bool | None:
    """Whether objects of the kind live in a namespace; None for a kind that nobody knows."""
    resource = discovery.find(manifest.api_version, manifest.ref.kind)
    if resource is not None:
        return resource.namespaced
    definition = defined.get(manifest.ref.group_kind)
    version = manifest.api_version.rpartition("/")[2]
    return definition.namespaced if definition is not None and version in definition.versions else None


def _problem(app: AppSpec, manifest: Manifest, namespaced: bool | None, discovery: Discovery) -> str:
    if namespaced is None:
        similar = discovery.nearest(manifest.api_version, manifest.ref.kind)
        hint = f" Did you mean {', '.join(similar)}?" if similar else ""
        return (
            f"the cluster does not know {manifest.api_version} {manifest.ref.kind} ({manifest.origin})."
            f"{hint or ' Apply its CustomResourceDefinition with this app, or in one it depends on.'}"
        )
    if namespaced and not (manifest.ref.namespace or app.namespace):
        return f"{manifest.origin} names no namespace and the app has none. Set namespace in either."
    return ""


def _missing_dependency(
    app: AppSpec, manifest: Manifest, discovery: Discovery, elsewhere: Mapping[GroupKind, str]
) -> str:
    """Return why an object cannot be applied yet: an app that this one does not depend on defines its kind."""
    other = elsewhere.get(manifest.ref.group_kind, "")
    if not other or discovery.find(manifest.api_version, manifest.ref.kind) is not None:
        return ""
    return (
        f"the cluster does not know {manifest.api_version} {manifest.ref.kind} yet ({manifest.origin})."
        f" App {other} defines it: add depends_on: [{other}] to app {app.name}."
    )


def _desired_object(manifest: Manifest, namespace: str, set_id: str) -> DesiredObject:
    metadata = {key: value for key, value in manifest.body["metadata"].items() if key != "namespace"}
    if namespace:
        metadata["namespace"] = namespace
    digest = digest_of([manifest.digest, namespace])
    copied = _copied_labels(manifest)
    labels = {**(metadata.get("labels") or copied), PART_OF: set_id}
    annotations = {**(metadata.get("annotations") or {}), DIGEST: digest}
    body = {**manifest.body, "metadata": {**metadata, "labels": labels, "annotations": annotations}}
    ref = ObjectRef(manifest.ref.group, manifest.ref.kind, namespace, manifest.ref.name)
    return DesiredObject(ref, body, digest, manifest.origin, frozenset(copied))


def _copied_labels(manifest: Manifest) -> Mapping[str, Any]:
    """Return the labels that the server would copy from the object's template, if our own label did not prevent it."""
    if manifest.ref.group_kind not in _COPIES_LABELS or manifest.body["metadata"].get("labels"):
        return {}
    labels = LiveView(manifest.body).at("spec", "template", "metadata", "labels")
    return labels if isinstance(labels, Mapping) else {}


def digest_of_all(wanted: Iterable[DesiredObject]) -> str:
    """Return a digest of all that an app wants; equal means that none of its manifests changed, Secrets aside.

    It is public, in a ConfigMap. Of a Secret only its name counts: else guessed values could be tried on the digest.
    """
    return digest_of(
        {str(desired.ref): "" if desired.ref.group_kind == SECRET else desired.digest for desired in wanted}
    )


def applied_digest(live: Body) -> str:
    """Return the digest of the manifest that a live object was last applied from; empty where it names none."""
    annotations: Mapping[str, Any] = live["metadata"].get("annotations") or {}
    return str(annotations.get(DIGEST) or "")
