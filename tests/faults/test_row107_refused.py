# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that the server refuses are sent once for each change of what decides about them (row 107)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.ansible.git_fleet import GitFleet
from ansible_collections.plumb.gitops.tests.support.ansible.play import Played
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest

_READS = frozenset({"get", "list", "watch"})
FIXED = manifest("v1", "ConfigMap", "fixed", immutable=True, data={"a": "1"})
CHANGED = manifest("v1", "ConfigMap", "fixed", immutable=True, data={"a": "2"})
INVALID = manifest("v1", "Service", "invalid", spec={"ports": [{"port": 99999}]})
MISSPELT = manifest("v1", "Service", "misspelt", spec={"clusterIP": "None", "prots": []})
REFUSED = {"fixed", "invalid", "misspelt", "denied"}


@dataclass(slots=True)
class Asked:
    """What Plumb asked the server to change since the last look, dry-runs and refused requests included."""

    log: Path
    _seen: int = 0

    def names(self) -> list[str]:
        """By object, or `events` for a new Event, in any order."""
        text = self.log.read_bytes()[self._seen :]
        whole = text[: text.rfind(b"\n") + 1]
        self._seen += len(whole)
        return sorted(
            "events" if event["objectRef"]["resource"] == "events" else event["objectRef"].get("name", "")
            for line in whole.splitlines()
            if (event := json.loads(line)).get("userAgent", "").startswith("plumb/")
            and event["verb"] not in _READS
        )


def is_denied(kubectl: Kubectl, namespace: str) -> bool:
    """Whether the server denies what the policy says."""
    try:
        kubectl("create", "configmap", "denied", "--namespace", namespace, "--dry-run=server")
    except AssertionError:
        return True
    return False


@pytest.fixture
def policy(kubectl: Kubectl, namespace: str, tmp_path: Path) -> Iterator[str]:
    """An admission policy that denies the ConfigMap `denied`, and the deletion of `held`; its binding's name."""
    name = f"row107-{namespace}"
    kind = "admissionregistration.k8s.io/v1"
    rules = [
        {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "resources": ["configmaps"],
            "operations": ["CREATE", "DELETE"],
        }
    ]
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": rules,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        },
        "validations": [
            {
                "expression": "request.operation == 'DELETE' ? request.name != 'held' : request.name != 'denied'",
                "message": "not for us",
            }
        ],
    }
    text = manifest(kind, "ValidatingAdmissionPolicy", name, spec=spec)
    text += manifest(
        kind,
        "ValidatingAdmissionPolicyBinding",
        name,
        spec={"policyName": name, "validationActions": ["Deny"]},
    )
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    kubectl("apply", "--filename", str(file))
    until(lambda: is_denied(kubectl, namespace), "the policy is in force")
    yield name
    kubectl("delete", "--filename", str(file), "--ignore-not-found")


@pytest.fixture
def refused(git_fleet: GitFleet, policy: str, sandbox: Sandbox) -> Asked:
    """Two apps, one with four objects that are refused, one with an object that may not be deleted; run once."""
    git_fleet.upstream.commit(
        {
            "app": {"all.yaml": FIXED + config_map("good")},
            "other": {"o.yaml": config_map("held") + config_map("o")},
        }
    )
    assert run(git_fleet).code == 0
    asked = Asked(sandbox.audit_log)
    push(git_fleet, CHANGED + INVALID + MISSPELT + config_map("denied") + config_map("good"))
    run(git_fleet)
    assert {*asked.names()} >= REFUSED | {"held"}
    run(git_fleet)  # after a run that wrote, everything is tried once more
    asked.names()
    return asked


def push(fleet: GitFleet, app: str) -> None:
    fleet.upstream.commit({"app": {"all.yaml": app}, "other": {"o.yaml": config_map("o")}})


def run(fleet: GitFleet, **variables: Any) -> Played:
    apps = [fleet.app(wait=False), fleet.app(name="other", path="other", wait=False, prune_limit="100%")]
    return fleet.reconcile(plumb_apps=apps, **variables)


def failures(fleet: GitFleet) -> dict[str, str]:
    """What the newest report says of what failed or was refused, by name."""
    return {
        action["name"]: action.get("error") or action["reason"]
        for app in fleet.report()["apps"]
        for action in app.get("actions", ())
        if action.get("result") == "failed" or action["action"] == "refused"
    }


def test_row_107_what_is_refused_is_not_sent_again_while_nothing_changes(
    git_fleet: GitFleet, refused: Asked
) -> None:
    before = failures(git_fleet)
    assert before.keys() == REFUSED | {"held"}
    for _run in range(3):
        done = run(git_fleet)
        assert done.code == 2
        assert failures(git_fleet) == before  # each report tells it all
        assert refused.names() == []  # no write, no dry-run, no Event
    assert git_fleet.report()["requests"]["reads"] < 40


def test_row_107_a_change_of_one_manifest_sends_that_one(git_fleet: GitFleet, refused: Asked) -> None:
    worse = manifest("v1", "Service", "invalid", spec={"ports": [{"port": 88888}]})
    push(git_fleet, CHANGED + worse + MISSPELT + config_map("denied") + config_map("good"))
    run(git_fleet)
    assert "invalid" in refused.names()
    run(git_fleet)
    refused.names()
    run(git_fleet)
    assert refused.names() == []
    assert "88888" in failures(git_fleet)["invalid"]


def test_row_107_a_change_of_the_live_object_or_of_the_rules_is_noticed_at_once(
    git_fleet: GitFleet, refused: Asked, kubectl: Kubectl, policy: str
) -> None:
    kubectl("label", "configmap", "fixed", "a=b", "--namespace", git_fleet.namespace)
    run(git_fleet)
    assert [name for name in refused.names() if name != "events"] == ["fixed"]
    kubectl("delete", "validatingadmissionpolicybinding", policy)
    until(lambda: not is_denied(kubectl, git_fleet.namespace), "the policy is not in force")
    run(git_fleet)
    assert {*refused.names()} >= {"denied", "held"}
    assert failures(git_fleet).keys() == {"fixed", "invalid", "misspelt"}


def test_row_107_an_operator_can_have_all_of_it_sent_now(git_fleet: GitFleet, refused: Asked) -> None:
    run(git_fleet, plumb_retry_refused=True)
    names = refused.names()
    assert {*names} == REFUSED | {"held"}  # and no Event: it is no news
    assert run(git_fleet, check=True).code == 2
    assert {*refused.names()} >= REFUSED - {"held"}  # a check always asks


def test_row_107_what_is_remembered_may_be_lost(git_fleet: GitFleet, refused: Asked) -> None:
    for file in (git_fleet.folder / "cache" / "looks").iterdir():
        file.write_text("[]", encoding="utf-8")
    run(git_fleet)
    assert {*refused.names()} == REFUSED | {"held"}
    run(git_fleet)
    assert refused.names() == []
