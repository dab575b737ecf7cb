# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster, as whom: what the operator names, and the way from there to a Cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .client import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSpec:
    """The connection options, named as kubernetes.core names them. An empty text or None: not given.

    Nothing is looked for in a home folder: a cluster is named by `kubeconfig` or by `host`, or it is the one around
    this pod, if `in_cluster` allows that.
    """

    kubeconfig: Path | None = None
    context: str = ""  # empty: the kubeconfig's current-context
    host: str = ""
    api_key: str = field(default="", repr=False)
    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    validate_certs: bool | None = None  # None: as the kubeconfig says, else true
    proxy: str = field(default="", repr=False)  # may carry a password
    impersonate_user: str | None = None
    impersonate_groups: tuple[str, ...] = ()
    in_cluster: bool = True  # whether a pod's service account may serve where nothing is named
    request_timeout: float = 30.0  # seconds, of one attempt
    concurrency: int = 16  # requests at once


def connect(spec: ConnectionSpec) -> Cluster:
    """A Cluster to be used as a context manager. No request is made yet, but a kubeconfig's exec plugin runs.

    Raises InputError where the options name no cluster, or one that is not there.
    """
    raise NotImplementedError
