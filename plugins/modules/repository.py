#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: repository
short_description: Create a Git repository on a forge
version_added: 0.1.0
description:
  - Creates the repository if it does not exist, and makes the first commit if it is empty.
  - What exists already is left alone. Nothing is ever deleted, renamed or overwritten.
attributes:
  check_mode:
    support: full
    description: It asks the forge all the same, so a wrong token, owner or address is noticed.
  diff_mode:
    support: full
    description: The repository and the files of its first commit.
author: The Plumb authors (@plumb-gitops)
requirements:
  - requests
  - semver
  - git
extends_documentation_fragment:
  - plumb.gitops.forge
options:
  create:
    description: Whether to create the repository if it does not exist. Otherwise that is an error.
    type: bool
    default: true
  private:
    description: Whether a new repository is visible only to people with access.
    type: bool
    default: true
  description:
    description: The description of a new repository on the forge's page.
    type: str
    default: ''
  branch:
    description: The branch of the first commit.
    type: str
    default: main
  files:
    description:
      - The files of the first commit, as a map from a path to its text. Without files there is no commit.
      - They are pushed only if the repository has neither a branch nor a tag.
    type: dict
    default: {}
  commit_message:
    description: The message of the first commit.
    type: str
    default: Begin the fleet
  author_name:
    description: The author of the first commit.
    type: str
    default: Plumb
  author_email:
    description: The author's address.
    type: str
    default: plumb@localhost
seealso:
  - module: plumb.gitops.deploy_key
"""

EXAMPLES = r"""
- name: Have a repository for the fleet
  plumb.gitops.repository:
    forge: gitea
    url: https://git.example.com
    owner: platform
    name: fleet
    token_file: /etc/plumb/forge-token
    ca_file: /etc/ssl/example-ca.pem
    files:
      README.md: |
        # The fleet
"""

RETURN = r"""
repository:
  description: The repository.
  returned: success
  type: dict
  contains:
    exists:
      description: Whether it exists. False in a check that would create it.
      type: bool
    created:
      description: Whether it was created now, or in a check would be created.
      type: bool
    url:
      description: The address for Git over HTTP.
      type: str
    ssh_url:
      description: The address for Git over ssh, as the forge returns it.
      type: str
    page:
      description: The address of its page.
      type: str
    branch:
      description: Its default branch.
      type: str
    private:
      description: Whether it is visible only to people with access.
      type: bool
    commit:
      description: The first commit, if it was made now.
      type: str
"""

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.forge import REPOSITORY
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import run_module


def main() -> None:
    """Run the module."""
    run_module(REPOSITORY)


if __name__ == "__main__":
    main()
