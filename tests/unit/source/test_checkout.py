# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in a checkout, how long it stays, and who may use the cache."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import Checkout, RefKind
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import (
    InputError,
    RenderError,
    SourceError,
)
from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds.limits import Meter
from ansible_collections.plumb.gitops.plugins.module_utils.render.tree import Tree
from ansible_collections.plumb.gitops.plugins.module_utils.source.cache import eviction as clearing
from ansible_collections.plumb.gitops.plugins.module_utils.source.cache.checkout import reading
from ansible_collections.plumb.gitops.plugins.module_utils.source.cache.eviction import clear_old
from ansible_collections.plumb.gitops.plugins.module_utils.source.cache.repositories import CachedRepository
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import last_known, pull_sources
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream, pull, refused, source


def _age(checkout: Checkout, seconds: float) -> None:
    """Let a checkout look as if it was last used so long ago."""
    then = time.time() - seconds
    os.utime(checkout.path.parent / "in-use", (then, then))


def _entry(checkout: Checkout) -> CachedRepository:
    return CachedRepository(checkout.path.parents[2])


def test_no_attribute_of_the_repository_changes_a_byte(
    server: GitServer, upstream: Upstream, cache: Path, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    files: dict[str, str | bytes] = {
        ".gitattributes": "* text=auto eol=crlf ident filter=evil diff=evil merge=evil\n"
        "utf16 working-tree-encoding=UTF-16\nhidden export-ignore\nsubst export-subst\n*.bin filter=lfs\n",
        ".gitconfig": f'[filter "evil"]\n\tsmudge = touch {canary}\n\trequired\n',
        ".lfsconfig": "[lfs]\n\turl = http://127.0.0.1:1/\n",
        "lf": "a\nb\n",
        "crlf": "a\r\nb\r\n",
        "ident": "$Id$\n",
        "utf16": "grüße\n",
        "hidden": "here\n",
        "subst": "$Format:%H$\n",
        "lfs.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "nul": b"\x00\xff" * 1000,
        "empty": "",
    }
    upstream.commit(files)
    folder = pull(source(server.url("fleet.git")), cache).path
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: content if isinstance(content, bytes) else content.encode() for name, content in files.items()
    }
    assert not canary.exists()


def test_names_modes_links_and_submodules(server: GitServer, upstream: Upstream, cache: Path) -> None:
    plain = upstream.blob(b"x")
    upstream.commit_tree(
        upstream.tree(
            {
                "run.sh": ("100755", plain),
                "plain": ("100644", plain),
                "{{ 7*7 }} $(id)": ("100644", plain),
                "ümlaut": ("100644", plain),
                "-rf": ("100644", plain),
                "link": ("120000", upstream.blob(b"/etc/hostname")),
                "up": ("120000", upstream.blob(b"../../../..")),
                "module": ("160000", "1" * 40),
                "folder": ("040000", upstream.tree({"deep": ("100644", plain)})),
            }
        )
    )
    upstream.git("config", "uploadpack.allowAnySHA1InWant", "true")
    root = pull(source(server.url("fleet.git")), cache).path
    assert os.access(root / "run.sh", os.X_OK)
    assert stat.S_IMODE((root / "plain").stat().st_mode) == 0o400
    assert (root / "{{ 7*7 }} $(id)").read_text() == "x"
    assert (root / "ümlaut").read_text() == (root / "-rf").read_text() == "x"
    assert (root / "link").readlink() == Path("/etc/hostname")
    assert (root / "up").readlink() == Path("../../../..")
    assert list((root / "module").iterdir()) == []
    assert (root / "folder" / "deep").read_text() == "x"
    assert not list(root.rglob(".git"))


def test_hooks_and_submodules_of_a_repository_do_nothing(
    server: GitServer, upstream: Upstream, cache: Path, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    hook = f"#!/bin/sh\ntouch {canary}\n"
    modules = (
        f'[submodule "m"]\n\tpath = m\n\turl = {server.url("missing.git")}\n\tupdate = !touch {canary}\n'
    )
    names = ("post-checkout", "post-merge", "reference-transaction", "fsmonitor-watchman")
    files = {"hooks": dict.fromkeys(names, hook), ".githooks": {"post-checkout": hook}, "m": {"x": "y"}}
    upstream.commit({**files, "ansible.cfg": "[defaults]\n"})
    upstream.commit({**files, ".gitmodules": modules.replace("update = !touch", "ignore = all #")})
    pull(source(server.url("fleet.git")), cache)
    assert not canary.exists()
    assert not [request for request in server.requests if "missing" in request.path]
    assert not list(cache.rglob("repository.git/hooks"))
    upstream.commit({**files, ".gitmodules": modules})  # Git's own check on arrival refuses such a command
    assert "own check refuses" in refused(source(server.url("fleet.git")), cache).reason
    assert not canary.exists()


@pytest.mark.parametrize("name", [".git", ".GIT", "..", "."])
def test_a_tree_with_names_that_git_never_writes_is_refused(
    server: GitServer, upstream: Upstream, cache: Path, name: str
) -> None:
    inner = upstream.tree({"config": ("100644", upstream.blob(b"[core]\n"))})
    raw = b"40000 " + name.encode() + b"\0" + bytes.fromhex(inner)
    tree = upstream.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=raw)
    upstream.commit_tree(tree)
    error = refused(source(server.url("fleet.git")), cache)
    assert "own check refuses" in error.reason
    assert not list(cache.glob("*/checkouts/*"))


