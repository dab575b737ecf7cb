# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a run, documented once for `diff` and `apply`."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation, as Ansible looks for it."""

    # `plumb.gitops.run.apps`: what a module needs to know of the apps
    APPS = r"""
options:
  apps:
    description:
      - The apps of the cluster, all of them. One task handles any number.
      - Apps that do not depend on each other are handled in parallel.
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
        description: The namespace for objects that have none in their manifest, and for the app's inventory.
        type: str
        default: ''
      create_namespace:
        description:
          - Whether O(apps[].namespace) is created if it does not exist. It is never pruned with the app.
          - If it does not exist, is not to be created and has no manifest, the app fails, and nothing is written.
        type: bool
        default: false
      prune:
        description: Whether objects that leave Git are deleted.
        type: bool
        default: true
      prune_limit:
        description:
          - How many objects one run may prune, as a number or as a percentage of the app's recorded objects.
          - A percentage limits only apps of more than 10 objects.
        type: str
        default: 50%
      keep_marked:
        description:
          - Whether annotations are respected that forbid Flux, Argo CD, Helm and others to delete an object, such as
            C(helm.sh/resource-policy=keep). Such an object is neither pruned nor recreated, not even with
            O(apps[].state=absent).
        type: bool
        default: true
      confirm_members:
        description:
          - Confirms that objects with the app's label that no run recorded belong to the app. Then they are pruned, as
            others that left Git.
          - The value is in the warning about these objects. It is valid for just these objects.
        type: str
        default: ''
      allow_empty:
        description: Whether a path without a manifest means that the whole app is pruned. Otherwise it is refused.
        type: bool
        default: false
      adopt:
        description: Whether existing objects that belong to no ApplySet are taken over.
        type: bool
        default: false
      force_conflicts:
        description: Whether fields are taken from other appliers (managers that use server-side apply).
        type: bool
        default: false
      recreate:
        description: Whether an object is deleted and created again if a field cannot be changed in place.
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
          - What to do about fields that Git decides and someone else changed.
          - V(revert) reverts them. V(report) reports them, and does not write the object until its manifest changes.
        type: str
        choices: [revert, report]
        default: revert
      additions:
        description:
          - What to do about fields that someone added to an object and that are not in Git, such as a container, an
            environment entry, a label or a finalizer. Fields that admission adds have no owner and are not detected.
          - V(report) reports them as drift. V(remove) removes them, but not finalizers and what the cluster needs.
            V(ignore) ignores them.
          - A table lists what the controllers of Kubernetes and well-known injectors add. That is never reported.
        type: str
        choices: [report, remove, ignore]
        default: report
      ignore:
        description:
          - Fields that are left to others. They are neither reported nor reverted.
          - A manifest can name such fields in the annotation C(plumb.gitops/ignore), as JSON pointers separated by
            commas. The annotation of the live object has no effect.
        type: list
        elements: dict
        default: []
        suboptions:
          pointer:
            description: >-
              A JSON pointer (RFC 6901). V(*) matches each item or key. Everything below it is ignored as well.
              An item of a list is named by its key, as in V(/spec/template/spec/containers/name=main/image).
              Numbers are refused, since they name another item once a commit inserts one before it.
            type: str
            default: ''
          manager:
            description: Only fields that this field manager owns; V(*) matches any text.
            type: str
            default: ''
          kind:
            description: Only objects of this kind, as C(Kind) or C(Kind.group); V(*) matches any text.
            type: str
            default: ''
          name:
            description: Only objects of this name; V(*) matches any text.
            type: str
            default: ''
          labels:
            description: Only manifests that have these labels.
            type: dict
            default: {}
      suspend:
        description: Whether nothing is done about the app.
        type: bool
        default: false
      moved_from:
        description:
          - Former names of the app, as V(name) or V(namespace/name). Their objects are taken over; those that are no
            longer in Git are pruned like the app's own.
          - The name of an app that still exists is refused.
        type: list
        elements: str
        default: []
      state:
        description: With V(absent), all objects of the app are pruned.
        type: str
        choices: [present, absent]
        default: present
      depends_on:
        description: The apps that must be applied, and be healthy if they wait, before this one starts.
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
      - What M(plumb.gitops.pull) returned as RV(plumb.gitops.pull#module:config). Its apps are added to O(apps).
      - While it has an error, nothing is pruned, because unknown apps may take over what others no longer have.
    type: dict
  owner:
    description:
      - The owner of the inventories in the cluster. Two agents on one cluster use two names.
      - An inventory of another owner is never changed.
    type: str
    default: plumb
  namespace:
    description: The namespace for the inventories of apps without a namespace. It is created if it does not exist.
    type: str
    default: plumb-system
"""

    DOCUMENTATION = r"""
options:
  only:
    description: The names of the apps to handle; all if empty. The others keep their objects.
    type: list
    elements: str
    default: []
  suspended:
    description: Apps that this run leaves alone, as O(apps[].suspend) does. A name without an app is reported.
    type: list
    elements: str
    default: []
  cluster:
    description: The name of the cluster in the report.
    type: str
    default: ''
  report_path:
    description:
      - The path for the whole report as JSON, mode 0600. A name that ends in C(.json) is the file itself. Any other is
        a folder for C(<cluster>/<time>.json).
      - No report is written if empty.
    type: str
    default: ''
  markdown_path:
    description:
      - The path for the report as Markdown, for CI and pull requests, mode 0600 and at most 60,000 characters. A name
        that ends in C(.md) is the file itself. Any other is a folder for C(<cluster>/<time>.md).
      - No Markdown is written if empty.
    type: str
    default: ''
  trail_path:
    description:
      - The path for the audit trail, JSON lines that are chained by hash, mode 0600. A name that ends in C(.jsonl) is
        the file itself. Any other is a folder for C(<cluster>.jsonl).
      - If the trail cannot be written, nothing is written to the cluster. A check appends nothing.
      - There is no trail if empty.
    type: str
    default: ''
  events:
    description:
      - Whether Events are written on objects, C(Reverted), C(Drifted), C(Refused), C(Failed) or C(Pruned), at most
        one for each object and 100 in a run. A state that lasts gets one when it begins. A check writes none.
      - They hold no values of fields. If they cannot be written, that is a warning, and nothing else changes.
    type: bool
    default: true
  audit_log:
    description:
      - The API server's audit log, a file of JSON lines (C(audit.k8s.io/v1), level C(Metadata) is enough). With it,
        the report shows which user changed or deleted something, and from which address.
      - Its last 32 MiB are read, and only if something had drifted. A user is named only if no other can have done it.
        If the log cannot be read, that is a warning, and nothing else changes.
    type: path
  cache_dir:
    description:
      - The cache folder, with the sources and what earlier runs verified. It may be lost at any time; then the next run
        reads more. C(~/.cache/plumb) if not given.
    type: path
  wait:
    description:
      - Whether the run waits until what it applied is healthy, as far as its apps do.
      - If not, an app that is not healthy yet ends as C(in progress), which is no failure, and apps that depend on it
        are not started. The agent runs so, and follows their health by itself.
    type: bool
    default: true
  deep:
    description:
      - Whether objects that are in sync are checked by a dry run as well. A run does so by itself once a day.
      - If the dry run finds a difference where the cheaper check found none, that is reported as a defect of Plumb.
      - If admission denies the dry run or does not answer, that is a warning about the object, which is in sync.
    type: bool
    default: false
  diff:
    description:
      - How the differences of an object are shown in the lines and in Markdown.
      - With V(fields), a line for each field. With V(unified), a unified diff of YAML from the cluster to Git, without
        defaults of the server, also of objects that are created or pruned. Values of Secrets are digests with a key of
        the process. Without it, V(unified) for a task with C(--diff), else V(fields).
      - The report file has the whole diff of each object as well, if diffs are shown.
    type: str
    choices: [fields, unified]
  retry_refused:
    description:
      - Whether requests are sent again that the API server refused in an earlier run for their content, such as an
        invalid manifest, or for a policy or a missing right.
      - Without it, such a request is sent again once the manifest, the live object, the server's version, admission
        configuration, the kind's definition or the namespace changes, or a run has written something; otherwise after
        two minutes, then ever later, at last once an hour. Each run reports the refusal. A check always asks.
    type: bool
    default: false
  lease_file:
    description:
      - The file with the end of the lease of the agent that started this run. It is read before each write, which is
        not sent if the lease has expired.
      - Only for agents of which one leads.
    type: path
"""
