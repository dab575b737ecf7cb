# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which refusals are remembered, under what, and when a request is sent again."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.cluster import errors
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.api_errors import (
    Target,
    api_error,
)
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.api_status import parse_status
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.refused_requests import (
    RefusedRequests,
    from_content,
    is_lasting,
    request_key,
    to_content,
)
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.transport import Request

TARGET = Target(subject="ConfigMap n/a", operation="applying", write=True)
REQUEST = Request(method="PATCH", path="/p/a", target=TARGET, query={"force": "true"}, body=b"{}")
CAUSES = {"causes": [{"reason": "FieldValueInvalid", "field": "spec.x", "message": "field is immutable"}]}
RIGHTS = 'User "u" cannot patch resource "configmaps" in API group ""'


def answered(status, message="no", reason="", details=None):
    body = {"kind": "Status", "code": status, "reason": reason, "message": message, "details": details or {}}
    return api_error(parse_status(status, json.dumps(body).encode()), TARGET)


LASTING = [
    answered(400, "unknown field"),
    answered(403, "exceeded quota"),
    answered(403, RIGHTS),
    answered(405),
    answered(413),
    answered(422, details=CAUSES),
    answered(500, "failed to create typed patch object"),
    answered(500, "request is too large"),
]
PASSING = [
    errors.Unreachable("a", "b", "c"),
    errors.DeadlineExceeded("a", "b", "c"),
    answered(401),
    answered(403, details={"causes": [{"reason": "NamespaceTerminating"}]}),
    answered(404, 'namespaces "n" not found', details={"kind": "namespaces", "name": "n"}),
    answered(409),
    answered(409, details={"causes": [{"reason": "FieldManagerConflict"}]}),
    answered(429),
    answered(500, 'failed calling webhook "w"'),
    answered(500),
    answered(503),
    answered(504),
]


@pytest.mark.parametrize("error", LASTING, ids=str)
def test_row_107_a_lasting_refusal_is_raised_again_as_it_was(error):
    assert is_lasting(error)
    memory = RefusedRequests()
    memory.note("key", error, "rules")
    refusals = from_content(json.loads(json.dumps(to_content(memory.after_run(rights=True)))))
    known = RefusedRequests(refusals).find("key")
    assert known is not None
    again = known.to_error()
    assert type(again) is type(error)
    assert (str(again), again.answer) == (str(error), error.answer)


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_row_107_what_passes_by_itself_is_not_remembered(error):
    assert not is_lasting(error)


def test_row_107_refusals_for_missing_rights_are_forgotten_where_all_were_missing():
    memory = RefusedRequests()
    memory.note("rights", answered(403, RIGHTS), "rules")
    memory.note("invalid", answered(422), "rules")
    assert memory.after_run(rights=False).keys() == {"invalid"}


CHANGES: dict[str, Any] = {
    "method": "DELETE",
    "path": "/p/b",
    "query": {"force": "false"},
    "content_type": "x",
    "body": b"[]",
}


@pytest.mark.parametrize("name", CHANGES)
def test_row_107_another_request_has_another_key(name):
    assert request_key(replace(REQUEST, **{name: CHANGES[name]}), "7") != request_key(REQUEST, "7")
    assert request_key(REQUEST, "8") != request_key(REQUEST, "7")
    dry = replace(REQUEST, query={**REQUEST.query, "dryRun": "All"}, dry_run=True)
    assert request_key(dry, "7") == request_key(REQUEST, "7")


@given(st.floats(1, 600))
def test_row_107_the_pace_is_slow_at_last_and_never_stops(every):
    """A run at any pace over two days: some tries at first, then at most one an hour, and never none in two hours."""
    at, sent = 0.0, []
    memory = RefusedRequests(now=lambda: at)
    while at < 48 * 3600:
        if memory.find("key") is None:
            sent.append(at)
            memory.note("key", answered(422), "rules")
        else:
            memory.mark_used("key")
        memory.known = memory.after_run(rights=True)
        at += max(every, 30)
    late = [moment for moment in sent if moment > 6 * 3600]
    assert len(sent) < 80
    assert all(2600 < after - before < 7200 for before, after in pairwise(late))


def test_row_107_a_write_of_ours_makes_all_due_once():
    memory = RefusedRequests()
    memory.note("key", answered(422), "rules")
    memory.succeeded("other", wrote=True)
    after = RefusedRequests(memory.after_run(rights=True))
    assert after.find("key") is None
    after.note("key", answered(422), "rules")
    assert RefusedRequests(after.after_run(rights=True)).find("key") is not None


@pytest.mark.parametrize("content", [[], {"k": 1}, {"k": {}}, {"k": {"words": []}}])
def test_row_107_what_was_damaged_is_not_used(content):
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        from_content(content)


def test_row_107_a_clock_that_was_set_back_does_not_silence_for_long():
    memory = RefusedRequests(now=lambda: 1e9)
    memory.note("key", answered(422), "rules")
    assert RefusedRequests(memory.after_run(rights=True), now=lambda: 1e6).find("key") is None
