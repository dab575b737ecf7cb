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

from ansible_collections.plumb.gitops.tests.faults.git_fleet import GitFleet
from ansible_collections.plumb.gitops.tests.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.manifests import config_map, manifest


class Canary:
    """A file that nobody may make, and the texts that would."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "canary"
        self.jinja = f"{{{{ lookup('ansible.builtin.pipe', 'touch {self.file}') }}}}"
        self.block = f"{{% set x = lookup('ansible.builtin.pipe', 'touch {self.file}') %}}"
        self.shell = f"$(touch {self.file}) `touch {self.file}` ; touch {self.file} #"
        self.program = f"#!/bin/sh\ntouch {self.file}\n"
        self.python = f"open({str(self.file)!r}, 'w')\n"

    @property
    def texts(self) -> tuple[str, ...]:
        return self.jinja, self.block, self.shell

    @property
    def names(self) -> tuple[str, ...]:
        """The same as names of files, which have no slash: these would make a canary in the working directory."""
        return tuple(text.replace(str(self.file), "canary") for text in self.texts)

    def sings(self) -> bool:
        return self.file.exists() or (self.file.parent / "play" / "canary").exists()


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
    plugin = f"{canary.python}DOCUMENTATION = 'name: canary'\n"
    play = f"- hosts: all\n  tasks: [{{command: touch {canary.file}}}]\n"
    shipped = {
        "ansible.cfg": "[defaults]\ncallbacks_enabled = canary\ncallback_plugins = callback_plugins\n"
        "library = library\nroles_path = roles\n",
        "callback_plugins": {"canary.py": plugin},
        "library": {"pull.py": plugin, "apply.py": plugin},
        "action_plugins": {"pull.py": plugin, "apply.py": plugin},
        "plugins": {"action": {"apply.py": plugin}, "vars": {"canary.py": plugin}},
        "ansible_collections": {"plumb": {"gitops": {"plugins": {"action": {"apply.py": plugin}}}}},
        "group_vars": {"all.yml": f'plumb_namespace: "{canary.jinja}"\n'},
        "host_vars": {"here.yml": f'plumb_namespace: "{canary.jinja}"\n'},
        "vars": {"main.yml": f'x: "{canary.jinja}"\n'},
        "roles": {"canary": {"tasks": {"main.yml": play}}},
        "site.yml": play,
        "sitecustomize.py": canary.python,
        "kubectl": canary.program,
        "git": canary.program,
        ".gitconfig": f"[core]\n\tfsmonitor = touch {canary.file}\n",
        ".gitattributes": "* filter=canary\n",
        ".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = ext::touch {canary.file}\n',
        ".kube": {"config": f"users: [{{name: x, user: {{exec: {{command: {canary.file}}}}}}}]\n"},
    }
    app = {"all.yaml": config_map("c"), "kustomization.yaml": "resources: [all.yaml]\n"}
    beside = {name: content for name, content in shipped.items() if not name.endswith((".yml", ".yaml"))}
    git_fleet.upstream.commit({**shipped, "app": {**beside, **app}})
    for _ in range(2):
        done = git_fleet.run("-vvv")
        assert done.code == 0, done.output
    assert kubectl.live("configmap", "c", git_fleet.namespace)
    assert not canary.sings()


def test_row_50_a_hostile_environment_of_the_children_is_ignored(
    git_fleet: GitFleet, kubectl: Kubectl, canary: Canary, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "kustomize" / "plugin" / "example.com" / "v1" / "gen").mkdir(parents=True)
    evil = tmp_path / "evil"
    evil.write_text(canary.program, encoding="utf-8")
    evil.chmod(0o755)
    for name in ("git", "kubectl", "git-remote-http", "ssh"):
        folder = tmp_path / "evil-exec"
        folder.mkdir(exist_ok=True)
        (folder / name).symlink_to(evil)
    (home / ".gitconfig").write_text(
        f"[core]\n\tfsmonitor = {evil}\n\tsshCommand = {evil}\n\thooksPath = {tmp_path}\n"
        f'[url "ext::{evil}"]\n\tinsteadOf = http://127.0.0.1\n[credential]\n\thelper = {evil}\n',
        encoding="utf-8",
    )
    (home / ".config" / "kustomize" / "plugin" / "example.com" / "v1" / "gen" / "Gen").symlink_to(evil)
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "users": [
            {
                "name": "x",
                "user": {"exec": {"command": str(evil), "apiVersion": "client.authentication.k8s.io/v1"}},
            }
        ],
        "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
    (tmp_path / "evil.kubeconfig").write_text(str(kubeconfig).replace("'", '"'), encoding="utf-8")
    git_fleet.play.environment.update(
        {
            "HOME": str(home),
            "KUBECONFIG": str(tmp_path / "evil.kubeconfig"),
            "KUSTOMIZE_PLUGIN_HOME": str(home / ".config" / "kustomize" / "plugin"),
            "GIT_EXEC_PATH": str(tmp_path / "evil-exec"),
            "GIT_SSH_COMMAND": str(evil),
            "GIT_SSH": str(evil),
            "GIT_ASKPASS": str(evil),
            "SSH_ASKPASS": str(evil),
            "GIT_PROXY_COMMAND": str(evil),
            "GIT_EXTERNAL_DIFF": str(evil),
            "GIT_PAGER": str(evil),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "core.fsmonitor",
            "GIT_CONFIG_VALUE_0": str(evil),
            "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
            "GIT_CONFIG_PARAMETERS": f"'core.sshCommand={evil}'",
            "GIT_ALLOW_PROTOCOL": "ext:file:http",
            "GIT_TEMPLATE_DIR": str(tmp_path / "evil-exec"),
            "BASH_ENV": str(evil),
            "ENV": str(evil),
            "KUBECTL_EXTERNAL_DIFF": str(evil),
            "KUBE_EDITOR": str(evil),
            "EDITOR": str(evil),
            "http_proxy": "http://127.0.0.1:1",
            "HTTPS_PROXY": "http://127.0.0.1:1",
        }
    )
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
    sources = [git_fleet.source(**{**given, "name": f"s{n}"}) for n, given in enumerate(hostile)]
    apps = [git_fleet.app(name=f"a{n}", source=f"s{n}") for n, _given in enumerate(hostile)]
    done = git_fleet.run(plumb_sources=[git_fleet.source(), *sources], plumb_apps=[git_fleet.app(), *apps])
    assert done.code == 2
    assert "Traceback" not in done.output
    assert not canary.sings()
    for number, _given in enumerate(hostile):
        assert f"s{number}" in done.output, "each is named"
    assert kubectl.live("configmap", "c", git_fleet.namespace), "the app of the good source is applied"
