# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running agent beside trouble: sick apps, silent Git servers, clusters that hang; and many apps in one commit.

A healthy app, whose latencies are measured, is followed by one agent that has no other and by one that has the trouble.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from ansible_collections.plumb.gitops.bench.environment import print_progress
from ansible_collections.plumb.gitops.bench.results import Measure
from ansible_collections.plumb.gitops.tests.support.agent.agent_fleet import AgentFleet
from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess, running, until
from ansible_collections.plumb.gitops.tests.support.cluster.api import Api, api_of
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox, sandbox_session
from ansible_collections.plumb.gitops.tests.support.git.silent_server import SilentServer
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest

_EDITS, _COMMITS = 10, 5
_PAUSE = 2.0  # seconds between two of them
_PATIENCE = 600.0  # seconds; a bound against hanging
_SICK, _SILENT = 10, 17
_LATER = 0.3  # seconds that trouble may cost
_CLUSTERS, _HANGING = 100, 10
_APPS, _OBJECTS = 1000, 5
_MERGE = "application/merge-patch+json"
_WANTED = "1"


def beside_trouble() -> list[Measure]:
    """Measure reverts and commits of a healthy app: alone, beside ten sick apps, beside 17 silent Git servers."""
    alone = _latencies("alone", 0, 0)
    sick = _latencies(f"beside {_SICK} sick apps", _SICK, 0)
    silent = _latencies(f"beside {_SILENT} silent Git servers", 0, _SILENT)
    measures = [Measure("one healthy app", f"{what}, median", "s", value) for what, value in alone.items()]
    for where, latencies in (
        (f"beside {_SICK} sick apps", sick),
        (f"beside {_SILENT} silent servers", silent),
    ):
        measures += [
            Measure("one healthy app", f"{what}, later {where}", "s", value - alone[what], _LATER)
            for what, value in latencies.items()
        ]
    return measures


def _latencies(title: str, sick: int, silent: int) -> dict[str, float]:
    """Return the medians in seconds of reverts and of commits."""
    with (
        TemporaryDirectory(prefix="plumb-bench-") as folder,
        sandbox_session(Path(folder) / "sandbox") as sandbox,
        _silent_servers(silent) as addresses,
    ):
        fleet = AgentFleet(sandbox, Path(folder), "bench", "healthy")
        files = {"healthy/all.yaml": config_map("settings", {"key": _WANTED})}
        # One for each edit: a field that is edited again and again is a field conflict, and waits.
        edited = [f"edited-{number}" for number in range(_EDITS)]
        files["healthy/edited.yaml"] = "".join(config_map(name, {"key": _WANTED}) for name in edited)
        files |= {f"sick-{number}/all.yaml": _sick(f"sick-{number}") for number in range(sick)}
        fleet.repository.commit(files)
        apps = [
            fleet.app(name=path.partition("/")[0], path=path.partition("/")[0], timeout="1h")
            for path in files
            if path.endswith("/all.yaml")
        ]
        sources = [fleet.source()]
        for number, address in enumerate(addresses):
            sources.append({"name": f"silent-{number}", "url": address, "branch": "main", "allow_http": True})
            apps.append(fleet.app(name=f"silent-{number}", source=f"silent-{number}", path="app"))
        fleet.write(plumb_apps=apps, plumb_sources=sources)
        fleet.agent.configure(watch=True, interval="5m")
        with running(fleet.agent):
            print_progress(f"{title}: the agent begins")
            api = api_of(sandbox.kubeconfig)
            until(lambda: _value(api) == _WANTED, "the first apply", _PATIENCE)
            time.sleep(5 * _PAUSE)  # until the watch has listed all
            print_progress(f"{title}: measuring")
            reverts = [_revert(api, name=name) for name in edited]
            commits = [_commit(fleet, api, number) for number in range(_COMMITS)]
    return {
        "from an edit to its revert": statistics.median(reverts),
        "from a push to the cluster, polling each second": statistics.median(commits),
    }


