# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster as a property test needs it: manifests in, objects and plans out, in milliseconds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.errors import Invalid, StaleVersion
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import (
    AppSpec,
    Checkout,
    Person,
    Revision,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.object_diff import DiffForm
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Manifest, Origin, ref_of
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import AppResult
from ansible_collections.plumb.gitops.plugins.module_utils.model.run_options import RunOptions
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.manifests import (
    DesiredObject,
    applied_digest,
    desired_objects,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.drift.ignore import Ignored
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.managed_fields import (
    FIELD_MANAGER,
    our_entry,
    owners,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.ownership_match import (
    matches_managed_fields,
    same,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.plan.verified_cache import (
    VerifiedState,
    verified_state_of,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.run import Run, run_apps
from ansible_collections.plumb.gitops.tests.support.manifests.drawn import (
    DEFINITION,
    GROUP,
    SAMPLE,
    VERSIONS,
    Body,
)

NAMESPACE = "properties"

_NOBODY = Person("A. Tester", "tester@example.com")
_REVISION = Revision(
    source="git", ref="main", commit="0" * 40, subject="Test", author=_NOBODY, committer=_NOBODY,
    authored="2026-01-01T00:00:00Z", committed="2026-01-01T00:00:00Z",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdicts of the three proofs on one state of an object: metadata, content and a dry-run."""

    settled: bool
    proven: bool
    stays: bool  # an apply changes neither a value nor our claim
    live: Body
    predicted: Body | None  # None: the server refuses the apply

    @property
    def is_wrong(self) -> bool:
        """Whether a proof passes what a dry-run would change."""
        return (self.settled or self.proven) and not self.stays


@dataclass
class PropertyCluster:
    """A cluster, and the verbs that a property needs of it."""

    cluster: Cluster
    names: Iterator[int] = field(default_factory=count)

    def named(self, body: Body) -> Body:
        """Return a manifest under a name of its own."""
        return {
            **body,
            "metadata": {**body["metadata"], "name": f"x{next(self.names)}", "namespace": NAMESPACE},
        }

    def ready(self, body: Body) -> Body:
        """Return a manifest as an app applies it, with label and digest."""
        app = AppSpec(name="app", source="git", namespace=NAMESPACE)
        (wanted,) = desired_objects(
            app, "applyset-x-v1", [manifest_of(body)], self.cluster.discover(), {}
        ).wanted
        return dict(wanted.body)

    def _resource(self, body: Body) -> Any:
        return self.cluster.discover().find(body["apiVersion"], body["kind"])

    def apply(self, body: Body, manager: str = FIELD_MANAGER, *, dry_run: bool = False) -> Body:
        """Apply a manifest as a field manager, with force; return the object."""
        return self.cluster.apply(
            self._resource(body), body, field_manager=manager, force=True, dry_run=dry_run
        )

    def get(self, body: Body) -> Body:
        """Return the live object of a manifest, which has to exist."""
        metadata = body["metadata"]
        live = self.cluster.get(
            self._resource(body), namespace=metadata.get("namespace", ""), name=metadata["name"]
        )
        assert live is not None
        return live

    def patch(self, body: Body, operations: Sequence[dict[str, Any]], manager: str) -> None:
        """Change the live object of a manifest by a JSON patch."""
        metadata = body["metadata"]
        self.cluster.json_patch(
            self._resource(body),
            namespace=metadata["namespace"],
            name=metadata["name"],
            operations=operations,
            field_manager=manager,
        )

    def remove(self, body: Body) -> None:
        """Delete the live object of a manifest."""
        metadata = self.get(body)["metadata"]
        self.cluster.delete(
            self._resource(body),
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
        )

    def verified_state(self, desired: Body, live: Body) -> VerifiedState:
        """Return what is remembered of an object that is as its manifest wants."""
        return verified_state_of(_wanted(desired), live, Ignored(), autoscaled=False, healthy=True)

    def judge(self, desired: Body, verified: VerifiedState | None = None) -> Judgement:
        """Judge one state by all proofs. The server may refuse: it merges `{}` into an emptied map as null."""
        while True:
            live = self.get(desired)
            version = live["metadata"]["resourceVersion"]
            exact = {**desired, "metadata": {**desired["metadata"], "resourceVersion": version}}
            settled = verified is not None and verified.still_valid(
                _wanted(desired), live, Ignored(), autoscaled=False, health_matters=False
            )
            try:
                predicted = self.apply(exact, dry_run=True)
            except StaleVersion:
                continue  # a controller wrote in between
            except Invalid:
                return Judgement(settled, matches_managed_fields(desired, live), False, live, None)
            return Judgement(
                settled, matches_managed_fields(desired, live), _stays(live, predicted), live, predicted
            )

    def run(
        self,
        app: str,
        bodies: Sequence[Body],
        *,
        check: bool = False,
        diff: DiffForm = DiffForm.FIELDS,
    ) -> tuple[AppResult, int]:
        """Bring the cluster to these manifests as an app that adopts; return the result and the number of writes."""
        before = self.cluster.requests.writes
        spec = AppSpec(
            name=app,
            source="git",
            namespace=NAMESPACE,
            adopt=True,
            force_conflicts=True,
            wait=False,
            timeout=10.0,
        )
        run = Run(
            apps=(spec,),
            sources={"git": Checkout(_REVISION, Path("/nonexistent"))},
            render=lambda _checkout, _app: tuple(map(manifest_of, bodies)),
            options=RunOptions(check=check, diff=diff),
        )
        (result,) = run_apps(self.cluster, run).apps
        return result, self.cluster.requests.writes - before


def prepared(cluster: Cluster) -> Iterator[PropertyCluster]:
    """Yield a cluster with its namespace and the kind of the samples, for as long as the iterator is held."""
    made = PropertyCluster(cluster)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    made.apply(namespace)
    made.apply(DEFINITION)
    while cluster.rediscover().find(f"{GROUP}/{VERSIONS[0]}", SAMPLE) is None:
        time.sleep(0.1)
    yield made
    made.remove(DEFINITION)
    made.remove(namespace)


def manifest_of(body: Body) -> Manifest:
    """Return a body as a manifest of the file x.yaml."""
    return Manifest.of(body, Origin("x.yaml"))


def _wanted(desired: Body) -> DesiredObject:
    return DesiredObject(ref_of(desired), desired, applied_digest(desired), Origin("x.yaml"))


def _stays(live: Body, predicted: Body) -> bool:
    before, after = our_entry(owners(live)), our_entry(owners(predicted))
    assert after is not None
    claim_stays = before is not None and (before.fields, before.api_version) == (
        after.fields,
        after.api_version,
    )
    return claim_stays and same(_values(live), _values(predicted))


def _values(body: Body) -> Body:
    metadata = {k: v for k, v in body["metadata"].items() if k not in {"managedFields", "resourceVersion"}}
    return {**body, "metadata": metadata}
