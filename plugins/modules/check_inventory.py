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
  - Checks every variable of the host whose name begins with C(plumb_), before a task uses it.
  - Fails for an unknown name, and suggests the nearest known one. Fails also for values of a wrong type, for invalid
    durations, limits and names, and for apps that depend on each other in a circle.
attributes:
  check_mode:
    support: full
    description: It only reads.
  diff_mode:
    support: none
    description: It changes nothing, so there is no difference to show.
  action:
    support: full
    description: It runs where ansible-playbook runs, as an action plugin.
author: The Plumb authors (@plumb-gitops)
options:
  group:
    description:
      - The group whose hosts are the clusters. The task fails if the inventory has no host in it.
      - Ansible skips a play for a group without a host, and reports nothing.
    type: str
  settings:
    description:
      - Whether to return the settings that follow from the variables, for a program that schedules runs on the host.
      - The addresses of sources are then checked as well, since an address with a password would be returned with it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check the inventory
  plumb.gitops.check_inventory:

- name: Check it, and that there is a cluster
  plumb.gitops.check_inventory:
    group: plumb_clusters

- name: Check it, and return the settings
  plumb.gitops.check_inventory:
    settings: true
"""

RETURN = r"""
paths:
  description: The paths that apps name, by source, for O(plumb.gitops.pull#module:paths).
  returned: when nothing is wrong
  type: dict
apps:
  description: The apps of C(plumb_only), with C(name), C(source) and C(path), for O(plumb.gitops.pull#module:apps).
  returned: when nothing is wrong and C(plumb_only) is given
  type: list
  elements: dict
settings:
  description: The settings that follow from the variables, without secrets; paths of files with secrets are in it.
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
        - The variable C(plumb_config), and as C(file) the file in the cache with the config in force.
        - Null where the variable is not set.
      type: dict
    cache_dir:
      description: The cache folder, never empty.
      type: str
    connection:
      description:
        - The connection options that are given, without C(api_key) and C(proxy), which may be secrets.
      type: dict
"""
