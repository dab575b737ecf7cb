# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 98: a failed run as it looks on a terminal: each failure once, and nothing of our own playbook."""

from __future__ import annotations

from ansible_collections.plumb.gitops.tests.support.ansible.git_fleet import GitFleet
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map


def _quotes_nothing_of_ours(output: str) -> bool:
    return not any(word in output for word in ("Origin:", "^ column", "reconcile.yml", "Traceback"))


def test_row_98_each_failure_is_said_once(git_fleet: GitFleet) -> None:
    files = {
        "app": {"all.yaml": config_map("c", {"a": "1"})},
        "bad": {"x.yaml": "a: [\n"},
        "worse": {"y.yaml": "- {"},
    }
    git_fleet.upstream.commit(files)
    apps = [git_fleet.app(), *(git_fleet.app(name=name, path=name) for name in ("bad", "worse"))]
    done = git_fleet.run(plumb_apps=apps)
    assert done.code == 2
    assert done.output.count("reading bad/x.yaml") == 1, done.output
    assert done.output.count("reading worse/y.yaml") == 1, done.output
    assert "2 failures of app bad, worse: the report above has the reasons and the next steps." in done.output
    assert _quotes_nothing_of_ours(done.output), done.output

    wrong = git_fleet.run(
        plumb_apps=apps,
        plumb_sources=[git_fleet.source(branch="mian")],
        plumb_cache_dir=str(git_fleet.folder / "new"),
    )
    assert wrong.code == 2
    assert wrong.output.count("the repository has no such branch. The nearest: main.") == 1, wrong.output
    assert wrong.output.count("source fleet has no revision: see above") == 3
    assert _quotes_nothing_of_ours(wrong.output), wrong.output

    unreached = git_fleet.run(plumb_kubeconfig="/nonexistent")
    assert unreached.code == 2
    assert "there is no such file" in unreached.output
    assert _quotes_nothing_of_ours(unreached.output), unreached.output
