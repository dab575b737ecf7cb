# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the programs of one Go module, and say what is done and how far it is.

download    `go list -deps` fetches what the programs are made of, and nothing else of the module graph; that of the
            next module goes on while this one is compiled
count       `go list` says of each package whether it has to be compiled; what Go's cache has does not
compile     `go build -v` names each package as it begins to compile it; all programs of a module in one build, so
            that one is linked while another is compiled
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from plumb_sandbox.components.build_progress import compiling, downloading
from plumb_sandbox.components.go_toolchain import build_env
from plumb_sandbox.components.table import (
    GO_MODULES,
    Component,
    linker_flags,
    pinned_version,
    show_version,
)
from plumb_sandbox.errors import SandboxError
from plumb_sandbox.process.children import dies_with
from plumb_sandbox.progress import LiveLine, Stopwatch, print_progress

_TICK = 1.0  # seconds between two looks at the log


class ModuleBuild:
    """The programs of one Go module, which all have the same flags, in one build."""

    def __init__(self, go: Path, components: Sequence[Component]) -> None:
        self._go = go
        self._components = components
        self._first = components[0]
        names = ", ".join(component.name for component in components)
        self.title = f"{names} {show_version(pinned_version(self._first))}"
        self._download: subprocess.Popen[bytes] | None = None
        self._log = tempfile.NamedTemporaryFile(prefix="plumb-go-", suffix=".log")  # noqa: SIM115 - lives as long as this

    def start_download(self) -> subprocess.Popen[bytes]:
        """Begin to fetch the modules, in the background, unless that has begun. Return the process."""
        if self._download is None:
            self._download = self._spawn(self._list(""), Path(self._log.name))
        return self._download

    def end(self) -> None:
        """End what was begun and is not awaited any more."""
        if self._download is not None and self._download.poll() is None:
            self._download.terminate()
            self._download.wait()
        self._log.close()

    def finish_download(self) -> None:
        """Wait until all modules are there. Raises SandboxError."""
        process = self.start_download()
        log, watch = Path(self._log.name), Stopwatch()
        status = _wait(process, self.title, watch, lambda: downloading(_read(log)))
        if status != 0:
            raise _failed(f"downloading {self.title}", _read(log))

    def build(self, target: Path) -> None:
        """Build into TARGET, which appears complete or not at all. Raises SandboxError."""
        for abandoned in target.parent.glob(f".{target.name}.*"):  # by a builder that was killed
            shutil.rmtree(abandoned)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            self._compile(unfinished)
            for component in self._components:
                for folder in component.served_folders:
                    _copy_tree(self._module_folder() / folder, unfinished / component.name / folder)
            unfinished.chmod(0o755)
            unfinished.rename(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _compile(self, folder: Path) -> None:
        watch, total = Stopwatch(), self._packages_to_compile()
        log, programs = folder / "build.log", folder / "bin"
        programs.mkdir()
        # A folder as the output names each program by its package; a single one may have another name.
        output = programs / self._first.name if len(self._components) == 1 else programs
        command = (str(self._go), "build", "-v", *self._flags(), "-o", str(output), *self._packages())
        process = self._spawn(command, log)
        status = _wait(process, self.title, watch, lambda: compiling(_read(log), total))
        if status != 0:
            raise _failed(f"building {self.title}", _read(log))
        log.unlink()
        print_progress(f"{self.title}: built in {watch}")

    def _packages_to_compile(self) -> int | None:
        """Return how many packages have to be compiled before the programs; None where Go does not say."""
        command = self._list('{{if and .Stale (ne .Name "main")}}{{.ImportPath}}{{end}}')
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self._folder, env=self._env()
        )
        return len(done.stdout.split()) if done.returncode == 0 else None

    def _list(self, template: str) -> tuple[str, ...]:
        return (str(self._go), "list", "-deps", "-f", template, *self._flags(), *self._packages())

    def _flags(self) -> tuple[str, ...]:
        tags = f"-tags={self._first.tags}"
        return "-trimpath", "-buildvcs=false", f"-ldflags={linker_flags(self._first)}", tags

    def _packages(self) -> tuple[str, ...]:
        return tuple(component.package for component in self._components)

    @property
    def _folder(self) -> Path:
        return GO_MODULES / self._first.folder

    def _env(self) -> Mapping[str, str]:
        # SQLite in one file is the longest single compilation: 22 s at -O1, 55 s with Go's own -g -O2.
        return {"CGO_CFLAGS": "-O1", **build_env(), "CGO_ENABLED": "1" if self._first.cgo else "0"}

    def _spawn(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as stream:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._env(),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                preexec_fn=dies_with(os.getpid()),  # noqa: PLW1509 - this program has one thread
            )

    def _module_folder(self) -> Path:
        done = subprocess.run(
            (str(self._go), "list", "-m", "-f", "{{.Dir}}", self._first.module),
            capture_output=True,
            text=True,
            check=True,
            cwd=self._folder,
            env=build_env(),
        )
        return Path(done.stdout.strip())


def _wait(process: subprocess.Popen[bytes], title: str, watch: Stopwatch, doing: Callable[[], str]) -> int:
    """Wait for PROCESS, and show what it is DOING; end it if we are interrupted."""
    line = LiveLine()
    try:
        while True:
            try:
                return process.wait(_TICK)
            except subprocess.TimeoutExpired:
                line.show(f"{title}: {doing()}, {watch}")
    finally:
        line.end()
        if process.poll() is None:
            process.terminate()
            process.wait()


def _failed(doing: str, log: str) -> SandboxError:
    last = "\n".join(log.splitlines()[-20:])
    return SandboxError(doing, last, "Mend that (network, disk, memory) and start again.")


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def _copy_tree(source: Path, target: Path) -> None:
    """Copy contents without modes: the module cache is read-only, its copy must be removable."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