def _sick(name: str) -> str:
    """Return a Deployment whose Pod's image cannot be pulled."""
    labels = {"app": name}
    outcome = {"sandbox.plumb.gitops/outcome": "image-pull-error"}
    container = {"name": "main", "image": f"example.com/{name}:1"}
    template = {"metadata": {"labels": labels, "annotations": outcome}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return manifest("apps/v1", "Deployment", name, spec=spec)


def _value(api: Api, namespace: str = "healthy", name: str = "settings") -> str:
    status, answer = api.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    return str(answer["data"]["key"]) if status == 200 else ""


def _revert(api: Api, namespace: str = "healthy", name: str = "settings") -> float:
    path = f"/api/v1/namespaces/{namespace}/configmaps/{name}?fieldManager=hand"
    wanted = _value(api, namespace, name)
    status, answer = api.request("PATCH", path, {"data": {"key": "by hand"}}, content=_MERGE)
    assert status == 200, answer
    began = time.monotonic()
    until(lambda: _value(api, namespace, name) == wanted, "the revert", _PATIENCE)
    took = time.monotonic() - began
    time.sleep(_PAUSE)
    return took


def _commit(fleet: AgentFleet, api: Api, number: int) -> float:
    value = f"commit {number}"
    fleet.repository.commit({"healthy/all.yaml": config_map("settings", {"key": value})})
    began = time.monotonic()
    until(lambda: _value(api) == value, "the commit", _PATIENCE)
    took = time.monotonic() - began
    time.sleep(_PAUSE)
    return took


def many_clusters() -> list[Measure]:
    """Measure 100 clusters, ten of which hang: one commit to reach all others, reverts there, the agent's needs."""
    with (
        TemporaryDirectory(prefix="plumb-bench-") as folder,
        sandbox_session(Path(folder) / "sandbox", controllers=False) as sandbox,
        _silent_servers(1) as (silent,),
    ):
        fleet = AgentFleet(sandbox, Path(folder), "bench")
        fleet.repository.commit({"healthy/all.yaml": config_map("settings", {"key": _WANTED})})
        hanging = _hanging_kubeconfig(Path(folder), sandbox, silent)
        names = [f"cluster-{number:03}" for number in range(_CLUSTERS)]
        hosts = {
            name: _host(fleet, name, hanging if number < _HANGING else sandbox.kubeconfig)
            for number, name in enumerate(names)
        }
        fleet.write(hosts=hosts)
        fleet.agent.configure(watch=True, interval="10m")
        with running(fleet.agent):
            print_progress(f"{_CLUSTERS} clusters, {_HANGING} of them hang: the agent begins")
            api, well = api_of(sandbox.kubeconfig), names[_HANGING:]
            first = _until_all(api, well, _WANTED)
            time.sleep(5 * _PAUSE)
            print_progress(f"{_CLUSTERS} clusters: measuring")
            used = _processor_seconds(fleet.agent)
            fleet.repository.commit({"healthy/all.yaml": config_map("settings", {"key": "commit"})})
            took = _until_all(api, well, "commit")
            used = _processor_seconds(fleet.agent) - used
            reverts = [_revert(api, name) for name in well[:: len(well) // _EDITS]]
            resident = fleet.agent.resident() / 1e6
    where = f"{_CLUSTERS} clusters, {_HANGING} hang"
    return [
        Measure(where, "first runs of the others", "s", first),
        Measure(where, "from a push to all the others, polling each second", "s", took),
        Measure(where, "the same, for each cluster", "s", took / len(well)),
        Measure(where, "processor of one commit, for each cluster", "s", used / len(well)),
        Measure(
            where, "from an edit to its revert on one of the others, median", "s", statistics.median(reverts)
        ),
        Measure(where, "resident memory of the agent", "MB", resident),
    ]


def _host(fleet: AgentFleet, name: str, kubeconfig: Path) -> dict[str, Any]:
    """Return the variables of a cluster: a namespace of one API server, and an owner of its own."""
    return {
        "plumb_kubeconfig": str(kubeconfig),
        "plumb_namespace": name,
        "plumb_owner": name,
        "plumb_apps": [fleet.app(name="healthy", path="healthy", namespace=name, wait=False)],
    }


def _hanging_kubeconfig(folder: Path, sandbox: Sandbox, silent: str) -> Path:
    """Return a kubeconfig whose API server takes connections and says nothing."""
    config = yaml.safe_load(sandbox.kubeconfig.read_text(encoding="utf-8"))
    for cluster in config["clusters"]:
        cluster["cluster"]["server"] = silent.replace("http://", "https://").removesuffix("/nothing.git")
    path = folder / "hanging"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _until_all(api: Api, namespaces: Sequence[str], value: str) -> float:
    """Wait until all namespaces have the value; return the seconds."""
    began, left = time.monotonic(), list(namespaces)

    def done() -> bool:
        left[:] = [name for name in left if _value(api, name) != value]
        return not left

    until(done, f"{value} on all clusters", _PATIENCE)
    return time.monotonic() - began


def many_apps() -> list[Measure]:
    """Measure one commit that changes 1,000 apps of five objects."""
    with (
        TemporaryDirectory(prefix="plumb-bench-") as folder,
        sandbox_session(Path(folder) / "sandbox", controllers=False) as sandbox,
    ):
        fleet = AgentFleet(sandbox, Path(folder), "bench", "many")
        names = [f"app-{number:04}" for number in range(_APPS)]
        fleet.repository.commit(_app_files(names, _WANTED))
        apps = [fleet.app(name=name, path=name, wait=False) for name in names]
        fleet.write(plumb_apps=apps)
        fleet.agent.configure(watch=True, interval="1h")
        with running(fleet.agent):
            print_progress(f"{_APPS:,} apps of {_OBJECTS} objects: the agent applies them")
            until(fleet.agent.runs, "the first run", _PATIENCE)
            time.sleep(5 * _PAUSE)
            print_progress(f"{_APPS:,} apps: measuring")
            runs = len(fleet.agent.runs())
            fleet.repository.commit(_app_files(names, "2"))
            began = time.monotonic()
            line = until(lambda: _run_of(fleet.agent, runs, _APPS * _OBJECTS), "the commit's run", _PATIENCE)
            took = time.monotonic() - began
            assert " failed=0 " in line, line
    return [Measure(f"{_APPS:,} apps of {_OBJECTS} objects", "one commit that changes all", "s", took, 60.0)]


def _app_files(names: Sequence[str], value: str) -> dict[str, str]:
    return {
        f"{name}/all.yaml": "".join(
            config_map(f"{name}-{number}", {"key": value}) for number in range(_OBJECTS)
        )
        for name in names
    }


def _run_of(agent: AgentProcess, runs: int, changed: int) -> str:
    return next((line for line in agent.runs()[runs:] if f" changed={changed} " in line), "")


def _processor_seconds(agent: AgentProcess) -> float:
    """Return the processor seconds of the agent and what it has started, those that ended among them."""
    total = 0.0
    for pid in (agent.pid, *agent.tree()):
        try:
            words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, words[11:15])) / 100
    return total


@contextmanager
def _silent_servers(number: int) -> Iterator[list[str]]:
    """Yield the addresses of servers that take connections and say nothing."""
    with ExitStack() as stack:
        yield [stack.enter_context(SilentServer()).url for _number in range(number)]


MEASURES: Sequence[Callable[[], list[Measure]]] = (beside_trouble, many_apps, many_clusters)
