# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest
from plumb_sandbox.components.binaries import find
from plumb_sandbox.components.build_cache import build_folder, cache_folder
from plumb_sandbox.components.table import COMPONENTS

API_SERVER = next(component for component in COMPONENTS if component.name == "kube-apiserver")


def program(folder: Path, says: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / API_SERVER.name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def env(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}{os.pathsep}/bin")
    return {"PLUMB_SANDBOX_CACHE": str(tmp_path / "cache")}


def test_nowhere(env):
    assert find(API_SERVER, env) is None


def test_in_the_assets_before_path(env, tmp_path):
    program(tmp_path / "path", "Kubernetes v1.36.1")
    wanted = program(tmp_path / "assets", "Kubernetes v1.36.0")
    found = find(API_SERVER, {**env, "KUBEBUILDER_ASSETS": str(tmp_path / "assets")})
    assert found is not None
    assert (found.path, found.version) == (wanted, "1.36.0")


@pytest.mark.parametrize("says", ["Kubernetes v1.35.4", "Kubernetes v0.0.0-master", "no version"])
def test_another_release_on_path_is_passed_over(env, tmp_path, says):
    program(tmp_path / "path", says)
    assert find(API_SERVER, env) is None


def test_a_program_that_does_not_run_is_passed_over(env, tmp_path):
    program(tmp_path / "path", "Kubernetes v1.36.3").write_text("#!/nowhere/interpreter\n")
    assert find(API_SERVER, env) is None


def test_in_the_cache(env):
    wanted = program(build_folder("kubernetes", env) / "bin", "not asked: its place says what it is")
    found = find(API_SERVER, env)
    assert found is not None
    assert (found.path, found.version) == (wanted, "1.36.3")


@pytest.mark.parametrize(
    ("env", "folder"),
    [
        ({"PLUMB_SANDBOX_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, Path("/a")),
        ({"XDG_CACHE_HOME": "/b"}, Path("/b/plumb/sandbox")),
        ({}, Path.home() / ".cache/plumb/sandbox"),
    ],
)
def test_where_the_cache_is(env, folder):
    assert cache_folder(env) == folder
