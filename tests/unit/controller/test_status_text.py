# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `plumb-agent status` shows, from the agent's own status of fleets."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.cli.ages import seconds_text
from ansible_collections.plumb.gitops.controller.cli.screen import Cell, Screen, Tone
from ansible_collections.plumb.gitops.controller.cli.selection import is_in_sync, select, selection_of
from ansible_collections.plumb.gitops.controller.cli.status_text import StatusView, status_lines
from ansible_collections.plumb.gitops.controller.core.instants import instant
from ansible_collections.plumb.gitops.controller.http.cluster_view import ClusterSnapshot, view_of
from ansible_collections.plumb.gitops.controller.http.documents import status_with_problems
from ansible_collections.plumb.gitops.controller.store.history import History
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

NOON = 1_800_000_000.0
SUBJECT = "Raise limits"
SOURCES = [{"name": "fleet", "commit": "4f2a9c1" * 5, "subject": SUBJECT}]
ALICE = {
    "reason": "the database moves",
    "by": "alice@ops1",
    "since": instant(NOON),
    "until": instant(NOON + 60),
}


def cluster(name: str, states: Mapping[str, str], apps: int = 200, **status: Any) -> dict[str, Any]:
    """The status of a cluster; `states` are those of apps that are not in sync, for a reason that names them."""
    names = [f"app-{number:03}" for number in range(apps)]
    findings = {
        app: {"findings": [{"what": state, "object": f"ConfigMap {app}/flags", "error": f"{app} on {name} is wrong",
                            "since": NOON, "changes": []}]}
        for app, state in states.items()
        if state in {"failed", "refused", "drifted"}
    }  # fmt: skip
    values: dict[str, Any] = {
        "name": name, "suspended": False, "suspended_apps": [], "suspensions": [], "running_since": "", "health": [],
        "next_in": 60.0, "backs_off": 0.0, "failed_in_a_row": 0, "last_successful_run": instant(NOON - 35),
        "last_run": {"ended": instant(NOON - 35), "result": "succeeded", "cause": "interval", "failures": []},
        "sources": SOURCES, "apps": [{"name": app, "counts": {}, "objects": 5} for app in names],
        "app_states": {app: {"state": states.get(app, "in sync"), "since": instant(NOON - 7200),
                             "waits_for": "Deployment web" if states.get(app) == "in progress" else "",
                             "commit": "4f2a9c1" * 5} for app in names},
    }  # fmt: skip
    snapshot = ClusterSnapshot(
        status=values | status,
        history=History(apps=findings, sources=tuple(SOURCES)),
        apps=[{"name": app, "source": "fleet", "path": app} for app in names],
    )
    return status_with_problems(view_of(snapshot))


def fleet(*clusters: dict[str, Any]) -> dict[str, Any]:
    return {"time": instant(NOON), "loops": [], "clusters": list(clusters)}


def shown(
    status: dict[str, Any], *, width: int = 0, height: int = 0, all_apps: bool = False, wide: bool = False
) -> list[str]:
    screen = Screen(width=width, height=height)
    return status_lines(status, StatusView(screen=screen, all_apps=all_apps, wide=wide))


def test_all_in_sync_is_a_line_for_each_cluster() -> None:
    runs: dict[str, Any] = {"running_since": instant(NOON - 12), "progress": {"text": "8 of 9 applied"}}
    lines = shown(fleet(cluster("prod-eu", {}), cluster("prod-us", {}, **runs)))
    assert len(lines) == 3
    assert re.fullmatch(r"prod-eu +in sync +200 +- +35s ago +next in 1m +fleet@4f2a9c1", lines[1])
    assert "running 12s: 8 of 9 applied  fleet@" in lines[2]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_twelve_clusters_of_two_hundred_apps_fit_a_screen(width: int, height: int) -> None:
    """The worst of them: a commit that fails everywhere, and each state beside it, each app for another reason."""
    states = ("failed", "refused", "drifted", "in progress")
    others = {f"app-{number:03}": states[number % 4] for number in range(60)}
    everywhere = {f"app-{number:03}": "refused" for number in range(200)}
    clusters = [
        cluster(f"production-{number:02}", everywhere if number % 2 else others) for number in range(12)
    ]
    lines = shown(fleet(*clusters), width=width, height=height)
    assert len(lines) < height, "\n".join(lines)
    assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines[1:13]] == [f"production-{number:02}" for number in range(12)]


