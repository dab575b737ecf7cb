# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reconcile playbook, with a Git server that a test can make fail instead of the forge."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.plumb.gitops.tests.support.ansible.fleet import Fleet
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream


@dataclass(slots=True)
class GitFleet(Fleet):
    """A fleet whose source `fleet` is `upstream`, served by `server`."""

    upstream: Upstream
    server: GitServer
