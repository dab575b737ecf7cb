#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: commit_status
short_description: Set a commit status with the result of its rollout to a cluster
version_added: 0.1.0
description:
  - Sets a status of the commit for each app, named C(plumb/<cluster>/<app>), on the forge that the app's source is on.
  - Without O(applied), the status of an app whose commit is new becomes pending. With it, it becomes success, or
    failure with the reason.
  - Sources that a config in Git adds get statuses, too, where O(forge.repositories) allows their repository.
  - A status is set only when it changes. The last ones are remembered in O(cache_dir); if they are lost, the forge is
    asked.
  - It does not fail because of the forge. A status that could not be set is a warning, and the next run sets it.
attributes:
  check_mode:
    support: full
    description: It returns which statuses would be set, as far as that is known without the forge.
  diff_mode:
    support: none
    description: The statuses are in the result.
  action:
    support: full
    description: On a local connection it runs in Ansible's own process, elsewhere as a module. The result is the same.
author: The Plumb authors (@plumb-gitops)
requirements: [requests]
extends_documentation_fragment:
  - plumb.gitops.fleet_forge
  - plumb.gitops.feedback
options:
  sources:
    description: The sources, as M(plumb.gitops.pull) takes them. Their addresses decide which are on the forge.
    type: list
    elements: dict
    required: true
seealso:
  - module: plumb.gitops.apply
"""

EXAMPLES = r"""
- name: Set a status on the commit
  plumb.gitops.commit_status:
    forge:
      kind: gitea
      url: https://git.example.com
      token_file: /etc/plumb/forge-token
    cluster: prod-eu
    sources: "{{ plumb_sources }}"
    pulled: "{{ pulled.sources }}"
    apps: "{{ plumb_apps }}"
    applied: "{{ applied }}"
"""

RETURN = r"""
statuses:
  description: The statuses that were set, or in a check would be set.
  returned: success
  type: list
  elements: dict
  contains:
    commit:
      description: The commit.
      type: str
    context:
      description: The name of the status.
      type: str
    state:
      description: V(pending), V(success) or V(failure).
      type: str
    description:
      description: The text of the status.
      type: str
    link:
      description: The address that the status links to.
      type: str
undelivered:
  description: Why statuses could not be set.
  returned: success
  type: list
  elements: dict
  contains:
    receiver:
      description: Always V(commit statuses).
      type: str
    error:
      description: Why, and the next step.
      type: str
left_out:
  description:
    - Sources of the config in Git that are on the forge, in a repository for which the forge's token may not be used.
    - O(forge.repositories) can allow it.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.commit_statuses import (
    COMMIT_STATUS,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import run_module


def main() -> None:
    """Run the module."""
    run_module(COMMIT_STATUS)


if __name__ == "__main__":
    main()
