# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app wants of a cluster: namespace, label and digest, and what of it cannot be used."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind, Manifest
from ansible_collections.plumb.gitops.plugins.module_utils.model.well_known import PART_OF
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.manifests import (
    DefinedKind,
    DesiredObject,
    DesiredObjects,
    applied_digest,
    defined_kinds,
    desired_objects,
    digest_of_all,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.managed_fields import DIGEST
from ansible_collections.plumb.gitops.tests.unit.reconcile.samples import DISCOVERY, app, manifest

CRD = manifest(
    "CustomResourceDefinition",
    "widgets.example.com",
    version="apiextensions.k8s.io/v1",
    spec={
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Widget"},
        "versions": [{"name": "v1"}, {"name": "v2"}],
    },
)


def made(*manifests: Manifest, **options: Any) -> DesiredObjects:
    return desired_objects(app(**options), "applyset-x-v1", manifests, DISCOVERY, defined_kinds(manifests))


def test_label_digest_and_namespace_are_filled_in_and_nothing_is_changed_in_place() -> None:
    source = manifest("ConfigMap", "flags", data={"a": "1"})
    before = deepcopy(source)
    (wanted,) = made(source).wanted
    assert source == before
    assert wanted.body["metadata"] == {
        "name": "flags",
        "namespace": "shop",
        "labels": {PART_OF: "applyset-x-v1"},
        "annotations": {DIGEST: wanted.digest},
    }
    assert str(wanted.ref) == "ConfigMap shop/flags"
    assert applied_digest(wanted.body) == wanted.digest


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (manifest("ConfigMap", "a"), "ConfigMap shop/a"),
        (manifest("ConfigMap", "a", namespace="other"), "ConfigMap other/a"),
        (manifest("Namespace", "a"), "Namespace a"),
        (manifest("Namespace", "a", namespace="other"), "Namespace a"),
    ],
)
def test_which_namespace_an_object_comes_to(source: Manifest, shown: str) -> None:
    (wanted,) = made(source).wanted
    assert str(wanted.ref) == shown
    assert wanted.body["metadata"].get("namespace", "") == wanted.ref.namespace


def test_the_digest_is_of_what_is_said() -> None:
    def digest(source: Manifest, **options: Any) -> str:
        (wanted,) = made(source, **options).wanted
        return wanted.digest

    digest_of_source = digest(manifest("ConfigMap", "a", data={"x": "1", "y": "2"}))
    assert len(digest_of_source) == 32
    assert digest(manifest("ConfigMap", "a", data={"y": "2", "x": "1"})) == digest_of_source, (
        "key order says nothing"
    )
    assert digest(manifest("ConfigMap", "a", namespace="shop", data={"x": "1", "y": "2"})) == digest_of_source
    assert digest(manifest("ConfigMap", "a", data={"x": "1", "y": "3"})) != digest_of_source
    assert (
        digest(manifest("ConfigMap", "a", data={"x": "1", "y": "2"}), namespace="other") != digest_of_source
    )
    assert digest(manifest("ConfigMap", "a", data={"x": 1})) != digest(
        manifest("ConfigMap", "a", data={"x": True})
    )


def test_the_digest_of_all_is_of_the_whole_app() -> None:
    first, second = manifest("ConfigMap", "a"), manifest("ConfigMap", "b")
    assert digest_of_all(made(first, second).wanted) == digest_of_all(made(second, first).wanted)
    assert digest_of_all(made(first).wanted) != digest_of_all(made(first, second).wanted)


def test_the_digest_of_all_gives_no_guess_of_a_secret_away() -> None:
    def digest(kind: str, value: str) -> str:
        source = manifest(kind, "a", data={"x": value})
        return digest_of_all(
            [
                DesiredObject(
                    source.ref,
                    source.body,
                    source.digest,
                    source.origin,
                )
            ]
        )

    assert digest("Secret", "MQ==") == digest("Secret", "Mg==")
    assert digest("ConfigMap", "MQ==") != digest("ConfigMap", "Mg==")


def test_two_manifests_that_come_to_one_identity_are_an_error() -> None:
    with pytest.raises(RenderError) as caught:
        made(manifest("ConfigMap", "a"), manifest("ConfigMap", "a", namespace="shop"))
    assert "ConfigMap shop/a is defined in a.yaml:1 and in a.yaml:1" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "options", "why"),
    [
        (manifest("Deploymnt", "a", version="apps/v1"), {}, "Did you mean apps/v1 Deployment?"),
        (manifest("Deployment", "a", version="apps/v1beta1"), {}, "Did you mean apps/v1 Deployment?"),
        (manifest("Zebra", "a", version="zoo.example.com/v1"), {}, "Apply its CustomResourceDefinition"),
        (manifest("ConfigMap", "a"), {"namespace": ""}, "names no namespace and the app has none"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused_alone(
    source: Manifest, options: dict[str, Any], why: str
) -> None:
    desired = made(source, manifest("Namespace", "fine"), **options)
    assert [wanted.ref.name for wanted in desired.wanted] == ["fine"]
    (refused,) = desired.refused
    assert why in refused.reason
    assert "a.yaml:1" in refused.reason


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (manifest("Deployment", "a", version="apps/v1beta1"), "Deployment shop/a"),
        (manifest("Deployment", "a", version="apps/v1beta1", namespace="other"), "Deployment other/a"),
        (manifest("Zebra", "a", version="zoo.example.com/v1"), "Zebra shop/a"),
    ],
)
def test_a_refused_manifest_stands_for_the_object_it_means(source: Manifest, shown: str) -> None:
    """So that neither this app nor another prunes what is live of it."""
    desired = made(source)
    assert [str(ref) for ref in desired.refs] == [str(action.ref) for action in desired.refused] == [shown]


def test_a_kind_that_comes_with_its_crd_is_known() -> None:
    desired = made(manifest("Widget", "w", version="example.com/v2"), CRD)
    # The CRD itself is unknown to this sparse cluster; its objects are known by it.
    assert [str(wanted.ref) for wanted in desired.wanted] == ["Widget shop/w"]
    (refused,) = made(manifest("Widget", "w", version="example.com/v3"), CRD).refused[:1]
    assert "does not know example.com/v3 Widget" in refused.reason


@pytest.mark.parametrize(
    "spec",
    [
        None,
        {},
        {"names": None, "versions": None},
        {"versions": ["v1"]},
        "text",
        ["x"],
        {"names": "x", "versions": 5},
    ],
)
def test_a_crd_that_says_nothing_defines_nothing_usable(spec: Any) -> None:
    crd = manifest("CustomResourceDefinition", "x", version="apiextensions.k8s.io/v1", spec=spec)
    assert defined_kinds([crd]) == {GroupKind("", ""): DefinedKind(namespaced=False, versions=frozenset())}


def test_the_order_is_that_of_the_work() -> None:
    desired = made(
        manifest("Service", "a"),
        manifest("Deployment", "a", version="apps/v1"),
        manifest("Namespace", "z"),
        manifest("ConfigMap", "a"),
    )
    assert [w.ref.kind for w in desired.wanted] == ["Namespace", "ConfigMap", "Service", "Deployment"]
