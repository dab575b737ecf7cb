#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_key
short_description: Let an agent read one repository of a forge
version_added: 0.1.0
description:
  - Creates a key pair if there is none, and adds its public half to the repository as a deploy key that may only read.
  - On GitLab, also creates a deploy token for Git over HTTP, in a file.
  - Keys with another title, or of others, are left alone.
attributes:
  check_mode:
    support: full
    description: It asks the forge all the same, so a token without the right to list deploy keys is noticed.
  diff_mode:
    support: full
    description: The files and keys that are added and removed, never their content.
author: The Plumb authors (@plumb-gitops)
requirements: [requests, ssh-keygen]
extends_documentation_fragment:
  - plumb.gitops.forge
options:
  title:
    description: The name of the key or token at the forge. Each agent of a repository uses its own.
    type: str
    required: true
  key_file:
    description:
      - The file of the private key. If it does not exist, a pair of type ed25519 without a passphrase is created. The
        public half is written beside it with C(.pub). The private key gets mode 0600.
      - Exactly one of O(key_file) and O(deploy_token_file) is given.
    type: path
  deploy_token_file:
    description:
      - The file for a deploy token, mode 0600. If the file or the token does not exist, a new token is created.
      - Only GitLab has deploy tokens.
    type: path
  read_only:
    description: Whether the key may only read.
    type: bool
    default: true
  known_hosts_file:
    description:
      - The operator's file with the forge's host keys. If given, it must have a key of the repository's host. That
        is checked before anything is changed.
    type: path
  state:
    description: With V(absent), the key is removed from the repository, and its files are removed.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: plumb.gitops.repository
"""

EXAMPLES = r"""
- name: Let the agent read the fleet over ssh
  plumb.gitops.deploy_key:
    forge: github
    url: https://github.com
    owner: example
    name: fleet
    token_file: /etc/plumb/forge-token
    title: plumb prod-eu
    key_file: /etc/plumb/fleet-key
    known_hosts_file: /etc/plumb/known_hosts

- name: Let the agent read the fleet over HTTP
  plumb.gitops.deploy_key:
    forge: gitlab
    url: https://gitlab.example.com
    owner: platform/clusters
    name: fleet
    token_file: /etc/plumb/forge-token
    title: plumb prod-eu
    deploy_token_file: /etc/plumb/git-token
"""

RETURN = r"""
url:
  description: The repository's address that the key or token is for.
  returned: when O(state=present)
  type: str
username:
  description: The user name that goes with a deploy token.
  returned: when there is a deploy token
  type: str
public_key:
  description: The public half of the key.
  returned: when there is a key
  type: str
made:
  description: Whether a key pair or a token was created now, or in a check would be created.
  returned: success
  type: bool
added:
  description: Whether it was added to the repository now, or in a check would be added.
  returned: success
  type: bool
removed:
  description: Whether one was removed from the repository now, or in a check would be removed.
  returned: success
  type: bool
"""

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.forge import DEPLOY_KEY
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import run_module


def main() -> None:
    """Run the module."""
    run_module(DEPLOY_KEY)


if __name__ == "__main__":
    main()
