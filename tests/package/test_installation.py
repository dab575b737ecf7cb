"""The installed collection: what Ansible finds in it, and that what it finds runs."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from plumb_sandbox.components.build_cache import cache_folder

from ansible_collections.plumb.gitops.tests.package.as_installed import ROOT, Ansible
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import new_repository


def names(folder: str) -> list[str]:
    """The fully qualified names of the plugins or playbooks that the working tree has in a folder."""
    files = (ROOT / folder).glob("*.y*ml" if folder == "playbooks" else "*.py")
    return sorted(f"plumb.gitops.{file.stem}" for file in files if not file.stem.startswith("_"))


def roles() -> list[str]:
    return sorted(
        f"plumb.gitops.{spec.parents[1].name}" for spec in (ROOT / "roles").glob("*/meta/argument_specs.yml")
    )


def test_every_module_is_documented(installed: Ansible) -> None:
    modules = names("plugins/modules")
    shown = installed.run("doc", "--type", "module", "--json", *modules)
    assert shown.returncode == 0, shown.stderr
    documented = json.loads(shown.stdout)
    assert sorted(documented) == modules
    assert all(
        documented[name]["doc"]["short_description"] and documented[name]["examples"] for name in modules
    )


def test_every_role_is_documented(installed: Ansible) -> None:
    shown = installed.run("doc", "--type", "role", "--json", *roles())
    assert shown.returncode == 0, shown.stderr
    assert sorted(json.loads(shown.stdout)) == roles()


def test_every_playbook_is_found_by_its_name(installed: Ansible) -> None:
    for playbook in names("playbooks"):
        checked = installed.run("playbook", playbook, "--syntax-check", "-i", "localhost,")
        assert checked.returncode == 0, checked.stderr


def test_every_module_brings_all_its_imports(installed: Ansible) -> None:
    """A module that starts gets as far as refusing its options; one that lacks an import does not.

    An environment of its own keeps Ansible from running the work in its own process.
    """
    works = [
        module for module in names("plugins/modules") if "run_module" in (ROOT / source(module)).read_text()
    ]
    assert works
    book = installed.home / "modules.yml"
    tasks = [
        {
            "name": module,
            module: {"no_such_option": 1},
            "environment": {"SOME": "thing"},
            "ignore_errors": True,
        }
        for module in works
    ]
    header = {"hosts": "localhost", "connection": "local", "gather_facts": False}
    header["vars"] = {"ansible_python_interpreter": str(installed.python)}
    book.write_text(json.dumps([{**header, "tasks": tasks}]))
    ran = installed.run("playbook", "-i", "localhost,", str(book))
    refused = re.findall("fatal: .*missing required arguments", ran.stdout + ran.stderr)
    assert len(refused) >= len(works), ran.stdout + ran.stderr


def test_the_installed_collection_reconciles(
    installed: Ansible, sandbox: Sandbox, kubectl: Kubectl, tmp_path: Path
) -> None:
    name = f"r-{uuid.uuid4().hex[:8]}"
    repository = new_repository(sandbox, name, tmp_path / "clone")
    repository.commit({"app/config.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"})
    source = {
        "name": "git",
        "url": repository.url,
        "branch": "main",
        "token_file": str(repository.token_file),
    }
    app = {"name": name, "source": "git", "path": "app", "namespace": name, "create_namespace": True}
    variables = {
        "plumb_kubeconfig": str(sandbox.kubeconfig),
        "plumb_cache_dir": str(tmp_path / "cache"),
        "plumb_sources": [source],
        "plumb_apps": [app],
    }
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"plumb_clusters": {"hosts": {"here": {}}, "vars": variables}}))
    ran = installed.run("playbook", "plumb.gitops.reconcile", "-i", str(inventory))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 created" in ran.stdout
    assert kubectl.get("configmap", name, name) is not None


def test_the_quick_start_of_the_readme_works_as_typed(
    installed: Ansible, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run in a folder of its own, with the collection as it is installed."""
    monkeypatch.setenv("PLUMB_SANDBOX_CACHE", str(cache_folder()))
    monkeypatch.setenv("PWD", str(installed.home))
    printed = []
    for program, *arguments in quick_start():
        if program == "ansible-playbook":
            done = installed.run("playbook", *arguments, timeout=600)
        else:
            done = subprocess.run(
                [Path(sys.executable).with_name(program), *arguments],
                cwd=installed.home,
                capture_output=True,
                text=True,
                check=False,
            )
        assert done.returncode == 0, done.stdout + done.stderr
        printed.append(done.stdout)
    _started, checked, applied, _scaled, reverted, _removed = printed
    assert "Check only, nothing was written." in checked
    assert "4 created" in applied
    assert "1 reverted" in reverted
    assert not (installed.home / ".sandbox").exists()


def quick_start() -> list[list[str]]:
    """The commands of the README's section "First use" that use the sandbox."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## First use\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("    ") and "sandbox" in line]
    return [shlex.split(line, comments=True) for line in lines]


def source(module: str) -> str:
    return f"plugins/modules/{module.rpartition('.')[2]}.py"


def test_the_installed_collection_is_the_one_that_is_found(installed: Ansible) -> None:
    listed = installed.run("galaxy", "collection", "list", "--format", "json")
    places = [
        place for place, collections in json.loads(listed.stdout).items() if "plumb.gitops" in collections
    ]
    assert places == [str(installed.collections / "ansible_collections")]


def test_what_is_installed_from_git_is_the_same(installed: Ansible, installed_from_git: Ansible) -> None:
    """So what is seen of the one is so of the other."""
    first, other = (
        _files(each.collections / "ansible_collections/plumb/gitops")
        for each in (installed, installed_from_git)
    )
    assert first
    assert other == first


def _files(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}
