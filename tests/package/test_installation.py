"""The installed collection: what Ansible finds in it, and that what it finds runs."""

from __future__ import annotations

import json
import re

from ansible_collections.plumb.gitops.tests.package.as_installed import ROOT, Ansible


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
    found = json.loads(shown.stdout)
    assert sorted(found) == modules
    assert all(found[name]["doc"]["short_description"] and found[name]["examples"] for name in modules)


def test_every_role_is_documented(installed: Ansible) -> None:
    shown = installed.run("doc", "--type", "role", "--json", *roles())
    assert shown.returncode == 0, shown.stderr
    assert sorted(json.loads(shown.stdout)) == roles()


def test_every_playbook_is_found_by_its_name(installed: Ansible) -> None:
    for playbook in names("playbooks"):
        checked = installed.run("playbook", playbook, "--syntax-check", "-i", "localhost,")
        assert checked.returncode == 0, checked.stderr


def test_every_module_brings_all_its_imports(installed: Ansible) -> None:
    """A module that starts gets as far as refusing its options; one that lacks an import does not."""
    for module in sorted(set(names("plugins/modules")) - set(names("plugins/action"))):
        ran = installed.run(
            "adhoc",
            "localhost",
            "--connection=local",
            "--inventory=localhost,",
            f"--extra-vars=ansible_python_interpreter={installed.python}",
            f"--module-name={module}",
            "--args=no_such_option=1",
        )
        assert ran.returncode == 2, ran.stdout + ran.stderr
        refused = re.search("Unsupported parameters|missing required arguments", ran.stdout)
        assert refused, ran.stdout + ran.stderr


def test_the_installed_collection_is_the_one_that_is_found(installed: Ansible) -> None:
    listed = installed.run("galaxy", "collection", "list", "--format", "json")
    places = [place for place, found in json.loads(listed.stdout).items() if "plumb.gitops" in found]
    assert places == [str(installed.collections / "ansible_collections")]
