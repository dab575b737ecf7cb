# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is named by an audit log, and who is not: events as the API server writes them, without a cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.interface.outputs.audit_log import (
    AuditLogFile,
    audit_log_file_of,
    read_log,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.change import (
    ABSENT,
    Cause,
    Culprit,
    FieldChange,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Action, AppResult, Plan, Verb
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.drift.attribution import (
    AuditLog,
    LastObservation,
    attribute_changes,
    object_key,
    read_event,
)

CART = ObjectRef("apps", "Deployment", "shop", "cart")
APPLIED = "2026-11-24T05:00:00Z"
EDIT = Culprit("kubectl-edit", "Update", "", "2026-11-24T05:10:00Z")


def event(at: str, user: str = "alice", verb: str = "patch", **more: Any) -> dict[str, Any]:
    """An event of the cart; `at` is minutes, seconds and their parts."""
    agent = more.pop("agent", "kubectl/v1.37.1 (linux/amd64)")
    query = more.pop("query", "fieldManager=kubectl-edit")
    name = more.pop("name", "cart")
    return {
        "kind": "Event", "stage": "ResponseComplete", "verb": verb, "userAgent": agent,
        "requestURI": f"/apis/apps/v1/namespaces/shop/deployments/{name}?{query}",
        "user": {"username": user, "groups": ["devs"]}, "sourceIPs": ["10.0.0.5"],
        "objectRef": {"resource": "deployments", "apiGroup": "apps", "namespace": "shop", "name": name,
                      **({"subresource": more.pop("subresource")} if "subresource" in more else {})},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": f"2026-11-24T05:{at}Z", "stageTimestamp": f"2026-11-24T05:{at}Z", **more,
    }  # fmt: skip


def ours(at: str, **more: Any) -> dict[str, Any]:
    return event(at, "agent", agent="plumb/0.1.0", query="fieldManager=plumb&force=true", **more)


def culprit_of(
    *events: dict[str, Any], culprit: Culprit | None = EDIT, begins: str = "2026-11-24T04:00:00.000000Z",
    cause: Cause = Cause.DRIFT, seen: LastObservation | None = None, late: int = 0, **action: Any,
) -> Culprit | None:  # fmt: skip
    """What becomes of one change's culprit; the last `late` events came after the run had begun."""
    change = FieldChange("spec.replicas", 9, 3 if cause is Cause.DRIFT else ABSENT, cause, culprit)
    drifted = Action(ref=CART, verb=Verb.UPDATE, changes=(change,), applied=APPLIED)
    drifted = replace(drifted, **action)
    read = [read_event(entry, late=at >= len(events) - late) for at, entry in enumerate(events)]
    log = AuditLog(events=tuple(entry for entry in read if entry is not None), begins=begins, account="agent")
    result = AppResult(plan=Plan(app="shop", actions=(drifted,)))
    (attributed,) = attribute_changes(
        [result], log, {"shop": seen or LastObservation()}, lambda _kind: "deployments"
    )
    (made,) = attributed.plan.actions
    return made.culprit if made.deleted_by_someone else made.changes[0].culprit


def test_the_user_of_the_request_that_fits_is_named() -> None:
    culprit = culprit_of(event("10:00.100000"))
    assert culprit is not None
    assert (culprit.user, culprit.groups, culprit.addresses, culprit.verb) == (
        "alice", ("devs",), ("10.0.0.5",), "patch",
    )  # fmt: skip
    assert str(culprit) == "kubectl-edit, 2026-11-24T05:10:00Z; user alice from 10.0.0.5 (audit log)"


NOBODY: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "another second": [event("10:01.000000")],
    "another object": [event("10:00.100000", name="web")],
    "another manager": [event("10:00.100000", query="fieldManager=kubectl-patch")],
    "a user agent that is another manager": [event("10:00.100000", query="")],
    "a subresource": [event("10:00.100000", subresource="scale")],
    "a dry-run": [event("10:00.100000", query="fieldManager=kubectl-edit&dryRun=All")],
    "one that failed": [event("10:00.100000", responseStatus={"code": 409})],
    "one that was not over": [event("10:00.100000", stage="RequestReceived")],
    "a deletion": [event("10:00.100000", verb="delete")],
    "two users in one second": [event("10:00.100000"), event("10:00.500000", "bob")],
    "two users with one entry": [event("05:00.000000", "bob"), event("10:00.100000")],
    "ourselves": [ours("10:00.100000")],
}


@pytest.mark.parametrize("events", NOBODY.values(), ids=NOBODY)
def test_nobody_is_named_otherwise(events: list[dict[str, Any]]) -> None:
    assert culprit_of(*events) == EDIT


def test_who_calls_himself_plumb_under_another_account_is_named() -> None:
    culprit = culprit_of(event("10:00.100000", "mallory", agent="plumb/0.1.0"))
    assert culprit is not None
    assert culprit.user == "mallory"


def test_an_impersonated_user_is_named_with_who_he_was() -> None:
    culprit = culprit_of(event("10:00.100000", impersonatedUser={"username": "root", "groups": ["wheel"]}))
    assert culprit is not None
    assert (culprit.user, culprit.groups) == ("alice as root", ("wheel",))


