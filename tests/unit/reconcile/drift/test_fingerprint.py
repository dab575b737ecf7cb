# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change of an object's metadata can mean: nothing, something that a run may have done, or somebody's doing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind
from ansible_collections.plumb.gitops.plugins.module_utils.model.well_known import PART_OF
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.applyset.inventory import ID_LABEL
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.drift.fingerprint import (
    Fingerprint,
    Movement,
    fingerprint,
    movement,
)
from ansible_collections.plumb.gitops.tests.unit.reconcile.managed import entry

Body = dict[str, Any]

DEPLOYMENT, CONFIG_MAP = GroupKind("apps", "Deployment"), GroupKind("", "ConfigMap")
SLICE = GroupKind("discovery.k8s.io", "EndpointSlice")
T0, T1 = "2026-11-24T05:00:00Z", "2026-11-24T05:00:07Z"
OURS = {
    "f:metadata": {"f:labels": {f"f:{PART_OF}": {}, "f:team": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:template": {"f:spec": {"f:containers": {'k:{"name":"main"}': {"f:image": {}}}}},
    },
}
STATUS: dict[str, Any] = {"f:status": {"f:replicas": {}, "f:readyReplicas": {}}}


def containers(fields: dict[str, Any]) -> dict[str, Any]:
    return {"f:spec": {"f:template": {"f:spec": {"f:containers": fields}}}}


def body(**more: Any) -> Body:
    """A Deployment as it is after our apply and the first rollout."""
    metadata = {
        "name": "cart",
        "namespace": "shop",
        "uid": "1",
        "resourceVersion": "100",
        "generation": 1,
        "labels": {PART_OF: "set", "team": "a"},
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "managedFields": [
            entry("plumb", "Apply", copy.deepcopy(OURS), time=T0),
            entry(
                "kube-controller-manager",
                "Update",
                {
                    "f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}},
                    **copy.deepcopy(STATUS),
                },
                subresource="status",
                time=T0,
            ),
        ],
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {**metadata, **more}}


def moved(item: Body, *, generation: bool = False) -> None:
    metadata = item["metadata"]
    metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
    metadata["generation"] += generation


def ours(item: Body) -> Body:
    entry: Body = item["metadata"]["managedFields"][0]
    return entry


def status(item: Body) -> None:
    item["metadata"]["managedFields"][1]["time"] = T1
    item["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "2"
    moved(item)


def same_second_status(item: Body) -> None:
    item["metadata"]["managedFields"][1]["fieldsV1"]["f:status"]["f:unavailableReplicas"] = {}
    moved(item)


def edit(item: Body) -> None:
    """`kubectl edit`: the field is theirs then."""
    del ours(item)["fieldsV1"]["f:spec"]["f:template"]
    theirs: dict[str, Any] = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"main"}': {"f:image": {}}}}}}
    }
    item["metadata"]["managedFields"].append(entry("kubectl-edit", "Update", theirs, time=T1))
    moved(item, generation=True)


def scale(item: Body) -> None:
    """`kubectl scale` leaves no time."""
    del ours(item)["fieldsV1"]["f:spec"]["f:replicas"]
    theirs: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    item["metadata"]["managedFields"].append(entry("kubectl", "Update", theirs, subresource="scale"))
    moved(item, generation=True)


def add_container(item: Body) -> None:
    theirs: dict[str, Any] = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"spy"}': {"f:image": {}}}}}}
    }
    item["metadata"]["managedFields"].append(entry("kubectl-patch", "Update", theirs, time=T1))
    moved(item, generation=True)


def remove_field(item: Body) -> None:
    """Whoever removes leaves no entry, and our entry keeps its time."""
    del ours(item)["fieldsV1"]["f:spec"]["f:replicas"]
    moved(item, generation=True)


def remove_our_label(item: Body) -> None:
    del ours(item)["fieldsV1"]["f:metadata"]["f:labels"]["f:team"]
    del item["metadata"]["labels"]["team"]
    moved(item)


def wipe(item: Body) -> None:
    item["metadata"]["managedFields"] = [{}]
    moved(item)


def add_finalizer_without_entry(item: Body) -> None:
    item["metadata"]["finalizers"] = ["example.com/hold"]
    moved(item)


def apply_under_our_name(item: Body) -> None:
    """Another value under the manager's name `plumb`: the claim is as it was."""
    ours(item)["time"] = T1
    moved(item, generation=True)


def our_apply(item: Body) -> None:
    """A new manifest: one field less."""
    del ours(item)["fieldsV1"]["f:spec"]["f:replicas"]
    ours(item)["time"] = T1
    moved(item, generation=True)


def delete_softly(item: Body) -> None:
    item["metadata"]["deletionTimestamp"] = T1
    moved(item, generation=True)


def recreate(item: Body) -> None:
    item["metadata"]["uid"] = "2"
    ours(item)["time"] = T1
    moved(item)


def another_set(item: Body) -> None:
    item["metadata"]["labels"][PART_OF] = "other"
    moved(item)


