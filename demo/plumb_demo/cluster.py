# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the cluster by kubectl: nothing here relies on Plumb."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import CheckFailed
from .programs import run
from .sandbox import Sandbox

Object = dict[str, Any]
Name = tuple[str, str, str]  # kind, namespace, name

APPS = ("platform", "shop")
_PART_OF = "applyset.kubernetes.io/part-of"
_SET_ID = "applyset.kubernetes.io/id"
_KINDS = (
    "namespaces,priorityclasses,customresourcedefinitions,clusterroles,campaigns,configmaps,cronjobs,deployments,"
    "horizontalpodautoscalers,ingresses,jobs,networkpolicies,poddisruptionbudgets,roles,rolebindings,secrets,"
    "services,serviceaccounts,statefulsets"
)
_FIELD_MANAGER = "demo-check"  # a field manager of our own, only ever in dry-runs
_SERVER_OWNED = ("managedFields", "resourceVersion", "generation")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A sandbox's cluster, by the name that the fleet knows it by."""

    name: str
    sandbox: Sandbox

    def kubectl(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        """Run kubectl and return its output; DemoError if it fails."""
        named = ("--kubeconfig", str(self.sandbox.kubeconfig), "--context", self.sandbox.context)
        return run(("kubectl", *named, *words), stdin=stdin, env=env)

    def get(self, kind: str, name: str, namespace: str = "shop") -> Object | None:
        """Return one object, or None if the cluster does not have it."""
        output = self.kubectl(
            "get", kind, name, "--namespace", namespace, "--ignore-not-found", "--output", "json"
        )
        return dict(json.loads(output)) if output.strip() else None

    def list_objects(self, kinds: str, *words: str) -> list[Object]:
        """Return the objects of kinds; WORDS are kubectl's, such as a selector."""
        return list(json.loads(self.kubectl("get", kinds, "--output", "json", *words))["items"])

    def members(self) -> dict[Name, Object]:
        """Return everything in the cluster that carries the label of a member of one of the two apps' sets."""
        parents = self.list_objects("configmaps", "--all-namespaces", "--selector", _SET_ID)
        names = {f"plumb-{app}" for app in APPS}
        sets = [each["metadata"]["labels"][_SET_ID] for each in parents if each["metadata"]["name"] in names]
        if not sets:
            return {}
        chosen = f"{_PART_OF} in ({','.join(sorted(sets))})"
        objects = self.list_objects(_KINDS, "--all-namespaces", "--selector", chosen)
        return {name_of(each): each for each in objects}

    def differing(self, desired: Sequence[Object]) -> list[str]:
        """Return which of these objects are not in the cluster as written.

        The API server itself answers: a server-side dry-run of each one under a field manager of our own, compared
        with what is there. Nothing is stored.
        """
        stream = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(desired)})
        live = {
            name_of(each): each
            for each in _items(self.kubectl("get", *_STREAM, "--ignore-not-found", stdin=stream))
        }
        missing = [each for each in desired if name_of(each) not in live]
        if missing:
            return [f"{_text_of(name_of(each))} is not there" for each in missing]
        words = (
            "apply",
            "--server-side",
            "--dry-run=server",
            "--force-conflicts",
            "--field-manager",
            _FIELD_MANAGER,
        )
        wanted = _items(self.kubectl(*words, *_STREAM, stdin=stream))
        return [
            _text_of(name_of(each))
            for each in wanted
            if _comparable(each) != _comparable(live[name_of(each)])
        ]


_STREAM = ("--filename", "-", "--output", "json")


def _items(output: str) -> list[Object]:
    """Parse kubectl's output: one object, a List, or nothing."""
    if not output.strip():
        return []
    parsed = json.loads(output)
    return list(parsed["items"]) if parsed["kind"] == "List" else [parsed]


def name_of(body: Object) -> Name:
    """Return kind, namespace and name of an object."""
    return (body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"])


def _text_of(name: Name) -> str:
    kind, namespace, own = name
    return f"{kind} {namespace}/{own}" if namespace else f"{kind} {own}"


def _comparable(body: Object) -> Object:
    """Return an object without what the server keeps for itself and without its status."""
    metadata = {key: value for key, value in body["metadata"].items() if key not in _SERVER_OWNED}
    return {**{key: value for key, value in body.items() if key != "status"}, "metadata": metadata}


def changed_objects(before: Mapping[Name, Object], after: Mapping[Name, Object]) -> list[str]:
    """Return the objects of which anything but their status has changed, or that came or went."""
    changed = [
        _text_of(name)
        for name in sorted(before.keys() & after.keys())
        if before[name]["metadata"]["resourceVersion"] != after[name]["metadata"]["resourceVersion"]
        and _comparable(before[name]) != _comparable(after[name])
    ]
    return changed + [_text_of(name) for name in sorted(before.keys() ^ after.keys())]


def render(folder: Path) -> list[Object]:
    """Return the objects of a folder of the shop: a kustomization as kubectl builds it, or plain YAML."""
    if (folder / "kustomization.yaml").exists():
        text = run(("kubectl", "kustomize", str(folder)))
    else:
        text = "\n---\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml")))
    return [dict(each) for each in yaml.safe_load_all(text) if each]


def wait_until(what: str, holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Call HOLDS every half second until it is true; CheckFailed after SECONDS."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise CheckFailed(f"{what}: not so after {seconds:.0f} s")
        time.sleep(0.5)
