# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's configuration file. An unknown word is an error, which names the nearest known one."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds.limits import Meter
from ansible_collections.plumb.gitops.plugins.module_utils.render.yaml.documents import read_documents

from .config_reader import OPERATION, ConfigReader
from .processors import count_processors

_LISTEN = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]*):(\d{1,5})", re.ASCII)
_HEADER = re.compile(
    r"[Xx]-[A-Za-z0-9-]{1,60}|[Rr]emote-[A-Za-z0-9-]{1,60}", re.ASCII
)  # none that has a meaning
_HOOK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
LARGEST_SECRET = 64 * 1024  # bytes of a file with a token or a secret
KINDS = ("gitea", "github", "gitlab", "generic", "registry")  # of webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook, `POST /webhook/<name>`, that starts a poll or a scan early. Without sources, it is for all."""

    name: str
    kind: str  # one of KINDS
    secret_file: Path
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Where the agent listens. Without a token file it serves health and metrics only.

    With one for audit events it takes those that API servers send.
    `trusted_user_header`: the header in which a proxy on the same machine names the user; empty: none is trusted.
    """

    host: str = "127.0.0.1"
    port: int = 8400
    token_file: Path | None = None
    audit_token_file: Path | None = None
    trusted_user_header: str = ""
    webhooks: tuple[Webhook, ...] = ()


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
    previews_interval: float
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
    max_runs: int  # clusters that have a run at once


# What only a restart changes.
AT_START = ("state_dir", "runtime_dir", "log_format", "http", "leader_election")


def read_config(path: Path) -> Config:
    """Read the configuration in `path`. Raises InputError, which names the word."""
    values = _document(path)
    return config_of(values, subject=f"configuration {path}", environment=os.environ)


def config_of(values: Mapping[str, Any], *, subject: str, environment: Mapping[str, str]) -> Config:
    """Return the configuration from its words. Raises InputError."""
    reader = ConfigReader(subject, "", values, {field.name for field in fields(Config)})
    state_dir = reader.folder("state_dir", environment.get("STATE_DIRECTORY") or "/var/lib/plumb")
    return Config(
        inventory=reader.path("inventory") or reader.missing("inventory"),
        limit=reader.text("limit", ""),
        vault_password_file=reader.path("vault_password_file"),
        interval=reader.duration("interval", "5m"),
        jitter=reader.number("jitter", 10, 0, 100),
        poll_interval=reader.duration("poll_interval", "15s"),
        images_interval=reader.duration("images_interval", "1m"),
        previews_interval=reader.duration("previews_interval", "5m"),
        run_timeout=reader.duration("run_timeout", "30m"),
        state_dir=state_dir,
        runtime_dir=reader.folder("runtime_dir", environment.get("RUNTIME_DIRECTORY") or _memory(state_dir)),
        keep_reports=reader.number("keep_reports", 50, 1, 10_000),
        log_format=reader.choice("log_format", ("text", "json")),
        http=_http(reader),
        leader_election=_election(reader),
        renew_tokens=reader.flag("renew_tokens", default=True),
        watch=reader.flag("watch", default=True),
        start_ahead=reader.flag("start_ahead", default=True),
        max_runs=reader.number("max_runs", count_processors(), 1, 1000),
    )


def _document(path: Path) -> Mapping[str, Any]:
    subject = f"configuration {path}"
    try:
        data = path.read_bytes()
    except OSError as exc:
        why = exc.strerror or "it cannot be read"
        raise InputError(subject, OPERATION, why, "Name a file that this user can read (--config).") from exc
    documents = read_documents(data, file=path.name, meter=Meter(subject))
    if len(documents) != 1 or not isinstance(documents[0].value, Mapping):
        raise InputError(
            subject,
            OPERATION,
            "it is not one map of settings",
            "Begin with: inventory: /etc/plumb/inventory.yml",
        )
    return documents[0].value


def _memory(state_dir: Path) -> str:
    """Return a folder on memory where there is one. Each state folder has its own, since only one agent uses that."""
    shared = Path("/dev/shm")  # noqa: S108 - used by way of a folder of our own, whose owner and mode are checked
    if shared.is_dir() and os.access(shared, os.W_OK):
        of_state = hashlib.sha256(str(state_dir).encode()).hexdigest()[:12]
        return str(shared / f"plumb-{os.getuid()}" / of_state)
    return str(state_dir / "run")


def _http(reader: ConfigReader) -> Http:
    inner = reader.inner("http", {field.name for field in fields(Http)} - {"host", "port"} | {"listen"})
    listen = inner.text("listen", "127.0.0.1:8400")
    match = _LISTEN.fullmatch(listen)
    if match is None or int(match[2]) > 65535:
        raise inner.refused("listen", f"{listen[:80]!r} is not an address and a port", "127.0.0.1:8400")
    host, header = match[1].strip("[]"), inner.text("trusted_user_header", "")
    if header and not _HEADER.fullmatch(header):
        raise inner.refused(
            "trusted_user_header", f"{header[:80]!r} is not the name of a header", "X-Forwarded-User"
        )
    if header and not is_loopback(host):
        why = f"whoever reaches {host or 'any address'} could claim to be any user; listen on the loopback interface"
        raise inner.refused("trusted_user_header", why, 'listen: "127.0.0.1:8400"')
    return Http(
        host=host,
        port=int(match[2]),
        token_file=inner.path("token_file"),
        audit_token_file=inner.path("audit_token_file"),
        trusted_user_header=header,
        webhooks=_webhooks(inner),
    )


def _webhooks(reader: ConfigReader) -> tuple[Webhook, ...]:
    webhooks: dict[str, Webhook] = {}
    for index, item in enumerate(reader.items("webhooks")):
        inner = replace(item, known={field.name for field in fields(Webhook)})
        name = inner.text("name", "")
        if not _HOOK_NAME.fullmatch(name) or name in webhooks:
            why = f"{name[:80]!r} of number {index + 1} is not a valid name, or is used twice"
            raise inner.refused("name", why, "fleet: letters, digits, '.', '_' and '-'")
        kind = inner.choice("kind", KINDS)
        secret_file = inner.path("secret_file") or inner.missing("secret_file")
        webhooks[name] = Webhook(
            name=name, kind=kind, secret_file=secret_file, sources=inner.texts("sources")
        )
    return tuple(webhooks.values())


def is_loopback(host: str) -> bool:
    """Return whether this name or address can only lead to this machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _election(reader: ConfigReader) -> Election | None:
    if reader.values.get("leader_election") is None:
        return None
    inner = reader.inner("leader_election", {field.name for field in fields(Election)})
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
            "retry", "at least two of them must fit into the duration", "3s, with a duration of 15s"
        )
    return election
