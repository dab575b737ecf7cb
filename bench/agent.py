# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running agent: from an edit to its revert, from a commit to the cluster, its first lists, its memory, a soak."""

from __future__ import annotations

import json
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ansible_collections.plumb.gitops.bench.environment import print_progress
from ansible_collections.plumb.gitops.bench.fleet import KINDS, Shape, apps_of, changed, files_of
from ansible_collections.plumb.gitops.bench.results import Measure
from ansible_collections.plumb.gitops.controller.watch.reflectors import (
    KindListed,
    ObjectChange,
    Reflectors,
    WatchEvent,
    WatchHealth,
)
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind
from ansible_collections.plumb.gitops.tests.support.agent.agent_fleet import AgentFleet
from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess, running, until
from ansible_collections.plumb.gitops.tests.support.cluster.api import Api, api_of
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import sandbox_session

_EDITS = 100
_PAUSE = 2.0  # seconds from a revert to the next edit: people do not queue
_LIST_ROUNDS = 3
_COMMITS = 5
_SOAK = 120  # runs at an interval of a second
_PATIENCE = 300.0  # seconds; a bound against hanging
_MERGE = "application/merge-patch+json"


@dataclass(slots=True)
class _SettledAgent:
    """An agent that has brought a fleet of a shape to a cluster, and watches it."""

    fleet: AgentFleet
    files: dict[str, str]
    api: Api

    @property
    def agent(self) -> AgentProcess:
        return self.fleet.agent


