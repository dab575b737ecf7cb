# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster: the verbs on its objects, for all packages that read or write them."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .discovery import ApiResource, Discovery
from .discovery_requests import discover
from .errors import CircuitOpen, Expired, Invalid, NotFound, RequestError, StaleVersion
from .requests.api_access import ApiAccess
from .requests.api_errors import Target
from .requests.circuit_breaker import CircuitBreaker
from .requests.refused_requests import RefusedRequests, is_lasting, request_key
from .requests.request_counts import RequestCounts
from .requests.retry import Clock
from .requests.transport import Request, Transport
from .requests.workers import Workers
from .server_rules import ServerRules, namespace_in, read_server_rules
from .verbs import (
    PAGE,
    apply_request,
    create_request,
    delete_request,
    get_request,
    is_guarded,
    list_request,
    patch_request,
    post_request,
    watch_request,
)
from .watch import Stop, Streams, WatchEvent

_LISTS = 3  # tries in all of a list whose continue token expired

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Listing:
    """A collection as of one resourceVersion; each item has its apiVersion and kind."""

    items: list[dict[str, Any]]
    resource_version: str


class Cluster:
    """An API server and the rights to use it. Its methods may be called from several threads at once.

    They raise subclasses of RequestError (errors.py). Made by `connect`; a context manager.
    """

    def __init__(
        self,
        access: ApiAccess,
        *,
        request_timeout: float,
        concurrency: int,
        clock: Clock,
        lease_file: Path | None = None,
        circuit_breaker: bool = True,
    ) -> None:
        self.requests = RequestCounts()
        self.server = urlsplit(access.server).netloc
        self.named = access.named
        self._account = repr((access.named, access.headers))
        self._breaker = CircuitBreaker(self.server, clock, concurrency) if circuit_breaker else None
        self._transport = Transport(
            access,
            request_timeout=request_timeout,
            concurrency=concurrency,
            counts=self.requests,
            clock=clock,
            lease_file=lease_file,
            breaker=self._breaker,
        )
        self._streams = Streams(access, clock)
        self._workers = Workers(concurrency)
        self.refused: RefusedRequests | None = (
            None  # what earlier runs were refused; None: nothing is remembered
        )
        self._rules: ServerRules | None = None
        self._known: Discovery | None = None
        self._learning = threading.Lock()
        self._reading_rules = threading.Lock()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections, where it is not used as a context manager."""
        self._workers.close()
        self._transport.close()
        self._streams.close()

    @property
    def stopped(self) -> CircuitOpen | None:
        """Why no request is sent any more, where the server failed for one after another."""
        return self._breaker.stopped if self._breaker is not None else None

    def map(
        self, function: Callable[[T], R], items: Iterable[T], asks: Callable[[T], bool] = lambda _item: True
    ) -> builtins.list[R]:
        """Return the results in the order of the items, at most `concurrency` at once; calls may be nested.

        Items for which `asks` is false make no request: they are done in this thread. After an exception no further
        item is begun; it is raised when those under way have ended.
        """
        return self._workers.map(function, items, asks)

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """End every request within `seconds` from now, in this block and in what `map` runs in it."""
        with self._transport.deadline(seconds):
            yield

    def version(self) -> str:
        """Return the server's version, such as `v1.36.3`."""
        target = Target(subject=self.server, operation="asking for its version")
        info = self._transport.exchange(Request(method="GET", path="/version", target=target))
        return str(info.get("gitVersion"))

    def discover(self) -> Discovery:
        """Return the kinds that the server knows, read once."""
        if self._known is not None:
            return self._known
        with self._learning:
            if self._known is None:
                self._known = discover(self._transport, self._workers, self.server)
            return self._known

    def rediscover(self) -> Discovery:
        """Return the kinds that the server knows, read again: for those that were added meanwhile."""
        with self._learning:
            self._known = discover(self._transport, self._workers, self.server)
            return self._known

    def list(
        self,
        kind: ApiResource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> Listing:
        """Return all objects of a kind, in one namespace or in all, as the store has them now (a quorum read).

        After a page whose token expired the list begins again, three times in all. Raises Expired, or as all methods.
        """
        first = list_request(
            kind, namespace, label_selector, metadata_only=metadata_only, field_selector=field_selector
        )
        for _attempt in range(_LISTS - 1):
            with suppress(Expired):
                return self._pages(kind, first)
        return self._pages(kind, first)

    def _pages(self, kind: ApiResource, first: Request) -> Listing:
        items: builtins.list[dict[str, Any]] = []
        for page in self._each_page(kind, first):
            items += page.items
        return Listing(items, page.resource_version)

    def _each_page(self, kind: ApiResource, first: Request) -> Iterator[Listing]:
        request = first
        while True:
            page = self._transport.exchange(request)
            metadata = page.get("metadata") or {}
            yield Listing(
                [_typed(item, kind) for item in page.get("items") or ()],
                str(metadata.get("resourceVersion") or ""),
            )
            token = metadata.get("continue")
            if not token:
                return
            request = replace(first, query={**first.query, "continue": token})

    def pages(self, kind: ApiResource, *, label_selector: str, size: int = PAGE) -> Iterator[Listing]:
        """Return the metadata of all objects of a kind, a page at a time, for callers that keep little of each.

        All pages are of one resourceVersion. Raises Expired where a page came too late: begin again.
        """
        return self._each_page(kind, list_request(kind, "", label_selector, metadata_only=True, page=size))

    def watch(
        self, kind: ApiResource, *, label_selector: str, resource_version: str, seconds: float, stop: Stop
    ) -> Iterator[WatchEvent]:
        """Return the events of the objects of a kind after that resourceVersion, metadata only; see Streams.watch."""
        request = watch_request(kind, "", label_selector, resource_version, round(seconds))
        events = self._streams.watch(request, seconds, stop)
        return (replace(event, item=_typed(event.item, kind)) for event in events)

    def get(
        self, kind: ApiResource, *, namespace: str, name: str, metadata_only: bool = False
    ) -> dict[str, Any] | None:
        """Return one object as it is now; None where there is none of that name."""
        request = get_request(kind, namespace, name, metadata_only=metadata_only)
        try:
            return _typed(self._transport.exchange(request), kind)
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
        basis: str = "",
    ) -> dict[str, Any]:
        """Apply an object server-side, and return it as it is then. `basis` is the version of the live one, if any.

        `force` takes fields from other managers; else they are a ManagerConflict. With a `metadata.resourceVersion` the
        server refuses an object that has moved on since (StaleVersion). Unknown fields are refused.
        """
        request = apply_request(kind, body, field_manager=field_manager, force=force, dry_run=dry_run)
        return self._unless_refused(request, kind, basis)

    def create(self, kind: ApiResource, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object, without a field manager of ours, and return it."""
        return self._transport.exchange(create_request(kind, body))

    def json_patch(
        self,
        kind: ApiResource,
        *,
        namespace: str,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        field_manager: str,
        dry_run: bool = False,
        basis: str = "",
    ) -> dict[str, Any]:
        """Apply a JSON patch (RFC 6902), and return the object after it. `basis` is as for `apply`.

        A `test` or `replace` of `/metadata/resourceVersion` among the operations makes it safe to repeat after a lost
        answer; the server refuses the patch where the object has moved on (StaleVersion).
        """
        request = patch_request(
            kind, namespace, name, operations, field_manager=field_manager, dry_run=dry_run
        )
        try:
            return self._unless_refused(request, kind, basis)
        except Invalid as exc:
            # An operation does not fit the object; with causes it is the result that is invalid.
            if exc.causes or not is_guarded(operations):
                raise
            why = "the object is not as the patch expects it"
            raise StaleVersion(
                exc.subject, exc.operation, why, answer=exc.answer, outcome_unknown=exc.outcome_unknown
            ) from exc

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
        """Delete exactly the object of this uid, in this version; return False where it was gone already.

        Raises StaleVersion where another object has that name, or it has moved on.
        """
        request = delete_request(
            kind,
            namespace,
            name,
            uid=uid,
            resource_version=resource_version,
            propagation=propagation,
            dry_run=dry_run,
        )
        try:
            self._unless_refused(request, kind)
        except NotFound:
            return False
        except StaleVersion as exc:
            # After a lost answer the object has moved on because of our own first try.
            if exc.outcome_unknown and self._is_going(kind, namespace, name, uid):
                return True
            raise
        return True

    def post(
        self,
        kind: ApiResource,
        body: Mapping[str, Any],
        *,
        operation: str,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
    ) -> dict[str, Any]:
        """Return the answer to a POST that stores nothing: a review, or a token for an account.

        `operation` is for messages: `asking for a token`.
        """
        return self._transport.exchange(
            post_request(kind, body, namespace, name, subresource, operation=operation)
        )

    def _unless_refused(self, request: Request, kind: ApiResource, basis: str = "") -> dict[str, Any]:
        """Return the answer to a request. One that was refused before is not sent again until something has changed."""
        refused = self.refused
        if refused is None:
            return self._transport.exchange(request)
        key = request_key(request, f"{self._account} {basis}")
        known = refused.find(key)
        if known is not None and known.environment == self._rules_digest(kind, request):
            refused.mark_used(key)
            raise known.to_error()
        try:
            answer = self._transport.exchange(request)
        except RequestError as error:
            if is_lasting(error):
                refused.note(key, error, self._rules_digest(kind, request))
            raise
        refused.succeeded(key, wrote=not request.dry_run)
        return answer

    def _rules_digest(self, kind: ApiResource, request: Request) -> str:
        """Return a digest of the server's rules for a request, which are read once."""
        with self._reading_rules:
            if self._rules is None:
                self._rules = read_server_rules(self)
        return self._rules.digest(kind, namespace_in(request.path, kind))

    def _is_going(self, kind: ApiResource, namespace: str, name: str, uid: str) -> bool:
        live = self.get(kind, namespace=namespace, name=name, metadata_only=True)
        if live is None or live["metadata"]["uid"] != uid:
            return True
        return "deletionTimestamp" in live["metadata"]


def _typed(item: dict[str, Any], kind: ApiResource) -> dict[str, Any]:
    """Return an item with its type, which items of a list lack, and metadata alone has another one."""
    return {**item, "apiVersion": kind.api_version, "kind": kind.kind}
