# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed runs, damaged caches, cut answers and runs that meet: the next pull is right all the same."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import SourceError
from ansible_collections.plumb.gitops.plugins.module_utils.source.cache.repositories import (
    exclusive,
    open_cache,
    open_entry,
)
from ansible_collections.plumb.gitops.plugins.module_utils.source.git.command import Limits
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import last_known, pull_sources
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer, Request
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream, pull, refused, source
from ansible_collections.plumb.gitops.tests.unit.source.processes import no_process_names

PULL = """
import sys
from pathlib import Path
from ansible_collections.plumb.gitops.tests.support.git.upstream import pull, source
pull(source(sys.argv[1]), Path(sys.argv[2]))
"""


FILE_SIZE_LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))" + PULL


def _repository(cache: Path) -> Path:
    (repository,) = cache.glob("*/repository.git")
    return repository


def _pack(cache: Path) -> Path:
    return max(
        (_repository(cache) / "objects" / "pack").glob("*.pack"), key=lambda path: path.stat().st_mtime_ns
    )


def _overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


@pytest.mark.parametrize("requests", [1, 2, 3, 4])
def test_killed_at_any_request_the_next_pull_is_right(
    server: GitServer, upstream: Upstream, cache: Path, requests: int
) -> None:
    reached, let_go = threading.Event(), threading.Event()

    def hold(_request: Request) -> None:
        if len(server.requests) == requests:
            reached.set()
            let_go.wait(30)

    server.intercept = hold
    child = subprocess.Popen([sys.executable, "-c", PULL, server.url("fleet.git"), str(cache)])
    try:
        assert reached.wait(30)
        child.send_signal(signal.SIGKILL)
    finally:
        child.wait()
    with ThreadPoolExecutor() as pool:
        # The orphaned git still holds the entry's lock; it ends once the server answers.
        pulling = pool.submit(pull, source(server.url("fleet.git")), cache)
        let_go.set()
        checkout = pulling.result()
    assert (checkout.path / "app.yaml").read_text() == "kind: ConfigMap\n"


