# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing commits with a key in a file: OpenSSH's own, or GnuPG's in a key ring that lives as long as the commit."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from ...model.errors import InputError
from .command import GitRunner

_SECONDS = 30.0  # for one call of gpg
_FINGERPRINT = re.compile(rb"^fpr:(?:[^:]*:){8}([0-9A-F]{40,64}):", re.MULTILINE)


class Format(Enum):
    """What signs; the value is Git's word for it."""

    SSH = "ssh"
    GPG = "openpgp"


@dataclass(frozen=True, slots=True)
class Signing:
    """A private key without a passphrase, in a file."""

    format: Format
    key_file: Path


@dataclass(frozen=True, slots=True)
class Signer:
    """A runner that can sign, with the settings and the options that it takes."""

    runner: GitRunner
    settings: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()


@contextlib.contextmanager
def signer(runner: GitRunner, signing: Signing | None) -> Iterator[Signer]:
    """Yield what signs commits; it signs none where `signing` is None. Raises InputError for an unusable key."""
    if signing is None:
        yield Signer(runner)
        return
    _check_key(runner, signing)
    if signing.format is Format.SSH:
        settings = {"gpg.format": "ssh", "user.signingKey": str(signing.key_file)}
        yield Signer(runner, settings, ("-S",))
        return
    with tempfile.TemporaryDirectory(prefix="plumb-") as home:  # short: a socket is made in it
        try:
            fingerprint = _imported(runner.subject, signing, home)
            access = replace(runner.access, variables={**runner.access.variables, "GNUPGHOME": home})
            settings = {"gpg.format": "openpgp", "user.signingKey": fingerprint}
            yield Signer(replace(runner, access=access), settings, ("-S",))
        finally:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                _gpg(("gpgconf", "--kill", "gpg-agent"), home)


def _check_key(runner: GitRunner, signing: Signing) -> None:
    path = signing.key_file
    if not path.is_absolute() or not path.is_file() or not os.access(path, os.R_OK):
        raise _unusable(runner.subject, signing, "it is not an absolute path of a file that can be read")


def _imported(subject: str, signing: Signing, home: str) -> str:
    """Return the fingerprint of the one secret key in the file, now in the key ring in `home`."""
    try:
        taken = _gpg(("gpg", "--batch", "--quiet", "--import", str(signing.key_file)), home)
        listed = _gpg(("gpg", "--batch", "--with-colons", "--list-secret-keys"), home)
    except FileNotFoundError as exc:
        raise _unusable(subject, signing, "there is no program gpg here", "Install GnuPG.") from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise _unusable(subject, signing, "gpg does not end") from exc
    match = _FINGERPRINT.search(listed.stdout)
    if (
        taken.returncode != 0
        or match is None
        or listed.stdout.count(b"\nsec:") + listed.stdout.startswith(b"sec:") != 1
    ):
        raise _unusable(subject, signing, "gpg finds not exactly one secret key in it")
    return match[1].decode()


def _gpg(words: Sequence[str], home: str) -> subprocess.CompletedProcess[bytes]:
    environment = {
        "GNUPGHOME": home,
        "HOME": "/dev/null",
        "LC_ALL": "C",
        "PATH": os.environ.get("PATH", os.defpath),
    }
    return subprocess.run(
        list(words),
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )


def _unusable(subject: str, signing: Signing, reason: str, next_step: str = "") -> InputError:
    forms = {Format.SSH: "ssh-keygen -t ed25519 -N ''", Format.GPG: "gpg --armor --export-secret-keys"}
    hint = next_step or f"Name a private key without a passphrase, as `{forms[signing.format]}` makes it."
    return InputError(subject, f"reading the signing key {signing.key_file}", reason, hint)
