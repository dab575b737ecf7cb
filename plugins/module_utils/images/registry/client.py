# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository of an OCI registry: its tags, manifests and configurations, each checked before it is believed.

The rules are those of the OCI distribution and image specifications 1.1; Docker's schema 2 is read too.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from ..errors import RegistryError
from ..image_reference import DOCKER_HUB, ImageName, is_digest, is_tag
from .challenge import RegistryAuthorization
from .docker_config import ANONYMOUS, Login
from .image_manifest import ImageConfig, ImageManifest, parse_config, parse_manifest
from .registry_cache import CachedAnswer, RegistryCache
from .session import RegistryAccess, RegistrySession, Reply, origin

MAX_TAGS = 100_000
_MAX_PAGES = 1000
_PAGE = 1000  # tags of one page
_LARGEST_PAGE = (
    8 << 20
)  # bytes; a thousand tags of the longest kind are a quarter of a MiB, but some send all at once
_LARGEST_MANIFEST = 4 << 20  # bytes: what registries take at least, by the specification
_LARGEST_CONFIG = 8 << 20
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT = ", ".join((*_INDEXES, *_MANIFESTS))
_NEXT_LINK = re.compile(r'<([^<>\s]{1,4096})>\s*;\s*rel="?next"?', re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,512}"')


