# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `plumb-agent` prints besides the status, and how it reads times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.cli.history_text import history_lines
from ansible_collections.plumb.gitops.controller.cli.logs import journal_command
from ansible_collections.plumb.gitops.controller.cli.screen import Screen
from ansible_collections.plumb.gitops.controller.cli.sync_wait import doing_of, has_succeeded
from ansible_collections.plumb.gitops.controller.core.instants import (
    end_of_suspension,
    instant,
    parse_instant,
)
from ansible_collections.plumb.gitops.controller.http.documents import moments_of
from ansible_collections.plumb.gitops.controller.store.history import History
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

NOON = 1_800_000_000.0
REVERTED = {
    "what": "reverted", "app": "shop", "object": "Deployment shop/cart", "time": NOON, "since": NOON, "times": 1,
    "commits": {},
    "changes": [{"path": "spec.replicas", "cause": "drift", "live": 9, "desired": 3,
                 "culprit": {"manager": "vi", "user": "bob"}}],
}  # fmt: skip
APPLIED = {
    "what": "applied", "app": "", "object": "applied", "time": NOON + 60, "since": NOON + 60, "times": 1,
    "commits": {"fleet": "4f2a9c1d"}, "subjects": {"fleet": "Raise limits"}, "written": {"shop": 2},
}  # fmt: skip
REFUSED = {
    "what": "refused", "app": "blog", "object": "ConfigMap blog/x", "time": NOON + 99, "since": NOON + 30, "times": 3,
    "commits": {}, "changes": [], "reason": "no app owns it",
}  # fmt: skip
ENDED = {
    "what": "ended", "app": "", "object": "run", "time": NOON - 9, "since": NOON - 9, "times": 1, "commits": {},
    "result": "deadline", "error": "ended after 30m",
}  # fmt: skip


def test_the_history_is_a_line_for_each_moment_the_newest_first() -> None:
    history = History(moments=(APPLIED, REFUSED, REVERTED, ENDED))
    lines = history_lines(moments_of({"prod": history}, ""), Screen())
    assert [" ".join(line.split()) for line in lines] == [
        "TIME APP WHAT OBJECT DETAILS",
        f'{instant(NOON + 60)} prod applied fleet@4f2a9c1 "Raise limits": objects written: shop 2',
        f"{instant(NOON + 30)} prod/blog refused ConfigMap blog/x no app owns it (3 times, last {instant(NOON + 99)})",
        f"{instant(NOON)} prod/shop reverted Deployment shop/cart spec.replicas 9 instead of 3 by bob with vi",
        f"{instant(NOON - 9)} prod ended deadline: ended after 30m",
    ]
    of_shop = moments_of({"prod": history}, "shop")
    assert [moment["what"] for moment in of_shop] == ["applied", "reverted"]
    assert history_lines([], Screen()) == ["Nothing happened."]


def cluster(states: Mapping[str, tuple[str, str]], **more: Any) -> dict[str, Any]:
    apps = {name: {"state": state, "waits_for": waits} for name, (state, waits) in states.items()}
    return {"runs": 4, "running_since": "", "last_run": {"result": "succeeded"}, "app_states": apps} | more


FINE = ("in sync", "")
WAITS = ("waiting for dependency", "app web")


@pytest.mark.parametrize(
    ("status", "doing", "succeeded"),
    [
        (cluster({"web": FINE}, runs=3), "waits for its turn", True),
        (cluster({"web": FINE}, runs=3, running_since="now"), "waits for the run under way", True),
        (cluster({"web": FINE}, running_since="now", progress={}), "runs", True),
        (cluster({}, running_since="now", progress={"text": "8 of 9 applied"}), "8 of 9 applied", True),
        (cluster({"web": FINE}), "", True),
        (cluster({"web": FINE}, last_run={"result": "failed"}), "", False),
        (cluster({"web": ("drifted", "")}), "", True),
        (cluster({"web": ("unhealthy", "")}), "", False),
        (cluster({"web": ("in progress", "Deployment web")}), "web waits for Deployment web", False),
        (
            cluster({"web": ("in progress", "Job x"), "shop": WAITS}),
            "web waits for Job x and 1 more apps wait",
            False,
        ),
        (cluster({"web": FINE, "shop": WAITS}), "shop waits for app web", False),  # its run is about to begin
        (cluster({"web": ("unhealthy", ""), "shop": WAITS}), "", False),
        (cluster({"web": ("waiting for dependency", "app shop"), "shop": WAITS}), "", False),
        (cluster({"shop": WAITS}), "", False),
    ],
)
def test_a_sync_is_waited_for_until_nothing_goes_on(
    status: Mapping[str, Any], doing: str, succeeded: bool
) -> None:
    assert doing_of(status, 4, "") == doing
    assert has_succeeded(status, "") == succeeded


def test_of_a_sync_of_one_app_the_others_do_not_count() -> None:
    status = cluster({"web": FINE, "shop": ("in progress", "Job x")})
    assert doing_of(status, 4, "web") == ""
    assert has_succeeded(status, "web")
    assert not has_succeeded(status, "shop")


@pytest.mark.parametrize(
    ("lasts", "until", "ends"),
    [
        ("", "", 0.0),
        ("1h30m", "", NOON + 5400),
        ("", "2027-01-15T09:00Z", NOON + 3600),
        ("", "2027-01-15T10:00+01:00", NOON + 3600),
        ("", "2027-01-15T08:00:00Z", "has passed already"),
        ("", "2027-01-15 09:00", "names no time zone"),
        ("", "tomorrow", "is not a date and time"),
        ("90", "", "has no unit"),
        ("1h", "2027-01-15T09:00Z", "both a duration and an end are set"),
    ],
)
def test_the_end_of_a_suspension(lasts: str, until: str, ends: float | str) -> None:
    if isinstance(ends, float):
        assert end_of_suspension(lasts, until, NOON) == ends
        return
    with pytest.raises(InputError, match=ends):
        end_of_suspension(lasts, until, NOON)


def test_instants_are_read_as_they_are_written() -> None:
    assert parse_instant(instant(NOON), subject="it") == NOON


def test_the_log_of_a_unit_is_its_journal() -> None:
    assert journal_command("plumb-agent.service", lines=5, since="-2h", follow=True) == [
        "journalctl", "--unit=plumb-agent.service", "--output=cat", "--lines=5", "--since=-2h", "--follow",
    ]  # fmt: skip
