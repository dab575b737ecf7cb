# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Git is down, damaged or rewritten: the cluster stays as it was last verified (rows 42-44 of the list of faults).

What the package source itself does then is in tests/unit/source: test_damage.py cuts answers anywhere and kills a pull
at every request. Here it is a whole run: nothing is pruned, nothing is guessed, and the next good pull is enough. Where
the words of the playbook matter it is one; else its tasks' work in this process (`Fleet.reconcile`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.tests.support.ansible.git_fleet import GitFleet
from ansible_collections.plumb.gitops.tests.support.cluster.audit_log import Audit
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer, Reply
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map


@pytest.fixture
def settled(git_fleet: GitFleet) -> GitFleet:
    """A fleet that was brought to its first commit; the next one changes, adds and removes an object."""
    git_fleet.upstream.commit({"app": {"all.yaml": config_map("c") + config_map("left")}}, "First")
    assert git_fleet.reconcile().code == 0
    return git_fleet


def _next_commit(fleet: GitFleet) -> None:
    fleet.upstream.commit({"app": {"all.yaml": config_map("c", {"a": "2"}) + config_map("new")}}, "Second")


def _unavailable(server: GitServer) -> None:
    server.intercept = lambda _request: Reply(503)


def _cut(server: GitServer) -> None:
    server.cut_after = 40


def _lies(server: GitServer) -> None:
    server.intercept = lambda request: Reply(
        200, {"Content-Type": "text/html"}, b"<html>Sign in, please</html>"
    )


@pytest.mark.parametrize("fail", [_unavailable, _cut, _lies], ids=["503", "cut", "a sign-in page"])
def test_row_42_while_git_fails_the_cluster_stays_at_the_last_verified_revision(
    settled: GitFleet, kubectl: Kubectl, sandbox: Sandbox, fail: Callable[[GitServer], None]
) -> None:
    _next_commit(settled)
    fail(settled.server)
    audit = Audit(sandbox.audit_log)
    audit.writes()
    for done in (settled.run(), settled.reconcile(check=True)):
        assert done.code == 2
        assert "source fleet" in done.output
        assert "Traceback" not in done.output
        assert settled.report()["failed"] is True
    assert audit.writes() == []
    kubectl("delete", "configmap", "left", "-n", settled.namespace)
    kubectl("patch", "configmap", "c", "-n", settled.namespace, "--type=merge", "-p", '{"data":{"a":"9"}}')
    done = settled.reconcile()
    assert done.code == 2
    assert "its last good revision, stays in force" in done.output
    assert kubectl.live("configmap", "c", settled.namespace)["data"] == {"a": "1"}, "drift is still reverted"
    assert kubectl.live("configmap", "left", settled.namespace)

    settled.server.intercept, settled.server.cut_after = (lambda _request: None), None
    assert settled.reconcile().code == 0
    assert kubectl.live("configmap", "c", settled.namespace)["data"] == {"a": "2"}
    assert kubectl.get("configmap", "left", settled.namespace) is None


def _flip(folder: Path) -> None:
    """Change one byte in the middle of each file."""
    for file in [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]:
        raw = bytearray(file.read_bytes())
        if raw:
            raw[len(raw) // 2] ^= 0xFF
            file.chmod(0o600)
            file.write_bytes(raw)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "flipped bytes in the repository": lambda entry: _flip(entry / "repository.git"),
    "a stale lock": lambda entry: (entry / "repository.git" / "shallow.lock").write_text(""),
    "an unborn HEAD and half a pack": lambda entry: (
        (entry / "repository.git" / "HEAD").write_text(""),
        (entry / "repository.git" / "objects" / "pack" / "tmp_pack_x").write_bytes(b"PACK"),
    ),
    "no repository": lambda entry: shutil.rmtree(entry / "repository.git"),
    "flipped bytes in the checkouts": lambda entry: _flip(entry / "checkouts"),
    "flipped bytes in the records": lambda entry: _flip(entry / "refs"),
}


