# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a rendering depends on all that was read (row 61), and its key is all that decides (row 62)."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Manifest
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_app, render_path
from ansible_collections.plumb.gitops.plugins.module_utils.render.render_cache import (
    RenderCache,
    RenderSource,
)
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import bound_folder
from ansible_collections.plumb.gitops.tests.unit.render.plugin_kinds import READING

FILES = [(kind, file) for kind, files in READING.items() for file in files]
NEW_FILES = (
    "Kustomization",
    "kustomization.yml",
    "new.yaml",
    "sub/new.yaml",
    "base/kustomization.yaml",
    "t/x.yaml",
)
ELSEWHERE = "elsewhere/notes.txt"


def followed(kind: str) -> RenderSource:
    return RenderSource(folder="/cache/entry", source="fleet", ref="main", path=f"apps/{kind}")


def render(root: Path, kind: str, cache: RenderCache) -> tuple[Manifest, ...]:
    return render_app(root, followed(kind), subject="app shop", cache=cache)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(scope="module")
def root(folder: Path) -> Path:
    """Return a source with an app of each kind."""
    root = folder / "root"
    for kind, files in READING.items():
        for name, text in files.items():
            path = root / "apps" / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (root / "elsewhere").mkdir()
    (root / ELSEWHERE).write_text("notes")
    return root


@pytest.fixture(scope="module")
def renderings(root: Path, folder: Path) -> Path:
    """Return the cache in which each app was rendered once."""
    cache = RenderCache(folder / "renderings")
    for kind in READING:
        render(root, kind, cache)
    return folder / "renderings"


def changed(root: Path, number: Iterator[int] = itertools.count()) -> Path:  # noqa: B008
    """Return a copy of the source, to be changed."""
    return Path(shutil.copytree(root, root.with_name(f"changed-{next(number)}")))


@pytest.mark.parametrize(("kind", "file"), FILES)
def test_row_61_a_change_of_any_file_that_is_read_renders_anew(
    root: Path, renderings: Path, kind: str, file: str
) -> None:
    cache = RenderCache(renderings, writable=False)
    assert cache.load(root, followed(kind)) is not None
    other = changed(root)
    with (other / "apps" / kind / file).open("ab") as text:
        text.write(b"\n")
    known = cache.load(other, followed(kind))
    assert known is None or file == "notes.txt"
    shutil.rmtree(other)


def test_row_61_a_change_elsewhere_renders_nothing_anew(root: Path, renderings: Path) -> None:
    other = changed(root)
    (other / ELSEWHERE).write_text("other notes")
    (other / "elsewhere" / "new.yaml").write_text("new")
    cache = RenderCache(renderings, writable=False)
    assert all(cache.load(other, followed(kind)) is not None for kind in READING)
    shutil.rmtree(other)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, str, int, int | None]:
    """Return an app, a path in it, and its change: the place and value of a byte, or None for the file removed."""
    kind = draw(st.sampled_from(sorted(READING)))
    file = draw(st.sampled_from([*READING[kind], *NEW_FILES]))
    return kind, file, draw(st.integers(0, 400)), draw(st.none() | st.integers(0, 255))


@given(change=changes())
@settings(max_examples=100, deadline=None)
def test_row_61_what_is_kept_is_what_a_fresh_rendering_gives(
    root: Path, renderings: Path, change: tuple[str, str, int, int | None]
) -> None:
    kind, file, at, byte = change
    other = root.with_name("drawn")
    shutil.copytree(root / "apps" / kind, other / "apps" / kind)
    path = other / "apps" / kind / file
    path.parent.mkdir(exist_ok=True)
    if byte is None and path.exists():
        path.unlink()
    else:
        text = bytearray(path.read_bytes() if path.exists() else b"kind: List\n")
        text[at % len(text)] = byte if byte is not None else 0
        path.write_bytes(text)
    known = RenderCache(renderings, writable=False).load(other, followed(kind))
    if known is not None:
        assert known.manifests == render_path(other, f"apps/{kind}", subject="app shop")
    shutil.rmtree(other)


