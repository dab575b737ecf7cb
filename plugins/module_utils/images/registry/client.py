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
from .challenge import Authority
from .docker_config import ANONYMOUS, Login
from .image_manifest import Built, ImageManifest, parse_config, parse_manifest
from .registry_cache import Kept, Remembered
from .session import Exchange, Reply, Way, origin

MAX_TAGS = 100_000
_MAX_PAGES = 1000
_PAGE = 1000  # tags asked for at once
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
    """Asks for one image; a context manager. It may be used from several threads."""

    def __init__(
        self,
        image: ImageName,
        way: Way,
        *,
        remembered: Remembered,
        until: float,
        login: Login = ANONYMOUS,
        realm: str = "",
    ) -> None:
        host = "registry-1.docker.io" if image.registry == DOCKER_HUB else image.registry
        self._image = image
        self._base = f"{'http' if way.insecure else 'https'}://{host}"
        self._exchange = Exchange(way, remembered, registry=host, until=until, secrets=login.secrets)
        self._authority = Authority(self._exchange, self._base, image.repository, login, realm)
        self._remembered = remembered
        self._who = hashlib.sha256("\0".join((login.username, *login.secrets)).encode()).hexdigest()
        self._challenged = threading.Lock()
        self.dropped = 0  # names in the list of tags that can be none

    def __enter__(self) -> ImageRepository:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exchange.close()

    def tags(self) -> list[str]:
        """All tags, page by page, each once. Names that can be no tags are left out. Raises RegistryError."""
        operation = "listing tags"
        address = f"{self._base}/v2/{self._image.repository}/tags/list?{urlencode({'n': _PAGE})}"
        found: dict[str, None] = {}
        seen: set[str] = set()
        for _page in range(_MAX_PAGES):
            seen.add(address)
            names, following = self._page(address, operation)
            good = [name for name in names if isinstance(name, str) and is_tag(name)]
            self.dropped += len(names) - len(good)
            found.update(dict.fromkeys(good))
            if len(found) > MAX_TAGS:
                raise self._exchange.failure(
                    operation, f"it has more than {MAX_TAGS} tags", "Remove old ones."
                )
            if not following:
                return list(found)
            address = self._following(address, following, operation)
            if address in seen:
                raise self._exchange.failure(operation, "its pages go in a circle", "Ask its operator.")
        raise self._exchange.failure(operation, f"it has more than {_MAX_PAGES} pages", "Ask its operator.")

    def manifest(self, reference: str) -> ImageManifest:
        """The manifest of a tag or a digest. Raises RegistryError, of status 404 where there is none."""
        operation = f"reading the manifest of {reference}"
        address = f"{self._base}/v2/{self._image.repository}/manifests/{reference}"
        known = self._remembered.recall(self._who, address)
        if known is not None and is_digest(reference):
            return _as_manifest(known.value)
        headers = {"Accept": _ACCEPT, **({"If-None-Match": known.mark} if known and known.mark else {})}
        reply = self._get(address, operation, _LARGEST_MANIFEST, headers)
        if reply.status == 304 and known is not None:
            return _as_manifest(known.value)
        digest = self._digest(reply, reference, operation)
        manifest = self._read_manifest(reply.body, digest, operation)
        mark = _mark(reply) or f'"{digest}"'
        self._remembered.keep(self._who, address, Kept(mark, manifest, 200 + 150 * len(manifest.children)))
        return manifest

    def built(self, digest: str) -> Built:
        """What the configuration of this digest says. Raises RegistryError."""
        operation = f"reading the configuration {digest[:19]}"
        address = f"{self._base}/v2/{self._image.repository}/blobs/{digest}"
        known = self._remembered.recall(self._who, address)
        if known is not None and isinstance(known.value, Built):
            return known.value
        reply = self._get(address, operation, _LARGEST_CONFIG, {})
        self._check_digest(reply.body, digest, operation)
        built = parse_config(self._json(reply.body, operation))
        self._remembered.keep(self._who, address, Kept("", built, 300))
        return built

    def _page(self, address: str, operation: str) -> tuple[list[Any], str]:
        known = self._remembered.recall(self._who, address)
        headers = {"Accept": "application/json"}
        if known is not None and known.mark:
            headers["If-None-Match"] = known.mark
        reply = self._get(address, operation, _LARGEST_PAGE, headers)
        if reply.status == 304 and known is not None:
            names, following = known.value
            return list(names), str(following)
        said = self._json(reply.body, operation).get("tags")
        names = [] if said is None else said
        if not isinstance(names, list) or len(names) > MAX_TAGS:
            raise self._exchange.failure(operation, "the answer holds no list of tags", _SEE)
        link = _NEXT_LINK.search(reply.headers.get("Link", "")[:8192])
        following = link[1] if link else ""
        mark = _mark(reply)
        if mark:
            kept = Kept(mark, (tuple(names), following), len(reply.body) + 500)
            self._remembered.keep(self._who, address, kept)
        return names, following

    def _following(self, address: str, link: str, operation: str) -> str:
        """The next page's address: the same list, by what the link says of where to go on."""
        here = urlsplit(address)
        try:
            target = urljoin(address, link)
            there = urlsplit(target)
            same = origin(address) == origin(target) and here.path == there.path and not there.username
            query = parse_qs(there.query, strict_parsing=bool(there.query), max_num_fields=20)
        except ValueError:
            same, query = False, {}
        if not same:
            raise self._exchange.failure(operation, "its next page is not of this list", _SEE)
        rest = {name: values[-1] for name, values in query.items()}
        return f"{self._base}{here.path}?{urlencode(rest)}"

    def _get(self, address: str, operation: str, limit: int, headers: Mapping[str, str]) -> Reply:
        """An answer of 200 or 304, after the challenge of a registry that wants to know who asks."""
        used = self._authority.header
        reply = self._ask(address, operation, limit, headers, used)
        if reply.status == 401:
            with self._challenged:
                fresh = self._authority.header
                helped = (fresh and fresh != used) or self._authority.answer(
                    reply.headers.get("WWW-Authenticate", "")
                )
            if helped:
                reply = self._ask(address, operation, limit, headers, self._authority.header)
        if reply.status in {200, 304}:
            return reply
        raise self._refusal(reply, operation)

    def _ask(
        self, address: str, operation: str, limit: int, headers: Mapping[str, str], authorization: str
    ) -> Reply:
        sent = {**headers, **({"Authorization": authorization} if authorization else {})}
        return self._exchange.ask(address, operation, limit=limit, headers=sent)

    def _refusal(self, reply: Reply, operation: str) -> RegistryError:
        reason, next_step = _MEANINGS.get(
            reply.status, ("an answer that is not expected", "See whether this is a registry.")
        )
        wait = self._remembered.left(urlsplit(self._base).netloc)
        return self._exchange.failure(
            operation, f"{reason} ({reply.status})", next_step, status=reply.status, wait=wait
        )

    def _digest(self, reply: Reply, reference: str, operation: str) -> str:
        """The digest of a manifest as it came, which must be the one that was asked for or promised."""
        said = reply.headers.get("Docker-Content-Digest", "")
        expected = reference if is_digest(reference) else said
        if expected and is_digest(expected):
            self._check_digest(reply.body, expected, operation)
            return expected
        return f"sha256:{hashlib.sha256(reply.body).hexdigest()}"

    def _check_digest(self, body: bytes, digest: str, operation: str) -> None:
        algorithm, _colon, value = digest.partition(":")
        if hashlib.new(algorithm, body, usedforsecurity=True).hexdigest() != value:
            raise self._exchange.failure(
                operation, "the content does not have the digest that it is to have", _SEE
            )

    def _read_manifest(self, body: bytes, digest: str, operation: str) -> ImageManifest:
        manifest = parse_manifest(self._json(body, operation), digest)
        if manifest is None:
            why = "it is neither an index nor an image manifest"
            raise self._exchange.failure(operation, why, "Build the image for OCI or for Docker's schema 2.")
        return manifest

    def _json(self, body: bytes, operation: str) -> Mapping[str, Any]:
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise self._exchange.failure(operation, "the answer is not a JSON map", _SEE)
        return content


_SEE = "See whether this is the registry that is meant."
_MEANINGS: Mapping[int, tuple[str, str]] = {
    401: ("the registry does not accept the login", "See username and password_file, or docker_config."),
    403: ("this login may not pull the image", "Give the account the right to pull it."),
    404: (
        "there is no such image or tag, or this login may not see it",
        "Compare its name with what the registry shows.",
    ),
    429: (
        "the registry takes no more questions for now",
        "Scan less often, or with a login that may ask more.",
    ),
    503: ("the registry is not well", "See its log."),
    500: ("the registry is not well", "See its log."),
    502: ("the registry is not well", "See its log."),
    504: ("the registry is not well", "See its log."),
}


def _as_manifest(value: Any) -> ImageManifest:
    if not isinstance(value, ImageManifest):
        raise TypeError("what is remembered is no manifest")
    return value


def _mark(reply: Reply) -> str:
    said = reply.headers.get("ETag", "")
    return said if _ETAG.fullmatch(said) else ""
