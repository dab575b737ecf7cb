#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: service_account_token
short_description: Keep a service account's token in a file
version_added: 0.1.0
description:
  - Asks the cluster for a token that expires (TokenRequest) and writes it to a file of mode 0600; on request also a
    kubeconfig that reads the token from that file.
  - The file does not change while its token is this account's, is in the first half of its life, and the cluster
    accepts it.
  - The token appears in no result and no log.
attributes:
  check_mode:
    support: full
    description: It returns what it would write. Asking whether the current token is accepted stores nothing.
  diff_mode:
    support: partial
    description: It shows which file gets new content, never the content.
  action:
    support: full
    description: On a local connection it runs in Ansible's own process, elsewhere as a module. The result is the same.
author: The Plumb authors (@plumb-gitops)
requirements:
  - httptools
  - urllib3
  - PyYAML
  - "kubernetes (for kubeconfigs with a credential plugin: requirements-plugins.txt)"
extends_documentation_fragment:
  - plumb.gitops.account
  - plumb.gitops.connection
options:
  token_file:
    description: The file for the token.
    type: path
    required: true
  kubeconfig_file:
    description:
      - The file for a kubeconfig of mode 0600, with the address and the CA of this connection. None if not given.
      - If both files are in one folder, it names the token's file without a path, so that both can be moved.
    type: path
  cluster:
    description: The name of the cluster, and of the only context, in O(kubeconfig_file).
    type: str
    default: cluster
  server:
    description: The URL of the API server in O(kubeconfig_file), if it differs from that of this connection.
    type: str
    default: ''
  lifetime:
    description: How long a new token is valid, from V(10m) to V(168h). The cluster may allow less.
    type: str
    default: 168h
seealso:
  - module: plumb.gitops.access_rules
"""

EXAMPLES = r"""
- name: Keep a token for the agent
  plumb.gitops.service_account_token:
    kubeconfig: ~/.kube/admin
    account: plumb-agent
    account_namespace: plumb-system
    token_file: /etc/plumb/prod.token
    kubeconfig_file: /etc/plumb/prod.kubeconfig
    cluster: prod
"""

RETURN = r"""
token_changed:
  description: Whether the token's file was, or would be, written.
  returned: success
  type: bool
kubeconfig_changed:
  description: Whether the kubeconfig was, or would be, written.
  returned: success
  type: bool
token_file:
  description: The file with the token.
  returned: success
  type: str
kubeconfig_file:
  description: The kubeconfig; empty if none is wanted.
  returned: success
  type: str
expires:
  description: When the token expires, RFC 3339 in UTC; empty if a check found none.
  returned: success
  type: str
"""

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.access import (
    SERVICE_ACCOUNT_TOKEN,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import run_module


def main() -> None:
    """Run the module."""
    run_module(SERVICE_ACCOUNT_TOKEN)


if __name__ == "__main__":
    main()
