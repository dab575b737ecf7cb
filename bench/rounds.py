# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measuring: rounds on a sandbox of their own, in which the contenders take turns at each scenario."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from ansible_collections.plumb.gitops.bench.contenders import (
    BenchFleet,
    Contender,
    Floor,
    K8sModule,
    KubectlContender,
    Plumb,
)
from ansible_collections.plumb.gitops.bench.environment import commit, peer_tools, print_progress, versions
from ansible_collections.plumb.gitops.bench.fleet import Shape, apps_of, changed, files_of
from ansible_collections.plumb.gitops.bench.other_work import mark
from ansible_collections.plumb.gitops.bench.results import Run, Sample, Scenario
from ansible_collections.plumb.gitops.bench.traffic import AuditLog
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox, sandbox_session

_WARM_UP = Shape(16)
_Taken = dict[str, dict[Scenario, list[Sample]]]


def measure(shape: Shape, rounds: int, skip: Collection[str] = (), once: Collection[str] = ()) -> Run:
    """Measure all contenders but those to skip, on fleets of one shape; those named in `once` in the first round only.

    Each round has a sandbox of its own, so each starts from the same.
    """
    tools = peer_tools()
    taken: _Taken = defaultdict(lambda: defaultdict(list))
    kubernetes = ""
    for number in range(rounds):
        out = {*skip, *once} if number else set(skip)
        with TemporaryDirectory(prefix="plumb-bench-") as folder:
            place = Path(folder)
            with sandbox_session(place / "sandbox", controllers=False) as sandbox:
                kubernetes = _server_version(sandbox)
                contenders = [c for c in _contenders(sandbox, place, tools, shape) if c.name not in out]
                print_progress(f"{shape.title}: round {number + 1} of {rounds}")
                _round(sandbox, place, shape, _turns(contenders, number), taken)
    return Run(
        shape=shape,
        day=datetime.now(UTC).strftime("%Y-%m-%d"),
        commit=commit(),
        versions=versions(tools, kubernetes),
        samples={
            who: {scenario: tuple(samples) for scenario, samples in each.items()}
            for who, each in taken.items()
        },
    )


def _contenders(sandbox: Sandbox, place: Path, tools: Path, shape: Shape) -> list[Contender]:
    def home(name: str) -> Path:
        folder = place / f"home-{name}"
        folder.mkdir()
        return folder

    contenders: list[Contender] = [
        Floor(sandbox, home("floor")),
        Plumb(sandbox, home("plumb")),
        KubectlContender(sandbox, home("kubectl")),
    ]
    # The module knows no apps: what it does with many is what it does with as many objects in one.
    return contenders if shape.apps > 1 else [*contenders, K8sModule(sandbox, home("module"), tools)]


def _turns(contenders: list[Contender], number: int) -> list[Contender]:
    """Another one begins each round."""
    first = number % len(contenders)
    return contenders[first:] + contenders[:first]


def _round(
    sandbox: Sandbox, place: Path, shape: Shape, contenders: Sequence[Contender], taken: _Taken
) -> None:
    log = AuditLog(sandbox.audit_log, "admin")
    # The first to come would pay for the server's caches and for compiled Python files.
    _set_up(sandbox, place, _WARM_UP, contenders, "warm-up")
    for contender in contenders:
        contender.play(Scenario.FIRST)
    fleets = _set_up(sandbox, place, shape, contenders, "fleet")
    for scenario in _scenarios(shape):
        for contender, fleet in zip(contenders, fleets, strict=True):
            if scenario not in contender.scenarios:
                continue
            if scenario is Scenario.CHANGED:
                contender.change(changed(fleet.files))
            sample = _sample(contender, scenario, sandbox, log)
            taken[contender.name][scenario].append(sample)
            print_progress(f"  {scenario.value:24} {contender.name:16} {_shown(sample)}")


def _scenarios(shape: Shape) -> list[Scenario]:
    return [s for s in Scenario if s is not Scenario.CHANGED or shape.apps > 1]


def _set_up(
    sandbox: Sandbox, place: Path, shape: Shape, contenders: Sequence[Contender], word: str
) -> list[BenchFleet]:
    admin = Kubectl(sandbox.kubeconfig)
    fleets = []
    for contender in contenders:
        namespace = f"{word}-{contender.name.lower().replace('.', '-')}"
        admin("create", "namespace", namespace)
        apps = apps_of(shape, namespace)
        fleet = BenchFleet(
            namespace=namespace, folder=place / namespace, files=files_of(apps), apps=tuple(apps)
        )
        contender.set_up(fleet)
        fleets.append(fleet)
    return fleets


def _sample(contender: Contender, scenario: Scenario, sandbox: Sandbox, log: AuditLog) -> Sample:
    position, before = log.position(), mark(sandbox)
    played = contender.play(scenario)
    after = mark(sandbox)
    return Sample(
        seconds=played.ran.seconds,
        work=played.work,
        cpu_seconds=played.ran.cpu_seconds,
        peak_mib=played.ran.peak_mib,
        others=after.others(before, played.ran.cpu_seconds),
        traffic=log.since(position),
    )


def _shown(sample: Sample) -> str:
    work = f" (work {sample.work:.2f} s)" if sample.work is not None else ""
    did = sample.traffic
    return (
        f"{sample.seconds:7.2f} s{work}, {did.reads} reads, {did.dry_runs} dry-runs, {did.writes} writes,"
        f" {sample.peak_mib:.0f} MiB, others {sample.others:.0%}"
    )


def _server_version(sandbox: Sandbox) -> str:
    return str(
        Kubectl(sandbox.kubeconfig)("get", "--raw", "/version").split('"gitVersion": "')[1].split('"')[0]
    )
