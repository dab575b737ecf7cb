# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the role brings: pinned packages, the collection, manifests, and a look at what a host lacks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.plumb.gitops.plugins.module_utils.interface.options.agent import AGENT

ROOT = Path(__file__).resolve().parents[3]
FILES = ROOT / "roles" / "agent" / "files"
REQUIREMENTS = FILES / "requirements.txt"


def pins(text: str) -> dict[str, str]:
    pairs = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


def test_every_package_is_pinned_by_hash_and_as_tested() -> None:
    text = REQUIREMENTS.read_text(encoding="utf-8")
    pinned = pins(text)
    tested = "".join(
        (ROOT / name).read_text(encoding="utf-8") for name in ("requirements-agent.txt", "constraints.txt")
    )
    named = "".join(
        (ROOT / name).read_text(encoding="utf-8")
        for name in ("requirements.txt", "requirements-plugins.txt", "requirements-agent.txt")
    )
    wanted = {
        re.sub(r"[-_.]+", "-", name).lower()
        for name in re.findall(r"^[A-Za-z0-9][A-Za-z0-9._-]*", named, re.MULTILINE)
    }
    assert wanted <= pinned.keys(), "run scripts/agent-requirements"
    assert pins(named).items() <= pinned.items(), "run scripts/agent-requirements"
    assert pinned.items() <= pins(tested).items() | {("tzdata", pinned.get("tzdata", ""))}
    blocks = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pinned)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text


def write_manifests(tmp_path: Path, manifests: dict[str, str | None]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", (FILES / "write_manifests.py").read_text(encoding="utf-8")],
        input=json.dumps(manifests),
        env={"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_manifests_are_written_into_a_folder_that_nobody_else_reads(tmp_path: Path) -> None:
    done = write_manifests(tmp_path, {"agent": "a: 1\n", "namespace": None})
    folder = Path(done.stdout.strip())
    assert (done.returncode, done.stderr, folder.parent) == (0, "", tmp_path)
    assert (folder / "agent" / "all.yaml").read_text(encoding="utf-8") == "a: 1\n"
    assert list((folder / "namespace").iterdir()) == []
    modes = {path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*")) if path.is_dir()}
    assert (modes, (folder / "agent" / "all.yaml").stat().st_mode & 0o777) == ({0o700}, 0o600)


def test_manifests_that_cannot_be_written_are_told_and_leave_nothing(tmp_path: Path) -> None:
    done = write_manifests(tmp_path, {"agent": "password: hunter2\n", "gone/namespace": None})
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path}/plumb-agent-")
    assert "writing the agent's manifests: [Errno 2] No such file or directory" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def pack(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FILES / "pack.py"), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A small collection as ansible-galaxy installs it."""
    source, built = tmp_path / "source", tmp_path / "built"
    (source / "docs").mkdir(parents=True)
    (source / "docs" / "a.md").write_text("a\n", encoding="utf-8")
    (source / "README.md").write_text("small\n", encoding="utf-8")
    galaxy = {
        "namespace": "plumb",
        "name": "small",
        "version": "1.0.0",
        "readme": "README.md",
        "authors": ["a"],
    }
    (source / "galaxy.yml").write_text(yaml.safe_dump(galaxy), encoding="utf-8")
    built.mkdir()
    made = json.loads(pack(source, built).stdout)
    target = tmp_path / "installed"
    target.mkdir()
    subprocess.run(["tar", "xzf", made["path"], "-C", str(target)], check=True)
    (tmp_path / "digest").write_text(made["digest"], encoding="utf-8")
    return target


def test_an_installed_collection_packs_to_what_it_was_built_from(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    made = json.loads(pack(installed, tmp_path / "again").stdout)
    digest = (tmp_path / "digest").read_text(encoding="utf-8")
    assert made["digest"] == digest == json.loads(pack(made["path"]).stdout)["digest"]


def test_a_collection_that_was_changed_is_not_passed_on(installed: Path, tmp_path: Path) -> None:
    (installed / "docs" / "a.md").write_text("b\n", encoding="utf-8")
    refused = pack(installed, tmp_path)
    assert refused.returncode == 1
    assert "docs/a.md was changed after it was installed" in refused.stderr
    assert "it is no collection" in pack(tmp_path / "built", tmp_path).stderr


def preflight(python: str, path: str = "/usr/bin:/bin") -> dict[str, object]:
    done = subprocess.run(
        ["/bin/sh", "-c", (FILES / "preflight.sh").read_text(encoding="utf-8"), "preflight", python],
        capture_output=True, text=True, check=True, env={"PATH": path},
    )  # fmt: skip
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_a_host_is_told_all_that_it_lacks_at_once(tmp_path: Path) -> None:
    missing = preflight("/usr/bin/false", str(tmp_path))["missing"]
    assert isinstance(missing, list)
    assert [part for part in ("Python 3.11", "no git") if any(part in message for message in missing)] == [
        "Python 3.11",
        "no git",
    ]


def test_each_variable_of_the_bootstrap_is_an_option_of_the_role_and_is_used() -> None:
    specs = yaml.safe_load((ROOT / "roles/agent/meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    playbook = (ROOT / "playbooks" / "bootstrap.yml").read_text(encoding="utf-8")
    only_in_inventories = {"agent_server"}
    assert AGENT.keys() - only_in_inventories <= options.keys()
    used = set(re.findall(r"plumb_(agent_[a-z_]+)", playbook))
    assert AGENT.keys() - only_in_inventories == used
    defaults = yaml.safe_load((ROOT / "roles/agent/defaults/main.yml").read_text(encoding="utf-8"))
    assert {name: option.get("default") for name, option in options.items()} == defaults
