# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `--diff` shows of a real cluster, through ansible-playbook."""

from __future__ import annotations

import json
import re
import textwrap
from base64 import b64encode
from hashlib import sha256

from ansible_collections.plumb.gitops.tests.support.ansible.git_fleet import GitFleet
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: web:1.0
        ports: [{containerPort: 80}]
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  app.conf: |
    first = 1
    second = 2
    third = 3
    fourth = 4
    fifth = 5
    sixth = 6
"""
KEY = """\
apiVersion: v1
kind: Secret
metadata:
  name: key
stringData:
  password: correct-horse-battery
"""
OLD = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: old
data:
  gone: soon
"""
SETTINGS_DIFF = """\
--- cluster  ConfigMap {namespace}/settings (v1)
+++ git      app/settings.yaml:1@{commit}
@@ data.app.conf @@
     second = 2
     third = 3
     fourth = 4
-    fifth = 5
+    fifth = five
     sixth = 6
"""
PRUNED_DIFF = """\
--- cluster  ConfigMap {namespace}/old (v1)
+++ /dev/null
-apiVersion: v1
-kind: ConfigMap
-metadata:
-  name: old
-  namespace: {namespace}
-data:
-  gone: soon
"""
CREATED_DIFF = """\
--- /dev/null
+++ git      ConfigMap {namespace}/new (v1)  app/new.yaml:1@{commit}
+apiVersion: v1
+kind: ConfigMap
+metadata:
+  name: new
+  namespace: {namespace}
+data:
+  gone: soon
"""
CONTAINER_HUNK = """
@@ spec.template @@
     spec:
       containers:
       - name: main
-        image: web:1.0
+        image: web:1.1
         ports:
         - containerPort: 80"""


def test_a_check_with_diff_shows_what_differs_as_yaml(git_fleet: GitFleet, kubectl: Kubectl) -> None:
    fleet, namespace = git_fleet, git_fleet.namespace
    fleet.upstream.commit({"app": {"web.yaml": WEB, "settings.yaml": SETTINGS, "old.yaml": OLD}})
    assert fleet.run(plumb_apps=[fleet.app(wait=False)]).code == 0
    kubectl("scale", "deployment", "web", "--replicas=5", "-n", namespace)
    kubectl("label", "deployment", "web", "team=b", "-n", namespace)
    commit = fleet.upstream.commit(
        {
            "app": {
                "web.yaml": WEB.replace("web:1.0", "web:1.1"),
                "settings.yaml": SETTINGS.replace("fifth = 5", "fifth = five"),
                "new.yaml": OLD.replace("name: old", "name: new"),
            }
        }
    )[:7]
    checked = fleet.run("--check", "--diff", plumb_markdown_path=str(fleet.folder / "markdown"))
    assert checked.code == 0, checked.output
    updated = SETTINGS_DIFF.format(namespace=namespace, commit=commit)
    pruned = PRUNED_DIFF.format(namespace=namespace)
    created = CREATED_DIFF.format(namespace=namespace, commit=commit)
    for diff in (updated, pruned, created):
        assert f"\n{diff}\n" in checked.output, checked.output
    drifted = checked.output.partition(f"--- cluster  Deployment {namespace}/web (apps/v1)\n")[2]
    drifted = drifted.partition("\n\n")[0]
    assert "\n# spec.replicas: by kubectl (scale), time not recorded\n" in drifted
    assert "# metadata.labels.team: added by kubectl-label, " in drifted
    assert "; left as it is\n" in drifted
    assert "\n-  replicas: 5\n+  replicas: 2\n" in drifted
    assert "\n-    team: b\n" in drifted
    assert drifted.endswith(CONTAINER_HUNK), drifted
    assert "progressDeadlineSeconds" not in checked.output

    (markdown,) = (fleet.folder / "markdown").rglob("*.md")
    assert textwrap.indent(f"```diff\n{updated}```\n", "  ") in markdown.read_text(encoding="utf-8")
    diffs = [action.get("diff", "") for app in fleet.report()["apps"] for action in app["actions"]]
    assert f"{updated.rstrip()}" in diffs

    short = fleet.run("--check").output
    assert "spec.template.spec.containers[main].image   web:1.0 -> web:1.1" in short
    assert "+++ git" not in short
    fields = fleet.run("--check", "--diff", plumb_diff="fields").output
    assert "spec.template.spec.containers[main].image   web:1.0 -> web:1.1" in fields
    assert "+++ git" not in fields


