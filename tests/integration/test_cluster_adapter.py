# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster adapter on a real API server: its answers are what the tables of errors and verbs are made from."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster import errors
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.discovery import ApiResource
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.api_status import Conflict
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

Body = dict[str, Any]
POD = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "c:1"}]}}


@pytest.fixture
def cluster(sandbox: Sandbox) -> Iterator[Cluster]:
    with connect(ConnectionSpec(kubeconfig=sandbox.kubeconfig, context=sandbox.context)) as connected:
        yield connected


@pytest.fixture
def group() -> str:
    """An API group that nobody else has."""
    return f"t{uuid.uuid4().hex[:8]}.example.com"


@pytest.fixture
def kind(cluster: Cluster) -> Callable[[str, str], ApiResource]:
    """The resource of an apiVersion and kind that is there."""

    def find(api_version: str, name: str) -> ApiResource:
        resource = cluster.rediscover().find(api_version, name)
        assert resource is not None
        return resource

    return find


@pytest.fixture
def apply(cluster: Cluster, kind: Callable[[str, str], ApiResource], namespace: str) -> Callable[..., Body]:
    """Apply one object, in the test's namespace unless it says otherwise."""

    def run(body: Body, *, manager: str = "plumb", force: bool = False, dry_run: bool = False) -> Body:
        resource = kind(body["apiVersion"], body["kind"])
        metadata = {"namespace": namespace, **body["metadata"]} if resource.namespaced else body["metadata"]
        whole = {**body, "metadata": metadata}
        return cluster.apply(resource, whole, field_manager=manager, force=force, dry_run=dry_run)

    return run


def config_map(name: str = "a", /, data: Body | None = None, **metadata: Any) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        "data": data or {},
    }


def secret(**fields: Any) -> Body:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, **fields}


def deployment(**spec: Any) -> Body:
    whole = {"replicas": 0, "selector": {"matchLabels": {"app": "d"}}, "template": POD, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": whole}


def crd(group: str) -> Body:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def precondition(body: Body) -> dict[str, str]:
    """What a delete of this live object is told."""
    metadata = body["metadata"]
    return {
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "uid": metadata["uid"],
        "resource_version": metadata["resourceVersion"],
    }


def until(condition: Callable[[], Any]) -> Any:
    """Ask until the answer is true: for what controllers do in their own time."""
    for _ in range(300):
        if answer := condition():
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def deleted(cluster: Cluster, resource: ApiResource, name: str) -> bool:
    """Delete an object that controllers write to as well; true when it is gone."""
    live = cluster.get(resource, namespace="", name=name)
    if live is not None and "deletionTimestamp" not in live["metadata"]:
        with contextlib.suppress(errors.StaleVersion):
            cluster.delete(resource, **precondition(live), dry_run=False, propagation="Background")
    return live is None


def test_discovery_takes_two_requests_and_knows_the_built_in_kinds(cluster):
    discovery = cluster.discover()
    assert cluster.requests.reads == 2
    assert discovery.find("apps/v1", "Deployment").namespaced
    assert not discovery.find("v1", "Namespace").namespaced
    assert discovery.of(GroupKind("autoscaling", "HorizontalPodAutoscaler")).version == "v2"
    assert {"ConfigMap", "Deployment", "ClusterRole"} <= {resource.kind for resource in discovery.listable()}
    assert "Scale" not in {resource.kind for resource in discovery.listable()}
    assert discovery.nearest("apps/v1beta1", "Deployment") == ["apps/v1 Deployment"]


def test_a_group_whose_server_is_down_is_incomplete_and_breaks_nothing(cluster, apply, group, kubectl):
    name = f"v1.{group}"
    apply(
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": name},
            "spec": {
                "group": group,
                "version": "v1",
                "groupPriorityMinimum": 100,
                "versionPriority": 10,
                "insecureSkipTLSVerify": True,
                "service": {"namespace": "default", "name": "nowhere"},
            },
        }
    )
    try:
        discovery = until(
            lambda: group in (discovery := cluster.rediscover()).incomplete_groups and discovery
        )
        assert discovery.find("apps/v1", "Deployment") is not None
    finally:
        kubectl("delete", "apiservice", name)  # no namespace is deleted while a group is down


