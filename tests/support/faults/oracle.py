# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The oracle: what an app is in the cluster, found out without the engine.

It asks every kind that the server lists, over all namespaces, for the app's label, and believes only our own Apply
entry about who put it there. Of everything else in the test's namespace it knows the resourceVersions.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.applyset.inventory import SetIdentity
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

Body = dict[str, Any]
Identity = tuple[str, str, str]  # kind, namespace, name

_PART_OF = "applyset.kubernetes.io/part-of"
_GROUP_KINDS = "applyset.kubernetes.io/contains-group-kinds"
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_LISTENERS = 8  # connections at once


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that can be listed."""

    group: str
    version: str
    name: str
    plural: str
    namespaced: bool

    def path(self, namespace: str = "") -> str:
        """Return the path of its objects, in a namespace or all."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" if namespace else f"{root}/{self.plural}"


@dataclass(frozen=True)
class Oracle:
    """Reads the API server of a sandbox as its admin."""

    sandbox: Sandbox

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """Every kind that can be listed, in its preferred version; events aside, which nobody applies."""
        groups = [g for root in ("/api", "/apis") for g in self._get([root], _DISCOVERY)[0]["items"]]
        return tuple(
            Kind(group["metadata"].get("name", ""), version["version"], r["responseKind"]["kind"],
                 r["resource"], r["scope"] == "Namespaced")
            for group in groups
            for version in group["versions"][:1]
            for r in version["resources"]
            if "list" in r["verbs"] and r["resource"] != "events"
        )  # fmt: skip

    def members(self, app: str, namespace: str) -> dict[Identity, Body]:
        """Return objects of any kind, anywhere, whose label for this app our Apply entry owns."""
        set_id = SetIdentity(app, namespace).id
        objects = self._list([kind.path() for kind in self.kinds], f"?labelSelector={_PART_OF}={set_id}")
        return {who: body for who, body in objects if _ours(body)}

    def others(self, namespace: str) -> dict[Identity, str]:
        """Return the resourceVersions of objects in a namespace that nobody here applied and no controller keeps."""
        paths = [kind.path(namespace) for kind in self.kinds if kind.namespaced]
        return {
            who: body["metadata"]["resourceVersion"]
            for who, body in self._list(paths, "")
            if not any(entry["manager"] == "plumb" for entry in body["metadata"].get("managedFields") or ())
            and not body["metadata"].get("ownerReferences")
        }

    def parent_kinds(self, app: str, namespace: str) -> set[str]:
        """Return the kinds in which the app's parent says that members may be; none where there is no parent."""
        path = f"/api/v1/namespaces/{namespace}/configmaps/{quote(f'plumb-{app}')}"
        annotations = self._get([path])[0].get("metadata", {}).get("annotations") or {}
        return {kind.split(".")[0] for kind in annotations.get(_GROUP_KINDS, "").split(",") if kind}

    def wrong(self, app: str, namespace: str, render: Iterable[Body]) -> list[str]:
        """Return how the app's members differ from what Git says; empty where they do not, inventory included."""
        live = self.members(app, namespace)
        wanted = {
            (b["kind"], b["metadata"].get("namespace", namespace), b["metadata"]["name"]): b for b in render
        }
        differences = [f"{' '.join(who)} is missing" for who in sorted(wanted.keys() - live.keys())]
        differences += [f"{' '.join(who)} is left over" for who in sorted(live.keys() - wanted.keys())]
        for who in sorted(wanted.keys() & live.keys()):
            differences += [f"{' '.join(who)}: {path}" for path in _differences(wanted[who], live[who])]
        listed, kinds = self.parent_kinds(app, namespace), {kind for kind, _namespace, _name in wanted}
        return (
            differences
            if listed == kinds
            else [*differences, f"the parent lists the kinds {listed}, not {kinds}"]
        )

    def _list(self, paths: Sequence[str], query: str) -> Iterator[tuple[Identity, Body]]:
        for listed in self._get([path + query for path in paths]):
            kind = listed["kind"].removesuffix("List")
            for item in listed["items"]:
                yield (
                    (kind, item["metadata"].get("namespace", ""), item["metadata"]["name"]),
                    {"apiVersion": listed["apiVersion"], "kind": kind, **item},
                )

    def _get(self, targets: Sequence[str], accept: str = "application/json") -> list[Body]:
        shares = [targets[start::_LISTENERS] for start in range(min(_LISTENERS, len(targets)))]
        with ThreadPoolExecutor(_LISTENERS) as pool:
            return [
                body
                for bodies in pool.map(lambda share: self._request(share, accept), shares)
                for body in bodies
            ]

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.sandbox.ca_file))

    @cached_property
    def _token(self) -> str:
        users = yaml.safe_load(self.sandbox.kubeconfig.read_text(encoding="utf-8"))["users"]
        return str(users[0]["user"]["token"])

    def _request(self, targets: Sequence[str], accept: str) -> list[Body]:
        address = urlsplit(self.sandbox.server)
        connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, context=self._tls, timeout=60
        )
        headers = {"Authorization": f"Bearer {self._token}", "Accept": accept}
        bodies = []
        try:
            for target in targets:
                connection.request("GET", target, headers=headers)
                bodies.append(json.loads(connection.getresponse().read()))
        finally:
            connection.close()
        return bodies


def _ours(body: Body) -> bool:
    return any(
        f"f:{_PART_OF}" in entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:labels", {})
        for entry in body["metadata"].get("managedFields") or ()
        if (entry["manager"], entry["operation"]) == ("plumb", "Apply")
    )


def _differences(wanted: Any, live: Any, path: str = "") -> Iterator[str]:
    """Yield where live lacks something wanted; and what `data` holds that is not wanted."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for key, value in wanted.items():
            if key in live:
                yield from _differences(value, live[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is missing"
        if path == ".data":
            yield from (f"{path}.{key} is left over" for key in live.keys() - wanted.keys())
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for index, (item, live_item) in enumerate(zip(wanted, live, strict=True)):
            yield from _differences(item, live_item, f"{path}[{index}]")
    elif wanted != live:
        yield f"{path} is {live!r}, not {wanted!r}"
