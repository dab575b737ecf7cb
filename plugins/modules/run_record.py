#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: run_record
short_description: Keep what a run came to in a file, or read it back
version_added: 0.1.0
description:
  - An agent delivers commit statuses and notifications, and runs the hooks that follow a sync, outside of the run.
    The run writes what it came to into a file, and the run that delivers reads it.
  - What is read is a registered result, so no text from Git or a cluster passes through a template.
attributes:
  check_mode:
    support: full
    description: Nothing is written.
  diff_mode:
    support: none
    description: There is no difference to show.
  action:
    support: full
    description: It runs where ansible-playbook runs, as an action plugin.
author: The Plumb authors (@plumb-gitops)
options:
  path:
    description: The file. It is written whole or not at all, with mode 0600.
    type: path
    required: true
  state:
    description: Whether the file is V(written) or V(read).
    type: str
    choices: [read, written]
    default: read
  pulled:
    description:
      - The name of the variable that has the result of M(plumb.gitops.pull).
      - Required if O(state=written).
    type: str
  applied:
    description: The name of the variable that has the result of M(plumb.gitops.apply), if there is one.
    type: str
  only:
    description: The apps of the run; all if empty.
    type: list
    elements: str
    default: []
  suspended:
    description: Apps that the run left alone.
    type: list
    elements: str
    default: []
  part:
    description:
      - Which of the two results is returned.
      - Required if O(state=read).
    type: str
    choices: [applied, pulled]
"""

EXAMPLES = r"""
- name: Keep what the run came to
  plumb.gitops.run_record:
    path: /var/lib/plumb/deliveries/prod/20261201T120000.000000Z.json
    state: written
    pulled: pulled
    applied: applied

- name: Read what it applied
  plumb.gitops.run_record:
    path: /var/lib/plumb/deliveries/prod/20261201T120000.000000Z.json
    part: applied
  register: applied
"""

RETURN = r"""
sources:
  description: As M(plumb.gitops.pull) returned them.
  returned: if O(part=pulled)
  type: list
  elements: dict
config:
  description: As M(plumb.gitops.pull) returned it, with the commit of the config that is in force now.
  returned: if O(part=pulled), and there is a config in Git
  type: dict
apps:
  description: As M(plumb.gitops.apply) returned them, like all else of its result. RV(ignore:lines) is cut to 200.
  returned: if O(part=applied), and the apps were applied
  type: list
  elements: dict
"""
