#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: preview
short_description: Comment on open pull requests with their effect on a cluster
version_added: 0.1.0
description:
  - Reads the open pull requests to the branches that O(sources) and those of O(config) follow, plans what each would
    change in the cluster, and keeps one comment on it up to date, with the plan and its risks.
  - Base and head are rendered under the same limits as every other revision. Nothing is written to the cluster.
  - A pull request that changes nothing in the cluster gets no comment. If its commits have not changed, it is planned
    again after O(max_age).
attributes:
  check_mode:
    support: full
    description: It plans, and writes no comment.
  diff_mode:
    support: none
    description: The comments are in the result.
  action:
    support: full
    description: On a local connection it runs in Ansible's own process, elsewhere as a module. The result is the same.
author: The Plumb authors (@plumb-gitops)
requirements:
  - requests
  - httptools
  - urllib3
  - PyYAML
  - semver
  - git
  - kubectl for kustomizations
  - "kubernetes (for kubeconfigs with a credential plugin: requirements-plugins.txt)"
extends_documentation_fragment:
  - plumb.gitops.fleet_forge
  - plumb.gitops.source
  - plumb.gitops.run.apps
  - plumb.gitops.connection
options:
  forks:
    description: Whether pull requests from forks are planned, too. This machine then renders what anybody proposes.
    type: bool
    default: false
  max_age:
    description: How long a plan is valid while neither the pull request nor its branch changes.
    type: str
    default: 1h
  diff:
    description:
      - How the differences of an object are shown. With V(unified), a unified diff of YAML; with V(fields), a line for
        each field. Without it, V(unified).
    type: str
    choices: [fields, unified]
  pulled:
    description: What M(plumb.gitops.pull) returned as RV(plumb.gitops.pull#module:sources).
    type: list
    elements: dict
    required: true
  cluster:
    description: The name of the cluster.
    type: str
    required: true
  suspended:
    description: Apps to leave alone.
    type: list
    elements: str
    default: []
  cache_dir:
    description: The folder for checkouts and for what was planned before. C(~/.cache/plumb) if not given.
    type: path
  cache_size:
    description:
      - How much of the disk the repositories and checkouts of sources may take, such as V(512Mi) or V(2Gi).
      - The oldest are removed first. A source that does not fit is in error, and its last good revision stays in force.
    type: str
    default: 1Gi
seealso:
  - module: plumb.gitops.diff
"""

EXAMPLES = r"""
- name: Preview pull requests
  plumb.gitops.preview:
    forge:
      kind: gitea
      url: https://git.example.com
      token_file: /etc/plumb/forge-token
    kubeconfig: /etc/plumb/prod.kubeconfig
    cluster: prod-eu
    sources: "{{ plumb_sources }}"
    pulled: "{{ pulled.sources }}"
    apps: "{{ plumb_apps }}"
"""

RETURN = r"""
pulls:
  description: The pull requests that were planned now and have a comment.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: The source.
      type: str
    number:
      description: The number of the pull request.
      type: int
    head:
      description: Its commit.
      type: str
    url:
      description: Its page.
      type: str
    commented:
      description: Whether the comment was written now, or in a check would be.
      type: bool
    comment:
      description: The comment, as Markdown.
      type: str
left_out:
  description:
    - Sources of the config in Git that are on the forge, in a repository for which the forge's token may not be used.
    - O(forge.repositories) can allow it.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import run_module
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.preview import PREVIEW


def main() -> None:
    """Run the module."""
    run_module(PREVIEW)


if __name__ == "__main__":
    main()
