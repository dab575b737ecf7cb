# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository and an environment that want something run (rows 49-51 and 54 of the list of faults).

Everything hostile here would make a file, the canary. So that no test passes because something else failed first, the
objects of the same commit have to arrive on the cluster.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.tests.support.ansible.git_fleet import GitFleet
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.faults.hostile_repository import (
    Canary,
    environment,
    shipped,
)
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary(tmp_path)


def test_row_49_text_from_git_is_literal_wherever_it_stands(
    git_fleet: GitFleet, kubectl: Kubectl, canary: Canary
) -> None:
    everywhere = " ".join(canary.texts)
    data = {"text": everywhere, "unsafe": f"!unsafe {canary.jinja}", "__ansible_unsafe": canary.jinja}
    named = config_map("c", data, annotations={"example.com/a": everywhere})
    others = {f"{name}.yaml": config_map(f"c{n}") for n, name in enumerate(canary.names)}
    git_fleet.upstream.commit(
        {"app": {"all.yaml": named, **others}}, f"{everywhere}\n\nAnsible: {canary.jinja}"
    )
    done = git_fleet.run("--diff", "-vvv")
    assert done.code == 0, done.output
    live = kubectl.live("configmap", "c", git_fleet.namespace)
    assert live["data"] == data
    assert live["metadata"]["annotations"]["example.com/a"] == everywhere
    assert "lookup('ansible.builtin.pipe'" in git_fleet.report()["sources"][0]["revision"]["subject"]
    assert not canary.sings()


def test_row_49_text_from_git_is_literal_in_drift_and_in_failures(
    git_fleet: GitFleet, kubectl: Kubectl, canary: Canary
) -> None:
    git_fleet.upstream.commit({"app": {"all.yaml": config_map("c", {"a": canary.jinja})}}, canary.shell)
    assert git_fleet.run().code == 0
    theirs = json.dumps({"data": {"a": canary.block + canary.shell}})
    kubectl("patch", "configmap", "c", "-n", git_fleet.namespace, "-p", theirs)
    drifted = git_fleet.run("--check", "--diff", "-vvv")
    assert "lookup('ansible.builtin.pipe'" in drifted.output
    bad_label = config_map("c", labels={"a": canary.jinja})
    bad_name = manifest("v1", "ConfigMap", canary.shell, data={"a": canary.jinja})
    bad_kind = manifest("v1", canary.jinja, "x")
    for broken in (bad_label, bad_name, bad_kind, f"{canary.jinja}: {canary.jinja}\n", canary.block):
        git_fleet.upstream.commit({"app": {f"{canary.names[0]}.yml": broken}})
        failed = git_fleet.run("--diff", "-vvv")
        assert failed.code == 2
        assert "Traceback" not in failed.output
    assert not canary.sings()


def test_row_49_refs_and_paths_that_look_like_code_are_names(
    git_fleet: GitFleet, kubectl: Kubectl, canary: Canary
) -> None:
    branch = f"$(touch${{IFS}}{canary.file});`touch${{IFS}}{canary.file}`"
    folder = "$(touch canary) `touch canary` ; touch canary"
    kustomization = "resources: [all.yaml]\ncommonAnnotations: {example.com/a: " + repr(canary.shell) + "}\n"
    files = {"all.yaml": config_map("c"), "kustomization.yaml": kustomization}
    commit = git_fleet.upstream.commit({"app": {folder: files}})
    git_fleet.upstream.git("update-ref", f"refs/heads/{branch}", commit)
    done = git_fleet.run(
        plumb_sources=[git_fleet.source(branch=branch)], plumb_apps=[git_fleet.app(path=f"app/{folder}")]
    )
    assert done.code == 0, done.output
    live = kubectl.live("configmap", "c", git_fleet.namespace)
    assert live["metadata"]["annotations"]["example.com/a"] == canary.shell
    assert not canary.sings()
    assert not list(git_fleet.folder.rglob("canary"))


def test_row_50_what_a_repository_ships_for_ansible_git_and_kubectl_is_data(
    git_fleet: GitFleet, kubectl: Kubectl, canary: Canary
) -> None:
    root = shipped(canary)
    app = {"all.yaml": config_map("c"), "kustomization.yaml": "resources: [all.yaml]\n"}
    beside = {name: content for name, content in root.items() if not name.endswith((".yml", ".yaml"))}
    git_fleet.upstream.commit({**root, "app": {**beside, **app}})
    for _ in range(2):
        done = git_fleet.run("-vvv")
        assert done.code == 0, done.output
    assert kubectl.live("configmap", "c", git_fleet.namespace)
    assert not canary.sings()


def test_row_50_a_hostile_environment_of_the_children_is_ignored(
    git_fleet: GitFleet, kubectl: Kubectl, canary: Canary, tmp_path: Path
) -> None:
    git_fleet.play.environment.update(environment(canary, tmp_path))
    git_fleet.upstream.commit(
        {"app": {"all.yaml": config_map("c"), "kustomization.yaml": "resources: [all.yaml]\n"}}
    )
    done = git_fleet.run()
    assert done.code == 0, done.output
    assert kubectl.live("configmap", "c", git_fleet.namespace)
    assert not canary.sings()


def test_row_51_hostile_addresses_and_refs_are_refused_before_anything_runs(
    git_fleet: GitFleet, kubectl: Kubectl, canary: Canary
) -> None:
    git_fleet.upstream.commit({"app": {"all.yaml": config_map("c")}})
    hostile = [
        {"url": f"ext::sh -c touch% {canary.file}"},
        {"url": f"--upload-pack=touch {canary.file}"},
        {"url": f"ssh://-oProxyCommand=touch${{IFS}}{canary.file}/x"},
        {"url": f"file://{git_fleet.upstream.path}"},
        {"url": str(git_fleet.upstream.path)},
        {"url": "fd::17/x"},
        {"url": "http://example.com/r.git"},
        {"proxy": f"ext::touch {canary.file}"},
        {"branch": f"--upload-pack=touch {canary.file}"},
        {"branch": "main:refs/heads/other"},
        {"branch": "../../x"},
    ]
    sources = [git_fleet.source(**{**options, "name": f"s{n}"}) for n, options in enumerate(hostile)]
    apps = [git_fleet.app(name=f"a{n}", source=f"s{n}") for n, _options in enumerate(hostile)]
    done = git_fleet.run(plumb_sources=[git_fleet.source(), *sources], plumb_apps=[git_fleet.app(), *apps])
    assert done.code == 2
    assert "Traceback" not in done.output
    assert not canary.sings()
    for number, (field, *_) in enumerate(hostile):
        assert f" s{number}: reading {field}" in done.output, "each is refused as it is read"
    assert kubectl.live("configmap", "c", git_fleet.namespace), "the app of the good source is applied"
