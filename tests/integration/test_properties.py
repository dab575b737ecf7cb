# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the engine on a real API server, over manifests and mischief that Hypothesis draws.

The draws are the same in every run. To look further, raise max_examples and drop derandomize.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.errors import RequestError
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.managed_fields import (
    FIELD_MANAGER,
)
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.manifests.drawn import Body, manifests
from ansible_collections.plumb.gitops.tests.support.tampering import meddling
from ansible_collections.plumb.gitops.tests.support.tampering.property_cluster import Bench, prepared


def examples(number: int) -> settings:
    return settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def bench(sandbox: Sandbox) -> Iterator[Bench]:
    with connect(ConnectionSpec(kubeconfig=sandbox.kubeconfig, in_cluster=False)) as cluster:
        yield from prepared(cluster)


def meddle(bench: Bench, draw: meddling.Draw, desired: Body) -> None:
    """Something that somebody does to the object. What the server refuses has not happened."""
    live = bench.get(desired)
    how = draw(st.sampled_from(sorted(_DEEDS)))
    try:
        _DEEDS[how](bench, draw, desired, live)
    except RequestError as error:
        note(f"refused: {error}")


def _edit(bench: Bench, draw: meddling.Draw, desired: Body, live: Body) -> None:
    manager, operations = draw(st.sampled_from(meddling.EDITORS)), meddling.edit(draw, live)
    note(f"edit as {manager}: {operations}")
    bench.patch(desired, operations, manager)


def _edit_and_undo(bench: Bench, draw: meddling.Draw, desired: Body, live: Body) -> None:
    _edit(bench, draw, desired, live)
    undo = meddling.restore(live)
    note(f"and undo: {undo}")
    bench.patch(desired, undo, "kubectl-edit")


def _apply_as_another(bench: Bench, draw: meddling.Draw, desired: Body, live: Body) -> None:
    said = meddling.claim(draw, desired, live)
    note(f"another tool applies: {said}")
    bench.apply(said, "other-tool")


def _apply_as_us(bench: Bench, draw: meddling.Draw, desired: Body, live: Body) -> None:
    said = meddling.claim(draw, desired, live)
    note(f"somebody applies as Plumb: {said}")
    bench.apply(said, FIELD_MANAGER)


def _rewrite_managers(bench: Bench, draw: meddling.Draw, desired: Body, live: Body) -> None:
    operations = meddling.rewrite_managers(draw, live)
    note(f"managedFields: {operations}")
    bench.patch(desired, operations, "kubectl-edit")


_DEEDS: dict[str, Callable[[Bench, meddling.Draw, Body, Body], None]] = {
    "edit": _edit,
    "edit and undo": _edit_and_undo,
    "apply as another": _apply_as_another,
    "apply as us": _apply_as_us,
    "managers": _rewrite_managers,
}


def test_no_proof_ever_contradicts_the_dry_run(bench: Bench) -> None:
    seen: Counter[str] = Counter()

    @examples(200)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        desired = bench.ready(bench.named(data.draw(manifests)))
        bench.apply(desired)
        untouched = bench.judge(desired)
        assert untouched.stays, untouched
        look = bench.look(desired, untouched.live)
        seen["untouched"] += 1
        seen["proven"] += untouched.proven
        for _ in range(data.draw(st.integers(1, 3))):
            meddle(bench, data.draw, desired)
            after = bench.judge(desired, look)
            seen["meddled"] += 1
            seen["settled"] += after.settled
            seen["moved"] += not after.stays
            assert not after.is_wrong, after

    explore()
    assert seen["proven"] > 0.8 * seen["untouched"], seen
    assert seen["moved"] > 0.2 * seen["meddled"], seen
    assert seen["settled"] > 0, seen


def test_after_an_apply_there_is_nothing_to_do(bench: Bench) -> None:
    """Also after somebody meddled, and somebody after them: one apply is enough, whatever was done."""

    @examples(30)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        bodies = [bench.named(body) for body in data.draw(st.lists(manifests, min_size=1, max_size=3))]
        app = bodies[0]["metadata"]["name"]
        first, _writes = bench.run(app, bodies)
        assert not first.failed, first
        assert_settled(bench, app, bodies)
        for body in bodies:
            meddle(bench, data.draw, bench.ready(body))
        again, _writes = bench.run(app, bodies)
        assume(not again.failed)  # what was done cannot be undone by an apply; a person is told so
        assert_settled(bench, app, bodies)

    explore()


def assert_settled(bench: Bench, app: str, bodies: list[Body]) -> None:
    planned, _writes = bench.run(app, bodies, check=True)
    assert {action.verb for action in planned.plan.actions} == {Verb.UNCHANGED}, planned
    done, writes = bench.run(app, bodies)
    assert writes == 0, done
    assert not done.changed


