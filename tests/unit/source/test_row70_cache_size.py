# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows 70 and 80: checkouts hold what apps name, share what did not change, and the cache keeps its bound."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.checkout_paths import REFERENCES
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import Checkout, SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.source.cache.repositories import CachedRepository
from ansible_collections.plumb.gitops.plugins.module_utils.source.cache.selection import select
from ansible_collections.plumb.gitops.plugins.module_utils.source.cache.space import Space
from ansible_collections.plumb.gitops.plugins.module_utils.source.git.repository import TreeEntry
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import PulledSource, pull_sources
from ansible_collections.plumb.gitops.tests.support.faults.small_disk import CannotMount, Disk, mounted
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream, source

MIB = 1 << 20
BASE = {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": "kind: A\n"}


def bring(spec: SourceSpec, cache: Path, size: int = 1 << 30) -> PulledSource:
    (pulled,) = pull_sources([spec], cache, cache_size=size, references=REFERENCES)
    return pulled


def brought(spec: SourceSpec, cache: Path, size: int = 1 << 30) -> Checkout:
    pulled = bring(spec, cache, size)
    assert pulled.error is None, str(pulled.error)
    assert pulled.checkout is not None
    return pulled.checkout


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - what cannot be packed smaller


def _zeros(upstream: Upstream) -> str:
    """Return a tree of 960 MiB that is next to nothing in a pack."""
    blob = upstream.blob(bytes(15 * MIB))
    return upstream.tree({f"{number}.bin": ("100644", blob) for number in range(64)})


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        with mounted(tmp_path / "disk") as made:
            yield made
    except CannotMount as error:
        pytest.skip(f"no disk may be mounted here: {error}")


def test_row_70_three_commits_of_zeros_cost_what_apps_name(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    junk = _zeros(upstream)
    spec = source(server.url("fleet.git"), paths=("apps/shop",))
    for number in range(3):
        apps = upstream.tree_of({"shop": {"a.yaml": f"n: {number}\n"}})
        upstream.commit_tree(upstream.tree({"apps": ("040000", apps), "junk": ("040000", junk)}))
        checkout = brought(spec, cache)
        assert files_below(checkout.path) == {"apps/shop/a.yaml"}
    assert Space(cache).used() < 8 * MIB


def test_row_70_named_zeros_are_refused_and_the_last_good_revision_stays(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    spec = source(server.url("fleet.git"), paths=("apps",))
    upstream.commit({"apps": {"a.yaml": "a\n"}})
    first = brought(spec, cache, 64 * MIB)
    upstream.commit_tree(upstream.tree({"apps": ("040000", _zeros(upstream))}))
    refused = bring(spec, cache, 64 * MIB)
    assert refused.checkout == first
    assert "960 MiB are needed, and the cache of sources may take 64 MiB (cache_size)" in str(refused.error)
    assert "plumb_cache_size" in str(refused.error)
    assert Space(cache).used() < 8 * MIB


def test_row_70_a_pack_ends_where_the_bound_is(server: GitServer, upstream: Upstream, disk: Disk) -> None:
    """A disk of 8 MiB, a bound of 6: what does not fit is ended on the way, and the disk never fills up."""
    cache = disk.folder / "cache"
    spec = source(server.url("fleet.git"), paths=("app.yaml",))
    first = brought(spec, cache, 6 * MIB)
    for seed in range(2):
        upstream.commit({"app.yaml": "new", "noise": noise(7 * MIB, seed)})
        refused = bring(spec, cache, 6 * MIB)
        assert refused.checkout is not None
        assert refused.checkout.path == first.path
        assert "the cache of sources may take 6 MiB (cache_size)" in str(refused.error)
        assert "No space left" not in str(refused.error)
        assert Space(cache).used() < MIB
    upstream.commit({"app.yaml": "small again"})
    assert (brought(spec, cache, 6 * MIB).path / "app.yaml").read_text() == "small again"


def test_row_70_a_commit_after_the_other_keeps_within_the_bound(
    server: GitServer, upstream: Upstream, disk: Disk
) -> None:
    """A repository of 2 MiB of which each commit changes half, in a cache of 6: old packs and checkouts go."""
    cache = disk.folder / "cache"
    spec = source(server.url("fleet.git"), paths=("app",))
    for number in range(6):
        changed = {"app": {"a.yaml": f"n: {number}\n", "data": noise(MIB // 4, number)}}
        upstream.commit({**changed, "big": noise(MIB, number)})
        checkout = brought(spec, cache, 6 * MIB)
        assert (checkout.path / "app" / "a.yaml").read_text() == f"n: {number}\n"
        assert Space(cache).used() <= 6 * MIB
        then = time.time() - 61 * (6 - number)
        os.utime(checkout.path.parent / "in-use", (then, then))


def test_row_70_sources_share_the_bound_and_the_one_that_nobody_asks_for_goes(
    server: GitServer, served: Path, disk: Disk
) -> None:
    cache = disk.folder / "cache"
    specs = []
    for number in range(4):
        Upstream(served / f"{number}.git").commit({"a.yaml": f"{number}", "noise": noise(MIB, number)})
        specs.append(source(server.url(f"{number}.git"), name=f"s{number}", paths=("a.yaml",)))
    for spec in specs[:3]:
        brought(spec, cache, 4 * MIB)
    then = time.time() - 4000
    for record in cache.glob("*/refs/*.json"):
        os.utime(record, (then, then))
    brought(specs[3], cache, 4 * MIB)
    assert Space(cache).used() <= 4 * MIB
    assert brought(specs[0], cache, 4 * MIB).path.is_dir()
    assert Space(cache).used() <= 4 * MIB


def test_row_70_side_by_side_they_do_not_take_the_same_room_twice(
    server: GitServer, served: Path, disk: Disk
) -> None:
    cache = disk.folder / "cache"
    specs = []
    for number in range(4):
        Upstream(served / f"{number}.git").commit({"a.yaml": f"{number}", "noise": noise(3 * MIB, number)})
        specs.append(source(server.url(f"{number}.git"), name=f"s{number}", paths=("a.yaml",)))
    pulled = pull_sources(specs, cache, cache_size=5 * MIB, references=REFERENCES)
    assert not [result for result in pulled if result.error and "cache_size" not in str(result.error)]
    assert Space(cache).used() <= 5 * MIB
    assert not list(cache.glob("*/reserved"))


def test_row_70_what_a_kustomization_reaches_comes_with_it(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    link = upstream.blob(b"../../shared/config")
    files: Mapping[str, Any] = {
        "apps": {
            "shop": {
                "base": BASE,
                "overlays": {
                    "prod": {
                        "kustomization.yaml": 'resources:\n- ../../base\n- "..\\x2f..\\x2fdb"\n'
                        "components: [ ../../../comp one ]\nconfigMapGenerator:\n"
                        "- {name: x, files: [x=../../outside.txt]}\n",
                        "x.yaml": "x",
                    },
                    "dev": BASE,
                },
                "db": {"kustomization.yml": "bases:\n- ../../../deep/base\n"},
                "outside.txt": "x",
            },
            "comp one": {"Kustomization": "kind: Component\n"},
            "other": BASE,
        },
        "deep": {"base": BASE, "unused": BASE},
        "shared": {"config": {"c.yaml": "c"}, "more": {"d.yaml": "d"}},
    }
    tree = upstream.tree_of(files)
    shop = upstream.git("rev-parse", f"{tree}:apps/shop")
    with_link = upstream.git("ls-tree", shop) + f"\n120000 blob {link}\tlinked\n"
    apps = upstream.git("ls-tree", f"{tree}:apps").replace(
        shop, upstream.git("mktree", stdin=with_link.encode())
    )
    whole = upstream.git("ls-tree", tree).replace(
        upstream.git("rev-parse", f"{tree}:apps"), upstream.git("mktree", stdin=f"{apps}\n".encode())
    )
    upstream.commit_tree(upstream.git("mktree", stdin=f"{whole}\n".encode()))
    prod = brought(source(server.url("fleet.git"), paths=("apps/shop/overlays/prod",)), cache)
    assert files_below(prod.path) == {
        "apps/shop/overlays/prod/kustomization.yaml",
        "apps/shop/overlays/prod/x.yaml",
        "apps/shop/base/kustomization.yaml",
        "apps/shop/base/a.yaml",
        "apps/shop/db/kustomization.yml",
        "apps/shop/outside.txt",
        "apps/comp one/Kustomization",
        "deep/base/kustomization.yaml",
        "deep/base/a.yaml",
    }
    linked = brought(source(server.url("fleet.git"), paths=("apps/shop/linked",)), cache)
    assert (linked.path / "apps/shop/linked/c.yaml").read_text() == "c"
    assert not (linked.path / "shared/more").exists()
    alone = brought(source(server.url("fleet.git"), paths=("apps/other/kustomization.yaml",)), cache)
    assert files_below(alone.path) == {"apps/other/kustomization.yaml", "apps/other/a.yaml"}


def test_row_70_a_path_that_is_missing_is_told_with_the_nearest_names(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    upstream.commit({"apps": {"shop": BASE, "cart": BASE, "readme.md": "x"}, "x": BASE})
    checkout = brought(source(server.url("fleet.git"), paths=("apps/shpo",)), cache)
    assert {child.name for child in (checkout.path / "apps").iterdir()} == {"shop", "cart", "readme.md"}
    assert files_below(checkout.path) == set()


def test_row_70_other_paths_of_a_known_commit_need_no_server(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    upstream.commit({"a": BASE, "b": BASE})
    brought(source(server.url("fleet.git"), paths=("a",)), cache)
    server.requests.clear()
    both = brought(source(server.url("fleet.git"), paths=("a", "b")), cache)
    assert len(server.requests) == 1  # which commit the ref is at
    assert files_below(both.path) == {f"{folder}/{name}" for folder in "ab" for name in BASE}
    server.intercept = lambda _request: (_ for _ in ()).throw(OSError)
    server.__exit__(None, None, None)
    down = bring(source(server.url("fleet.git"), paths=("b",)), cache)
    assert down.error is not None
    assert down.checkout is not None
    assert files_below(down.checkout.path) == {f"b/{name}" for name in BASE}


def test_row_80_one_changed_file_of_many_is_the_only_one_written(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    same = {f"{name}.yaml": ("100644", upstream.blob(f"{name}\n".encode())) for name in range(20)}
    own = [("100644", upstream.blob(f"own {folder}\n".encode())) for folder in range(10)]
    folders = {
        f"d{number}": ("040000", upstream.tree({**same, "own": blob})) for number, blob in enumerate(own)
    }
    upstream.commit_tree(upstream.tree(folders))
    spec = source(server.url("fleet.git"))
    first = brought(spec, cache)
    changed = upstream.tree({**same, "own": ("100644", upstream.blob(b"changed\n"))})
    upstream.commit_tree(upstream.tree({**folders, "d7": ("040000", changed)}))
    second = brought(spec, cache)
    old = {(first.path / name).stat().st_ino for name in files_below(first.path)}
    fresh = [name for name in files_below(second.path) if (second.path / name).stat().st_ino not in old]
    assert fresh == ["d7/own"]
    assert (second.path / "d7/own").read_text() == "changed\n"
    assert (first.path / "d7/own").read_text() == "own 7\n"
    assert len(files_below(second.path)) == 10 * 21


def test_row_80_a_file_that_was_edited_is_not_shared(
    server: GitServer, upstream: Upstream, cache: Path
) -> None:
    upstream.commit({"a": "1\n", "b": "2\n"})
    spec = source(server.url("fleet.git"))
    first = brought(spec, cache)
    (first.path / "a").chmod(0o600)
    (first.path / "a").write_text("evil\n")
    upstream.commit({"a": "1\n", "b": "3\n"})
    assert (brought(spec, cache).path / "a").read_text() == "1\n"


_NAMES = st.sampled_from(["a", "b", "c", "kustomization.yaml"])
_PLACES = st.lists(_NAMES, min_size=1, max_size=4).map("/".join)
_TARGETS = st.lists(st.sampled_from(["a", "b", "c", "..", ".", ""]), min_size=1, max_size=5).map("/".join)


@settings(max_examples=100, deadline=None)
@given(
    files=st.dictionaries(_PLACES, st.none() | _TARGETS, max_size=12),
    path=st.lists(st.sampled_from(["a", "b", "c", "."]), max_size=3).map("/".join),
)
@example(files={"a": "/.."}, path="a")  # a link out of the tree
def test_row_70_what_a_path_leads_to_is_the_same_in_a_part_as_in_the_whole(
    files: dict[str, str | None], path: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever links there are: every file and folder below a path, links followed, is there as in the whole tree."""
    entries = _tree(files)
    contents = {entry.oid: (files[entry.oid] or "x").encode() for entry in entries if entry.mode != 0o040000}
    chosen = select("source s", entries, [path], REFERENCES, lambda oids: [contents[oid] for oid in oids])
    whole, part = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("part")
    for folder, written in ((whole, entries), (part, chosen.entries)):
        for entry in written:
            place = folder / os.fsdecode(entry.path)
            if entry.mode == 0o040000:
                place.mkdir()
            elif entry.mode == 0o120000:
                place.symlink_to(contents[entry.oid].decode())
            else:
                place.write_text("x")
    if (whole / path).exists():
        assert _seen(part, path) == _seen(whole, path)


def _tree(files: Mapping[str, str | None]) -> list[TreeEntry]:
    """Files and links by place, as Git lists them; a place below a file is left out."""
    entries: dict[str, TreeEntry] = {}
    for place, target in sorted(files.items()):
        above = ["/".join(place.split("/")[:length]) for length in range(1, place.count("/") + 1)]
        if any(entries[parent].mode != 0o040000 for parent in above if parent in entries) or place in entries:
            continue
        for parent in above:
            entries.setdefault(parent, TreeEntry(0o040000, parent, 0, parent.encode()))
        mode = 0o100644 if target is None or not target.strip("/") else 0o120000
        entries[place] = TreeEntry(mode, place, len(target or "x"), place.encode())
    return sorted(entries.values(), key=lambda entry: entry.path + b"/" * (entry.mode == 0o040000))


def _seen(root: Path, path: str) -> list[str]:
    """Return what a reader sees below a path, links followed as long as they stay in the tree, each folder once."""
    names, waiting, read = [], [(root / path, path)], set[str]()
    while waiting:
        place, written = waiting.pop()
        real = os.path.realpath(place)
        if not Path(real).is_relative_to(os.path.realpath(root)):
            names.append(f"{written} outside")
        elif not os.path.exists(real):  # noqa: PTH110
            names.append(f"{written} nothing")
        elif os.path.isdir(real) and real not in read:  # noqa: PTH112
            read.add(real)
            names.append(f"{written} folder")
            waiting += [(child, f"{written}/{child.name}") for child in sorted(Path(real).iterdir())]
        else:
            names.append(f"{written} file")
    return names


def test_row_70_entries_of_the_cache_are_told_from_its_other_files(cache: Path) -> None:
    cache.mkdir()
    (cache / "space.lock").touch()
    entry = CachedRepository(cache / ("0" * 32))
    entry.root.mkdir()
    with Space(cache, MIB).share(entry, all_of_it=False) as size:
        assert (entry.root / "reserved").read_text() == str(size)
    assert not (entry.root / "reserved").exists()