def test_a_new_kind_is_found_when_asked_anew_and_its_fields_are_checked(cluster, apply, group, namespace):
    cluster.discover()
    definition = apply(crd(group))
    assert cluster.discover().find(f"{group}/v1", "Widget") is None
    until(lambda: cluster.rediscover().find(f"{group}/v1", "Widget"))
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    live = apply(widget)
    assert live["spec"] == {"size": 1}
    with pytest.raises(errors.ServerFailure, match="not declared in schema") as caught:
        apply({**widget, "spec": {"sise": 1}})
    assert caught.value.permanent
    resource = cluster.discover().find(f"{group}/v1", "Widget")
    assert cluster.list(resource, namespace=namespace).items[0]["kind"] == "Widget"
    plural = cluster.discover().find("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    until(lambda: deleted(cluster, plural, definition["metadata"]["name"]))
    with pytest.raises(errors.UnknownApi):
        until(lambda: cluster.get(resource, namespace=namespace, name="w") and False)


def test_an_object_is_applied_read_listed_and_deleted(cluster, apply, kind, namespace):
    resource = kind("v1", "ConfigMap")
    live = apply(config_map(data={"k": "v"}, labels={"x": "y"}))
    assert cluster.get(resource, namespace=namespace, name="a")["data"] == {"k": "v"}
    assert cluster.get(resource, namespace=namespace, name="b") is None
    assert cluster.get(resource, namespace="no-such-namespace", name="a") is None
    listing = cluster.list(resource, namespace=namespace, label_selector="x=y")
    assert [(item["kind"], item["metadata"]["name"]) for item in listing.items] == [("ConfigMap", "a")]
    assert int(listing.resource_version) >= int(live["metadata"]["resourceVersion"])
    (partial,) = cluster.list(resource, namespace=namespace, label_selector="x=y", metadata_only=True).items
    assert partial.keys() == {"apiVersion", "kind", "metadata"}
    assert partial["metadata"]["managedFields"][0]["manager"] == "plumb"
    assert cluster.delete(resource, **precondition(live), dry_run=True) is True
    assert cluster.delete(resource, **precondition(live), dry_run=False, propagation="Background") is True
    assert cluster.delete(resource, **precondition(live), dry_run=False, propagation="Background") is False


def test_a_list_longer_than_a_page_is_whole(cluster, apply, kind, namespace):
    resource = kind("v1", "ConfigMap")
    before = cluster.requests.reads
    cluster.map(
        lambda number: cluster.apply(
            resource,
            config_map(f"c{number}", namespace=namespace, labels={"many": "yes"}),
            field_manager="plumb",
            force=False,
        ),
        range(501),
    )
    listing = cluster.list(resource, namespace=namespace, label_selector="many=yes", metadata_only=True)
    assert {item["metadata"]["name"] for item in listing.items} == {f"c{number}" for number in range(501)}
    assert cluster.requests.reads == before + 2


def test_text_survives_the_servers_yaml_parser(apply):
    """The body of an apply is JSON that is read as YAML: each character, and texts that YAML takes for other types."""
    every = "".join(
        map(chr, [*range(0x300), 0x2028, 0x2029, 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF, 0x1F680, 0x10FFFF])
    )
    data = {"every": every, "no": "no", "null": "~", "float": "1e3", "octal": "0777", "date": "2026-01-01"}
    assert apply(config_map(data=data))["data"] == data


def test_fields_that_others_hold_conflict_unless_forced(apply, cluster, kind, namespace):
    apply(deployment())
    with pytest.raises(errors.ManagerConflict) as caught:
        apply(deployment(replicas=1), manager="argocd")
    assert caught.value.conflicts == (Conflict("plumb", "", True, "spec.replicas"),)
    cluster.json_patch(
        kind("apps/v1", "Deployment"),
        namespace=namespace,
        name="d",
        operations=[{"op": "replace", "path": "/spec/replicas", "value": 2}],
        field_manager="kubectl-edit",
    )
    with pytest.raises(errors.ManagerConflict, match=r"kubectl-edit changed spec\.replicas") as caught:
        apply(deployment())
    assert caught.value.conflicts == (Conflict("kubectl-edit", "", False, "spec.replicas"),)
    assert apply(deployment(), force=True, dry_run=True)["spec"]["replicas"] == 0
    assert cluster.get(kind("apps/v1", "Deployment"), namespace=namespace, name="d")["spec"]["replicas"] == 2
    assert apply(deployment(), force=True)["spec"]["replicas"] == 0


def test_what_moved_on_is_stale(apply, cluster, kind, namespace):
    resource = kind("v1", "ConfigMap")
    old = apply(config_map(data={"k": "1"}))
    version = old["metadata"]["resourceVersion"]
    apply(config_map(data={"k": "2"}))
    with pytest.raises(errors.StaleVersion):
        apply(config_map(data={"k": "3"}, resourceVersion=version))
    with pytest.raises(errors.StaleVersion):
        cluster.delete(resource, **precondition(old))
    for op in ("test", "replace"):
        guard = {"op": op, "path": "/metadata/resourceVersion", "value": version}
        with pytest.raises(errors.StaleVersion):
            cluster.json_patch(
                resource, namespace=namespace, name="a", operations=[guard], field_manager="plumb"
            )


def test_an_object_recreated_before_its_delete_is_kept(apply, cluster, kind, namespace):
    resource = kind("v1", "ConfigMap")
    old = apply(config_map())
    assert cluster.delete(resource, **precondition(old))
    new = apply(config_map())
    with pytest.raises(errors.StaleVersion):
        cluster.delete(resource, **{**precondition(new), "uid": old["metadata"]["uid"]})
    assert cluster.get(resource, namespace=namespace, name="a") is not None


JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}}
BINDING = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "r"}}


