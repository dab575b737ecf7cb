# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering without any network: in a namespace of its own, where even the loopback is down (row 54)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.tests.unit.render.conftest import Write

OFFLINE = ("unshare", "--net", "--map-root-user")
RENDER = """
import sys
from pathlib import Path
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_path
try:
    print([m.ref.name for m in render_path(Path(sys.argv[1]), "app", subject="app shop")])
except RenderError as error:
    print("refused:", error)
"""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
FETCHING = {
    "remote base": "resources: [https://git.example/x]\n",
    "remote file": "resources: ['https://git.example/x.yaml']\n",
    "helm chart": "helmCharts: [{name: x, repo: 'https://git.example/charts'}]\n",
    "exec plugin": "generators: [gen.yaml]\n",
}
GENERATOR = """
apiVersion: example.com/v1
kind: Gen
metadata:
  name: a
  annotations: {config.kubernetes.io/function: 'exec: {path: ./run}'}
"""


@pytest.fixture(scope="module", autouse=True)
def _may_unshare() -> None:
    try:
        subprocess.run([*OFFLINE, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a namespace without a network cannot be made here: {error}")


def rendered_offline(root: Path) -> str:
    done = subprocess.run(
        [*OFFLINE, sys.executable, "-c", RENDER, str(root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_row_54_a_kustomization_is_built_without_a_network(checkout: Write) -> None:
    root = checkout({"app/kustomization.yaml": "resources: [a.yaml]\n", "app/a.yaml": CONFIG_MAP})
    assert rendered_offline(root).strip() == "['a']"


@pytest.mark.parametrize("what", FETCHING)
def test_row_54_what_would_fetch_or_run_is_refused_and_never_tried(
    checkout: Write, tmp_path: Path, what: str
) -> None:
    canary = tmp_path / "canary"
    root = checkout(
        {
            "app/kustomization.yaml": FETCHING[what],
            "app/gen.yaml": GENERATOR,
            "app/run": f"#!/bin/sh\ntouch {canary}\n",
        }
    )
    (root / "app" / "run").chmod(0o755)
    message = rendered_offline(root)
    assert message.startswith("refused: app shop: reading app/"), (
        "refused as written, not for want of a network"
    )
    assert not canary.exists()
