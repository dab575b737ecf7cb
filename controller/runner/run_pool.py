# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has a run forked, waits for it no longer than it may take, and leaves nothing of it behind."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.duration import format_seconds
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import make_folder

from ..core.run_protocol import RunJob, RunOutcome
from .fork_client import PREFIX, ForkClient, ForkedRun

DEADLINE, DIED = 124, 125  # codes of runs that came to no end of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A run that is to be made. `timeout` in seconds; `stays`: what has forked it waits for the next one."""

    playbook: str
    inventory: Path
    limit: str
    timeout: float
    variables: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    report: Path | None = None
    vault_password_file: Path | None = None
    stays: bool = False


class RunPool:
    """Makes runs, each in a folder of its own below `folder`, which belongs to this agent alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: set[ForkedRun] = set()
        self._aheads: list[ForkClient] = []  # the last one takes new runs

    def prepare(self) -> None:
        """Make the folder, and remove what an agent that was killed left in it. Raises InputError or OSError."""
        for part in (self._folder.parent, self._folder):
            make_folder(part)
        found = self._folder.lstat()
        private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if not private or found.st_mode & 0o022 or self._folder.parent.is_symlink():
            raise InputError(
                f"runtime_dir {self._folder}",
                "looking whether it is safe to use",
                "it is a link, belongs to somebody else, or others may write to it",
                "Remove it, or name another one.",
            )
        for left in self._folder.glob(f"{PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)

    def end_all(self, why: str) -> None:
        """Kill every run that is under way, and whatever it started; they are gone when this returns."""
        for child in self._children:
            child.kill(why)
        for ahead in self._aheads:
            ahead.end(why)

    async def make(self, order: RunRequest) -> RunOutcome:
        """Make one run. It is over when this returns or is cancelled; a failure is in the result."""
        try:
            with (
                TemporaryDirectory(prefix=PREFIX, dir=self._folder, ignore_cleanup_errors=True) as place,
                self._process(order) as ahead,
            ):
                return await self._make(order, ahead, Path(place))
        except TimeoutError:
            after = format_seconds(order.timeout)
            return RunOutcome(code=DEADLINE, failures=(f"ended after {after}, its deadline (run_timeout)",))
        except OSError as error:
            return RunOutcome(code=DIED, failures=(f"the run could not be started: {error}",))

    @contextmanager
    def _process(self, order: RunRequest) -> Iterator[ForkClient]:
        """What forks the run. With other settings it is another process, and the old one ends with its last run."""
        if not self._aheads or not self._aheads[-1].is_for(order.vault_password_file):
            self._aheads.append(ForkClient.start(self._folder, order.vault_password_file))
        ahead = self._aheads[-1]
        ahead.runs += 1
        try:
            yield ahead
        finally:
            ahead.runs -= 1
            for one in [one for one in self._aheads if not one.runs]:
                if not (order.stays and one is self._aheads[-1]):
                    one.end("nobody wants a run")
                    self._aheads.remove(one)

    async def _make(self, order: RunRequest, ahead: ForkClient, place: Path) -> RunOutcome:
        async with asyncio.timeout(order.timeout):
            child = await ahead.fork(place)
            self._children.add(child)
            try:
                said = await child.ask(json.dumps(dataclasses.asdict(_job(order))).encode())
                code = await asyncio.shield(child.ended)
            finally:
                self._children.discard(child)
                child.close()
                if not child.ended.done():
                    child.kill("nobody waits for it")
                    await asyncio.shield(child.ended)
        if child.why:
            return RunOutcome(code=DIED, failures=(f"ended: {child.why}",))
        return _ending(said, code)


def _job(order: RunRequest) -> RunJob:
    return RunJob(
        playbook=order.playbook,
        inventory=str(order.inventory),
        limit=order.limit,
        variables=order.variables,
        report=str(order.report) if order.report is not None else "",
    )


def _ending(said: bytes, code: int | None) -> RunOutcome:
    try:
        given = json.loads(said)
        lines = {name: tuple(given[name]) for name in ("failures", "warnings", "pushed")}
        return RunOutcome(**{**given, **lines})
    except (ValueError, TypeError, KeyError):
        how = "what forked it" if code is None else f"signal {-code}" if code < 0 else f"code {code}"
        return RunOutcome(code=DIED, failures=(f"the process of the run ended with {how} and said nothing",))
