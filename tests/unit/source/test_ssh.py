# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources over ssh: the real ssh client against a real server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.source.git.credentials import ssh_command
from ansible_collections.plumb.gitops.tests.support.git.ssh_server import SshServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream, pull, refused, source


@pytest.fixture
def ssh(served: Path, tmp_path: Path) -> Iterator[SshServer]:
    with SshServer(served, tmp_path / "ssh") as running:
        yield running


def _source(ssh: SshServer, name: str = "fleet.git", **files: Path) -> SourceSpec:
    chosen: dict[str, Any] = {"ssh_key_file": ssh.key_file, "known_hosts_file": ssh.known_hosts, **files}
    return source(ssh.url(name), **chosen)


def test_a_key_opens_a_repository_and_an_unchanged_ref_costs_one_connection(
    ssh: SshServer, upstream: Upstream, cache: Path
) -> None:
    first = pull(_source(ssh), cache)
    assert (first.path / "app.yaml").read_text() == "kind: ConfigMap\n"
    ssh.commands.clear()
    assert pull(_source(ssh), cache) == first
    assert ssh.commands == ["git-upload-pack '/fleet.git'"]


def test_a_host_key_that_is_not_known_or_another_is_refused(
    ssh: SshServer, upstream: Upstream, cache: Path, tmp_path: Path
) -> None:
    unknown, other = tmp_path / "unknown", tmp_path / "other"
    unknown.touch()
    foreign = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    other.write_text(f"[127.0.0.1]:{ssh.port} {foreign}")
    for file in (unknown, other):
        error = refused(_source(ssh, known_hosts_file=file), cache)
        assert "host key" in error.reason
        assert "fingerprints" in error.next_step
        assert file.read_text() in ("", f"[127.0.0.1]:{ssh.port} {foreign}")
    assert ssh.commands == []


def test_a_key_that_the_server_does_not_know_is_refused(
    ssh: SshServer, upstream: Upstream, cache: Path, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(stranger))
    stranger.chmod(0o600)
    assert "does not accept the ssh key" in refused(_source(ssh, ssh_key_file=stranger), cache).reason


def test_key_files_that_ssh_cannot_use_are_named(
    ssh: SshServer, upstream: Upstream, cache: Path, tmp_path: Path
) -> None:
    ssh.key_file.chmod(0o644)
    assert "others may read it" in refused(_source(ssh), cache).reason
    garbage, locked = tmp_path / "garbage", tmp_path / "locked"
    garbage.write_text("not a key\n")
    garbage.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "passphrase", "-f", locked], check=True)
    assert "cannot read the key file" in refused(_source(ssh, ssh_key_file=garbage), cache).reason
    assert "ssh key" in refused(_source(ssh, ssh_key_file=locked), cache).reason
    missing = refused(_source(ssh, known_hosts_file=tmp_path / "missing"), cache)
    assert missing.operation == f"reading known_hosts_file {tmp_path / 'missing'}"


def test_a_repository_that_is_not_there(ssh: SshServer, upstream: Upstream, cache: Path) -> None:
    assert "no such repository" in refused(_source(ssh, "missing.git"), cache).reason


def test_an_agent_in_the_environment_is_not_asked(
    ssh: SshServer, upstream: Upstream, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {canary}")
    monkeypatch.setenv("GIT_SSH", "/bin/false")
    pull(_source(ssh), cache)
    assert not canary.exists()


def test_the_command_line_leaves_nothing_to_the_users_configuration(ssh: SshServer) -> None:
    command = ssh_command(_source(ssh))
    assert command[:5] == ["ssh", "-F", "/dev/null", "-i", str(ssh.key_file)]
    options = {command[index + 1] for index, part in enumerate(command) if part == "-o"}
    assert {
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "StrictHostKeyChecking=yes",
        "BatchMode=yes",
        f"UserKnownHostsFile={ssh.known_hosts}",
        "GlobalKnownHostsFile=/dev/null",
    } <= options
