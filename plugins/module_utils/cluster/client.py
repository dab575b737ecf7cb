# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster as the reconcile room sees it: a few verbs on objects."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..model.objects import ObjectRef
from .access import Access
from .catalog import discover
from .counts import RequestCounts
from .discovery import ApiResource, Discovery
from .errors import BadRequest, Expired, NotFound, StaleVersion
from .refusal import Target
from .retry import Clock, Repeat
from .transport import Request, Transport
from .wire import encode
from .workers import Workers

PAGE = 500  # objects of one page of a list
_LISTS = 3  # a list whose continue token expired is begun anew, so often in all
_TABLE = "application/json;as={};g=meta.k8s.io;v=v1"

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Listing:
    """A collection as it was at one resourceVersion; each item has its apiVersion and kind."""

    items: list[dict[str, Any]]
    resource_version: str


class Cluster:
    """An API server and the rights to use it. Its methods may be called from several threads at once.

    Each raises a subclass of RequestError (errors.py). Made by `connect`; used as a context manager.
    """

    def __init__(self, access: Access, *, request_timeout: float, concurrency: int, clock: Clock) -> None:
        self.requests = RequestCounts()
        self.server = urlsplit(access.server).netloc
        self.named = access.named
        self._transport = Transport(
            access,
            request_timeout=request_timeout,
            concurrency=concurrency,
            counts=self.requests,
            clock=clock,
        )
        self._workers = Workers(concurrency)
        self._known: Discovery | None = None
        self._learning = threading.Lock()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._workers.close()
        self._transport.close()

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> builtins.list[R]:
        """Results in the order of the items, found at most `concurrency` at once; it may be called inside itself.

        After an exception nothing more is begun; it is raised when what is under way has ended.
        """
        return self._workers.map(function, items)

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Within this block, and in what `map` runs in it, every request ends before `seconds` from now are over."""
        with self._transport.deadline(seconds):
            yield

    def version(self) -> str:
        """The server's version, such as `v1.36.3`."""
        target = Target(subject=self.server, operation="asking for its version")
        return str(
            self._transport.exchange(Request(method="GET", path="/version", target=target)).document[
                "gitVersion"
            ]
        )

    def discover(self) -> Discovery:
        """Which kinds the server knows: asked once, then remembered."""
        with self._learning:
            if self._known is None:
                self._known = discover(self._transport, self._workers, self.server)
            return self._known

    def rediscover(self) -> Discovery:
        """The same, asked anew: for kinds that were added meanwhile."""
        with self._learning:
            self._known = discover(self._transport, self._workers, self.server)
            return self._known

    def list(
        self, kind: ApiResource, *, namespace: str = "", label_selector: str = "", metadata_only: bool = False
    ) -> Listing:
        """All objects of a kind, in one namespace or in all, as the store holds them now (a quorum read), page by page.

        A page whose token expired begins the list anew, up to three times in all. Raises Expired, or as all do.
        """
        accept = _TABLE.format("PartialObjectMetadataList") if metadata_only else "application/json"
        request = Request(
            method="GET",
            path=kind.path(namespace),
            target=Target(
                subject=f"{kind.kind} {_where(kind, namespace)}", operation="listing", secret=_is_secret(kind)
            ),
            query={"limit": str(PAGE)} | ({"labelSelector": label_selector} if label_selector else {}),
            accept=accept,
        )
        for _ in range(_LISTS - 1):
            with suppress(Expired):
                return self._pages(kind, request)
        return self._pages(kind, request)

    def _pages(self, kind: ApiResource, first: Request) -> Listing:
        items: builtins.list[dict[str, Any]] = []
        request = first
        while True:
            page = self._transport.exchange(request).document
            items += [_typed(item, kind) for item in page.get("items") or ()]
            metadata = page.get("metadata") or {}
            token = metadata.get("continue")
            if not token:
                return Listing(items, str(metadata.get("resourceVersion") or ""))
            request = replace(first, query={**first.query, "continue": token})

    def get(
        self, kind: ApiResource, *, namespace: str, name: str, metadata_only: bool = False
    ) -> dict[str, Any] | None:
        """One object as it is now; None where there is none of that name, or not that namespace."""
        target = _target(kind, namespace, name, "reading")
        accept = _TABLE.format("PartialObjectMetadata") if metadata_only else "application/json"
        request = Request(
            method="GET", path=_path(kind, namespace, name, target), target=target, accept=accept
        )
        try:
            return _typed(self._transport.exchange(request).document, kind)
        except NotFound:
            return None

    def apply(
        self,
        kind: ApiResource,
        body: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Server-side apply; the object as it is then.

        `force` takes fields from other managers; else they are a FieldConflict. With a `metadata.resourceVersion` the
        server refuses an object that has moved on since (StaleVersion). Unknown fields are refused.
        """
        metadata = body["metadata"]
        namespace, name = metadata.get("namespace") or "", metadata.get("name") or ""
        target = _target(kind, namespace, name, "applying", write=not dry_run)
        query = {"fieldManager": field_manager, "force": str(force).lower(), "fieldValidation": "Strict"}
        request = Request(
            method="PATCH",
            path=_path(kind, namespace, name, target),
            target=target,
            query=query | _dry(dry_run),
            content_type="application/apply-patch+yaml",
            body=encode(body),
            dry_run=dry_run,
        )
        return self._transport.exchange(request).document

    def json_patch(
        self,
        kind: ApiResource,
        *,
        namespace: str,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        field_manager: str,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """A JSON patch (RFC 6902); the object as it is then.

        A `test` of `/metadata/resourceVersion` among the operations makes it safe to repeat after a lost answer; a
        test that fails is Invalid.
        """
        target = _target(kind, namespace, name, "patching", write=not dry_run)
        guarded = any(
            operation.get("op") == "test" and operation.get("path") == "/metadata/resourceVersion"
            for operation in operations
        )
        request = Request(
            method="PATCH",
            path=_path(kind, namespace, name, target),
            target=target,
            query={"fieldManager": field_manager} | _dry(dry_run),
            content_type="application/json-patch+json",
            body=encode(operations),
            repeat=Repeat.SAFE if guarded or dry_run else Repeat.UNSENT_ONLY,
            dry_run=dry_run,
        )
        return self._transport.exchange(request).document

    def delete(
        self,
        kind: ApiResource,
        *,
        namespace: str,
        name: str,
        uid: str,
        resource_version: str,
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> bool:
        """Delete exactly the object of this uid, in this version; False where it was gone already.

        Raises StaleVersion where another of that name stands there, or it has moved on.
        """
        target = _target(kind, namespace, name, "deleting", write=not dry_run)
        if not uid or not resource_version:
            raise BadRequest(
                target.subject, "deleting", "its uid and resourceVersion are not known", "Read it first."
            )
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
            "propagationPolicy": propagation,
        } | ({"dryRun": ["All"]} if dry_run else {})
        request = Request(
            method="DELETE",
            path=_path(kind, namespace, name, target),
            target=target,
            query=_dry(dry_run),  # the body decides; this shows in audit logs
            content_type="application/json",
            body=encode(options),
            dry_run=dry_run,
        )
        try:
            self._transport.exchange(request)
        except NotFound:
            return False
        except StaleVersion as exc:
            # After a lost answer the object has moved on because of our own first try.
            if exc.outcome_unknown and self._is_going(kind, namespace, name, uid):
                return True
            raise
        return True

    def _is_going(self, kind: ApiResource, namespace: str, name: str, uid: str) -> bool:
        live = self.get(kind, namespace=namespace, name=name, metadata_only=True)
        if live is None or live["metadata"]["uid"] != uid:
            return True
        return "deletionTimestamp" in live["metadata"]


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
    """The object's path; a name that would make it another path (a collection, a parent) is refused."""
    parts = [name, namespace] if kind.namespaced else [name]
    if any(part in {"", ".", ".."} or "/" in part or "%" in part for part in parts):
        raise BadRequest(
            target.subject,
            target.operation,
            "a name or namespace is missing, or cannot be one",
            "Correct metadata.",
        )
    return kind.path(namespace, name)


def _typed(item: dict[str, Any], kind: ApiResource) -> dict[str, Any]:
    """Items of a list, and metadata on its own, come without their type or with another."""
    return {**item, "apiVersion": kind.api_version, "kind": kind.kind}


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}
