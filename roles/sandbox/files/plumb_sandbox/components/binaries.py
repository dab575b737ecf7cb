# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find each program of a sandbox, or build it once from Go modules."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumb_sandbox.components.build_cache import build_folder, built_together, cache_folder, cached_binary
from plumb_sandbox.components.go_build import ModuleBuild
from plumb_sandbox.components.go_toolchain import fetch_go, find_go
from plumb_sandbox.components.table import (
    Component,
    fits,
    needed_go,
    parse_version,
    pinned_version,
    show_version,
)
from plumb_sandbox.errors import SandboxError
from plumb_sandbox.process.locks import locked
from plumb_sandbox.progress import Stopwatch, print_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundProgram:
    """A program that may be used: its path, and the version that it reports."""

    path: Path
    version: str


def find(component: Component, env: Mapping[str, str] | None = None) -> FoundProgram | None:
    """Return COMPONENT's program from `KUBEBUILDER_ASSETS`, from PATH (where its version fits) or from the cache.

    One that serves files of its own comes from the cache alone, where they lie beside it.
    """
    assets = (os.environ if env is None else env).get("KUBEBUILDER_ASSETS")
    elsewhere = (f"{assets}/{component.name}" if assets else None, shutil.which(component.name))
    for place in () if component.served_folders else elsewhere:
        version = _version_of(place) if place else None
        if place and fits(version, pinned_version(component)):
            return FoundProgram(path=Path(place).absolute(), version=show_version(version or (0, 0, 0)))
    cached = cached_binary(component, env)
    if cached is None:
        return None
    return FoundProgram(path=cached, version=show_version(pinned_version(component)))


def find_or_build(components: Sequence[Component]) -> dict[str, FoundProgram]:
    """Return every one of COMPONENTS by name; build those not found, with progress on stderr."""
    programs = {component.name: find(component) for component in components}
    folders = {component.folder: component for component in components if programs[component.name] is None}
    if folders:
        build(tuple(folders.values()))
    usable: dict[str, FoundProgram] = {}
    for component in components:
        use = programs[component.name] or find(component)
        if use is None:
            raise SandboxError(
                f"finding {component.name}",
                "it was built, but is not in the cache any more",
                "Start the sandbox again and leave its cache alone meanwhile.",
            )
        usable[component.name] = use
    return usable


def build(one_of_each: Sequence[Component]) -> None:
    """Build the Go modules that the given components belong to, one after the other.

    One at a time: a module keeps two processors busy, and two at once would need twice the memory.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    wanted = needed_go(tuple(one_of_each))
    go = find_go(wanted, cache) or fetch_go(wanted, cache)
    builds = [ModuleBuild(go, built_together(component)) for component in one_of_each]
    watch = Stopwatch()
    what = ", ".join(each.title for each in builds)
    print_progress(f"building with {go}, once; this takes 15 to 20 minutes on two cores: {what}")
    try:
        for number, component in enumerate(one_of_each):
            target = build_folder(component.folder)
            lock = cache / f"{target.name}.lock"
            waiting = f"waiting for another process that builds {component.folder}"
            with locked(lock, lambda waiting=waiting: print_progress(waiting)):  # type: ignore[misc]
                if not target.exists():
                    _build_one(builds[number], builds[number + 1 : number + 2], target)
    finally:
        for each in builds:
            each.end()
    print_progress(f"built in {watch}; kept in {cache}")


def _build_one(module: ModuleBuild, following: Sequence[ModuleBuild], target: Path) -> None:
    """Build one module while what the next one needs is downloaded."""
    module.finish_download()
    for each in following:
        each.start_download()
    module.build(target)


def _version_of(program: str) -> tuple[int, int, int] | None:
    try:
        done = subprocess.run(
            (program, "--version"), capture_output=True, text=True, check=False, timeout=30, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(done.stdout) if done.returncode == 0 else None
