# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`plumb.gitops.images`, in Ansible's own process where it may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.mode import Mode
from ansible_collections.plumb.gitops.plugins.module_utils.interface.options.images import spec_of_images
from ansible_collections.plumb.gitops.plugins.plugin_utils.work_action import WorkAction


def _work(options: Mapping[str, Any], mode: Mode) -> Mapping[str, Any]:
    # Ansible loads this file for tasks that are skipped, too, and what speaks HTTP takes long to load.
    from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.images import images  # noqa: PLC0415

    return images(options, mode)


class ActionModule(WorkAction):
    """See the module of this name."""

    module = "plumb.gitops.images"
    argument_spec = spec_of_images()
    work = staticmethod(_work)