def test_row_61_kustomize_sees_nothing_but_what_was_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference that the check before it forgets fails, and is not read."""
    from ansible_collections.plumb.gitops.plugins.module_utils.render.kustomize import (  # noqa: PLC0415
        kustomization,
    )

    monkeypatch.setattr(kustomization, "READING_KINDS", {})
    for kind in ("ConfigMapGenerator", "PatchTransformer", "ValueAddTransformer"):
        with pytest.raises(RenderError, match=r"no such file|doesn't exist|not found"):
            render_path(root, f"apps/{kind}", subject="app shop")


def test_row_61_a_second_kustomization_beside_the_one_that_is_named_is_seen(tmp_path: Path) -> None:
    cache, app = RenderCache(tmp_path / "renderings"), tmp_path / "root" / "app"
    app.mkdir(parents=True)
    (app / "kustomization.yaml").write_text("configMapGenerator: [{name: a, literals: [a=b]}]\n")
    named = RenderSource(folder="/cache/entry", source="fleet", ref="main", path="app/kustomization.yaml")
    render_app(app.parent, named, subject="app shop", cache=cache)
    (app / "Kustomization").write_text("namePrefix: x-\n")
    with pytest.raises(RenderError, match="exactly one"):
        render_app(app.parent, named, subject="app shop", cache=cache)


def test_row_61_a_link_that_leads_somewhere_now_is_seen(tmp_path: Path) -> None:
    cache, app = RenderCache(tmp_path / "renderings"), tmp_path / "root" / "apps" / "plain"
    app.mkdir(parents=True)
    (app / "kustomization.yaml").write_text("configMapGenerator: [{name: a, literals: [a=b]}]\n")
    (app / "Kustomization").symlink_to("../../later.yaml")
    render(app.parents[1], "plain", cache)
    (app.parents[1] / "later.yaml").write_text("namePrefix: x-\n")
    with pytest.raises(RenderError, match="exactly one"):
        render(app.parents[1], "plain", cache)


def test_row_61_a_deep_run_renders_afresh_and_names_what_differs(
    root: Path, renderings: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "renderings"
    shutil.copytree(renderings, folder)
    file = followed("resources").file(folder)
    head, content = file.read_text().splitlines()
    altered = content.replace('"b":"c"', '"b":"x"')
    assert altered != content
    checksum = hashlib.sha256(altered.encode()).hexdigest()
    file.write_text(f"{json.dumps({**json.loads(head), 'checksum': checksum})}\n{altered}\n")
    assert render(root, "resources", RenderCache(folder))[0].body["data"] == {"b": "x"}, (
        "the file is believed"
    )
    deep = RenderCache(folder, afresh=True)
    assert render(root, "resources", deep)[0].body["data"] == {"b": "c"}
    assert render(root, "plain", deep) == render_path(root, "apps/plain", subject="app shop")
    assert deep.differing == ["app shop"]
    assert render(root, "resources", RenderCache(folder))[0].body["data"] == {"b": "c"}


@pytest.mark.parametrize("part", ["folder", "source", "ref", "path"])
def test_row_62_what_decides_is_in_the_key(part: str) -> None:
    source = followed("plain")
    other = replace(source, **{part: "another"})
    assert source.file(Path()) != other.file(Path())


def test_row_62_two_branches_in_one_cache_folder_do_not_mix(tmp_path: Path) -> None:
    """Two hosts that follow two branches under one source name and path, in turn."""
    folder = tmp_path / "renderings"
    roots = {}
    for branch in ("main", "staging"):
        roots[branch] = tmp_path / "checkouts" / branch
        (roots[branch] / "app").mkdir(parents=True)
        (roots[branch] / "app" / "kustomization.yaml").write_text("generators: [plugin.yaml]\n")
        (roots[branch] / "app" / "plugin.yaml").write_text(READING["ConfigMapGenerator"]["plugin.yaml"])
        (roots[branch] / "app" / "e.env").write_text("A=B\n")
        (roots[branch] / "app" / "f.txt").write_text(f"of {branch}")
    for branch in ("staging", "main", "staging", "main"):
        key = RenderSource(folder=str(tmp_path / "checkouts"), source="fleet", ref=branch, path="app")
        (made,) = render_app(roots[branch], key, subject="app shop", cache=RenderCache(folder))
        assert made.body["data"]["k"] == f"of {branch}"
    assert len(list(folder.iterdir())) == 2


def test_row_63_a_memo_that_is_not_writable_leaves_the_folder_as_it_is(root: Path, renderings: Path) -> None:
    other = changed(root)
    (other / "apps" / "resources" / "a.yaml").write_text(
        READING["resources"]["a.yaml"].replace("b: c", "b: bad")
    )
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in renderings.iterdir()}
    cache = RenderCache(renderings, writable=False)
    for _time in range(2):
        assert render(other, "resources", cache)[0].body["data"] == {"b": "bad"}
    assert cache.load(other, followed("resources")) is not None, "it is not rendered twice"
    cache.evict()
    assert before == {
        file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in renderings.iterdir()
    }
    assert render(root, "resources", RenderCache(renderings))[0].body["data"] == {"b": "c"}
    shutil.rmtree(other)


def test_the_oldest_go_first_where_a_folder_is_too_large(tmp_path: Path) -> None:
    import os  # noqa: PLC0415

    for age in range(5):
        (tmp_path / str(age)).write_bytes(b"x" * 100)
        os.utime(tmp_path / str(age), (1_900_000_000 - age, 1_900_000_000 - age))
    bound_folder(tmp_path, largest=250, unused=float("inf"))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0", "1"]
