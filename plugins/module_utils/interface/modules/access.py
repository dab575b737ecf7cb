# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `access_rules` and `service_account_token` do between their options and their results."""

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
from ...reconcile.rbac.cluster_rights import cluster_rights
from ...reconcile.rbac.required_rules import AgentAccount, missing_for_setup, required_rules
from ...reconcile.run import Run
from ...render.app import render_path
from ...render.bounds.memory_budget import MemoryBudget
from ...state.file import write_whole
from ..inventory.git_config import apps_in_force, config_report
from ..options.agent import spec_of_access_rules, spec_of_service_account_token
from ..parsing.engine_values import app_specs, connection_spec, pulled_sources, run_options
from .main import ModuleWork
from .mode import Mode

_SHORTEST = 600.0  # seconds; the API server gives no token for less
_RENEWED_AFTER = 0.5  # of its life


def access_rules(options: Mapping[str, Any], _mode: Mode) -> dict[str, Any]:
    """Return the result of `access_rules`: the rules, and all that is wrong with them at once. Never `changed`."""
    account = _account(options)
    rules = [{key: value for key, value in rule.items() if value is not None} for rule in options["rules"]]
    budget = MemoryBudget.of_process()
    run = Run(
        apps=app_specs([*options["apps"], *apps_in_force(options)]),
        sources=pulled_sources(options["sources"]),
        render=lambda checkout, app: render_path(
            checkout.path, app.path, subject=f"app {app.name}", budget=budget
        ),
        options=run_options(options, check=True),
    )
    with connect(connection_spec(options)) as cluster:
        required = required_rules(
            cluster, run, account, escalate=bool(options["escalate"] or rules), reasons=options["reasons"]
        )
        missing = missing_for_setup(cluster, account) if options["setup"] else ()
    result: dict[str, Any] = {
        "changed": False,
        "rules": rules or [rule.document() for rule in required.everywhere],
        "own_rules": [rule.document() for rule in required.own],
        "kinds": [str(kind) for kind in required.kinds],
        "cluster_rights": [{"kind": str(kind), "why": why} for kind, why in cluster_rights(required.kinds)],
    }
    config = config_report(options)
    problems = [
        *missing,
        *required.problems,
        *([config.error] if config is not None and config.error else []),
    ]
    if problems:
        result |= {"failed": True, "msg": "\n".join(problems)}
    return result


def _account(options: Mapping[str, Any]) -> AgentAccount:
    # Ansible's own kind of text is not for files.
    return AgentAccount(
        namespace=str(options["account_namespace"]),
        name=str(options["account"]),
    )


def service_account_token(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the result of `service_account_token`: whether the files were, or would be, written. Never the token."""
    account, token_file = _account(options), Path(options["token_file"])
    lifetime = parse_duration(options["lifetime"], subject="lifetime")
    if lifetime < _SHORTEST:
        raise InputError("lifetime", "reading it", "it is below 10m", "The API server gives no shorter one.")
    with connect(connection_spec(options)) as cluster:
        claims = _usable_claims(cluster, account, token_file)
        expires, due = (claims.expires if claims else 0.0), claims is None
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
        "expires": _timestamp(expires),
        **({"diff": {"prepared": _diff(token_file, due, kubeconfig, written)}} if mode.diff else {}),
    }


def _usable_claims(cluster: Cluster, account: AgentAccount, token_file: Path) -> TokenClaims | None:
    """Return the claims of the token in the file if it can stay: of this account, in its first half, accepted."""
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
        and not claims.has_spent(_RENEWED_AFTER, time.time())
        and is_accepted(cluster, text)
    )
    return claims if fits else None


def _kubeconfig(
    options: Mapping[str, Any], account: AgentAccount, token_file: Path, mode: Mode
) -> tuple[str, bool]:
    """Return the path of the kubeconfig, and whether it was or would be written."""
    if not options["kubeconfig_file"]:
        return "", False
    target = Path(options["kubeconfig_file"])
    server = endpoint(connection_spec(options))
    if options["server"]:
        server = replace(server, server=str(options["server"]).rstrip("/"))
    token_name = token_file.name if token_file.parent == target.parent else str(token_file)
    text = kubeconfig_text(server, cluster=str(options["cluster"]), user=account.name, token_file=token_name)
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
            "Name a place that this user can write, with free space.",
        ) from error


def _timestamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _diff(token_file: Path, due: bool, kubeconfig: str, written: bool) -> str:
    lines = ((f"token {token_file}: a new one\n", due), (f"kubeconfig {kubeconfig}: written\n", written))
    return "".join(line for line, holds in lines if holds)


ACCESS_RULES = ModuleWork("access_rules", spec_of_access_rules(), access_rules)
SERVICE_ACCOUNT_TOKEN = ModuleWork(
    "service_account_token", spec_of_service_account_token(), service_account_token
)
