# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses and refs of a source are accepted: decided before any program sees them.

An address is `https://HOST[:PORT]/PATH`, `ssh://[USER@]HOST[:PORT]/PATH`, `USER@HOST:PATH` (ssh too), or `http://…` to
the loopback interface or where the source says `allow_http`. Everything else is refused: `file://`, `ext::`, `git://`,
credentials, options in disguise, control characters. A refusal does not repeat the address: it may hold a password.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ...model.app import RefKind, SourceSpec
from ...model.errors import InputError


class GitProtocol(Enum):
    """How a repository is reached; the value is Git's name of the protocol."""

    HTTPS = "https"
    HTTP = "http"
    SSH = "ssh"


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address: `origin` is scheme, host and port, all that credentials are tied to."""

    url: str
    transport: GitProtocol
    host: str
    origin: str

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine, by its literal address or as `localhost`."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


_HOST = r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])"
_USER = r"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,63}@)"
_URL = re.compile(
    rf"(?P<scheme>https?|ssh)://(?P<user>{_USER}?){_HOST}(?P<port>:[0-9]{{1,5}})?(?P<path>/\S+)"
)
_SCP_LIKE = re.compile(rf"(?P<user>{_USER}){_HOST}:(?P<path>[^\s:/-]\S*|/\S+)")
_ENCODED_CONTROL = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")
_PROXY = re.compile(
    r"(?:https?|socks5h?)://(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?"
)
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
# What `git check-ref-format` refuses, and a leading dash, which would read as an option.
_BAD_REF = re.compile(r"^[-/.]|[/.]$|^@$|//|/\.|\.\.|@\{|\.lock(?:/|$)|[\x00-\x20\x7f~^:?*\[\\]")
# ssh splits the values of its options at blanks and expands percent signs, dollars and tildes in them.
_SSH_PATH = re.compile(r"/[^\s%$~\"'\\]*")

_FORMS = "Write https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH."
_MAX_LENGTH = 2048  # characters of an address


def check_spec(spec: SourceSpec) -> Address:
    """Return the address of a source whose every field may be used; raises InputError for the first that may not."""
    address = parse_address(spec)
    _check_ref(spec)
    _check_credentials(spec, address)
    if spec.proxy and not _PROXY.fullmatch(spec.proxy):
        raise _refusal(
            spec,
            "proxy",
            "it is not a proxy's address without credentials",
            "Write http://HOST:PORT, https://HOST:PORT or socks5h://HOST:PORT.",
        )
    if not 0 < spec.timeout <= 3600:
        raise _refusal(spec, "timeout", "it is not above 0 and up to an hour", "Write for example 60s.")
    return address


def parse_address(spec: SourceSpec) -> Address:
    """Read the source's `url`; raises InputError without repeating it."""
    url = spec.url
    if len(url) > _MAX_LENGTH or not url.isprintable() or "\\" in url or _ENCODED_CONTROL.search(url):
        raise _refusal(spec, "url", "it is too long or holds control characters or a backslash", _FORMS)
    scp_like = _SCP_LIKE.fullmatch(url)
    if scp_like:
        host = scp_like["host"].strip("[]")
        return Address(url, GitProtocol.SSH, host, f"ssh://{scp_like['host'].lower()}")
    _refuse_credentials(spec)
    match = _URL.fullmatch(url)
    if not match:
        raise _refusal(spec, "url", "it is none of the accepted forms of an address", _FORMS)
    address = Address(
        url,
        GitProtocol(match["scheme"]),
        match["host"].strip("[]").lower(),
        f"{match['scheme']}://{match['host'].lower()}{match['port'] or ''}",
    )
    _check_transport(spec, address, bool(match["user"]))
    return address


def _refuse_credentials(spec: SourceSpec) -> None:
    authority = re.match(r"[A-Za-z0-9+.-]*://([^/]*)@", spec.url)
    if authority and ":" in authority[1]:
        raise _refusal(
            spec,
            "url",
            "it holds a password",
            "Take it out of the address, put it into a file and name that as token_file.",
        )


def _check_transport(spec: SourceSpec, address: Address, has_user: bool) -> None:
    if address.transport is GitProtocol.SSH:
        return
    if has_user:
        raise _refusal(spec, "url", "it holds a user name", "Write it as username, beside token_file.")
    if "?" in address.url or "#" in address.url:
        raise _refusal(
            spec, "url", "it holds a query or a fragment", "Write the address that git clone takes."
        )
    if address.transport is GitProtocol.HTTP and not (spec.allow_http or address.loopback):
        raise _refusal(
            spec,
            "url",
            "http would send the credentials and the manifests in clear text",
            "Use https, or set allow_http: true for this source.",
        )


def _check_ref(spec: SourceSpec) -> None:
    field, ref = spec.ref_kind.value, spec.ref
    if spec.ref_kind is RefKind.SEMVER:
        return  # its own grammar, see semver_range.py
    if spec.ref_kind is RefKind.COMMIT:
        if not _OBJECT_ID.fullmatch(ref):
            raise _refusal(
                spec,
                field,
                "it is not a whole commit id",
                "Write all 40 (or 64) hexadecimal digits, as `git rev-parse` shows them.",
            )
        return
    if not ref.isprintable() or not 0 < len(ref) <= 255 or _BAD_REF.search(ref):
        raise _refusal(spec, field, "it is not a valid name of a ref", "See `git help check-ref-format`.")
    if ref.startswith("refs/"):
        raise _refusal(spec, field, "it is the long form of a ref", f"Write the {field}'s short name.")


def _check_credentials(spec: SourceSpec, address: Address) -> None:
    over_ssh = address.transport is GitProtocol.SSH
    rules: tuple[tuple[bool, str, str, str], ...] = (
        (
            over_ssh and bool(spec.token_file or spec.username),
            "token_file",
            "a token is not used over ssh",
            "Name ssh_key_file and known_hosts_file, or use the https address.",
        ),
        (
            over_ssh and not (spec.ssh_key_file and spec.known_hosts_file),
            "ssh_key_file",
            "over ssh both ssh_key_file and known_hosts_file are needed",
            "Make the latter with `ssh-keyscan HOST` and compare it with what the forge publishes.",
        ),
        (
            over_ssh and bool(spec.proxy or spec.ca_file),
            "proxy",
            "proxy and ca_file are not used over ssh",
            "Remove them, or use the https address.",
        ),
        (
            not over_ssh and bool(spec.ssh_key_file or spec.known_hosts_file),
            "ssh_key_file",
            "an ssh key is not used over http",
            "Name token_file, or use the ssh address.",
        ),
        (
            bool(spec.username) and not re.fullmatch(r"[\x21-\x39\x3b-\x7e]{1,255}", spec.username),
            "username",
            "it holds a blank, a colon or a control character",
            "Write the name as the forge shows it.",
        ),
    )
    for broken, field, reason, next_step in rules:
        if broken:
            raise _refusal(spec, field, reason, next_step)
    for field, path in (("ssh_key_file", spec.ssh_key_file), ("known_hosts_file", spec.known_hosts_file)):
        _check_ssh_path(spec, field, path)


def _check_ssh_path(spec: SourceSpec, field: str, path: Path | None) -> None:
    if path and not _SSH_PATH.fullmatch(str(path)):
        raise _refusal(
            spec,
            field,
            "ssh cannot be given this path: it is not absolute, or holds blanks, quotes or one of % $ ~",
            "Use an absolute path of plain letters.",
        )


def _refusal(spec: SourceSpec, field: str, reason: str, next_step: str) -> InputError:
    return InputError(f"source {spec.name}", f"reading {field}", reason, next_step)
