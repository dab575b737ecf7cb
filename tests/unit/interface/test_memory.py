# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs remember of each other, in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.verified_cache_store import (
    StateError,
    VerifiedCache,
    load_verified_cache,
    save_verified_cache,
    verified_cache_file,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.plan.verified_cache import VerifiedState
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import RecordStore

LOOK = VerifiedState("d" * 32, "v1", "uid", "7", 0, "c" * 32, False, True)
MEMORY = VerifiedCache({"set": {ObjectRef("", "ConfigMap", "ns", "a"): LOOK}}, 12.5)


def test_a_memory_comes_back(tmp_path: Path) -> None:
    file = verified_cache_file(tmp_path, "https://one.example")
    save_verified_cache(file, MEMORY)
    assert load_verified_cache(file) == MEMORY


def test_each_cluster_has_its_own(tmp_path: Path) -> None:
    assert verified_cache_file(tmp_path, "https://one.example") != verified_cache_file(
        tmp_path, "https://two.example"
    )


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"looks": {}, "checked": None},
        {"looks": [], "checked": 0},
        {"looks": {"set": [["too", "short"]]}, "checked": 0},
        {"looks": {"set": 3}, "checked": 0},
    ],
)
def test_what_does_not_fit_counts_as_nothing(tmp_path: Path, content: dict[str, object]) -> None:
    file = verified_cache_file(tmp_path, "https://one.example")
    RecordStore(kind="plumb.gitops/looks", version=2, encode=dict, decode=dict).save(file, content)
    assert load_verified_cache(file) == VerifiedCache()


def test_a_disk_that_takes_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "looks").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(StateError, match="plumb_cache_dir"):
        save_verified_cache(verified_cache_file(tmp_path, "https://one.example"), MEMORY)


def test_every_proof_is_due_for_a_check_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    assert not VerifiedCache().is_due  # nothing to check
    assert not VerifiedCache(MEMORY.states, 1_000_000.0 - 3600).is_due
    assert VerifiedCache(MEMORY.states, 1_000_000.0 - 25 * 3600).is_due
    assert VerifiedCache(MEMORY.states, 1_000_000.0 + 3600).is_due  # the clock was set back
