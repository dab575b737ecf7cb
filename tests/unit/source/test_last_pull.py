# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run takes that pulls nothing (row 67): what the last pull left, with what it came to; no remote is asked."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import RewritePolicy, SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import SourceError
from ansible_collections.plumb.gitops.plugins.module_utils.source.last_pull import last_pulled
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import (
    PulledSource,
    current_revision,
    pull_resolved,
    pull_sources,
)
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer, Reply
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream, source


@pytest.fixture
def spec(server: GitServer, upstream: Upstream) -> SourceSpec:
    upstream.commit({"a": {"x.yaml": "1"}, "b": {"y.yaml": "2"}})
    return source(server.url("fleet.git"))


def _last(spec: SourceSpec, cache: Path, server: GitServer) -> PulledSource:
    """What the last pull left; the server must have got no request meanwhile."""
    before = len(server.requests)
    (pulled,) = last_pulled([spec], cache)
    assert len(server.requests) == before, "a remote was asked"
    return pulled


def test_the_last_pull_is_taken_also_while_the_ref_moves(
    server: GitServer, upstream: Upstream, spec: SourceSpec, cache: Path
) -> None:
    never = _last(spec, cache, server)
    assert never.checkout is None
    assert "it has not been pulled yet" in str(never.error)
    (pulled,) = pull_sources([spec], cache)
    upstream.commit({"a": {"x.yaml": "later"}})
    assert _last(spec, cache, server) == pulled


def test_other_paths_are_checked_out_of_what_was_fetched(
    server: GitServer, spec: SourceSpec, cache: Path
) -> None:
    (pulled,) = pull_sources([dataclasses.replace(spec, paths=("a",))], cache)
    assert pulled.checkout is not None
    last = _last(dataclasses.replace(spec, paths=("b",)), cache, server)
    assert last.checkout is not None
    assert last.checkout.revision == pulled.checkout.revision
    assert (last.checkout.path / "b" / "y.yaml").read_text() == "2"
    assert not (last.checkout.path / "a").exists()


def test_why_the_last_pull_failed_is_reported_until_one_succeeds(
    server: GitServer, spec: SourceSpec, cache: Path
) -> None:
    server.intercept = lambda _request: Reply(503)
    (failed,) = pull_sources([spec], cache)
    last = _last(spec, cache, server)
    assert last.checkout is None
    assert str(last.error) == str(failed.error), "of a source that was never pulled, too"
    server.intercept = lambda _request: None
    (good,) = pull_sources([spec], cache)
    assert _last(spec, cache, server) == good
    server.intercept = lambda _request: Reply(503)
    (fallen_back,) = pull_sources([spec], cache)
    last = _last(spec, cache, server)
    assert last.checkout == good.checkout
    assert str(last.error) == str(fallen_back.error)
    assert "its last good revision, stays in force" in str(last.error)
    renamed = _last(dataclasses.replace(spec, name="other"), cache, server)
    assert str(renamed.error).startswith("source other: "), "the error is the source's that is asked for"


def test_a_refused_rewrite_and_a_warning_of_one_are_reported(
    server: GitServer, upstream: Upstream, spec: SourceSpec, cache: Path
) -> None:
    refusing = dataclasses.replace(spec, rewritten=RewritePolicy.REFUSE)
    (good,) = pull_sources([refusing], cache)
    upstream.commit({"a": {"x.yaml": "rewritten"}}, orphan=True)
    (refused,) = pull_sources([refusing], cache)
    last = _last(refusing, cache, server)
    assert (last.checkout, str(last.error)) == (good.checkout, str(refused.error))
    assert "was rewritten" in str(last.error)
    assert _last(spec, cache, server).error is None, "who follows rewritten refs has no error of who does not"
    (followed,) = pull_sources([spec], cache)
    assert "was rewritten" in followed.warning
    assert _last(spec, cache, server) == followed
    pull_sources([spec], cache)
    assert not _last(spec, cache, server).warning


def test_what_a_poll_was_answered_is_pulled_without_another_question(
    server: GitServer, upstream: Upstream, spec: SourceSpec, cache: Path
) -> None:
    resolution = current_revision(spec)
    pulled = pull_resolved(spec, resolution, cache, cancelled=threading.Event())
    assert pulled.checkout is not None
    assert pulled.checkout.revision.commit == resolution.commit
    server.requests.clear()
    assert pull_resolved(spec, resolution, cache, cancelled=threading.Event()) == pulled
    assert server.requests == []
    silence = SourceError("source fleet", "asking the server for its refs", "no end within 20s")
    silent = pull_resolved(spec, silence, cache, cancelled=threading.Event())
    assert silent.checkout == pulled.checkout
    assert "no end within 20s" in str(silent.error)
    assert str(_last(spec, cache, server).error) == str(silent.error)


def test_a_pull_that_was_called_off_says_nothing_of_the_source(
    server: GitServer, spec: SourceSpec, cache: Path
) -> None:
    (pulled,) = pull_sources([spec], cache)
    cancelled = threading.Event()
    cancelled.set()
    silence = SourceError("source fleet", "asking the server for its refs", "the run was cancelled")
    pull_resolved(spec, silence, cache, cancelled=cancelled)
    assert _last(spec, cache, server) == pulled
