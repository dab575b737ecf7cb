# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 97: a run of the images' playbook says what it chose and why, and looks at Git as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.registry.image_shop import Shop, new_shop


@pytest.fixture
def shop(play: Play, sandbox: Sandbox, tmp_path: Path) -> Shop:
    return new_shop(play, sandbox, tmp_path)


def test_row_97_a_missing_marker_fails_and_one_pushed_a_second_ago_counts(shop: Shop) -> None:
    for tag in ("1.0.0", "1.1.0", "0.9.0", "latest"):
        shop.push(tag, label=tag)
    chosen = f"shop   {shop.image}:1.1.0   the highest of 2 versions in >=1.0.0, of 4 tags"
    shop.git.commit({"apps/shop.yaml": f"image: {shop.image}:1.0.0\n"}, "Without a marker")
    for _again in range(2):  # also where nothing is new
        done = shop.run()
        assert done.code == 2, done.output
        assert chosen in done.output
        assert (
            "image shop: looking for its marker in Git: no file in apps of fleet, branch main" in done.output
        )
        assert '# {"$plumb": "shop"}' in done.output.replace('\\"', '"')
    shop.git.commit({"apps/shop.yaml": shop.manifest("1.0.0")}, "With one")
    done = shop.run()
    assert (done.code, "changed=1" in done.output) == (0, True), done.output
    assert chosen in done.output
    assert shop.in_git() == shop.manifest("1.1.0")
    again = shop.run()
    assert (again.code, "changed=0" in again.output) == (0, True), again.output
    assert chosen in again.output
    assert "nothing to write" in again.output
