# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real Chromium: a real agent on a real API server, while people change what Git decides.

PLUMB_SCREENSHOTS=1 has it write the pictures of README.md anew.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from ansible_collections.plumb.gitops.tests.support.agent.browser import Browser, browser
from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess, running, until
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import Repository, new_repository

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
PASSWORD = "correct-horse-battery"
HOSTILE = "<img src=x onerror='window.canary=1'>"
SUBJECT = f"Raise the limits of checkout {HOSTILE}"
MANAGER = "<b>kubectl</b><script>canary=1</script>"
EDITOR = "bo@example.com"
SETTINGS = "log: info\nport: 8080\nworkers: 4\nregion: eu\ncache: on\n"

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: main, image: "registry.example.com/{name}:1.4.2"}}]}}
"""


def config_map(name: str, **data: str) -> str:
    lines = [f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n"]
    for key, value in data.items():
        lines += [f"  {key}: |\n", *(f"    {line}\n" for line in value.splitlines())]
    return "".join(lines)


MANIFESTS = {
    "shop/cart.yaml": DEPLOYMENT.format(name="cart"),
    "shop/checkout.yaml": DEPLOYMENT.format(name="checkout"),
    "shop/settings.yaml": config_map("settings", app=SETTINGS),
    "shop/key.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\nstringData: {{password: {PASSWORD}}}\n",
    "payments/ledger.yaml": DEPLOYMENT.format(name="ledger"),
    "payments/limits.yaml": config_map("limits", most="1000"),
}
CLUSTERS = ("prod-eu", "prod-us", "staging")


@dataclass(frozen=True, slots=True)
class Scene:
    """The agent with its three clusters (which are namespaces here), the people at them, and the reader."""

    agent: AgentProcess
    repository: Repository
    kubectl: Kubectl
    reader: Browser

    @property
    def url(self) -> str:
        return f"http://{self.agent.words['http']['listen']}/"

    def sync(self, cluster: str) -> None:
        """Have the agent look at a cluster, and wait until it has."""
        code, output = self.agent.command("sync", "--cluster", cluster, "--wait")
        assert "reconcil" in "".join(self.agent.runs(cluster)[-1:]), (code, output)

    def edit(self, cluster: str, kind: str, name: str, patch: str, manager: str) -> None:
        """Somebody changes an object by hand."""
        who = (f"--as={EDITOR}", "--as-group=system:masters", f"--field-manager={manager}")
        self.kubectl("patch", kind, name, "-n", cluster, "--type=merge", "-p", patch, *who)

    def cluster(self, name: str) -> str:
        """The selector of a cluster's part of the page."""
        return f"section[data-key='{name}']"


