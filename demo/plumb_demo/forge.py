# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gitea by its REST API: a repository, a pull request, a merge."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from .errors import DemoError
from .sandbox import Gitea

_MERGEABLE_SECONDS = 20.0  # Gitea checks in the background whether a pull request can be merged


@dataclass(frozen=True, slots=True)
class ForgeRepository:
    """One repository on the sandbox's forge."""

    gitea: Gitea
    repository: str

    @property
    def clone_url(self) -> str:
        """The address for Git over HTTP."""
        return f"{self.gitea.url}/{self.gitea.user}/{self.repository}.git"

    def image(self, name: str) -> str:
        """Return an image in the forge's registry, without a tag."""
        return f"{self.gitea.registry}/{self.gitea.user}/{name}"

    def open_pull_requests(self) -> dict[int, str]:
        """Return the titles of the open pull requests, by number."""
        pulls = self._call("GET", f"{self._path}/pulls?state=open")
        return {int(pull["number"]): str(pull["title"]) for pull in pulls}

    def statuses(self, commit: str) -> dict[str, str]:
        """Return the last status of a commit, by context."""
        combined = self._call("GET", f"{self._path}/commits/{commit}/status")
        return {str(status["context"]): str(status["status"]) for status in combined.get("statuses") or ()}

    def head(self) -> str:
        """Return the commit that main is at."""
        return str(self._call("GET", f"{self._path}/branches/main")["commit"]["id"])

    def create(self) -> None:
        """Create it, empty and private: whoever reads it needs the token."""
        self._call(
            "POST", "/user/repos", {"name": self.repository, "private": True, "default_branch": "main"}
        )

    def open_pull_request(self, branch: str, title: str) -> int:
        """Open a pull request of BRANCH into main; return its number."""
        answer = self._call("POST", f"{self._path}/pulls", {"head": branch, "base": "main", "title": title})
        return int(answer["number"])

    def merge(self, number: int) -> str:
        """Merge a pull request as its page's button does, author kept; return the commit that main is at then."""
        deadline = time.monotonic() + _MERGEABLE_SECONDS
        while not self._call("GET", f"{self._path}/pulls/{number}")["mergeable"]:
            if time.monotonic() > deadline:
                raise DemoError(f"Gitea does not find pull request {number} mergeable.")
            time.sleep(0.2)
        self._call(
            "POST", f"{self._path}/pulls/{number}/merge", {"Do": "rebase", "delete_branch_after_merge": True}
        )
        return self.head()

    @property
    def _path(self) -> str:
        return f"/repos/{self.gitea.user}/{self.repository}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        token = self.gitea.token_file.read_text(encoding="ascii").strip()
        request = urllib.request.Request(  # noqa: S310 - the sandbox's own address
            f"{self.gitea.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            message = error.read()[:500].decode(errors="replace")
            raise DemoError(f"Gitea answered {error.code} to {method} {path}: {message}") from error
        except OSError as error:
            raise DemoError(f"Gitea did not answer {method} {path}: {error}") from error
        return json.loads(text) if text else None
