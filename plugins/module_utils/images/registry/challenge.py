# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorization at a registry: its challenge is basic, or a bearer token from the service that it names.

The rules of the token service are those of distribution.github.io/distribution/spec/auth. A registry itself names its
token service; a login is sent there only where that is safe.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ...model.errors import printable
from .docker_config import Login
from .session import RegistrySession, origin

_LARGEST_TOKEN = 64 << 10  # bytes of an answer
_SCHEME = re.compile(r"(?:^|,)\s*(Basic|Bearer)\s+", re.IGNORECASE)
_PARAMETER = re.compile(r'([A-Za-z_]{1,20})\s*=\s*(?:"([^"\\]{0,2048})"|([^\s",]{1,2048}))')
_TOKEN = re.compile(r"[\x21-\x7e]{1,32768}", re.ASCII)
_SHORTEST, _LONGEST = 60.0, 3600.0  # seconds that a token is used; the shortest where the service names none
# Registries whose token service is on another host, according to their documents.
_KNOWN_SERVICES: Mapping[str, str] = {
    "registry-1.docker.io": "auth.docker.io",
    "registry.gitlab.com": "gitlab.com",
}
_OPERATION = "asking for a token"


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge: its scheme in lower case, and the token service."""

    scheme: str
    realm: str = ""
    service: str = ""


def parse_challenge(header: str) -> Challenge | None:
    """Return the challenge of a WWW-Authenticate header, bearer before basic; None where there is none of these."""
    starts = list(_SCHEME.finditer(header[:8192]))
    challenges: dict[str, Challenge] = {}
    for number, start in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(header)
        parameters = {
            match[1].lower(): match[2] or match[3] or ""
            for match in _PARAMETER.finditer(header[start.end() : end])
        }
        scheme = start[1].lower()
        challenges.setdefault(
            scheme, Challenge(scheme, parameters.get("realm", ""), parameters.get("service", ""))
        )
    return challenges.get("bearer") or challenges.get("basic")


class RegistryAuthorization:
    """The account for one repository of a registry, and its token."""

    def __init__(
        self, session: RegistrySession, base: str, repository: str, login: Login, realm: str = ""
    ) -> None:
        self._session = session
        self._base = base
        self._repository = repository
        self._login = login
        self._realm = realm  # the token service that the operator names
        self._header, self._until = "", 0.0

    @property
    def header(self) -> str:
        """The value for Authorization; empty where there is none yet, or none any more."""
        return self._header if time.monotonic() < self._until else ""

    def respond(self, header: str) -> bool:
        """Get what a challenge asks for; return False where there is nothing to try. Raises RegistryError."""
        challenge = parse_challenge(header)
        if challenge is None:
            return False
        if challenge.scheme == "basic":
            if not self._login.password:
                return False
            self._header, self._until = self._basic(), time.monotonic() + _LONGEST
            return True
        token, seconds = self._token(challenge)
        self._session.add_secret(token)
        self._header, self._until = f"Bearer {token}", time.monotonic() + seconds
        return True

    def _basic(self) -> str:
        raw = f"{self._login.username}:{self._login.password}".encode()
        return f"Basic {base64.b64encode(raw).decode()}"

    def _token(self, challenge: Challenge) -> tuple[str, float]:
        realm = self._checked(challenge.realm)
        query = {"service": challenge.service, "scope": f"repository:{self._repository}:pull"}
        if self._login.identity_token:
            form = {
                **query,
                "grant_type": "refresh_token",
                "client_id": "plumb",
                "refresh_token": self._login.identity_token,
            }
            reply = self._session.request(realm, _OPERATION, limit=_LARGEST_TOKEN, form=form, follow=False)
        else:
            headers = {"Authorization": self._basic()} if self._login.password else {}
            address = _with_query(realm, query)
            reply = self._session.request(
                address, _OPERATION, limit=_LARGEST_TOKEN, headers=headers, follow=False
            )
        if reply.status != 200:
            why = f"the token service refuses ({reply.status})"
            raise self._session.error(_OPERATION, why, _CHECK_LOGIN, status=reply.status)
        return self._read(reply.body)

    def _checked(self, realm: str) -> str:
        """Return the realm, if a request to it is allowed, with the login where there is one. Raises RegistryError."""
        try:
            parts = urlsplit(realm)
            host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
        except ValueError:
            parts, host, port = urlsplit(""), "", ""
        plain = (
            parts.scheme == "http" and self._session.access.insecure and origin(realm) == origin(self._base)
        )
        shown = printable(f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}", 100)
        if not host or parts.username or parts.password or not (parts.scheme == "https" or plain):
            why = f"its token service {shown} is not an https address"
            raise self._session.error(_OPERATION, why, "See whether this is the registry that is meant.")
        if not self._is_meant(realm) and not self._session.may_lead_to(host):
            raise self._session.error(
                _OPERATION,
                f"it names the token service {shown}, which is on this machine or in a private network, where the"
                " registry is not",
                f"If that is right, set realm: {shown}.",
            )
        has_login = bool(self._login.password or self._login.identity_token)
        if has_login and not plain and not self._may_see(realm, host):
            raise self._session.error(
                _OPERATION,
                f"it names the token service {shown}, which is not on its host, and would send the login there",
                f"If that is right, set realm: {shown}.",
            )
        return realm

    def _is_meant(self, realm: str) -> bool:
        """Return whether the operator named this token service."""
        return bool(self._realm) and origin(realm) == origin(self._realm)

    def _may_see(self, realm: str, host: str) -> bool:
        registry = (urlsplit(self._base).hostname or "").lower()
        if self._realm:
            return self._is_meant(realm)
        same = host.lower() == registry and (urlsplit(self._base).scheme == "https")
        return same or _KNOWN_SERVICES.get(registry) == host.lower()

    def _read(self, body: bytes) -> tuple[str, float]:
        try:
            content = json.loads(body)
            token = content.get("token") or content.get("access_token")
            seconds = content.get("expires_in") or _SHORTEST
            lasts = min(max(float(seconds), _SHORTEST), _LONGEST) * 0.8
        except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
            token, lasts = None, 0.0
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise self._session.error(_OPERATION, "the token service's answer holds no token", _CHECK_LOGIN)
        return token, lasts


_CHECK_LOGIN = (
    "See that username and password_file, or docker_config, are those of an account that may pull this image."
)


def _with_query(realm: str, query: Mapping[str, str]) -> str:
    parts = urlsplit(realm)
    own = [(name, value) for name, value in parse_qsl(parts.query) if name not in query]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode([*own, *query.items()]), ""))
