# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check every `plumb_*` variable of a host before a task uses it."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.shown_settings import (
    shown_settings,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.validation import (
    PREFIX,
    check_inventory,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.checkout_paths import (
    paths_of_apps,
)
from ansible_collections.plumb.gitops.plugins.plugin_utils.failures import without_excerpt

NO_CLUSTER = (
    "The inventory has no host in the group {0}, so there is no cluster. Add a host for each cluster to it."
)
SERIAL = f"{PREFIX}serial"


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs; it makes no connection."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the variables, and return what is wrong with them, or the paths that apps name."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        without_excerpt(self._task)
        _checked, options = self.validate_argument_spec(
            argument_spec={"settings": {"type": "bool", "default": False}, "group": {"type": "str"}}
        )
        group = options["group"]
        if group and not (task_vars or {}).get("groups", {}).get(group):
            return {**result, "failed": True, "msg": NO_CLUSTER.format(group)}
        variables = {
            name: self._templar.template(value)
            for name, value in (task_vars or {}).items()
            if isinstance(name, str) and name.startswith(PREFIX)
        }
        checked = check_inventory(variables, addresses=options["settings"])
        wrong = list(checked.wrong)
        if SERIAL in variables and SERIAL not in load_extra_vars(self._loader):
            wrong.append(
                f"variable {SERIAL!r} has no effect in the inventory, because Ansible forms a play's batches before"
                f" it looks at its hosts. Set it on the command line: -e {SERIAL}=1"
            )
        if wrong:
            return {**result, "failed": True, "msg": "\n".join(wrong)}
        host = (task_vars or {}).get("inventory_hostname", "")
        shown: dict[str, Any] = (
            {"settings": shown_settings(checked.settings, str(host))} if options["settings"] else {}
        )
        apps = checked.settings.get("apps") or ()
        if only := checked.settings.get("only"):
            shown["apps"] = [
                {name: app[name] for name in ("name", "source", "path")}
                for app in apps
                if app["name"] in only
            ]
        return {**result, "changed": False, "paths": paths_of_apps(apps), **shown}
