# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that are too large, and objects that are many (rows 39 and 40 of the list of faults)."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.faults.proxy import Proxy
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map

KIB, MIB = 1 << 10, 1 << 20
OVERSIZE = {
    "annotations over 256 KiB": config_map("large", annotations={"a": "x" * (257 * KIB)}),
    "a ConfigMap over 1 MiB": config_map("large", {"k": "x" * (MIB + 1)}),
    "a request over 3 MiB": config_map("large", {"k": "x" * (3 * MIB + 1)}),
}


@pytest.mark.parametrize("name", OVERSIZE)
def test_row_39_an_object_that_is_too_large_fails_alone(engine: Engine, kubectl: Kubectl, name: str) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    engine.write("app/all.yaml", config_map("c", {"a": "2"}) + OVERSIZE[name])
    done = engine.apply()
    (failed,) = (o for o in done.app.outcomes if o.error and o.action.verb is not Verb.PRUNE)
    assert failed.action.ref.name == "large"
    assert "large" in failed.error
    assert len(failed.error) < 2 * KIB, "the object itself is not told"
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "2"}
    assert kubectl.live("configmap", "left", engine.namespace), "nothing is pruned after a failure"
    engine.write("app/all.yaml", config_map("c", {"a": "2"}) + config_map("large"))
    assert not engine.apply().app.failed
    assert kubectl.get("configmap", "left", engine.namespace) is None
    assert engine.apply().writes == 0


MANY = 3000
PAGE = 500  # objects in an answer of the cluster room
# The whole of a process that does nothing else. Its largest size in KiB comes from /proc: what getrusage says counts
# the parent's as well, from before the child ran another program.
MEASURED = """
import json, sys
from dataclasses import dataclass
from pathlib import Path
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine

@dataclass
class Cluster:
    kubeconfig: Path

kubeconfig, namespace, root = sys.argv[1:]
engine = Engine(Cluster(Path(kubeconfig)), namespace, Path(root))
done = engine.apply()
again = engine.apply(verified=done.result.verified)
print(json.dumps({
    "objects": len(done.app.plan.actions),
    "runs": [{"writes": d.writes, "dry_runs": d.dry_runs, "reads": d.reads, "verbs": len(d.verbs())}
             for d in (done, again)],
    "peak_kib": int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]),
}))
"""


@dataclass(frozen=True, slots=True)
class Measured:
    objects: int
    runs: list[dict[str, int]]
    peak_kib: int


def measured(engine: Engine, kubeconfig: Path) -> Measured:
    """Two runs that find nothing to do, without and with what the first proved, in a process of their own."""
    words = [str(kubeconfig), engine.namespace, str(engine.root)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    measure: dict[str, Any] = json.loads(done.stdout)
    return Measured(**measure)


def test_row_40_many_objects_with_nothing_to_do_take_pages_no_write_and_bounded_memory(
    engine: Engine, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", "".join(config_map(f"c{n}", {"text": "x" * 200}) for n in range(MANY)))
    assert not engine.apply().app.failed
    measure = measured(engine, proxy.kubeconfig)
    assert measure.objects == MANY
    for run in measure.runs:
        assert run["writes"] == run["dry_runs"] == run["verbs"] == 0
        assert run["reads"] <= 2 * (MANY // PAGE) + 10, "a request per page, none per object"
    further = MANY // PAGE - 1
    assert proxy.count("GET", r"[?&]continue=") >= len(measure.runs) * further
    assert proxy.writes() == []
    assert measure.peak_kib < 256 * KIB, "KiB: of 10,000 objects 400 MiB may be taken"
