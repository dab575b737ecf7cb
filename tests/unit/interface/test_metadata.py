# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection says of itself: its action groups, what modules need, and the versions that it supports."""

from __future__ import annotations

import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import ModuleWork

ROOT = Path(__file__).parents[3]
MODULES = sorted(file.stem for file in (ROOT / "plugins" / "modules").glob("[a-z]*.py"))
RUNTIME = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
ACTIONS = RUNTIME["action_groups"]
_ROOMS = {  # what a room of the engine refuses to work without
    "connection": {"httptools", "urllib3", "PyYAML"},
    "forge": {"requests"},
    "repository": {"semver", "git"},
}
# The rooms that each module cannot do without.
_NEEDS = {
    "access_rules": ("connection",),
    "apply": ("connection",),
    "check_inventory": (),
    "commit_status": ("forge",),
    "deploy_key": ("forge",),
    "diff": ("connection",),
    "images": ("forge", "repository"),
    "notify": ("forge",),
    "preview": ("connection", "forge", "repository"),
    "pull": ("repository",),
    "report": (),
    "repository": ("forge", "repository"),
    "run_record": (),
    "service_account_token": ("connection",),
}


def documentation(module: str) -> dict[str, Any]:
    text = (ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8")
    match = re.search(r'^DOCUMENTATION = r"""\n(.*?)^"""', text, re.MULTILINE | re.DOTALL)
    assert match is not None
    document: dict[str, Any] = yaml.safe_load(match[1])
    return document


def test_the_action_group_has_every_module() -> None:
    assert ACTIONS["plumb"] == MODULES
    takes_connection = {"plumb.gitops.connection"}
    connected = [
        name
        for name in MODULES
        if takes_connection & set(documentation(name).get("extends_documentation_fragment", ()))
    ]
    assert ACTIONS["cluster"] == connected


@pytest.mark.parametrize("module", MODULES)
def test_a_module_names_what_it_refuses_to_run_without(module: str) -> None:
    listed = [str(name) for name in documentation(module).get("requirements", ())]
    needed = set().union(*(_ROOMS[room] for room in _NEEDS[module]))
    assert needed <= set(listed)
    optional = [name for name in listed if name.startswith("kubernetes")]
    assert bool(optional) is ("connection" in _NEEDS[module])
    assert all("requirements-plugins.txt" in name for name in optional)


WORKING = [
    name for name in MODULES if name not in {"check_inventory", "report", "run_record"}
]  # these are actions alone
ACTING = sorted({file.stem for file in (ROOT / "plugins" / "action").glob("[a-z]*.py")} & set(WORKING))


def work_of(module: str) -> ModuleWork:
    loaded = importlib.import_module(f"ansible_collections.plumb.gitops.plugins.modules.{module}")
    (work,) = [value for value in vars(loaded).values() if isinstance(value, ModuleWork)]
    return work


@pytest.mark.parametrize("module", WORKING)
def test_a_module_does_the_work_of_its_name(module: str) -> None:
    assert work_of(module).name == module


@pytest.mark.parametrize("module", ACTING)
def test_a_module_and_its_action_are_made_from_one_work(module: str) -> None:
    loaded = importlib.import_module(f"ansible_collections.plumb.gitops.plugins.action.{module}")
    work = vars(loaded.ActionModule)["work"]  # a property where the work is loaded late
    assert (work.__get__(object()) if isinstance(work, property) else work) is work_of(module)


def requirements(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    matches = [re.fullmatch(r"([A-Za-z0-9._-]+)(.*)", line) for line in lines if line and line[0] not in "#-"]
    return {match[1].lower(): match[2] for match in matches if match is not None}


def test_what_users_install_says_the_oldest_version_and_what_we_test_with_is_held_still() -> None:
    """Who installs a collection beside others has to be free to take newer versions."""
    floors = requirements("requirements.txt") | requirements("requirements-plugins.txt")
    assert "kubernetes" not in requirements("requirements.txt")
    held = requirements("constraints.txt")
    for name, specifier in floors.items():
        assert specifier.startswith(">="), name
        assert held[name].startswith("=="), name
        assert held[name].removeprefix("==") in SpecifierSet(specifier), name
    assert all(specifier.startswith("==") for specifier in requirements("requirements-agent.txt").values())


@pytest.mark.parametrize(
    ("version", "supported"),
    [
        ("2.15.13", False), ("2.16.13", False), ("2.16.14", True), ("2.16.19", True), ("2.17.0", False),
        ("2.17.6", False), ("2.17.7", True), ("2.18.0", False), ("2.18.1", True), ("2.19.0", True), ("2.21.5", True),
    ],
)  # fmt: skip
def test_no_version_before_the_fix_of_cve_2024_11079_is_supported(version: str, supported: bool) -> None:
    assert (version in SpecifierSet(RUNTIME["requires_ansible"])) is supported


def test_readme_and_roles_say_the_versions_that_are_supported() -> None:
    oldest = RUNTIME["requires_ansible"].partition(",")[0].removeprefix(">=")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"ansible-core {oldest} or later" in readme
    for role in ("agent", "sandbox"):
        meta = yaml.safe_load((ROOT / "roles" / role / "meta" / "main.yml").read_text(encoding="utf-8"))
        assert oldest.startswith(meta["galaxy_info"]["min_ansible_version"])


def test_the_versions_that_are_tested_are_supported() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "portable", "--list"], capture_output=True, text=True, check=True
    )
    tested = re.findall(r"ansible-core (\S+)", done.stdout)
    assert {".".join(version.split(".")[:2]) for version in tested} >= {"2.16", "2.18", "2.19", "2.21"}
    assert all(version in SpecifierSet(RUNTIME["requires_ansible"]) for version in tested)


_FILTERED_RESULT = re.compile(r"\b(pulled|applied|written|agent__pulled)\b[^|}]*\|")
_EXPRESSIONS = frozenset({"when", "failed_when", "changed_when", "that", "until"})


def _expressions(node: Any, key: str = "") -> Iterator[str]:
    """The templates of a playbook or a list of tasks, and what is one without braces."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _expressions(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from _expressions(value, key)
    elif isinstance(node, str):
        yield from [node] if key in _EXPRESSIONS else re.findall(r"\{\{.*?\}\}", node, re.DOTALL)


def test_no_text_from_git_clusters_or_registries_passes_a_filter() -> None:
    # Before ansible-core 2.19 a text loses its mark of being no template there (ADR 0023).
    files = [*(ROOT / "playbooks").rglob("*.yml"), *(ROOT / "roles").rglob("tasks/*.yml")]
    expressions = [
        (file.name, each)
        for file in files
        for each in _expressions(yaml.safe_load(file.read_text(encoding="utf-8")))
    ]
    assert (
        "commit_status.yml",
        "{{ applied if applied is defined and applied is not skipped else omit }}",
    ) in expressions
    assert ("reconcile.yml", "applied.lines is defined") in expressions
    assert [(name, each) for name, each in expressions if _FILTERED_RESULT.search(each)] == []
