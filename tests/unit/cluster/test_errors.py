# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table from a refusal to an error, and what such an error says."""

from __future__ import annotations

import json

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster import errors
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.api_errors import (
    Target,
    api_error,
)
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.api_status import (
    Conflict,
    parse_status,
)

TARGET = Target(subject="Deployment shop/cart", operation="applying", write=True)


def answer(status, reason="", message="", *causes, **details):
    listed = [dict(zip(("reason", "field", "message"), cause, strict=True)) for cause in causes]
    content = {
        "kind": "Status",
        "reason": reason,
        "message": message,
        "details": {**details, "causes": listed},
    }
    return parse_status(status, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (answer(401, "Unauthorized", "Unauthorized"), errors.Unauthorized),
        (answer(403, "Forbidden", "no"), errors.Forbidden),
        (answer(403, "Forbidden", "no", ("NamespaceTerminating", "", "")), errors.NamespaceTerminating),
        (answer(404, "NotFound", 'configmaps "a" not found', name="a"), errors.NotFound),
        (parse_status(404, b"404 page not found\n"), errors.UnknownApi),
        # Of a kind that a known group does not have.
        (answer(404, "NotFound", "the server could not find the requested resource"), errors.UnknownApi),
        (
            answer(409, "Conflict", "", ("FieldManagerConflict", ".spec", 'conflict with "x"')),
            errors.ManagerConflict,
        ),
        (answer(409, "Conflict", "the object has been modified"), errors.StaleVersion),
        (answer(409, "AlreadyExists", "there is one"), errors.StaleVersion),
        (answer(410, "Expired", "too old"), errors.Expired),
        (answer(413, "RequestEntityTooLarge", "limit is 3145728"), errors.TooLarge),
        (answer(422, "Invalid", "", ("FieldValueTooLong", "metadata.annotations", "")), errors.TooLarge),
        (answer(422, "Invalid", "", ("FieldValueInvalid", "spec", "")), errors.Invalid),
        (answer(429, "TooManyRequests", "later"), errors.Throttled),
        (answer(500, "", "etcdserver: request is too large"), errors.TooLarge),
        (answer(500, "InternalError", "failed calling webhook"), errors.ServerFailure),
        (parse_status(503, b"service unavailable"), errors.ServerFailure),
        (answer(504, "Timeout", "request did not complete"), errors.ServerFailure),
        (answer(400, "BadRequest", 'strict decoding error: unknown field "spec.x"'), errors.BadRequest),
        (parse_status(302, b""), errors.BadRequest),
        (parse_status(418, b"[" * 100_000), errors.BadRequest),
    ],
)
def test_the_table(status, expected):
    made = api_error(status, TARGET)
    assert type(made) is expected
    assert str(made).startswith("Deployment shop/cart: applying: ")
    assert made.status == status.status
    assert made.reason
    assert made.next_step


def test_a_conflict_names_managers_and_how_they_hold_the_field():
    made = api_error(
        answer(
            409,
            "Conflict",
            "Apply failed with 3 conflicts",
            (
                "FieldManagerConflict",
                ".spec.replicas",
                'conflict with "kubectl" with subresource "scale" using apps/v1',
            ),
            (
                "FieldManagerConflict",
                ".spec.paused",
                'conflict with "ed\\"it" using apps/v1 at 2026-01-01T00:00:00Z',
            ),
            ("FieldManagerConflict", ".spec.strategy", 'conflict with "argocd"'),
        ),
        TARGET,
    )
    assert isinstance(made, errors.ManagerConflict)
    assert made.managers == ("argocd", 'ed"it', "kubectl")
    assert made.conflicts == (
        Conflict("argocd", "", True, "spec.strategy"),
        Conflict('ed"it', "", False, "spec.paused"),
        Conflict("kubectl", "scale", False, "spec.replicas"),
    )
    assert "argocd applied spec.strategy" in str(made)
    assert "kubectl changed spec.replicas" in str(made)


