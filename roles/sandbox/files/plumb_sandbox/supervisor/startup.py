# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a folder to a cluster that runs pods: the order in which the programs start."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumb_sandbox.cluster import control_plane, seed, users
from plumb_sandbox.cluster.api import Api
from plumb_sandbox.cluster.pki import Pki, make_pki
from plumb_sandbox.components.table import STAGES, parse_version, show_version
from plumb_sandbox.forge import gitea as forge
from plumb_sandbox.layout import CONTEXT, Layout, write_private
from plumb_sandbox.process.children import Child, Program, failed_on_taken_port, spawn
from plumb_sandbox.process.ports import choose_ports
from plumb_sandbox.process.waiter import Waiter

PATIENCE = 120.0
_KEPT_VARIABLES = ("PATH", "TZ", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """What is to be started: the folder, the programs to use (name to path and version), the owner's process id."""

    layout: Layout
    binaries: Mapping[str, Path]
    versions: Mapping[str, str]
    owner: int | None

    @property
    def with_forge(self) -> bool:
        """Whether Gitea runs."""
        return "gitea" in self.binaries

    @property
    def with_controllers(self) -> bool:
        """Whether controllers, scheduler and kwok run."""
        return "kwok" in self.binaries


@dataclass(slots=True)
class RunningPrograms:
    """The programs started so far; the supervisor ends them in the reverse order."""

    children: list[Child] = field(default_factory=list)


class Startup:
    """One attempt to start all programs on one choice of ports."""

    def __init__(self, request: StartRequest, waiter: Waiter, running: RunningPrograms) -> None:
        self._request = request
        self._layout = request.layout
        self._waiter = waiter
        self._running = running
        self._ports = choose_ports(control_plane.PORTS, self._layout.read_ports())
        self._env = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        self._env["HOME"] = str(self._layout.root)

    def start(self) -> dict[str, Any]:
        """Start everything, wait until it is ready and return the description."""
        layout = self._layout
        write_private(layout.ports, json.dumps(self._ports))
        pki = make_pki(layout.pki)
        tokens = users.make_tokens(layout)
        server = control_plane.server_url(self._ports)
        users.write_kubeconfigs(layout, server, pki.ca_cert, tokens)
        api = Api(url=server, ca_cert=pki.ca_cert, token=tokens[users.ADMIN.name])
        self._start_api_server(pki)
        git, gitea = self._start_forge() if self._request.with_forge else (None, None)
        self._waiter.until("a ready API server", lambda: seed.is_api_ready(api), PATIENCE)
        seed.apply_seed(api, nodes=self._request.with_controllers)
        controllers = self._start_controllers(pki) if self._request.with_controllers else ()
        if git is not None and gitea is not None:
            self._finish_forge(git, gitea)
        if controllers:
            self._waiter.until("a cluster that runs pods", lambda: seed.is_cluster_ready(api), PATIENCE)
            # They work before they listen, and end where another sandbox has taken the port meanwhile.
            self._waiter.until("controllers that listen", lambda: all(map(_listens, controllers)), PATIENCE)
        return self._describe(server, pki, git)

    def _run(self, name: str, arguments: Sequence[str]) -> Child:
        argv = (str(self._request.binaries[name]), *arguments)
        return self._spawn(Program(name=name, argv=argv, env=self._env))

    def _spawn(self, program: Program) -> Child:
        child = spawn(program, self._layout.root, self._layout.log_of(program.name))
        self._running.children.append(child)
        self._waiter.add(child)
        return child

    def _start_api_server(self, pki: Pki) -> None:
        policy = self._layout.root / "audit-policy.yaml"
        write_private(policy, control_plane.AUDIT_POLICY)
        self._run("etcd", control_plane.etcd_arguments(self._layout, pki, self._ports))
        arguments = control_plane.api_server_arguments(self._layout, pki, self._ports, policy)
        self._run("kube-apiserver", arguments)

    def _start_controllers(self, pki: Pki) -> tuple[Child, Child]:
        """Start controllers, scheduler and kubelets, and return those of them that listen."""
        layout, ports = self._layout, self._ports
        arguments = control_plane.controller_manager_arguments(layout, pki, ports)
        manager = self._run("kube-controller-manager", arguments)
        scheduler = self._run("kube-scheduler", control_plane.scheduler_arguments(layout, ports))
        self._run("kwok", control_plane.kwok_arguments(layout, STAGES))
        return manager, scheduler

    def _start_forge(self) -> tuple[forge.Forge, Child]:
        folder = self._layout.forge
        folder.mkdir(exist_ok=True, mode=0o700)
        binary = self._request.binaries["gitea"]
        git = forge.Forge(binary=binary, folder=folder, port=self._ports["forge"], env=self._env)
        forge.configure(git)
        return git, self._spawn(forge.program(git))

    def _finish_forge(self, git: forge.Forge, child: Child) -> None:
        """Wait for the forge and make its administrator.

        Gitea lives on when its port is taken, by another sandbox's Gitea perhaps, which is healthy too: so its log is
        read as well, and it has to know our token.
        """

        def answers(api: Api, path: str) -> bool:
            if failed_on_taken_port(child):
                child.process.kill()  # which the waiter sees as the end of any other program
                return False
            return api.get(path)[0] == 200

        self._waiter.until("a healthy forge", lambda: answers(Api(url=git.url), "/api/healthz"), PATIENCE)
        forge.make_admin(git)
        token = git.token_file.read_text(encoding="utf-8").strip()
        ours = Api(url=git.url, token=token)
        self._waiter.until("a forge that knows us", lambda: answers(ours, "/api/v1/user"), PATIENCE)

    def _describe(self, server: str, pki: Pki, git: forge.Forge | None) -> dict[str, Any]:
        layout = self._layout
        described: dict[str, Any] = {
            "kubeconfig": str(layout.kubeconfig),
            "context": CONTEXT,
            "server": server,
            "ca_file": str(pki.ca_cert),
            "ca_key_file": str(pki.ca_key),
            "audit_log": str(layout.audit_log),
            "users": {
                user.name: str(users.kubeconfig_path(layout, user))
                for user in (users.VIEWER, users.TENANT, users.NOBODY)
            },
            "pids": {
                "supervisor": os.getpid(),
                **{child.name: child.pid for child in self._running.children},
            },
            "versions": {
                name: show_version(parse_version(version) or (0, 0, 0))
                for name, version in self._request.versions.items()
            },
        }
        if git is not None:
            described["forge"] = {
                "url": git.url,
                "admin_user": forge.ADMIN,
                "admin_token_file": str(git.token_file),
                "admin_password_file": str(git.password_file),
                "registry": git.registry,
            }
        return described


def _listens(child: Child) -> bool:
    return "Serving securely on" in child.log.read_text(encoding="utf-8", errors="replace")
