# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run is, in one line and as counts."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.progress import (
    Phase,
    Progress,
    ProgressSnapshot,
)


def pulling(progress: Progress) -> None:
    progress.begin(Phase.PULLING, ["fleet", "infra", "apps"])
    progress.finish("fleet")


def rendering(progress: Progress) -> None:
    progress.begin(Phase.RENDERING, [f"app{number}" for number in range(40)])
    for number in range(12):
        progress.finish(f"app{number}")
    progress.finish("app3")  # counted once


def comparing(progress: Progress) -> None:
    progress.begin_comparing(1000)
    progress.compared()


def one_app(progress: Progress) -> None:
    progress.begin_app("shop", 1000)
    for _ in range(812):
        progress.applied("shop")


def apps(progress: Progress) -> None:
    one_app(progress)
    progress.begin_app("web", 10)
    progress.begin_app("done", 5)
    progress.end_app("done")


def waiting(progress: Progress) -> None:
    one_app(progress)
    progress.waits("shop", "Deployment shop/web: Available:\n0/1")


def waiting_and_applying(progress: Progress) -> None:
    waiting(progress)
    progress.begin_app("web", 10)


CASES: dict[str, tuple[Callable[[Progress], None], str]] = {
    "pulling": (pulling, "pulling: 1 of 3 sources; infra, apps"),
    "rendering": (rendering, "rendering: 12 of 40 apps; app12, app13, app14, and 25 more"),
    "reading": (lambda progress: progress.begin_comparing(), "reading the cluster"),
    "comparing": (comparing, "1 of 1,000 objects compared"),
    "one app": (one_app, "812 of 1,000 applied"),
    "apps": (apps, "817 of 1,015 applied; shop 812 of 1,000, web 0 of 10"),
    "waiting": (waiting, "shop waits for Deployment shop/web: Available: 0/1"),
    "waiting and applying": (
        waiting_and_applying,
        "1,000 of 1,010 applied; shop waits for Deployment shop/web: Available: 0/1",
    ),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_the_progress_in_one_line(case: str) -> None:
    happen, expected = CASES[case]
    progress = Progress()
    happen(progress)
    assert _snapshot(progress).text == expected


def test_nothing_is_known_before_it_begins() -> None:
    assert Progress().snapshot() is None


def test_no_count_is_lost_between_threads() -> None:
    progress = Progress()
    progress.begin_app("shop", 4000)

    def count() -> None:
        for _ in range(1000):
            progress.applied("shop")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _snapshot(progress).done == 4000


def test_for_programs() -> None:
    progress = Progress()
    waiting(progress)
    assert _snapshot(progress).document() == {
        "phase": "waiting",
        "done": 1000,
        "total": 1000,
        "waits_for": ["shop waits for Deployment shop/web: Available: 0/1"],
        "text": "shop waits for Deployment shop/web: Available: 0/1",
    }


def _snapshot(progress: Progress) -> ProgressSnapshot:
    snapshot = progress.snapshot()
    assert snapshot is not None
    return snapshot
