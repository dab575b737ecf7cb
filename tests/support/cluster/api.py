# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single requests to the API server, without the engine and without a process for each as kubectl takes."""

from __future__ import annotations

import functools
import json
import ssl
import urllib.error
import urllib.request
from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass(frozen=True, slots=True)
class _Kind:
    base: str
    plural: str
    namespaced: bool

    def path(self, namespace: str) -> str:
        """Return the path of its objects; without a namespace, in the one that kubectl would take."""
        within = f"/namespaces/{namespace or 'default'}" if self.namespaced else ""
        return f"{self.base}{within}/{self.plural}"


@dataclass(slots=True)
class Api:
    """The API server of a kubeconfig, as its user; it has to have a token."""

    server: str
    token: str
    tls: ssl.SSLContext
    _kinds: dict[str, _Kind] = field(default_factory=dict)  # by each of its names

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """Return an object, or None where there is none. A kind is named as for kubectl."""
        if kind.lower() not in self._kinds:
            self._kinds = self._discovered()
        status, body = self.request("GET", f"{self._kinds[kind.lower()].path(namespace)}/{quote(name)}")
        if status == 404:
            return None
        assert status == 200, f"{kind} {namespace}/{name}: {body}"
        return body

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        accept: str = "application/json",
        content: str = "application/json",
    ) -> tuple[int, dict[str, Any]]:
        """Return status and answer of a request whose body is of type `content`."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": accept, "Content-Type": content}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.server}{path}", data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.tls) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def _discovered(self) -> dict[str, _Kind]:
        """Return the first kind of each name, with core first, as kubectl takes it."""
        kinds: dict[str, _Kind] = {}
        for root in ("/api", "/apis"):
            for group in self.request("GET", root, accept=_DISCOVERY)[1]["items"]:
                of = group["metadata"].get("name", "")
                version = group["versions"][0]
                base = f"{root}/{of}/{version['version']}" if of else f"{root}/{version['version']}"
                for resource in version["resources"]:
                    plural = resource["resource"]
                    kind = _Kind(base, plural, resource["scope"] == "Namespaced")
                    short = {
                        plural,
                        f"{plural}.{of}",
                        resource["singularResource"],
                        *resource.get("shortNames", ()),
                    }
                    for name in (*short, resource["responseKind"]["kind"].lower()):
                        kinds.setdefault(name, kind)
        return kinds


@functools.cache
def api_of(kubeconfig: Path) -> Api:
    """Return the API server that a kubeconfig's first cluster and user name."""
    config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    cluster = config["clusters"][0]["cluster"]
    authority = b64decode(cluster["certificate-authority-data"]).decode()
    return Api(
        cluster["server"], config["users"][0]["user"]["token"], ssl.create_default_context(cadata=authority)
    )
