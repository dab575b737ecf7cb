# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials that a source's remote gets, and what must never be printed.

Git learns a token from a credential helper, a line of shell that reads the token's file by its path; Git runs it only
for the source's own scheme, host and port. So the token is in no argument, no environment, no URL and no file of ours.
This process reads it too, only to mask it in what a remote says.
"""

from __future__ import annotations

import base64
import math
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...model.app import SourceSpec
from ...model.errors import InputError
from .address import Address, GitProtocol

DEFAULT_USERNAME = "git"  # forges look at the token alone; some refuse an empty name
_MAX_TOKEN = 16 * 1024  # bytes
_MASK = "********"

# `tr` takes off the line's end, as reading the file here does; printf is the shell's own, so nothing is in an argument.
_HELPER = (
    '!f() { test "$1" = get || exit 0; '
    'printf "username=%s\\npassword=%s\\n" "$PLUMB_GIT_USERNAME" '
    '"$(tr -d "[:space:]" <"$PLUMB_GIT_TOKEN_FILE")"; }; f'
)


@dataclass(frozen=True, slots=True)
class GitAccess:
    """How one source's remote is spoken to: Git settings, variables, and the secrets to mask."""

    settings: tuple[tuple[str, str], ...]
    variables: Mapping[str, str]
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def masked(self, text: str) -> str:
        """`text` without any of the secrets."""
        for secret in self.secrets:
            text = text.replace(secret, _MASK)
        return text


def access_to(spec: SourceSpec, address: Address) -> GitAccess:
    """Return everything Git needs for a checked source; raises InputError where a file that it names cannot be used."""
    if address.transport is GitProtocol.SSH:
        return GitAccess((), {"GIT_SSH_COMMAND": shlex.join(ssh_command(spec)), "GIT_SSH_VARIANT": "ssh"})
    settings = _http_settings(spec, address)
    if spec.token_file is None:
        return GitAccess(settings, {})
    token = read_token(spec, spec.token_file)
    username = spec.username or DEFAULT_USERNAME
    helper = (
        (f"credential.{address.origin}.helper", _HELPER),
        ("http.proactiveAuth", "basic"),  # since Git 2.46; older ones are challenged first, one request more
    )
    variables = {"PLUMB_GIT_USERNAME": username, "PLUMB_GIT_TOKEN_FILE": str(spec.token_file)}
    basic = base64.b64encode(f"{username}:{token}".encode()).decode()
    return GitAccess((*settings, *helper), variables, (basic, token))


def ssh_command(spec: SourceSpec) -> list[str]:
    """Return the ssh client's command line: one key, one known_hosts file, no agent, no configuration, no prompts."""
    for name, path in (("ssh_key_file", spec.ssh_key_file), ("known_hosts_file", spec.known_hosts_file)):
        _require_file(spec, name, path)
    options = {
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": str(spec.known_hosts_file),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "BatchMode": "yes",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "ForwardAgent": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "ControlPath": "none",
        "ConnectTimeout": str(math.ceil(spec.timeout)),
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "3",
    }
    chosen = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return ["ssh", "-F", "/dev/null", "-i", str(spec.ssh_key_file), *chosen]


def _http_settings(spec: SourceSpec, address: Address) -> tuple[tuple[str, str], ...]:
    settings = {
        # A redirect would take the request, and what answers it, to a host that nobody named.
        "http.followRedirects": "false",
        "http.sslVerify": "true",
        # Git ends by itself, should this process be killed while it waits.
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": str(math.ceil(spec.timeout)),
    }
    if spec.ca_file is not None:
        _require_file(spec, "ca_file", spec.ca_file)
        settings["http.sslCAInfo"] = str(spec.ca_file)
    if spec.proxy:
        settings["http.proxy"] = spec.proxy
    elif address.loopback:
        settings["http.proxy"] = ""  # a proxy of the environment would carry clear text off this machine
    return tuple(settings.items())


def read_token(spec: SourceSpec, path: Path) -> str:
    """Return the token in a file of one line; raises InputError where there is none."""
    _require_file(spec, "token_file", path)
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_TOKEN + 1)
    except OSError as exc:
        raise _unusable(spec, "token_file", path, exc.strerror or "it cannot be read") from exc
    words = raw.decode("utf-8", "replace").split()
    if len(words) != 1 or len(raw) > _MAX_TOKEN or not words[0].isprintable():
        raise _unusable(spec, "token_file", path, "it does not hold one token on one line")
    return words[0]


def _require_file(spec: SourceSpec, name: str, path: Path | None) -> None:
    if path is None or not path.is_absolute() or not str(path).isprintable():
        raise _unusable(spec, name, path, "it is not an absolute path")
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its writer
            raise _unusable(spec, name, path, "it is not a file")
        with path.open("rb"):
            pass
    except OSError as exc:
        raise _unusable(spec, name, path, exc.strerror or "it cannot be read") from exc


def _unusable(spec: SourceSpec, name: str, path: Path | None, reason: str) -> InputError:
    return InputError(
        f"source {spec.name}",
        f"reading {name} {path or ''}".rstrip(),
        reason,
        "Name a file that the user who runs this may read.",
    )
