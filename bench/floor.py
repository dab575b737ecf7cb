# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: what these objects cost at the very least. Prints the seconds of the requests alone.

`apply`: one server-side apply for each object, over kept-alive connections. `list`: one metadata-only LIST for each
kind. It plans nothing, checks nothing and remembers nothing. Its start and the reading of the files are not counted.
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml

from ansible_collections.plumb.gitops.bench.fleet import KINDS, Body

THREADS = 16
_PLURALS = {kind: plural for kind, _version, plural in KINDS}
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class Server:
    """An API server's address and connections to it."""

    address: str
    token: str
    pool: urllib3.PoolManager

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        """Send a request and return the answer's body; AssertionError for a refusal."""
        answer = self.pool.request(
            method,
            self.address + path,
            body=body,
            headers={"Authorization": f"Bearer {self.token}", "User-Agent": "bench-floor", **headers},
            retries=False,
        )
        assert answer.status < 300, (answer.status, answer.data[:500])
        return answer.data


def connect(kubeconfig: Path) -> Server:
    """Return connections by the sandbox's kubeconfig: one cluster, one user with a token."""
    known: Any = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    cluster = known["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    pool = urllib3.PoolManager(
        ssl_context=ssl.create_default_context(cadata=authority), maxsize=THREADS, block=True
    )
    return Server(cluster["server"], known["users"][0]["user"]["token"], pool)


def path_of(api_version: str, plural: str, namespace: str) -> str:
    """Return the path of a kind's collection in a namespace."""
    root = "/api" if "/" not in api_version else "/apis"
    return f"{root}/{api_version}/namespaces/{namespace}/{plural}"


def apply(server: Server, bodies: Sequence[Body]) -> None:
    """Apply each object by a request of its own."""

    def apply_body(body: Body) -> None:
        metadata = body["metadata"]
        path = path_of(body["apiVersion"], _PLURALS[body["kind"]], metadata["namespace"])
        server.send(
            "PATCH",
            f"{path}/{metadata['name']}?fieldManager=floor&force=true",
            json.dumps(body).encode(),
            **{"Content-Type": "application/apply-patch+yaml"},
        )

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(apply_body, bodies))


def count_objects(server: Server, namespace: str) -> int:
    """Return how many objects there are of the fleet's kinds."""
    answers = [
        server.send("GET", path_of(version, plural, namespace), Accept=_METADATA)
        for _k, version, plural in KINDS
    ]
    return sum(len(json.loads(answer)["items"]) for answer in answers)


def main(action: str, kubeconfig: Path, folder: Path, namespace: str) -> None:
    """Run one action and print the seconds of its requests as JSON."""
    server = connect(kubeconfig)
    bodies = [
        body
        for file in sorted(folder.rglob("*.yaml"))
        for body in yaml.load_all(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    ]
    begun = time.monotonic()
    if action == "apply":
        apply(server, bodies)
    else:
        assert count_objects(server, namespace) >= len(bodies)
    sys.stdout.write(json.dumps({"seconds": time.monotonic() - begun}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
