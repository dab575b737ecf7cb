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
    """A token and when it expires, in seconds since 1970. The server decides that; it may be sooner than asked for."""

    value: str = field(repr=False)
    expires: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClaims:
    """What a token says of itself; nothing of it is verified. Times are seconds since 1970."""

    namespace: str
    name: str
    uid: str
    issued: float
    expires: float

    def has_spent(self, part: float, now: float) -> bool:
        """Whether this part of its life is over, such as 0.5 for half of it."""
        return now >= self.issued + (self.expires - self.issued) * part


def read_claims(token: str) -> TokenClaims | None:
    """The claims of a service account's token (RFC 7519); None for a text that is no such token."""
    try:
        body = token.strip()[:_LONGEST_TOKEN].split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        account = said["kubernetes.io"]
        return TokenClaims(
            namespace=str(account["namespace"]),
            name=str(account["serviceaccount"]["name"]),
            uid=str(account["serviceaccount"]["uid"]),
            issued=float(said["iat"]),
            expires=float(said["exp"]),
        )
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        return None


def account_uid(cluster: Cluster, namespace: str, name: str) -> str:
    """The uid of a service account; empty where there is none. Raises a RequestError."""
    kind = cluster.discover().of(_SERVICE_ACCOUNT)
    try:
        found = kind and cluster.get(kind, namespace=namespace, name=name, metadata_only=True)
    except NotFound:
        return ""
    return str(found["metadata"]["uid"]) if found else ""


def request_token(cluster: Cluster, namespace: str, name: str, seconds: float) -> Token:
    """A new token for a service account that is there, for the API server's own audience. Raises a RequestError."""
    subject, operation = str(ObjectRef("", "ServiceAccount", namespace, name)), "asking for a token"
    kind = cluster.discover().of(_SERVICE_ACCOUNT)
    if kind is None:
        raise UnknownApi(subject, operation, "the cluster does not know service accounts")
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": round(seconds)},
    }
    said = cluster.ask(kind, body, operation=operation, namespace=namespace, name=name, subresource="token")
    try:
        status = said["status"]
        return Token(str(status["token"]), _moment(status["expirationTimestamp"]))
    except (KeyError, TypeError, ValueError) as exc:
        raise ServerFailure(subject, operation, "the answer has no token and no time") from exc


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def is_accepted(cluster: Cluster, token: str) -> bool:
    """Whether the server still takes a token. Where it may not be asked, it is believed to. Raises a RequestError."""
    kind = cluster.discover().of(_REVIEW)
    if kind is None:
        return True
    body = {"apiVersion": kind.api_version, "kind": kind.kind, "spec": {"token": token}}
    try:
        said = cluster.ask(kind, body, operation="asking whether a token is taken")
    except Forbidden:
        return True
    return (said.get("status") or {}).get("authenticated") is True


def kubeconfig_text(endpoint: Endpoint, *, cluster: str, user: str, token_file: str) -> str:
    """A kubeconfig with one context, named as the cluster. A relative `token_file` is in the kubeconfig's folder."""
    reached: dict[str, Any] = {"server": endpoint.server}
    if endpoint.ca:
        reached["certificate-authority-data"] = base64.b64encode(endpoint.ca).decode()
    if endpoint.server_name:
        reached["tls-server-name"] = endpoint.server_name
    if not endpoint.verify:
        reached["insecure-skip-tls-verify"] = True
    if endpoint.proxy:
        reached["proxy-url"] = endpoint.proxy
    config: Mapping[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": reached}],
        "users": [{"name": user, "user": {"tokenFile": token_file}}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
        "current-context": cluster,
    }
    return str(yaml.safe_dump(config, sort_keys=False))
