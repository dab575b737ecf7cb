# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renews the tokens that the agent works with: those of service accounts, in files that a kubeconfig names.

An account may ask for a new token of its own (create on `serviceaccounts/token` with its name). It does so when half of
a token's life is over, so that days are left to see that it does not succeed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.credentials.connection_settings import (
    LARGEST_TOKEN,
)
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.credentials.kubeconfig import token_file_of
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.credentials.service_account import (
    read_claims,
    request_token,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError, PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.state.file import read_bounded, write_whole

from ..core.daemon_threads import in_daemon_thread
from ..core.log import Log
from ..store.agent_state import AgentState

_SPENT = 0.5  # of its life; then a token is renewed
_PAUSE = 30.0  # seconds between two rounds
_PATIENCE = 20.0  # seconds for a renewal


@dataclass(frozen=True, slots=True)
class AgentCredentials:
    """A kubeconfig and a context that the agent works with."""

    kubeconfig: Path
    context: str


class TokenRenewer:
    """Renews the tokens of all clusters and of the election when they are due."""

    def __init__(self, in_force: Callable[[], AgentState], log: Log) -> None:
        self._in_force = in_force
        self._log = log
        self._problems: dict[AgentCredentials, str] = {}
        self._renewals: dict[AgentCredentials, asyncio.Task[None]] = {}

    async def loop(self) -> None:
        """Renew for ever."""
        try:
            while True:
                credentials = credentials_in_use(self._in_force())
                self._problems = {
                    access: problem for access, problem in self._problems.items() if access in credentials
                }
                # One that does not come back, such as from a file system that hangs, holds up no other.
                for access in sorted(credentials - self._renewals.keys(), key=str):
                    self._renewals[access] = asyncio.create_task(self._renew(access))
                await asyncio.sleep(_PAUSE)
        finally:
            for task in tuple(self._renewals.values()):
                task.cancel()

    async def _renew(self, access: AgentCredentials) -> None:
        try:
            renewed = await in_daemon_thread(lambda: renew(access, time.time()))
        except Exception as error:  # noqa: BLE001 - of one cluster's files; the loop goes on
            problem = (
                str(error) if isinstance(error, PlumbError | OSError) else f"{type(error).__name__}: {error}"
            )
            if self._problems.get(access) != problem:
                self._problems[access] = problem
                self._log.error("token not renewed", kubeconfig=access.kubeconfig, why=problem)
            return
        finally:
            del self._renewals[access]
        self._problems.pop(access, None)
        if renewed:
            self._log.info("token renewed", kubeconfig=access.kubeconfig, account=renewed)


def _text(file: Path) -> str:
    try:
        return read_bounded(file, LARGEST_TOKEN).decode()
    except UnicodeDecodeError:
        why, step = "it is no text", "Restore the file, or run plumb.gitops.bootstrap, which makes a new one."
        raise InputError(f"token file {file}", "reading it", why, step) from None


def credentials_in_use(in_force: AgentState) -> frozenset[AgentCredentials]:
    """Return the credentials that are in use now."""
    if not in_force.config.renew_tokens:
        return frozenset()
    connections = [settings["connection"] for settings in in_force.accepted.settings.values()]
    credentials = {
        AgentCredentials(Path(connection["kubeconfig"]), connection.get("context") or "")
        for connection in connections
        if connection.get("kubeconfig")
    }
    election = in_force.config.leader_election
    if election is not None and election.kubeconfig is not None:
        credentials.add(AgentCredentials(election.kubeconfig, election.context))
    return frozenset(credentials)


def renew(access: AgentCredentials, now: float) -> str:
    """Renew the token if that is due at `now` (seconds since 1970). Return the account's name; empty if it was not due.

    The file keeps its place and mode and is replaced as a whole. Raises InputError, a RequestError or OSError.
    """
    file = token_file_of(access.kubeconfig, access.context)
    claims = read_claims(_text(file)) if file is not None else None
    if file is None or claims is None or not claims.has_spent(_SPENT, now):
        return ""
    account = f"{claims.namespace}/{claims.name}"
    if claims.has_spent(1, now):
        raise InputError(
            f"token of service account {account} in {file}",
            "renewing it",
            "it has expired",
            "Run plumb.gitops.bootstrap, which makes a new one.",
        )
    connection = ConnectionSpec(kubeconfig=access.kubeconfig, context=access.context)
    with connect(connection) as cluster, cluster.deadline(_PATIENCE):
        token = request_token(cluster, claims.namespace, claims.name, claims.expires - claims.issued)
    write_whole(file, token.value)
    return account
