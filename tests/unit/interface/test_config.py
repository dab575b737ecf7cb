# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a config in Git may say beside an inventory, and which one is in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.git_config import (
    apps_in_force,
    follow_git_config,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.git_config_store import (
    GitConfig,
    git_config_file,
    load_git_config,
    save_git_config,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.validation import check_config
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.engine_values import source_spec
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import Checkout, Person, Revision
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError, SourceError
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import PulledSource

FLEET = {"name": "fleet", "url": "https://git.example.com/fleet.git", "branch": "main", "token_file": "/t"}
OTHER = {"name": "other", "url": "https://git.example.com/other.git", "tag": "v1"}
SHOP = {"name": "shop", "source": "fleet", "path": "apps/shop"}
INVENTORY = {"sources": [FLEET], "apps": [{"name": "base", "source": "fleet"}], "namespace": "plumb-system"}


def checked(document: Any, credentials_dir: str = "") -> Any:
    return check_config(document, credentials_dir, INVENTORY)


def test_sources_and_apps_come_with_their_defaults() -> None:
    result = checked(
        {"plumb_sources": [OTHER], "plumb_apps": [SHOP, {**SHOP, "name": "x", "source": "other"}]}
    )
    assert result.wrong == ()
    assert [app["prune_limit"] for app in result.settings["apps"]] == ["50%", "50%"]
    assert result.settings["sources"][0]["timeout"] == "60s"


@pytest.mark.parametrize(
    "document", [{}, {"plumb_apps": []}, {"plumb_apps": None}, {"plumb_sources": [OTHER]}]
)
def test_either_may_be_left_out(document: dict[str, Any]) -> None:
    assert checked(document).wrong == ()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"plumb_app": []}, "key 'plumb_app' is unknown; did you mean 'plumb_apps'?"),
        ({"plumb_kubeconfig": "/x"}, "key 'plumb_kubeconfig' is unknown; known are plumb_apps, plumb_sources."),
        ({"kubeconfig": "/x"}, "key 'kubeconfig' is unknown"),
        ({1: 2}, "key '1' is unknown"),
        ({"plumb_apps": [{**SHOP, "adpot": True}]}, "plumb_apps[shop]: option 'adpot' is unknown; did you mean 'ad"),
        ({"plumb_apps": "shop"}, "plumb_*:"),
        ({"plumb_apps": [{"name": "shop"}]}, "source"),
        ({"plumb_apps": [{**SHOP, "timeout": "5"}]}, "is not a duration"),
        ({"plumb_apps": [{**SHOP, "source": "flet"}]}, "there is no source 'flet'; known are fleet."),
        ({"plumb_apps": [SHOP, SHOP]}, "app 'shop': another app has this name, here or in the inventory"),
        ({"plumb_apps": [{**SHOP, "name": "base"}]}, "app 'base': another app has this name"),
        ({"plumb_sources": [{**OTHER, "name": "fleet"}]}, "source 'fleet': another source has this name"),
        ({"plumb_apps": [{**SHOP, "depends_on": ["nothing"]}]}, "nothing"),
        ({"plumb_sources": [{**OTHER, "url": "file:///etc"}]}, "source other: reading url"),
        ({"plumb_sources": [{**OTHER, "branch": "main"}]}, "plumb_sources[other]: branch and tag are given"),
    ],
)  # fmt: skip
def test_what_is_refused(document: dict[Any, Any], message: str) -> None:
    wrong = checked(document).wrong
    assert message in wrong[0]
    assert len(set(wrong)) == len(wrong)


@pytest.mark.parametrize("name", ["token_file", "ssh_key_file", "known_hosts_file", "ca_file"])
@pytest.mark.parametrize("value", ["/etc/shadow", "token", "../token", ""])
def test_files_of_this_machine_are_refused(name: str, value: str) -> None:
    (line,) = checked({"plumb_sources": [{**OTHER, name: value}]}).wrong
    assert f"plumb_sources[other]: {name} names a file of this machine" in line


@pytest.mark.parametrize(
    "value", ["/etc/shadow", "../token", "a/b", ".hidden", "..", "", "$HOME", "~", "a\n", 5, ["token"], "-x"]
)
def test_even_where_a_folder_is_allowed_only_plain_names_are(value: Any) -> None:
    (line,) = checked({"plumb_sources": [{**OTHER, "token_file": value}]}, "/etc/plumb/git").wrong
    assert "is not the plain name of a file in credentials_dir" in line