def test_a_link_and_a_folder_of_one_name_lead_nowhere(
    server: GitServer, upstream: Upstream, cache: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    inner = upstream.tree({"planted": ("100644", upstream.blob(b"x"))})
    link = upstream.blob(str(target).encode())
    raw = b"120000 a\0" + bytes.fromhex(link) + b"40000 a\0" + bytes.fromhex(inner)
    upstream.commit_tree(upstream.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=raw))
    assert "own check refuses" in refused(source(server.url("fleet.git")), cache).reason
    assert list(target.iterdir()) == []


def test_an_old_checkout_stays_as_it_was_and_the_new_one_is_whole(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"))
    first = pull(spec, cache)
    upstream.commit({"other.yaml": "kind: Service\n"})
    second = pull(spec, cache)
    assert {path.name for path in first.path.iterdir()} == {"app.yaml"}
    assert {path.name for path in second.path.iterdir()} == {"other.yaml"}


def test_old_checkouts_are_cleared_away_but_not_those_in_use(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"))
    made: list[Checkout] = []
    for number in range(6):
        upstream.commit({"app.yaml": f"{number}"})
        made.append(pull(spec, cache))
    assert all(checkout.path.exists() for checkout in made)  # used a moment ago
    for number, checkout in enumerate(made):
        _age(checkout, 4000 - number)
    with reading(made[0]):
        upstream.commit({"app.yaml": "last"})
        last = pull(spec, cache)
        assert [checkout.path.exists() for checkout in made] == [True, False, False, False, False, True]
        assert (made[0].path / "app.yaml").read_text() == "0"
    with pytest.raises(SourceError, match="no longer in the cache"), reading(made[1]):
        pass
    _age(made[0], 4000)
    clear_old(_entry(last), time.time())
    assert not made[0].path.exists()
    assert not list(cache.glob("*/checkouts/.*"))


def test_the_checkout_that_another_ref_stands_at_is_kept(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    upstream.tag("v1.0.0")
    tagged = source(server.url("fleet.git"), "v1.0.0", RefKind.TAG)
    first = pull(tagged, cache)
    for number in range(4):
        upstream.commit({"app.yaml": f"{number}"})
        _age(pull(source(server.url("fleet.git")), cache), 3000)
        _age(first, 4000)
    server.requests.clear()
    assert pull(tagged, cache) == first
    assert len(server.requests) == 1
    _age(first, 4000)
    clear_old(_entry(first), time.time() + clearing.KEEP_REF_SECONDS + 60)
    assert not first.path.exists()
    assert last_known(tagged, cache) is None


def test_a_checkout_that_was_edited_is_made_anew(server: GitServer, upstream: Upstream, cache: Path) -> None:
    upstream.commit({"a": "1\n", "b": {"c": "2\n"}})
    spec = source(server.url("fleet.git"))
    path = pull(spec, cache).path

    def edit() -> None:
        (path / "a").chmod(0o600)
        (path / "a").write_text("x\n")

    def truncate() -> None:
        (path / "b" / "c").chmod(0o600)
        (path / "b" / "c").write_text("")

    damages = (
        edit,
        truncate,
        (path / "a").unlink,
        (path / "planted").touch,
        (path / "folder").mkdir,
        lambda: (path / "a").rename(path / "z"),
        lambda: (path.parent / "revision.json").write_text('{"commit":'),
        (path.parent / "revision.json").unlink,
        (path.parent / "in-use").unlink,
    )
    for damage in damages:
        damage()
        assert pull(spec, cache).path == path
        assert {file.name: file.read_text() for file in path.rglob("*") if file.is_file()} == {
            "a": "1\n",
            "c": "2\n",
        }


def test_the_cache_is_closed_to_others(server: GitServer, upstream: Upstream, cache: Path) -> None:
    pull(source(server.url("fleet.git")), cache)
    for path in (cache, *cache.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_cache_that_others_could_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "file").touch()
    rules = {
        tmp_path / "link": "symbolic link",
        tmp_path / "dangling": "not a directory",
        tmp_path / "open": "others may write",
        tmp_path / "file": "not a directory",
        tmp_path / "file" / "below": "Not a directory",
        Path("relative"): "not an absolute path",
        Path("/proc/plumb"): "",
    }
    for path, reason in rules.items():
        with pytest.raises(InputError, match="opening the cache") as caught:
            pull_sources([], path)
        assert reason in caught.value.reason
        assert "0700" in caught.value.next_step


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to someone else")
def test_a_cache_of_someone_else_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir(mode=0o700)
    os.chown(foreign, 65534, 65534)
    with pytest.raises(InputError, match="belongs to user id 65534"):
        pull_sources([], foreign)


def test_an_entry_that_is_a_link_elsewhere_is_refused(
    server: GitServer, upstream: Upstream, cache: Path, tmp_path: Path
) -> None:
    spec = source(server.url("fleet.git"))
    entry = _entry(pull(spec, cache)).root
    entry.rename(tmp_path / "elsewhere")
    entry.symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in refused(spec, cache).reason


def test_a_file_that_nothing_reads_has_its_size_and_no_content(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    upstream.commit({"app.yaml": "x", "images": {"disk.img": b"x" * (17 << 20)}})
    image = pull(source(server.url("fleet.git")), cache).path / "images" / "disk.img"
    assert image.stat().st_size == 17 << 20
    assert image.stat().st_blocks == 0
    with pytest.raises(RenderError, match=r"images/disk.img: the file has 17 MiB, and a file may have 16"):
        Tree(image.parents[1], Meter("app shop")).read(image)


def test_a_tree_that_unfolds_without_end_is_refused(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    tree = upstream.tree({"f": ("100644", upstream.blob(b"x"))})
    for _level in range(8):
        tree = upstream.tree({f"d{number}": ("040000", tree) for number in range(16)})
    upstream.commit_tree(tree)
    assert "more than 32 MiB" in refused(source(server.url("fleet.git")), cache).reason
    assert not list(cache.glob("*/checkouts/*"))
