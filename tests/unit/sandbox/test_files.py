# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
from pathlib import Path

import yaml
from plumb_sandbox.cluster import control_plane, users
from plumb_sandbox.cluster.pki import Pki
from plumb_sandbox.components.table import STAGES
from plumb_sandbox.forge import gitea as forge
from plumb_sandbox.layout import Layout, write_description

PORTS = {name: 20000 + number for number, name in enumerate(control_plane.PORTS)}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_kubeconfigs(tmp_path):
    layout = Layout(tmp_path)
    authority = tmp_path / "ca.crt"
    authority.write_bytes(b"certificate")
    tokens = users.make_tokens(layout)
    users.write_kubeconfigs(layout, "https://127.0.0.1:1", authority, tokens)
    config = yaml.safe_load(layout.kubeconfig.read_text())
    assert config["current-context"] == "sandbox"
    assert config["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:1",
        "certificate-authority-data": base64.b64encode(b"certificate").decode(),
    }
    assert config["users"] == [{"name": "admin", "user": {"token": tokens["admin"]}}]
    assert mode(layout.kubeconfig) == mode(layout.kubeconfig_of("viewer")) == 0o600


def test_tokens_outlive_a_restart(tmp_path):
    first = users.make_tokens(Layout(tmp_path))
    assert users.make_tokens(Layout(tmp_path)) == first
    assert len(set(first.values())) == len(users.USERS)
    row = users.token_file(Layout(tmp_path)).read_text().splitlines()[0]
    assert row == f"{first['admin']},admin,admin,system:masters"


def test_no_program_listens_beyond_loopback(tmp_path):
    layout, pki = Layout(tmp_path), Pki(tmp_path)
    arguments = [
        *control_plane.etcd_arguments(layout, pki, PORTS),
        *control_plane.api_server_arguments(layout, pki, PORTS, tmp_path / "policy"),
        *control_plane.controller_manager_arguments(layout, pki, PORTS),
        *control_plane.scheduler_arguments(layout, PORTS),
        *control_plane.kwok_arguments(layout, STAGES),
    ]
    places = [entry for entry in arguments if "bind-address" in entry or "listen-" in entry]
    assert len(places) == 5
    assert all("127.0.0.1" in place for place in places)


def test_audit_policy_never_asks_for_contents():
    policy = yaml.safe_load(control_plane.AUDIT_POLICY)
    assert {rule["level"] for rule in policy["rules"]} == {"None", "Metadata"}


def test_stages():
    stages = [yaml.safe_load(path.read_text()) for path in STAGES]
    assert {(stage["kind"], stage["spec"]["resourceRef"]["kind"]) for stage in stages} == {
        ("Stage", "Node"),
        ("Stage", "Pod"),
    }
    assert [path.stem for path in STAGES] == [stage["metadata"]["name"] for stage in stages]
    assert len(stages) == 7


def test_forge_keeps_its_secrets_over_a_restart(tmp_path):
    def configured(port: int) -> dict[str, str]:
        git = forge.Forge(binary=tmp_path / "bin" / "gitea", folder=tmp_path, port=port, env={})
        forge.configure(git)
        lines = git.config.read_text().splitlines()
        return {key: value for key, _, value in (line.partition(" = ") for line in lines) if value}

    first, second = configured(1), configured(2)
    assert {key for key in first if first[key] != second[key]} == {"HTTP_PORT", "ROOT_URL"}
    assert mode(tmp_path / "app.ini") == 0o600
    assert first["HTTP_ADDR"] == "127.0.0.1"


def test_description_is_private(tmp_path):
    layout = Layout(tmp_path)
    write_description(layout, {"context": "sandbox"})
    assert layout.read_description() == {"context": "sandbox"}
    assert mode(layout.description) == 0o600
    assert not layout.is_running()
