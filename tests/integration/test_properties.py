# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the engine on a real API server, over manifests and tampering that Hypothesis draws.

The draws are the same in every run; PLUMB_DRAWS=<number> draws others.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.errors import RequestError
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.managed_fields import (
    FIELD_MANAGER,
)
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.manifests.drawn import Body, manifests
from ansible_collections.plumb.gitops.tests.support.tampering import drawn_patches
from ansible_collections.plumb.gitops.tests.support.tampering.draws import DRAWS, examples
from ansible_collections.plumb.gitops.tests.support.tampering.property_cluster import (
    PropertyCluster,
    prepared,
)


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox) -> Iterator[PropertyCluster]:
    with connect(ConnectionSpec(kubeconfig=sandbox.kubeconfig, in_cluster=False)) as connected:
        yield from prepared(connected)


def tamper(cluster: PropertyCluster, draw: random.Random, desired: Body) -> None:
    """Something that somebody does to the object. What the server refuses has not happened."""
    live = cluster.get(desired)
    how = draw.choice(sorted(_WAYS))
    try:
        _WAYS[how](cluster, draw, desired, live)
    except RequestError as error:
        note(f"refused: {error}")


def _edit(cluster: PropertyCluster, draw: random.Random, desired: Body, live: Body) -> None:
    manager, operations = draw.choice(drawn_patches.EDITORS), drawn_patches.drawn_patch(draw, live)
    note(f"edit as {manager}: {operations}")
    cluster.patch(desired, operations, manager)


def _edit_and_undo(cluster: PropertyCluster, draw: random.Random, desired: Body, live: Body) -> None:
    _edit(cluster, draw, desired, live)
    undo = drawn_patches.restore(live)
    note(f"and undo: {undo}")
    cluster.patch(desired, undo, "kubectl-edit")


def _apply_as_another(cluster: PropertyCluster, draw: random.Random, desired: Body, live: Body) -> None:
    body = drawn_patches.drawn_apply(draw, desired, live)
    note(f"another tool applies: {body}")
    cluster.apply(body, "other-tool")


def _apply_as_us(cluster: PropertyCluster, draw: random.Random, desired: Body, live: Body) -> None:
    body = drawn_patches.drawn_apply(draw, desired, live)
    note(f"somebody applies as Plumb: {body}")
    cluster.apply(body, FIELD_MANAGER)


def _rewrite_managers(cluster: PropertyCluster, draw: random.Random, desired: Body, live: Body) -> None:
    operations = drawn_patches.drawn_managers(draw, live)
    note(f"managedFields: {operations}")
    cluster.patch(desired, operations, "kubectl-edit")


_WAYS: dict[str, Callable[[PropertyCluster, random.Random, Body, Body], None]] = {
    "edit": _edit,
    "edit and undo": _edit_and_undo,
    "apply as another": _apply_as_another,
    "apply as us": _apply_as_us,
    "managers": _rewrite_managers,
}


def test_no_proof_ever_contradicts_the_dry_run(cluster: PropertyCluster) -> None:
    seen: Counter[str] = Counter()

    @examples(200)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        desired = cluster.ready(cluster.named(data.draw(manifests)))
        cluster.apply(desired)
        untouched = cluster.judge(desired)
        assert untouched.stays, untouched
        verified = cluster.verified_state(desired, untouched.live)
        seen["untouched"] += 1
        seen["proven"] += untouched.proven
        for _ in range(data.draw(st.integers(1, 3))):
            tamper(cluster, data.draw(DRAWS), desired)
            after = cluster.judge(desired, verified)
            seen["tampered"] += 1
            seen["settled"] += after.settled
            seen["moved"] += not after.stays
            assert not after.is_wrong, after

    explore()
    assert seen["proven"] > 0.8 * seen["untouched"], seen
    assert seen["moved"] > 0.2 * seen["tampered"], seen
    assert seen["settled"] > 0, seen


def test_after_an_apply_there_is_nothing_to_do(cluster: PropertyCluster) -> None:
    """Also after somebody tampered, and somebody after them: one apply is enough, whatever was done."""

    @examples(30)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        bodies = [cluster.named(body) for body in data.draw(st.lists(manifests, min_size=1, max_size=3))]
        app = bodies[0]["metadata"]["name"]
        first, _writes = cluster.run(app, bodies)
        assert not first.failed, first
        assert_settled(cluster, app, bodies)
        for body in bodies:
            tamper(cluster, data.draw(DRAWS), cluster.ready(body))
        again, _writes = cluster.run(app, bodies)
        assume(not again.failed)  # what was done cannot be undone by an apply; a person is told so
        assert_settled(cluster, app, bodies)

    explore()


def assert_settled(cluster: PropertyCluster, app: str, bodies: list[Body]) -> None:
    planned, _writes = cluster.run(app, bodies, check=True)
    assert {action.verb for action in planned.plan.actions} == {Verb.UNCHANGED}, planned
    done, writes = cluster.run(app, bodies)
    assert writes == 0, done
    assert not done.changed