def test_a_manifest_that_says_the_same_in_other_words_is_recorded(bench: Bench) -> None:
    """Else each run asks the server anew, and what somebody changes later is not known to be drift."""
    limits = {"limits": [{"type": "Container", "max": {"cpu": "1000m"}}]}
    body = bench.named({"apiVersion": "v1", "kind": "LimitRange", "metadata": {}, "spec": limits})
    app = body["metadata"]["name"]
    bench.run(app, [body])
    other_words = {**body, "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}}
    bench.run(app, [other_words])
    assert bench.judge(bench.ready(other_words)).live["metadata"]["annotations"].items() >= (
        bench.ready(other_words)["metadata"]["annotations"].items()
    )
    assert_settled(bench, app, [other_words])


def test_what_leaves_git_leaves_the_cluster(bench: Bench) -> None:
    """An object whose manifest lost a field is as if it had been made from the smaller manifest."""
    seen: Counter[str] = Counter()

    @examples(50)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        body = bench.named(data.draw(manifests))
        less = bench.named(meddling.without_one(data.draw, body))
        assume(not (meddling.has_empty_list(body) or meddling.has_empty_list(less)))
        app = body["metadata"]["name"]
        try:
            bench.apply(bench.ready(less))
        except RequestError:
            assume(False)  # it cannot be left out
        history = data.draw(st.sampled_from(sorted(_HISTORIES)))
        note(f"{history}: {body} -> {less}")
        _HISTORIES[history](bench, data.draw, app, body)
        result, _writes = bench.run(app, [{**less, "metadata": {**less["metadata"], "name": app}}])
        assume(not result.failed)  # immutable
        assert meddling.said(bench.get(body)) == meddling.said(bench.get(less))
        seen[history] += 1

    explore()
    assert all(seen[history] > 0 for history in _HISTORIES), seen


def test_row_84_what_was_changed_by_hand_and_left_git_leaves_the_cluster(bench: Bench) -> None:
    seen: Counter[str] = Counter()

    @examples(20)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        body = bench.named(data.draw(manifests))
        path, less = meddling.without_place(data.draw, body)
        less = bench.named(less)
        operations = meddling.other_values(body, path)
        assume(operations and not (meddling.has_empty_list(body) or meddling.has_empty_list(less)))
        try:
            bench.apply(bench.ready(less))
        except RequestError:
            assume(False)  # it cannot be left out
        app = body["metadata"]["name"]
        bench.run(app, [body])
        try:
            bench.patch(body, operations, data.draw(st.sampled_from(meddling.EDITORS)))
        except RequestError:
            assume(False)  # nothing was changed
        note(f"{operations} on {body} -> {less}")
        smaller = {**less, "metadata": {**less["metadata"], "name": app}}
        forecast, _writes = bench.run(app, [smaller], check=True)
        result, _writes = bench.run(app, [smaller])
        assume(not result.failed)  # immutable
        assert meddling.said(bench.get(body)) == meddling.said(bench.get(less))
        assert forecast.plan.actions[0].changes == result.plan.actions[0].changes
        assert_settled(bench, app, [smaller])
        seen[body["kind"]] += 1

    explore()
    assert sum(seen.values()) > 10, seen


def _plain(bench: Bench, _draw: meddling.Draw, app: str, body: Body) -> None:
    bench.run(app, [body])


def _co_owned(bench: Bench, draw: meddling.Draw, app: str, body: Body) -> None:
    """Somebody takes fields and puts them back as they were; Plumb takes them too."""
    bench.run(app, [body])
    try:
        _edit_and_undo(bench, draw, body, bench.get(body))
    except RequestError as error:
        note(f"refused: {error}")
    bench.run(app, [body])


def _made_by_kubectl(bench: Bench, _draw: meddling.Draw, _app: str, body: Body) -> None:
    """It was there before Plumb came: the smaller manifest adopts it."""
    bench.apply(body, "kubectl-client-side-apply")
    entries = [
        {**entry, "operation": "Update"} for entry in bench.get(body)["metadata"].get("managedFields") or ()
    ]
    bench.patch(body, [_managers(entries or [{}])], "x")


def _adopted(bench: Bench, draw: meddling.Draw, app: str, body: Body) -> None:
    _made_by_kubectl(bench, draw, app, body)
    bench.run(app, [body])


def _wiped(bench: Bench, _draw: meddling.Draw, app: str, body: Body) -> None:
    """Nobody owned anything for a while."""
    bench.run(app, [body])
    bench.patch(body, [_managers([{}])], "x")
    bench.run(app, [body])


def _managers(entries: list[Any]) -> dict[str, Any]:
    return {"op": "replace", "path": "/metadata/managedFields", "value": entries}


_HISTORIES: dict[str, Callable[[Bench, meddling.Draw, str, Body], None]] = {
    "plain": _plain,
    "co-owned": _co_owned,
    "made by kubectl": _made_by_kubectl,
    "adopted": _adopted,
    "wiped": _wiped,
}
