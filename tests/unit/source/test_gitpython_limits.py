# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps GitPython from reading sources (ADR 0025): each fact is one that our own code does not share.

A test that fails here with a newer GitPython says that the decision may be taken anew for the files of its row.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

git = pytest.importorskip("git")

AUTHOR = b"Ada Author <ada@example.com> 1763625600 +0000"
PLAIN = (
    b"tree %s\nauthor "
    + AUTHOR
    + b"\ncommitter Carl Committer <carl@example.com> 1763717400 +0000\n\nSubject\n"
)


def run(*words: str, stdin: bytes = b"", **variables: str) -> str:
    """Run a program with nothing of this environment but where programs are."""
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/dev/null", **variables}
    done = subprocess.run(words, input=stdin, capture_output=True, check=True, env=environment)
    return done.stdout.decode().strip()


def script(file: Path, text: str) -> Path:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o700)
    return file


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    run("git", "init", "--quiet", "--bare", "--template=", str(tmp_path / "bare.git"))
    return tmp_path / "bare.git"


def put(bare: Path, kind: str, content: bytes) -> str:
    """Store an object as it is, whatever Git thinks of it."""
    words = ("git", "-C", str(bare), "hash-object", "-t", kind, "-w", "--stdin", "--literally")
    return run(*words, stdin=content)


def commit(bare: Path, content: bytes = PLAIN) -> str:
    return put(bare, "commit", content.replace(b"%s", put(bare, "tree", b"").encode()))


def test_importing_it_runs_the_program_that_a_variable_names(tmp_path: Path) -> None:
    program = script(tmp_path / "program", f"touch {tmp_path}/ran; echo git version 2.40.0")
    run(sys.executable, "-c", "import git", GIT_PYTHON_GIT_EXECUTABLE=str(program))
    assert (tmp_path / "ran").exists()


def test_git_gets_the_whole_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "another")
    output = git.Git("/").execute(["env"], env={"ONLY": "this"})
    assert "GIT_SSH_COMMAND=another" in output.splitlines()


def test_a_limit_of_time_waits_for_what_the_program_started(tmp_path: Path) -> None:
    program = script(tmp_path / "program", "(setsid sleep 1.5 &); exec sleep 30")
    text = (
        "import sys, time, git\nbegan = time.monotonic()\ntry:\n"
        "    git.Git('/').execute([sys.argv[1]], kill_after_timeout=0.2)\nexcept git.GitCommandError:\n    pass\n"
        "print(time.monotonic() - began)"
    )
    assert float(run(sys.executable, "-c", text, str(program))) > 1.4


def test_reading_an_object_has_no_limit_of_time(bare: Path, tmp_path: Path) -> None:
    oid = commit(bare)
    script(
        tmp_path / "git",
        f'case $* in *cat-file*) sleep 30;; esac; exec {run("sh", "-c", "command -v git")} "$@"',
    )
    text = "import sys, git; git.Repo(sys.argv[1]).commit(sys.argv[2]).message"
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-c", text, str(bare), oid],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            timeout=3,
            check=False,
        )


def test_a_variable_moves_where_objects_are_read(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "elsewhere"))
    assert git.Repo(bare).odb.root_path() == str(tmp_path / "elsewhere")


def test_the_repositorys_config_includes_files_from_anywhere(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("[core]\n\tworktree = /from/elsewhere\n")
    with (bare / "config").open("a") as config:
        config.write(f"[include]\n\tpath = {tmp_path}/elsewhere\n")
    reader = git.Repo(bare).config_reader("repository")
    assert reader.get("core", "worktree") == "/from/elsewhere"


def test_the_repositorys_config_names_programs_that_are_run(bare: Path, tmp_path: Path) -> None:
    program = script(tmp_path / "program", f"touch {tmp_path}/ran; exit 1")
    run("git", "-C", str(bare), "config", "core.sshCommand", str(program))
    with pytest.raises(git.GitCommandError):
        git.Repo(bare).git.ls_remote("ssh://git@127.0.0.1/x")
    assert (tmp_path / "ran").exists()


def test_objects_of_sha256_repositories_cannot_be_read(tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    run("git", "init", "--quiet", "--bare", "--template=", "--object-format=sha256", str(bare))
    oid = commit(bare)
    assert len(oid) == 64
    with pytest.raises((AssertionError, ValueError, git.BadName)):
        _ = git.Repo(bare).commit(oid).message


def test_content_is_not_compared_with_its_hash(bare: Path) -> None:
    oid = put(bare, "blob", b"right")
    file = bare / "objects" / oid[:2] / oid[2:]
    file.chmod(0o600)
    file.write_bytes(zlib.compress(b"blob 5\0wrong"))
    content = git.Repo(bare).odb.stream(bytes.fromhex(oid)).read()
    assert content == b"wrong"
    assert hashlib.sha1(b"blob 5\0" + content, usedforsecurity=False).hexdigest() != oid


NO_AUTHOR = PLAIN.replace(b"author " + AUTHOR + b"\n", b"")
LATIN = PLAIN.replace(b"Ada", b"J\xfcrgen").replace(b"\n\n", b"\nencoding ISO-8859-1\n\n")


@pytest.mark.parametrize(
    ("content", "author"),
    [(NO_AUTHOR, "Carl Committer"), (LATIN, "J\ufffdrgen Author")],
    ids=["none", "latin"],
)
def test_a_commits_author_is_misread(bare: Path, content: bytes, author: str) -> None:
    assert git.Repo(bare).commit(commit(bare, content)).author.name == author


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace(b"1763625600", b"1" * 5000),
        PLAIN.replace(b"1763625600", b"9" * 17),
        PLAIN.partition(b"\n")[2],
    ],
    ids=["more digits than Python reads", "beyond all calendars", "no tree"],
)
def test_a_hostile_commit_ends_in_an_error_of_any_kind(bare: Path, content: bytes) -> None:
    oid = commit(bare, content)
    with pytest.raises((ValueError, OSError, OverflowError, IndexError)):
        _ = git.Repo(bare).commit(oid).authored_datetime


def test_a_tags_ref_is_read_as_the_tag_and_a_missing_object_is_not_noticed(bare: Path) -> None:
    oid = commit(bare)
    tag = put(bare, "tag", f"object {oid}\ntype commit\ntag v1\ntagger A <a@b> 0 +0000\n\n".encode())
    for name, target in (("tag", tag), ("gone", "1" * 40)):
        file = bare / "refs" / "plumb" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{target}\n")
    repository = git.Repo(bare)
    follow = git.SymbolicReference.dereference_recursive
    assert follow(repository, "refs/plumb/tag") == tag != oid
    assert follow(repository, "refs/plumb/gone") == "1" * 40


def test_a_commit_that_it_makes_depends_on_the_users_config_and_has_no_signature(
    bare: Path, tmp_path: Path
) -> None:
    tree = put(bare, "tree", b"")
    settings = "[i18n]\n\tcommitEncoding = iso-8859-1\n[commit]\n\tgpgSign = true\n"
    (tmp_path / ".gitconfig").write_text(settings)
    text = (
        "import sys, git; repo = git.Repo(sys.argv[1]); actor = git.Actor('A', 'a@b')\n"
        "made = git.Commit.create_from_tree(repo, repo.tree(sys.argv[2]), 's', [], author=actor, committer=actor)\n"
        "print(made.encoding, repr(made.gpgsig or ''))"
    )
    assert run(sys.executable, "-c", text, str(bare), tree, HOME=str(tmp_path)) == "iso-8859-1 ''"
