# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for what a run is about, documented once for `diff` and `apply`."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation, as Ansible looks for it."""

    # `plumb.gitops.run.apps`: what a module needs to know of the apps
    APPS = r"""
options:
  apps:
    description:
      - The apps of the cluster, all of them. One task handles any number.
      - Apps that depend on nothing in common are handled side by side.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the app, a DNS label. Its inventory is the ConfigMap C(plumb-<name>).
        type: str
        required: true
      source:
        description: The name of the source that the app is in.
        type: str
        required: true
      path:
        description: The folder or file in the source. A folder with a kustomization file is built by kustomize.
        type: str
        default: .
      namespace:
        description: The namespace for objects that name none, and for the app's inventory.
        type: str
        default: ''
      create_namespace:
        description:
          - Whether O(apps[].namespace) is created if it is missing. It is never pruned with the app.
          - Without it, and without a manifest for it, the app fails where it is missing, and nothing is written.
        type: bool
        default: false
      prune:
        description: Whether objects that leave Git are deleted.
        type: bool
        default: true
      prune_limit:
        description:
          - How many objects one run may prune, as a number or as a percentage of the app's recorded objects.
          - A percentage holds for apps of more than 10 objects.
        type: str
        default: 50%
      keep_marked:
        description:
          - Whether the annotations count by which Flux, Argo CD, Helm and others are told never to delete an object,
            such as C(helm.sh/resource-policy=keep). Such an object is neither pruned nor recreated, also with
            O(apps[].state=absent).
        type: bool
        default: true
      confirm_members:
        description:
          - Confirms that objects which carry the app's label, and which no run recorded, are the app's. They are pruned
            then, as others that left Git.
          - The value is the one that the warning about these objects names. It holds for just these objects.
        type: str
        default: ''
      allow_empty:
        description: Whether a path that holds no manifest means that all of the app goes. It is refused otherwise.
        type: bool
        default: false
      adopt:
        description: Whether objects that exist already, and that no apply set owns, are taken over.
        type: bool
        default: false
      force_conflicts:
        description: Whether fields are taken from other appliers (managers that use server-side apply).
        type: bool
        default: false
      recreate:
        description: Whether an object is deleted and created anew where a field cannot be changed in place.
        type: bool
        default: false
      wait:
        description: Whether to wait until all objects of the app are healthy.
        type: bool
        default: true
      timeout:
        description: How long to wait, such as V(90s), V(5m) or V(1h30m).
        type: str
        default: 5m
      drift:
        description:
          - What becomes of live fields that Git decides and someone else changed.
          - V(revert) sets them back. V(report) reports them, and leaves the object until its manifest changes.
        type: str
        choices: [revert, report]
        default: revert
      additions:
        description:
          - What becomes of fields that someone added to an object and Git does not know, such as a container, an
            environment entry, a label or a finalizer. What admission adds has no owner, so nobody can tell.
          - V(report) reports them as drift. V(remove) removes them, but not finalizers and what the cluster needs.
            V(ignore) does not look for them.
          - What the controllers of Kubernetes and well-known injectors add is left out by a table.
        type: str
        choices: [report, remove, ignore]
        default: report
      ignore:
        description:
          - Fields that are left to others. They are neither reported nor reverted.
          - A manifest names some for itself by the annotation C(plumb.gitops/ignore), as JSON pointers between commas.
            The annotation on the live object counts for nothing.
        type: list
        elements: dict
        default: []
        suboptions:
          pointer:
            description: >-
              A JSON pointer (RFC 6901). V(*) stands for each item or key. All below it is left as well.
              An item of a list is named by its key, as in V(/spec/template/spec/containers/name=main/image);
              by its number it is refused, since that is another item once a commit inserts before it.
            type: str
            default: ''
          manager:
            description: Only what this field manager owns; V(*) stands for any text.
            type: str
            default: ''
          kind:
            description: Only objects of this kind, as C(Kind) or C(Kind.group); V(*) stands for any text.
            type: str
            default: ''
          name:
            description: Only objects of this name; V(*) stands for any text.
            type: str
            default: ''
          labels:
            description: Only manifests that have these labels.
            type: dict
            default: {}
      suspend:
        description: Whether the app is left alone altogether.
        type: bool
        default: false
      moved_from:
        description:
          - Former names of the app, as V(name) or V(namespace/name). Their objects are taken over; those that Git no
            longer has are pruned as the app's own are.
          - The name of an app that is still there is refused.
        type: list
        elements: str
        default: []
      state:
        description: With V(absent) all of the app is pruned.
        type: str
        choices: [present, absent]
        default: present
      depends_on:
        description: The apps that must have been applied, and be healthy if they wait, before this one starts.
        type: list
        elements: str
        default: []
  sources:
    description: What M(plumb.gitops.pull) returned as RV(plumb.gitops.pull#module:sources).
    type: list
    elements: dict
    required: true
  config:
    description:
      - What M(plumb.gitops.pull) returned as RV(plumb.gitops.pull#module:config). Its apps stand beside O(apps).
      - While it has an error, nothing is pruned, because there may be apps that take over what others leave.
    type: dict
  owner:
    description:
      - Who the inventories in the cluster belong to. Two agents on one cluster use two names.
      - An inventory of another owner is never touched.
    type: str
    default: plumb
  namespace:
    description: The namespace for the inventories of apps that have none of their own. It is created if missing.
    type: str
    default: plumb-system
"""

    DOCUMENTATION = r"""
options:
  only:
    description: The names of the apps to handle. All, if empty. The others still count as claims on their objects.
    type: list
    elements: str
    default: []
  suspended:
    description: The names of apps that this run leaves alone, as O(apps[].suspend) does. A name without an app is told.
    type: list
    elements: str
    default: []
  cluster:
    description: The name of the cluster in the report.
    type: str
    default: ''
  report_path:
    description:
      - Where the whole report is written as JSON, mode 0600. A name that ends in C(.json) is the file itself, any other
        a folder that gets C(<cluster>/<time>.json).
      - No report is written if empty.
    type: str
    default: ''
  markdown_path:
    description:
      - Where the report is written as Markdown, for CI and pull requests, mode 0600 and at most 60,000 characters. A
        name that ends in C(.md) is the file itself, any other a folder that gets C(<cluster>/<time>.md).
      - None is written if empty.
    type: str
    default: ''
  trail_path:
    description:
      - Where the audit trail is appended to, as JSON lines that are chained by hash, mode 0600. A name that ends in
        C(.jsonl) is the file itself, any other a folder that gets C(<cluster>.jsonl).
      - Nothing is written to the cluster where it cannot be appended to. A check appends nothing.
      - No trail is kept if empty.
    type: str
    default: ''
  events:
    description:
      - Whether Events are written on objects, C(Reverted), C(Drifted), C(Refused), C(Failed) or C(Pruned), one for each
        object in a run, and at most 100. What stays as it is gets one when it begins. A check writes none.
      - They hold no values of fields. Where they cannot be written, that is told, and nothing else changes.
    type: bool
    default: true
  audit_log:
    description:
      - The API server's audit log, a file of JSON lines (C(audit.k8s.io/v1), level C(Metadata) is enough). With it,
        the report says which user changed or deleted something, and from where.
      - Its last 32 MiB are read, and only where something had drifted. A user is named only where no other can have
        done it. Where it cannot be read, that is told, and nothing else changes.
    type: path
  cache_dir:
    description:
      - The folder for what was proven in earlier runs, beside the sources. It may be lost at any time; the next run
        then reads more. C(~/.cache/plumb) if not given.
    type: path
  deep:
    description:
      - Whether every object that is as wanted is checked by a dry-run as well. A run does so by itself once a day.
      - An object that the cheaper proofs pass and the dry-run does not is reported as a defect of Plumb.
      - Where admission denies the dry-run or does not answer, that is said of the object, which is as wanted.
    type: bool
    default: false
  retry_refused:
    description:
      - Whether requests are sent again that the API server refused in an earlier run for what they say, such as an
        invalid manifest, a policy's denial or a missing right.
      - Without it, such a request is sent again once the manifest, the live object, the server's version, admission
        configuration, the kind's definition or the namespace changes, or a run has written something; else after two
        minutes, then ever later, at last once an hour. The refusal is reported by each run. A check always asks.
    type: bool
    default: false
  lease_file:
    description:
      - The file in which the agent that started this run keeps how long its lease holds. Each write looks at it first,
        and is not sent where the lease has run out.
      - Only for agents of which one leads.
    type: path
"""
