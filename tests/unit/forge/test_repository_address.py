# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which repository of a forge a source's address leads to."""

from __future__ import annotations

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.forge.repository_address import repository_at

HERE, BELOW = "https://git.example.com", "https://example.com/git/"


@pytest.mark.parametrize(
    ("base", "url", "expected"),
    [
        (HERE, "https://git.example.com/platform/fleet.git", ("platform", "fleet")),
        (HERE, "https://GIT.example.com/platform/fleet/", ("platform", "fleet")),
        (HERE, "https://git.example.com/group/sub/fleet.git", ("group/sub", "fleet")),
        (HERE, "git@git.example.com:platform/fleet.git", ("platform", "fleet")),
        (HERE, "ssh://git@git.example.com:2222/platform/fleet.git", ("platform", "fleet")),
        (BELOW, "https://example.com/git/platform/fleet.git", ("platform", "fleet")),
        (BELOW, "https://example.com/other/platform/fleet.git", None),
        (BELOW, "git@example.com:platform/fleet.git", ("platform", "fleet")),
        (HERE, "https://git.example.com:8443/platform/fleet.git", None),
        (HERE, "http://git.example.com/platform/fleet.git", None),
        (HERE, "https://git.example.com.evil.org/platform/fleet.git", None),
        (HERE, "https://other.example.com/platform/fleet.git", None),
        (HERE, "https://git.example.com/fleet.git", None),
        (HERE, "git@other.example.com:platform/fleet.git", None),
    ],
)
def test_a_source_belongs_to_the_repository_that_its_address_names(
    base: str, url: str, expected: tuple[str, str] | None
) -> None:
    assert repository_at(base, url) == expected
