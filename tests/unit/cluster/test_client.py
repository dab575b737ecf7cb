# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over the wire for each verb, and what comes back of it."""

from __future__ import annotations

import gzip
import json

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster import errors
from ansible_collections.plumb.gitops.plugins.module_utils.model.version import VERSION

BODY = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "a", "namespace": "n"},
    "data": {"k": "v"},
}


def page(names, token="", version="9"):
    items = [{"metadata": {"name": name}} for name in names]
    return {"kind": "List", "metadata": {"resourceVersion": version, "continue": token}, "items": items}


def test_a_list_is_read_in_pages_and_its_items_typed(cluster, server, says, deployment):
    server.says(says(body=page("ab", "more")), says(body=page("c")))
    listing = cluster.list(deployment, label_selector="x=y")
    assert [item["metadata"]["name"] for item in listing.items] == ["a", "b", "c"]
    assert {(item["apiVersion"], item["kind"]) for item in listing.items} == {("apps/v1", "Deployment")}
    assert listing.resource_version == "9"
    first, second = server.seen
    assert first.path == "/apis/apps/v1/deployments"
    # Without a resourceVersion it is a quorum read.
    assert first.query == {"limit": "500", "labelSelector": "x=y"}
    assert second.query == {"limit": "500", "labelSelector": "x=y", "continue": "more"}
    assert cluster.requests.reads == 2


def test_an_expired_page_begins_the_list_anew(cluster, server, says, refuses, config_map):
    gone = refuses(410, "Expired", "the provided continue parameter is too old")
    server.says(says(body=page("ab", "more")), gone, says(body=page("b", "more")), says(body=page("c")))
    listing = cluster.list(config_map, namespace="n")
    assert [item["metadata"]["name"] for item in listing.items] == ["b", "c"]
    assert "continue" not in server.seen[2].query
    assert server.seen[2].path == "/api/v1/namespaces/n/configmaps"


def test_a_list_that_keeps_expiring_ends(cluster, server, says, refuses, config_map):
    gone = refuses(410, "Expired", "too old")
    server.answer = lambda seen: gone if "continue" in seen.query else says(body=page("a", "more"))
    with pytest.raises(errors.Expired):
        cluster.list(config_map)
    assert len(server.seen) == 6


def test_metadata_alone_is_asked_for_by_the_accept_header(cluster, server, says, deployment):
    partial = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": "a"}}
    server.says(says(body={"items": [partial]}), says(body=partial))
    listed = cluster.list(deployment, metadata_only=True).items
    assert listed == [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}]
    assert cluster.get(deployment, namespace="n", name="a", metadata_only=True) == listed[0]
    asked = [seen.headers["Accept"] for seen in server.seen]
    assert asked == [
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    ]


def test_a_compressed_answer_is_read(cluster, server, says, config_map):
    body = gzip.compress(json.dumps(page("a")).encode())
    server.says(says(body=body, headers={"Content-Encoding": "gzip"}))
    assert len(cluster.list(config_map).items) == 1


def test_get_tells_a_missing_object_from_a_missing_kind(cluster, server, says, refuses, config_map):
    server.says(
        refuses(404, "NotFound", "not found", name="a", kind="configmaps"),
        says(status=404, body=b"404 page not found"),
    )
    assert cluster.get(config_map, namespace="n", name="a") is None
    with pytest.raises(errors.UnknownApi):
        cluster.get(config_map, namespace="n", name="a")


def test_apply_sends_the_body_and_names_the_manager(cluster, server, says, config_map):
    server.says(says(body=BODY), says(body=BODY))
    cluster.apply(config_map, BODY, field_manager="plumb", force=True)
    cluster.apply(config_map, BODY, field_manager="plumb", force=False, dry_run=True)
    real, dry = server.seen
    assert (real.method, real.path) == ("PATCH", "/api/v1/namespaces/n/configmaps/a")
    assert real.query == {"fieldManager": "plumb", "force": "true", "fieldValidation": "Strict"}
    assert dry.query == {
        "fieldManager": "plumb",
        "force": "false",
        "fieldValidation": "Strict",
        "dryRun": "All",
    }
    assert real.headers["Content-Type"] == "application/apply-patch+yaml"
    assert real.headers["User-Agent"] == f"plumb/{VERSION}"
    assert real.headers["Authorization"] == "Bearer sesame"
    assert real.body == BODY
    assert (cluster.requests.writes, cluster.requests.dry_runs, cluster.requests.reads) == (1, 1, 0)


def test_an_apply_into_a_missing_namespace_says_what_helps(cluster, server, refuses, config_map):
    server.says(refuses(404, "NotFound", 'namespaces "n" not found', name="n", kind="namespaces"))
    with pytest.raises(errors.NotFound, match="create_namespace") as caught:
        cluster.apply(config_map, BODY, field_manager="plumb", force=False)
    assert caught.value.namespace_missing


def test_a_json_patch_sends_its_operations(cluster, server, says, config_map):
    operations = [{"op": "test", "path": "/metadata/resourceVersion", "value": "7"}]
    server.says(says(body=BODY))
    cluster.json_patch(config_map, namespace="n", name="a", operations=operations, field_manager="plumb")
    assert server.seen[0].headers["Content-Type"] == "application/json-patch+json"
    assert server.seen[0].body == operations


def test_delete_is_of_one_version_of_one_object(cluster, server, says, config_map):
    server.says(says(body={"kind": "Status", "status": "Success"}), says(body={"kind": "Status"}))
    assert cluster.delete(config_map, namespace="n", name="a", uid="u", resource_version="7") is True
    cluster.delete(config_map, namespace="n", name="a", uid="u", resource_version="7", dry_run=True)
    real, dry = server.seen
    assert real.body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "u", "resourceVersion": "7"},
        "propagationPolicy": "Background",
    }
    assert dry.body["dryRun"] == ["All"]
    assert dry.query == {"dryRun": "All"}


@pytest.mark.parametrize(("uid", "version"), [("", "7"), ("u", "")])
def test_delete_wants_its_preconditions(cluster, server, config_map, uid, version):
    with pytest.raises(errors.BadRequest):
        cluster.delete(config_map, namespace="n", name="a", uid=uid, resource_version=version)
    assert server.seen == []


@pytest.mark.parametrize(
    ("namespace", "name"), [("n", ""), ("", "a"), ("n", ".."), ("n", "a/b"), ("..", "a"), ("n", "%2e")]
)
def test_a_name_that_would_be_another_path_is_refused(cluster, server, config_map, namespace, name):
    """An empty name would make a DELETE of the object one of the whole collection."""
    with pytest.raises(errors.BadRequest):
        cluster.delete(config_map, namespace=namespace, name=name, uid="u", resource_version="7")
    with pytest.raises(errors.BadRequest):
        cluster.get(config_map, namespace=namespace, name=name)
    assert server.seen == []


def test_names_are_quoted_and_cluster_scoped_kinds_have_no_namespace(cluster, server, says, role):
    server.says(says(body={}))
    cluster.get(role, namespace="ignored", name="system:node")
    assert server.seen[0].path == "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode"


def test_text_beyond_ascii_arrives_as_it_was(cluster, server, says, config_map):
    text = 'é 🚀 \u2028 \u0085 \x7f \ufeff \t "\\" \u0000'
    server.says(says(body={}))
    cluster.apply(config_map, {**BODY, "data": {"k": text}}, field_manager="plumb", force=False)
    assert server.seen[0].body["data"]["k"] == text


def test_version(cluster, server, says):
    server.says(says(body={"gitVersion": "v1.36.3"}))
    assert cluster.version() == "v1.36.3"
