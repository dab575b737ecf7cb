# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that name an agent's service account, documented once."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation, as Ansible looks for it."""

    DOCUMENTATION = r"""
options:
  account:
    description: The name of the agent's service account. Its Lease has the same name.
    type: str
    default: plumb-agent
  account_namespace:
    description: The namespace of the agent's service account.
    type: str
    default: plumb-system
"""
