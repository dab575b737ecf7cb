# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository and an environment that want something run, and the canary that would show that it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


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
        """Texts that would make the file if Jinja or a shell ran them."""
        return self.jinja, self.block, self.shell

    @property
    def names(self) -> tuple[str, ...]:
        """The same as names of files, which have no slash: these would make a canary in the working directory."""
        return tuple(text.replace(str(self.file), "canary") for text in self.texts)

    def sings(self) -> bool:
        """Return whether the file was made."""
        return self.file.exists() or (self.file.parent / "play" / "canary").exists()


def shipped(canary: Canary) -> dict[str, Any]:
    """Return files by which a repository could have Ansible, Git, Python and kubectl run something."""
    plugin = f"{canary.python}DOCUMENTATION = 'name: canary'\n"
    play = f"- hosts: all\n  tasks: [{{command: touch {canary.file}}}]\n"
    return {
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


def evil_kubeconfig(program: str) -> str:
    """Return a kubeconfig whose credentials come from a program."""
    plugin = {"command": program, "apiVersion": "client.authentication.k8s.io/v1"}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            "users": [{"name": "x", "user": {"exec": plugin}}],
            "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        }
    )


def environment(canary: Canary, folder: Path) -> dict[str, str]:
    """Return variables by which programs of a user would run something; write the files that they name to FOLDER."""
    evil, programs, home = folder / "evil", folder / "evil-exec", folder / "home"
    evil.write_text(canary.program, encoding="utf-8")
    evil.chmod(0o755)
    programs.mkdir()
    for name in ("git", "kubectl", "git-remote-http", "ssh"):
        (programs / name).symlink_to(evil)
    _furnish(home, canary, evil)
    (folder / "evil.kubeconfig").write_text(evil_kubeconfig(str(evil)), encoding="utf-8")
    run_it = (
        "GIT_SSH_COMMAND", "GIT_SSH", "GIT_ASKPASS", "SSH_ASKPASS", "GIT_PROXY_COMMAND", "GIT_EXTERNAL_DIFF",
        "GIT_PAGER", "GIT_CONFIG_VALUE_0", "BASH_ENV", "ENV", "KUBECTL_EXTERNAL_DIFF", "KUBE_EDITOR", "EDITOR",
    )  # fmt: skip
    return dict.fromkeys(run_it, str(evil)) | {
        "HOME": str(home),
        "KUBECONFIG": str(folder / "evil.kubeconfig"),
        "KUSTOMIZE_PLUGIN_HOME": str(home / ".config" / "kustomize" / "plugin"),
        "GIT_EXEC_PATH": str(programs),
        "GIT_TEMPLATE_DIR": str(programs),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_PARAMETERS": f"'core.sshCommand={evil}'",
        "GIT_ALLOW_PROTOCOL": "ext:file:http",
        "http_proxy": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }


def _furnish(home: Path, canary: Canary, evil: Path) -> None:
    """Fill a home folder with what Git, kustomize and kubectl would read there."""
    generator = home / ".config" / "kustomize" / "plugin" / "example.com" / "v1" / "gen"
    (home / ".config" / "git").mkdir(parents=True)
    generator.mkdir(parents=True)
    (generator / "Gen").symlink_to(evil)
    (home / ".gitconfig").write_text(
        f"[core]\n\tfsmonitor = {evil}\n\tsshCommand = {evil}\n\thooksPath = {home}\n"
        f'[url "ext::{evil}"]\n\tinsteadOf = http://127.0.0.1\n[credential]\n\thelper = {evil}\n',
        encoding="utf-8",
    )
    (home / ".kube").mkdir()
    (home / ".kube" / "config").write_text(evil_kubeconfig(str(evil)), encoding="utf-8")


def for_ansible(canary: Canary, home: Path) -> dict[str, str]:
    """Return variables, and write plugins, by which Ansible itself would run something. Users may want that."""
    for kind, name in (("vars", "canary"), ("callback", "canary"), ("modules", "pull"), ("action", "apply")):
        plugins = home / ".ansible" / "plugins" / kind
        plugins.mkdir(parents=True)
        (plugins / f"{name}.py").write_text(canary.python, encoding="utf-8")
    (home / ".ansible.cfg").write_text("[defaults]\nforks = none\n", encoding="utf-8")
    callbacks = str(home / ".ansible" / "plugins" / "callback")
    return {
        "ANSIBLE_CALLBACK_PLUGINS": callbacks,
        "ANSIBLE_CALLBACKS_ENABLED": "canary",
        "ANSIBLE_STRATEGY_PLUGINS": callbacks,
        "ANSIBLE_VARS_PLUGINS": str(home / ".ansible" / "plugins" / "vars"),
        "ANSIBLE_LIBRARY": str(home / ".ansible" / "plugins" / "modules"),
        "ANSIBLE_CONFIG": str(home / ".ansible.cfg"),
        "ANSIBLE_VERBOSITY": "4",
        "K8S_AUTH_HOST": "https://nowhere.example",
        "K8S_AUTH_VERIFY_SSL": "false",
    }
