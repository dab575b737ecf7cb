# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that give an agent its account do between their options and their results."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...cluster.client import Cluster
from ...cluster.connection import connect, endpoint
from ...cluster.credentials.service_account import (
    TokenClaims,
    account_uid,
    is_accepted,
    kubeconfig_text,
    read_claims,
    request_token,
)
from ...model.duration import parse_duration
from ...model.errors import InputError, printable
from ...model.run_options import RunOptions
from ...reconcile.rbac.cluster_rights import cluster_rights
from ...reconcile.rbac.required_rules import AgentAccount, missing_for_setup
from ...reconcile.rbac.required_rules import required_rules as rules_for
from ...reconcile.run import Run
from ...render.app import render_path
from ...render.bounds.memory_budget import MemoryBudget
from ...state.file import write_whole
from ..inventory.git_config import apps_in_force, config_report
from ..parsing.engine_values import app_specs, connection_spec, pulled_sources
from .mode import Mode

_SHORTEST = 600.0  # seconds; the API server gives no token for less
_KEPT = 0.5  # of its life; a token that has spent more is replaced


def access_rules(options: Mapping[str, Any], _mode: Mode) -> dict[str, Any]:
    """The result of `access_rules`: the rules, and all that is wrong with them at once. Never `changed`."""
    account = _account(options)
    given = [
        {key: value for key, value in rule.items() if value is not None}
        for rule in options.get("rules") or ()
    ]
    budget = MemoryBudget.of_process()
    run = Run(
        apps=app_specs([*options["apps"], *apps_in_force(options)]),
        sources=pulled_sources(options["sources"]),
        render=lambda checkout, app: render_path(
            checkout.path, app.path, subject=f"app {app.name}", budget=budget
        ),
        options=RunOptions(owner=options["owner"], namespace=options["namespace"]),
    )
    with connect(connection_spec(options)) as cluster:
        found = rules_for(cluster, run, account, escalate=bool(options.get("escalate") or given))
        lacking = missing_for_setup(cluster, account) if options.get("setup") else ()
    result: dict[str, Any] = {
        "changed": False,
        "rules": given or [rule.document() for rule in found.everywhere],
        "own_rules": [rule.document() for rule in found.own],
        "kinds": [str(kind) for kind in found.kinds],
        "cluster_rights": [{"kind": str(kind), "why": why} for kind, why in cluster_rights(found.kinds)],
    }
    config = config_report(options)
    problems = [*lacking, *found.problems, *([config.error] if config is not None and config.error else [])]
    if problems:
        result |= {"failed": True, "msg": "\n".join(problems)}
    return result


def _account(options: Mapping[str, Any]) -> AgentAccount:
    # Ansible's own kind of text is not for files.
    return AgentAccount(
        namespace=str(options.get("account_namespace") or "plumb-system"),
        name=str(options.get("account") or "plumb-agent"),
    )


def service_account_token(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """The result of `service_account_token`: whether the files were, or would be, written. Never the token."""
    account, token_file = _account(options), Path(options["token_file"])
    lifetime = parse_duration(options.get("lifetime") or "168h", subject="lifetime")
    if lifetime < _SHORTEST:
        raise InputError("lifetime", "reading it", "it is below 10m", "The API server gives no shorter one.")
    with connect(connection_spec(options)) as cluster:
        held = _held(cluster, account, token_file)
        expires, due = (held.expires if held else 0.0), held is None
        if due and not mode.check:
            token = request_token(cluster, account.namespace, account.name, lifetime)
            _write(token_file, token.value)
            expires = token.expires
    kubeconfig, written = _kubeconfig(options, account, token_file, mode)
    return {
        "changed": due or written,
        "token_changed": due,
        "kubeconfig_changed": written,
        "token_file": str(token_file),
        "kubeconfig_file": kubeconfig,
        "expires": _shown(expires),
        **({"diff": {"prepared": _told(token_file, due, kubeconfig, written)}} if mode.diff else {}),
    }


def _held(cluster: Cluster, account: AgentAccount, token_file: Path) -> TokenClaims | None:
    """The claims of the token in the file, where it can stay: of this account, in its first half, still taken."""
    try:
        text = token_file.read_text(encoding="utf-8").strip()
        private = token_file.stat().st_mode & 0o077 == 0
    except (OSError, UnicodeDecodeError):
        return None
    claims = read_claims(text)
    uid = account_uid(cluster, account.namespace, account.name)
    fits = (
        claims is not None
        and private
        and (claims.namespace, claims.name, claims.uid) == (account.namespace, account.name, uid)
        and not claims.has_spent(_KEPT, time.time())
        and is_accepted(cluster, text)
    )
    return claims if fits else None


def _kubeconfig(
    options: Mapping[str, Any], account: AgentAccount, token_file: Path, mode: Mode
) -> tuple[str, bool]:
    """The path of the kubeconfig, and whether it was or would be written."""
    if not options.get("kubeconfig_file"):
        return "", False
    target = Path(options["kubeconfig_file"])
    place = endpoint(connection_spec(options))
    if options.get("server"):
        place = replace(place, server=str(options["server"]).rstrip("/"))
    named = token_file.name if token_file.parent == target.parent else str(token_file)
    text = kubeconfig_text(
        place, cluster=str(options.get("cluster") or "cluster"), user=account.name, token_file=named
    )
    try:
        same = target.read_text(encoding="utf-8") == text and target.stat().st_mode & 0o077 == 0
    except (OSError, UnicodeDecodeError):
        same = False
    if not same and not mode.check:
        _write(target, text)
    return str(target), not same


def _write(target: Path, text: str) -> None:
    try:
        write_whole(target, text)
    except OSError as error:
        raise InputError(
            f"file {target}",
            "writing the credentials of a service account",
            printable(error.strerror or str(error)),
            "Name a place that this user can write, with room left.",
        ) from error


def _shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _told(token_file: Path, due: bool, kubeconfig: str, written: bool) -> str:
    lines = ((f"token {token_file}: a new one\n", due), (f"kubeconfig {kubeconfig}: written\n", written))
    return "".join(line for line, holds in lines if holds)
