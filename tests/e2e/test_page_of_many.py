# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real Chromium with 100 clusters of 200 apps, of which one commit fails on twelve."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from selenium.webdriver.common.keys import Keys

from ansible_collections.plumb.gitops.tests.support.agent.browser import Browser, browser
from ansible_collections.plumb.gitops.tests.support.agent.many_clusters import (
    SUBJECT,
    UNHEALTHY,
    ManyClusters,
    names,
    refused,
)
from ansible_collections.plumb.gitops.tests.support.agent.page_server import PageServer
from ansible_collections.plumb.gitops.tests.support.agent.process import until

TOKEN = "sesame-sesame-sesame"
APPS = names("app", 200)
SICK = {"what": "unhealthy", "object": "Deployment ns/web", "status": "Failed", "message": UNHEALTHY}


@dataclass(frozen=True, slots=True)
class Scene:
    """The server, its clusters, and the reader."""

    server: PageServer
    many: ManyClusters
    reader: Browser

    def open(self, query: str = "") -> Browser:
        """Open the page at this address, and sign in where that is asked for."""
        self.reader.driver.get(self.server.url + query)
        self.reader.first("h1")
        if self.reader.all("#token"):
            self.reader.press(TOKEN, Keys.ENTER)
        self.reader.first("#link", "Live")
        return self.reader

    def run(self, cluster: str, **findings: object) -> None:
        """Let a run of a cluster end; the page hears of it."""
        apps = {**dict.fromkeys(APPS, ()), **findings}
        self.server.call(lambda: self.many.run(cluster, apps))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("page-of-many")
    token = folder / "token"
    token.write_text(TOKEN, encoding="utf-8")
    many = ManyClusters(time.time())
    for number, cluster in enumerate(names("cluster", 100)):
        bad = {app: [refused(f"ns-{number}")] for app in APPS[:40]} if number < 12 else {}
        many.run(cluster, {**dict.fromkeys(APPS, ()), **bad}, reverted=number % 3)
    many.run("cluster-050", {**dict.fromkeys(APPS, ()), "app-007": [SICK]})
    server = PageServer(token, lambda: many.page_data(time.time))
    server.start()
    with browser(folder / "profile") as reader:
        reader.size(1280, 900)
        yield Scene(server, many, reader)
    server.end()


def test_a_bad_commit_is_one_entry_that_opens_to_its_clusters(scene: Scene) -> None:
    reader = scene.open()
    reader.first("#causes h2", "2 causes")
    (entry,) = reader.all("#causes .finding", "belongs to nobody")
    assert "cluster-000, cluster-001 and 10 other clusters, 480 apps" in entry.text
    entry.click()
    body = reader.first("#causes .finding[open] .body").text
    assert SUBJECT in body
    assert "cluster-011: app-000, app-001, app-002, app-003, app-004 and 35 more apps" in body
    text = reader.text()
    assert "app-150" not in text  # no list of names
    assert (
        len((reader.text("#summary") + reader.text("#causes") + reader.text("#clusters")).splitlines()) < 100
    )
    assert "87 clusters in sync" in text
    assert "480 apps refused" in text
    assert not any(path.startswith("/api/v1/state?cluster") for path in scene.server.requests)


def test_a_search_is_in_the_address_and_survives_a_reload_and_the_way_back(scene: Scene) -> None:
    reader = scene.open()
    reader.first("#q").click()
    reader.press("app-007")
    reader.first("#results h2", "100 apps, 1 to 50")
    assert "?q=app-007" in reader.driver.current_url
    reader.driver.refresh()
    reader.first("#results h2", "100 apps")
    reader.run("const s = document.getElementById('state'); s.value = 'unhealthy'; "
               "s.dispatchEvent(new Event('change', { bubbles: true }))")  # fmt: skip
    reader.first("#results h2", "1 app")
    assert "state=unhealthy" in reader.driver.current_url
    reader.driver.back()
    reader.first("#results h2", "100 apps")
    assert reader.run("return document.getElementById('state').value") == ""
    reader.first("#filters button").click()
    reader.first("#causes h2")
    assert "?" not in reader.driver.current_url
    assert reader.focused().get_attribute("id") == "q"


def test_unhealthy_opens_to_the_reason_by_keyboard(scene: Scene) -> None:
    reader = scene.open("?state=unhealthy")
    row = reader.first("#results .finding", "cluster-050 / app-007")
    reader.run("arguments[0].querySelector('summary').focus()", row)
    reader.press(Keys.ENTER)
    assert (
        "image registry.example.com/web:1.4.3 is not there"
        in reader.first("#results .finding[open] .reason").text
    )
    reader.run("arguments[0].focus()", reader.first("#results .body a", "cluster-050"))
    reader.press(Keys.ENTER)
    state = reader.first("section[data-key='cluster-050'] details.state summary", "Unhealthy")
    assert "?cluster=cluster-050" in reader.driver.current_url
    state.click()
    assert "is not there" in reader.first("details.state[open] ul").text
    text = reader.first("section[data-key='cluster-050']", "199 apps in sync").text
    assert "app-150" not in text


def test_pages_of_results_follow_each_other(scene: Scene) -> None:
    reader = scene.open("?state=refused&cluster=cluster-003")
    reader.first("#results h2", "40 apps")
    reader = scene.open("?cluster=cluster-003&q=app")
    reader.first("#results h2", "200 apps, 1 to 50")
    reader.first(".pages a", "Later ones").click()
    reader.first("#results h2", "200 apps, 51 to 100")
    assert "from=50" in reader.driver.current_url
    reader.first(".pages a", "Earlier ones").click()
    reader.first("#results h2", "200 apps, 1 to 50")


def test_a_change_is_shown_and_announced_without_loading_all(scene: Scene) -> None:
    reader = scene.open()
    reader.first("#causes h2", "2 causes")
    scene.server.requests.clear()
    scene.run("cluster-077", **{"app-001": [SICK]})
    reader.first("nav .tile", "cluster-077")
    assert "cluster-077 is as Git says, but not healthy" in reader.text("#announcement")
    assert set(scene.server.requests) == {"/api/v1/state"}
    scene.run("cluster-077")
    until(lambda: not reader.all("nav .tile", "cluster-077"), "it is in sync again, among the others")


@pytest.mark.parametrize("query", ["", "?state=refused", "?cluster=cluster-003"])
def test_nothing_stands_in_the_way_of_anyone(scene: Scene, query: str) -> None:
    reader = scene.open(query)
    reader.first("#filters")
    reader.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert reader.violations() == []
    reader.size(340, 800)
    width = reader.run("return [document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]
    reader.size(1280, 900)


def test_it_says_when_it_has_lost_the_agent_and_since_when(scene: Scene) -> None:
    reader = scene.open()
    reader.first("#causes h2")
    scene.server.end()
    alert = reader.first("#lost", "The agent has been lost since")
    assert alert.get_attribute("role") == "alert"
    assert "What is shown was known then, and may have changed." in alert.text
    assert reader.first("#lost .since").text
    assert "Agent lost" in reader.driver.title
    assert reader.text("#link") == "Not live"
    before = reader.run("return getComputedStyle(document.getElementById('verdict'), '::before').content")
    assert "Last known" in before  # nothing that is shown looks like now
    assert reader.violations() == []
    since = reader.text("#lost .since")
    until(lambda: "Trying again in" in reader.text("#lost"), "it says when it tries again")
    scene.server.start()
    reader.first("#retry").click()
    reader.first("#link", "Live")
    assert not reader.all("#lost")
    assert since  # the time of the last answer, which did not move while it was lost
    assert "Agent lost" not in reader.driver.title
