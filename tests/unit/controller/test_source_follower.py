# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each source is asked and pulled beside the others (row 67), with real Git servers and servers that say nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.loops.source_follower import FollowerServices, SourceFollower
from ansible_collections.plumb.gitops.controller.loops.source_needs import PullTarget, SourceNeed
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.source.last_pull import last_pulled
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import PulledSource
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer, Reply
from ansible_collections.plumb.gitops.tests.support.git.silent_server import SilentServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream, source

SILENT = 33  # more than are asked side by side


@dataclass(slots=True)
class Observed:
    """What followers reported, in order."""

    events: list[tuple[str, str]] = field(default_factory=list)

    async def pulled(self, cluster: str, need: SourceNeed, source: PulledSource) -> None:
        """No source of these tests has a config in Git."""

    def asked(self, spec: SourceSpec, *, answered: bool) -> None:
        self.events.append((spec.name, "answered" if answered else "silent"))

    def moved(self, spec: SourceSpec, cluster: str, commit: str, *, fine: bool) -> None:
        self.events.append((cluster, commit if fine else "error"))

    def failed_since(self, cluster: str, source: str, when: float) -> bool:
        return False


@dataclass(slots=True)
class Lines:
    """A log that is read: the events."""

    events: list[str] = field(default_factory=list)

    def info(self, event: str, **_values: Any) -> None:
        self.events.append(event)

    warning = error = info


@dataclass(slots=True)
class Followed:
    """Followers that work, what they reported, and their log."""

    cache: Path
    interval: float = 0.1  # seconds
    observed: Observed = field(default_factory=Observed)
    log: Lines = field(default_factory=Lines)
    services: FollowerServices = field(init=False)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.services = FollowerServices(self.observed, self.log, lambda: self.interval)

    def need(self, spec: SourceSpec, *paths: str) -> SourceNeed:
        target = PullTarget(replace(spec, paths=paths or None), self.cache, 1 << 30)
        return SourceNeed((target,), None, None)

    def follow(self, spec: SourceSpec) -> SourceFollower:
        follower = SourceFollower(spec, self.services)
        follower.set_needs({"prod": self.need(spec)})
        self.tasks.append(asyncio.create_task(follower.loop()))
        return follower


@contextlib.asynccontextmanager
async def following(cache: Path, interval: float = 0.1) -> AsyncIterator[Followed]:
    followed = Followed(cache, interval)
    try:
        yield followed
    finally:
        for task in followed.tasks:
            task.cancel()
        await asyncio.gather(*followed.tasks, return_exceptions=True)


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    repository = Upstream(tmp_path / "served" / "fleet.git")
    repository.commit({"a": {"x.yaml": "1"}})
    return repository


@pytest.fixture
def server(tmp_path: Path, upstream: Upstream) -> Iterator[GitServer]:
    with GitServer(upstream.path.parent) as running:
        yield running


@pytest.fixture
def spec(server: GitServer) -> SourceSpec:
    return source(server.url("fleet.git"))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_however_many_remotes_are_silent_the_others_are_asked_and_pulled(
    upstream: Upstream, spec: SourceSpec, cache: Path
) -> None:
    async def work() -> None:
        with contextlib.ExitStack() as stack:
            urls = [stack.enter_context(SilentServer()).url for _number in range(SILENT)]
            async with following(cache) as followed:
                silent = [
                    followed.follow(replace(spec, name=f"silent-{number}", url=url))
                    for number, url in enumerate(urls)
                ]
                fleet = followed.follow(spec)
                await fleet.round_ended()
                commit = upstream.commit({"a": {"x.yaml": "2"}})
                await fleet.ask()
                assert ("prod", commit) in followed.observed.events
                assert not [name for name, event in followed.observed.events if event == "silent"]
                assert not any(follower.is_ready("prod") for follower in silent)

    asyncio.run(work())


def test_a_poll_is_one_request_however_many_clusters_and_pulls_only_what_moved(
    server: GitServer, upstream: Upstream, spec: SourceSpec, cache: Path
) -> None:
    async def work() -> None:
        async with following(cache, interval=3600) as followed:
            follower = followed.follow(spec)
            await follower.round_ended()
            follower.set_needs(
                {name: followed.need(spec, *paths) for name, paths in (("eu", "a"), ("us", "b"))}
            )
            await follower.ask()
            server.requests.clear()
            await follower.ask()
            await follower.ask()
            assert len(server.requests) == 2
            assert all("info/refs" in request.path for request in server.requests)
            commit = upstream.commit({"a": {"x.yaml": "2"}, "b": {"y.yaml": "3"}})
            server.requests.clear()
            await follower.ask()
            polls = [request for request in server.requests if request.method == "GET"]
            assert ("eu", commit) in followed.observed.events
            assert ("us", commit) in followed.observed.events
            assert len(polls) <= 2, "one question, and one exchange that fetches for both"

    asyncio.run(work())


def test_silence_is_logged_once_and_its_end_once_and_runs_read_why(
    server: GitServer, spec: SourceSpec, cache: Path
) -> None:
    async def work() -> None:
        async with following(cache) as followed:
            follower = followed.follow(spec)
            await follower.round_ended()
            server.intercept = lambda _request: Reply(503)
            for _time in range(3):
                await follower.ask()
            state = follower.state
            assert state.silent_since >= state.answered > 0
            assert "503" in state.why
            (last,) = last_pulled([spec], cache / "sources")
            assert last.checkout is not None
            assert "503" in str(last.error)
            server.intercept = lambda _request: None
            await follower.ask()
            (last,) = last_pulled([spec], cache / "sources")
            assert (last.error, follower.state.silent_since) == (None, 0.0)
            assert followed.log.events == ["source does not answer", "source answers again"]

    asyncio.run(work())


def test_without_an_answer_it_asks_ever_more_rarely_until_somebody_asks(
    spec: SourceSpec, cache: Path
) -> None:
    async def work() -> None:
        with SilentServer() as server:
            async with following(cache, interval=60) as followed:
                follower = followed.follow(replace(spec, url=server.url, timeout=0.2))
                waits = []
                for _time in range(3):
                    await follower.round_ended()
                    waits.append(follower.state.next_try - follower.state.asked)
                    follower._wakeup.set()
                assert waits[0] < waits[1] < waits[2]
                await follower.round_ended()
                follower.wake()
                await follower.round_ended()
                assert follower.state.failures == 1, "who asks for it has it asked at the usual pace again"

    asyncio.run(work())
