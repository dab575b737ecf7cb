# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running Git: with a clean environment, a deadline, bounded output and nothing left behind."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ...model.duration import format_seconds
from ...model.errors import SourceError
from .address import GitProtocol
from .credentials import GitAccess
from .fsck import CHECKED

# All of the environment that Git may see; the rest, every GIT_* first, could change what it does.
_INHERITED = frozenset(
    {
        "PATH",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        *("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
    }
)
_VARIABLES = {
    "HOME": "/dev/null",  # no .gitconfig, and no .netrc, which curl would send credentials from
    "LANG": "C",
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_PROTOCOL_FROM_USER": "0",
}
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.logAllRefUpdates": "false",
    "credential.helper": "",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",  # always a pack: thousands of loose files are slow to read and to remove
    "gc.auto": "0",
    "maintenance.auto": "false",
    **CHECKED,
}
_CHUNK = 1 << 16
_MAX_STDERR = 1 << 16  # bytes of standard error that are kept
_WATCH = 0.25  # seconds between two checks whether the run was cancelled
MAX_OUTPUT = 32 << 20  # bytes
_VERSION_TIMEOUT = 20.0  # seconds
_OLDEST_GIT = (2, 32)  # the first that takes all of its settings from the environment


@dataclass(frozen=True, slots=True)
class Limits:
    """Until when a source may be worked on (`time.monotonic()`), and whether that was called off."""

    until: float
    cancelled: threading.Event

    def left(self) -> float:
        """Return the seconds that are left; may be negative."""
        return self.until - time.monotonic()

    def within(self, seconds: float) -> Limits:
        """Return limits that end in so many seconds, or earlier if these do."""
        return Limits(min(self.until, time.monotonic() + seconds), self.cancelled)


@dataclass(frozen=True, slots=True)
class GitOutput:
    """An ended command; `stderr` is its standard error, without secrets."""

    status: int
    output: bytes
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRunner:
    """Runs Git for one source.

    `held` are descriptors of locks: Git inherits them, so that a Git which outlives this process (killed, say) keeps
    the lock until it has ended too.
    """

    subject: str
    transport: GitProtocol
    access: GitAccess
    limits: Limits
    timeout: float  # seconds for one command
    held: tuple[int, ...] = ()

    def run(
        self,
        arguments: tuple[str, ...],
        *,
        operation: str,
        repository: Path | None = None,
        settings: Mapping[str, str] | None = None,
        largest_file: int | None = None,
    ) -> GitOutput:
        """Run to the end, whatever the status; raises SourceError at the deadline or for more than MAX_OUTPUT bytes.

        `largest_file` is how many bytes a file that it writes may have: at more the kernel ends it.
        """
        with self.started(
            arguments,
            operation=operation,
            repository=repository,
            settings=settings,
            largest_file=largest_file,
        ) as process:
            output = b"".join(process.chunks(MAX_OUTPUT))
            return GitOutput(process.wait(), output, process.stderr())

    @contextlib.contextmanager
    def started(
        self,
        arguments: tuple[str, ...],
        *,
        operation: str,
        repository: Path | None = None,
        settings: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        largest_file: int | None = None,
    ) -> Iterator[RunningGit]:
        """Start Git with `stdin`; its process group is killed if the block is left before it ended."""
        with tempfile.TemporaryFile() as file:
            file.write(stdin)
            file.seek(0)
            process = RunningGit(
                self,
                self._popen([*_limited(largest_file), "git", *arguments], file, repository, settings or {}),
                operation,
                self.limits.within(self.timeout),
            )
            try:
                yield process
            finally:
                process.end()

    def _popen(
        self, command: list[str], stdin: IO[bytes], repository: Path | None, settings: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env=self._environment(repository, settings),
                start_new_session=True,
                pass_fds=self.held,
            )
        except OSError as exc:
            reason = f"git cannot be started ({exc.strerror})"
            raise SourceError(self.subject, "starting git", reason, "Install git on this machine.") from exc

    def _environment(self, repository: Path | None, settings: Mapping[str, str]) -> dict[str, str]:
        pairs = [*_SETTINGS.items(), *self.access.settings, *settings.items()]
        inherited = {name: value for name, value in os.environ.items() if name in _INHERITED}
        environment = {**inherited, **_VARIABLES, **self.access.variables}
        environment["GIT_ALLOW_PROTOCOL"] = self.transport.value
        environment["GIT_CONFIG_COUNT"] = str(len(pairs))
        for index, (key, value) in enumerate(pairs):
            environment[f"GIT_CONFIG_KEY_{index}"] = key
            environment[f"GIT_CONFIG_VALUE_{index}"] = value
        # Without a repository none may be found by looking upwards either.
        environment["GIT_DIR"] = str(repository) if repository else "/dev/null"
        return environment