@pytest.mark.parametrize(
    ("cause", "immutable"),
    [
        (("FieldValueInvalid", "spec.selector", "Invalid value: {}: field is immutable"), True),
        (
            (
                "FieldValueForbidden",
                "spec",
                "Forbidden: updates to statefulset spec for fields other than 'replicas'",
            ),
            True,
        ),
        (
            (
                "FieldValueForbidden",
                "spec",
                "Forbidden: spec is immutable after creation except resources.requests",
            ),
            True,
        ),
        (
            (
                "FieldValueInvalid",
                "spec.clusterIPs[0]",
                "Invalid value: []: primary clusterIP can not be unset",
            ),
            False,
        ),
        (("FieldValueInvalid", "spec.clusterIP", "Invalid value: may not change once set"), True),
        (("FieldValueInvalid", "roleRef", 'Invalid value: {"Name":"edit"}: cannot change roleRef'), True),
        (("FieldValueForbidden", "value", "Forbidden: may not be changed in an update."), True),
        (("FieldValueRequired", "spec.template", "Required value: immutable things need one"), False),
        (
            ("FieldValueInvalid", "spec.replicas", "Invalid value: -1: must be greater than or equal to 0"),
            False,
        ),
    ],
)
def test_immutable_is_read_from_the_causes(cause, immutable):
    made = api_error(answer(422, "Invalid", "is invalid", cause), TARGET)
    assert isinstance(made, errors.Invalid)
    assert made.immutable is immutable


def test_a_long_message_is_told_by_its_causes():
    """The server prints a Job's whole template before it says that it may not change."""
    value = json.dumps({"Spec": {"Containers": ["x" * 900]}})
    invalid = ("FieldValueInvalid", "spec.template", f"Invalid value: {value}: field is immutable")
    differs = (
        "FieldValueForbidden",
        "spec",
        f"Forbidden: pod updates may not change this\n@@ -1 +1 @@\n{'y' * 900}",
    )
    made = api_error(answer(422, "Invalid", f"Job is invalid: {value}", invalid, differs), TARGET)
    assert made.reason == (
        "spec.template: field is immutable; spec: Forbidden: pod updates may not change this"
    )


def test_nothing_that_a_server_says_of_a_secret_is_kept():
    target = Target(subject="Secret shop/db", operation="applying", secret=True, write=True)
    status = answer(
        422,
        "Invalid",
        "hunter2 is wrong",
        ("FieldValueInvalid", "data[password]", 'Invalid value: "hunter2"'),
    )
    made = api_error(status, target)
    assert "hunter2" not in str(made) + repr(made) + repr(vars(made)) + repr(made.answer)
    assert "data[password] FieldValueInvalid" in str(made)
    made = api_error(answer(500, "InternalError", "illegal base64 data: hunter2"), target)
    assert isinstance(made, errors.ServerFailure)
    assert made.permanent
    assert "a value under data is not base64" in str(made)
    assert "hunter2" not in str(made) + repr(vars(made)) + repr(made.answer)


def test_what_a_server_says_is_bounded_and_cannot_forge_lines():
    made = api_error(answer(403, "Forbidden", "no\n\x1b[31mok: all is well" + "x" * 5000), TARGET)
    assert len(str(made)) < 1500
    assert "\n" not in str(made)
    assert "\x1b" not in str(made) + made.message


def test_a_foreign_body_is_not_quoted():
    assert "hunter2" not in str(api_error(parse_status(502, b"<html>hunter2</html>"), TARGET))
    assert "hunter2" not in str(
        api_error(parse_status(400, b'{"kind": "Echo", "message": "hunter2"}'), TARGET)
    )


@pytest.mark.parametrize(
    "details", [None, [], {"causes": None}, {"causes": {}}, {"causes": [None, 3]}, {"kind": 5}]
)
def test_an_odd_status_object_is_no_crash(details):
    content = {"kind": "Status", "reason": 7, "message": None, "details": details}
    assert parse_status(409, json.dumps(content).encode()).causes == ()