def test_one_cause_is_told_once_with_its_number_and_first_names() -> None:
    everywhere = {f"app-{number:03}": "refused" for number in range(200)}
    lines = shown(fleet(*(cluster(f"prod-{letter}", everywhere) for letter in "abcde")))
    assert lines[-2:] == [
        'refused: 1,000 apps of prod-a, prod-b, prod-c and 2 more (fleet@4f2a9c1 "Raise limits")',
        "    app-000, app-001, app-002 and 197 more: app-000 on prod-a is wrong",
    ]


def test_filters_choose_apps_which_are_shown_one_by_one() -> None:
    status = fleet(
        cluster("prod-eu", {"app-001": "drifted", "app-002": "in progress"}),
        cluster("prod-us", {"app-001": "failed"}),
        cluster("test", {"app-001": "failed"}),
    )
    selection = selection_of(["prod-*"], ["app-00?"], ["failed", "in-progress"])
    chosen = select(status, selection)
    rows = [line.split()[:2] for line in shown(chosen, all_apps=True) if "/" in line]
    assert rows == [["prod-eu/app-002", "in"], ["prod-us/app-001", "failed"]]
    assert "waits for Deployment web" in "\n".join(shown(chosen, all_apps=True))
    assert not is_in_sync(chosen, selection)
    quiet = selection_of([], [], [], "prod-us/app-002")
    assert is_in_sync(select(status, quiet), quiet)
    assert shown(select(status, selection_of(["none"], [], []))) == ["Nothing matches."]
    with pytest.raises(InputError, match="Did you mean 'failed'"):
        selection_of([], [], ["faild"])


def test_a_suspension_says_why_by_whom_and_until_when() -> None:
    whole = cluster("prod-eu", {}, suspended=True, suspensions=[{"app": "", **ALICE}])
    part = cluster("prod-us", {"app-001": "suspended"}, suspensions=[{"app": "app-001", **ALICE}])
    text = f"suspended by alice@ops1 since {instant(NOON)} until {instant(NOON + 60)}: the database moves"
    lines = shown(fleet(whole, part))
    assert f"    nothing in it is changed, {text}" in lines
    assert f"    app-001: {text}" in lines
    assert re.search(r"^prod-us +in sync +200 +1 suspended ", "\n".join(lines), re.MULTILINE)


def test_a_few_apps_are_shown_without_being_asked_for() -> None:
    lines = shown(fleet(cluster("here", {"app-001": "refused"}, apps=2)))
    assert re.fullmatch(
        r"here/app-001 +refused +2h +4f2a9c1 +5 +ConfigMap app-001/flags: app-001 on here is wrong", lines[4]
    )
    assert re.fullmatch(r"here/app-000 +in sync +2h +4f2a9c1 +5", lines[5])


def test_a_failure_of_the_whole_cluster_is_shown_beside_its_apps() -> None:
    last = {
        "ended": instant(NOON),
        "result": "failed",
        "cause": "retry",
        "failures": ["source fleet: no answer"],
    }
    status = fleet(cluster("here", {}, apps=2, last_run=last))
    assert "here: failed: source fleet: no answer" in shown(status)
    assert not is_in_sync(status, selection_of([], [], []))


def test_colours_only_on_a_terminal_and_never_against_no_color() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert Screen.of(io.StringIO(), {"TERM": "xterm"}) == Screen()
    assert Screen.of(Terminal(), {"TERM": "xterm"}).colour
    for environment in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
        assert not Screen.of(Terminal(), environment).colour
    assert Screen(colour=True).paint("failed", Tone.BAD) == "\x1b[31mfailed\x1b[0m"


def test_text_from_outside_forges_no_line_and_no_colour() -> None:
    screen = Screen(width=20)
    assert screen.line("a\nb\x1b[31mc") == "a b [31mc"
    assert screen.table([[Cell("a\nb"), Cell("c" * 40)]]) == ["a b  " + "c" * 14 + "…"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0s"), (59, "59s"), (60, "1m"), (7199, "1h"), (86400 * 3, "3d")]
)
def test_ages(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text
