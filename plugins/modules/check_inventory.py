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
"""

EXAMPLES = r"""
- name: Check the inventory
  plumb.gitops.check_inventory:
"""

RETURN = r"""
"""
