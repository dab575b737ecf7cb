# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sample repository on the forge, and an inventory that brings its app to the sandbox's cluster."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plumb_sandbox.cluster.api import Api
from plumb_sandbox.components.table import FILES
from plumb_sandbox.errors import SandboxError
from plumb_sandbox.layout import Layout, write_private

REPOSITORY = "fleet"

_INVENTORY = """\
# Written at each start: the sandbox's cluster, and an app of its sample repository.
plumb_clusters:
  hosts:
    sandbox:
  vars:
    plumb_kubeconfig: {kubeconfig}
    plumb_cache_dir: {cache}
    plumb_sources:
      - name: fleet
        url: {url}
        branch: main
        allow_http: true # on this machine
    plumb_apps:
      - name: hello
        source: fleet
        path: apps/hello
        namespace: hello
        create_namespace: true
"""


def provide(layout: Layout, forge: Mapping[str, Any]) -> bool:
    """Publish the sample repository and write the inventory; return whether the repository is new."""
    is_new = publish(forge, REPOSITORY, FILES / "sample")
    inventory = _INVENTORY.format(
        kubeconfig=json.dumps(str(layout.kubeconfig)),
        cache=json.dumps(str(layout.root / "cache")),
        url=f"{forge['url']}/{forge['admin_user']}/{REPOSITORY}.git",
    )
    write_private(layout.inventory, inventory)
    return is_new


def publish(forge: Mapping[str, Any], name: str, folder: Path) -> bool:
    """Make a public repository of a folder's files; return False if it exists and is not empty.

    `forge` is the one of the sandbox's description. Raises SandboxError.
    """
    api = Api(url=forge["url"], token=Path(forge["admin_token_file"]).read_text(encoding="ascii").strip())
    path = f"/api/v1/repos/{forge['admin_user']}/{name}"
    status, repository = api.get(path)
    if status == 404:
        repository = _create(api, "/api/v1/user/repos", {"name": name, "default_branch": "main"})
    elif status != 200:
        raise _failed(path, status, repository)
    if not repository["empty"]:
        return False
    _create(
        api, f"{path}/contents", {"branch": "main", "message": "Add the first apps", "files": _files(folder)}
    )
    return True


def _files(folder: Path) -> list[dict[str, str]]:
    return [
        {
            "operation": "create",
            "path": file.relative_to(folder).as_posix(),
            "content": base64.b64encode(file.read_bytes()).decode(),
        }
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    ]


def _create(api: Api, path: str, body: dict[str, Any]) -> Any:
    status, answer = api.request("POST", path, body)
    if status != 201:
        raise _failed(path, status, answer)
    return answer


def _failed(path: str, status: int, answer: Any) -> SandboxError:
    message = answer.get("message", "") if isinstance(answer, dict) else str(answer)
    return SandboxError(
        f"publishing the sample repository ({path})",
        f"the forge answered {status} {message}",
        "See logs/gitea.log.",
    )
