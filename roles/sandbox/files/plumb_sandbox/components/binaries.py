# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find each program of a sandbox, or build it once from Go modules."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumb_sandbox.components.build_cache import build_folder, built_together, cache_folder, cached_binary
from plumb_sandbox.components.go_toolchain import build_env, fetch_go, find_go
from plumb_sandbox.components.table import (
    GO_MODULES,
    Component,
    fits,
    linker_flags,
    needed_go,
    parse_version,
    pinned_version,
    show_version,
)
from plumb_sandbox.errors import SandboxError
from plumb_sandbox.process.children import dies_with
from plumb_sandbox.process.locks import locked
from plumb_sandbox.progress import Stopwatch, print_progress

_TICK_SECONDS = 15.0


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
    """Build the Go modules that the given components belong to, one after the other."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    wanted = needed_go(tuple(one_of_each))
    go = find_go(wanted, cache) or fetch_go(wanted, cache)
    jobs = [other for component in one_of_each for other in built_together(component)]
    watch = Stopwatch()
    print_progress(f"building {len(jobs)} programs with {go}, once; this takes some 10 minutes on 2 cores")
    done = 0
    for component in one_of_each:
        target = build_folder(component.folder)
        lock = cache / f"{target.name}.lock"
        waiting = f"waiting for another process that builds {component.folder}"
        with locked(lock, lambda waiting=waiting: print_progress(waiting)):  # type: ignore[misc]
            if not target.exists():
                _build_module(go, built_together(component), target, (done, len(jobs)))
        done += len(built_together(component))
    print_progress(f"built in {watch}; kept in {cache}")


def _version_of(program: str) -> tuple[int, int, int] | None:
    try:
        done = subprocess.run(
            (program, "--version"), capture_output=True, text=True, check=False, timeout=30, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(done.stdout) if done.returncode == 0 else None


def _build_module(go: Path, components: Sequence[Component], target: Path, position: tuple[int, int]) -> None:
    """Build COMPONENTS into TARGET, which appears complete or not at all. The caller holds TARGET's lock."""
    for abandoned in target.parent.glob(f".{target.name}.*"):  # by a builder that was killed
        shutil.rmtree(abandoned)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for number, component in enumerate(components, start=position[0] + 1):
            _build_one(go, component, unfinished, f"[{number}/{position[1]}]")
            for folder in component.served_folders:
                source = _module_folder(go, component) / folder
                _copy_tree(source, unfinished / component.name / folder)
        unfinished.chmod(0o755)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _build_one(go: Path, component: Component, folder: Path, label: str) -> None:
    name = f"{component.name} {show_version(pinned_version(component))}"
    watch = Stopwatch()
    print_progress(f"{label} {name}")
    log = folder / f"{component.name}.build.log"
    output = folder / "bin" / component.name
    command = [str(go), "build", "-trimpath", "-buildvcs=false", f"-ldflags={linker_flags(component)}"]
    command += [f"-tags={component.tags}", "-o", str(output), component.package]
    env = {**build_env(), "CGO_ENABLED": "1" if component.cgo else "0"}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=GO_MODULES / component.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            preexec_fn=dies_with(os.getpid()),  # noqa: PLW1509 - this program has one thread
        )
        status = _wait_with_progress(process, log, f"{label} {name}", watch)
    if status != 0:
        raise SandboxError(
            f"building {name}", _tail(log, 20), "Mend that (network, disk, memory) and start again."
        )
    log.unlink()
    print_progress(f"{label} {name} built in {watch}")


def _wait_with_progress(process: subprocess.Popen[bytes], log: Path, title: str, watch: Stopwatch) -> int:
    """Wait for PROCESS and print its progress every so often; end it if we are interrupted."""
    try:
        while True:
            try:
                return process.wait(_TICK_SECONDS)
            except subprocess.TimeoutExpired:
                last = _tail(log, 1)
                doing = last.removeprefix("go: ") if "downloading" in last else "compiling"
                print_progress(f"{title}: {watch}, {doing}")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _tail(log: Path, lines: int) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _module_folder(go: Path, component: Component) -> Path:
    done = subprocess.run(
        (str(go), "list", "-m", "-f", "{{.Dir}}", component.module),
        capture_output=True,
        text=True,
        check=True,
        cwd=GO_MODULES / component.folder,
        env=build_env(),
    )
    return Path(done.stdout.strip())


def _copy_tree(source: Path, target: Path) -> None:
    """Copy contents without modes: the module cache is read-only, its copy must be removable."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