def restart(item: Body) -> None:
    """`kubectl rollout restart` may; that a run looks because of the generation costs little."""
    path: dict[str, Any] = {
        "f:spec": {
            "f:template": {"f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/restartedAt": {}}}}
        }
    }
    item["metadata"]["managedFields"].append(entry("kubectl-rollout", "Update", path, time=T1))
    moved(item, generation=True)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (moved, Movement.NONE),
        (status, Movement.NONE),
        (same_second_status, Movement.NONE),
        (edit, Movement.FOREIGN),
        (scale, Movement.FOREIGN),
        (add_container, Movement.FOREIGN),
        (remove_field, Movement.FOREIGN),
        (remove_our_label, Movement.FOREIGN),
        (wipe, Movement.FOREIGN),
        (add_finalizer_without_entry, Movement.PLAIN),
        (apply_under_our_name, Movement.PLAIN),
        (our_apply, Movement.PLAIN),
        (delete_softly, Movement.PLAIN),
        (recreate, Movement.PLAIN),
        (another_set, Movement.PLAIN),
        (restart, Movement.PLAIN),
    ],
)
def test_what_a_change_means(change: Callable[[Body], None], what: Movement) -> None:
    before, after = body(), body()
    change(after)
    assert movement(_print(before), _print(after)) is what


@pytest.mark.parametrize("change", [edit, scale, add_container])
def test_what_we_take_back_is_no_one_elses_doing(change: Callable[[Body], None]) -> None:
    edited, reverted = body(), body()
    change(edited)
    change(reverted)
    theirs = reverted["metadata"]["managedFields"].pop()
    reverted["metadata"]["managedFields"][0] = entry("plumb", "Apply", OURS, time=T1)
    moved(reverted, generation=True)
    assert theirs["manager"] != "plumb"
    assert movement(_print(edited), _print(reverted)) is Movement.PLAIN


def test_what_is_left_to_others_when_we_take_a_part_is_no_one_elses_doing() -> None:
    edited, reverted = body(), body()
    for item in (edited, reverted):
        edit(item)
        add_container(item)
        theirs = item["metadata"]["managedFields"][-1]
        theirs["fieldsV1"] = {"f:data": {"f:a": {}, "f:b": {}}}
    reverted["metadata"]["managedFields"][-1]["fieldsV1"] = {"f:data": {"f:a": {}}}
    ours(reverted)["time"] = T1
    moved(reverted)
    assert movement(_print(edited), _print(reverted)) is Movement.PLAIN


def test_whoever_writes_again_what_is_his_shows_by_the_time() -> None:
    before, after = body(), body()
    for item, time in ((before, T0), (after, T1)):
        theirs = entry("operator", "Update", {"f:data": {"f:a": {}}}, time=time)
        item["metadata"]["managedFields"].append(theirs)
    moved(after)
    assert movement(_print(before), _print(after)) is Movement.FOREIGN


def config_map(version: str, *, our_time: str = T0, status_time: str = "") -> Fingerprint:
    """Of a kind without a generation."""
    item = body(resourceVersion=version)
    entries = item["metadata"]["managedFields"]
    entries[0]["time"] = our_time
    if status_time:
        entries[1]["time"] = status_time
    else:
        del entries[1]
    return fingerprint(item, CONFIG_MAP)


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (config_map("1"), config_map("1"), Movement.NONE),
        # Another value under our own name within the second of our apply: only the version shows it.
        (config_map("1"), config_map("2"), Movement.PLAIN),
        (config_map("1"), config_map("2", our_time=T1), Movement.PLAIN),
        (config_map("1", status_time=T0), config_map("2", status_time=T1), Movement.NONE),
        # Two writes of a status within a second.
        (config_map("1", status_time=T1), config_map("2", status_time=T1), Movement.NONE),
        (
            config_map("1", our_time=T1, status_time=T0),
            config_map("2", our_time=T1, status_time=T0),
            Movement.PLAIN,
        ),
    ],
)
def test_a_kind_without_a_generation_moves_with_its_version_unless_that_was_status(
    before: Fingerprint, after: Fingerprint, what: Movement
) -> None:
    assert movement(before, after) is what


def test_objects_come_and_go() -> None:
    present = _print(body())
    assert movement(None, present) is Movement.PLAIN
    assert movement(present, None) is Movement.PLAIN
    assert movement(None, None) is Movement.NONE


def test_an_object_that_only_bears_our_label_is_told_once_and_not_where_it_is_inherited() -> None:
    item = body()
    item["metadata"]["managedFields"] = item["metadata"]["managedFields"][1:]
    later = copy.deepcopy(item)
    moved(later, generation=True)
    assert movement(None, _print(item)) is Movement.FOREIGN
    assert movement(_print(item), _print(later)) is Movement.NONE
    assert movement(_print(item), None) is Movement.NONE
    assert movement(None, fingerprint(item, SLICE)) is Movement.NONE


def test_a_first_apply_on_an_object_without_entries_is_ours() -> None:
    """The server then makes up an entry for whoever wrote before."""
    before, after = body(), body()
    before["metadata"]["managedFields"] = [{}]
    nobody = entry("before-first-apply", "Update", {"f:spec": {"f:replicas": {}}}, time=T1)
    after["metadata"]["managedFields"].append(nobody)
    moved(after)
    assert movement(_print(before), _print(after)) is Movement.PLAIN


def test_a_parent_is_told_by_its_own_label() -> None:
    item = body(labels={ID_LABEL: "set"})
    assert (_print(item).set_id, _print(item).member) == ("set", True)


def test_a_fingerprint_is_small_and_holds_no_content() -> None:
    assert "team" not in repr(_print(body()))
    assert "image" not in repr(_print(body()))


def _print(item: Body) -> Fingerprint:
    return fingerprint(item, DEPLOYMENT)
