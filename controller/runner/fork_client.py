# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's side of the fork server (fork_server.py): starts and ends it, and asks it for runs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import printable

from .processes import end_tree

FORK_SERVER = "ansible_collections.plumb.gitops.controller.runner.fork_server"
PREFIX = "run-"  # of the folders of all processes, in the one that is the agent's own
# Not resolved: a checkout is linked into its collections folder.
_COLLECTIONS = Path(__file__).absolute().parents[5]
_LARGEST_MESSAGE = 4096  # bytes
_MOST_WAITING = 64  # calls that are not answered yet; some more and they would not fit into the socket

# What of the agent's environment a run sees. Neither ANSIBLE_* nor K8S_AUTH_* nor GIT_*: files say what a run does.
_PASSED = (
    "HOME", "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "TMPDIR",
    "XDG_CACHE_HOME", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
    "PLUMB_UNCONFINED_PROGRAMS",
)  # fmt: skip


@dataclass(slots=True, eq=False)
class ForkedRun:
    """A run in its own process. `ended` has its exit code; None where the fork server, which knows it, has gone."""

    pid: int
    ended: asyncio.Future[int | None]
    _socket: socket.socket
    why: str = ""  # it was killed

    async def send_job(self, job: bytes) -> bytes:
        """Send it the job. Return its whole answer when it has ended; empty where it was killed."""
        loop = asyncio.get_running_loop()
        answer = bytearray()
        try:
            await loop.sock_sendall(self._socket, job)
            self._socket.shutdown(socket.SHUT_WR)
            while part := await loop.sock_recv(self._socket, 1 << 16):
                answer += part
        except ConnectionError:  # it was killed
            return b""
        return bytes(answer)

    def kill(self, why: str) -> None:
        """Kill it and all that it has started; nothing is left when this returns."""
        if not self.ended.done():
            self.why = why
            end_tree(self.pid)

    def close(self) -> None:
        """Close the socket to it."""
        self._socket.close()


@dataclass(slots=True)
class ForkClient:
    """A fork server, its folder, and the runs that are waited for."""

    folder: Path
    vault_password_file: Path | None
    _process: subprocess.Popen[bytes]
    _socket: socket.socket
    _beginning: deque[tuple[asyncio.Future[ForkedRun], socket.socket]] = field(default_factory=deque)
    _running: dict[int, asyncio.Future[int | None]] = field(default_factory=dict)
    _calls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_WAITING))
    _version: tuple[int, int] = (0, 0)
    _why: str = ""  # it has ended
    runs: int = 0  # that use it

    @classmethod
    def start(cls, parent: Path, vault_password_file: Path | None) -> ForkClient:
        """Start a fork server, in a new folder below `parent`. It takes calls at once and answers once it has imported
        Ansible. Raises OSError.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        try:
            with theirs:
                (folder / "project").mkdir()
                (folder / "ansible.cfg").write_text(
                    _ansible_cfg(folder, vault_password_file), encoding="utf-8"
                )
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", FORK_SERVER, str(os.getpid()), str(theirs.fileno())],
                    cwd=folder,
                    env=_environment(folder),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        ours.setblocking(False)
        client = cls(folder, vault_password_file, process, ours, _version=_version())
        asyncio.get_running_loop().add_reader(ours, client._read_message)
        return client

    def is_for(self, vault_password_file: Path | None) -> bool:
        """Return whether it runs, with these settings and with the collection that is installed now."""
        same = self.vault_password_file == vault_password_file and self._version == _version()
        return same and self._socket.fileno() >= 0 and self._process.poll() is None

    async def fork(self, folder: Path) -> ForkedRun:
        """Fork a run in this folder, which waits for its job. Raises OSError."""
        async with self._calls:
            if self._socket.fileno() < 0:
                raise ChildProcessError(self._why)
            begun: asyncio.Future[ForkedRun] = asyncio.get_running_loop().create_future()
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            try:
                with theirs:
                    socket.send_fds(self._socket, [os.fsencode(folder)], [theirs.fileno()])
                self._beginning.append((begun, ours))
                return await begun
            except BaseException:
                ours.close()  # a run that gets no job ends
                raise

    def end(self, why: str) -> None:
        """End it, and all that it has started; nothing is left when this returns. It may have ended before."""
        if self._socket.fileno() < 0:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._why = self._why or why
        if self._process.poll() is None:
            end_tree(self._process.pid)
            self._process.wait()
        else:  # the kernel has signalled its runs, but does not wait for them
            for pid in self._running:
                end_tree(pid)
        for begun, _socket in self._beginning:
            if not begun.done():
                begun.set_exception(ChildProcessError(self._why))
        for ended in self._running.values():
            ended.set_result(None)
        self._beginning.clear()
        self._running.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read_message(self) -> None:
        try:
            data = self._socket.recv(_LARGEST_MESSAGE)
        except (BlockingIOError, ConnectionError):  # it ended before it had read all: its messages come yet
            return
        if not data:
            self.end(f"the fork server ended with code {self._process.wait()}")
            return
        message = json.loads(data)
        if "begun" in message:
            pid, (begun, connection) = message["begun"], self._beginning.popleft()
            self._running[pid] = asyncio.get_running_loop().create_future()
            if not begun.done():  # else nobody waits for it any more, and without a job it ends
                begun.set_result(ForkedRun(pid, self._running[pid], connection))
        elif "refused" in message:
            begun, _socket = self._beginning.popleft()
            if not begun.done():
                begun.set_exception(ChildProcessError(message["refused"]))
        elif "died" in message:
            reason = printable(message["died"])
            self._why = f"the fork server cannot import the packages of runs: {reason}"
        else:
            self._running.pop(message["ended"]).set_result(message["code"])


def _version() -> tuple[int, int]:
    """Return what changes when another version of the collection is installed."""
    status = Path(__file__).stat()
    return status.st_ino, status.st_mtime_ns


def _environment(folder: Path) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return passed | {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(_COLLECTIONS),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _ansible_cfg(folder: Path, vault_password_file: Path | None) -> str:
    """Return the only Ansible settings of a run. A `%` would be an interpolation, so it is doubled."""
    settings = {
        "home": folder / "ansible",
        "local_tmp": folder / "tmp",
        "remote_tmp": folder / "tmp",
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
