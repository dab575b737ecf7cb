# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request of each verb. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..model.objects import ObjectRef
from .discovery import ApiResource
from .errors import BadRequest
from .requests.api_errors import Target
from .requests.encoding import encode
from .requests.retry import Repeat
from .requests.transport import Request

PAGE = 500  # objects of one page of a list
_JSON = "application/json"
_METADATA_ONLY = "application/json;as={};g=meta.k8s.io;v=v1"
_VERSION_PATH = "/metadata/resourceVersion"


def list_request(
    kind: ApiResource,
    namespace: str,
    label_selector: str,
    *,
    metadata_only: bool,
    field_selector: str = "",
    page: int = PAGE,
) -> Request:
    """Return the first page of a list. It names no resourceVersion, so it is a quorum read."""
    subject = f"{kind.kind} {_where(kind, namespace)}"
    selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return Request(
        method="GET",
        path=kind.path(namespace),
        target=Target(subject=subject, operation="listing", secret=_is_secret(kind)),
        query={"limit": str(page), **{name: value for name, value in selectors.items() if value}},
        accept=_METADATA_ONLY.format("PartialObjectMetadataList") if metadata_only else _JSON,
    )


def watch_request(
    kind: ApiResource, namespace: str, label_selector: str, resource_version: str, seconds: int
) -> Request:
    """Return a watch of a collection after a resourceVersion, metadata only, for so many seconds at most."""
    return Request(
        method="GET",
        path=kind.path(namespace),
        target=Target(
            subject=f"{kind.kind} {_where(kind, namespace)}", operation="watching", secret=_is_secret(kind)
        ),
        query={
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(seconds),
        }
        | ({"labelSelector": label_selector} if label_selector else {}),
        accept=_METADATA_ONLY.format("PartialObjectMetadata"),
    )


def get_request(kind: ApiResource, namespace: str, name: str, *, metadata_only: bool) -> Request:
    """Return the read of one object."""
    target = _target(kind, namespace, name, "reading")
    return Request(
        method="GET",
        path=_path(kind, namespace, name, target),
        target=target,
        accept=_METADATA_ONLY.format("PartialObjectMetadata") if metadata_only else _JSON,
    )


def apply_request(
    kind: ApiResource, body: Mapping[str, Any], *, field_manager: str, force: bool, dry_run: bool
) -> Request:
    """Return a server-side apply; namespace and name are the body's. Unknown fields are refused (`Strict`)."""
    metadata = body["metadata"]
    namespace, name = metadata.get("namespace") or "", metadata.get("name") or ""
    target = _target(kind, namespace, name, "applying", write=not dry_run)
    query = {"fieldManager": field_manager, "force": str(force).lower(), "fieldValidation": "Strict"}
    return Request(
        method="PATCH",
        path=_path(kind, namespace, name, target),
        target=target,
        query=query | _dry(dry_run),
        content_type="application/apply-patch+yaml",
        body=encode(body),
        dry_run=dry_run,
    )


def is_guarded(operations: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a JSON patch says which resourceVersion it is for, so that it cannot be carried out twice."""
    return any(
        operation.get("path") == _VERSION_PATH and operation.get("op") in {"test", "replace"}
        for operation in operations
    )


def patch_request(
    kind: ApiResource,
    namespace: str,
    name: str,
    operations: Sequence[Mapping[str, Any]],
    *,
    field_manager: str,
    dry_run: bool,
) -> Request:
    """Return a JSON patch. It is repeated only where it is guarded, or stores nothing."""
    target = _target(kind, namespace, name, "patching", write=not dry_run)
    return Request(
        method="PATCH",
        path=_path(kind, namespace, name, target),
        target=target,
        query={"fieldManager": field_manager} | _dry(dry_run),
        content_type="application/json-patch+json",
        body=encode(operations),
        repeat=Repeat.SAFE if dry_run or is_guarded(operations) else Repeat.UNSENT_ONLY,
        dry_run=dry_run,
    )


def delete_request(
    kind: ApiResource,
    namespace: str,
    name: str,
    *,
    uid: str,
    resource_version: str,
    propagation: str,
    dry_run: bool,
) -> Request:
    """Return a delete with both preconditions, so it is safe to repeat. Raises BadRequest where one is empty."""
    target = _target(kind, namespace, name, "deleting", write=not dry_run)
    if not uid or not resource_version:
        why = "its uid and resourceVersion are not known"
        raise BadRequest(target.subject, target.operation, why, "Read it first.")
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": uid, "resourceVersion": resource_version},
        "propagationPolicy": propagation,
    }
    return Request(
        method="DELETE",
        path=_path(kind, namespace, name, target),
        target=target,
        query=_dry(dry_run),  # the body decides; this shows in audit logs
        content_type=_JSON,
        body=encode(options | ({"dryRun": ["All"]} if dry_run else {})),
        dry_run=dry_run,
    )


def create_request(kind: ApiResource, body: Mapping[str, Any]) -> Request:
    """Return a create; namespace and name are the body's. It is repeated only where it surely did not arrive."""
    metadata = body["metadata"]
    namespace, name = metadata.get("namespace") or "", metadata.get("name") or ""
    target = _target(kind, namespace, name, "creating", write=True)
    _path(kind, namespace, name, target)
    return Request(
        method="POST",
        path=kind.path(namespace),
        target=target,
        content_type=_JSON,
        body=encode(body),
        repeat=Repeat.UNSENT_ONLY,
    )


def post_request(
    kind: ApiResource, body: Mapping[str, Any], namespace: str, name: str, subresource: str, *, operation: str
) -> Request:
    """Return a POST that stores nothing: a review, or a token for an account."""
    target = _target(kind, namespace, name, operation)
    path = f"{_path(kind, namespace, name, target)}/{subresource}" if subresource else kind.path(namespace)
    return Request(
        method="POST",
        path=path,
        target=target,
        content_type=_JSON,
        body=encode(body),
        dry_run=True,  # for the counters: nothing is stored
    )


def _is_secret(kind: ApiResource) -> bool:
    return (kind.group, kind.kind) == ("", "Secret")


def _where(kind: ApiResource, namespace: str) -> str:
    if not kind.namespaced:
        return "of the cluster"
    return f"in {namespace}" if namespace else "in all namespaces"


def _target(kind: ApiResource, namespace: str, name: str, operation: str, *, write: bool = False) -> Target:
    ref = ObjectRef(kind.group, kind.kind, namespace if kind.namespaced else "", name)
    return Target(subject=str(ref), operation=operation, secret=_is_secret(kind), write=write)


def _path(kind: ApiResource, namespace: str, name: str, target: Target) -> str:
    """Return the object's path; a name that would make it another path (a collection, a parent) is refused."""
    parts = [name, namespace] if kind.namespaced else [name]
    if any(part in {"", ".", ".."} or "/" in part or "%" in part for part in parts):
        why = "a name or namespace is missing, or cannot be one"
        raise BadRequest(
            target.subject, target.operation, why, "Correct metadata.name and metadata.namespace."
        )
    return kind.path(namespace, name)


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}
