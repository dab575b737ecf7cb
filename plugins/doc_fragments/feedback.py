# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of feedback on a commit, documented once."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation, as Ansible looks for it."""

    DOCUMENTATION = r"""
options:
  pulled:
    description: What M(plumb.gitops.pull) returned as RV(plumb.gitops.pull#module:sources).
    type: list
    elements: dict
    required: true
  only:
    description: The apps of this run; all if empty.
    type: list
    elements: str
    default: []
  suspended:
    description: Apps that this run leaves alone.
    type: list
    elements: str
    default: []
  applied:
    description: The result of M(plumb.gitops.apply), once there is one.
    type: dict
  apps:
    description: The apps, as M(plumb.gitops.apply) takes them.
    type: list
    elements: dict
    required: true
  config:
    description:
      - What M(plumb.gitops.pull) returned as RV(plumb.gitops.pull#module:config). Its apps are added to O(apps).
    type: dict
  cluster:
    description: The name of the cluster.
    type: str
    required: true
  page_url:
    description: The address of a page with more information, such as the agent's.
    type: str
    default: ''
  cache_dir:
    description: The cache folder, with what was reported before. It may be lost. C(~/.cache/plumb) if not given.
    type: path
"""
