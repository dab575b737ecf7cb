# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the role brings to a host: pinned packages, the collection, and a look at what the host lacks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.plumb.gitops.plugins.module_utils.interface.agent_options import AGENT

ROOT = Path(__file__).resolve().parents[3]
FILES = ROOT / "roles" / "agent" / "files"
REQUIREMENTS = FILES / "requirements.txt"


def pins(text: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_every_package_is_pinned_by_hash_and_as_tested() -> None:
    text = REQUIREMENTS.read_text(encoding="utf-8")
    found = pins(text)
    tested = "".join(
        (ROOT / name).read_text(encoding="utf-8")
        for name in ("requirements.txt", "requirements-agent.txt", "constraints.txt")
    )
    wanted = pins(
        "".join(
            (ROOT / n).read_text(encoding="utf-8") for n in ("requirements.txt", "requirements-agent.txt")
        )
    )
    assert wanted.items() <= found.items(), "run scripts/agent-requirements"
    assert found.items() <= pins(tested).items() | {("tzdata", found.get("tzdata", ""))}
    blocks = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(found)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text


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


def look(python: str, path: str = "/usr/bin:/bin") -> dict[str, object]:
    done = subprocess.run(
        ["/bin/sh", "-c", (FILES / "look.sh").read_text(encoding="utf-8"), "look", python],
        capture_output=True, text=True, check=True, env={"PATH": path},
    )  # fmt: skip
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_host_is_told_all_that_it_lacks_at_once(tmp_path: Path) -> None:
    lacking = look("/usr/bin/false", str(tmp_path))["lacking"]
    assert isinstance(lacking, list)
    assert [part for part in ("Python 3.11", "no git") if any(part in said for said in lacking)] == [
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
