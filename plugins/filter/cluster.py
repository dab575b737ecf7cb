# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's variables say of the cluster that it is."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster
short_description: What a host's plumb variables say of its cluster
version_added: 0.1.0
author: The Plumb authors (@plumb-gitops)
description:
  - Takes the variables of a host that is a cluster, and gives the connection to it and what an agent of it works with.
  - A word whose variable the host does not have is left out.
options:
  _input:
    description: The variables of a host, such as C(hostvars[inventory_hostname]).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Ask a cluster
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
      description: What C(plumb_agent_place) is; empty if not given.
      type: str
    server:
      description: What C(plumb_agent_server) is; empty if not given.
      type: str
    connection:
      description: The connection options, as the modules and C(module_defaults) take them.
      type: dict
    variables:
      description: The other words that an agent's inventory has, without C(plumb_).
      type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.interface.agent.inventory import cluster


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster": cluster}
