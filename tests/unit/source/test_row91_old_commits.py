# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 91: which faults of objects every fetch bears, and which none does. The names are Git's own (git-fsck(1))."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.source.git.fsck import TOLERATED
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import pull_sources
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream, source

GOOD = "Ada <ada@example.com> 1700000000 +0000"
# Lines of an author as old tools wrote them, by what Git calls the fault.
PERSONS: Mapping[str, str] = {
    "badDate": "Ada <ada@example.com> yesterday +0000",
    "badDateOverflow": "Ada <ada@example.com> 18446744073709551616 +0000",
    "badEmail": "Ada <ada@example.com 1700000000 +0000",
    "badName": "Ada> <ada@example.com> 1700000000 +0000",
    "badTimezone": "Ada <ada@example.com> 1700000000 -7357926",
    "missingEmail": "Ada",
    "missingNameBeforeEmail": "<ada@example.com> 1700000000 +0000",
    "missingSpaceBeforeDate": "Ada <ada@example.com>1700000000 +0000",
    "missingSpaceBeforeEmail": "Ada<ada@example.com> 1700000000 +0000",
    "zeroPaddedDate": "Ada <ada@example.com> 01700000000 +0000",
}


def _raw(upstream: Upstream, kind: str, content: bytes) -> str:
    return upstream.git("hash-object", "-w", "-t", kind, "--literally", "--stdin", stdin=content)


def _commit(upstream: Upstream, tree: str, *, author: str = GOOD, parent: str = "") -> str:
    parents = f"parent {parent}\n" if parent else ""
    text = f"tree {tree}\n{parents}author {author}\ncommitter {GOOD}\n\nA commit\n"
    return _raw(upstream, "commit", text.encode())


def _entries(*entries: tuple[str, str, str]) -> bytes:
    return b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)


def _padded(upstream: Upstream) -> str:
    """Return a tree as old versions wrote it, with a zero before a folder's mode."""
    inner = upstream.tree_of({"app.yaml": "x"})
    return _raw(upstream, "tree", _entries(("040000", "apps", inner)))


def test_row_91_commits_with_faults_that_forges_host_are_pulled(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    tree = upstream.tree_of({"app.yaml": "x"})
    commits = {fault: _commit(upstream, tree, author=line) for fault, line in PERSONS.items()}
    commits["zeroPaddedFilemode"] = _commit(upstream, _padded(upstream))
    assert set(commits) == set(TOLERATED)
    for fault, commit in commits.items():
        upstream.git("update-ref", f"refs/heads/{fault}", commit)
    specs = [source(server.url("fleet.git"), fault, name=fault.lower()) for fault in commits]
    assert [str(result.error) for result in pull_sources(specs, cache) if result.error] == []


@pytest.mark.parametrize("filtering", [True, False])
def test_row_91_so_are_branches_that_moved_by_several_such_commits(
    server: GitServer, upstream: Upstream, cache: Path, filtering: bool
) -> None:
    upstream.git("config", "uploadpack.allowFilter", str(filtering).lower())
    spec = source(server.url("fleet.git"))
    pull_sources([spec], cache)
    head = upstream.git("rev-parse", "main")
    tree = upstream.tree_of({"app.yaml": "y"})
    for line in PERSONS.values():
        head = _commit(upstream, tree, author=line, parent=head)
    head = _commit(upstream, _padded(upstream), parent=head)
    upstream.git("update-ref", "refs/heads/main", _commit(upstream, tree, parent=head))
    (pulled,) = pull_sources([spec], cache)
    assert (pulled.error, pulled.warning) == (None, "")
    assert pulled.checkout is not None
    assert pulled.checkout.revision.commit == upstream.git("rev-parse", "main")


def test_row_91_an_attack_in_the_past_of_a_branch_is_found_by_the_filtered_fetch_too(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    upstream.git("config", "uploadpack.allowFilter", "true")
    spec = source(server.url("fleet.git"))
    pull_sources([spec], cache)
    tree = upstream.tree_of({"app.yaml": "y"})
    two = _commit(upstream, tree, parent=upstream.git("rev-parse", "main"), author=f"{GOOD}\nauthor {GOOD}")
    upstream.git("update-ref", "refs/heads/main", _commit(upstream, tree, parent=two))
    (pulled,) = pull_sources([spec], cache)
    assert "own check refuses" in f"{pulled.error} {pulled.warning}"


def test_row_91_what_could_lead_a_reader_astray_is_refused(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    blob, folder = upstream.blob(b"x"), upstream.tree_of({"a": "x"})
    entry = ("100644", "a", blob)
    trees: Mapping[str, bytes] = {
        "duplicateEntries": _entries(entry, entry),
        "treeNotSorted": _entries(("100644", "b", blob), entry),
        "hasDot": _entries(("40000", ".", folder)),
        "hasDotdot": _entries(("40000", "..", folder)),
        "hasDotgit": _entries(("40000", ".GIT", folder)),
        "fullPathname": _entries(("100644", "a/b", blob)),
        "nullSha1": _entries(("160000", "a", "0" * 40)),
        "gitmodulesSymlink": _entries(("120000", ".gitmodules", blob)),
        "gitmodulesUrl": _entries(
            ("100644", ".gitmodules", upstream.blob(b'[submodule "m"]\n\tpath = m\n\turl = -u./evil\n'))
        ),
        "gitmodulesName": _entries(
            ("100644", ".gitmodules", upstream.blob(b'[submodule "../m"]\n\tpath = m\n\turl = https://x/\n'))
        ),
        "gitmodulesUpdate": _entries(
            (
                "100644",
                ".gitmodules",
                upstream.blob(b'[submodule "m"]\n\tpath = m\n\turl = x\n\tupdate = !sh\n'),
            )
        ),
    }
    commits = {fault: _commit(upstream, _raw(upstream, "tree", content)) for fault, content in trees.items()}
    tree = upstream.tree_of({"app.yaml": "x"})
    commits["multipleAuthors"] = _commit(upstream, tree, author=f"{GOOD}\nauthor {GOOD}")
    commits["missingCommitter"] = _raw(upstream, "commit", f"tree {tree}\nauthor {GOOD}\n\nx\n".encode())
    commits["missingAuthor"] = _raw(upstream, "commit", f"tree {tree}\ncommitter {GOOD}\n\nx\n".encode())
    commits["nulInCommit"] = _raw(
        upstream, "commit", f"tree {tree}\nauthor {GOOD}\ncommitter {GOOD}\n\nx\0y\n".encode()
    )
    assert not set(commits) & set(TOLERATED)
    for fault, commit in commits.items():
        (upstream.path / "refs" / "heads" / fault).write_text(f"{commit}\n")
    specs = [source(server.url("fleet.git"), fault, name=fault.lower()) for fault in commits]
    for result in pull_sources(specs, cache):
        assert result.checkout is None
        assert result.name in str(result.error).lower().replace("source " + result.name, "")
        assert "own check refuses" in str(result.error), result.name
