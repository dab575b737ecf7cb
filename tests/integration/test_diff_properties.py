# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unified diff agrees with the plan, over manifests and edits that Hypothesis draws, on a real API server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.errors import RequestError
from ansible_collections.plumb.gitops.plugins.module_utils.model.object_diff import DiffForm
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Action, Verb
from ansible_collections.plumb.gitops.plugins.module_utils.report.unified import diff_lines
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.manifests.drawn import manifests
from ansible_collections.plumb.gitops.tests.support.tampering import drawn_patches
from ansible_collections.plumb.gitops.tests.support.tampering.draws import DRAWS, examples
from ansible_collections.plumb.gitops.tests.support.tampering.property_cluster import (
    PropertyCluster,
    prepared,
)

OF_THE_SERVER = ("managedFields:", "resourceVersion:", "uid:", "creationTimestamp:", "generation:", "status:")
OF_PLUMB = ("plumb.gitops/manifest-digest", "plumb.gitops/applied-fields")


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox) -> Iterator[PropertyCluster]:
    with connect(ConnectionSpec(kubeconfig=sandbox.kubeconfig, in_cluster=False)) as connected:
        yield from prepared(connected)


def test_the_diff_is_what_the_plan_says_and_nothing_else(cluster: PropertyCluster) -> None:
    """Git loses a value, and somebody edits the object: the diff shows each change, and is empty without one."""
    seen: Counter[str] = Counter()

    @examples(60)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        body = cluster.named(data.draw(manifests))
        app = body["metadata"]["name"]
        cluster.run(app, [body])
        draw = data.draw(DRAWS)
        if data.draw(st.booleans()):
            body = {**drawn_patches.without_drawn_value(draw, body)}
            body["metadata"] = {**body.get("metadata", {}), "name": app, "namespace": "properties"}
        if data.draw(st.booleans()):
            operations = drawn_patches.drawn_patch(draw, cluster.get(body))
            note(f"edit: {operations}")
            try:
                cluster.patch(body, operations, draw.choice(drawn_patches.EDITORS))
            except RequestError as error:
                note(f"refused: {error}")
        planned, _writes = cluster.run(app, [body], check=True, diff=DiffForm.UNIFIED)
        for action in planned.plan.actions:
            seen[action.verb.value + (" with changes" if action.changes else "")] += 1
            assert_agrees(action)

    explore()
    assert seen["update with changes"] > 10, seen
    assert seen["unchanged"] > 5, seen


def assert_agrees(action: Action) -> None:
    lines = diff_lines(action)
    note("\n".join(lines))
    if action.verb in {Verb.REFUSED, Verb.RECREATE}:
        return
    hunks = action.diff.hunks if action.diff is not None else ()
    assert {path for hunk in hunks for path in hunk.changes} == {c.path for c in action.changes}, action
    for hunk in hunks:
        assert any(line[0] in "+-" for line in hunk.lines)
    assert bool(lines) is bool(action.changes)
    for line in lines:
        assert not line[1:].strip().startswith((*OF_THE_SERVER, *OF_PLUMB)), line
