# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a registry: bounded in time and size, retried within bounds, redirects followed without a login.

A registry is not trusted: its answer may be endless, a bomb of compressed bytes, slow, or a redirect to anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from ...http.deadline import Deadline, DeadlinePassed, run_within
from ...http.network_reach import is_inside_address, reach_of
from ...http.optional_imports import get_environ_proxies, requests
from ...http.response import is_worth_another_try, read_body, why_unanswered
from ...http.retry import RETRIED, TryAgain, requested_wait, retry
from ...http.session import REDIRECTS, open_session
from ...model.duration import format_seconds
from ...model.errors import printable
from ..errors import RegistryError
from .registry_cache import RegistryCache

TIMEOUT = 30.0  # seconds for one try, from the name to the last byte; all of them have those of the scan
_LONGEST_WAIT = 30.0  # seconds; a registry whose Retry-After is longer is not waited for
_TRIES = 3
_PAUSE = 0.25  # seconds before the second try
_MAX_REDIRECTS = 5
_WIDTH = 8
_MASK = "********"


@dataclass(frozen=True, slots=True)
class Reply:
    """A registry's answer. Header names are in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """How a registry is reached."""

    subject: str  # the subject of errors
    insecure: bool = False  # http instead of https
    ca_file: Path | None = None


class RegistrySession:
    """Requests to one `registry`, a host with or without a port. It may be used from several threads."""

    def __init__(
        self,
        access: RegistryAccess,
        cache: RegistryCache,
        *,
        registry: str,
        until: float,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.access = access
        self._registry = urlsplit(f"//{registry}").hostname or ""
        self._cache = cache
        self._until = until
        self._secrets = list(secrets)
        self._session = open_session(
            access.subject, "loading the client of registries", ca_file=access.ca_file, width=_WIDTH
        )

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    def add_secret(self, secret: str) -> None:
        """Mask this text in errors from now on."""
        self._secrets.append(secret)

    def masked(self, text: str) -> str:
        """Return the text without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return text

    def request(
        self,
        address: str,
        operation: str,
        *,
        limit: int,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Reply:
        """Return the answer, whatever its status; with a `form` of a POST. `limit` in bytes. Raises RegistryError."""
        sent = dict(headers or {})
        for _redirect in range(_MAX_REDIRECTS + 1):
            reply = self._send(address, operation, limit, sent, form)
            location = reply.headers.get("Location", "")
            if reply.status not in REDIRECTS or not location:
                return reply
            if not follow or form is not None:
                raise self.error(operation, "it redirects where that is not followed", _CHECK_REGISTRY)
            target = self._target(address, location, operation)
            if origin(target) != origin(address):
                sent.pop("Authorization", None)
            address = target
        raise self.error(operation, "it redirects in a circle", _CHECK_REGISTRY)

    def error(
        self, operation: str, reason: str, next_step: str = "", *, status: int = 0, wait: float = 0.0
    ) -> RegistryError:
        """Return the error of a request; `reason` is masked here."""
        return RegistryError(
            self.access.subject, operation, self.masked(reason), next_step, status=status, wait=wait
        )

    def may_lead_to(self, host: str) -> bool:
        """Return whether this registry may lead to a host: its own, or one not further inside than itself."""
        return host.lower() == self._registry or reach_of(host) <= reach_of(self._registry)

    def _send(self, address: str, operation: str, limit: int, headers: Mapping[str, str], form: Any) -> Reply:
        host = urlsplit(address).netloc.lower()

        def attempt(last: bool) -> Reply:
            self._wait_for(host, operation)
            try:
                reply = self._once(address, operation, limit, headers, form)
            except requests.RequestException as exc:
                if last or not is_worth_another_try(exc):
                    raise self._unreached(address, operation, exc) from exc
                raise TryAgain from exc
            wait = requested_wait(reply.status, reply.headers)
            if wait is not None:
                self._cache.hold_off(host, wait)
            if reply.status not in RETRIED or last:
                return reply
            raise TryAgain(None if wait is None else 0.0)  # _wait_for waits for what was asked for

        return retry(attempt, tries=_TRIES, pause=_PAUSE, until=self._until)

    def _wait_for(self, host: str, operation: str) -> None:
        wait = self._cache.remaining_wait(host)
        if not wait:
            return
        if wait > min(_LONGEST_WAIT, self._until - time.monotonic()):
            raise self.error(
                operation,
                f"{host} accepts no more requests for {format_seconds(wait)} (Retry-After)",
                "It is left alone until then; scan less often, or with a login that has a higher limit.",
                status=429,
                wait=wait,
            )
        time.sleep(wait)

    def _once(self, address: str, operation: str, limit: int, headers: Mapping[str, str], form: Any) -> Reply:
        deadline = Deadline.after(min(TIMEOUT, self._until - time.monotonic()))
        if deadline.left <= 0:
            raise self.error(operation, "no time is left", "Scan less at once.")

        def exchange() -> Reply:
            with self._session.request(
                "GET" if form is None else "POST",
                address,
                headers=dict(headers),
                data=form,
                timeout=deadline.socket_timeout,
                allow_redirects=False,
                stream=True,
                proxies=_proxies(address),
            ) as response:
                body = read_body(
                    response, limit=limit, error=lambda why: self.error(operation, why, _CHECK_REGISTRY)
                )
                return Reply(response.status_code, response.headers, body)

        try:
            return run_within(deadline, exchange)
        except DeadlinePassed as exc:
            host = printable(urlsplit(address).netloc, 100)
            raise self.error(operation, f"{host}: {exc}", _CHECK_CONNECTION) from exc

    def _target(self, address: str, location: str, operation: str) -> str:
        """Return where a redirect leads, if it may be followed."""
        try:
            target = urljoin(address, location)
            parts = urlsplit(target)
            known = parts.hostname is not None and parts.port != 0 and not (parts.username or parts.password)
        except ValueError:
            known = False
        if not known:
            raise self.error(operation, "it redirects to an invalid address", _CHECK_REGISTRY)
        same = origin(address) == origin(target)
        if not same and (parts.scheme != "https" or not self.may_lead_to(parts.hostname or "")):
            shown = printable(f"{parts.scheme}://{parts.netloc}", 100)
            raise self.error(operation, f"it redirects to {shown}, which is not followed", _CHECK_REGISTRY)
        return target

    def _unreached(self, address: str, operation: str, exc: Exception) -> RegistryError:
        host = printable(urlsplit(address).netloc, 100)
        return self.error(operation, f"{host}: {why_unanswered(exc)}", _CHECK_CONNECTION)


_CHECK_REGISTRY = "See whether this is the registry that is meant, and what it answers by hand."
_CHECK_CONNECTION = (
    "See that the image's registry, its ca_file and the environment's proxies are right,"
    " and that it answers here."
)


def origin(address: str) -> tuple[str, str, int]:
    """Return scheme, host and port: all that a login is tied to."""
    parts = urlsplit(address)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or {"https": 443, "http": 80}.get(scheme, 0)


def _proxies(address: str) -> dict[str, str]:
    host = urlsplit(address).hostname or ""
    return {} if is_inside_address(host) else dict(get_environ_proxies(address))
