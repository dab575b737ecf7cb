# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest that cannot be used is no manifest that left Git: what it stands for is not pruned."""

from __future__ import annotations

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart}
spec:
  replicas: 0
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec: {containers: [{name: main, image: example.com/cart}]}
"""
FLAGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: flags}
"""


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("apps/v1beta1", "apps/v1"), ("kind: Deploymnt", "kind: Deployment"), ("example.com/v1", "apps/v1")],
)
def test_a_misspelt_type_prunes_nothing(
    engine: Engine, kubectl: Kubectl, namespace: str, wrong: str, right: str
) -> None:
    engine.write("app/cart.yaml", DEPLOYMENT)
    engine.write("app/flags.yaml", FLAGS)
    assert not engine.apply().app.failed
    engine.write("app/cart.yaml", DEPLOYMENT.replace(right, wrong))
    done = engine.apply()
    assert done.app.failed
    assert Verb.PRUNE not in done.verbs().values()
    assert kubectl.get("deployment", "cart", namespace) is not None
    engine.write("app/cart.yaml", DEPLOYMENT)
    assert not engine.apply().app.failed


def test_an_object_that_moves_to_an_app_where_it_is_misspelt_is_kept(
    engine: Engine, kubectl: Kubectl, namespace: str
) -> None:
    engine.write("old/cart.yaml", DEPLOYMENT)
    engine.write("old/flags.yaml", FLAGS)
    old, new = engine.spec("old"), engine.spec("new", allow_empty=True)
    engine.write("new/.keep", "")
    assert not any(app.failed for app in engine.apply(old, new).result.apps)
    engine.remove("old/cart.yaml")
    engine.write("new/cart.yaml", DEPLOYMENT.replace("apps/v1", "apps/v1beta1"))
    engine.apply(old, new)
    assert kubectl.get("deployment", "cart", namespace) is not None
    engine.write("new/cart.yaml", DEPLOYMENT)
    assert not any(app.failed for app in engine.apply(old, new).result.apps)
    assert kubectl.get("deployment", "cart", namespace) is not None
