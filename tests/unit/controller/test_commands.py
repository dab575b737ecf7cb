# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command answers: which run of each cluster to wait for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ansible_collections.plumb.gitops.controller.core.suspensions import Suspensions
from ansible_collections.plumb.gitops.controller.loops.commands import CommandRequest, Commands


@pytest.mark.parametrize("running_since", [0.0, 1.0], ids=["idle", "running"])
def test_the_run_to_wait_for_is_the_next_one_that_begins(running_since: float) -> None:
    """A run under way is counted already; waiting for one more than the next would be for ever."""
    asked: list[str] = []

    def request_run(trigger: Any) -> None:
        asked.append(trigger.cause)

    cluster = SimpleNamespace(
        name="prod", begun=3, running_since=running_since, apps=("shop",), request_run=request_run
    )
    now = SimpleNamespace(suspensions=Suspensions())

    class Pulls:
        async def ask(self, cluster: str, _apps: Any) -> tuple[str, ...]:
            asked.append(f"sources of {cluster}")
            return ("fleet",)

    commands = Commands(
        cast("Any", {"prod": cluster}),
        lambda: cast("Any", now),
        lambda _now: None,
        cast("Any", None),
        cast("Any", Pulls()),
    )
    answer = asyncio.run(commands.sync(CommandRequest(cluster="prod")))
    assert (answer["runs"], answer["silent"]) == ({"prod": 4}, ["fleet"])
    assert asked == ["sources of prod", "sync by request"]
