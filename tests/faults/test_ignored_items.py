# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rule of ignore for an item of a list, and a commit that inserts before it (row 89 of the list of faults)."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import IgnoreRule
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.manifests.bodies import workload, write
from ansible_collections.plumb.gitops.tests.support.tampering.edits import edit, live_of, replaced

CONTAINERS = "/spec/template/spec/containers"
MAIN, FIRST = (
    {"name": "main", "image": "example.com/main:1"},
    {"name": "first", "image": "example.com/first:1"},
)


def pods(*containers: dict[str, Any], annotation: str = "") -> dict[str, Any]:
    body = workload("d", {}, {"containers": list(containers)})
    if annotation:
        body["metadata"]["annotations"] = {"plumb.gitops/ignore": annotation}
    return body


def images(engine: Engine) -> dict[str, str]:
    live = live_of(engine, pods())["spec"]["template"]["spec"]["containers"]
    return {container["name"]: container["image"] for container in live}


@pytest.mark.parametrize("where", ["app", "manifest"])
def test_row_89_a_rule_by_key_stays_with_its_item(engine: Engine, where: str) -> None:
    pointer = f"{CONTAINERS}/name=main/image"
    spec = engine.spec(ignore=(IgnoreRule(pointer=pointer),)) if where == "app" else engine.spec()
    annotation = pointer if where == "manifest" else ""
    write(engine, [pods(MAIN, annotation=annotation)])
    assert not engine.apply(spec).app.failed
    edit(engine, pods(), replaced(f"{CONTAINERS}/0/image", "example.com/main:theirs"))
    assert engine.apply(spec).writes == 0
    write(engine, [pods(FIRST, MAIN, annotation=annotation)])
    assert not engine.apply(spec).app.failed
    assert images(engine) == {"first": "example.com/first:1", "main": "example.com/main:theirs"}
    edit(engine, pods(), replaced(f"{CONTAINERS}/0/image", "example.com/first:theirs"))
    assert engine.apply(spec).app.drifted
    assert images(engine) == {"first": "example.com/first:1", "main": "example.com/main:theirs"}
    assert engine.apply(spec).writes == 0


@pytest.mark.parametrize("where", ["app", "manifest"])
def test_row_89_a_rule_by_number_is_refused_with_the_form_that_works(engine: Engine, where: str) -> None:
    pointer = f"{CONTAINERS}/0/image"
    spec = engine.spec(ignore=(IgnoreRule(pointer=pointer),)) if where == "app" else engine.spec()
    write(engine, [pods(MAIN, annotation=pointer if where == "manifest" else "")])
    for done in (engine.check(spec), engine.apply(spec)):
        action = done.action("Deployment", "d")
        assert action.verb is Verb.REFUSED
        assert f"Write {CONTAINERS}/name=main/image." in action.reason