def test_row_43_a_damaged_cache_is_made_anew_and_changes_nothing_on_the_cluster(
    settled: GitFleet, kubectl: Kubectl, sandbox: Sandbox
) -> None:
    audit = Audit(sandbox.audit_log)
    (entry,) = (path.parent for path in (settled.folder / "cache" / "sources").glob("*/lock"))
    audit.writes()
    for name, damage in DAMAGE.items():
        damage(entry)
        done = settled.reconcile()
        assert done.code == 0, (name, done.output)
        assert "2 unchanged" in done.output, name
    assert audit.writes() == []
    for number, (name, damage) in enumerate(DAMAGE.items(), 2):
        settled.upstream.commit({"app": {"all.yaml": config_map("c", {"a": str(number)})}})
        damage(entry)
        done = settled.reconcile(plumb_apps=[settled.app(prune=False)])
        assert done.code == 0, (name, done.output)
        assert kubectl.live("configmap", "c", settled.namespace)["data"] == {"a": str(number)}, name


def test_row_44_a_force_push_is_followed_or_refused_and_a_missing_ref_never_prunes(
    settled: GitFleet, kubectl: Kubectl
) -> None:
    before = settled.upstream.git("rev-parse", "main")
    rewritten = settled.upstream.commit({"app": {"all.yaml": config_map("c", {"a": "3"})}}, orphan=True)
    kubectl("delete", "configmap", "c", "-n", settled.namespace)
    refused = settled.run(plumb_sources=[settled.source(rewritten="refuse")])
    assert refused.code == 2
    assert f"fleet main {before[:7]}" in refused.output
    assert f"it is at {rewritten}, which has {before} not in its past" in refused.output
    assert "pull once with rewritten: follow" in refused.output
    assert kubectl.live("configmap", "c", settled.namespace)["data"] == {"a": "1"}, "drift is still reverted"
    assert kubectl.live("configmap", "left", settled.namespace)
    (source,) = settled.report()["sources"]
    assert source["revision"]["commit"] == before
    assert rewritten in source["error"]

    done = settled.reconcile()
    assert done.code == 0, done.output
    assert f"fleet main {rewritten[:7]}" in done.output
    assert f"left Git in {rewritten[:7]}" in done.output
    assert before in settled.report()["sources"][0]["warning"]
    assert kubectl.get("configmap", "left", settled.namespace) is None

    settled.upstream.git("update-ref", "refs/heads/other", rewritten)
    settled.upstream.git("update-ref", "-d", "refs/heads/main")
    all_may_go = [settled.app(allow_empty=True, prune_limit="100%")]
    for gone in (settled.reconcile(), settled.run(plumb_apps=all_may_go)):
        assert gone.code == 2
        assert "main" in gone.output
        assert settled.report()["requests"]["writes"] == 0
        assert kubectl.live("configmap", "c", settled.namespace)["data"] == {"a": "3"}


def test_row_44_a_moved_tag_is_followed_and_a_deleted_one_never_prunes(
    git_fleet: GitFleet, kubectl: Kubectl
) -> None:
    at_tag: dict[str, Any] = {"plumb_sources": [{"name": "fleet", "tag": "v1", **git_fleet.git}]}
    for value in ("1", "2"):
        commit = git_fleet.upstream.commit({"app": {"all.yaml": config_map("c", {"a": value})}})
        git_fleet.upstream.tag("v1", annotated=value == "2")
        done = git_fleet.reconcile(**at_tag)
        assert done.code == 0, done.output
        assert f"fleet v1 {commit[:7]}" in done.output
        assert ("tag v1 was moved" in done.output) == (value == "2")
        assert kubectl.live("configmap", "c", git_fleet.namespace)["data"] == {"a": value}
    git_fleet.upstream.git("tag", "-d", "v1")
    gone = git_fleet.run(**at_tag)
    assert gone.code == 2
    assert "v1" in gone.output
    assert kubectl.live("configmap", "c", git_fleet.namespace)["data"] == {"a": "2"}
