# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/report.schema.json against every report of the golden files."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from jsonschema import ValidationError

from ansible_collections.plumb.gitops.plugins.module_utils.report.document import document
from ansible_collections.plumb.gitops.tests.support.ansible.report_schema import check_report
from ansible_collections.plumb.gitops.tests.unit.report.reports import REPORTS


@pytest.mark.parametrize("name", REPORTS)
def test_reports_are_as_the_schema_says(name: str) -> None:
    check_report(document(REPORTS[name]))


def test_the_schema_refuses_what_is_no_report() -> None:
    right = document(REPORTS["failed"])
    changes: list[dict[str, Any]] = [
        {"apiVersion": "plumb.gitops/v2"},
        {"surprise": 1},
        {"seconds": "1"},
        {"counts": {}},
    ]
    for change in changes:
        with pytest.raises(ValidationError):
            check_report({**copy.deepcopy(right), **change})
    with pytest.raises(ValidationError):
        check_report({key: value for key, value in right.items() if key != "apps"})