def job(image: str) -> Body:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}
    return {**JOB, "spec": {"template": {"spec": pod}}}


def binding(role: str) -> Body:
    return {
        **BINDING,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
    }


def frozen(value: str) -> Body:
    return secret(immutable=True, stringData={"password": value})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            deployment(),
            deployment(
                selector={"matchLabels": {"app": "d", "x": "y"}},
                template={**POD, "metadata": {"labels": {"app": "d", "x": "y"}}},
            ),
        ),
        (job("a:1"), job("b:1")),
        (binding("view"), binding("edit")),
        (frozen("hunter1"), frozen("hunter2")),
        (
            {**config_map(data={"k": "1"}), "immutable": True},
            {**config_map(data={"k": "2"}), "immutable": True},
        ),
    ],
    ids=["selector", "job", "binding", "secret", "config map"],
)
def test_an_immutable_field_is_told_from_other_invalid_ones(apply, first, second):
    apply(first)
    with pytest.raises(errors.Invalid) as caught:
        apply(second, force=True)
    assert caught.value.immutable
    assert "hunter" not in str(caught.value)


def test_an_invalid_value_is_not_immutable(apply):
    with pytest.raises(errors.Invalid, match=r"spec\.replicas") as caught:
        apply(deployment(replicas=-1))
    assert not caught.value.immutable


@pytest.mark.parametrize(
    "body", [secret(data={"p": "%hunter2"}), secret(data={"p": {"hunter2": 1}}), secret(hunter2={"a": "b"})]
)
def test_a_broken_secret_fails_for_good_and_without_its_values(apply, cluster, body):
    with pytest.raises(errors.ServerFailure) as caught:
        apply(body)
    assert caught.value.permanent
    assert cluster.requests.retries == 0
    assert "hunter2" not in str(caught.value) + repr(vars(caught.value)) + repr(caught.value.answer)


@pytest.mark.parametrize(
    "body",
    [
        config_map(annotations={"a": "x" * 262_145}),
        config_map(data={"k": "x" * (1 << 20) + "x"}),
        config_map(data={"k": "x" * (3 << 20)}),
    ],
    ids=["annotations over 256 KiB", "ConfigMap over 1 MiB", "request over 3 MiB"],
)
def test_what_is_too_large_is_said_so(apply, body):
    with pytest.raises(errors.TooLarge):
        apply(body)


def test_a_namespace_that_is_missing_or_terminating_is_told(apply, cluster, kind, namespace, kubectl):
    with pytest.raises(errors.NotFound) as missing:
        apply(config_map(namespace="no-such-namespace"))
    assert missing.value.namespace_missing
    apply(config_map("held", finalizers=["example.com/hold"]))
    kubectl("delete", "namespace", namespace, "--wait=false")
    try:
        with pytest.raises(errors.NamespaceTerminating):
            until(lambda: apply(config_map("late")) and False)
    finally:
        apply(config_map("held"))


def test_a_kind_that_the_server_does_not_have_is_no_missing_object(cluster):
    """A known group answers otherwise than an unknown one; neither may read as `the object is gone`."""
    for group, version in (("nowhere.example.com", "v1"), ("apps", "v1"), ("apps", "v9")):
        resource = ApiResource(
            group=group, version=version, kind="Foo", plural="foos", namespaced=True, verbs=frozenset()
        )
        with pytest.raises(errors.UnknownApi):
            cluster.get(resource, namespace="default", name="a")
        with pytest.raises(errors.UnknownApi):
            cluster.list(resource)


def test_who_may_not_is_told_what(sandbox, kind):
    nobody = ConnectionSpec(kubeconfig=sandbox.kubeconfig_of("nobody"))
    with (
        connect(nobody) as cluster,
        pytest.raises(errors.Forbidden, match='cannot list resource "deployments"'),
    ):
        cluster.list(kind("apps/v1", "Deployment"))
    jane = ConnectionSpec(
        kubeconfig=sandbox.kubeconfig, impersonate_user="jane", impersonate_groups=("devs",)
    )
    with connect(jane) as cluster, pytest.raises(errors.Forbidden, match='User "jane"'):
        cluster.list(kind("apps/v1", "Deployment"))


def test_wrong_credentials_are_told(sandbox):
    expired = ConnectionSpec(kubeconfig=sandbox.kubeconfig, api_key="expired")
    with connect(expired) as cluster, pytest.raises(errors.Unauthorized, match="Renew the credentials"):
        cluster.discover()


def test_the_version_is_the_servers_own(cluster):
    assert cluster.version().startswith("v1.")
