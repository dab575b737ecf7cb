# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A branch that was rewritten and a tag that was moved: followed with a word about it, or refused (row 44)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import RefKind, RewritePolicy, SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import (
    PulledSource,
    last_known,
    pull_sources,
)
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer, Reply
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream, pull, source


@pytest.fixture
def filtering(upstream: Upstream) -> Upstream:
    """Hands out commits without their files, as the forges do."""
    upstream.git("config", "uploadpack.allowFilter", "true")
    return upstream


def pulled(spec: SourceSpec, cache: Path) -> PulledSource:
    (result,) = pull_sources([spec], cache)
    return result


def refusing(spec: SourceSpec) -> SourceSpec:
    return replace(spec, rewritten=RewritePolicy.REFUSE)


def _one_commit(upstream: Upstream) -> None:
    upstream.commit({"app.yaml": "1"})


def _some_commits(upstream: Upstream) -> None:
    for number in range(3):
        upstream.commit({"app.yaml": f"{number}"})


def _many_commits(upstream: Upstream) -> None:
    """More than are looked at first."""
    commit = upstream.git("rev-parse", "main")
    stream = [f"commit refs/heads/main\ncommitter A <a@example.com> 1 +0000\ndata 1\nx\nfrom {commit}\n"]
    stream += ["commit refs/heads/main\ncommitter A <a@example.com> 1 +0000\ndata 1\nx\n"] * 120
    upstream.git("fast-import", "--quiet", stdin="".join(stream).encode())
    assert upstream.git("rev-list", "--count", f"{commit}..main") == "121"


def _merge(upstream: Upstream) -> None:
    ours = upstream.git("rev-parse", "main")
    theirs = upstream.commit({"app.yaml": "theirs"}, branch="side", orphan=True)
    tree = upstream.tree_of({"app.yaml": "both"})
    merged = upstream.git("commit-tree", tree, "-p", theirs, "-p", ours, "-m", "Merge")
    upstream.git("update-ref", "refs/heads/main", merged)


@pytest.mark.parametrize("move", [_one_commit, _some_commits, _many_commits, _merge])
@pytest.mark.parametrize("filters", [True, False])
def test_a_branch_that_moved_on_is_not_rewritten(
    server: GitServer, upstream: Upstream, cache: Path, move: Callable[[Upstream], None], filters: bool
) -> None:
    upstream.git("config", "uploadpack.allowFilter", str(filters).lower())
    spec = refusing(source(server.url("fleet.git")))
    pull(spec, cache)
    move(upstream)
    result = pulled(spec, cache)
    assert (result.error, result.warning) == (None, "")
    assert result.checkout is not None
    assert result.checkout.revision.commit == upstream.git("rev-parse", "main")
    assert not list(cache.rglob(".history-*"))


