# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rendering is kept as long as everything that it was made of is the same, and not a moment longer."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Manifest
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_app, render_path
from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds.memory_budget import MemoryBudget
from ansible_collections.plumb.gitops.plugins.module_utils.render.render_cache import (
    RenderCache,
    Rendering,
    RenderSource,
)

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {b: '1', a: '2'}\n"
OVERLAY = "resources: [../base]\nconfigMapGenerator: [{name: texts, files: [text.txt]}]\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "plain/one.yaml": MAP % "one",
        "plain/sub/two.yaml": MAP % "two",
        "plain/sub/notes.txt": "Git keeps no empty folder",
        "other/three.yaml": MAP % "three",
        "base/kustomization.yaml": "resources: [one.yaml]\n",
        "base/one.yaml": MAP % "one",
        "overlay/kustomization.yaml": OVERLAY,
        "overlay/text.txt": "first",
    }
    root = tmp_path / "first"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "linked").symlink_to("plain")
    return root


@pytest.fixture
def cache(tmp_path: Path) -> RenderCache:
    return RenderCache(tmp_path / "cache" / "renderings")


def render(root: Path, path: str, cache: RenderCache) -> tuple[Manifest, ...]:
    return render_app(root, followed(path), subject="app shop", cache=cache, budget=MemoryBudget.of_process())


def recalled(cache: RenderCache, root: Path, path: str) -> tuple[Manifest, ...]:
    rendering = cache.load(root, followed(path))
    return rendering.manifests if rendering else ()


def followed(path: str, **other: str) -> RenderSource:
    return RenderSource(**{"folder": "/cache", "source": "fleet", "ref": "main", "path": path, **other})


@pytest.mark.parametrize("path", ["plain", "overlay", "linked", "plain/one.yaml"])
def test_a_rendering_is_kept_as_it_was_made(
    root: Path, tmp_path: Path, cache: RenderCache, path: str
) -> None:
    made = render(root, path, cache)
    assert made == render_path(root, path, subject="app shop")
    other = tmp_path / "second"  # another revision's checkout, with another file changed
    shutil.copytree(root, other, symlinks=True)
    (other / "other" / "three.yaml").write_text("nonsense: [")
    assert cache.load(other, followed(path)) == Rendering(made)
    assert [list(manifest.body["data"]) for manifest in recalled(cache, other, path)] == [
        list(manifest.body["data"]) for manifest in made
    ]
    assert cache.load(other, followed(path, source="another")) is None


CHANGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a file": ("plain", lambda root: (root / "plain/sub/two.yaml").write_text(MAP % "zwei")),
    "a new file": ("plain", lambda root: (root / "plain/sub/new.yaml").write_text(MAP % "new")),
    "a file less": ("plain", lambda root: (root / "plain/sub/two.yaml").unlink()),
    "a new kustomization": (
        "plain",
        lambda root: (root / "plain/sub/kustomization.yaml").write_text(
            "resources: [two.yaml]\nnamePrefix: x-\n"
        ),
    ),
    "a base": ("overlay", lambda root: (root / "base/one.yaml").write_text(MAP % "uno")),
    "a generator's file": ("overlay", lambda root: (root / "overlay/text.txt").write_text("second")),
    "a link": ("linked", lambda root: (root / "new").rename(root / "linked")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_it_was_made_of_makes_it_anew(root: Path, cache: RenderCache, change: str) -> None:
    path, alter = CHANGES[change]
    (root / "new").symlink_to("other")
    before = render(root, path, cache)
    alter(root)
    assert cache.load(root, followed(path)) is None
    after = render(root, path, cache)
    assert after == render_path(root, path, subject="app shop") != before


def test_what_is_refused_is_refused_again(root: Path, cache: RenderCache) -> None:
    render(root, "plain", cache)
    (root / "plain" / "one.yaml").write_text("kind: [")
    for _ in range(2):
        with pytest.raises(RenderError):
            render(root, "plain", cache)


def test_a_link_that_leads_out_now_is_refused(root: Path, cache: RenderCache, tmp_path: Path) -> None:
    render(root, "linked", cache)
    (tmp_path / "plain").mkdir()
    (root / "linked").unlink()
    (root / "linked").symlink_to("../plain")
    with pytest.raises(RenderError, match="leads out of the source"):
        render(root, "linked", cache)


def test_it_is_as_private_as_a_checkout(root: Path, cache: RenderCache, tmp_path: Path) -> None:
    render(root, "plain", cache)
    folder = tmp_path / "cache" / "renderings"
    (file,) = folder.iterdir()
    assert (stat.S_IMODE(folder.stat().st_mode), stat.S_IMODE(file.stat().st_mode)) == (0o700, 0o600)


def test_a_damaged_or_unwritable_memo_costs_time_only(root: Path, cache: RenderCache, tmp_path: Path) -> None:
    made = render(root, "plain", cache)
    (file,) = (tmp_path / "cache" / "renderings").iterdir()
    file.write_text(file.read_text()[:-20])
    assert render(root, "plain", cache) == made
    (tmp_path / "no-folder").touch()
    assert render(root, "plain", RenderCache(tmp_path / "no-folder")) == made


def test_what_nobody_asks_for_is_removed(root: Path, cache: RenderCache, tmp_path: Path) -> None:
    render(root, "plain", cache)
    render(root, "other", cache)
    week = time.time() - 8 * 24 * 3600
    for file in (tmp_path / "cache" / "renderings").iterdir():
        os.utime(file, (week, week))
    assert cache.load(root, followed("other")) is not None  # a use counts
    cache.evict()
    assert cache.load(root, followed("plain")) is None
    assert cache.load(root, followed("other")) is not None