def test_a_diff_shows_that_a_secret_changed_and_nothing_of_it(git_fleet: GitFleet) -> None:
    git_fleet.upstream.commit({"app": {"key.yaml": KEY}})
    created = git_fleet.run("--check", "--diff")
    requests = git_fleet.report()["requests"]
    assert git_fleet.run("--check").code == 0
    assert git_fleet.report()["requests"] == requests, "a diff of what is read anyway asks for nothing more"
    assert git_fleet.run().code == 0
    git_fleet.upstream.commit({"app": {"key.yaml": KEY.replace("correct", "another")}})
    changed = git_fleet.run("--check", "--diff", "-vvv")
    values = re.findall(
        r"^[-+]  password: (<hidden: 21 bytes, digest [0-9a-f]{12}>)$", changed.output, re.MULTILINE
    )
    assert len(set(values)) == 2, changed.output
    assert re.search(r"^\+  password: <hidden: 21 bytes, digest [0-9a-f]{12}>$", created.output, re.MULTILINE)
    for password in (b"correct-horse-battery", b"another-horse-battery"):
        for secret in (password.decode(), b64encode(password).decode(), sha256(password).hexdigest()[:12]):
            assert secret not in created.output + changed.output + json.dumps(git_fleet.report())


def test_a_first_sync_is_summed_up_and_each_failure_is_printed_once(git_fleet: GitFleet) -> None:
    bad = OLD.replace("name: old", "name: bad_NAME")
    many = {f"f{n}.yaml": OLD.replace("name: old", f"name: many-{n}") for n in range(30)}
    git_fleet.upstream.commit({"app": {**many, "bad.yaml": bad}})
    for words, counts in ((("--check",), "30 to create, 1 refused"), ((), "1 failed, 30 created")):
        done = git_fleet.run(*words)
        assert done.code == 2
        assert f"  app   {counts}\n    + 30 ConfigMap\n" in done.output
        assert "many-" not in done.output
        assert done.output.count("Correct the manifest in Git") == 1
    names = {action["name"] for action in git_fleet.report()["apps"][0]["actions"]}
    assert names == {"bad_NAME", *(f"many-{n}" for n in range(30))}


def test_what_is_left_as_it_is_shows_with_its_author(git_fleet: GitFleet, kubectl: Kubectl) -> None:
    """An addition that an earlier run remembered, of which this one reads metadata only; and drift of an app."""
    fleet = git_fleet
    fleet.upstream.commit({"app": {"web.yaml": WEB}, "kept": {"settings.yaml": SETTINGS}})
    apps = [fleet.app(wait=False), fleet.app(name="kept", path="kept", drift="report")]
    assert fleet.run(plumb_apps=apps).code == 0
    added = {"spec": {"template": {"metadata": {"annotations": {"example.com/note": "mine"}}}}}
    kubectl("patch", "deployment", "web", "-n", fleet.namespace, "-p", json.dumps(added))
    kubectl("patch", "configmap", "settings", "-n", fleet.namespace, "-p", '{"data":{"app.conf":"none"}}')
    assert fleet.run(plumb_apps=apps).code == 0
    checked = fleet.run("--check", "--diff", plumb_apps=apps)
    assert fleet.report()["requests"]["dry_runs"] == 1, "for the drift; the addition is remembered"
    addition = "# spec.template.metadata.annotations[example.com/note]: added by kubectl-patch, "
    drift = "# data[app.conf]: by kubectl-patch, "
    for comment in (addition, drift):
        (line,) = re.findall(f"^{re.escape(comment)}.*$", checked.output, re.MULTILINE)
        assert line.endswith("Z; left as it is")
    assert "-      annotations:\n-        example.com/note: mine\n     spec:\n" in checked.output, (
        checked.output
    )
    assert "-  app.conf: none\n+  app.conf: |\n+    first = 1\n" in checked.output


def test_what_is_created_anew_or_adopted_shows_what_of_it_differs(
    git_fleet: GitFleet, kubectl: Kubectl
) -> None:
    fleet = git_fleet
    fleet.upstream.commit({"app": {"web.yaml": WEB}})
    apps = [fleet.app(wait=False, recreate=True, adopt=True)]
    assert fleet.run(plumb_apps=apps).code == 0
    kubectl("apply", "-n", fleet.namespace, "-f", "-", stdin=OLD.replace("soon", "later"))
    fleet.upstream.commit({"app": {"web.yaml": WEB.replace("app: web", "app: shop"), "old.yaml": OLD}})
    checked = fleet.run("--check", "--diff", plumb_apps=apps)
    assert checked.code == 0, checked.output
    recreated = checked.output.partition("    * Deployment ")[2].partition("\n\n")[0]
    assert [line for line in recreated.splitlines() if line[0] in "+-"][2:] == [
        "-      app: web", "+      app: shop", "-        app: web", "+        app: shop",
    ], recreated  # fmt: skip
    assert "    ^ ConfigMap " in checked.output
    assert "-  gone: later\n+  gone: soon\n" in checked.output