def test_a_push_of_one_commit_costs_no_question_more(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"))
    pull(spec, cache)
    server.requests.clear()
    upstream.commit({"app.yaml": "1"})
    pull(spec, cache)
    assert len(server.requests) == 4


def test_a_rewritten_branch_is_followed_and_both_commits_are_named(
    server: GitServer, filtering: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"))
    before = pull(spec, cache).revision.commit
    after = filtering.commit({"app.yaml": "rewritten"}, orphan=True)
    result = pulled(spec, cache)
    assert result.checkout is not None
    assert result.checkout.revision.commit == after
    assert result.warning.startswith("source fleet: branch main was rewritten")
    assert before in result.warning
    assert after in result.warning
    assert pulled(spec, cache).warning == "", "it is told once"
    filtering.git("update-ref", "refs/heads/main", before)
    assert "was rewritten" in pulled(spec, cache).warning, "back to a commit whose checkout is there"


def test_a_rewritten_branch_is_refused_until_it_is_put_back(
    server: GitServer, filtering: Upstream, cache: Path
) -> None:
    spec = refusing(source(server.url("fleet.git")))
    first = pull(spec, cache)
    before = first.revision.commit
    after = filtering.commit({"app.yaml": "rewritten"}, orphan=True)
    for requests in (8, 1):  # once refused, the same commit costs no more than one that is known
        server.requests.clear()
        result = pulled(spec, cache)
        assert result.checkout == first
        assert before in str(result.error)
        assert after in str(result.error)
        assert "rewritten: follow" in str(result.error)
        assert result.warning == ""
        assert last_known(spec, cache) == first
        assert len(server.requests) <= requests
    filtering.git("update-ref", "refs/heads/main", before)
    assert pull(spec, cache) == first
    later = filtering.commit({"app.yaml": "later"})
    assert pull(spec, cache).revision.commit == later


def test_a_refused_commit_is_taken_by_one_pull_that_follows(
    server: GitServer, filtering: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"))
    pull(spec, cache)
    after = filtering.commit({"app.yaml": "rewritten"}, orphan=True)
    assert pulled(refusing(spec), cache).error is not None
    assert after in pulled(spec, cache).warning
    assert pull(refusing(spec), cache).revision.commit == after


@pytest.mark.parametrize("lost", ["checkouts/*/revision.json", "checkouts/*"])
def test_without_the_last_revision_a_refused_source_has_none(
    server: GitServer, filtering: Upstream, cache: Path, lost: str
) -> None:
    spec = refusing(source(server.url("fleet.git")))
    pull(spec, cache)
    for path in (*cache.glob(f"*/{lost}"), *cache.glob("*/repository.git")):
        path.rename(path.with_name("gone"))
    filtering.commit({"app.yaml": "rewritten"}, orphan=True)
    result = pulled(spec, cache)
    assert result.checkout is None
    assert "was rewritten" in str(result.error)


@pytest.mark.parametrize(("ref", "kind"), [("v1.0.0", RefKind.TAG), ("^1", RefKind.SEMVER)])
def test_a_tag_that_moves_is_refused_even_forwards(
    server: GitServer, upstream: Upstream, cache: Path, ref: str, kind: RefKind
) -> None:
    upstream.tag("v1.0.0")
    spec = source(server.url("fleet.git"), ref, kind)
    first = pull(spec, cache)
    after = upstream.commit({"app.yaml": "moved"})
    upstream.tag("v1.0.0", annotated=True)
    result = pulled(refusing(spec), cache)
    assert result.checkout == first
    assert f"tag v1.0.0 was moved from {first.revision.commit} to {after}" in str(result.error)
    assert f"tag v1.0.0 was moved from {first.revision.commit} to {after}" in pulled(spec, cache).warning


def test_a_range_that_chooses_another_tag_is_not_rewritten(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    upstream.tag("v1.0.0")
    spec = refusing(source(server.url("fleet.git"), "^1", RefKind.SEMVER))
    pull(spec, cache)
    upstream.commit({"app.yaml": "next"}, orphan=True)
    upstream.tag("v1.1.0")
    assert pull(spec, cache).revision.resolved == "v1.1.0"


def test_where_the_history_cannot_be_asked_for_following_goes_on_and_refusing_does_not(
    server: GitServer, filtering: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"))
    first = pull(spec, cache)
    _some_commits(filtering)

    allowed = 4  # one for the refs, three for the fetch

    def fail(_request: object) -> Reply | None:
        return Reply(503) if len(server.requests) > allowed else None

    server.intercept = fail
    server.requests.clear()
    refused = pulled(refusing(spec), cache)
    assert refused.checkout == last_known(spec, cache) == first
    assert "asking for the history" in str(refused.error)
    allowed = 1  # the new checkout is there by now
    server.requests.clear()
    followed = pulled(spec, cache)
    assert followed.checkout is not None
    assert followed.checkout.revision.commit == filtering.git("rev-parse", "main")
    assert "is not known whether" in followed.warning
