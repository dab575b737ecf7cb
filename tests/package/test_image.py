"""The agent's image, as far as it can be seen without a container engine: the build context of ansible-builder."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from ansible_collections.plumb.gitops.plugins.module_utils.model.version import VERSION
from ansible_collections.plumb.gitops.tests.package.as_installed import ROOT

DEFINITION = ROOT / "execution-environment.yml"


@pytest.fixture(scope="module")
def context(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    for name in ("execution-environment.yml", "bindep.txt", "roles/agent/files/requirements.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    (folder / "dist").mkdir()
    shutil.copy2(tarball, folder / "dist" / tarball.name)
    builder = Path(sys.executable).parent / "ansible-builder"
    done = subprocess.run(
        [str(builder), "create", "--context", "image", "--output-filename", "Containerfile"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "image"


def test_the_context_holds_the_collection_and_pinned_packages(context: Path, tarball: Path) -> None:
    (collection,) = (context / "_build" / "dist").iterdir()
    with tarfile.open(collection) as archive:
        assert "controller/__main__.py" in archive.getnames()
    wanted = yaml.safe_load((context / "_build" / "requirements.yml").read_text(encoding="utf-8"))
    assert wanted["collections"] == [{"name": f"dist/{tarball.name}", "type": "file"}]
    packages = (context / "_build" / "packages" / "requirements.txt").read_text(encoding="utf-8")
    for line in re.findall(r"^[A-Za-z0-9].*$", packages, re.MULTILINE):
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[^ ]+( ;[^\\]+)? \\", line), line


def test_it_runs_the_controller_as_a_user_without_rights(context: Path) -> None:
    lines = (context / "Containerfile").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("ARG EE_BASE_IMAGE=")
    assert [line for line in lines if line.startswith("USER")][-1] == "USER 1000"
    assert any("--require-hashes" in line for line in lines)
    (entry,) = (line for line in lines if line.startswith("ENTRYPOINT"))
    command = json.loads(entry.removeprefix("ENTRYPOINT "))
    assert command[-2:] == ["-m", "ansible_collections.plumb.gitops.controller"]
    assert json.loads(lines[-1].removeprefix("CMD ")) == ["--config", "/etc/plumb/agent.yml"]


def test_it_has_the_command_on_its_path(context: Path, tmp_path: Path) -> None:
    lines = (context / "Containerfile").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if "/usr/local/bin/plumb-agent" in line)
    subprocess.run(
        ["sh", "-c", line.removeprefix("RUN ").replace("/usr/local/bin", str(tmp_path))], check=True
    )
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": ":".join(filter(None, sys.path)),
    }
    done = subprocess.run(
        [tmp_path / "plumb-agent", "--version"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"plumb-agent {VERSION}\n"), done.stderr
