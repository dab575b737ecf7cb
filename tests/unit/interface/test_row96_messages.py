# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 96: what is wrong is blamed, with its place and the next step."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.api_errors import (
    Target,
    api_error,
)
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.api_status import parse_status
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.connection_errors import (
    connection_failure,
)
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.optional_imports import urllib3
from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.validation import (
    check_inventory,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.duration import parse_duration
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

TARGET = Target(subject="ConfigMap shop/a", operation="applying")
POLICY = (
    "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'keep' with binding 'keep' denied request: kept"
)
WEBHOOK = 'admission webhook "keep.example.com" denied the request: kept'


@pytest.mark.parametrize(
    ("written", "why", "step"),
    [
        ("60", "'60' is not a duration, because it has no unit", "Write 60s for seconds or 60m for minutes."),
        ("5", "'5' is not a duration, because it has no unit", "Write 5s"),
        ("0", "is not a duration", "90s"),
        ("0s", "is not above 0", "90s, 5m or 1h30m"),
        ("-5m", "is not above 0", "90s"),
        ("8d", "is not a duration", "The units are h, m, s and ms"),
        ("200h", "is longer than 7 days", "up to 7 days (168h)"),
        ("5 m", "is not a duration", "without blanks"),
        ("30m 1h", "is not a duration", "the largest first"),
        ("1.5", "is not a duration", "units"),
        ("", "is not a duration", "units"),
        ("5M", "is not a duration", "units"),
        ("PT5M", "is not a duration", "units"),
    ],
)
def test_row_96_a_duration_that_is_none(written: str, why: str, step: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_duration(written, subject="plumb_agent_interval")
    assert caught.value.subject == "plumb_agent_interval"
    assert why in caught.value.reason
    assert step in caught.value.next_step


@pytest.mark.parametrize(
    "options", [("branch", "tag"), ("semver", "commit"), ("branch", "tag", "commit"), ()]
)
def test_row_96_a_source_names_exactly_one_revision(options: tuple[str, ...]) -> None:
    source = {"name": "fleet", "url": "https://h/r.git", **dict.fromkeys(options, "1" * 40)}
    good = {"name": "good", "url": "https://h/r.git", "branch": "main"}
    (wrong,) = check_inventory({"plumb_sources": [good, source]}).wrong
    assert wrong.startswith("plumb_sources[fleet]: ")
    assert "exactly one of branch, tag, semver and commit" in wrong
    assert all(option in wrong for option in options)
    assert "Leave " in wrong or "Write for example branch: main." in wrong


@pytest.mark.parametrize(
    ("status", "message", "operation", "step", "never"),
    [
        (422, POLICY, "deleting", "forbids its deletion", "manifest"),
        (403, WEBHOOK, "deleting", "forbids its deletion", "RBAC"),
        (400, WEBHOOK, "deleting", "forbids its deletion", "manifest"),
        (422, "something holds it", "deleting", "the next run tries again", "manifest"),
        (422, POLICY, "applying", "see the admission rule that the message names", "RBAC"),
        (403, WEBHOOK, "applying", "see the admission rule that the message names", "RBAC"),
        (403, 'User "u" cannot delete resource "configmaps"', "deleting", "RBAC", "admission rule of"),
    ],
)
def test_row_96_who_denies_it_is_blamed(
    status: int, message: str, operation: str, step: str, never: str
) -> None:
    body = json.dumps({"kind": "Status", "reason": "Invalid", "message": message}).encode()
    error = api_error(parse_status(status, body), Target(subject="ConfigMap shop/a", operation=operation))
    assert message in error.reason
    assert step in error.next_step
    assert never not in error.next_step


def test_row_96_what_cannot_be_changed_says_how_it_can_be() -> None:
    cause = {
        "reason": "FieldValueForbidden",
        "field": "spec",
        "message": "Forbidden: pod updates may not change fields other than `spec.containers[*].image`",
    }
    body = {
        "kind": "Status",
        "reason": "Invalid",
        "message": "Pod is invalid",
        "details": {"causes": [cause]},
    }
    error = api_error(parse_status(422, json.dumps(body).encode()), TARGET)
    assert "recreate: true" in error.next_step


@pytest.mark.parametrize(
    ("exception", "seconds", "message", "option"),
    [
        ("ConnectTimeoutError", 30.0, "within 10.0 s", "request_timeout only lowers"),
        ("ConnectTimeoutError", 4.0, "within 4.0 s", "request_timeout only lowers"),
        ("ReadTimeoutError", 30.0, "within 30.0 s", "plumb_request_timeout"),
        ("EmptyPoolError", 30.0, "busy for 30.0 s", "plumb_concurrency"),
    ],
)
def test_row_96_the_limit_that_was_reached_is_named(
    exception: str, seconds: float, message: str, option: str
) -> None:
    arguments: dict[str, tuple[Any, ...]] = {
        "ConnectTimeoutError": ("late",),
        "ReadTimeoutError": (None, "/", "late"),
        "EmptyPoolError": (None, "full"),
    }
    exc = getattr(urllib3.exceptions, exception)(*arguments[exception])
    error = connection_failure(exc, TARGET, "https://api:6443", seconds).error
    assert message in error.reason
    assert option in error.next_step
