# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`plumb.gitops.pull`, in Ansible's own process where it may."""

from __future__ import annotations

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.pull import PULL
from ansible_collections.plumb.gitops.plugins.plugin_utils.work_action import WorkAction


class ActionModule(WorkAction):
    """See the module of this name."""

    work = PULL
