# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An app of 40 objects on its way through its life, for faults at any moment of it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppSpec, AppState, PruneLimit
from ansible_collections.plumb.gitops.plugins.module_utils.model.well_known import PART_OF
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.applyset.inventory import SetIdentity
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Done, Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.faults.oracle import Oracle
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map

Body = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io"


def body(api_version: str, kind: str, name: str, revision: str, **rest: Any) -> Body:
    """Return an object as a manifest."""
    metadata = {"name": name, "labels": {"revision": revision}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def _deployment(revision: str) -> Body:
    labels = {"app": "web"}
    pod = {"containers": [{"name": "main", "image": f"example.com/web:{revision}"}]}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return body("apps/v1", "Deployment", "web", revision, spec=spec)


def forty(revision: str) -> tuple[Body, ...]:
    """40 objects of eight kinds; each differs from itself in another revision.

    `adopted` is there before, `fixed` can only be recreated, and each ConfigMap has a key that no other revision has.
    """
    secret = base64.b64encode(revision.encode()).decode()
    port = {"name": f"p{revision}", "port": 80}
    to = {"apiGroup": _RBAC, "kind": "Role", "name": "r0"}
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    data = {"a": revision, f"only-{revision}": "x"}
    return (
        *(body("v1", "ConfigMap", f"c{n}", revision, data=data) for n in range(10)),
        *(body("v1", "Secret", f"s{n}", revision, data={"a": secret}, type="Opaque") for n in range(8)),
        *(
            body("v1", "Service", f"v{n}", revision, spec={"clusterIP": "None", "ports": [port]})
            for n in range(6)
        ),
        *(body("v1", "ServiceAccount", f"a{n}", revision) for n in range(5)),
        *(body(f"{_RBAC}/v1", "Role", f"r{n}", revision, rules=[rule]) for n in range(4)),
        *(body(f"{_RBAC}/v1", "RoleBinding", f"b{n}", revision, roleRef=to) for n in range(4)),
        body("v1", "ConfigMap", "fixed", revision, data=data, immutable=True),
        body("v1", "ConfigMap", "adopted", revision, data=data),
        _deployment(revision),
    )


def of_new_kinds(revision: str) -> tuple[Body, ...]:
    """Return two objects of kinds that the forty have none of."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    return (
        body("networking.k8s.io/v1", "NetworkPolicy", "n", revision, spec=spec),
        body("policy/v1", "PodDisruptionBudget", "p", revision, spec=budget),
    )


@dataclass(frozen=True, slots=True)
class Stage:
    """What Git says at one time; `absent`: that the app is to be gone."""

    name: str
    render: tuple[Body, ...]
    absent: bool = False


FIRST = Stage("first apply", forty("1"))
UPGRADE = Stage("upgrade", forty("2") + of_new_kinds("2"))
PRUNE = Stage("prune", UPGRADE.render[:1])
REMOVAL = Stage("removal", UPGRADE.render[:1], absent=True)
LIFETIME = (FIRST, UPGRADE, PRUNE, REMOVAL)  # and, after another `begin`, FIRST again


@dataclass(frozen=True)
class Life:
    """The app in the test's namespace, and the oracle that checks it."""

    engine: Engine
    kubectl: Kubectl
    oracle: Oracle
    foreign: dict[tuple[str, str, str], str]

    def begin(self) -> None:
        """Make what the app is going to adopt, as somebody with kubectl."""
        self.kubectl.apply(config_map("adopted", {"a": "0", "old": "x"}, namespace=self.engine.namespace))

    def commit(self, stage: Stage) -> AppSpec:
        """Write a stage's files; return the app as the inventory has it then."""
        documents = "".join(f"---\n{json.dumps(body, indent=1)}\n" for body in stage.render)
        self.engine.write("app/all.yaml", documents)
        return self.engine.spec(
            adopt=True,
            recreate=True,
            prune_limit=PruneLimit(100, percent=True),
            state=AppState.ABSENT if stage.absent else AppState.PRESENT,
        )

    def converges(self, stage: Stage) -> Done:
        """Run without faults: then all is as this stage says, and a second run has nothing to do."""
        app = self.commit(stage)
        done = self.engine.apply(app)
        assert not done.app.failed, [outcome.error for outcome in done.app.outcomes] + [done.app.error]
        self.check(stage)
        again = self.engine.apply(app)
        assert again.writes == 0, again.verbs()
        return done

    def check(self, stage: Stage) -> None:
        """Check by the oracle: our objects equal the rendering, nobody else's have changed."""
        namespace = self.engine.namespace
        wrong = self.oracle.wrong("app", namespace, () if stage.absent else stage.render)
        assert not wrong, wrong
        now = self.oracle.others(namespace)
        moved = {who for who, version in self.foreign.items() if now.get(who) != version}
        assert not moved, f"somebody else's: {moved}"

    def parent_lists_all_kinds(self) -> None:
        """Check that every member's kind is in the inventory: the next run finds it, whatever Git says by then."""
        namespace = self.engine.namespace
        kinds = {kind for kind, _namespace, _name in self.oracle.members("app", namespace)}
        listed = self.oracle.parent_kinds("app", namespace)
        assert kinds <= listed, f"members of kinds that the inventory does not know: {kinds - listed}"


def life_in(engine: Engine, kubectl: Kubectl) -> Life:
    """Return the app before its first apply, among objects of others: one bears its label, written by somebody else."""
    ours = {PART_OF: SetIdentity("app", engine.namespace).id}
    kubectl.apply(
        config_map("labelled", namespace=engine.namespace, labels=ours)
        + config_map("foreign", namespace=engine.namespace)
    )
    oracle = Oracle(engine.sandbox)
    return Life(engine, kubectl, oracle, oracle.others(engine.namespace))
