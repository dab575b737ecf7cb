#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Print what a run did, and decide whether the play fails
version_added: 0.1.0
description:
  - Prints the lines of M(plumb.gitops.apply), M(plumb.gitops.diff) or M(plumb.gitops.images) unchanged, each on a
    line of its own.
attributes:
  check_mode:
    support: full
    description: It only prints.
  diff_mode:
    support: none
    description: It changes nothing, so there is no difference to show.
  action:
    support: full
    description: It runs where ansible-playbook runs, as an action plugin.
author: The Plumb authors (@plumb-gitops)
options:
  variable:
    description:
      - The name of the variable that has the result of M(plumb.gitops.apply), M(plumb.gitops.diff) or
        M(plumb.gitops.images). Text from a cluster or from Git then passes through no template.
      - Exactly one of O(variable) and O(applied) is given.
    type: str
  applied:
    description: The result itself. Ansible takes long to template hundreds of actions.
    type: dict
  fail_on:
    description:
      - What makes the task fail.
      - With V(failure), anything that failed or was refused. With V(drift), drift as well. With V(never), nothing.
    type: str
    choices: [drift, failure, never]
    default: failure
"""

EXAMPLES = r"""
- name: Apply the apps
  plumb.gitops.apply:
    kubeconfig: /etc/plumb/prod.kubeconfig
    sources: "{{ pulled.sources }}"
    apps: "{{ plumb_apps }}"
  register: applied
  failed_when: applied.lines is not defined

- name: Report
  plumb.gitops.report:
    variable: applied
    fail_on: drift
"""

RETURN = r"""
drifted:
  description: Whether someone else changed or deleted what Git decides.
  returned: always
  type: bool
"""
