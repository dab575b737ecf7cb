# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a folder to a cluster that runs pods: the order in which the programs start."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import control_plane, forge, seed, users
from .api import Api
from .components import FILES, parse_version, show_version
from .layout import CONTEXT, Layout, write_private
from .pki import Pki, make_pki
from .ports import choose_ports
from .processes import Child, Program, spawn
from .watch import Watch

PATIENCE = 120.0
_KEPT_VARIABLES = ("PATH", "TZ", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a caller wants started: its folder, the programs to use (name to path and version), its owner."""

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
class Running:
    """The programs started so far; the supervisor ends them in the reverse order."""

    children: list[Child] = field(default_factory=list)


class Boot:
    """One attempt to start all programs on one choice of ports."""

    def __init__(self, order: Order, watch: Watch, running: Running) -> None:
        self._order = order
        self._layout = order.layout
        self._watch = watch
        self._running = running
        self._ports = choose_ports(control_plane.PORTS)
        self._env = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        self._env["HOME"] = str(self._layout.root)

    def start(self) -> dict[str, Any]:
        """Start everything, wait until it is ready and return the description."""
        layout = self._layout
        pki = make_pki(layout.pki)
        tokens = users.make_tokens(layout)
        server = control_plane.server_url(self._ports)
        users.write_kubeconfigs(layout, server, pki.ca_cert, tokens)
        api = Api(url=server, ca_cert=pki.ca_cert, token=tokens[users.ADMIN.name])
        self._start_api_server(pki)
        git = self._start_forge() if self._order.with_forge else None
        self._watch.until("a ready API server", lambda: seed.is_api_ready(api), PATIENCE)
        seed.sow(api, nodes=self._order.with_controllers)
        if self._order.with_controllers:
            self._start_controllers(pki)
        if git is not None:
            self._finish_forge(git)
        if self._order.with_controllers:
            self._watch.until("a cluster that runs pods", lambda: seed.is_cluster_ready(api), PATIENCE)
        return self._describe(server, pki, git)

    def _run(self, name: str, arguments: Sequence[str]) -> None:
        argv = (str(self._order.binaries[name]), *arguments)
        self._spawn(Program(name=name, argv=argv, env=self._env))

    def _spawn(self, program: Program) -> None:
        child = spawn(program, self._layout.root, self._layout.log_of(program.name))
        self._running.children.append(child)
        self._watch.add(child)

    def _start_api_server(self, pki: Pki) -> None:
        policy = self._layout.root / "audit-policy.yaml"
        write_private(policy, control_plane.AUDIT_POLICY)
        self._run("etcd", control_plane.etcd_arguments(self._layout, pki, self._ports))
        arguments = control_plane.api_server_arguments(self._layout, pki, self._ports, policy)
        self._run("kube-apiserver", arguments)

    def _start_controllers(self, pki: Pki) -> None:
        layout, ports = self._layout, self._ports
        arguments = control_plane.controller_manager_arguments(layout, pki, ports)
        self._run("kube-controller-manager", arguments)
        self._run("kube-scheduler", control_plane.scheduler_arguments(layout, ports))
        self._run("kwok", control_plane.kwok_arguments(layout, FILES / "kwok-stages.yaml"))

    def _start_forge(self) -> forge.Forge:
        folder = self._layout.forge
        folder.mkdir(exist_ok=True, mode=0o700)
        binary = self._order.binaries["gitea"]
        git = forge.Forge(binary=binary, folder=folder, port=self._ports["forge"], env=self._env)
        forge.configure(git)
        self._spawn(forge.program(git))
        return git

    def _finish_forge(self, git: forge.Forge) -> None:
        api = Api(url=git.url)
        self._watch.until("a healthy forge", lambda: api.get("/api/healthz")[0] == 200, PATIENCE)
        forge.make_admin(git)

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
                name: show_version(parse_version(said) or (0, 0, 0))
                for name, said in self._order.versions.items()
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
