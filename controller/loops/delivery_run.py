# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run that delivers a record to receivers of one cluster, and what its outcome means for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.run_protocol import RunOutcome
from ..runner.run_pool import DEADLINE, DIED, RunRequest
from ..store.agent_state import AgentState
from ..store.deliveries import Entry, Queue, ReceiverId, ReceiverKind, delivered, hook_failed, undelivered

PLAYBOOK = "plumb.gitops.deliver"
LONGEST = 60.0  # seconds for a whole delivery


def delivery_request(
    in_force: AgentState, cluster: str, folder: Path, receivers: Sequence[ReceiverId], entry: Entry
) -> RunRequest:
    """Return the run that delivers an entry, whose record is in `folder`, to these receivers."""
    hooks = entry.hooks if any(each.kind is ReceiverKind.HOOKS for each in receivers) else ()
    of_a_hook = float(in_force.accepted.settings[cluster]["deliver"]["hook_timeout"])
    return RunRequest(
        playbook=PLAYBOOK,
        inventory=in_force.accepted.path,
        limit=cluster,
        timeout=of_a_hook * len(hooks) if hooks else LONGEST,
        timeout_name="plumb_hook_timeout" if hooks else "of a delivery",
        variables=_variables(folder, receivers, entry, hooks),
        vault_password_file=in_force.config.vault_password_file,
        keep_fork_server=in_force.config.start_ahead,
    )


def _variables(
    folder: Path, receivers: Sequence[ReceiverId], entry: Entry, hooks: Sequence[str]
) -> Mapping[str, Any]:
    """Return the extra variables of a delivery: paths and checked names, since Ansible templates what is in them."""
    delivery = {
        "record": str(folder / f"{entry.record}.json"),
        "is_pending": entry.is_pending,
        "commit_status": any(each.kind is ReceiverKind.STATUSES for each in receivers),
        "notifications": [each.name for each in receivers if each.kind is ReceiverKind.NOTIFICATION],
        "hooks": list(hooks),
    }
    variables: dict[str, Any] = {"plumb_delivery": delivery}
    if entry.apps is not None:
        variables["plumb_only"] = list(entry.apps)
    if entry.suspended:
        variables["plumb_suspended"] = list(entry.suspended)
    return variables


def why_undelivered(receiver: ReceiverId, outcome: RunOutcome) -> str:
    """Return why a delivery did not get to a receiver; empty where it did."""
    if outcome.code != 0:
        return "; ".join(outcome.failures[:3]) or f"ansible-playbook ended with code {outcome.code}"
    return outcome.undelivered.get(str(receiver), "")


def is_final(receiver: ReceiverId, outcome: RunOutcome) -> bool:
    """Return whether a delivery is not made again whatever it came to: a hook that ran has done what it does."""
    return receiver.kind is ReceiverKind.HOOKS and outcome.code != DIED


def is_of_another(receivers: Sequence[ReceiverId], outcome: RunOutcome) -> bool:
    """Return whether it is not known for which of these receivers a delivery to all of them was ended."""
    return len(receivers) > 1 and outcome.code == DEADLINE


def queue_after(
    receiver: ReceiverId, queue: Queue, entry: Entry, outcome: RunOutcome, now: float, *, pause: float
) -> Queue:
    """Return the queue of a receiver after a delivery; one that failed is tried again after `pause` seconds."""
    why = why_undelivered(receiver, outcome)
    if not why:
        return delivered(queue, entry, now)
    return (
        hook_failed(queue, entry, why)
        if is_final(receiver, outcome)
        else undelivered(queue, why, now + pause)
    )
