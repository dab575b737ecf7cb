# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The colours of a report's lines, in which a diff has colours of its own."""

from __future__ import annotations

from itertools import pairwise

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.fail_policy import coloured

LINES = [
    ("", "here    fleet main abc1234"),
    ("COLOR_CHANGED", "    ~ ConfigMap shop/a"),
    ("COLOR_DIFF_REMOVE", "--- cluster  ConfigMap shop/a (v1)"),
    ("COLOR_DIFF_ADD", "+++ git      a.yaml:1@abc1234"),
    ("COLOR_WARN", "# data.a: by kubectl"),
    ("COLOR_DIFF_LINES", "@@ data @@"),
    ("", "   - name: a list, and no pruned object"),
    ("", " "),
    ("", "   ? a: question"),
    ("COLOR_DIFF_REMOVE", "-  a: 1"),
    ("COLOR_DIFF_ADD", "+  a: 2"),
    ("", ""),
    ("COLOR_DIFF_REMOVE", "    - ConfigMap shop/b   left Git"),
    ("COLOR_ERROR", "    x ConfigMap shop/c   refused"),
]


def test_a_line_has_the_colour_of_its_sign_and_in_a_diff_that_of_its_first_character() -> None:
    runs = list(coloured([line for _colour, line in LINES]))
    assert [(colour, line) for colour, lines in runs for line in lines] == LINES
    colours = [colour for colour, _lines in runs]
    assert all(first != second for first, second in pairwise(colours))
