# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extra variables of a run of a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.paths import audit_file, trail_file
from ..core.schedule import Trigger
from ..store.agent_state import AgentState
from ..store.delivery_intake import receivers_of
from ..store.delivery_records import record_name


def run_variables(
    name: str, in_force: AgentState, trigger: Trigger, report: Path, pulled: Path | None
) -> dict[str, Any]:
    """Return the extra variables of a run: only paths and checked names, since Ansible templates what is in them."""
    variables: dict[str, Any] = {
        "plumb_report_path": str(report),
        "plumb_trail_path": str(trail_file(in_force.config.state_dir, name)),
        "plumb_wait": False,  # the agent follows the health
        "plumb_fetch": "never",  # the agent pulls the sources
    }
    events = audit_file(in_force.config.state_dir / "audit", name)
    if in_force.config.http.audit_token_file is not None and events.exists():
        variables["plumb_audit_log"] = str(events)
    if receivers_of(in_force.accepted.settings.get(name, {}).get("deliver", {})):
        folder = in_force.config.state_dir / "deliveries" / name
        variables["plumb_record_path"] = str(folder / record_name(report.stem, is_sync=trigger.is_sync))
    if pulled is not None:
        variables["plumb_pulled_path"] = str(pulled)
    if suspended := in_force.suspensions.apps(name):
        variables["plumb_suspended"] = list(suspended)
    if trigger.apps is not None:
        variables["plumb_only"] = sorted(trigger.apps)
    if trigger.is_by_hand:
        variables["plumb_retry_refused"] = True
    if in_force.lease_file is not None:
        variables["plumb_lease_file"] = str(in_force.lease_file)
    return variables
