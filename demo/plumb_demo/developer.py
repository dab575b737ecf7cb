# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The developer of the shop: edits files, commits, pushes."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from .errors import DemoError
from .forge import ForgeRepository
from .programs import SHOP, run

_AUTHOR = {"NAME": "Robin Harbour", "EMAIL": "robin@shop.example.com"}


@dataclass(frozen=True, slots=True)
class Developer:
    """Someone with a working copy at CLONE whose remote is the forge."""

    clone: Path
    forge: ForgeRepository

    def begin(self) -> str:
        """Take the sample shop as the first commit of main and push it; returns the commit."""
        shutil.copytree(SHOP, self.clone)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", self.forge.clone_url)
        return self.commit_and_push("Open the shop")

    def branch(self, name: str) -> None:
        """Create a branch and switch to it."""
        self.git("switch", "--quiet", "--create", name)

    def back_to_main(self) -> None:
        """Switch to main and pull it from the forge."""
        self.git("switch", "--quiet", "main")
        self.git("pull", "--quiet", "--ff-only", "origin", "main")

    def change(self, file: str, old: str, new: str) -> None:
        """Replace the one occurrence of OLD in FILE."""
        path = self.clone / file
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise DemoError(f"{file} says {old!r} {text.count(old)} times, not once.")
        path.write_text(text.replace(old, new), encoding="utf-8")

    def remove(self, file: str) -> None:
        """Delete a file of the working copy."""
        (self.clone / file).unlink()

    def commit_and_push(self, subject: str) -> str:
        """Commit everything and push the current branch; returns the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject)
        self.git("push", "--quiet", "origin", "HEAD")
        return self.git("rev-parse", "HEAD").strip()

    def revert_last(self, subject: str) -> str:
        """Undo the last commit by a new one and push that; returns the commit."""
        self.git("revert", "--no-commit", "HEAD")
        return self.commit_and_push(subject)

    def git(self, *words: str) -> str:
        """Run Git without the user's configuration; the token comes by a credential helper, never in a URL."""
        gitea = self.forge.gitea
        token = shlex.quote(str(gitea.token_file))
        helper = f'!f() {{ echo username={gitea.user}; echo "password=$(cat {token})"; }}; f'
        env = {
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **{
                f"GIT_{role}_{key}": value
                for role in ("AUTHOR", "COMMITTER")
                for key, value in _AUTHOR.items()
            },
        }
        return run(("git", "-c", f"credential.helper={helper}", *words), cwd=self.clone, env=env)