def test_what_a_killed_run_left_behind_is_cleared_away(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"))
    pull(spec, cache)
    repository = _repository(cache)
    (repository / "objects" / "pack" / "tmp_pack_x7Rq2").write_bytes(b"PACK half")
    half = repository.parent / "checkouts" / ".new-0123"
    (half / "files").mkdir(parents=True)
    (half / "files" / "app.yaml").write_text("half")
    upstream.commit({"app.yaml": "next"})
    assert (pull(spec, cache).path / "app.yaml").read_text() == "next"
    assert not list(cache.rglob("tmp_pack*"))
    assert not half.exists()


def _lock_refs(repository: Path) -> None:
    for ref in (repository / "refs" / "plumb").iterdir():
        ref.with_name(f"{ref.name}.lock").touch()


def _point_refs_at(text: str) -> Callable[[Path], None]:
    def damage(repository: Path) -> None:
        for ref in (repository / "refs" / "plumb").iterdir():
            ref.write_text(text)

    return damage


def _write(name: str, text: str) -> Callable[[Path], None]:
    def damage(repository: Path) -> None:
        (repository / name).write_text(text)

    return damage


def _remove(pattern: str) -> Callable[[Path], None]:
    def damage(repository: Path) -> None:
        for path in repository.glob(pattern):
            path.unlink()

    return damage


def _empty_packs(repository: Path) -> None:
    for pack in (repository / "objects" / "pack").glob("*.pack"):
        _overwrite(pack, b"")


def _replace_by_a_file(repository: Path) -> None:
    repository.rename(repository.with_name("gone"))
    repository.write_text("x")


DAMAGES = {
    "stale lock of shallow": _write("shallow.lock", ""),
    "stale lock of a ref": _lock_refs,
    "no HEAD": _remove("HEAD"),
    "empty HEAD": _write("HEAD", ""),
    "unborn HEAD": _write("HEAD", "ref: refs/heads/nothing\n"),
    "torn configuration": _write("config", "[core\n\tbare = tr"),
    "empty shallow": _write("shallow", ""),
    "torn shallow": _write("shallow", "0123"),
    "empty ref": _point_refs_at(""),
    "ref to nothing": _point_refs_at("1" * 40 + "\n"),
    "no packs": _remove("objects/pack/*"),
    "no index": _remove("objects/pack/*.idx"),
    "empty packs": _empty_packs,
    "a file": _replace_by_a_file,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("checkout_lost", [False, True])
def test_a_damaged_repository_is_fetched_anew(
    server: GitServer, upstream: Upstream, cache: Path, damage: Callable[[Path], None], checkout_lost: bool
) -> None:
    spec = source(server.url("fleet.git"))
    upstream.commit({"kept": "as it is\n" * 50, "app.yaml": "before\n"})
    first = pull(spec, cache)
    if checkout_lost:
        (first.path.parent / "revision.json").unlink()
    else:
        upstream.commit({"kept": "as it is\n" * 50, "app.yaml": "after\n"})
    damage(_repository(cache))
    checkout = pull(spec, cache)
    assert (checkout.path / "kept").read_text() == "as it is\n" * 50
    assert (checkout.path / "app.yaml").read_text() == ("before\n" if checkout_lost else "after\n")


def test_flipped_and_missing_bytes_of_a_pack_are_noticed(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    files = {"a.yaml": "a: 1\n" * 40, "b": {"c.yaml": "c: 2\n"}, "app.yaml": "kind: ConfigMap\n"}
    upstream.commit(files)
    spec = source(server.url("fleet.git"))
    path = pull(spec, cache).path
    whole = _pack(cache).read_bytes()
    offsets = range(0, len(whole), max(1, len(whole) // 12))
    flipped = [whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :] for at in offsets]
    for content in (*flipped, whole[: len(whole) // 2], whole[:-5]):
        _overwrite(_pack(cache), content)
        (path.parent / "revision.json").unlink()
        assert pull(spec, cache).path == path
        assert (path / "a.yaml").read_text() == files["a.yaml"]
        assert (path / "b" / "c.yaml").read_text() == "c: 2\n"


def test_an_object_whose_content_is_not_what_its_name_says_is_noticed(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    """Git itself does not compare the two when it reads a blob."""
    spec = source(server.url("fleet.git"))
    path = pull(spec, cache).path
    oid = upstream.git("rev-parse", "main:app.yaml")
    loose = _repository(cache) / "objects" / oid[:2] / oid[2:]
    loose.parent.mkdir()
    loose.write_bytes(zlib.compress(b"blob 16\0kind: ConfigMap!"))
    pack = _pack(cache)
    others = upstream.git("rev-list", "--objects", "main").split()
    names = upstream.git(
        "pack-objects",
        "-q",
        str(pack.parent / "pack"),
        stdin="\n".join(name for name in others if len(name) == 40 and name != oid).encode(),
    )
    assert names
    _remove(f"objects/pack/{pack.stem}.*")(_repository(cache))
    (path.parent / "revision.json").unlink()
    assert (pull(spec, cache).path / "app.yaml").read_text() == "kind: ConfigMap\n"


def test_an_answer_cut_anywhere_leaves_the_last_good_revision(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"))
    first = pull(spec, cache)
    commit = upstream.commit({"app.yaml": "new\n", "more": "x\n" * 100})
    for cut in (0, 1, 4, 30, 60, 100, 150, 200, 250):
        server.cut_after = cut
        error = refused(spec, cache)
        assert error.subject == "source fleet"
        assert error.next_step
        assert last_known(spec, cache) == first
    server.cut_after = None
    assert pull(spec, cache).revision.commit == commit


def test_two_runs_at_once_both_get_the_revision(server: GitServer, upstream: Upstream, cache: Path) -> None:
    arguments = [sys.executable, "-c", PULL, server.url("fleet.git"), str(cache)]
    children = [subprocess.Popen(arguments) for _number in range(3)]
    mine = pull(source(server.url("fleet.git")), cache)
    assert [child.wait() for child in children] == [0, 0, 0]
    assert pull(source(server.url("fleet.git")), cache) == mine
    assert len(list(mine.path.parents[1].iterdir())) == 1


def test_many_sources_of_one_repository_side_by_side(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    for number in range(4):
        upstream.commit({"app.yaml": f"{number}"}, branch=f"b{number}")
    specs = [source(server.url("fleet.git"), f"b{n % 4}", name=f"s{n}") for n in range(8)]
    results = pull_sources(specs, cache)
    texts = [(result.checkout.path / "app.yaml").read_text() for result in results if result.checkout]
    assert texts == ["0", "1", "2", "3"] * 2


def test_a_lock_that_another_run_holds_is_waited_for_until_the_deadline(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"))
    entry = open_entry(open_cache(cache), spec)
    never = threading.Event()
    with (
        exclusive(entry, "source fleet", Limits(time.monotonic() + 60, never)),
        pytest.raises(SourceError, match="another run"),
        exclusive(entry, "source fleet", Limits(time.monotonic() + 0.2, never)),
    ):
        pass
    assert pull(spec, cache).revision.source == "fleet"


def test_a_repository_of_many_fetches_is_made_anew(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"))
    pull(spec, cache)
    pack = _pack(cache)
    for number in range(51):
        os.link(pack, pack.with_name(f"pack-{number:040d}.pack"))
    upstream.commit({"app.yaml": "next"})
    assert (pull(spec, cache).path / "app.yaml").read_text() == "next"
    assert len(list(pack.parent.glob("*.pack"))) == 1


def test_a_cache_that_cannot_grow_is_an_error_and_the_next_pull_recovers(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"))
    first = pull(spec, cache)
    for blob in (
        bytes(range(256)) * 400,
        hashlib.shake_256(b"x").digest(400_000),
    ):  # as a file, already as a pack
        upstream.commit({"large": blob})
        arguments = [sys.executable, "-c", FILE_SIZE_LIMITED, server.url("fleet.git"), str(cache)]
        child = subprocess.run(arguments, capture_output=True, text=True, check=False)
        assert child.returncode == 1
        assert "AssertionError: source fleet: " in child.stderr
        assert last_known(spec, cache) == first
        first = pull(spec, cache)
        assert (first.path / "large").read_bytes() == blob


def test_interrupted_by_a_person_no_git_is_left_running(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    reached, let_go = threading.Event(), threading.Event()

    def hold(_request: Request) -> None:
        reached.set()
        let_go.wait(30)

    server.intercept = hold
    child = subprocess.Popen(
        [sys.executable, "-c", PULL, server.url("fleet.git"), str(cache)], stderr=subprocess.PIPE
    )
    try:
        assert reached.wait(30)
        child.send_signal(signal.SIGINT)
        _out, stderr = child.communicate(timeout=30)
        assert b"KeyboardInterrupt" in stderr
        no_process_names(f"127.0.0.1:{server.port}")
    finally:
        let_go.set()
