# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key pair for Git over ssh: made once, by ssh-keygen, and the private half in a file of mode 0600."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..model.app import SourceSpec
from ..model.errors import InputError, printable
from ..source.git.address import parse_address
from ..state.folder import make_folder

_TIMEOUT = 60.0  # seconds for ssh-keygen


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key by its public half, `type base64`; the private half stays in its file."""

    public: str
    guarded: bool  # whether the file is of mode 0600


def read_pair(path: Path) -> KeyPair | None:
    """Return the pair whose private half is in this file; None where there is no file. Raises InputError."""
    if not path.is_absolute():
        raise _unusable(path, "it is not an absolute path", "Write the whole path.")
    try:
        state = path.lstat()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _unusable(
            path, exc.strerror or "it cannot be read", "Name a file that this account may read."
        ) from exc
    if not stat.S_ISREG(state.st_mode):
        raise _unusable(path, "it is not a file", "Name another one.")
    guarded = stat.S_IMODE(state.st_mode) & 0o077 == 0
    with tempfile.TemporaryDirectory(prefix="plumb-") as folder:
        # ssh-keygen refuses a private key that others may read, so it gets a copy that they may not.
        copy = Path(folder) / "key"
        copy.touch(mode=0o600)
        try:
            copy.write_bytes(path.read_bytes())
        except OSError as exc:
            raise _unusable(
                path, exc.strerror or "it cannot be read", "Name one that this account may read."
            ) from exc
        done = _keygen(path, "-y", "-P", "", "-f", str(copy))
    if done.returncode != 0:
        raise _unusable(
            path,
            "it is not a private key without a passphrase",
            "Name another file, or remove this one: a new pair is then made.",
        )
    return KeyPair(_public_half(done.stdout), guarded)


def make_pair(path: Path, comment: str) -> KeyPair:
    """Make an ed25519 pair: the private half at `path`, the public one beside it with `.pub`. Raises InputError."""
    try:
        make_folder(path.parent)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            fresh = Path(folder) / "key"
            done = _keygen(path, "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(fresh))
            if done.returncode != 0:
                raise _unusable(
                    path, printable(done.stderr, 200), "See that ssh-keygen works on this machine."
                )
            public = fresh.with_name("key.pub")
            text = public.read_text(encoding="utf-8")
            public.replace(path.with_name(f"{path.name}.pub"))
            fresh.replace(path)  # last: only with it there is a pair
    except OSError as exc:
        raise _unusable(
            path, exc.strerror or str(exc), "Name a place that this account may write to."
        ) from exc
    return KeyPair(_public_half(text), guarded=True)


def restrict_access(path: Path) -> None:
    """Let nobody but the owner read the private half. Raises InputError."""
    try:
        path.chmod(0o600)
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc), "Give it mode 0600.") from exc


def remove_pair(path: Path) -> bool:
    """Remove both halves; return whether there was one. Raises InputError."""
    files = [file for file in (path, path.with_name(f"{path.name}.pub")) if file.is_file()]
    try:
        for file in files:
            file.unlink()
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc), "Remove it by hand.") from exc
    return bool(files)


def check_known_host(known_hosts: Path, repository: SourceSpec) -> None:
    """Raise InputError where the host of an ssh address is not in the operator's file of known hosts."""
    address = urlsplit(parse_address(repository).origin)
    name, port = address.hostname or "", "" if address.port in {None, 22} else str(address.port)
    wanted = f"[{name}]:{port}" if port else name
    if not known_hosts.is_file():
        raise InputError(
            f"file {known_hosts}",
            "looking for the forge's host key",
            "there is no such file",
            _keyscan_hint(name, port),
        )
    done = _keygen(known_hosts, "-F", wanted, "-f", str(known_hosts))
    if done.returncode != 0 or not done.stdout.strip():
        raise InputError(
            f"file {known_hosts}",
            "looking for the forge's host key",
            f"it has no key of {wanted}",
            _keyscan_hint(name, port),
        )


def _keyscan_hint(host: str, port: str) -> str:
    command = f"ssh-keyscan {f'-p {port} ' if port else ''}{host}"
    return f"Make it with `{command}`, and compare the keys with the fingerprints that the forge publishes."


def _public_half(text: str) -> str:
    """Return `type base64` of a public key's line, without the comment."""
    return " ".join(text.split()[:2])


def _keygen(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "HOME": "/nonexistent"},
        )
    except FileNotFoundError as exc:
        raise _unusable(
            path, "there is no ssh-keygen", "Install the OpenSSH client on this machine."
        ) from exc
    except subprocess.TimeoutExpired as exc:
        raise _unusable(path, "ssh-keygen does not end", "See that it works on this machine.") from exc


def _unusable(path: Path, reason: str, next_step: str) -> InputError:
    return InputError(f"key file {path}", "managing the deploy key", reason, next_step)
