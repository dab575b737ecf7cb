# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs a sandbox consists of, where they come from and which versions fit.

The versions are in the `go.mod` files under `files/go/` and nowhere else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILES = Path(__file__).resolve().parents[2]
GO_MODULES = FILES / "go"
STAGES = tuple(sorted((FILES / "kwok").glob("*.yaml")))

Version = tuple[int, int, int]

_VERSION = re.compile(r"(?<![\d.])v?(\d+)\.(\d+)(?:\.(\d+))?")
_KUBERNETES_STAMP = (
    "-X k8s.io/component-base/version.gitVersion=v{version}"
    " -X k8s.io/component-base/version.gitMajor={major}"
    " -X k8s.io/component-base/version.gitMinor={minor}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One program: how it is called, built and stamped with its version."""

    name: str
    folder: str
    package: str
    module: str
    stamp: str = ""
    tags: str = ""
    cgo: bool = False
    served_folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GoMod:
    """What the sandbox reads from a go.mod: the Go version it wants and the required modules."""

    go: Version
    requires: Mapping[str, Version]


def _kubernetes(name: str) -> Component:
    return Component(
        name=name,
        folder="kubernetes",
        package=f"k8s.io/kubernetes/cmd/{name}",
        module="k8s.io/kubernetes",
        stamp=_KUBERNETES_STAMP,
    )


COMPONENTS: tuple[Component, ...] = (
    Component(
        name="etcd",
        folder="etcd",
        package="go.etcd.io/etcd/server/v3",
        module="go.etcd.io/etcd/server/v3",
    ),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    Component(
        name="kwok",
        folder="kwok",
        package="sigs.k8s.io/kwok/cmd/kwok",
        module="sigs.k8s.io/kwok",
    ),
    Component(
        name="gitea",
        folder="gitea",
        package="code.gitea.io/gitea",
        module="code.gitea.io/gitea",
        stamp="-X main.Version={version}",
        tags="sqlite,sqlite_unlock_notify",
        cgo=True,
        served_folders=("templates", "options", "public"),
    ),
)
STORE = ("etcd", "kube-apiserver")
CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok")
FORGE = ("gitea",)


def wanted_components(*, forge: bool, controllers: bool) -> tuple[Component, ...]:
    """Return the components that a sandbox of this shape runs, in the order of the table."""
    names = (*STORE, *(CONTROLLERS if controllers else ()), *(FORGE if forge else ()))
    return tuple(component for component in COMPONENTS if component.name in names)


def parse_version(text: str) -> Version | None:
    """Return the first version named in TEXT, such as the output of `etcd --version`; None without one."""
    match = _VERSION.search(text)
    if match is None:
        return None
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch or 0)


def show_version(version: Version) -> str:
    """Return `1.36.3` for (1, 36, 3)."""
    return ".".join(str(part) for part in version)


def fits(version: Version | None, wanted: Version) -> bool:
    """Return whether a program of the machine may be used instead: same major and minor release."""
    return version is not None and version[:2] == wanted[:2]


def parse_go_mod(text: str) -> GoMod:
    """Read the `go` line and the `require` lines of a go.mod; other directives are passed over."""
    go: Version = (0, 0, 0)
    requires: dict[str, Version] = {}
    block = ""
    for raw in text.splitlines():
        words = raw.split("//", 1)[0].split()
        if not words:
            continue
        if words[0] == ")":
            block = ""
        elif words[-1] == "(":
            block = words[0]
        elif words[0] == "go":
            go = parse_version(words[1]) or go
        else:
            entry = words[1:] if words[0] == "require" else words if block == "require" else []
            version = parse_version(entry[1]) if len(entry) == 2 else None
            if version is not None:
                requires[entry[0]] = version
    return GoMod(go, requires)


def read_go_mod(folder: str) -> GoMod:
    """Return the go.mod of one of the folders under `files/go/`."""
    return parse_go_mod((GO_MODULES / folder / "go.mod").read_text(encoding="utf-8"))


def pinned_version(component: Component) -> Version:
    """Return the version of COMPONENT that its go.mod names."""
    return read_go_mod(component.folder).requires[component.module]


def needed_go(components: tuple[Component, ...]) -> Version:
    """Return the oldest Go that builds all of COMPONENTS."""
    return max(read_go_mod(component.folder).go for component in components)


def linker_flags(component: Component) -> str:
    """Linker flags that strip the binary and write its true version into it."""
    version = pinned_version(component)
    stamp = component.stamp.format(version=show_version(version), major=version[0], minor=version[1])
    return f"-s -w {stamp}".strip()


def build_key(folder: str, platform: str) -> str:
    """Return a name for the binaries of FOLDER on PLATFORM that changes with anything that goes into them."""
    digest = hashlib.sha256(platform.encode())
    for name in ("go.mod", "go.sum"):
        digest.update((GO_MODULES / folder / name).read_bytes())
    for component in COMPONENTS:
        if component.folder == folder:
            digest.update(repr(component).encode())
    return f"{folder}-{digest.hexdigest()[:16]}"
