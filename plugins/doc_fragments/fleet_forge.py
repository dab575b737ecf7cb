# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for the forge of the fleet's repositories, documented once."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation, as Ansible looks for it."""

    DOCUMENTATION = r"""
options:
  forge:
    description: How to reach the forge. The source's address decides the repository.
    type: dict
    required: true
    suboptions:
      kind:
        description: The kind of forge. Forgejo has Gitea's API.
        type: str
        required: true
        choices: [gitea, forgejo, github, gitlab]
      url:
        description:
          - The forge's address as a browser shows it, such as V(https://git.example.com).
          - C(http) only to the loopback, or with O(forge.allow_http).
        type: str
        required: true
      token_file:
        description: The file with the access token for the forge's API, on one line. See docs/forges.md for its scopes.
        type: path
        required: true
      ca_file:
        description: The file with the certificates of the authority that signed the forge's, instead of the system's.
        type: path
      proxy:
        description: The URL of an HTTP proxy, without credentials. Without it the environment's proxies are used.
        type: str
        default: ''
      allow_http:
        description: Whether C(http) is allowed to a host that is not the loopback.
        type: bool
        default: false
      timeout:
        description: How long a request with its redirects and retries, or a list with all pages, may take.
        type: str
        default: 10s
      repositories:
        description:
          - The repositories in which the token may be used for sources that a config in Git adds, in addition to those
            of the inventory's own sources. Each is V(OWNER/NAME), or V(OWNER/*) for all of an owner.
          - Whoever can commit to the config can have statuses and comments written in each of them.
        type: list
        elements: str
        default: []
"""
