# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent's leader as a process of its own, with one beside it that applies again and again while it leads.

python -m ….support.agent.leader_process FOLDER    reads FOLDER/agent.json, and writes what happened to FOLDER/events
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.controller.loops.leader import Leader
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.discovery import ApiResource
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.errors import LeaseLost
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.lease import LeaseSpec
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.retry import Clock

_CONFIG_MAPS = ApiResource(
    group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True,
    verbs=frozenset({"get", "list", "patch", "delete"}),
)  # fmt: skip


# libfaketime 0.9.10 breaks `time.sleep`, which sleeps until a moment of the monotonic clock.
def _sleep(seconds: float) -> None:
    threading.Event().wait(seconds)


_CLOCK = Clock(sleep=_sleep)


@dataclass(frozen=True, slots=True)
class EventFile:
    """Lines that several processes add to a file."""

    file: Path

    def append(self, line: str) -> None:
        """Add a line."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def info(self, event: str, **values: Any) -> None:
        """Add an event of the log."""
        self.append(f"{event} {json.dumps(values)}")

    warning = info


async def lead(folder: Path) -> None:
    """Lead until SIGTERM; while leading, a writer runs."""
    options = json.loads((folder / "agent.json").read_text(encoding="utf-8"))
    events = EventFile(folder / "events")
    writers: list[asyncio.subprocess.Process] = []

    async def started() -> None:
        words = (sys.executable, "-m", __spec__.name, str(folder), "write")
        writers.append(await asyncio.create_subprocess_exec(*words))
        events.append(f"writer {writers[-1].pid}")

    async def ended() -> None:
        writer = writers.pop()
        writer.kill()
        await writer.wait()

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    leader = Leader(
        spec=LeaseSpec(
            namespace=options["namespace"],
            name="agent",
            holder=options["holder"],
            duration=options["duration"],
        ),
        open_cluster=lambda: connect(
            ConnectionSpec(kubeconfig=Path(options["kubeconfig"]), concurrency=1), clock=_CLOCK
        ),
        retry=options["retry"],
        file=folder / "lease",
        started=started,
        ended=ended,
        log=events,
    )
    await leader.run(stop)


def write(folder: Path) -> None:
    """Apply a ConfigMap with another number again and again, whatever comes of it."""
    options = json.loads((folder / "agent.json").read_text(encoding="utf-8"))
    events = EventFile(folder / "events")
    spec = ConnectionSpec(kubeconfig=Path(options["kubeconfig"]))
    body = {"apiVersion": "v1", "kind": "ConfigMap"}
    metadata = {"namespace": options["namespace"], "name": f"of-{options['holder']}"}
    with connect(spec, clock=_CLOCK, lease_file=folder / "lease") as cluster:
        number = 0
        while True:
            number += 1
            data = {"number": str(number)}
            try:
                cluster.apply(
                    _CONFIG_MAPS,
                    {**body, "metadata": metadata, "data": data},
                    field_manager="plumb",
                    force=False,
                )
            except LeaseLost as error:
                events.append(f"refused {error.reason}")
            else:
                events.append("wrote")


if __name__ == "__main__":
    if sys.argv[2:] == ["write"]:
        write(Path(sys.argv[1]))
    else:
        asyncio.run(lead(Path(sys.argv[1])))