def test_a_plain_name_is_a_file_of_that_folder() -> None:
    result = checked({"plumb_sources": [{**OTHER, "token_file": "other-token"}]}, "/etc/plumb/git")
    assert result.settings["sources"][0]["token_file"] == "/etc/plumb/git/other-token"


class Git:
    """A checkout whose config a test writes, and what follows from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "commit" / "files"
        self.folder.mkdir(parents=True)
        (folder / "commit" / "in-use").touch()
        self.cache = folder / "cache"
        self.options: dict[str, Any] = {
            **INVENTORY,
            "config": {"source": "fleet", "path": "c.yml", "credentials_dir": None},
            "cluster": "a",
        }
        self.commits = 0

    def says(self, text: str) -> Any:
        (self.folder / "c.yml").write_text(text, encoding="utf-8")
        self.commits += 1
        nobody = Person("", "")
        revision = Revision(source="fleet", ref="main", commit=f"{self.commits}" * 40, subject="", author=nobody,
                            committer=nobody, authored="", committed="")  # fmt: skip
        return follow_git_config(
            self.options, self.cache, [PulledSource("fleet", Checkout(revision, self.folder), None)]
        )

    def is_gone(self) -> Any:
        error = SourceError("source fleet", "fetching it", "no answer")
        return follow_git_config(self.options, self.cache, [PulledSource("fleet", None, error)])


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return Git(tmp_path)


GOOD = "plumb_apps: [{name: shop, source: fleet}]\n"


def test_the_last_good_one_stays_in_force(git: Git) -> None:
    first = git.says(GOOD)
    assert (first.error, first.config.commit) == ("", "1" * 40)
    for bad in ("plumb_app: []", "a: [", "- x", "", f"{GOOD}---\n{GOOD}", f"{GOOD}{GOOD}"):
        refused = git.says(bad)
        assert refused.config == first.config
        assert refused.error.startswith("config fleet:c.yml at ")
        assert refused.error.endswith("The config of 1111111 stays in force.")
    assert "could not be pulled" in git.is_gone().error
    assert git.is_gone().config == first.config
    assert git.says(GOOD).error == ""


def test_without_a_good_one_none_is_in_force(git: Git) -> None:
    refused = git.says("a: [")
    assert refused.config is None
    assert "none is in force" in refused.error
    result = refused.result(git.options["config"])
    assert result == {"source": "fleet", "file": "c.yml", "error": refused.error}
    assert apps_in_force({"config": result}) == ()


def test_a_kept_one_that_the_inventory_has_overtaken_is_not_in_force(git: Git) -> None:
    git.says(GOOD)
    git.options["apps"] = [{"name": "shop", "source": "fleet"}]
    result = git.says(GOOD)
    assert result.config is None
    assert "The config of 1111111 does not fit the inventory: app 'shop'" in result.error


def test_many_faults_are_told_within_bounds(git: Git) -> None:
    error = git.says("".join(f"wrong-key-{n}: 1\n" for n in range(100))).error
    assert "And 92 more" in error
    assert len(error) < 2000


def test_a_source_that_is_none_is_the_operators_fault(git: Git) -> None:
    git.options["config"] = {"source": "flet", "path": "c.yml"}
    with pytest.raises(InputError, match="there is no source 'flet'"):
        git.says(GOOD)


def test_each_cluster_and_folder_has_its_own_in_force(tmp_path: Path) -> None:
    spec = source_spec(FLEET)
    config = {"source": "fleet", "path": "c.yml"}
    files = {
        git_config_file(tmp_path, spec, config, "a"),
        git_config_file(tmp_path, spec, config, "b"),
        git_config_file(tmp_path, spec, {**config, "credentials_dir": "/x"}, "a"),
        git_config_file(tmp_path, source_spec({**FLEET, "branch": "next"}), config, "a"),
    }
    assert len(files) == 4


def test_what_another_run_replaced_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "config" / "x.json"
    save_git_config(file, GitConfig("1" * 40, (), (SHOP,)))
    assert apps_in_force({"config": {"path": str(file), "commit": "1" * 40}}) == (SHOP,)
    save_git_config(file, GitConfig("2" * 40, (), ()))
    with pytest.raises(InputError, match="another run has replaced it"):
        apps_in_force({"config": {"path": str(file), "commit": "1" * 40}})
    file.write_text("{}", encoding="utf-8")
    assert load_git_config(file) is None
