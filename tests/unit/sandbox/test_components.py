# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from plumb_sandbox.components.table import (
    COMPONENTS,
    GO_MODULES,
    build_key,
    fits,
    linker_flags,
    needed_go,
    parse_go_mod,
    parse_version,
    pinned_version,
    wanted_components,
)

GO_MOD = """\
module example.invalid/tools // not a version: v9.9.9

go 1.26.2

require example.com/alone v0.1.0
require (
	k8s.io/kubernetes v1.36.3 // indirect
	go.etcd.io/etcd/server/v3 v3.6.8
	example.com/dated v0.0.0-20250303144028-a0af3efb3deb // indirect
)

replace (
	k8s.io/kubernetes => k8s.io/kubernetes v1.1.1
)
tool k8s.io/kubernetes/cmd/kube-apiserver
"""


def test_go_mod():
    read = parse_go_mod(GO_MOD)
    assert read.go == (1, 26, 2)
    assert read.requires == {
        "example.com/alone": (0, 1, 0),
        "k8s.io/kubernetes": (1, 36, 3),
        "go.etcd.io/etcd/server/v3": (3, 6, 8),
        "example.com/dated": (0, 0, 0),
    }


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("Kubernetes v1.36.3", (1, 36, 3)),
        ("etcd Version: 3.6.8\nGit SHA: Not provided\nGo Version: go1.26.8", (3, 6, 8)),
        ("kwok version v0.8.0 go1.26.8 (linux/amd64)", (0, 8, 0)),
        ("gitea version 1.26.0 built with go1.26.8 : sqlite", (1, 26, 0)),
        ("1.27", (1, 27, 0)),
        ("", None),
        ("unknown", None),
    ],
)
def test_version_said(said, version):
    assert parse_version(said) == version


@pytest.mark.parametrize(
    ("found", "usable"),
    [((1, 36, 3), True), ((1, 36, 0), True), ((1, 35, 9), False), ((1, 37, 0), False), (None, False)],
)
def test_fits_within_the_minor_release(found, usable):
    assert fits(found, (1, 36, 3)) is usable


@pytest.mark.parametrize(
    ("forge", "controllers", "names"),
    [
        (False, False, ["etcd", "kube-apiserver"]),
        (True, False, ["etcd", "kube-apiserver", "gitea"]),
        (False, True, ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"]),
        (True, True, [component.name for component in COMPONENTS]),
    ],
)
def test_what_a_shape_needs(forge, controllers, names):
    assert [entry.name for entry in wanted_components(forge=forge, controllers=controllers)] == names


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_go_mod_pins_and_offers_each_program(component):
    assert pinned_version(component) > (0, 0, 0)
    text = (GO_MODULES / component.folder / "go.mod").read_text(encoding="utf-8")
    assert component.package in text


def test_no_go_mod_asks_for_a_newer_go_than_the_pinned_wheel_has():
    pinned = parse_version((GO_MODULES / "toolchain.txt").read_text(encoding="utf-8"))
    assert pinned is not None
    assert pinned >= needed_go(COMPONENTS)


def test_kubernetes_and_its_staging_modules_are_of_one_release():
    text = (GO_MODULES / "kubernetes" / "go.mod").read_text(encoding="utf-8")
    kubernetes = next(entry for entry in COMPONENTS if entry.name == "kube-apiserver")
    _, minor, patch = pinned_version(kubernetes)
    replaced = [line.split() for line in text.splitlines() if "=> k8s.io/" in line]
    assert len(replaced) > 20
    assert {words[-1] for words in replaced} == {f"v0.{minor}.{patch}"}


def test_true_version_is_linked_in():
    flags = {component.name: linker_flags(component) for component in COMPONENTS}
    assert "version.gitVersion=v1.36.3" in flags["kube-scheduler"]
    assert "version.gitMinor=36" in flags["kube-scheduler"]
    assert flags["etcd"] == "-s -w"


def test_key_differs_by_module_and_platform():
    keys = {build_key(folder, on) for folder in ("etcd", "kwok") for on in ("Linux-x86_64", "Linux-aarch64")}
    assert len(keys) == 4
    assert build_key("etcd", "Linux-x86_64") == build_key("etcd", "Linux-x86_64")