def test_what_was_before_our_last_write_is_another_matter() -> None:
    scaled = Culprit("kubectl", "Update", "scale")
    scale = {"query": "", "subresource": "scale"}
    before, after = event("04:00.000000", "bob", **scale), event("06:00.000000", **scale)
    assert str(culprit_of(before, after, culprit=scaled)) == "kubectl (scale), time not recorded"
    named = culprit_of(before, ours("05:00.000000"), after, culprit=scaled)
    assert named is not None
    assert named.user == "alice"
    assert culprit_of(before, after, ours("06:30.000000"), culprit=scaled) == scaled, (
        "we have set it back since"
    )
    by_revert = culprit_of(ours("05:00.000000"), after, ours("06:30.000000"), culprit=scaled, late=1)
    assert by_revert is not None
    assert by_revert.user == "alice", "that was this run"


def test_a_removal_is_laid_to_the_only_one_who_wrote() -> None:
    culprit = culprit_of(event("10:00.000000", query=""), culprit=None)
    assert culprit is not None
    assert str(culprit) == (
        "user alice from 10.0.0.5, patch with kubectl/v1.37.1 (linux/amd64), 2026-11-24T05:10:00Z (audit log)"
    )
    two = culprit_of(event("10:00.000000"), event("11:00.000000", "bob", verb="update"), culprit=None)
    assert two is not None
    assert (two.user, two.one_of) == ("", ("alice", "bob"))
    assert str(two) == "one of the users alice, bob (audit log)"


def test_a_log_that_does_not_reach_back_names_nobody() -> None:
    begins = "2026-11-24T05:09:00.000000Z"
    assert culprit_of(event("10:00.000000"), begins=begins) == EDIT
    assert culprit_of(event("10:00.000000"), culprit=None, begins=begins) is None
    all_was_well = LastObservation("2026-11-24T05:09:30Z")
    named = culprit_of(event("10:00.000000"), begins=begins, seen=all_was_well)
    assert named is not None
    assert named.user == "alice"
    had_drifted = LastObservation("2026-11-24T05:09:30Z", {object_key(CART): {}})
    assert culprit_of(event("10:00.000000"), begins=begins, seen=had_drifted) == EDIT


def test_an_addition_is_laid_to_somebody_when_it_is_new_and_stays_his() -> None:
    new, addition = LastObservation("2026-11-24T05:09:30Z"), Cause.ADDITION
    assert culprit_of(event("10:00.000000"), cause=addition) == EDIT, (
        "our own writes leave it, so it may be older"
    )
    named = culprit_of(event("10:00.000000"), cause=addition, seen=new)
    assert named is not None
    assert named.user == "alice"
    stays = LastObservation("2026-11-24T05:20:00Z", {object_key(CART): {"spec.replicas": named}})
    assert culprit_of(cause=addition, seen=stays) == named
    later = replace(EDIT, time="2026-11-24T05:30:00Z")
    assert culprit_of(culprit=later, cause=addition, seen=stays) == later


def test_a_deletion() -> None:
    gone: dict[str, Any] = {
        "deleted_by_someone": True,
        "changes": (),
        "applied": "",
        "seen": LastObservation(APPLIED),
    }
    entry = culprit_of(event("10:00.000000", verb="delete", query=""), **gone)
    assert entry is not None
    assert (entry.user, entry.verb) == ("alice", "delete")
    whole = culprit_of(event("10:00.000000", verb="deletecollection", query="", name=""), **gone)
    assert whole is not None
    assert whole.verb == "deletecollection"
    some = event("10:00.000000", verb="deletecollection", query="labelSelector=a%3Db", name="")
    assert culprit_of(some, **gone) is None, "it may have been others that the selector named"


def lines(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in events)


def test_of_a_log_the_last_part_is_read_and_what_is_no_event_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    odd: Any = 3  # a verb that is no text
    many = [event(f"10:{at:02}.000000", name=f"c{at}") for at in range(50)]
    log.write_bytes(
        lines(*many[:30])
        + b"\xff{]\n[]\n{}\nnull\n"
        + b"[" * 5000
        + b"\n"
        + lines(*many[30:], event("1", verb=odd))
    )
    place = audit_log_file_of(log)
    assert len(read_log(place).events) == 50
    assert read_log(place).begins == "2026-11-24T05:10:00Z".replace("Z", ".000000Z")
    part = read_log(place, 2000)
    assert 0 < len(part.events) < 5
    assert part.begins == part.events[0].received
    with log.open("ab") as more:
        more.write(lines(event("11:00.000000")) + b'{"half":')
    assert [e.late for e in read_log(place).events[-2:]] == [False, True]


def test_older_files_are_read_too_and_a_rotation_during_the_run_is_seen(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    (tmp_path / "audit-2026-11-24T04-00-00.000.log").write_bytes(lines(event("00:00.000000")))
    (tmp_path / "audit-other.log").write_bytes(lines(event("00:00.000000")))
    log.write_bytes(lines(event("01:00.000000")))
    place = audit_log_file_of(log)
    log.rename(tmp_path / "audit-2026-11-24T05-02-00.000.log")
    log.write_bytes(lines(event("02:00.000000")))
    assert [(e.received[14:19], e.late) for e in read_log(place).events] == [
        ("00:00", False), ("01:00", False), ("02:00", True),
    ]  # fmt: skip


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(event("10:00.000000"))), _JSON)
def test_hostile_events_are_passed_over(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: Any
) -> None:
    log = tmp_path_factory.mktemp("log") / "audit.log"
    log.write_bytes(lines({**event("10:00.000000"), key: value}))
    assert len(read_log(AuditLogFile(log, 0, 0)).events) <= 1
