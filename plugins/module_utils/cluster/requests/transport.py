# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests over connections that stay open: time limits, retries, counters, errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from ...http.retry import read_retry_after
from ...model.version import VERSION
from ..errors import CircuitOpen, DeadlineExceeded, LeaseLost, RequestError, Unreachable
from ..lease_file import forbidden_reason
from .api_access import ApiAccess, is_loopback
from .api_errors import Target, api_error
from .api_status import parse_status
from .circuit_breaker import CircuitBreaker, Traffic
from .connection_errors import CONNECT_TIMEOUT, connection_failure
from .llhttp_connection import POOL_CLASSES, HttpResponse, Terms
from .optional_imports import urllib3
from .request_counts import RequestCounts
from .retry import LONGEST_WAIT, Clock, Repeat, RequestFailure, Trouble, pause

_MOST_TRIES = 20  # of one request, for a server that comes and goes
_SHORTEST = 0.001  # seconds; urllib3 takes no timeout of 0

# The moment (monotonic) by which requests of this context must be done. Cluster.map carries it into its threads.
_until: ContextVar[float | None] = ContextVar("plumb_cluster_until", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request and what may be done when it fails."""

    method: str
    path: str
    target: Target
    query: Mapping[str, str] = field(default_factory=dict)
    accept: str = "application/json"
    content_type: str = ""
    body: bytes | None = None
    repeat: Repeat = Repeat.SAFE
    dry_run: bool = False

    @property
    def traffic(self) -> Traffic:
        """The requests that it may fail together with."""
        if self.method == "GET":
            return Traffic.READS
        return Traffic.DRY_RUNS if self.dry_run else Traffic.WRITES

    @property
    def url(self) -> str:
        """Path and query."""
        return f"{self.path}?{_encoded_query(tuple(self.query.items()))}" if self.query else self.path


@lru_cache(maxsize=64)
def _encoded_query(query: tuple[tuple[str, str], ...]) -> str:
    """Return a query as a URL has it. Thousands of requests have the same one."""
    return urlencode(query)


class Transport:
    """The connections to one server. Thread-safe; at most `concurrency` requests are under way at once."""

    def __init__(
        self,
        access: ApiAccess,
        *,
        request_timeout: float,
        concurrency: int,
        counts: RequestCounts,
        clock: Clock,
        lease_file: Path | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._access = access
        self._breaker = breaker
        self._timeout = request_timeout
        self._counts = counts
        self._clock = clock
        self._pool = pool_of(access, concurrency)
        self._pool.pool_classes_by_scheme = POOL_CLASSES
        self._lease_file = lease_file
        # With a proxy each request has the whole address. Without one the connections are those of one host.
        self._root = access.server if access.proxy else urlsplit(access.server).path
        pool = self._pool if access.proxy else self._pool.connection_from_url(access.server)
        self._send = pool.request_encode_url  # it changes neither headers nor body
        self._header_cache: dict[tuple[str, str, str], dict[str, tuple[str, ...]]] = {}  # headers
        # The server compresses long lists, which costs more than it saves where no network lies between.
        self._encoding = "identity" if is_loopback(access.server) else "gzip"

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """End every request of this block within `seconds` from now, or sooner where a block around it does."""
        outer = _until.get()
        mine = self._clock.now() + seconds
        token = _until.set(mine if outer is None else min(outer, mine))
        try:
            yield
        finally:
            _until.reset(token)

    def exchange(self, request: Request) -> dict[str, Any]:
        """Return the JSON object that answers a request, sent again where the tables of retry.py allow it.

        Raises a RequestError when nothing helps.
        """
        self._count(request)
        waited = 0.0
        tried = 0
        executed = False
        last: RequestFailure | None = None
        while True:
            tried += 1
            try:
                return self._admitted(request)
            except CircuitOpen:
                if last is None:
                    raise
                raise _final_error(last, request, executed) from last.__cause__
            except RequestFailure as failure:
                last = failure
                executed = executed or failure.executed
                tries = failure.tries(request.repeat)
                if tries > 1 and tried < _MOST_TRIES and self._is_open(request):
                    continue  # the breaker decides when, and whether at all
                seconds = pause(tried, failure.retry_after, self._clock)
                waited += seconds
                over = waited > LONGEST_WAIT or self._too_late(seconds)
                if over or tried >= tries:
                    raise _final_error(failure, request, executed) from failure.__cause__
            self._counts.add(retries=1)
            self._clock.sleep(seconds)

    def _admitted(self, request: Request) -> dict[str, Any]:
        if self._breaker is None:
            return self._attempt(request)
        return self._breaker.call(request.traffic, request.path, lambda: self._attempt(request), _until.get())

    def _is_open(self, request: Request) -> bool:
        return self._breaker is not None and self._breaker.is_open(request.traffic)

    def _too_late(self, seconds: float) -> bool:
        until = _until.get()
        return until is not None and self._clock.now() + seconds >= until

    def _count(self, request: Request) -> None:
        write = request.method != "GET"
        self._counts.add(
            reads=int(not write),
            writes=int(write and not request.dry_run),
            dry_runs=int(write and request.dry_run),
        )

    def _attempt(self, request: Request) -> dict[str, Any]:
        now = self._clock.now()
        until = _until.get()
        ends = now + self._timeout if until is None else min(until, now + self._timeout)
        if ends <= now:
            error = DeadlineExceeded(
                request.target.subject,
                request.target.operation,
                "the time for it was over before it was sent",
            )
            raise RequestFailure(error, Trouble.UNSENT, final=True)
        answer = self._roundtrip(request, ends)
        if 200 <= answer.status < 300:
            return _document(answer.data, request)
        raise RequestFailure(
            api_error(parse_status(answer.status, answer.data), request.target),
            Trouble.ANSWERED,
            retry_after=read_retry_after(answer.headers.get(b"retry-after", b"").decode("latin-1")),
        )

    def _roundtrip(self, request: Request, ends: float) -> HttpResponse:
        seconds = max(ends - self._clock.now(), _SHORTEST)
        try:
            answer: HttpResponse = self._send(
                request.method,
                self._root + request.url,
                body=request.body,
                headers=self._headers(request),
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT, seconds), read=seconds),
                pool_timeout=seconds,
                retries=False,
                redirect=False,
                preload_content=False,
                release_conn=True,
                terms=Terms(
                    before_sending=self._check(request.target), left=lambda: ends - self._clock.now()
                ),
            )
        except urllib3.exceptions.HTTPError as exc:
            raise connection_failure(exc, request.target, self._access.server, seconds) from exc
        self._counts.add(received=len(answer.data))
        return answer

    def _headers(self, request: Request) -> dict[str, tuple[str, ...]]:
        """Return the headers of a request by name. Thousands have the same ones, which are never changed."""
        key = (request.accept, request.content_type, self._access.authorization())
        if key not in self._header_cache:
            pairs = headers_of(self._access, request, self._encoding)
            self._header_cache[key] = {
                name: tuple(v for n, v in pairs if n == name) for name, _value in pairs
            }
        return self._header_cache[key]

    def _check(self, target: Target) -> Callable[[], None] | None:
        """Return the check of a write, which is sent only while the lease is held; None where there is none."""
        if self._lease_file is None or not target.write:
            return None
        return partial(_check_lease, self._lease_file, target)


def headers_of(access: ApiAccess, request: Request, encoding: str) -> list[tuple[str, str]]:
    """Return the headers of a request, with the credentials as they are now."""
    headers = [
        ("Host", urllib3.util.parse_url(access.server).netloc or ""),  # in ASCII
        ("Accept", request.accept),
        ("Accept-Encoding", encoding),
        ("User-Agent", f"plumb/{VERSION}"),
        *access.headers,
    ]
    authorization = access.authorization()
    if authorization:
        headers.append(("Authorization", authorization))
    if request.content_type:
        headers.append(("Content-Type", request.content_type))
    return headers


def _check_lease(file: Path, target: Target) -> None:
    reason = forbidden_reason(file)
    if reason:
        raise RequestFailure(LeaseLost(target.subject, target.operation, reason), Trouble.UNSENT, final=True)


def _document(data: bytes, request: Request) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise _unreadable_failure(request.target) from exc
    if not isinstance(document, dict):
        raise _unreadable_failure(request.target)
    return document


def _unreadable_failure(target: Target) -> RequestFailure:
    error = Unreachable(
        target.subject,
        target.operation,
        "the answer is not a JSON object",
        "Check that the address is that of a Kubernetes API server, and what a proxy before it does.",
    )
    return RequestFailure(error, Trouble.LOST)


def _final_error(failure: RequestFailure, request: Request, executed: bool) -> RequestError:
    """Return the error of the last try. This one or an earlier one may have been carried out."""
    error = failure.error
    error.outcome_unknown = request.target.write and executed
    return error


def pool_of(access: ApiAccess, concurrency: int, **more: Any) -> Any:
    """Return the connections to one server, at most `concurrency` at once; `more` are options of urllib3."""
    options: dict[str, Any] = {"num_pools": 2, "maxsize": concurrency, "block": True, "retries": False} | more
    if access.tls is not None:
        options["ssl_context"] = access.tls
    if access.server_name:
        options["server_hostname"] = options["assert_hostname"] = access.server_name
    if not access.proxy:
        return urllib3.PoolManager(**options)
    parts = urlsplit(access.proxy)
    if parts.username is not None:
        credentials = unquote(f"{parts.username}:{parts.password or ''}")
        options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=credentials)
    return urllib3.ProxyManager(access.proxy, **options)
