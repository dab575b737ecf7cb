# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`plumb.gitops.reconcile` as users run it: an inventory, a repository on the forge, a real cluster."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.interface.options.agent import AGENT
from ansible_collections.plumb.gitops.plugins.module_utils.interface.options.common import INVENTORY
from ansible_collections.plumb.gitops.plugins.module_utils.interface.options.feedback import FEEDBACK
from ansible_collections.plumb.gitops.plugins.module_utils.interface.options.images import IMAGES
from ansible_collections.plumb.gitops.tests.support.ansible.fleet import RECONCILE, Fleet
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import Repository, new_repository

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello}
"""

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "web:1.0"}]}
"""

SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {password: correct-horse-battery}
"""


@dataclass(slots=True)
class ForgeFleet(Fleet):
    """A fleet whose source is a repository on the forge."""

    repository: Repository


@pytest.fixture
def fleet(sandbox: Sandbox, play: Play, namespace: str, tmp_path: Path) -> ForgeFleet:
    repository = new_repository(sandbox, f"r-{uuid.uuid4().hex[:8]}", tmp_path / "clone", past_hooks=True)
    git = {"url": repository.url, "token_file": str(repository.token_file)}
    return ForgeFleet(play, sandbox, git, namespace, tmp_path, repository)


def test_a_cluster_is_brought_to_what_git_says_and_kept_there(fleet: ForgeFleet, kubectl: Kubectl) -> None:
    commit = fleet.repository.commit({"app/config.yaml": CONFIG, "app/web.yaml": DEPLOYMENT}, "Open the shop")

    checked = fleet.run("--check", "--diff")
    assert checked.code == 0, checked.output
    assert f'here    fleet main {commit[:7]} "Open the shop", Alma Berg' in checked.output
    assert "2 to create" in checked.output
    assert "Check only, nothing was written." in checked.output
    assert kubectl.get("configmap", "settings", fleet.namespace) is None

    applied = fleet.run()
    assert applied.code == 0, applied.output
    assert "2 created" in applied.output
    live = kubectl.get("deployment", "web", fleet.namespace)
    assert live is not None
    assert live["status"]["availableReplicas"] == 2  # it waited

    again = fleet.run()
    assert "2 unchanged" in again.output
    assert "changed=0" in again.output
    assert fleet.report()["requests"]["writes"] == 0

    kubectl("scale", "deployment", "web", "--replicas=5", "-n", fleet.namespace)
    kubectl("delete", "configmap", "settings", "-n", fleet.namespace)
    drifted = fleet.run("--check")
    assert "2 drifted" in drifted.output
    assert "spec.replicas   5 -> 2   by kubectl (scale), time not recorded" in drifted.output
    assert "was deleted by someone" in drifted.output
    assert fleet.report()["drifted"] is True

    reverted = fleet.run()
    assert "2 reverted" in reverted.output
    live = kubectl.get("deployment", "web", fleet.namespace)
    assert live is not None
    assert live["spec"]["replicas"] == 2

    gone = fleet.repository.commit({"app/config.yaml": None}, "Drop the settings")
    pruned = fleet.run()
    assert f"left Git in {gone[:7]}" in pruned.output
    assert kubectl.get("configmap", "settings", fleet.namespace) is None


def test_a_broken_commit_is_refused_and_nothing_changes(fleet: ForgeFleet, kubectl: Kubectl) -> None:
    fleet.repository.commit({"app/config.yaml": CONFIG, "app/web.yaml": DEPLOYMENT})
    assert fleet.run(plumb_apps=[fleet.app(wait=False)]).code == 0
    before = kubectl.get("configmap", "settings", fleet.namespace)

    fleet.repository.commit(
        {"app/config.yaml": "kind: ConfigMap\nmetadata:\n  name: settings\n name: wrong\n"}
    )
    refused = fleet.run()
    assert refused.code == 2
    assert "app/config.yaml:4" in refused.output
    assert "Traceback" not in refused.output
    assert kubectl.get("configmap", "settings", fleet.namespace) == before
    assert fleet.report()["failed"] is True


def test_the_play_fails_on_what_plumb_fail_on_says(fleet: ForgeFleet, kubectl: Kubectl) -> None:
    fleet.repository.commit({"app/config.yaml": CONFIG})
    assert fleet.run().code == 0
    kubectl("patch", "configmap", "settings", "-n", fleet.namespace, "-p", '{"data":{"greeting":"bye"}}')

    assert fleet.run("--check").code == 0
    assert fleet.run("--check", plumb_fail_on="drift").code == 2

    fleet.repository.commit({"app/config.yaml": "nonsense"})
    assert fleet.run("--check").code == 2
    assert fleet.run("--check", plumb_fail_on="never").code == 0


def test_plumb_only_selects_apps_and_a_wrong_name_is_refused(fleet: ForgeFleet, kubectl: Kubectl) -> None:
    fleet.repository.commit({"app/config.yaml": CONFIG, "other/key.yaml": SECRET})
    apps = [fleet.app(), fleet.app(name="other", path="other")]

    assert fleet.run("-e", "plumb_only=other", plumb_apps=apps).code == 0
    assert kubectl.get("secret", "key", fleet.namespace) is not None
    assert kubectl.get("configmap", "settings", fleet.namespace) is None

    wrong = fleet.run("-e", "plumb_only=othr", plumb_apps=apps)
    assert wrong.code == 2
    assert "there is no such app" in wrong.output
    assert "app, other" in wrong.output


def test_more_apps_are_no_more_tasks(fleet: ForgeFleet) -> None:
    names = [f"app-{number}" for number in range(12)]
    fleet.repository.commit({f"{name}/config.yaml": CONFIG.replace("settings", name) for name in names})
    apps = [fleet.app(name=name, path=name) for name in names]
    results = re.compile(r"^(?:TASK \[.*\]|(?:ok|changed|skipping|included): .*)", re.MULTILINE)

    single, all_of_them = (fleet.run("--check", plumb_apps=wanted) for wanted in (apps[:1], apps))

    assert (single.code, all_of_them.code) == (0, 0), all_of_them.output
    assert len(fleet.report()["apps"]) == len(apps)
    assert results.findall(all_of_them.output) == results.findall(single.output)


def test_plumb_suspended_leaves_apps_alone_and_tells_of_names_without_one(
    fleet: ForgeFleet, kubectl: Kubectl
) -> None:
    fleet.repository.commit({"app/config.yaml": CONFIG, "other/key.yaml": SECRET})
    apps = [fleet.app(), fleet.app(name="other", path="other")]

    done = fleet.run("-e", "plumb_suspended=other,othr", plumb_apps=apps)
    assert done.code == 0, done.output
    assert "suspended names app othr, which does not exist" in done.output
    assert kubectl.get("configmap", "settings", fleet.namespace) is not None
    assert kubectl.get("secret", "key", fleet.namespace) is None
    assert [app.get("suspended") for app in fleet.report()["apps"]] == [False, True]


def test_the_settings_playbook_asks_nobody_and_refuses_a_wrong_word(play: Play, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yml"
    source = "{name: fleet, url: 'https://git.invalid/fleet.git', branch: main}"
    text = f"plumb_clusters:\n  hosts: {{here: }}\n  vars:\n    plumb_sources: [{source}]\n"
    inventory.write_text(text, encoding="utf-8")
    played = play.playbook("plumb.gitops.settings", "-i", str(inventory), "-v")
    assert played.code == 0, played.output
    assert '"url": "https://git.invalid/fleet.git"' in played.output

    inventory.write_text(text.replace("branch", "brnch"), encoding="utf-8")
    refused = play.playbook("plumb.gitops.settings", "-i", str(inventory))
    assert refused.code == 2
    assert "did you mean 'branch'?" in refused.output


def test_a_secret_shows_that_it_changed_and_not_what(fleet: ForgeFleet) -> None:
    fleet.repository.commit({"app/key.yaml": SECRET})
    assert fleet.run().code == 0
    fleet.repository.commit({"app/key.yaml": SECRET.replace("correct", "another")})
    checked = fleet.run("--check", "-vvv")
    assert "data.password   (hidden) -> (hidden)" in checked.output
    assert "horse-battery" not in checked.output + json.dumps(fleet.report())
    assert b"horse-battery".hex() not in checked.output


def test_limit_and_several_clusters(fleet: ForgeFleet) -> None:
    fleet.repository.commit({"app/config.yaml": CONFIG})
    both = fleet.run("--check", hosts=("here", "other"))
    assert both.code == 0
    assert "here    fleet main" in both.output
    assert "other    fleet main" in both.output
    limited = fleet.run("--check", "--limit", "other", hosts=("here", "other"))
    assert limited.code == 0
    assert "here    fleet main" not in limited.output


def test_a_source_that_fails_leaves_the_others_alone(fleet: ForgeFleet, kubectl: Kubectl) -> None:
    fleet.repository.commit({"app/config.yaml": CONFIG})
    sources = [fleet.source(), fleet.source(name="gone", branch="nowhere")]
    apps = [fleet.app(), fleet.app(name="lost", source="gone")]
    done = fleet.run(plumb_sources=sources, plumb_apps=apps)
    assert done.code == 2
    assert "nowhere" in done.output
    assert kubectl.get("configmap", "settings", fleet.namespace) is not None


def _a_source(**options: Any) -> dict[str, Any]:
    return {"plumb_sources": [{"name": "fleet", "url": "https://x.example/r.git", **options}]}


def _an_app(**options: Any) -> dict[str, Any]:
    return {"plumb_apps": [{"name": "app", "source": "fleet", **options}]}


_IN_A_CIRCLE = [{"name": name, "source": "fleet", "depends_on": [other]} for name, other in ("ab", "ba")]
WRONG: dict[str, tuple[Mapping[str, Any], str]] = {
    "variable": ({"plumb_fail_onn": "drift"}, "did you mean 'plumb_fail_on'?"),
    "choice": ({"plumb_fail_on": "sometimes"}, "sometimes"),
    "option": (_an_app(adpot=True), "did you mean 'adopt'?"),
    "source": (_an_app(source="flet"), "there is no source 'flet'"),
    "duration": (_an_app(timeout="5"), "is not a duration"),
    "limit": (_an_app(prune_limit="lots"), "neither a number"),
    "name": (_an_app(name="App One"), "not a DNS label"),
    "circle": ({"plumb_apps": _IN_A_CIRCLE}, "wait for each other"),
    "no-ref": (_a_source(), "exactly one of branch, tag, semver and commit"),
    "rewritten": (_a_source(branch="main", rewritten="refused"), "follow, refuse"),
    "former": (_an_app(moved_from=["app"]), "is no former name"),
    "serial": ({"plumb_serial": 1}, "-e plumb_serial=1"),
}


def test_a_wrong_word_in_the_inventory_is_named(fleet: ForgeFleet) -> None:
    """Each is of a host of its own: one run tells them all."""
    refused = fleet.run_hosts({host: variables for host, (variables, _message) in WRONG.items()})
    assert refused.code == 2
    messages = dict(re.findall(r"^(?:fatal: )?\[([\w-]+)\]:? (.*)$", refused.output, re.MULTILINE))
    for host, (_variables, message) in WRONG.items():
        assert message in messages[host], (host, refused.output)
    assert "Pull the sources" not in refused.output
    assert "Traceback" not in refused.output


def test_a_variable_that_is_null_is_as_good_as_none(fleet: ForgeFleet) -> None:
    """Before 2.19 Ansible makes an empty text of a null that a template comes to, also where a map is wanted."""
    fleet.repository.commit({"app/config.yaml": CONFIG})
    needed = {"sources", "apps", "kubeconfig", "cache_dir", "serial"}
    needed.add("impersonate_user")  # an empty one is refused: it would act with the account's own rights
    names = sorted({*INVENTORY, *FEEDBACK, *IMAGES, *AGENT} - needed)
    done = fleet.run_hosts({name.replace("_", "-"): {f"plumb_{name}": None} for name in names}, "--check")
    assert done.code == 0, done.output
    assert done.output.count("1 to create") == len(names)


def test_an_inventory_without_clusters_is_refused(play: Play, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text("all:\n  hosts:\n    somewhere:\n", encoding="utf-8")
    refused = play.playbook(RECONCILE, "-i", str(inventory))
    assert refused.code == 2
    assert "no host in the group plumb_clusters" in refused.output


def test_no_cluster_named_and_none_around_is_refused(fleet: ForgeFleet) -> None:
    fleet.repository.commit({"app/config.yaml": CONFIG})
    refused = fleet.run(plumb_kubeconfig=None)
    assert refused.code == 2
    assert "plumb_kubeconfig" in refused.output
    assert "Traceback" not in refused.output
