# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources and apps that a file in Git says, followed by `plumb.gitops.reconcile`."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.support.ansible.fleet import Fleet
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play, Played
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import Repository, new_repository

PATH = "clusters/here.yml"


class ConfigFleet(Fleet):
    """A fleet of one inventory app, `app`, and of what `PATH` in its source says."""

    repository: Repository
    credentials: Path

    def commit(self, config: Any, files: dict[str, str | None] | None = None) -> str:
        """Make the file say this (text as it is), and commit these files too."""
        text = config if isinstance(config, str) or config is None else yaml.safe_dump(config)
        return self.repository.commit({PATH: text, **(files or {})})

    def follow(self, *words: str, **variables: Any) -> Played:
        return self.run(*words, **{"plumb_config": {"source": "fleet", "path": PATH}, **variables})

    def apps(self) -> list[str]:
        return [app["name"] for app in self.report()["apps"]]


@pytest.fixture
def fleet(sandbox: Sandbox, play: Play, namespace: str, tmp_path: Path) -> ConfigFleet:
    repository = new_repository(sandbox, f"r-{uuid.uuid4().hex[:8]}", tmp_path / "clone", past_hooks=True)
    git = {"url": repository.url, "token_file": str(repository.token_file)}
    made = ConfigFleet(play, sandbox, git, namespace, tmp_path)
    made.repository, made.credentials = repository, repository.token_file
    repository.commit(
        {"app/a.yaml": config_map("a"), "more/b.yaml": config_map("b"), "last/c.yaml": config_map("c")}
    )
    return made


def config_map(name: str, value: str = "1") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: '{value}'}}\n"


def test_a_commit_adds_an_app_and_a_wrong_one_leaves_the_last_good_in_force(
    fleet: ConfigFleet, kubectl: Kubectl
) -> None:
    more = fleet.app(name="more", path="more", depends_on=["app"])
    good = fleet.commit({"plumb_apps": [more]})
    done = fleet.follow()
    assert done.code == 0, done.output
    assert f"config fleet:{PATH} {good[:7]}" in done.output
    assert fleet.apps() == ["app", "more"]
    assert fleet.report()["config"] == {"source": "fleet", "file": PATH, "commit": good}
    assert kubectl.get("configmap", "b", fleet.namespace) is not None

    # A wrong word; and in the same commit `b` changes, `a` goes over to an app that only the wrong file knows.
    wrong = fleet.commit(
        {"plumb_apps": [{**more, "prun": True}, fleet.app(name="last", path="last")]},
        {"more/b.yaml": config_map("b", "2"), "app/a.yaml": None, "app/d.yaml": config_map("d"),
         "last/a.yaml": config_map("a")},
    )  # fmt: skip
    refused = fleet.follow()
    assert refused.code == 2
    assert (
        f"config fleet:{PATH} at {wrong[:7]}: reading it: plumb_apps[more]: option 'prun' is unknown"
        in refused.output
    )
    assert "did you mean 'prune'?" in refused.output
    assert f"The config of {good[:7]} stays in force." in refused.output
    assert "Traceback" not in refused.output
    assert fleet.report()["failed"]
    assert fleet.report()["config"]["commit"] == good
    changed = kubectl.get("configmap", "b", fleet.namespace)
    assert changed is not None
    assert changed["data"] == {"value": "2"}  # the last good one is at work
    assert kubectl.get("configmap", "d", fleet.namespace) is not None
    before = kubectl.get("configmap", "a", fleet.namespace)
    assert before is not None, "pruned, though an app that is not known yet wants it"

    right = fleet.commit({"plumb_apps": [more, fleet.app(name="last", path="last")]})
    again = fleet.follow()
    assert again.code == 0, again.output
    assert fleet.report()["config"]["commit"] == right
    moved = kubectl.get("configmap", "a", fleet.namespace)
    assert moved is not None
    assert moved["metadata"]["uid"] == before["metadata"]["uid"]

    fleet.commit(None)
    gone = fleet.follow("--check")
    assert gone.code == 2
    assert "it is not in this revision" in gone.output
    assert fleet.apps() == ["app", "more", "last"]


def test_a_source_of_the_file_has_its_credentials_from_the_operators_folder_or_none(
    fleet: ConfigFleet, kubectl: Kubectl
) -> None:
    source = fleet.source(name="other", token_file=fleet.credentials.name)
    fleet.commit(
        {"plumb_sources": [source], "plumb_apps": [fleet.app(name="more", source="other", path="more")]}
    )
    config = {"source": "fleet", "path": PATH, "credentials_dir": str(fleet.credentials.parent)}
    done = fleet.follow(plumb_config=config)
    assert done.code == 0, done.output
    assert [source["name"] for source in fleet.report()["sources"]] == ["fleet", "other"]
    assert kubectl.get("configmap", "b", fleet.namespace) is not None

    refused = fleet.follow("--check")
    assert refused.code == 2
    assert "plumb_sources[other]: token_file names a file of this machine" in refused.output
    assert "No earlier config is known, so none is in force." in refused.output
    assert fleet.apps() == ["app"]


def test_row_49_template_text_in_the_file_is_literal(
    fleet: ConfigFleet, kubectl: Kubectl, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    text = f"{{{{ lookup('ansible.builtin.pipe', 'touch {canary}') }}}}"
    fleet.commit({"plumb_apps": [fleet.app(name="more", path=text)]})
    done = fleet.follow("-vvv")
    assert done.code == 2
    assert "app more: reading path" in done.output
    assert "lookup(" in done.output
    for wrong in ({"plumb_apps": [fleet.app(name=text)]}, {text: 1}, {"plumb_apps": text}, f"a: {text}"):
        fleet.commit(wrong)
        assert fleet.follow("-vvv").code == 2
    assert not canary.exists()
    assert kubectl.get("configmap", "a", fleet.namespace) is not None


def test_the_settings_playbook_says_where_the_config_in_force_is_kept(fleet: ConfigFleet) -> None:
    fleet.commit({"plumb_apps": []})
    done = fleet.follow("--check")
    assert done.code == 0, done.output
    played = fleet.play.playbook("plumb.gitops.settings", "-i", str(fleet.folder / "inventory.yml"), "-v")
    (file,) = (fleet.folder / "cache" / "config").iterdir()
    assert f'"file": "{file}"' in played.output
