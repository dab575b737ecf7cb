# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for reaching a repository on a forge, documented once."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation, as Ansible looks for it."""

    DOCUMENTATION = r"""
options:
  forge:
    description: The kind of forge. Forgejo has Gitea's API.
    type: str
    required: true
    choices: [gitea, forgejo, github, gitlab]
  url:
    description:
      - The forge's address as a browser shows it, such as V(https://git.example.com) or V(https://github.com).
      - C(http) only to the loopback, or with O(allow_http).
    type: str
    required: true
  owner:
    description: The user, organization or group that the repository belongs to. On GitLab it may be V(group/subgroup).
    type: str
    required: true
  name:
    description: The name of the repository.
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
    description:
      - The URL of an HTTP proxy, without credentials.
      - Without it the environment's proxies are used, except for the loopback.
    type: str
    default: ''
  allow_http:
    description: Whether C(http) is allowed to a host that is not the loopback.
    type: bool
    default: false
  timeout:
    description: How long a request with its redirects and retries, or a list with its pages, may take, such as V(30s).
    type: str
    default: 30s
"""
