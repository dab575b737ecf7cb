# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may talk to the API server: static tokens and a kubeconfig for each user."""

from __future__ import annotations

import base64
import csv
import io
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plumb_sandbox.layout import CONTEXT, Layout, write_private


@dataclass(frozen=True, slots=True)
class User:
    """A name with its groups; what it may do follows from RBAC alone."""

    name: str
    groups: tuple[str, ...] = ()

    @property
    def account(self) -> str:
        """The name without what Kubernetes reserves."""
        return self.name.rpartition(":")[2]


ADMIN = User("admin", ("system:masters",))
CONTROLLER_MANAGER = User("system:kube-controller-manager")
SCHEDULER = User("system:kube-scheduler")
KWOK = User("sandbox-kwok", ("system:masters",))
VIEWER = User("viewer")
TENANT = User("tenant")
NOBODY = User("nobody")
USERS: tuple[User, ...] = (ADMIN, CONTROLLER_MANAGER, SCHEDULER, KWOK, VIEWER, TENANT, NOBODY)

_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: {context}
clusters:
  - name: {context}
    cluster:
      server: {server}
      certificate-authority-data: {authority}
contexts:
  - name: {context}
    context:
      cluster: {context}
      user: {user}
users:
  - name: {user}
    user:
      token: {token}
"""


def token_file(layout: Layout) -> Path:
    """Return the path of the API server's static token file."""
    return layout.root / "tokens.csv"


def make_tokens(layout: Layout) -> dict[str, str]:
    """Return a token for each user, from the token file or made now; write the file."""
    path = token_file(layout)
    known: dict[str, str] = {}
    if path.exists():
        known = {row[1]: row[0] for row in csv.reader(path.read_text(encoding="utf-8").splitlines())}
    tokens = {user.name: known.get(user.name) or secrets.token_urlsafe(24) for user in USERS}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for user in USERS:
        writer.writerow((tokens[user.name], user.name, user.name, ",".join(user.groups)))
    write_private(path, text.getvalue())
    return tokens


def kubeconfig_path(layout: Layout, user: User) -> Path:
    """Return the path of USER's kubeconfig."""
    return layout.kubeconfig if user is ADMIN else layout.kubeconfig_of(user.account)


def write_kubeconfigs(layout: Layout, server: str, ca_cert: Path, tokens: Mapping[str, str]) -> None:
    """Write a kubeconfig for each user: context `sandbox`, mode 0600, no reference to other files."""
    authority = base64.b64encode(ca_cert.read_bytes()).decode()
    for user in USERS:
        text = _KUBECONFIG.format(
            context=CONTEXT, server=server, authority=authority, user=user.account, token=tokens[user.name]
        )
        write_private(kubeconfig_path(layout, user), text)
