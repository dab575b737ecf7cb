# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the child process of a run, waits for it no longer than it may take, and leaves nothing of it behind."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.controller.launch import Ending, Job
from ansible_collections.plumb.gitops.controller.processes import end_tree
from ansible_collections.plumb.gitops.plugins.module_utils.model.duration import format_seconds
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

LAUNCH = "ansible_collections.plumb.gitops.controller.launch"
DEADLINE, DIED = 124, 125  # codes of runs that came to no end of their own
_COLLECTIONS = (
    Path(__file__).absolute().parents[4]
)  # not resolved: a checkout is linked into its collections folder
_PREFIX = "run-"
_LARGEST_ANSWER = 16 * 1024 * 1024  # bytes

# What of the agent's environment a run sees. Neither ANSIBLE_* nor K8S_AUTH_* nor GIT_*: files say what a run does.
_PASSED = (
    "HOME", "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "TMPDIR",
    "XDG_CACHE_HOME", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A run that is to be made. `timeout` in seconds; `hurries` may take the process that waits ready."""

    playbook: str
    inventory: Path
    limit: str
    timeout: float
    variables: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    report: Path | None = None
    vault_password_file: Path | None = None
    hurries: bool = True


@dataclass(frozen=True, slots=True)
class _Child:
    """A process for one run, and its folder. It can be started before anybody knows which run it will make."""

    place: Path
    vault_password_file: Path | None
    process: asyncio.subprocess.Process

    def is_for(self, order: Order) -> bool:
        """Whether it can make this run."""
        return self.process.returncode is None and self.vault_password_file == order.vault_password_file


class Runs:
    """Makes runs, each in a folder of its own below `folder`, which belongs to this agent alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: set[int] = set()
        self._ended: dict[int, str] = {}  # runs that were ended from outside, and why
        self._ahead: _Child | None = None  # waits for the next run
        self._starting = False

    def prepare(self) -> None:
        """Make the folder, and remove what an agent that was killed left in it. Raises InputError or OSError."""
        for part in (self._folder.parent, self._folder):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self._folder.lstat()
        private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if not private or found.st_mode & 0o022 or self._folder.parent.is_symlink():
            raise InputError(
                f"runtime_dir {self._folder}",
                "looking whether it is safe to use",
                "it is a link, belongs to somebody else, or others may write to it",
                "Remove it, or name another one.",
            )
        for left in self._folder.glob(f"{_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)

    def end_all(self, why: str) -> None:
        """Kill every run that is under way, and whatever it started; they are gone when this returns."""
        for pid in tuple(self._children):
            self._ended[pid] = why
            end_tree(pid)
        self._drop_ahead()

    async def start_ahead(self, vault_password_file: Path | None) -> None:
        """Start the process of the next run now, where none waits yet: it does what it can before it knows its job."""
        if self._ahead is None and not self._starting:
            self._starting = True
            try:
                self._ahead = await self._start(vault_password_file)
            except OSError:  # the run itself will say so
                return
            finally:
                self._starting = False

    async def make(self, order: Order) -> Ending:
        """Make one run. It is over when this returns or is cancelled; a failure is in the result."""
        try:
            child = self._taken(order) if order.hurries else None
            child = child or await self._start(order.vault_password_file)
        except OSError as error:
            return Ending(code=DIED, failures=(f"the run could not be started: {error}",))
        try:
            return await self._finish(child.process, order)
        finally:
            shutil.rmtree(child.place, ignore_errors=True)

    def _taken(self, order: Order) -> _Child | None:
        """The process that was started ahead, if it is of use for this run."""
        ahead = self._ahead
        if ahead is not None and ahead.is_for(order):
            self._ahead = None
            return ahead
        self._drop_ahead()
        return None

    def _drop_ahead(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            if ahead.process.returncode is None:
                end_tree(ahead.process.pid)
            shutil.rmtree(ahead.place, ignore_errors=True)

    async def _start(self, vault_password_file: Path | None) -> _Child:
        place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._folder))
        try:
            (place / "ansible.cfg").write_text(_ansible_cfg(place, vault_password_file), encoding="utf-8")
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                LAUNCH,
                str(os.getpid()),
                str(place),
                cwd=place,
                env=_environment(place),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=_LARGEST_ANSWER,
                start_new_session=True,
            )
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return _Child(place, vault_password_file, process)

    async def _finish(self, child: asyncio.subprocess.Process, order: Order) -> Ending:
        self._children.add(child.pid)
        try:
            async with asyncio.timeout(order.timeout):
                said, _errors = await child.communicate(json.dumps(dataclasses.asdict(_job(order))).encode())
        except TimeoutError:
            after = format_seconds(order.timeout)
            return Ending(code=DEADLINE, failures=(f"ended after {after}, its deadline (run_timeout)",))
        finally:
            if child.returncode is None:
                end_tree(child.pid)
                with contextlib.suppress(ProcessLookupError):
                    await asyncio.shield(child.wait())
            self._children.discard(child.pid)
            why = self._ended.pop(child.pid, "")
        if why:
            return Ending(code=DIED, failures=(f"ended: {why}",))
        return _ending(said, child.returncode)


def _job(order: Order) -> Job:
    return Job(
        playbook=order.playbook,
        inventory=str(order.inventory),
        limit=order.limit,
        variables=order.variables,
        report=str(order.report) if order.report is not None else "",
    )


def _ending(said: bytes, code: int | None) -> Ending:
    try:
        given = json.loads(said)
        lines = {name: tuple(given[name]) for name in ("failures", "warnings", "pushed")}
        return Ending(**{**given, **lines})
    except (ValueError, TypeError, KeyError):
        how = f"signal {-code}" if code is not None and code < 0 else f"code {code}"
        return Ending(code=DIED, failures=(f"the process of the run ended with {how} and said nothing",))


def _environment(place: Path) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return passed | {
        "ANSIBLE_CONFIG": str(place / "ansible.cfg"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(_COLLECTIONS),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _ansible_cfg(place: Path, vault_password_file: Path | None) -> str:
    """The only Ansible settings of a run. A `%` would be an interpolation, so it is doubled."""
    settings = {
        "home": place / "ansible",
        "local_tmp": place / "tmp",
        "remote_tmp": place / "tmp",
        "collections_path": _COLLECTIONS,
        "collections_scan_sys_path": False,
        "gathering": "explicit",
        "host_key_checking": True,
        "localhost_warning": False,
        "nocows": True,
        "nocolor": True,
        "retry_files_enabled": False,
        "duplicate_dict_key": "error",
    }
    if vault_password_file is not None:
        settings["vault_password_file"] = vault_password_file
    lines = [f"{key} = {str(value).replace('%', '%%')}" for key, value in settings.items()]
    of_inventory = [
        "any_unparsed_is_failed = true",
        # Ansible's own, with yaml first: the others read the whole of such a file before they leave it to the next.
        "enable_plugins = yaml, host_list, script, auto, ini, toml",
    ]
    return "\n".join(
        ["[defaults]", *lines, "inventory_unparsed_warning = false", "[inventory]", *of_inventory, ""]
    )