def _limited(largest_file: int | None) -> tuple[str, ...]:
    """Words that start a program with a bound on the files it writes; the shell counts it in 512 bytes."""
    if largest_file is None:
        return ()
    return ("sh", "-c", 'ulimit -c 0; ulimit -f "$0" && exec "$@"', str(max(largest_file, 0) // 512))


class RunningGit:
    """One Git process. Reads both its outputs side by side, so that neither can block the other."""

    def __init__(
        self, runner: GitRunner, process: subprocess.Popen[bytes], operation: str, limits: Limits
    ) -> None:
        self._runner = runner
        self._limits = limits
        self._process = process
        self._operation = operation
        self._stderr = bytearray()
        self._began = time.monotonic()

    def chunks(self, limit: int) -> Iterator[bytes]:
        """Yield standard output as it comes; raises SourceError at the deadline or after `limit` bytes."""
        seen = 0
        with selectors.DefaultSelector() as selector:
            for stream in (self._process.stdout, self._process.stderr):
                selector.register(_present(stream), selectors.EVENT_READ)
            while selector.get_map():
                self._check()
                for key, _events in selector.select(min(_WATCH, max(self._limits.left(), 0.0))):
                    chunk = os.read(key.fd, _CHUNK)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is self._process.stderr:
                        self._stderr += chunk[: _MAX_STDERR - len(self._stderr)]
                    else:
                        seen += len(chunk)
                        if seen > limit:
                            raise self._failure(
                                f"Git said more than {limit >> 20} MiB", "Use a smaller repository."
                            )
                        yield chunk

    def wait(self) -> int:
        """Wait for a process that has closed its outputs, and return its status; raises SourceError at the deadline."""
        while True:
            self._check()
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._process.wait(min(_WATCH, max(self._limits.left(), 0.001)))

    def stderr(self) -> str:
        """Return standard error, without secrets."""
        return self._runner.access.masked(self._stderr.decode("utf-8", "replace")).strip()

    def end(self) -> None:
        """Kill the process group unless the process has ended, and close everything."""
        if self._process.returncode is None:  # not reaped: the number still belongs to this group
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            _present(stream).close()

    def _check(self) -> None:
        if self._limits.cancelled.is_set():
            raise self._failure("the run was cancelled", "")
        if self._limits.left() <= 0:
            raise self._failure(
                f"no end within {format_seconds(time.monotonic() - self._began)}",
                "Check the Git server and the network to it, or raise the source's timeout.",
            )

    def _failure(self, reason: str, next_step: str) -> SourceError:
        return SourceError(self._runner.subject, self._operation, reason, next_step)


def _present(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("git was started without a pipe")
    return stream


@functools.cache
def require_git() -> None:
    """Raise SourceError where there is no git program, or one that would ignore its settings."""
    limits = Limits(math.inf, threading.Event())
    access = GitAccess((), {})
    runner = GitRunner(
        subject="sources", transport=GitProtocol.HTTPS, access=access, limits=limits, timeout=_VERSION_TIMEOUT
    )
    operation = "asking git for its version"
    answer = runner.run(("version",), operation=operation)
    match = re.search(rb"(\d+)\.(\d+)", answer.output)
    if answer.status != 0 or not match:
        raise SourceError("sources", operation, answer.stderr or "no answer", "Install git on this machine.")
    if (int(match[1]), int(match[2])) < _OLDEST_GIT:
        oldest = ".".join(map(str, _OLDEST_GIT))
        raise SourceError(
            "sources",
            operation,
            f"it is {match[0].decode()}",
            f"Install git {oldest} or newer on this machine.",
        )
