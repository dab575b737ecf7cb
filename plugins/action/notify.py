# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`plumb.gitops.notify`, in Ansible's own process where it may."""

from __future__ import annotations

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import ModuleWork
from ansible_collections.plumb.gitops.plugins.plugin_utils.work_action import WorkAction


class ActionModule(WorkAction):
    """See the module of this name."""

    @property
    def work(self) -> ModuleWork:
        """The work of the module of this name."""
        # Ansible loads this file for tasks that are skipped, too, and what speaks HTTP takes long to load.
        from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.notifications import (  # noqa: PLC0415
            NOTIFY,
        )

        return NOTIFY
