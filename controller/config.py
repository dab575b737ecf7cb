# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's configuration file: read strictly, with the nearest right word for one that is unknown."""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.duration import parse_duration
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.plugins.module_utils.render.documents import read_documents
from ansible_collections.plumb.gitops.plugins.module_utils.render.limits import Meter

_LISTEN = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]*):(\d{1,5})", re.ASCII)
_HEADER = re.compile(
    r"[Xx]-[A-Za-z0-9-]{1,60}|[Rr]emote-[A-Za-z0-9-]{1,60}", re.ASCII
)  # none that has a meaning
_OPERATION = "reading the configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Where the agent listens. Without a token file it shows health and metrics and takes no commands.

    With one for audit events it takes those that API servers send.
    `trusted_user_header`: the header in which a proxy on the same machine says who reads; empty: none is believed.
    """

    host: str = "127.0.0.1"
    port: int = 8400
    token_file: Path | None = None
    audit_token_file: Path | None = None
    trusted_user_header: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Election:
    """The Lease by which agents agree on who runs. Without kubeconfig it is in the cluster around this pod."""

    kubeconfig: Path | None = None
    context: str = ""
    namespace: str = "plumb-system"
    name: str = "plumb-agent"
    duration: float = 15.0  # seconds
    retry: float = 3.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file, with defaults filled in. Durations are in seconds."""

    inventory: Path
    limit: str
    vault_password_file: Path | None
    interval: float
    jitter: int  # percent of the interval
    poll_interval: float
    images_interval: float
    run_timeout: float
    state_dir: Path
    runtime_dir: Path
    keep_reports: int
    log_format: str
    http: Http
    leader_election: Election | None
    renew_tokens: bool
    watch: bool
    start_ahead: bool


# What only a restart changes.
AT_START = ("state_dir", "runtime_dir", "log_format", "http", "leader_election")


def read_config(path: Path) -> Config:
    """The configuration in `path`. Raises InputError, which names the word."""
    given = _document(path)
    return config_of(given, subject=f"configuration {path}", environment=os.environ)


def config_of(given: Mapping[str, Any], *, subject: str, environment: Mapping[str, str]) -> Config:
    """The configuration from its words. Raises InputError."""
    read = _Words(subject, "", given, {field.name for field in fields(Config)})
    state_dir = read.folder("state_dir", environment.get("STATE_DIRECTORY") or "/var/lib/plumb")
    return Config(
        inventory=read.path("inventory") or read.missing("inventory"),
        limit=read.text("limit", ""),
        vault_password_file=read.path("vault_password_file"),
        interval=read.duration("interval", "5m"),
        jitter=read.number("jitter", 10, 0, 100),
        poll_interval=read.duration("poll_interval", "15s"),
        images_interval=read.duration("images_interval", "1m"),
        run_timeout=read.duration("run_timeout", "30m"),
        state_dir=state_dir,
        runtime_dir=read.folder("runtime_dir", environment.get("RUNTIME_DIRECTORY") or _memory(state_dir)),
        keep_reports=read.number("keep_reports", 50, 1, 10_000),
        log_format=read.choice("log_format", ("text", "json")),
        http=_http(read),
        leader_election=_election(read),
        renew_tokens=read.flag("renew_tokens", default=True),
        watch=read.flag("watch", default=True),
        start_ahead=read.flag("start_ahead", default=True),
    )


def _document(path: Path) -> Mapping[str, Any]:
    subject = f"configuration {path}"
    try:
        data = path.read_bytes()
    except OSError as exc:
        why = exc.strerror or "it cannot be read"
        raise InputError(subject, _OPERATION, why, "Name a file that this user can read (--config).") from exc
    documents = read_documents(data, file=path.name, meter=Meter(subject))
    if len(documents) != 1 or not isinstance(documents[0].value, Mapping):
        raise InputError(
            subject,
            _OPERATION,
            "it is not one map of words",
            "Begin with: inventory: /etc/plumb/inventory.yml",
        )
    return documents[0].value


def _memory(state_dir: Path) -> str:
    """A folder on memory where there is one. Each state folder has its own, since only one agent uses that."""
    shared = Path("/dev/shm")  # noqa: S108 - used by way of a folder of our own, whose owner and mode are checked
    if shared.is_dir() and os.access(shared, os.W_OK):
        of_state = hashlib.sha256(str(state_dir).encode()).hexdigest()[:12]
        return str(shared / f"plumb-{os.getuid()}" / of_state)
    return str(state_dir / "run")


