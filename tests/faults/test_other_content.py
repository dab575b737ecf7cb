# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An app's path holds something else than manifests: what it has stays, and what to do is said (rows 95 and 106)."""

from __future__ import annotations

import pytest

from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map

# What takes the place of the app's one manifest.
INSTEAD = {
    "README": ("app/README.md", "# The shop\n", "only app/README.md"),
    "values": ("app/values.yaml", "replicas: 3\n", "values of a Helm chart"),
    "dashboard": ("app/one.json", '{"panels": []}', "no object for Kubernetes: app/one.json"),
    "kustomization": ("app/kustomization.yaml", "resources: []\n", "only app/kustomization.yaml"),
    "Terraform": ("app/main.tf", "", "Terraform configuration"),
    "LFS": ("app/all.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "Git LFS"),
}


@pytest.mark.parametrize("what", INSTEAD)
def test_row_95_what_takes_the_place_of_manifests_prunes_nothing(
    engine: Engine, kubectl: Kubectl, what: str
) -> None:
    path, text, reason = INSTEAD[what]
    engine.write("app/all.yaml", config_map("c"))
    assert not engine.apply().app.failed
    engine.write(path, text)
    if path != "app/all.yaml":
        engine.remove("app/all.yaml")
    done = engine.apply()
    assert done.app.failed
    assert reason in done.app.plan.error
    assert "allow_empty" not in done.app.plan.error
    assert done.writes == 0
    assert kubectl.live("configmap", "c", engine.namespace)


@pytest.mark.parametrize("what", ["README", "dashboard", "kustomization"])
def test_row_106_an_app_without_anything_is_no_failure_where_there_is_nothing_to_prune(
    engine: Engine, kubectl: Kubectl, what: str
) -> None:
    path, text, reason = INSTEAD[what]
    engine.write(path, text)
    for _the_first_makes_its_inventory in range(2):
        done = engine.apply()
        assert not done.app.failed
        assert not done.app.plan.actions
        assert reason in " ".join(done.app.plan.warnings)
    assert done.writes == 0
    engine.remove(path)
    engine.write("app/all.yaml", config_map("c"))
    assert not engine.apply().app.failed
    assert kubectl.live("configmap", "c", engine.namespace)
