# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a source, documented once."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation, as Ansible looks for it."""

    DOCUMENTATION = r"""
options:
  sources:
    description: The sources. They are pulled in parallel; one that fails does not stop the others.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name that apps refer to.
        type: str
        required: true
      url:
        description:
          - The repository, as C(https://...), C(ssh://...) or C(user@host:path). C(http) only to the loopback, or with
            O(sources[].allow_http).
          - Credentials in it are refused.
        type: str
        required: true
      branch:
        description: The branch to follow. Exactly one of branch, tag, semver and commit is given.
        type: str
      tag:
        description: The tag to follow.
        type: str
      semver:
        description: The range of versions to follow, such as V(>=1.2.0 <2.0.0) or V(~1.4). The highest tag is chosen.
        type: str
      commit:
        description: The commit, all of its digits.
        type: str
      username:
        description: The user that goes with O(sources[].token_file), if the host needs one.
        type: str
        default: ''
      token_file:
        description: The file with the token or password for C(https). A credential helper reads it when Git asks.
        type: path
      ssh_key_file:
        description: The file with the private key for C(ssh). It needs O(sources[].known_hosts_file).
        type: path
      known_hosts_file:
        description: The file with the host keys that are trusted for C(ssh).
        type: path
      ca_file:
        description: The file with the certificates of the authority that signed the host's.
        type: path
      proxy:
        description: The URL of an HTTP proxy.
        type: str
        default: ''
      allow_http:
        description: Whether C(http) is allowed to a host that is not the loopback.
        type: bool
        default: false
      rewritten:
        description:
          - What to do about a branch that was rewritten (a force push), and a tag that was moved.
          - With V(follow), it is followed, and a warning names the old and the new commit.
          - With V(refuse), the last good revision stays in force and the source is in error, until the ref is restored
            or is pulled once with V(follow).
        type: str
        choices: [follow, refuse]
        default: follow
      timeout:
        description: How long one request to the host may take, such as V(60s).
        type: str
        default: 60s
"""
