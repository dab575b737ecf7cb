# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests are counted by what they do to the store."""

from __future__ import annotations

import json

import pytest

from ansible_collections.plumb.gitops.bench.traffic import Traffic, count


def _line(verb: str, uri: str = "/api/v1/x", user: str = "admin", **more: object) -> bytes:
    event = {"stage": "ResponseComplete", "verb": verb, "requestURI": uri, "user": {"username": user}, **more}
    return json.dumps(event).encode()


@pytest.mark.parametrize(
    ("line", "counted"),
    [
        (_line("list"), Traffic(reads=1)),
        (_line("patch"), Traffic(writes=1)),
        (_line("patch", "/api/v1/x?fieldManager=a&dryRun=All"), Traffic(dry_runs=1)),
        (_line("delete"), Traffic(writes=1)),
        (_line("create", objectRef={"resource": "selfsubjectaccessreviews"}), Traffic(reads=1)),
        (_line("patch", user="somebody"), Traffic()),
        (_line("watch", stage="ResponseStarted"), Traffic()),
    ],
)
def test_a_request_counts_as_what_it_does(line: bytes, counted: Traffic):
    assert count([line], "admin") == counted
