#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pull
short_description: Pull Git sources into a cache
version_added: 0.1.0
description:
  - Resolves each source's branch, tag, semantic version range or commit, fetches what is new, and checks it out.
  - A source whose ref has not moved needs one request to its host. A commit that is in the cache needs none.
  - Never C(changed), because its cache is not state. Check mode does the same.
  - A checkout does not change while it is in use. Old ones are removed.
  - If a ref cannot be read, its last good revision stays in force if the cache has it, and the source is in error.
attributes:
  check_mode:
    support: full
    description: It pulls as well, because a check needs the revision.
  diff_mode:
    support: none
    description: It changes nothing, so there is no difference to show.
  action:
    support: full
    description: On a local connection it runs in Ansible's own process, elsewhere as a module. The result is the same.
author: The Plumb authors (@plumb-gitops)
requirements:
  - semver
  - git
  - "PyYAML (for config)"
extends_documentation_fragment:
  - plumb.gitops.source
  - plumb.gitops.progress
options:
  config:
    description:
      - A file of one of the sources with further sources and apps. It is read as data, never as a template.
      - A commit with an invalid file is refused, and the last valid one stays in force.
    type: dict
    suboptions:
      source:
        description: The name of the source that the file is in.
        type: str
        required: true
      path:
        description: The file in the source. It is YAML, with C(plumb_sources) and C(plumb_apps) and nothing else.
        type: str
        required: true
      credentials_dir:
        description:
          - The folder with the files that sources of the config may use, by their plain names. If it is not given, they
            may use none.
          - Whoever can commit to the config can have any of these files sent to any host.
        type: path
  apps:
    description:
      - The apps of the inventory, with the options of M(plumb.gitops.apply), for O(config).
      - The paths that they name are checked out.
    type: list
    elements: dict
    default: []
  paths:
    description:
      - "The paths to check out, by source, such as V({fleet: [apps/shop]}), besides those of O(apps) and O(config)."
      - Without O(paths), O(apps) and O(config) all of each source is checked out.
      - The files that links and kustomizations below a path refer to are checked out with it.
    type: dict
  only:
    description:
      - Names of apps, as for M(plumb.gitops.apply). Only the sources that they need and that of O(config) are pulled.
      - The others are returned as the last pull left them. Their errors do not fail the task.
    type: list
    elements: str
    default: []
  fetch:
    description:
      - V(always) pulls. V(never) asks no server, and returns each source as the last pull left it.
      - If the last pull failed, its error is returned. A source that was never pulled is in error.
      - Paths that the last pull did not check out are, from what it fetched.
    type: str
    choices: [always, never]
    default: always
  namespace:
    description: As for M(plumb.gitops.apply), for O(config).
    type: str
    default: plumb-system
  cluster:
    description: The cluster that O(config) is for. Each cluster has its own config in force.
    type: str
    default: ''
  cache_dir:
    description:
      - The cache folder. Repositories and checkouts are in its C(sources).
      - The config in force is in its C(config). If that is lost, an invalid config leaves none in force.
      - C(~/.cache/plumb) if not given.
    type: path
  cache_size:
    description:
      - How much of the disk the repositories and checkouts of sources may take, such as V(512Mi) or V(2Gi).
      - The oldest are removed first. A source that does not fit is in error, and its last good revision stays in force.
    type: str
    default: 1Gi
  record:
    description:
      - The file in which M(plumb.gitops.run_record) kept what an earlier task returned. If it is there, that is
        returned again, and nothing is pulled. An agent has a sync take the commits that its hook has seen.
    type: path
"""

EXAMPLES = r"""
- name: Pull what the fleet should be
  plumb.gitops.pull:
    sources:
      - name: fleet
        url: https://git.example.com/platform/fleet.git
        branch: main
        token_file: /etc/plumb/git-token
  register: pulled

- name: Pull it, and the sources and apps that a file in it has
  plumb.gitops.pull:
    sources:
      - name: fleet
        url: https://git.example.com/platform/fleet.git
        branch: main
        token_file: /etc/plumb/git-token
    config:
      source: fleet
      path: clusters/prod.yml
  register: pulled

- name: Follow releases over ssh
  plumb.gitops.pull:
    sources:
      - name: platform
        url: git@git.example.com:platform/base.git
        semver: ">=1.2.0 <2.0.0"
        ssh_key_file: /etc/plumb/deploy-key
        known_hosts_file: /etc/plumb/known_hosts
"""

RETURN = r"""
config:
  description: The config in Git that is in force. Its content is in a file, for M(plumb.gitops.apply).
  returned: when O(config) is given
  type: dict
  contains:
    source:
      description: The source that it is in.
      type: str
    file:
      description: The file in the source.
      type: str
    path:
      description: The file in the cache with the config in force, if there is one.
      type: str
    commit:
      description: The commit that is in force.
      type: str
    error:
      description: Why that is not the config that Git has now. Only if it is not.
      type: str
sources:
  description: The sources in the order given, followed by those of the config.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name of the source.
      type: str
    path:
      description: The folder with the files that were checked out. Read only.
      type: str
    error:
      description: Why there is no revision, or why it is an older one. Only for a source that failed.
      type: str
    warning:
      description: What was noticed, such as a rewritten ref. Only if there is something.
      type: str
    revision:
      description: The commit.
      type: dict
      contains:
        ref:
          description: The ref that was requested.
          type: str
        resolved:
          description: The tag that a range chose.
          type: str
        commit:
          description: The commit, all of its digits.
          type: str
        subject:
          description: The first line of its message.
          type: str
        author:
          description: The author's C(name) and C(email), as in the commit.
          type: dict
        committer:
          description: The committer's C(name) and C(email), as in the commit.
          type: dict
        authored:
          description: When it was written, RFC 3339 in UTC.
          type: str
        committed:
          description: When it was committed, RFC 3339 in UTC.
          type: str
"""

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import run_module
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.pull import PULL


def main() -> None:
    """Run the module."""
    run_module(PULL)


if __name__ == "__main__":
    main()
