# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery of a server's kinds: two requests for the aggregated form; one for each version where it has none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .discovery import ApiResource, Discovery
from .errors import ServerFailure, UnknownApi
from .requests.api_errors import Target
from .requests.transport import Request, Transport
from .requests.workers import Workers

_AGGREGATED = "APIGroupDiscoveryList"
_ACCEPT = ",".join(
    [
        *(
            f"application/json;g=apidiscovery.k8s.io;v={version};as={_AGGREGATED}"
            for version in ("v2", "v2beta1")
        ),
        "application/json",
    ]
)


def discover(transport: Transport, workers: Workers, server: str) -> Discovery:
    """Return all kinds at all versions. A group whose own server does not answer is named as incomplete."""

    def get(path: str, accept: str = _ACCEPT) -> Mapping[str, Any]:
        target = Target(subject=server, operation=f"asking which kinds it knows ({path})")
        return transport.exchange(Request(method="GET", path=path, target=target, accept=accept))

    def get_version(version: tuple[str, str]) -> Mapping[str, Any] | None:
        group, name = version
        try:
            return get(f"/apis/{group}/{name}" if group else f"/api/{name}", "application/json")
        except (ServerFailure, UnknownApi):
            return None

    core, named = workers.map(get, ["/api", "/apis"])
    if core.get("kind") == _AGGREGATED and named.get("kind") == _AGGREGATED:
        return _read_aggregated([*_list(core, "items"), *_list(named, "items")])
    versions = [("", str(version)) for version in core.get("versions") or ()] + list(_group_versions(named))
    return _read_single(versions, workers.map(get_version, versions))


def _list(value: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return [item for item in value.get(key) or () if isinstance(item, Mapping)]


def _read_aggregated(groups: Iterable[Mapping[str, Any]]) -> Discovery:
    """Return the kinds of APIGroupDiscovery objects (`apidiscovery.k8s.io`); versions come in order of preference."""
    resources: list[ApiResource] = []
    incomplete: list[str] = []
    for group in groups:
        name = str((group.get("metadata") or {}).get("name") or "")
        for version in _list(group, "versions"):
            if version.get("freshness") == "Stale":
                incomplete.append(name)
            for resource in _list(version, "resources"):
                answer = resource.get("responseKind") or {}
                if resource.get("verbs") and answer.get("kind"):
                    resources.append(
                        ApiResource(
                            group=name,
                            version=str(version["version"]),
                            kind=str(answer["kind"]),
                            plural=str(resource["resource"]),
                            namespaced=resource.get("scope") == "Namespaced",
                            verbs=frozenset(map(str, resource["verbs"])),
                        )
                    )
    return Discovery(resources, incomplete)


def _group_versions(groups: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield group and version of an APIGroupList, each group's preferred version first."""
    for group in _list(groups, "groups"):
        preferred = str((group.get("preferredVersion") or {}).get("version") or "")
        versions = [str(version["version"]) for version in _list(group, "versions")]
        for version in sorted(versions, key=lambda version: version != preferred):
            yield str(group["name"]), version


def _read_single(versions: list[tuple[str, str]], documents: Iterable[Mapping[str, Any] | None]) -> Discovery:
    """Return the kinds of one APIResourceList for each version; None for one that could not be read."""
    resources: list[ApiResource] = []
    incomplete: list[str] = []
    for (group, version), document in zip(versions, documents, strict=True):
        if document is None:
            incomplete.append(group)
            continue
        resources += [
            ApiResource(
                group=group,
                version=version,
                kind=str(resource["kind"]),
                plural=str(resource["name"]),
                namespaced=bool(resource.get("namespaced")),
                verbs=frozenset(map(str, resource.get("verbs") or ())),
            )
            for resource in _list(document, "resources")
            if "/" not in str(resource["name"])  # a subresource
        ]
    return Discovery(resources, incomplete)
