#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: access_rules
short_description: List the rights that an agent needs on a cluster
version_added: 0.1.0
description:
  - Renders the apps, asks the cluster which resources their kinds are, and returns RBAC rules for exactly these
    resources and for the requests of every run. Kinds that left Git but that are still in the cluster count, too.
  - It only reads. It reports all problems at once, such as apps that do not render and kinds that the cluster does not
    know.
  - Apps with Roles or bindings are an error, because an agent that may apply those can give itself any right. See
    O(escalate).
attributes:
  check_mode:
    support: full
    description: It only reads.
  diff_mode:
    support: none
    description: It changes nothing, so there is no difference to show.
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
  - plumb.gitops.account
  - plumb.gitops.connection
  - plumb.gitops.run.apps
options:
  escalate:
    description:
      - Whether the agent may apply Roles and bindings that grant more than it has itself.
      - It gets C(escalate) on the roles of the apps, and C(bind) on those that their bindings name.
    type: bool
    default: false
  reasons:
    description:
      - Whether the agent may read why something is not healthy. Where apps have kinds that run Pods, or claims, it may
        then get and list Pods and PersistentVolumeClaims, list ReplicaSets and Events, and get StorageClasses.
    type: bool
    default: true
  rules:
    description:
      - Rules for the agent's ClusterRole, instead of those that the module finds. The apps are checked all the same.
    type: list
    elements: dict
    default: []
    suboptions:
      apiGroups:
        description: The API groups; V('') is the core group.
        type: list
        elements: str
      resources:
        description: The resources, as plurals.
        type: list
        elements: str
      resourceNames:
        description: The names of the objects; all of them if not given.
        type: list
        elements: str
      nonResourceURLs:
        description: Paths that are not resources.
        type: list
        elements: str
      verbs:
        description: The verbs.
        type: list
        elements: str
        required: true
  setup:
    description: Whether to fail if the account of this connection may not set up an agent.
    type: bool
    default: false
seealso:
  - module: plumb.gitops.pull
  - module: plumb.gitops.service_account_token
"""

EXAMPLES = r"""
- name: Pull what the cluster should be
  plumb.gitops.pull:
    sources: "{{ plumb_sources }}"
  register: pulled

- name: List the rights that its agent needs
  plumb.gitops.access_rules:
    kubeconfig: ~/.kube/admin
    sources: "{{ pulled.sources }}"
    apps: "{{ plumb_apps }}"
  register: access

- name: Show them
  ansible.builtin.debug:
    var: access.rules
"""

RETURN = r"""
rules:
  description: Rules for a ClusterRole, sorted.
  returned: when there is no problem
  type: list
  elements: dict
  sample:
    - apiGroups: [apps]
      resources: [deployments]
      verbs: [create, delete, get, list, patch, watch]
own_rules:
  description: Rules for a Role in O(account_namespace), for the agent's Lease and the renewal of its token.
  returned: when there is no problem
  type: list
  elements: dict
kinds:
  description: The kinds of the apps, as C(Kind.group).
  returned: when there is no problem
  type: list
  elements: str
cluster_rights:
  description:
    - Those of RV(kinds) that give rights on the whole cluster, or nearly. Whoever may commit to a source of the agent
      has these rights too, since an app may apply such objects in any namespace.
    - Custom resources are never listed, because nobody knows what their controllers do with them.
  returned: when there is no problem
  type: list
  elements: dict
  contains:
    kind:
      description: The kind, as C(Kind.group).
      type: str
    why:
      description: The rights that it gives, in words.
      type: str
  sample:
    - kind: Deployment.apps
      why: >-
        it runs pods: with any service account, Secret and claim of their namespace and, where no admission policy
        forbids it, as root on a node
"""

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.access import ACCESS_RULES
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import run_module


def main() -> None:
    """Run the module."""
    run_module(ACCESS_RULES)


if __name__ == "__main__":
    main()
