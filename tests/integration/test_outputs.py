# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs tell besides their result: the audit trail, who did it by the audit log, Events, Markdown."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.controller.http.audit_sink import MOST_BODY
from ansible_collections.plumb.gitops.plugins.module_utils.interface.outputs.audit_log import (
    audit_log_file_of,
    read_log,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.drift.attribution import AuditEvent
from ansible_collections.plumb.gitops.plugins.module_utils.report.verify import verify
from ansible_collections.plumb.gitops.tests.support.agent import instant_runs
from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess, running, until
from ansible_collections.plumb.gitops.tests.support.ansible.git_fleet import GitFleet
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.ansible.report_schema import check_report
from ansible_collections.plumb.gitops.tests.support.cluster.audit_log import Audit
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.own_server import own_server
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, secret


@pytest.fixture
def fleet(sandbox: Sandbox, play: Play, namespace: str, tmp_path: Path) -> Iterator[GitFleet]:
    upstream = Upstream(tmp_path / "git" / "fleet.git")
    with GitServer(tmp_path / "git") as server:
        git = {"url": server.url("fleet.git"), "allow_http": True}
        yield GitFleet(play, sandbox, git, namespace, tmp_path, upstream, server)


def trail(fleet: GitFleet) -> list[dict[str, Any]]:
    lines = (fleet.folder / "trail" / "here.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_trail_says_what_was_done_once_and_by_which_commit(fleet: GitFleet, kubectl: Kubectl) -> None:
    options: dict[str, Any] = {"plumb_trail_path": str(fleet.folder / "trail")}
    everything = config_map("a") + config_map("gone") + secret("s", {"word": "correct-horse"})
    commit = fleet.upstream.commit({"app": {"all.yaml": everything}})
    assert fleet.reconcile(check=True, **options).code == 0
    assert not (fleet.folder / "trail").exists()
    assert fleet.reconcile(**options).code == 0
    assert [(r["action"], r["result"]) for r in trail(fleet)] == [("create", "done")] * 3
    assert {r["revision"]["commit"] for r in trail(fleet)} == {commit}
    assert fleet.reconcile(**options).code == 0
    assert len(trail(fleet)) == 3, "nothing happened"

    kubectl("label", "configmap", "a", "by=hand", "-n", fleet.namespace)
    for _ in range(2):  # what stays is reported once
        assert fleet.reconcile(**options).code == 0
    added = trail(fleet)[3:]
    assert [(r["action"], r["result"], r["drifted"]) for r in added] == [("unchanged", "left", True)]
    assert added[0]["fields"][0]["culprit"]["manager"] == "kubectl-label"
    kubectl("patch", "secret", "s", "-n", fleet.namespace, "-p", '{"stringData": {"word": "wrong-horse"}}')
    fleet.upstream.commit({"app": {"all.yaml": config_map("a") + secret("s", {"word": "correct-horse"})}})
    assert fleet.reconcile(**options).code == 0
    assert {(r["object"].partition("/")[2], r["action"], r["drifted"]) for r in trail(fleet)[4:]} == {
        ("s", "update", True),
        ("gone", "prune", False),
    }
    whole = json.dumps(trail(fleet))
    assert "horse" not in whole
    verified = verify(fleet.folder / "trail" / "here.jsonl")
    assert (verified.records, verified.problems, verified.remarks) == (6, [], [])


def test_without_a_place_for_the_trail_nothing_is_written(fleet: GitFleet, sandbox: Sandbox) -> None:
    fleet.upstream.commit({"app": {"all.yaml": config_map("a")}})
    (fleet.folder / "trail").write_text("a file")
    audit = Audit(sandbox.audit_log)
    audit.writes()
    done = fleet.reconcile(plumb_trail_path=str(fleet.folder / "trail"))
    assert done.code == 2
    assert "audit trail" in done.output
    assert "plumb_trail_path" in done.output
    assert audit.writes() == []


@pytest.fixture
def checker(sandbox: Sandbox, kubectl: Kubectl, namespace: str, tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of a service account that has the shipped ClusterRole for checks, and no more."""
    role = Path(__file__).resolve().parents[2] / "roles" / "agent" / "files" / "check-clusterrole.yml"
    kubectl("apply", "-f", str(role))
    kubectl("create", "serviceaccount", "checker", "-n", namespace)
    account = f"--serviceaccount={namespace}:checker"
    kubectl("create", "clusterrolebinding", namespace, "--clusterrole=plumb-check", account)
    config = yaml.safe_load(sandbox.kubeconfig.read_text(encoding="utf-8"))
    config["users"][0]["user"] = {"token": kubectl("create", "token", "checker", "-n", namespace).strip()}
    file = tmp_path / "checker.kubeconfig"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    yield file
    kubectl("delete", "clusterrolebinding", namespace)


@pytest.fixture
def alice(sandbox: Sandbox, kubectl: Kubectl, namespace: str) -> Kubectl:
    """Another user, who may do what she likes in the namespace."""
    kubectl("create", "rolebinding", "alice", "--clusterrole=admin", "--user=tenant", "-n", namespace)
    return Kubectl(sandbox.kubeconfig_of("tenant"))


WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "web:1.0"}]}
---
"""


class Witness:
    """A fleet with the API server's audit log: what it says of one object at a time."""

    def __init__(self, fleet: GitFleet, sandbox: Sandbox) -> None:
        self._fleet = fleet
        self._options = {
            "plumb_audit_log": str(sandbox.audit_log),
            "plumb_apps": [fleet.app(wait=False)],
            "plumb_trail_path": str(fleet.folder / "trail"),
        }

    def reconcile(self, **variables: Any) -> dict[str, dict[str, Any]]:
        """Return what was reported of drift, by object: its actions in the report, with `lines` for people."""
        done = self._fleet.reconcile(**{**self._options, **variables})
        assert done.code == 0, done.output
        self.output = done.output
        report = self._fleet.report()
        check_report(report)
        (app,) = report["apps"]
        return {a["object"].partition("/")[2]: a for a in app["actions"] if a["drifted"]}

    def culprit(self, name: str, path: str) -> dict[str, Any]:
        """Reconcile; the one who changed this field of this object."""
        action = self.reconcile()[name]
        (change,) = [c for c in action["changes"] if c["path"] == path]
        self.cause, self.desired = change["cause"], change.get("desired")
        culprit: dict[str, Any] = change.get("culprit", {})
        return culprit


@pytest.fixture
def witness(fleet: GitFleet, sandbox: Sandbox, alice: Kubectl) -> Witness:
    everything = WEB + config_map("a", {"k": "1", "l": "1"}) + config_map("b") + config_map("c")
    fleet.upstream.commit({"app": {"all.yaml": everything}})
    witness = Witness(fleet, sandbox)
    assert witness.reconcile() == {}
    return witness


def merge(kubectl: Kubectl, namespace: str, kind: str, name: str, patch: str, *words: str) -> None:
    kubectl("patch", kind, name, "-n", namespace, "--type=merge", "-p", patch, *words)


def test_the_audit_log_says_who_did_it(
    witness: Witness, alice: Kubectl, namespace: str, tmp_path: Path
) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nexec sed -i s/web:1.0/web:bad/ $1\n")
    editor.chmod(0o755)
    alice("edit", "deployment", "web", "-n", namespace, KUBE_EDITOR=str(editor))
    edited = witness.culprit("web", "spec.template.spec.containers[main].image")
    assert edited["manager"] == "kubectl-edit"
    assert (witness.cause, witness.desired) == ("drift", "web:1.0")
    assert (edited["user"], edited["verb"], edited["evidence"]) == ("tenant", "patch", "audit log")
    assert edited["addresses"] == ["127.0.0.1"]
    assert "system:authenticated" in edited["groups"]
    assert edited["user_agent"].startswith("kubectl/")
    assert "by kubectl-edit, " in witness.output
    assert "; user tenant from 127.0.0.1 (audit log)" in witness.output

    alice("scale", "deployment", "web", "--replicas=5", "-n", namespace)  # managedFields has no time for it
    scaled = witness.culprit("web", "spec.replicas")
    assert (scaled["subresource"], scaled["user"], "time" in scaled) == ("scale", "tenant", False)

    merge(alice, namespace, "configmap", "a", '{"data": {"k": "2"}}')
    assert witness.culprit("a", "data.k")["user"] == "tenant"
    merge(alice, namespace, "configmap", "a", '{"data": {"k": null}}')  # managedFields has nothing of it
    removed = witness.culprit("a", "data.k")
    assert "manager" not in removed
    assert (removed["user"], removed["verb"]) == ("tenant", "patch")

    alice("delete", "configmap", "b", "-n", namespace)
    deleted = witness.reconcile()["b"]
    assert (deleted["culprit"]["user"], deleted["culprit"]["verb"]) == ("tenant", "delete")
    assert "was deleted by user tenant from 127.0.0.1, delete with kubectl/" in witness.output

    merge(alice, namespace, "configmap", "a", '{"data": {"k": "5"}}', "--field-manager=plumb")
    ours = witness.culprit("a", "data.k")
    assert (ours["manager"], ours["operation"], ours["user"]) == ("plumb", "Update", "tenant")


def test_additions_are_laid_to_who_made_them_and_stay_so(
    witness: Witness, alice: Kubectl, namespace: str
) -> None:
    alice("label", "configmap", "c", "by=hand", "-n", namespace)
    first = witness.culprit("c", "metadata.labels.by")
    assert (first["manager"], first["user"]) == ("kubectl-label", "tenant")
    assert witness.cause == "addition"
    assert witness.culprit("c", "metadata.labels.by") == first
    trail = [json.loads(line) for line in (witness._fleet.folder / "trail" / "here.jsonl").open()]
    assert [r["fields"][0]["culprit"]["user"] for r in trail if r["drifted"]] == ["tenant"], "reported once"


def test_another_applier_is_named(witness: Witness, alice: Kubectl, fleet: GitFleet, namespace: str) -> None:
    body = config_map("c", {"added": "1"})
    alice("apply", "--server-side", "--field-manager=helm-controller", "-n", namespace, "-f", "-", stdin=body)
    culprit = witness.culprit("c", "data.added")
    assert (culprit["manager"], culprit["operation"], culprit["user"]) == (
        "helm-controller",
        "Apply",
        "tenant",
    )


def test_nothing_is_claimed_where_it_could_have_been_another(
    witness: Witness, alice: Kubectl, kubectl: Kubectl, namespace: str
) -> None:
    merge(alice, namespace, "configmap", "a", '{"data": {"k": "2"}}')
    merge(
        kubectl, namespace, "configmap", "a", '{"data": {"l": "2"}}'
    )  # the same manager: one entry for both
    changes = witness.reconcile()["a"]["changes"]
    assert {c["path"]: c["culprit"].get("user") for c in changes} == {"data.k": None, "data.l": None}
    assert {c["culprit"]["evidence"] for c in changes} == {"managedFields"}

    merge(alice, namespace, "configmap", "a", '{"data": {"k": null}}')
    merge(kubectl, namespace, "configmap", "a", '{"metadata": {"annotations": {"x": "y"}}}')
    removed = {c["path"]: c.get("culprit") for c in witness.reconcile()["a"]["changes"]}["data.k"]
    assert removed["one_of"] == ["tenant", "admin"]
    assert "by one of the users tenant, admin (audit log)" in witness.output


def test_our_own_requests_are_never_blamed(
    witness: Witness, kubectl: Kubectl, fleet: GitFleet, namespace: str
) -> None:
    """Plumb and the culprit have the same account here: all that tells them apart is what wrote."""
    for value in range(3):
        merge(kubectl, namespace, "configmap", "a", f'{{"data": {{"k": "x{value}", "l": null}}}}')
        changes = {c["path"]: c["culprit"] for c in witness.reconcile()["a"]["changes"]}
        assert changes["data.k"].get("user_agent", "").startswith("kubectl/"), (value, changes)
        assert changes["data.l"]["user_agent"].startswith("kubectl/")
    kubectl("delete", "configmap", "b", "-n", namespace)
    assert witness.reconcile()["b"]["culprit"]["user_agent"].startswith("kubectl/")


def test_a_log_that_does_not_reach_back_says_nothing_of_removals(
    witness: Witness, alice: Kubectl, sandbox: Sandbox, namespace: str, tmp_path: Path
) -> None:
    start = sandbox.audit_log.stat().st_size
    merge(alice, namespace, "configmap", "a", '{"data": {"k": null}}')

    def since() -> list[bytes]:
        """From this change on: what was logged before may come in late."""
        new = sandbox.audit_log.read_bytes()[start:].splitlines(keepends=True)
        mine = (f'"namespace":"{namespace}"'.encode(), b'"verb":"patch"', b'"username":"tenant"')
        return list(itertools.dropwhile(lambda line: not all(part in line for part in mine), new))

    part = tmp_path / "part.log"
    part.write_bytes(b"".join(until(since, "the change in the log")))
    (change,) = witness.reconcile(plumb_audit_log=str(part), plumb_cache_dir=str(tmp_path / "other"))["a"][
        "changes"
    ]
    assert "culprit" not in change


def test_a_log_that_cannot_be_read_is_told_and_holds_nothing_up(witness: Witness, tmp_path: Path) -> None:
    assert witness.reconcile(plumb_audit_log=str(tmp_path / "none.log")) == {}
    assert "? audit log" in witness.output
    assert "plumb_audit_log" in witness.output


def test_an_api_server_sends_its_events_to_the_agent(sandbox: Sandbox, tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path / "agent", module=instant_runs.__name__)
    token = tmp_path / "audit-token"
    token.write_text("open-audit")
    agent.words["http"] = {**agent.words["http"], "audit_token_file": str(token)}
    agent.configure()
    agent.inventory(dict.fromkeys(instant_runs.HOSTS))
    sink = f"http://{agent.words['http']['listen']}/audit/one/open-audit"  # no TLS
    webhook = tmp_path / "webhook.yml"
    webhook.write_text(
        f"apiVersion: v1\nkind: Config\nclusters: [{{name: p, cluster: {{server: '{sink}'}}}}]\n"
        "contexts: [{name: p, context: {cluster: p}}]\ncurrent-context: p\n"
    )
    policy = tmp_path / "policy.yml"
    policy.write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n"
        "rules: [{level: RequestResponse, resources: [{resources: [secrets]}]}, {level: Metadata}]\n"
    )
    arguments = {
        "audit-webhook-config-file": str(webhook),
        "audit-webhook-batch-max-wait": "1s",
        "audit-policy-file": str(policy),
    }
    (tmp_path / "own").mkdir()
    with running(agent), own_server(sandbox, tmp_path / "own", arguments) as own:
        kubectl = Kubectl(own.sandbox.kubeconfig)
        kubectl("create", "secret", "generic", "s", "--from-literal=word=correct-horse", "-n", "default")
        merge(kubectl, "default", "secret", "s", '{"stringData": {"word": "wrong-horse"}}')
        file = agent.state / "audit" / "one.jsonl"

        def patched() -> list[AuditEvent]:
            events = read_log(audit_log_file_of(file)).events if file.exists() else ()
            return [e for e in events if e.target == ("", "secrets", "default", "s") and e.verb == "patch"]

        (event,) = until(patched, "the event of the patch")
        assert (event.user, event.manager) == ("admin", "kubectl-patch")
        content = file.read_bytes()
        assert b"horse" not in content
        assert base64.b64encode(b"correct-horse") not in content
        assert b'"get"' not in content
        assert file.stat().st_mode & 0o777 == 0o600

        whole = json.dumps({"kind": "EventList", "items": [{}]}).encode()
        assert agent.get("/audit/one", "wrong", whole)[0] == 401
        assert agent.get("/audit/one", "sesame-sesame-sesame", whole)[0] == 401, (
            "the token for commands is another"
        )
        assert agent.get("/audit/one?token=open-audit", "", whole) == (200, '{"kept": 0}')
        assert agent.get("/audit/one/open-sesame", "", whole)[0] == 401
        assert agent.get("/audit/none", "open-audit", whole)[0] == 404
        assert agent.get("/audit/one", "open-audit", b"[" * 100_000)[0] == 400
        assert agent.get("/api/v1/status", "open-audit")[0] == 401
        assert agent.get("/audit/one", "open-audit", b" " * (MOST_BODY + 1))[0] == 413


def events(kubectl: Kubectl, namespace: str) -> list[tuple[str, str, str]]:
    """What Plumb wrote: reason, object, note; in order."""
    items = json.loads(kubectl("get", "events.events.k8s.io", "-n", namespace, "-o", "json"))["items"]
    ours = [e for e in items if e["reportingController"].startswith("plumb")]
    ours.sort(key=lambda e: e["eventTime"])
    return [(e["reason"], e["regarding"]["name"], e["note"]) for e in ours]


def test_events_stand_on_the_objects_once_and_without_values(
    fleet: GitFleet, kubectl: Kubectl, sandbox: Sandbox
) -> None:
    namespace = fleet.namespace
    staying = config_map("a") + config_map("b") + secret("s", {"word": "correct-horse"})
    fleet.upstream.commit({"app": {"all.yaml": staying + config_map("gone")}})
    assert fleet.reconcile().code == 0
    assert fleet.reconcile().code == 0
    assert events(kubectl, namespace) == [], "what Git says is no news"

    merge(kubectl, namespace, "secret", "s", '{"stringData": {"word": "wrong-horse"}}')
    kubectl("delete", "configmap", "b", "-n", namespace)
    kubectl("label", "configmap", "a", "by=hand", "-n", namespace)
    assert fleet.reconcile(check=True).code == 0
    assert events(kubectl, namespace) == [], "a check writes none"
    assert fleet.reconcile(plumb_audit_log=str(sandbox.audit_log)).code == 0
    assert fleet.reconcile().code == 0
    notes = {name: (reason, note) for reason, name, note in events(kubectl, namespace)}
    assert len(events(kubectl, namespace)) == 3
    assert notes["s"][0] == notes["b"][0] == "Reverted"
    assert notes["a"][0] == "Drifted"
    assert "data.word by kubectl-patch" in notes["s"][1]
    assert "was deleted by user admin" in notes["b"][1]
    assert "horse" not in json.dumps(events(kubectl, namespace))
    for name in "ab":
        assert notes[name][0] in kubectl("describe", "configmap", name, "-n", namespace)

    other = config_map("taken")
    kubectl("apply", "-n", namespace, "-f", "-", stdin=other)
    fleet.upstream.commit({"app": {"all.yaml": staying + config_map("new") + other}})
    first = fleet.reconcile()
    assert (first.code, fleet.reconcile().code) == (2, 2), first.output
    assert [(reason, name) for reason, name, _note in events(kubectl, namespace)[3:]] == [
        ("Refused", "taken")
    ]
    fleet.upstream.commit({"app": {"all.yaml": staying + config_map("new")}})
    assert fleet.reconcile().code == 0
    (pruned,) = [(reason, name) for reason, name, _note in events(kubectl, namespace)[4:]]
    assert pruned == ("Pruned", "gone")


def test_events_that_may_not_be_written_are_one_warning(
    fleet: GitFleet, kubectl: Kubectl, sandbox: Sandbox
) -> None:
    namespace = fleet.namespace
    fleet.upstream.commit({"app": {"all.yaml": config_map("a") + config_map("b")}})
    rights = ["--verb=*", "--resource=configmaps", "--resource=namespaces"]
    kubectl("create", "role", "few", *rights, "-n", namespace)
    kubectl("create", "rolebinding", "few", "--role=few", "--user=tenant", "-n", namespace)
    as_tenant: dict[str, Any] = {
        "plumb_kubeconfig": str(sandbox.kubeconfig_of("tenant")),
        "plumb_namespace": namespace,  # where it may keep its records
    }
    assert fleet.reconcile(**as_tenant).code == 0
    for name in "ab":
        merge(kubectl, namespace, "configmap", name, '{"data": {"a": "changed"}}')
    done = fleet.reconcile(**as_tenant)
    assert done.code == 0, done.output
    assert done.output.count("Events could not be written") == 1
    assert "plumb_events" in done.output
    assert kubectl.live("configmap", "a", namespace)["data"] == {"a": "1"}
    merge(kubectl, namespace, "configmap", "a", '{"data": {"a": "changed"}}')
    assert "Events" not in fleet.reconcile(**as_tenant, plumb_events=False).output


def test_a_check_needs_no_more_than_the_shipped_role(
    fleet: GitFleet, kubectl: Kubectl, sandbox: Sandbox, checker: Path
) -> None:
    everything = WEB + config_map("same") + config_map("c") + config_map("gone") + secret("s", {"word": "x"})
    fleet.upstream.commit({"app": {"all.yaml": everything}})
    shared: dict[str, Any] = {"plumb_apps": [fleet.app(wait=False)]}
    assert fleet.reconcile(**shared).code == 0
    kubectl("scale", "deployment", "web", "--replicas=5", "-n", fleet.namespace)
    kubectl("label", "configmap", "same", "by=hand", "-n", fleet.namespace)
    kubectl("delete", "configmap", "gone", "-n", fleet.namespace)
    later = everything.replace('"name": "c"', '"name": "new"')
    fleet.upstream.commit({"app": {"all.yaml": later}})
    audit = Audit(sandbox.audit_log)
    audit.writes()
    done = fleet.reconcile(check=True, **shared, plumb_kubeconfig=str(checker))
    assert done.code == 0, done.output
    assert audit.writes() == []
    (app,) = fleet.report()["apps"]
    by_name = {a["name"]: a for a in app["actions"]}
    assert not by_name["same"]["unverified"]
    assert by_name["same"]["drifted"], "an addition needs no dry-run"
    assert {name for name, a in by_name.items() if a["unverified"]} == {"s", "web", "new", "gone", "c"}
    assert (by_name["c"]["action"], "left Git" in by_name["c"]["reason"]) == ("prune", True)
    assert "5 unverified" in done.output
    assert "Secret could not be listed" in app["prune_blocked"], "so it does not know what is to prune"
    for lines in ("? Secret", "? Deployment", "? ConfigMap"):
        assert lines in done.output
    with pytest.raises(AssertionError, match="forbidden"):
        Kubectl(checker)("create", "configmap", "x", "-n", fleet.namespace)
    with pytest.raises(AssertionError, match="forbidden"):
        Kubectl(checker)("get", "secrets", "-n", fleet.namespace)
