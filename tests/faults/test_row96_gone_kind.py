# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kind that the cluster knew when an app was applied, and no longer does."""

from __future__ import annotations

import uuid

from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, custom_kind, manifest


def test_row_96_a_definition_that_somebody_deleted_is_blamed(engine: Engine, kubectl: Kubectl) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    definition = f"customresourcedefinition/things.{group}"
    kubectl.apply(custom_kind("things", "Thing", group))
    kubectl("wait", "--for=condition=Established", definition)
    try:
        engine.write("app/all.yaml", config_map("c") + manifest(f"{group}/v1", "Thing", "t", spec={"n": 1}))
        assert not engine.apply().app.failed
    finally:
        kubectl("delete", definition)
    done = engine.apply()
    refused = done.action("Thing", "t")
    assert refused.verb is Verb.REFUSED
    assert f"no longer knows Thing.{group}" in refused.reason
    assert "its CustomResourceDefinition was deleted" in refused.reason
    assert "app/all.yaml" in refused.reason
    engine.write("app/all.yaml", config_map("c"))
    assert not engine.apply().app.failed
    assert engine.apply().writes == 0


def test_row_96_a_kind_that_never_was_is_not_called_deleted(engine: Engine) -> None:
    engine.write("app/all.yaml", config_map("c") + manifest("nowhere.example.com/v1", "Nonesuch", "t"))
    refused = engine.apply().action("Nonesuch", "t")
    assert "deleted" not in refused.reason
    assert "Apply its CustomResourceDefinition" in refused.reason


def test_row_105_a_resource_is_forecast_beside_a_label_of_its_definition(
    engine: Engine, kubectl: Kubectl
) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"

    def write(label: str, **spec: int) -> None:
        definition = custom_kind("things", "Thing", group, labels={"moves": label})
        engine.write("app/all.yaml", definition + manifest(f"{group}/v1", "Thing", "t", spec=spec))

    write("1", a=1)
    assert not engine.apply().app.failed
    try:
        write("2", a=2)
        thing = engine.check().action("Thing", "t")
        assert (thing.verb, thing.unverified, thing.reason) == (Verb.UPDATE, False, "")
        assert [(change.path, change.live, change.desired) for change in thing.changes] == [("spec.a", 1, 2)]
        write("3", a=1)
        assert engine.apply().app.failed is False
        write("4", a=1)
        assert engine.check().action("Thing", "t").verb is Verb.UNCHANGED
    finally:
        kubectl("delete", f"customresourcedefinition/things.{group}")
