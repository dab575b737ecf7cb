# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `cluster`: the connection and the agent's variables of a host that is a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster
short_description: The cluster that a host is, from its plumb variables
version_added: 0.1.0
author: The Plumb authors (@plumb-gitops)
description:
  - Returns the connection to a cluster, and the variables that its agent needs, from the variables of its host.
  - An option whose variable the host does not have is left out.
options:
  _input:
    description: The variables of a host, such as C(hostvars[inventory_hostname]).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Use the connection of each cluster
  hosts: plumb_clusters
  module_defaults:
    group/plumb.gitops.cluster: "{{ (hostvars[inventory_hostname] | plumb.gitops.cluster).connection }}"
"""

RETURN = r"""
_value:
  description: The cluster.
  type: dict
  contains:
    name:
      description: The name of the host.
      type: str
    place:
      description: The value of C(plumb_agent_place); empty if not given.
      type: str
    server:
      description: The value of C(plumb_agent_server); empty if not given.
      type: str
    connection:
      description: The connection options, as the modules and C(module_defaults) take them.
      type: dict
    variables:
      description: The other variables of an agent's inventory, without C(plumb_).
      type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.interface.agent.inventory import cluster


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"cluster": cluster}
