# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulling from a real server: which revision, how many requests, what comes back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import Person, RefKind
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import (
    current_revision,
    last_known,
    pull_sources,
)
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer, Reply
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream, pull, refused, source


def test_a_branch_is_checked_out_with_all_that_the_commit_says(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    commit = upstream.commit({"apps": {"shop": {"a.yaml": "kind: Service\n"}}}, "Raise limits\n\nBody")
    checkout = pull(source(server.url("fleet.git")), cache)
    assert (checkout.path / "apps" / "shop" / "a.yaml").read_text() == "kind: Service\n"
    revision = checkout.revision
    assert (revision.source, revision.ref, revision.commit) == ("fleet", "main", commit)
    assert revision.author == Person("Ada Author", "ada@example.com")
    assert revision.committer == Person("Carl Committer", "carl@example.com")
    assert (revision.authored, revision.committed) == ("2026-11-20T08:00:00Z", "2026-11-21T09:30:00Z")
    assert (revision.subject, revision.resolved) == ("Raise limits", "")


def test_an_unchanged_ref_costs_one_request_and_a_commit_none(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    branch = source(server.url("fleet.git"))
    first = pull(branch, cache)
    commit = source(server.url("fleet.git"), first.revision.commit, RefKind.COMMIT)
    server.requests.clear()
    assert pull(branch, cache).path == first.path
    assert [(request.method, request.path) for request in server.requests] == [
        ("GET", "/fleet.git/info/refs?service=git-upload-pack")
    ]
    server.requests.clear()
    assert pull(commit, cache).path == first.path
    assert server.requests == []


def test_a_poll_is_one_request_and_sees_a_new_commit(server: GitServer, upstream: Upstream) -> None:
    spec = source(server.url("fleet.git"))
    before = current_revision(spec)
    commit = upstream.commit({"app.yaml": "kind: Secret\n"})
    after = current_revision(spec)
    assert (after.ref, after.commit) == ("refs/heads/main", commit)
    assert before.commit != commit
    assert len(server.requests) == 2
    pinned = source(server.url("fleet.git"), commit, RefKind.COMMIT)
    assert current_revision(pinned).commit == commit
    assert len(server.requests) == 2


@pytest.mark.parametrize("annotated", [False, True])
def test_a_tag_leads_to_its_commit(
    server: GitServer, upstream: Upstream, cache: Path, annotated: bool
) -> None:
    upstream.tag("v1.0.0", annotated=annotated)
    wanted = upstream.git("rev-parse", "main")
    upstream.commit({"app.yaml": "later"})
    spec = source(server.url("fleet.git"), "v1.0.0", RefKind.TAG)
    first = pull(spec, cache)
    assert (first.revision.commit, first.revision.ref) == (wanted, "v1.0.0")
    server.requests.clear()
    assert pull(spec, cache).path == first.path
    assert len(server.requests) == 1


def test_a_semver_range_chooses_the_highest_tag_and_names_it(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    for version in ("v1.2.0", "v1.10.0", "v1.9.0", "v2.0.0", "v1.11.0-rc.1"):
        upstream.commit({"version": version})
        upstream.tag(version, annotated=version == "v1.10.0")
    checkout = pull(source(server.url("fleet.git"), ">=1.2 <2", RefKind.SEMVER), cache)
    assert (checkout.path / "version").read_text() == "v1.10.0"
    assert (checkout.revision.ref, checkout.revision.resolved) == (">=1.2 <2", "v1.10.0")


def test_a_commit_that_is_no_tip_is_fetched_by_its_id(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    wanted = upstream.git("rev-parse", "main")
    upstream.commit({"app.yaml": "later"})
    checkout = pull(source(server.url("fleet.git"), wanted.upper(), RefKind.COMMIT), cache)
    assert checkout.revision.commit == wanted
    assert (checkout.path / "app.yaml").read_text() == "kind: ConfigMap\n"


def test_a_repository_of_sha256_objects(server: GitServer, served: Path, cache: Path) -> None:
    repository = Upstream(served / "new.git", object_format="sha256")
    commit = repository.commit({"app.yaml": "kind: ConfigMap\n"})
    assert len(commit) == 64
    assert pull(source(server.url("new.git")), cache).revision.commit == commit
    assert pull(source(server.url("new.git"), commit, RefKind.COMMIT), cache).revision.commit == commit


def test_only_the_wanted_commit_is_fetched(server: GitServer, upstream: Upstream, cache: Path) -> None:
    for number in range(5):
        upstream.commit({"app.yaml": f"{number}"})
    upstream.commit({"other": "x"}, branch="other")
    pull(source(server.url("fleet.git")), cache)
    (repository,) = cache.glob("*/repository.git")
    assert len((repository / "shallow").read_text().split()) == 1
    assert not list((repository / "refs" / "heads").iterdir())


@pytest.mark.parametrize(
    ("ref", "kind", "reason", "hint"),
    [
        ("mian", RefKind.BRANCH, "no such branch", "The nearest: main."),
        ("v1.0.0", RefKind.BRANCH, "no such branch", "write tag: v1.0.0"),
        ("main", RefKind.TAG, "no such tag", "write branch: main"),
        ("v1.0", RefKind.TAG, "no such tag", "The nearest: v1.0.0."),
        ("^3", RefKind.SEMVER, "in this range", "v1.0.0"),
        ("0" * 40, RefKind.COMMIT, "does not hand out that commit", "pushed"),
        ("not a range", RefKind.SEMVER, "not a version", "^1.2.3"),
    ],
)
def test_a_ref_that_is_not_there_is_named_with_the_nearest(
    server: GitServer, upstream: Upstream, cache: Path, ref: str, kind: RefKind, reason: str, hint: str
) -> None:
    upstream.tag("v1.0.0")
    error = refused(source(server.url("fleet.git"), ref, kind), cache)
    assert reason in error.reason
    assert hint in error.next_step
    assert error.subject == "source fleet"


def test_an_empty_repository_is_a_clear_error(server: GitServer, served: Path, cache: Path) -> None:
    Upstream(served / "empty.git")
    error = refused(source(server.url("empty.git")), cache)
    assert "the repository is empty" in error.reason
    assert "Push a first commit" in error.next_step


def test_an_id_of_a_tag_object_is_not_taken_for_a_commit(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    upstream.tag("v1.0.0", annotated=True)
    tag, commit = upstream.git("rev-parse", "v1.0.0", "v1.0.0^{}").split()
    error = refused(source(server.url("fleet.git"), tag, RefKind.COMMIT), cache)
    assert commit in error.next_step
    blob = upstream.git("rev-parse", "main:app.yaml")
    assert refused(source(server.url("fleet.git"), blob, RefKind.COMMIT), cache).subject == "source fleet"


def test_one_failure_does_not_hide_the_others_and_the_order_is_kept(
    server: GitServer, upstream: Upstream, served: Path, cache: Path
) -> None:
    specs = [source(server.url("fleet.git"), name=f"good{number}") for number in range(4)]
    specs.insert(1, source(server.url("missing.git"), name="missing"))
    specs.insert(3, source("file:///etc", name="hostile"))
    results = pull_sources(specs, cache)
    assert [result.name for result in results] == ["good0", "missing", "good1", "hostile", "good2", "good3"]
    assert [result.checkout is not None for result in results] == [True, False, True, False, True, True]
    assert [result.error is None for result in results] == [True, False, True, False, True, True]
    assert "no such repository" in str(results[1].error)
    assert {result.checkout.revision.source for result in results if result.checkout} == {
        "good0", "good1", "good2", "good3",
    }  # fmt: skip


def test_two_sources_of_one_name_are_refused(server: GitServer, upstream: Upstream, cache: Path) -> None:
    spec = source(server.url("fleet.git"))
    with pytest.raises(InputError, match="two have this name"):
        pull_sources([spec, spec], cache)


def test_no_sources_are_no_results(cache: Path) -> None:
    assert pull_sources([], cache) == ()


def test_a_moved_tag_and_a_moved_branch_are_followed(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    upstream.tag("live")
    spec = source(server.url("fleet.git"), "live", RefKind.TAG)
    first = pull(spec, cache)
    upstream.commit({"app.yaml": "moved"})
    upstream.tag("live", annotated=True)
    second = pull(spec, cache)
    assert (second.path / "app.yaml").read_text() == "moved"
    assert (first.path / "app.yaml").read_text() == "kind: ConfigMap\n"


def test_a_force_push_is_followed_and_back_again(server: GitServer, upstream: Upstream, cache: Path) -> None:
    spec = source(server.url("fleet.git"))
    first = pull(spec, cache)
    upstream.commit({"app.yaml": "rewritten"}, orphan=True)
    assert (pull(spec, cache).path / "app.yaml").read_text() == "rewritten"
    upstream.git("update-ref", "refs/heads/main", first.revision.commit)
    assert pull(spec, cache) == first


def test_a_deleted_ref_is_an_error_and_the_last_good_revision_stays(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"))
    assert last_known(spec, cache) is None
    first = pull(spec, cache)
    upstream.commit({"x": "y"}, branch="other")
    upstream.git("update-ref", "-d", "refs/heads/main")
    (last,) = pull_sources([spec], cache)
    assert "no such branch" in str(last.error)
    assert f"{first.revision.commit[:7]}, its last good revision, stays in force" in str(last.error)
    assert last.checkout == last_known(spec, cache) == first
    assert (first.path / "app.yaml").read_text() == "kind: ConfigMap\n"


def test_a_ref_that_moves_between_being_asked_and_fetched(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    moved: list[str] = []

    def move(request: object) -> Reply | None:
        if len(server.requests) == 2:
            moved.append(upstream.commit({"app.yaml": "newest"}))
        return None

    server.intercept = move
    checkout = pull(source(server.url("fleet.git")), cache)
    assert checkout.revision.commit == moved[0]
    assert (checkout.path / "app.yaml").read_text() == "newest"


def test_a_deadline_that_has_passed_is_an_error_of_each_source(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    (result,) = pull_sources([source(server.url("fleet.git"))], cache, deadline=time.monotonic() - 1)
    assert "no end within" in str(result.error)
    assert server.requests == []
