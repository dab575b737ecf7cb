# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from plumb_sandbox.components.table import COMPONENTS
from plumb_sandbox.errors import SandboxError
from plumb_sandbox.preflight import GIB, INSTALLERS, PACKAGES, MissingRequirement, check, check_space, explain


def test_all_at_once_with_the_one_line_that_installs():
    lacks = [
        MissingRequirement(what="git: the forge runs it", package="git"),
        MissingRequirement(what="a C compiler", package="compiler"),
        *check_space("disk at /var", 2 * GIB, 12 * GIB, "the first build"),
    ]
    assert explain(lacks, "apt-get") == (
        "  - git: the forge runs it\n"
        "  - a C compiler\n"
        "  - disk at /var: 2.0 GiB free, the first build needs 12 GiB\n"
        "Install with: apt-get install -y gcc git libc6-dev"
    )


def test_no_line_where_nothing_can_be_installed():
    assert "Install" not in explain(check_space("memory", 0, GIB, "a sandbox"), "apt-get")


def test_enough_is_enough():
    assert check_space("memory", GIB, GIB, "a sandbox") == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_manager_knows_every_package(package):
    assert PACKAGES[package].keys() == INSTALLERS.keys()


def test_a_machine_without_tools(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(SandboxError) as refused:
        check(tmp_path, COMPONENTS, COMPONENTS)
    for name in ("openssl: ", "git: ", "a C compiler"):
        assert f"\n  - {name}" in str(refused.value)
    assert "Install with: apt-get install -y gcc git libc6-dev openssl" in str(refused.value)
