# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's Pod, laid out as a folder.

The sandbox runs no containers: kwok reports the Pod as running. What its container would see is made here from what the
bootstrap put into the cluster: the files of its ConfigMap and Secret, its command, its environment, a token of its
ServiceAccount. Only the paths, the port and the kubeconfig that names the cluster differ from a Pod's.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .cluster import Cluster
from .errors import DemoError

NAME = "plumb-agent"
NAMESPACE = "plumb-system"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{NAME}"
_ENTRY_POINT = (sys.executable, "-m", "ansible_collections.plumb.gitops.controller")  # the image's


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What to run, with what in the environment, and where that listens."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    home: Path
    reports: Path
    address: str
    token: str  # for its HTTP
    kubeconfig: Path  # with a token of its ServiceAccount


def make_pod_folder(cluster: Cluster, root: Path) -> Pod:
    """Make below ROOT what the container of the agent's Deployment would see as its root."""
    deployment = cluster.get("deployments", NAME, NAMESPACE)
    if deployment is None:
        raise DemoError(f"The bootstrap made no Deployment {NAMESPACE}/{NAME}.")
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    here = _mover(root, list(mounts.values()))
    for volume in sorted(spec["volumes"], key=lambda volume: str(mounts[volume["name"]])):
        folder = Path(here(mounts[volume["name"]]))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, content in _files(cluster, volume).items():
            _write(folder / name, here(content))
    token = _token_for_commands(spec, root)
    address = _amend(root, _kubeconfig(cluster, root))
    variables = {each["name"]: here(each.get("value", "")) for each in container["env"]}
    return Pod(
        command=(*_ENTRY_POINT, *map(here, container["args"])),
        environment=variables,
        home=root,
        reports=Path(here("/var/lib/plumb"), "reports"),
        address=address,
        token=token,
        kubeconfig=root / "kubeconfig",
    )


def _mover(root: Path, mounted: list[str]) -> Callable[[str], str]:
    """Return a function that puts ROOT before each path of the container in a text."""
    longest_first = sorted(mounted, key=len, reverse=True)
    paths = re.compile("|".join(rf"(?<![\w./-]){re.escape(path)}(?![\w.-])" for path in longest_first))
    return lambda text: paths.sub(lambda match: f"{root}{match[0]}", text)


def _files(cluster: Cluster, volume: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of a volume; none for one that begins empty."""
    if "configMap" in volume:
        content = cluster.get("configmaps", volume["configMap"]["name"], NAMESPACE) or {}
        return dict(content.get("data") or {})
    if "secret" in volume:
        content = cluster.get("secrets", volume["secret"]["secretName"], NAMESPACE) or {}
        return {name: base64.b64decode(data).decode() for name, data in (content.get("data") or {}).items()}
    return {}


def _token_for_commands(spec: Mapping[str, Any], root: Path) -> str:
    """Make a token for commands, as the Pod's init container does."""
    token = secrets.token_urlsafe(32)
    config = yaml.safe_load((root / "etc/plumb/agent.yml").read_text(encoding="utf-8"))
    if not spec.get("initContainers"):
        raise DemoError("The agent's Pod has no token for commands.")
    _write(Path(config["http"]["token_file"]), token)
    return token


def _kubeconfig(cluster: Cluster, root: Path) -> Path:
    """Write a kubeconfig for the Pod's account, with a bound token of an hour; return its path."""
    output = cluster.kubectl("config", "view", "--minify", "--raw", "--flatten", "--output", "json")
    config = json.loads(output)
    config["users"] = [{"name": user["name"], "user": {"tokenFile": "token"}} for user in config["users"]]
    _write(
        root / "token",
        cluster.kubectl("create", "token", NAME, "--namespace", NAMESPACE, "--duration=1h").strip(),
    )
    _write(root / "kubeconfig", json.dumps(config))
    return root / "kubeconfig"


def _amend(root: Path, kubeconfig: Path) -> str:
    """Write the kubeconfig and a free port of this machine into the agent's two files; return the address."""
    inventory, agent = root / "etc/plumb/inventory.yml", root / "etc/plumb/agent.yml"
    clusters = yaml.safe_load(inventory.read_text(encoding="utf-8"))
    for host in clusters["plumb_clusters"]["hosts"].values():
        host["plumb_kubeconfig"] = str(kubeconfig)
    _write(inventory, yaml.safe_dump(clusters, sort_keys=False))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = yaml.safe_load(agent.read_text(encoding="utf-8"))
    config["http"]["listen"] = address
    config["leader_election"]["kubeconfig"] = str(kubeconfig)
    _write(agent, yaml.safe_dump(config, sort_keys=False))
    return address


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