@pytest.fixture(scope="module")
def scene(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("page")
    repository = new_repository(sandbox, "page-fleet", folder / "git", past_hooks=True)
    repository.commit(MANIFESTS, SUBJECT)
    agent = AgentProcess(folder / "agent")
    source = {"name": "fleet", "url": repository.url, "branch": "main", "allow_http": True}
    hosts: dict[str, Any] = {}
    for cluster in CLUSTERS:
        of_all = {"source": "fleet", "namespace": cluster, "create_namespace": True, "timeout": "60s"}
        hosts[cluster] = {
            "plumb_owner": cluster,  # one API server that only looks like three
            "plumb_apps": [{"name": app, "path": app, **of_all} for app in ("shop", "payments")],
        }
    agent.inventory(
        hosts,
        plumb_kubeconfig=str(sandbox.kubeconfig),
        plumb_audit_log=str(sandbox.audit_log),
        plumb_cache_dir=str(folder / "cache"),
        plumb_sources=[source | {"token_file": str(repository.token_file)}],
    )
    agent.configure(watch=True)  # as users have it
    with browser(folder / "profile") as reader, running(agent):
        reader.size(1280, 900)
        for cluster in CLUSTERS:
            agent.await_run(cluster)
        yield Scene(agent, repository, Kubectl(sandbox.kubeconfig), reader)


@pytest.fixture
def reader(scene: Scene) -> Browser:
    """Who has signed in and looks at the page."""
    reader = scene.reader
    if not reader.driver.current_url.startswith(scene.url):
        reader.driver.get(scene.url)
    reader.first("h1")
    if reader.all("#token"):
        reader.press("sesame-sesame-sesame", Keys.ENTER)
    reader.first("#link", "Live")
    return reader


def test_nothing_is_shown_to_who_has_not_the_token(scene: Scene) -> None:
    reader = scene.reader
    reader.driver.get(scene.url)
    reader.first("h1", "Sign in")
    assert "prod-eu" not in reader.driver.page_source
    assert scene.agent.get("/api/v1/state")[0] == 401
    assert scene.agent.get("/api/v1/events")[0] == 401
    assert reader.focused().get_attribute("id") == "token"
    reader.press("open sesame", Keys.ENTER)
    reader.first("[role=alert]", "This is not the token.")
    assert reader.focused().get_attribute("id") == "token"
    assert "prod-eu" not in reader.driver.page_source
    reader.press("sesame-sesame-sesame", Keys.ENTER)
    reader.first("h1", "Everything is what Git says")
    (cookie,) = reader.driver.get_cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert "sesame-sesame-sesame" not in cookie["value"]
    assert reader.run("return document.cookie") == ""
    assert "sesame-sesame-sesame" not in reader.driver.page_source


def test_each_cluster_shows_its_apps_and_the_revision_with_subject_and_author(
    scene: Scene, reader: Browser
) -> None:
    for cluster in CLUSTERS:
        shown = reader.first(scene.cluster(cluster)).text
        assert "In sync" in shown
        assert "Alma Berg" in shown
        assert SUBJECT in shown
        assert "2 apps, " in shown


def test_names_and_subjects_are_shown_as_they_are_and_never_run(scene: Scene, reader: Browser) -> None:
    assert SUBJECT in reader.text()
    assert reader.run("return window.canary") is None
    assert reader.run("return document.querySelectorAll('main img, main script, main b b').length") == 0


def test_drift_appears_by_itself_with_its_culprit_and_what_became_of_it(
    scene: Scene, reader: Browser
) -> None:
    part = scene.cluster("prod-us")
    reader.run("window.stays = true")
    scene.edit("prod-us", "configmap", "settings", '{"data": {"app": "log: debug\\nport: 8080\\n"}}', MANAGER)
    row = reader.first(f"{part} .finding", "ConfigMap prod-us/settings")
    assert "Drifted, reverted" in row.text
    assert MANAGER in row.text
    assert EDITOR in row.text
    assert reader.run("return window.canary") is None
    reader.first(
        "#announcement", "prod-us: ConfigMap prod-us/settings data.app: Drifted, reverted, changed by"
    )
    assert reader.run("return window.stays") is True  # nothing was loaded anew
    assert "In sync" in reader.first(f"{part} header").text
    reader.first("h1", "Everything is what Git says")


def test_a_finding_opens_by_keyboard_and_stays_open_when_something_new_comes(
    scene: Scene, reader: Browser
) -> None:
    scene.edit("prod-us", "configmap", "settings", '{"data": {"app": "log: debug\\nport: 8080\\n"}}', MANAGER)
    scene.sync("prod-us")
    reader.first(f"{scene.cluster('prod-us')} .finding", "ConfigMap prod-us/settings")
    reader.run("document.getElementById('main').focus()")
    for _key in range(60):
        reader.press(Keys.TAB)
        if "ConfigMap prod-us/settings" in reader.focused().text and reader.focused().tag_name == "summary":
            break
    assert reader.focused().tag_name == "summary"
    outline = reader.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    reader.press(Keys.ENTER)
    table = reader.first(f"{scene.cluster('prod-us')} .finding[open] table")
    assert "data.app" in table.text
    assert reader.all("del", "log: debug")
    assert reader.all("ins", "log: info")
    assert f"{EDITOR} ({MANAGER}" in table.text
    assert "evidence: audit log" in table.text
    scene.edit("staging", "configmap", "limits", '{"data": {"most": "9"}}', "kubectl-edit")
    scene.sync("staging")
    reader.first(f"{scene.cluster('staging')} .finding", "ConfigMap staging/limits")
    assert reader.all(f"{scene.cluster('prod-us')} .finding[open] table")
    assert reader.focused().tag_name == "summary"
    assert "ConfigMap prod-us/settings" in reader.focused().text


def test_what_stands_beside_git_is_shown_until_it_is_gone(scene: Scene, reader: Browser) -> None:
    part = scene.cluster("staging")
    scene.edit("staging", "deployment", "cart", '{"metadata": {"labels": {"hotfix": "yes"}}}', "kubectl-edit")
    scene.sync("staging")
    reader.first("h1", "staging is not what Git says")
    shown = reader.first(part).text
    assert "Not in sync: 1 object" in shown
    row = reader.first(f"{part} .finding.warn", "metadata.labels.hotfix").text
    assert "added" in row
    assert "kubectl-edit" in row
    scene.edit("staging", "deployment", "cart", '{"metadata": {"labels": {"hotfix": null}}}', "kubectl-edit")
    scene.sync("staging")
    reader.first(f"{part} header", "In sync")
    assert "Not in sync" not in reader.text(part)
    assert "Drifted, left so" in reader.text(part)  # the timeline keeps it


def test_a_refused_object_is_shown_with_the_reason(scene: Scene, reader: Browser) -> None:
    part = scene.cluster("prod-eu")
    scene.kubectl("create", "configmap", "flags", "-n", "prod-eu", "--from-literal=beta=on")
    scene.repository.commit({"shop/flags.yaml": config_map("flags", beta="off")}, "Turn the beta off")
    reader.first("h1", "prod-eu")
    assert "1 app refused" in reader.text("#summary")
    shown = reader.first(f"{part} .finding.bad", "ConfigMap prod-eu/flags").text
    assert "Refused" in shown
    assert "adopt" in shown  # what helps
    assert "(1) prod-eu" in reader.driver.title
    first, *_others = reader.all("#clusters > section")
    assert first.get_attribute("data-key") == "prod-eu"
    reader.first(f"{scene.cluster('staging')} header", "In sync")


def test_a_secret_shows_that_it_changed_and_not_what(scene: Scene, reader: Browser) -> None:
    scene.edit("prod-us", "secret", "key", '{"stringData": {"password": "hunter2-hunter2"}}', "kubectl-edit")
    row = reader.first(f"{scene.cluster('prod-us')} .finding", "Secret prod-us/key")
    assert "(hidden)" in row.text
    state = scene.agent.get("/api/v1/state?cluster=prod-us", token="sesame-sesame-sesame")[1]
    for secret in (PASSWORD, "hunter2-hunter2", "sesame-sesame-sesame"):
        assert secret not in reader.driver.page_source
        assert secret not in state


def test_it_is_told_to_who_hears_it(scene: Scene, reader: Browser) -> None:
    reader.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    heard = reader.accessibility_tree()
    roles = [role for role, _name in heard]
    for landmark in ("banner", "main", "contentinfo", "navigation", "search"):
        assert roles.count(landmark) == 1, landmark
    assert ("navigation", "Clusters") in heard
    for cluster in CLUSTERS:
        assert any(role == "region" and name.startswith(cluster) for role, name in heard)
    levels = reader.run("return [...document.querySelectorAll('main h1, main h2, main h3')].filter((one) => "
                        "one.getClientRects().length).map((one) => Number(one.tagName[1]))")  # fmt: skip
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    for column in ("Field", "In the cluster", "Git says", "Changed by"):
        assert ("columnheader", column) in heard
    assert reader.run("return document.getElementById('announcement').getAttribute('aria-live')") == "polite"
    # Each mark says in words what its colour says.
    assert all(any(map(str.isalpha, mark.text)) for mark in reader.all(".mark"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_the_way_of_anyone(reader: Browser, scheme: str) -> None:
    reader.prefers(color_scheme=scheme)
    reader.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert reader.violations() == []


def test_it_is_light_or_dark_still_and_narrow_as_the_reader_wants_it(scene: Scene, reader: Browser) -> None:
    paper = "return getComputedStyle(document.body).backgroundColor"
    dot = "return getComputedStyle(document.getElementById('link'), '::before').animationName"
    reader.prefers(color_scheme="light")
    light = reader.run(paper)
    assert reader.run(dot) == "breathe"
    reader.prefers(color_scheme="dark", reduced_motion="reduce")
    assert reader.run(paper) != light
    assert reader.run(dot) == "none"
    reader.size(340, 800)
    width = reader.run("return [document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]
    reader.prefers()
    reader.size(1280, 900)


def test_the_pictures(scene: Scene, reader: Browser) -> None:
    """What the README shows; made only when asked, so that a test run leaves the working tree as it was."""
    scene.edit("prod-eu", "deployment", "checkout", '{"spec": {"replicas": 2}}', "kubectl-edit")
    scene.repository.commit({"payments/limits.yaml": config_map("limits", most="2500")}, "Raise the limits")
    for cluster in CLUSTERS:
        reader.first(scene.cluster(cluster), "Raise the limits")
    reader.driver.refresh()
    row = reader.first(f"{scene.cluster('prod-eu')} ol .finding", "Deployment prod-eu/checkout")
    reader.run("arguments[0].open = true", row)
    assert "spec.replicas" in reader.first(".finding[open] table").text
    if not os.environ.get("PLUMB_SCREENSHOTS"):
        return
    reader.size(1180, 1120)
    for scheme in ("light", "dark"):
        reader.prefers(color_scheme=scheme, reduced_motion="reduce")
        reader.save_screenshot(IMAGES / f"page-{scheme}.png")
    reader.size(1280, 900)


def test_the_first_tab_leads_past_the_head_of_the_page(scene: Scene, reader: Browser) -> None:
    reader.driver.refresh()
    reader.first("h2", "prod-eu")
    reader.press(Keys.TAB)
    assert reader.focused().text == "Skip to the content"
    reader.press(Keys.ENTER)
    assert reader.focused().get_attribute("id") == "main"
    reader.press(Keys.TAB, Keys.ENTER)  # the first of the clusters
    assert "#cluster-" in reader.driver.current_url


def test_the_page_comes_back_by_itself_after_a_restart_of_the_agent(scene: Scene, reader: Browser) -> None:
    agent = scene.agent
    part = scene.cluster("prod-us")
    scene.edit("prod-us", "configmap", "limits", '{"data": {"most": "9"}}', "kubectl-edit")
    scene.sync("prod-us")
    reader.first(f"{part} ol .finding", "ConfigMap prod-us/limits")
    verdict, last = reader.text("h1"), reader.text(f"{part} ol .finding .gist")
    assert agent.end() == 0  # with a page that listens
    reader.first("#link", "Not live")
    assert "prod-eu" in reader.text()  # what was known last, and it says so
    agent.start()
    until(lambda: reader.text("#link") == "Live", "the page is live again")
    assert reader.text("h1") == verdict
    assert reader.text(f"{part} ol .finding .gist") == last  # the timeline is kept


def test_the_browser_refuses_what_is_not_of_the_page(scene: Scene, reader: Browser) -> None:
    messages = [
        line
        for line in reader.console_messages()
        if "Content Security Policy" in line or "TrustedScript" in line
    ]
    assert messages == []  # in all that was done so far
    for attempt in (
        "const s = document.createElement('script'); s.textContent = 'canary = 1'; document.body.append(s)",
        "document.body.insertAdjacentHTML('beforeend', '<p onclick=canary=1>')",
        "const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i)",
    ):
        reader.run(f"try {{ {attempt} }} catch (error) {{ window.refused = true }}")
    assert reader.run("return [window.canary, window.refused]") == [None, True]
    until(
        lambda: any("Content Security Policy" in line for line in reader.console_messages()),
        "the browser's refusal",
    )


def test_who_signs_out_sees_nothing_more(scene: Scene, reader: Browser) -> None:
    reader.first("#leave").click()
    reader.first("h1", "Sign in")
    reader.driver.refresh()
    reader.first("h1", "Sign in")
    assert "prod-eu" not in reader.driver.page_source
    assert scene.agent.end(signal.SIGTERM) == 0
