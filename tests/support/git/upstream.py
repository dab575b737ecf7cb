# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare repository to write commits into, and short ways to name it as a source and pull it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import Checkout, RefKind, SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError, SourceError
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import last_known, pull_sources

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada Author",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-11-20T10:00:00+0200",
    "GIT_COMMITTER_NAME": "Carl Committer",
    "GIT_COMMITTER_EMAIL": "carl@example.com",
    "GIT_COMMITTER_DATE": "2026-11-21T09:30:00+0000",
}


class Upstream:
    """Writes objects with Git's plumbing, so that also what no honest client would commit can be made."""

    def __init__(self, path: Path, *, object_format: str = "sha1") -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}", "-b", "main")

    @classmethod
    def existing(cls, path: Path) -> Upstream:
        """Return the upstream of a repository that exists already."""
        upstream = cls.__new__(cls)
        upstream.path = path
        return upstream

    def git(self, *arguments: str, stdin: bytes = b"", **variables: str) -> str:
        """Run git in the repository; return its output without surrounding blanks."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/dev/null",
            "GIT_DIR": str(self.path),
            "GIT_CONFIG_NOSYSTEM": "1",
            **_IDENTITY,
            **variables,
        }
        done = subprocess.run(
            ["git", *arguments], input=stdin, env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def blob(self, content: bytes) -> str:
        """Write a blob; return its id."""
        return self.git("hash-object", "-w", "--stdin", "--no-filters", stdin=content)

    def tree(self, entries: Mapping[str, tuple[str, str]]) -> str:
        """Write a tree of `name: (mode, object id)`; return its id."""
        kinds = {"040000": "tree", "160000": "commit"}
        lines = [f"{mode} {kinds.get(mode, 'blob')} {oid}\t{name}" for name, (mode, oid) in entries.items()]
        return self.git("mktree", "--missing", stdin="".join(f"{line}\n" for line in lines).encode())

    def tree_of(self, files: Mapping[str, Any]) -> str:
        """Write a tree of `name: content`, where a content is text, bytes, or such a mapping; return its id."""
        entries: dict[str, tuple[str, str]] = {}
        for name, content in files.items():
            if isinstance(content, Mapping):
                entries[name] = ("040000", self.tree_of(content))
            else:
                raw = content if isinstance(content, bytes) else str(content).encode()
                entries[name] = ("100644", self.blob(raw))
        return self.tree(entries)

    def commit(
        self,
        files: Mapping[str, Any],
        message: str = "A commit",
        *,
        branch: str = "main",
        orphan: bool = False,
    ) -> str:
        """Commit exactly these files on a branch; with `orphan` without a parent, as a force-push leaves it."""
        return self.commit_tree(self.tree_of(files), message, branch=branch, orphan=orphan)

    def commit_tree(
        self, tree: str, message: str = "A commit", *, branch: str = "main", orphan: bool = False
    ) -> str:
        """Commit a tree on a branch; return the commit's id."""
        heads = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        parents = ["-p", heads] if heads and not orphan else []
        commit = self.git("commit-tree", tree, *parents, "-F", "-", stdin=message.encode())
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def tag(self, name: str, commit: str = "main", *, annotated: bool = False) -> None:
        """Make or move a tag."""
        self.git("tag", "--force", *(("-a", "-m", name) if annotated else ()), name, commit)


def source(url: str, ref: str = "main", kind: RefKind = RefKind.BRANCH, **fields: Any) -> SourceSpec:
    """Return a source named fleet."""
    return SourceSpec(
        **{"name": "fleet", "url": url, "ref_kind": kind, "ref": ref, "timeout": 30.0, **fields}
    )


def pull(spec: SourceSpec, cache: Path) -> Checkout:
    """Pull one source that is expected to be well."""
    (result,) = pull_sources([spec], cache)
    assert result.error is None, str(result.error)
    assert result.checkout is not None
    return result.checkout


def refused(spec: SourceSpec, cache: Path) -> SourceError | InputError:
    """Pull one source that has to fail; return its error. Nothing but the last good revision stays in force."""
    (result,) = pull_sources([spec], cache)
    assert result.checkout is None or result.checkout == last_known(spec, cache)
    assert result.error is not None
    return result.error
