# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens of a service account that expire (TokenRequest), and a kubeconfig that reads one from a file."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ...model.objects import GroupKind, ObjectRef
from ..client import Cluster
from ..connection import Endpoint
from ..errors import Forbidden, NotFound, ServerFailure, UnknownApi
from ..requests.optional_imports import yaml

_SERVICE_ACCOUNT = GroupKind("", "ServiceAccount")
_REVIEW = GroupKind("authentication.k8s.io", "TokenReview")
_LONGEST_TOKEN = 64 * 1024  # characters; more is no token


@dataclass(frozen=True, slots=True)
class Token:
    """A token and when it expires, in seconds since 1970. The server decides that; it may be sooner than requested."""

    value: str = field(repr=False)
    expires: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClaims:
    """The claims of a token, without verification. Times are seconds since 1970."""

    namespace: str
    name: str
    uid: str
    issued: float
    expires: float

    def has_spent(self, part: float, now: float) -> bool:
        """Return whether this part of its life is over, such as 0.5 for half of it."""
        return now >= self.issued + (self.expires - self.issued) * part


def read_claims(token: str) -> TokenClaims | None:
    """Return the claims of a service account's token (RFC 7519); None for a text that is no such token."""
    try:
        body = token.strip()[:_LONGEST_TOKEN].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        account = claims["kubernetes.io"]
        return TokenClaims(
            namespace=str(account["namespace"]),
            name=str(account["serviceaccount"]["name"]),
            uid=str(account["serviceaccount"]["uid"]),
            issued=float(claims["iat"]),
            expires=float(claims["exp"]),
        )
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        return None


def account_uid(cluster: Cluster, namespace: str, name: str) -> str:
    """Return the uid of a service account; empty where there is none. Raises a RequestError."""
    kind = cluster.discover().of(_SERVICE_ACCOUNT)
    try:
        account = kind and cluster.get(kind, namespace=namespace, name=name, metadata_only=True)
    except NotFound:
        return ""
    return str(account["metadata"]["uid"]) if account else ""


def request_token(cluster: Cluster, namespace: str, name: str, seconds: float) -> Token:
    """Return a new token for an existing service account, for the API server's own audience. Raises a RequestError."""
    subject, operation = str(ObjectRef("", "ServiceAccount", namespace, name)), "asking for a token"
    kind = cluster.discover().of(_SERVICE_ACCOUNT)
    if kind is None:
        raise UnknownApi(subject, operation, "the cluster does not know service accounts")
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": round(seconds)},
    }
    answer = cluster.post(
        kind, body, operation=operation, namespace=namespace, name=name, subresource="token"
    )
    try:
        status = answer["status"]
        return Token(str(status["token"]), _moment(status["expirationTimestamp"]))
    except (KeyError, TypeError, ValueError) as exc:
        raise ServerFailure(subject, operation, "the answer has no token and no time") from exc


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def is_accepted(cluster: Cluster, token: str) -> bool:
    """Return whether the server accepts a token; true where the account may not ask that. Raises a RequestError."""
    kind = cluster.discover().of(_REVIEW)
    if kind is None:
        return True
    body = {"apiVersion": kind.api_version, "kind": kind.kind, "spec": {"token": token}}
    try:
        review = cluster.post(kind, body, operation="asking whether a token is taken")
    except Forbidden:
        return True
    return (review.get("status") or {}).get("authenticated") is True


def kubeconfig_text(endpoint: Endpoint, *, cluster: str, user: str, token_file: str) -> str:
    """Return a kubeconfig with one context, named as the cluster. A relative `token_file` is in its folder."""
    server: dict[str, Any] = {"server": endpoint.server}
    if endpoint.ca:
        server["certificate-authority-data"] = base64.b64encode(endpoint.ca).decode()
    if endpoint.server_name:
        server["tls-server-name"] = endpoint.server_name
    if not endpoint.verify:
        server["insecure-skip-tls-verify"] = True
    if endpoint.proxy:
        server["proxy-url"] = endpoint.proxy
    config: Mapping[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": server}],
        "users": [{"name": user, "user": {"tokenFile": token_file}}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
        "current-context": cluster,
    }
    return str(yaml.safe_dump(config, sort_keys=False))