def drift(edits: int = _EDITS) -> list[Measure]:
    """Measure edits of 1,000 objects one after another, by another manager, until each is reverted."""
    with _settled(Shape(1000)) as settled:
        drawn = random.Random(1)  # noqa: S311 - the same edits each time
        numbers = drawn.sample(range(1000 // len(KINDS)), edits)
        took = [_edit(settled, drawn.choice(_EDITED), number) for number in numbers]
        took.sort()
    return [
        Measure(
            "1,000 objects",
            f"from an edit to its revert, median of {edits}",
            "s",
            statistics.median(took),
            2.0,
        ),
        Measure("1,000 objects", "the same, 95th percentile", "s", took[int(len(took) * 0.95) - 1], 5.0),
        Measure("1,000 objects", "the same, the longest", "s", took[-1]),
    ]


def watching(objects: int = 5000) -> list[Measure]:
    """Measure memory and processor while the agent watches so many objects and nothing happens."""
    with _settled(Shape(objects)) as settled:
        resident = settled.agent.resident() / 1e6
        waiting = sum(map(_proportional, [settled.agent.pid, *settled.agent.tree()])) / 1e6
        runs = len(settled.agent.runs())
        before, since = _processor_seconds(settled.agent.pid), time.monotonic()
        time.sleep(30)
        used = (_processor_seconds(settled.agent.pid) - before) / (time.monotonic() - since)
        assert len(settled.agent.runs()) == runs, "a run, and nothing had happened"
    where = f"{objects:,} objects"
    return [
        Measure(where, "resident memory of the watching agent", "MB", resident, 200),
        Measure(where, "the same, with the process that runs are forked from", "MB", waiting),
        Measure(where, "processor while nothing happens, of one core", "%", used * 100),
    ]


def first_lists(objects: int) -> list[Measure]:
    """Measure how long the reflectors need to list all objects: metadata of each kind, compared with what is known."""
    most = {1000: 0.3, 5000: 0.8, 10000: 1.5}.get(objects)
    with _settled(Shape(objects), watch=False) as settled:
        where = ConnectionSpec(kubeconfig=settled.fleet.sandbox.kubeconfig)
        kinds = frozenset(GroupKind(version.rpartition("/")[0], kind) for kind, version, _plural in KINDS)
        took = [_list_time(where, kinds, objects) for _number in range(_LIST_ROUNDS)]
    return [Measure(f"{objects:,} objects", "the agent's own look", "s", statistics.median(took), most)]


def one_commit(apps: int = 500) -> list[Measure]:
    """Measure one commit that changes an object of one of so many apps, pushed while the agent polls each second."""
    with _settled(Shape(apps * 10, apps)) as settled:
        took = [_commit(settled, number) for number in range(_COMMITS)]
    where = f"{apps * 10:,} objects in {apps:,} apps"
    polled, pushed = zip(*took, strict=True)
    return [
        Measure(where, "from the poll to one object changed, median", "s", statistics.median(polled), 3.0),
        Measure(where, "from the push to the same, polling each second", "s", statistics.median(pushed)),
    ]


def _commit(settled: _SettledAgent, number: int) -> tuple[float, float]:
    """Return seconds from the start of the run, and from the push, until the cluster has the change."""
    runs = len(settled.agent.runs())
    path = next(iter(changed(settled.files)))
    settings = f"/api/v1/namespaces/{settled.fleet.namespace}/configmaps/{Path(path).stem}"
    wanted = f"log level: {number}"
    settled.fleet.repository.commit({path: settled.files[path].replace("log level: info", wanted, 1)})
    pushed = time.monotonic()
    until(lambda: _under_way(settled.agent, runs), "the poll", _PATIENCE)
    began = time.monotonic()
    until(lambda: wanted in _get(settled.api, settings)["data"]["settings.yaml"], "the change", _PATIENCE)
    done = time.monotonic()
    settled.agent.await_run(more_than=runs)
    time.sleep(_PAUSE)
    return done - began, done - pushed


def soak(runs: int = _SOAK) -> list[Measure]:
    """Measure how memory, descriptors and files grow over so many runs in a row, after the first ten."""
    with _settled(Shape(100), interval="1s") as settled:
        agent = settled.agent
        agent.await_run(more_than=10)
        memory, descriptors, files = agent.resident(), _descriptors(agent.pid), _files(agent)
        until(lambda: len(agent.runs()) >= runs, f"{runs} runs", 30.0 * runs)
        grown = (agent.resident() - memory) / 1e6
        return [
            Measure("100 objects", f"resident memory gained in {runs} runs", "MB", grown, 4),
            Measure("100 objects", "descriptors gained", "", _descriptors(agent.pid) - descriptors, 8),
            Measure("100 objects", "files gained", "", _files(agent) - files, 8),
        ]


@contextmanager
def _settled(shape: Shape, **words: Any) -> Iterator[_SettledAgent]:
    with (
        TemporaryDirectory(prefix="plumb-bench-") as folder,
        sandbox_session(Path(folder) / "sandbox", controllers=False) as sandbox,
    ):
        fleet = AgentFleet(sandbox, Path(folder), "bench", "fleet")
        files = files_of(apps_of(shape, fleet.namespace))
        fleet.repository.commit(files)
        names = sorted({path.partition("/")[0] for path in files})
        apps = [
            fleet.app(name=name, path=name, wait=False, create_namespace=name == names[0]) for name in names
        ]
        if len(names) > 1:
            apps[1:] = [{**app, "depends_on": names[:1]} for app in apps[1:]]
        fleet.write(plumb_apps=apps)
        fleet.agent.configure(**{"watch": True, "interval": "1h", "keep_reports": 5, **words})
        with running(fleet.agent):
            print_progress(f"{shape.title}: the agent applies them")
            until(fleet.agent.runs, "the first run", _PATIENCE)
            line = fleet.agent.runs()[0]
            assert " reconciled " in line, line
            if fleet.agent.words["watch"]:
                until(lambda: _watched(fleet.agent) >= shape.objects, "the watch", _PATIENCE)
                time.sleep(5)  # what the first run left to be reported
            print_progress(f"{shape.title}: measuring")
            yield _SettledAgent(fleet, files, api_of(sandbox.kubeconfig))
            assert all(" reconciled " in line for line in fleet.agent.runs()), fleet.agent.lines()[-3:]


# By plural: where it lies, a change that Git did not make, and how to tell that it is gone.
_Edit = tuple[str, dict[str, Any], Callable[[dict[str, Any]], Any]]
_EDITED: tuple[_Edit, ...] = (
    ("/api/v1/namespaces/{}/configmaps/{}", {"data": {"region": "by hand"}}, lambda o: o["data"]["region"]),
    (
        "/api/v1/namespaces/{}/services/{}",
        {"spec": {"selector": {"app.kubernetes.io/name": "by-hand"}}},
        lambda o: o["spec"]["selector"],
    ),
    (
        "/apis/apps/v1/namespaces/{}/deployments/{}",
        {"spec": {"template": {"spec": {"serviceAccountName": "by-hand"}}}},
        lambda o: o["spec"]["template"]["spec"]["serviceAccountName"],
    ),
    (
        "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies/{}",
        {"spec": {"policyTypes": ["Egress"]}},
        lambda o: o["spec"]["policyTypes"],
    ),
    (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles/{}",
        {"rules": []},
        lambda o: o.get("rules"),
    ),
)


def _edit(settled: _SettledAgent, edit: _Edit, number: int) -> float:
    where, patch, of = edit
    path = where.format(settled.fleet.namespace, f"service-{number:04}")
    before = of(_get(settled.api, path))
    status, answer = settled.api.request("PATCH", f"{path}?fieldManager=hand", patch, content=_MERGE)
    assert status == 200, answer
    began = time.monotonic()
    assert of(answer) != before
    until(lambda: of(_get(settled.api, path)) == before, f"the revert of {path}", _PATIENCE)
    took = time.monotonic() - began
    time.sleep(_PAUSE)
    return took


def _get(api: Api, path: str) -> dict[str, Any]:
    status, answer = api.request("GET", path)
    assert status == 200, answer
    return answer


def _list_time(where: ConnectionSpec, kinds: frozenset[GroupKind], objects: int) -> float:
    counter = _ListCounter(kinds)
    reflectors = Reflectors("bench", where, counter.handle)
    reflectors.want(kinds)
    began = time.monotonic()
    reflectors.start()
    assert counter.all.wait(_PATIENCE), "not all kinds were listed"
    took = time.monotonic() - began
    assert reflectors.objects >= objects
    reflectors.stop.now()
    return took


@dataclass(slots=True)
class _ListCounter:
    """Waits until each kind has been listed."""

    kinds: frozenset[GroupKind]
    all: threading.Event = field(default_factory=threading.Event)
    listed: set[GroupKind] = field(default_factory=set)

    def handle(self, event: WatchEvent) -> None:
        assert not isinstance(event, ObjectChange), f"{event} changed, and nobody had touched it"
        if isinstance(event, KindListed):
            assert event.sets
            self.listed.add(event.kind)
            if self.listed == self.kinds:
                self.all.set()
        elif isinstance(event, WatchHealth):
            assert event.error is None, event.error


def _status(agent: AgentProcess) -> dict[str, Any]:
    _code, text = agent.get("/api/v1/status", token="sesame-sesame-sesame")
    cluster: dict[str, Any] = json.loads(text)["clusters"][0]
    return cluster


def _watched(agent: AgentProcess) -> int:
    return int(_status(agent)["watch"]["objects"])


def _under_way(agent: AgentProcess, runs: int) -> bool:
    return bool(_status(agent)["running_since"]) or len(agent.runs()) > runs


def _proportional(pid: int) -> float:
    """Return a process's share of memory in bytes: what it has in common with others is divided among them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("Pss:"))) * 1024


def _processor_seconds(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / 100


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _files(agent: AgentProcess) -> int:
    return sum(1 for file in agent.folder.rglob("*") if agent.runtime not in file.parents)


MEASURES: Sequence[Callable[[], list[Measure]]] = (
    drift,
    *(lambda objects=objects: first_lists(objects) for objects in (1000, 5000, 10000)),
    one_commit,
    watching,
    soak,
)
