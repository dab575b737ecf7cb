#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: check_inventory
short_description: Check the plumb variables of a host
version_added: 0.1.0
description:
  - Looks at every variable of the host whose name begins with C(plumb_), before anything is done with them.
  - Fails for a word that is not known, and names the nearest one that is; for values of a wrong type; for durations,
    limits and names that cannot be; for apps that depend on each other in a circle.
attributes:
  check_mode:
    support: full
    description: It only reads.
  diff_mode:
    support: none
    description: It changes nothing that could be shown.
  action:
    support: full
    description: It runs where ansible-playbook runs, as an action plugin.
author: The Plumb authors (@plumb-gitops)
options:
  group:
    description:
      - The group whose hosts are the clusters. It fails where the inventory has no host in it.
      - Ansible passes over a play for a group that has no host, and nobody would be told.
    type: str
  settings:
    description:
      - Whether to return what the variables come to, for a program that schedules runs on the host.
      - The addresses of sources are then checked as well, since one that holds a password would be returned with it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check the inventory
  plumb.gitops.check_inventory:

- name: Check it, and that there is a cluster
  plumb.gitops.check_inventory:
    group: plumb_clusters

- name: Check it, and say what it comes to
  plumb.gitops.check_inventory:
    settings: true
"""

RETURN = r"""
paths:
  description: The paths that apps name, by source, for O(plumb.gitops.pull#module:paths).
  returned: when nothing is wrong
  type: dict
settings:
  description: What the variables come to. It holds no secret, only the paths of files with some.
  returned: when O(settings) is true
  type: dict
  contains:
    sources:
      description: The sources, with the options of M(plumb.gitops.pull).
      type: list
      elements: dict
    apps:
      description: The apps, each with C(name), C(source), C(path), C(suspend) and C(depends_on).
      type: list
      elements: dict
    config:
      description:
        - The variable C(plumb_config), and as C(file) the file in the cache that holds what is in force.
        - Null where the variable is not set.
      type: dict
    cache_dir:
      description: The folder for what can be made anew, never empty.
      type: str
    connection:
      description:
        - The connection options that are given, without C(api_key) and C(proxy), which hold or may hold a secret.
      type: dict
"""
