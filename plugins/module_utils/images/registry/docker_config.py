# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials for a registry: named by file, from a Docker config.json, or from a credential helper that it names."""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from ..image_reference import DOCKER_HUB

_LARGEST = 1 << 20  # bytes of a config.json
_LARGEST_PASSWORD = 64 * 1024  # bytes; tokens of clouds are some kilobytes
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_HELPER_SECONDS = 20.0
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
_IDENTITY = "<token>"  # a helper's user name for what is an identity token


@dataclass(frozen=True, slots=True)
class Login:
    """A login at a registry. With `identity_token` there is no password: it is exchanged for a token."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must never be printed."""
        basic = (
            base64.b64encode(f"{self.username}:{self.password}".encode()).decode() if self.password else ""
        )
        return tuple(secret for secret in (basic, self.password, self.identity_token) if secret)


ANONYMOUS = Login()


def login_from_file(username: str, password_file: Path, *, subject: str) -> Login:
    """Return the login whose password, or token, is the one line of a file. Raises InputError."""
    raw = _read(password_file, _LARGEST_PASSWORD, subject, "password_file")
    lines = raw.decode("utf-8", "replace").split("\n")
    password = lines[0].rstrip("\r")
    if not password.strip() or any(line.strip() for line in lines[1:]) or not password.isprintable():
        raise _unusable(subject, "password_file", password_file, "it does not hold one password on one line")
    return Login(username, password)


def login_from_config(config: Path, registry: str, *, subject: str) -> Login:
    """Return the login for a registry in a Docker config.json; anonymous where it has none. Raises InputError."""
    raw = _read(config, _LARGEST, subject, "docker_config")
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise _unusable(subject, "docker_config", config, "it is not JSON") from exc
    if not isinstance(content, dict):
        raise _unusable(subject, "docker_config", config, "it is not a map")
    keys = _HUB_KEYS if registry == DOCKER_HUB else (registry, f"https://{registry}", f"http://{registry}")
    helper = _entry_for(_mapping(content, "credHelpers"), keys) or (content.get("credsStore") or None)
    entry = _entry_for(_mapping(content, "auths"), keys)
    if isinstance(helper, str) and helper:
        login = _run_helper(helper, keys[0], subject)
        if login is not None:
            return login
    return _login(entry, subject, config) if isinstance(entry, Mapping) else ANONYMOUS


def _mapping(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = content.get(key)
    return value if isinstance(value, dict) else {}


def _entry_for(entries: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    known = {key.rstrip("/").lower(): value for key, value in entries.items()}
    for key in keys:
        for form in (key.rstrip("/"), f"{key.rstrip('/')}/v1", f"{key.rstrip('/')}/v2"):
            if form in known:
                return known[form]
    return None


def _login(entry: Mapping[str, Any], subject: str, config: Path) -> Login:
    identity = str(entry.get("identitytoken") or "")
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            decoded = base64.b64decode(str(entry["auth"]), validate=True).decode()
        except (binascii.Error, ValueError) as exc:
            raise _unusable(
                subject, "docker_config", config, "an auth in it is not base64 of USER:PASSWORD"
            ) from exc
        username, _colon, password = decoded.partition(":")
        password = password.strip("\0")
    if identity:
        return Login(username, "", identity)
    return Login(username, password) if username and password else ANONYMOUS


def _run_helper(helper: str, server: str, subject: str) -> Login | None:
    """Return the login that `docker-credential-HELPER get` prints, run in our environment; None where it has none."""
    operation = f"asking docker-credential-{helper[:64]}"
    if not _HELPER.fullmatch(helper):
        raise InputError(
            subject, "reading docker_config", "a credential helper's name is not one", "Correct it."
        )
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_HELPER_SECONDS,
            check=False,
        )
    except FileNotFoundError as exc:
        raise InputError(
            subject,
            operation,
            "there is no such program",
            "Install it in the PATH of the user who runs this.",
        ) from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        why = f"it does not answer within {_HELPER_SECONDS:g}s"
        raise InputError(subject, operation, why, "Try it by hand.") from exc
    if done.returncode != 0:
        if b"credentials not found" in (done.stdout + done.stderr).lower():
            return None
        why = f"it ended with status {done.returncode}"  # its output may hold a secret
        raise InputError(subject, operation, why, "Try it by hand, as the user who runs this.")
    try:
        answer = json.loads(done.stdout[:_LARGEST_PASSWORD])
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        why = "its answer is not the JSON of a credential helper"
        raise InputError(subject, operation, why, "Try it by hand.") from exc
    return Login("", "", secret) if username == _IDENTITY else Login(username, secret)


def _read(path: Path, largest: int, subject: str, option: str) -> bytes:
    if not path.is_absolute() or not path.is_file():
        raise _unusable(subject, option, path, "it is not an absolute path of a file")
    try:
        with path.open("rb") as file:
            raw = file.read(largest + 1)
    except OSError as exc:
        raise _unusable(subject, option, path, exc.strerror or "it cannot be read") from exc
    if len(raw) > largest:
        raise _unusable(subject, option, path, f"it is larger than {largest >> 10} KiB")
    return raw


def _unusable(subject: str, option: str, path: Path, reason: str) -> InputError:
    next_step = "Name a file that the user who runs this may read."
    return InputError(subject, f"reading {option} {path}", reason, next_step)