class ImageRepository:
    """The repository of one image; a context manager. It may be used from several threads."""

    def __init__(
        self,
        image: ImageName,
        access: RegistryAccess,
        *,
        cache: RegistryCache,
        until: float,
        login: Login = ANONYMOUS,
        realm: str = "",
    ) -> None:
        host = "registry-1.docker.io" if image.registry == DOCKER_HUB else image.registry
        self._image = image
        self._base = f"{'http' if access.insecure else 'https'}://{host}"
        self._session = RegistrySession(access, cache, registry=host, until=until, secrets=login.secrets)
        self._authorization = RegistryAuthorization(self._session, self._base, image.repository, login, realm)
        self._cache = cache
        self._account = hashlib.sha256("\0".join((login.username, *login.secrets)).encode()).hexdigest()
        self._challenged = threading.Lock()
        self.dropped = 0  # names in the list of tags that are no tags

    def __enter__(self) -> ImageRepository:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session.close()

    def tags(self) -> list[str]:
        """Return all tags, each once. Names that cannot be tags are left out. Raises RegistryError."""
        operation = "listing tags"
        address = f"{self._base}/v2/{self._image.repository}/tags/list?{urlencode({'n': _PAGE})}"
        tags: dict[str, None] = {}
        seen: set[str] = set()
        for _page in range(_MAX_PAGES):
            seen.add(address)
            names, following = self._page(address, operation)
            good = [name for name in names if isinstance(name, str) and is_tag(name)]
            self.dropped += len(names) - len(good)
            tags.update(dict.fromkeys(good))
            if len(tags) > MAX_TAGS:
                raise self._session.error(operation, f"it has more than {MAX_TAGS} tags", "Remove old ones.")
            if not following:
                return list(tags)
            address = self._following(address, following, operation)
            if address in seen:
                raise self._session.error(operation, "its pages go in a circle", "Ask its operator.")
        raise self._session.error(operation, f"it has more than {_MAX_PAGES} pages", "Ask its operator.")

    def manifest(self, reference: str) -> ImageManifest:
        """Return the manifest of a tag or a digest. Raises RegistryError, of status 404 where there is none."""
        operation = f"reading the manifest of {reference}"
        address = f"{self._base}/v2/{self._image.repository}/manifests/{reference}"
        known = self._cache.get(self._account, address)
        if known is not None and is_digest(reference):
            return _as_manifest(known.value)
        headers = {"Accept": _ACCEPT, **({"If-None-Match": known.etag} if known and known.etag else {})}
        reply = self._get(address, operation, _LARGEST_MANIFEST, headers)
        if reply.status == 304 and known is not None:
            return _as_manifest(known.value)
        digest = self._digest(reply, reference, operation)
        manifest = self._read_manifest(reply.body, digest, operation)
        etag = _etag(reply) or f'"{digest}"'
        self._cache.put(
            self._account, address, CachedAnswer(etag, manifest, 200 + 150 * len(manifest.children))
        )
        return manifest

    def image_config(self, digest: str) -> ImageConfig:
        """Return the configuration of this digest. Raises RegistryError."""
        operation = f"reading the configuration {digest[:19]}"
        address = f"{self._base}/v2/{self._image.repository}/blobs/{digest}"
        known = self._cache.get(self._account, address)
        if known is not None and isinstance(known.value, ImageConfig):
            return known.value
        reply = self._get(address, operation, _LARGEST_CONFIG, {})
        self._check_digest(reply.body, digest, operation)
        built = parse_config(self._json(reply.body, operation))
        self._cache.put(self._account, address, CachedAnswer("", built, 300))
        return built

    def _page(self, address: str, operation: str) -> tuple[list[Any], str]:
        known = self._cache.get(self._account, address)
        headers = {"Accept": "application/json"}
        if known is not None and known.etag:
            headers["If-None-Match"] = known.etag
        reply = self._get(address, operation, _LARGEST_PAGE, headers)
        if reply.status == 304 and known is not None:
            names, following = known.value
            return list(names), str(following)
        value = self._json(reply.body, operation).get("tags")
        names = [] if value is None else value
        if not isinstance(names, list) or len(names) > MAX_TAGS:
            raise self._session.error(operation, "the answer holds no list of tags", _CHECK_REGISTRY)
        link = _NEXT_LINK.search(reply.headers.get("Link", "")[:8192])
        following = link[1] if link else ""
        etag = _etag(reply)
        if etag:
            cached = CachedAnswer(etag, (tuple(names), following), len(reply.body) + 500)
            self._cache.put(self._account, address, cached)
        return names, following

    def _following(self, address: str, link: str, operation: str) -> str:
        """Return the next page's address: that of the same list, with the query of the link."""
        here = urlsplit(address)
        try:
            target = urljoin(address, link)
            next_parts = urlsplit(target)
            same = (
                origin(address) == origin(target) and here.path == next_parts.path and not next_parts.username
            )
            query = parse_qs(next_parts.query, strict_parsing=bool(next_parts.query), max_num_fields=20)
        except ValueError:
            same, query = False, {}
        if not same:
            raise self._session.error(operation, "its next page is not of this list", _CHECK_REGISTRY)
        rest = {name: values[-1] for name, values in query.items()}
        return f"{self._base}{here.path}?{urlencode(rest)}"

    def _get(self, address: str, operation: str, limit: int, headers: Mapping[str, str]) -> Reply:
        """Return an answer of 200 or 304, after the challenge of a registry that requires a login."""
        used = self._authorization.header
        reply = self._request(address, operation, limit, headers, used)
        if reply.status == 401:
            with self._challenged:
                fresh = self._authorization.header
                helped = (fresh and fresh != used) or self._authorization.respond(
                    reply.headers.get("WWW-Authenticate", "")
                )
            if helped:
                reply = self._request(address, operation, limit, headers, self._authorization.header)
        if reply.status in {200, 304}:
            return reply
        raise self._refusal(reply, operation)

    def _request(
        self, address: str, operation: str, limit: int, headers: Mapping[str, str], authorization: str
    ) -> Reply:
        sent = {**headers, **({"Authorization": authorization} if authorization else {})}
        return self._session.request(address, operation, limit=limit, headers=sent)

    def _refusal(self, reply: Reply, operation: str) -> RegistryError:
        reason, next_step = _MEANINGS.get(
            reply.status, ("an answer that is not expected", "See whether this is a registry.")
        )
        wait = self._cache.remaining_wait(urlsplit(self._base).netloc)
        return self._session.error(
            operation, f"{reason} ({reply.status})", next_step, status=reply.status, wait=wait
        )

    def _digest(self, reply: Reply, reference: str, operation: str) -> str:
        """Return the digest of a manifest, which must be the requested or announced one. Raises RegistryError."""
        announced = reply.headers.get("Docker-Content-Digest", "")
        expected = reference if is_digest(reference) else announced
        if expected and is_digest(expected):
            self._check_digest(reply.body, expected, operation)
            return expected
        return f"sha256:{hashlib.sha256(reply.body).hexdigest()}"

    def _check_digest(self, body: bytes, digest: str, operation: str) -> None:
        algorithm, _colon, value = digest.partition(":")
        if hashlib.new(algorithm, body, usedforsecurity=True).hexdigest() != value:
            raise self._session.error(operation, "the content does not match its digest", _CHECK_REGISTRY)

    def _read_manifest(self, body: bytes, digest: str, operation: str) -> ImageManifest:
        manifest = parse_manifest(self._json(body, operation), digest)
        if manifest is None:
            why = "it is neither an index nor an image manifest"
            raise self._session.error(operation, why, "Build the image for OCI or for Docker's schema 2.")
        return manifest

    def _json(self, body: bytes, operation: str) -> Mapping[str, Any]:
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise self._session.error(operation, "the answer is not a JSON map", _CHECK_REGISTRY)
        return content


_CHECK_REGISTRY = "See whether this is the registry that is meant."
_MEANINGS: Mapping[int, tuple[str, str]] = {
    401: ("the registry does not accept the login", "See username and password_file, or docker_config."),
    403: ("this login may not pull the image", "Give the account the right to pull it."),
    404: (
        "there is no such image or tag, or this login may not see it",
        "Compare its name with what the registry shows.",
    ),
    429: (
        "the registry accepts no more requests for now",
        "Scan less often, or with a login that has a higher limit.",
    ),
    503: ("the registry failed", "See its log."),
    500: ("the registry failed", "See its log."),
    502: ("the registry failed", "See its log."),
    504: ("the registry failed", "See its log."),
}


def _as_manifest(value: Any) -> ImageManifest:
    if not isinstance(value, ImageManifest):
        raise TypeError("what is remembered is no manifest")
    return value


def _etag(reply: Reply) -> str:
    etag = reply.headers.get("ETag", "")
    return etag if _ETAG.fullmatch(etag) else ""
