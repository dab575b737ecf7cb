# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real ssh server on loopback for tests, which lets one key read the repositories below a folder."""

from __future__ import annotations

import asyncio
import os
import shlex
import threading
from pathlib import Path
from types import TracebackType

import asyncssh

_Source = asyncio.StreamReader | asyncssh.SSHReader[bytes]
_Sink = asyncio.StreamWriter | asyncssh.SSHWriter[bytes]


class SshServer:
    """Serves `git-upload-pack` for the repositories below `root` to whoever has `key_file`.

    The files that a client needs are in `folder`: `key_file`, and `known_hosts` with the server's host key.
    `commands` is the log of what was asked to run.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        folder.mkdir()
        self._root = root
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        client_key = asyncssh.generate_private_key("ssh-ed25519")
        self.key_file = folder / "key"
        client_key.write_private_key(str(self.key_file))
        self.key_file.chmod(0o600)
        self._authorized = folder / "authorized_keys"
        client_key.write_public_key(str(self._authorized))
        self.known_hosts = folder / "known_hosts"
        self.commands: list[str] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def url(self, name: str) -> str:
        """Return the address of the repository `name`."""
        return f"ssh://git@127.0.0.1:{self.port}/{name}"

    def __enter__(self) -> SshServer:
        self._thread.start()
        self._acceptor = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = self._acceptor.get_port()
        public = self._host_key.export_public_key().decode().strip()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public}\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[self._host_key],
            authorized_client_keys=str(self._authorized),
            process_factory=self._serve,
            encoding=None,
        )

    async def _close(self) -> None:
        self._acceptor.close()
        await self._acceptor.wait_closed()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command or ""
        self.commands.append(command)
        program, path = shlex.split(command)
        if program != "git-upload-pack" or not (self._root / path.lstrip("/")).is_dir():
            process.stderr.write(b"ERROR: Repository not found.\n")
            process.exit(1)
            return
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/dev/null"}
        environment["GIT_PROTOCOL"] = process.env.get("GIT_PROTOCOL", "")
        git = await asyncio.create_subprocess_exec(
            "git",
            "upload-pack",
            str(self._root / path.lstrip("/")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
        )
        asking = asyncio.create_task(_pass_on(process.stdin, git.stdin))
        await _pass_on(git.stdout, process.stdout)
        asking.cancel()
        process.exit(await git.wait())


async def _pass_on(source: _Source | None, sink: _Sink | None) -> None:
    """Copy until the end, and close."""
    if source is None or sink is None:
        raise ValueError("a process without pipes")
    while chunk := await source.read(1 << 16):
        sink.write(chunk)
        await sink.drain()
    sink.write_eof()