def _http(read: _Words) -> Http:
    inner = read.inner("http", {"listen", "token_file", "audit_token_file", "trusted_user_header"})
    listen = inner.text("listen", "127.0.0.1:8400")
    match = _LISTEN.fullmatch(listen)
    if match is None or int(match[2]) > 65535:
        raise inner.refused("listen", f"{listen[:80]!r} is not an address and a port", "127.0.0.1:8400")
    host, header = match[1].strip("[]"), inner.text("trusted_user_header", "")
    if header and not _HEADER.fullmatch(header):
        raise inner.refused("trusted_user_header", f"{header[:80]!r} is no header's name", "X-Forwarded-User")
    if header and not is_loopback(host):
        why = (
            f"whoever reaches {host or 'any address'} could say any user; it takes a listener on the loopback"
        )
        raise inner.refused("trusted_user_header", why, 'listen: "127.0.0.1:8400"')
    return Http(
        host=host,
        port=int(match[2]),
        token_file=inner.path("token_file"),
        audit_token_file=inner.path("audit_token_file"),
        trusted_user_header=header,
    )


def is_loopback(host: str) -> bool:
    """Whether this name or address can only lead to this machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _election(read: _Words) -> Election | None:
    if read.given.get("leader_election") is None:
        return None
    inner = read.inner("leader_election", {field.name for field in fields(Election)})
    election = Election(
        kubeconfig=inner.path("kubeconfig"),
        context=inner.text("context", ""),
        namespace=inner.text("namespace", "plumb-system"),
        name=inner.text("name", "plumb-agent"),
        duration=inner.duration("duration", "15s"),
        retry=inner.duration("retry", "3s"),
    )
    if election.duration < 1 or election.duration != round(election.duration):
        raise inner.refused("duration", "a lease lasts whole seconds", "15s")
    if election.retry * 2 > election.duration:
        raise inner.refused(
            "retry", "two of them have to fit into the duration", "3s, with a duration of 15s"
        )
    return election


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of one map of the file, each read with its type."""

    subject: str
    place: str  # with a dot at its end, empty at the top
    given: Mapping[str, Any]
    known: set[str]

    def __post_init__(self) -> None:
        for word in self.given:
            if word not in self.known:
                near = difflib.get_close_matches(str(word), self.known, n=1)
                known = f"The words are {', '.join(sorted(self.known))}."
                why = f"{self.place}{word} is unknown"
                raise InputError(self.subject, _OPERATION, why, f"Did you mean {near[0]}?" if near else known)

    def refused(self, word: str, why: str, example: str) -> InputError:
        return InputError(
            f"{self.subject}, {self.place}{word}", _OPERATION, why, f"Write for example {example}."
        )

    def missing(self, word: str) -> Any:
        raise InputError(self.subject, _OPERATION, f"{word} is missing", f"Add {self.place}{word}.")

    def _of(self, word: str, kind: type, default: Any, example: str) -> Any:
        value = self.given.get(word, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.refused(word, f"{str(value)[:80]!r} is no {_KINDS[kind]}", example)
        return value

    def text(self, word: str, default: str) -> str:
        text: str = self._of(word, str, default, "a text")
        return text

    def flag(self, word: str, *, default: bool) -> bool:
        flag: bool = self._of(word, bool, default, "true")
        return flag

    def number(self, word: str, default: int, least: int, most: int) -> int:
        number: int = self._of(word, int, default, str(default))
        if not least <= number <= most:
            raise self.refused(word, f"{number} is not between {least} and {most}", str(default))
        return number

    def choice(self, word: str, choices: tuple[str, ...]) -> str:
        text = self.text(word, choices[0])
        if text not in choices:
            raise self.refused(word, f"{text[:80]!r} is none of {', '.join(choices)}", choices[0])
        return text

    def duration(self, word: str, default: str) -> float:
        return parse_duration(self.text(word, default), subject=f"{self.subject}, {self.place}{word}")

    def path(self, word: str) -> Path | None:
        text = self.text(word, "")
        if text and not Path(text).is_absolute():
            raise self.refused(word, f"{text[:80]!r} is no absolute path", f"/etc/plumb/{Path(text).name}")
        return Path(text) if text else None

    def folder(self, word: str, default: str) -> Path:
        return self.path(word) or Path(default)

    def inner(self, word: str, known: set[str]) -> _Words:
        given = self._of(word, Mapping, {}, "a map") if self.given.get(word) is not None else {}
        return _Words(self.subject, f"{self.place}{word}.", given, known)


_KINDS: Mapping[type, str] = {str: "text", bool: "true or false", int: "whole number", Mapping: "map"}
