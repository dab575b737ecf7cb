# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes runs: has each forked, waits for it until its deadline, and removes everything of it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.duration import format_seconds
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import make_folder

from ..core.run_protocol import ReportDigest, RunJob, RunOutcome
from .fork_client import PREFIX, ForkClient, ForkedRun
from .progress_file import RunProgress, follow_progress, progress_variables

DEADLINE, DIED = 124, 125  # codes of runs that came to no end of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A run that is to be made.

    `timeout` in seconds, and `timeout_name` is the option that sets it; `keep_fork_server`: it waits for the next run.
    `check`: nothing is written, and what would be is in the lines of the outcome.
    """

    playbook: str
    inventory: Path
    limit: str
    timeout: float
    timeout_name: str = "run_timeout"
    variables: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    report: Path | None = None
    vault_password_file: Path | None = None
    keep_fork_server: bool = False
    check: bool = False


class RunPool:
    """Makes runs, each in a folder of its own below `folder`, which belongs to this agent alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: set[ForkedRun] = set()
        self._servers: list[ForkClient] = []  # the last one takes new runs

    def prepare(self) -> None:
        """Make the folder, and remove what an agent that was killed left in it. Raises InputError or OSError."""
        for folder in (self._folder.parent, self._folder):
            make_folder(folder)
        status = self._folder.lstat()
        private = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
        if not private or status.st_mode & 0o022 or self._folder.parent.is_symlink():
            raise InputError(
                f"runtime_dir {self._folder}",
                "checking whether it is safe to use",
                "it is a link, belongs to somebody else, or others may write to it",
                "Remove it, or name another one.",
            )
        for left in self._folder.glob(f"{PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)

    def end_all(self, why: str) -> None:
        """Kill every run that is under way, and whatever it started; they are gone when this returns."""
        for run in self._runs:
            run.kill(why)
        for server in self._servers:
            server.end(why)

    async def make(
        self, request: RunRequest, progressed: Callable[[RunProgress], None] | None = None
    ) -> RunOutcome:
        """Make one run. It is over when this returns or is cancelled; a failure is in the result.

        `progressed` is called each second with how far it is.
        """
        try:
            with (
                TemporaryDirectory(prefix=PREFIX, dir=self._folder, ignore_cleanup_errors=True) as folder,
                self._fork_server(request) as server,
                _followed(Path(folder), progressed),
            ):
                return await self._make(_reporting(request, Path(folder), progressed), server, Path(folder))
        except TimeoutError:
            after = format_seconds(request.timeout)
            why = f"ended after {after}, its deadline ({request.timeout_name})"
            return RunOutcome(code=DEADLINE, failures=(why,))
        except OSError as error:
            return RunOutcome(code=DIED, failures=(f"the run could not be started: {error}",))

    @contextmanager
    def _fork_server(self, request: RunRequest) -> Iterator[ForkClient]:
        """Yield the fork server. With other settings it is another one, and the old one ends with its last run."""
        if not self._servers or not self._servers[-1].is_for(request.vault_password_file):
            self._servers.append(ForkClient.start(self._folder, request.vault_password_file))
        current = self._servers[-1]
        current.runs += 1
        try:
            yield current
        finally:
            current.runs -= 1
            for server in [server for server in self._servers if not server.runs]:
                if not (request.keep_fork_server and server is self._servers[-1]):
                    server.end("nobody wants a run")
                    self._servers.remove(server)

    async def _make(self, request: RunRequest, server: ForkClient, folder: Path) -> RunOutcome:
        async with asyncio.timeout(request.timeout):
            run = await server.fork(folder)
            self._runs.add(run)
            try:
                answer = await run.send_job(json.dumps(dataclasses.asdict(_job(request))).encode())
                code = await asyncio.shield(run.ended)
            finally:
                self._runs.discard(run)
                run.close()
                if not run.ended.done():
                    run.kill("nobody waits for it")
                    await asyncio.shield(run.ended)
        if run.why:
            return RunOutcome(code=DIED, failures=(f"ended: {run.why}",))
        return _outcome(answer, code)


def _reporting(request: RunRequest, folder: Path, progressed: object) -> RunRequest:
    """Return the request, of a run that writes how far it is into its folder where somebody wants to know."""
    if progressed is None:
        return request
    return dataclasses.replace(request, variables={**request.variables, **progress_variables(folder)})


@contextmanager
def _followed(folder: Path, progressed: Callable[[RunProgress], None] | None) -> Iterator[None]:
    """Follow the progress of the run in this folder while the block lasts."""
    task = asyncio.create_task(follow_progress(folder, progressed)) if progressed is not None else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()


def _job(request: RunRequest) -> RunJob:
    return RunJob(
        playbook=request.playbook,
        inventory=str(request.inventory),
        limit=request.limit,
        variables=request.variables,
        report=str(request.report) if request.report is not None else "",
        check=request.check,
    )


def _outcome(answer: bytes, code: int | None) -> RunOutcome:
    try:
        values = json.loads(answer)
        lines = {name: tuple(values[name]) for name in ("failures", "warnings", "pushed", "lines")}
        digest = ReportDigest(**values["digest"]) if values["digest"] is not None else None
        return RunOutcome(**{**values, **lines, "digest": digest})
    except (ValueError, TypeError, KeyError):
        how = (
            "the process that forked it"
            if code is None
            else f"signal {-code}"
            if code < 0
            else f"code {code}"
        )
        return RunOutcome(
            code=DIED, failures=(f"the process of the run ended with {how} and sent no outcome",)
        )
