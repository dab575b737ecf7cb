#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: notify
short_description: Notify people and programs of the result of a run
version_added: 0.1.0
description:
  - Sends one message about a run to each receiver for which it has news. A failure is an error, drift is a warning, a
    change from Git is info. A recovery goes to the receivers that got the failure.
  - The same news is sent once in O(notifications[].repeat_after). More messages than O(notifications[].most_per_hour)
    are left out, and the next one has their number.
  - It does not fail because of a receiver. A message that could not be sent is a warning, and the next run sends it.
attributes:
  check_mode:
    support: full
    description: It returns who would be notified, and sends nothing.
  diff_mode:
    support: none
    description: The news are in the result.
  action:
    support: full
    description: On a local connection it runs in Ansible's own process, elsewhere as a module. The result is the same.
author: The Plumb authors (@plumb-gitops)
requirements: [requests, "apprise (for apprise_url_file: requirements-notify.txt)"]
extends_documentation_fragment:
  - plumb.gitops.feedback
options:
  notifications:
    description: The receivers, and what each gets.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the receiver in errors.
        type: str
        required: true
      severity:
        description: The lowest severity that the receiver gets.
        type: str
        choices: [info, warning, error]
        default: warning
      webhook_url_file:
        description:
          - The file with the address, on one line. The message is sent to it as JSON by POST. It is a secret.
          - Exactly one of O(notifications[].webhook_url_file) and O(notifications[].apprise_url_file) is given.
        type: path
      apprise_url_file:
        description: The file with an address for apprise, such as that of a chat or of mail, on one line.
        type: path
      secret_file:
        description: The file with the secret that signs messages to a webhook, as Standard Webhooks defines it.
        type: path
      ca_file:
        description: The file with the certificates of the authority that signed the webhook's.
        type: path
      allow_http:
        description: Whether C(http) is allowed to a host that is not the loopback.
        type: bool
        default: false
      timeout:
        description: How long sending a message may take, from connecting to the end of the answer.
        type: str
        default: 10s
      repeat_after:
        description: How long the same news is not sent again.
        type: str
        default: 24h
      most_per_hour:
        description: How many messages the receiver gets in an hour at most.
        type: int
        default: 30
  receivers:
    description: The names of those of O(notifications) that are notified now; all if it is not given.
    type: list
    elements: str
seealso:
  - module: plumb.gitops.apply
  - module: plumb.gitops.commit_status
"""

EXAMPLES = r"""
- name: Notify the team
  plumb.gitops.notify:
    notifications:
      - name: team
        severity: error
        webhook_url_file: /etc/plumb/team-webhook
    cluster: prod-eu
    pulled: "{{ pulled.sources }}"
    apps: "{{ plumb_apps }}"
    applied: "{{ applied }}"
"""

RETURN = r"""
sent:
  description: The names of the receivers that were notified, or in a check would be.
  returned: success
  type: list
  elements: str
undelivered:
  description: Who could not be notified.
  returned: success
  type: list
  elements: dict
  contains:
    receiver:
      description: The name of the receiver.
      type: str
    error:
      description: Why, and the next step.
      type: str
news:
  description: The news of the run, for whichever receivers.
  returned: success
  type: list
  elements: dict
  contains:
    severity:
      description: V(info), V(warning) or V(error).
      type: str
    kind:
      description: V(failed), V(drifted) or V(changed).
      type: str
    app:
      description: The app; empty for a source or the whole run.
      type: str
    text:
      description: What happened.
      type: str
"""

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import run_module
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.notifications import NOTIFY


def main() -> None:
    """Run the module."""
    run_module(NOTIFY)


if __name__ == "__main__":
    main()
