# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `for_agent`: what an agent gets of a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: for_agent
short_description: What an agent gets of a cluster
version_added: 0.1.0
author: The Plumb authors (@plumb-gitops)
description:
  - Takes what P(plumb.gitops.cluster#filter) returned. Returns the variables for the agent's own inventory, and the
    files that the sources name, which must be copied to the agent's host.
  - A value with template syntax is refused, because it would be evaluated where the agent runs.
options:
  _input:
    description: A cluster.
    type: dict
    required: true
  access:
    description: The folder for kubeconfigs and tokens on the agent's host.
    type: str
    required: true
  credentials:
    description: The folder for copied files on the agent's host.
    type: str
    required: true
  cache:
    description: The cache folder on the agent's host.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show an agent's inventory
  ansible.builtin.debug:
    msg: "{{ (hostvars['prod'] | plumb.gitops.cluster | plumb.gitops.for_agent(**folders)).variables }}"
  vars:
    folders:
      access: /var/lib/plumb/access
      credentials: /etc/plumb/credentials
      cache: /var/cache/plumb
"""

RETURN = r"""
_value:
  description: The cluster.
  type: dict
  contains:
    name:
      description: The name of the host.
      type: str
    server:
      description: As in the input.
      type: str
    connection:
      description: As in the input.
      type: dict
    variables:
      description: The variables of the host in the agent's inventory.
      type: dict
    files:
      description: The files to copy, each with C(src) and C(dest).
      type: list
      elements: dict
    folder:
      description: The folder of all C(dest).
      type: str
    ports:
      description: The TCP ports that its sources, images, forge and their proxies name, or that go with their schemes.
      type: list
      elements: int
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.interface.agent.inventory import for_agent


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"for_agent": for_agent}