def test_a_manifest_that_says_the_same_in_other_words_is_recorded(cluster: PropertyCluster) -> None:
    """Else each run asks the server anew, and what somebody changes later is not known to be drift."""
    limits = {"limits": [{"type": "Container", "max": {"cpu": "1000m"}}]}
    body = cluster.named({"apiVersion": "v1", "kind": "LimitRange", "metadata": {}, "spec": limits})
    app = body["metadata"]["name"]
    cluster.run(app, [body])
    other_words = {**body, "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}}
    cluster.run(app, [other_words])
    assert cluster.judge(cluster.ready(other_words)).live["metadata"]["annotations"].items() >= (
        cluster.ready(other_words)["metadata"]["annotations"].items()
    )
    assert_settled(cluster, app, [other_words])


def test_what_leaves_git_leaves_the_cluster(cluster: PropertyCluster) -> None:
    """An object whose manifest lost a field is as if it had been made from the smaller manifest."""
    seen: Counter[str] = Counter()

    @examples(50)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        body = cluster.named(data.draw(manifests))
        less = cluster.named(drawn_patches.without_drawn_value(data.draw(DRAWS), body))
        assume(not (drawn_patches.has_empty_list(body) or drawn_patches.has_empty_list(less)))
        app = body["metadata"]["name"]
        try:
            cluster.apply(cluster.ready(less))
        except RequestError:
            assume(False)  # it cannot be left out
        history = data.draw(st.sampled_from(sorted(_HISTORIES)))
        note(f"{history}: {body} -> {less}")
        _HISTORIES[history](cluster, data.draw(DRAWS), app, body)
        result, _writes = cluster.run(app, [{**less, "metadata": {**less["metadata"], "name": app}}])
        assume(not result.failed)  # immutable
        assert drawn_patches.comparable(cluster.get(body)) == drawn_patches.comparable(cluster.get(less))
        seen[history] += 1

    explore()
    assert all(seen[history] > 0 for history in _HISTORIES), seen


def test_row_84_what_was_changed_by_hand_and_left_git_leaves_the_cluster(cluster: PropertyCluster) -> None:
    seen: Counter[str] = Counter()

    @examples(20)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        body = cluster.named(data.draw(manifests))
        path, less = drawn_patches.split_at_drawn_value(data.draw(DRAWS), body)
        less = cluster.named(less)
        operations = drawn_patches.other_values(body, path)
        assume(operations and not (drawn_patches.has_empty_list(body) or drawn_patches.has_empty_list(less)))
        try:
            cluster.apply(cluster.ready(less))
        except RequestError:
            assume(False)  # it cannot be left out
        app = body["metadata"]["name"]
        cluster.run(app, [body])
        try:
            cluster.patch(body, operations, data.draw(st.sampled_from(drawn_patches.EDITORS)))
        except RequestError:
            assume(False)  # nothing was changed
        note(f"{operations} on {body} -> {less}")
        smaller = {**less, "metadata": {**less["metadata"], "name": app}}
        forecast, _writes = cluster.run(app, [smaller], check=True)
        result, _writes = cluster.run(app, [smaller])
        assume(not result.failed)  # immutable
        assert drawn_patches.comparable(cluster.get(body)) == drawn_patches.comparable(cluster.get(less))
        assert forecast.plan.actions[0].changes == result.plan.actions[0].changes
        assert_settled(cluster, app, [smaller])
        seen[body["kind"]] += 1

    explore()
    assert sum(seen.values()) > 10, seen


def _plain(cluster: PropertyCluster, _draw: random.Random, app: str, body: Body) -> None:
    cluster.run(app, [body])


def _co_owned(cluster: PropertyCluster, draw: random.Random, app: str, body: Body) -> None:
    """Somebody takes fields and puts them back as they were; Plumb takes them too."""
    cluster.run(app, [body])
    try:
        _edit_and_undo(cluster, draw, body, cluster.get(body))
    except RequestError as error:
        note(f"refused: {error}")
    cluster.run(app, [body])


def _made_by_kubectl(cluster: PropertyCluster, _draw: random.Random, _app: str, body: Body) -> None:
    """It was there before Plumb came: the smaller manifest adopts it."""
    cluster.apply(body, "kubectl-client-side-apply")
    entries = [
        {**entry, "operation": "Update"} for entry in cluster.get(body)["metadata"].get("managedFields") or ()
    ]
    cluster.patch(body, [_managers(entries or [{}])], "x")


def _adopted(cluster: PropertyCluster, draw: random.Random, app: str, body: Body) -> None:
    _made_by_kubectl(cluster, draw, app, body)
    cluster.run(app, [body])


def _wiped(cluster: PropertyCluster, _draw: random.Random, app: str, body: Body) -> None:
    """Nobody owned anything for a while."""
    cluster.run(app, [body])
    cluster.patch(body, [_managers([{}])], "x")
    cluster.run(app, [body])


def _managers(entries: list[Any]) -> dict[str, Any]:
    return {"op": "replace", "path": "/metadata/managedFields", "value": entries}


_HISTORIES: dict[str, Callable[[PropertyCluster, random.Random, str, Body], None]] = {
    "plain": _plain,
    "co-owned": _co_owned,
    "made by kubectl": _made_by_kubectl,
    "adopted": _adopted,
    "wiped": _wiped,
}
