# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository on the sandbox's forge, for tests: another team that commits and pushes."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

_AUTHOR = ("-c", "user.name=Alma Berg", "-c", "user.email=alma@example.com", "-c", "commit.gpgsign=false")


_PAST_HOOKS = "--receive-pack=git -c core.hooksPath=/dev/null receive-pack"


@dataclass(frozen=True, slots=True)
class Repository:
    """A clone of a repository on the forge, and the file with the token for it.

    With a `storage`, all commits but the first go there without the forge's hooks, which take a third of a second of
    processor time. It serves them all the same; what it does not learn of them is in its webhooks and pull requests.
    """

    folder: Path
    url: str
    token_file: Path
    _push_url: str
    storage: Path | None = None

    def commit(self, files: Mapping[str, str | None], subject: str = "Change it") -> str:
        """Write these files (None removes one), commit and push; return the commit."""
        for name, text in files.items():
            path = self.folder / name
            if text is None:
                path.unlink(missing_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self._git("add", "--all")
        self._git("commit", "-q", "--allow-empty", "-m", subject)
        if self.storage is None or not (self.storage / "refs" / "heads" / "main").exists():
            self._git("push", "-q", self._push_url, "HEAD:main")
        else:
            self._git("push", "-q", _PAST_HOOKS, str(self.storage), "HEAD:main")
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *_AUTHOR, *words], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout


@dataclass(frozen=True, slots=True)
class ForgeApi:
    """Gitea's API as its administrator; `title` is the repository's owner and name."""

    sandbox: Sandbox
    title: str

    def request(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Return the JSON of an answer. Raises HTTPError."""
        request = urllib.request.Request(  # noqa: S310 - the sandbox speaks http on the loopback
            f"{self.sandbox.forge_url}/api/v1{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"token {self.sandbox.forge_token}",
                "Content-Type": "application/json",
            },
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")

    def repo(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Return the JSON of an answer about the repository. Raises HTTPError."""
        return self.request(f"/repos/{self.title}{path}", method, body)


def new_repository(sandbox: Sandbox, name: str, folder: Path, *, past_hooks: bool = False) -> Repository:
    """Make an empty private repository on the forge, and an empty clone in `folder`."""
    title = f"{sandbox.forge_user}/{name}"
    ForgeApi(sandbox, title).request(
        "/user/repos", "POST", {"name": name, "private": True, "default_branch": "main"}
    )
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    token_file = folder.parent / f"{name}.token"
    token_file.write_text(sandbox.forge_token, encoding="utf-8")
    token_file.chmod(0o600)
    scheme, _sep, rest = sandbox.forge_url.partition("://")
    path = f"{title}.git"
    push = f"{scheme}://{sandbox.forge_user}:{sandbox.forge_token}@{rest}/{path}"
    storage = sandbox.dir / "forge" / "repositories" / path if past_hooks else None
    return Repository(folder, f"{sandbox.forge_url}/{path}", token_file, push, storage)
