#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: apply
short_description: Bring a cluster to what Git says
version_added: 0.1.0
description:
  - Plans each app as M(plumb.gitops.diff) does, and executes the plan by server-side apply.
  - Objects that left Git are pruned, and changes of others are reverted. A second run writes nothing.
  - Objects and fields of others are refused and listed, unless the options of the app allow to take them over.
attributes:
  check_mode:
    support: full
    description: It plans, and returns what it would do.
  diff_mode:
    support: full
    description: The report as text, with a unified diff for each object unless O(diff) is V(fields).
  action:
    support: full
    description: On a local connection it runs in Ansible's own process, elsewhere as a module. The result is the same.
author: The Plumb authors (@plumb-gitops)
requirements:
  - httptools
  - urllib3
  - PyYAML
  - kubectl for kustomizations
  - "kubernetes (for kubeconfigs with a credential plugin: requirements-plugins.txt)"
extends_documentation_fragment:
  - plumb.gitops.run
  - plumb.gitops.progress
  - plumb.gitops.run.apps
  - plumb.gitops.connection
seealso:
  - module: plumb.gitops.pull
  - module: plumb.gitops.diff
"""

EXAMPLES = r"""
- name: Pull what the cluster should be
  plumb.gitops.pull:
    sources:
      - name: fleet
        url: https://git.example.com/platform/fleet.git
        branch: main
        token_file: /etc/plumb/git-token
  register: pulled

- name: Apply it to the cluster
  plumb.gitops.apply:
    kubeconfig: /etc/plumb/prod.kubeconfig
    sources: "{{ pulled.sources }}"
    apps:
      - name: platform
        source: fleet
        path: apps/platform
      - name: shop
        source: fleet
        path: apps/shop/overlays/prod
        namespace: shop
        create_namespace: true
        depends_on: [platform]
    report_path: /var/lib/plumb/reports/

- name: Remove an app
  plumb.gitops.apply:
    kubeconfig: /etc/plumb/prod.kubeconfig
    sources: "{{ pulled.sources }}"
    apps:
      - name: shop
        source: fleet
        namespace: shop
        state: absent
"""

RETURN = r"""
counts:
  description: How many objects each action has, how many drifted, how many failed.
  returned: always
  type: dict
  sample: {"create": 1, "update": 2, "unchanged": 77, "drifted": 1, "failed": 0}
drifted:
  description: Whether someone else changed or deleted what Git decides.
  returned: always
  type: bool
actions:
  description: The actions that are not C(unchanged), at most 200. The report file has all of them.
  returned: always
  type: list
  elements: dict
  contains:
    app:
      description: The app.
      type: str
    object:
      description: The object, as C(Kind namespace/name).
      type: str
    action:
      description: One of C(create), C(update), C(adopt), C(recreate), C(prune), C(unchanged), C(refused).
      type: str
    reason:
      description: Why, if there is a reason to give.
      type: str
    changes:
      description: The fields that differ, each with C(path), C(live), C(desired), C(cause) and perhaps C(culprit).
      type: list
      elements: dict
    changes_cut:
      description: True if the changes are left out, because those of all actions exceed 64 KiB.
      type: bool
    result:
      description: The result, C(done), C(failed) or C(skipped). Not in a check.
      type: str
    error:
      description: Why it failed or was skipped.
      type: str
apps:
  description: Each app with its counts, and why it failed if it did.
  returned: always
  type: list
  elements: dict
lines:
  description: The report as lines for people.
  returned: always
  type: list
  elements: str
unclaimed:
  description: ApplySets of this owner in the cluster that belong to no app.
  returned: always
  type: list
  elements: str
requests:
  description: How many requests were made, as C(reads), C(dry_runs), C(writes) and C(retries).
  returned: always
  type: dict
report:
  description: The file that the whole report was written to.
  returned: when O(report_path) is given
  type: str
markdown:
  description: The file that the report was written to as Markdown.
  returned: when O(markdown_path) is given
  type: str
trail:
  description: The end of the audit trail, with C(path), C(seq) and C(hash) of its last record.
  returned: when O(trail_path) is given, and not in a check
  type: dict
"""

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import run_module
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.reconcile import APPLY


def main() -> None:
    """Run the module."""
    run_module(APPLY)


if __name__ == "__main__":
    main()
