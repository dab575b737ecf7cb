# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is believed of the cache belongs to who runs Plumb, and nobody else may write to it: all of it (row 76)."""

from __future__ import annotations

import os
import stat
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.images import update_state as committed
from ansible_collections.plumb.gitops.plugins.module_utils.images.update_state import (
    UpdateState,
    state_file,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory import (
    git_config_store as accepted,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules import (
    commit_statuses as statuses,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules import notifications, preview
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules import (
    verified_cache_store as memory,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.mode import Mode
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.pull import pull
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.reconcile import apply
from ansible_collections.plumb.gitops.plugins.module_utils.interface.options.feedback import spec_of_preview
from ansible_collections.plumb.gitops.plugins.module_utils.interface.outputs import reported_state as standing
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.cache_folder import (
    RENDERINGS,
    check_cache,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.option_values import (
    with_defaults,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import RefKind, SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.notify.throttle import SentNews
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_app
from ansible_collections.plumb.gitops.plugins.module_utils.render.render_cache import (
    RenderCache,
    RenderSource,
)
from ansible_collections.plumb.gitops.plugins.module_utils.source.cache.checkout import (
    CheckoutRecord,
    load_last_good,
    save_last_good,
)
from ansible_collections.plumb.gitops.plugins.module_utils.source.cache.repositories import (
    open_cache,
    open_entry,
)
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import (
    NotPrivateError,
    check_folder,
    make_folder,
)

NOBODY = 65534
SOURCE = SourceSpec(name="fleet", url="https://git.example/fleet", ref_kind=RefKind.BRANCH, ref="main")


@dataclass(frozen=True)
class Cache:
    """How something is kept in a cache folder, and read back."""

    keep: Callable[[Path], object]
    read: Callable[[Path], object]


def rendered(cache: Path) -> object:
    root = cache.with_name("root")
    (root / "app").mkdir(parents=True, exist_ok=True)
    (root / "app" / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    followed = RenderSource(folder="/p", source="fleet", ref="main", path="app")
    return render_app(root, followed, subject="app shop", cache=RenderCache(cache / RENDERINGS))


def options(cache: Path) -> dict[str, Any]:
    return {"cache_dir": str(cache), "cluster": "here", "forge": {"url": "https://git.example"}}


def looks(cache: Path) -> Path:
    return memory.verified_cache_file(cache, "https://cluster.example")


def config(cache: Path) -> Path:
    return accepted.git_config_file(cache, SOURCE, {"path": "c"}, "here")


def reported_state(cache: Path) -> Path:
    return standing.reported_state_file(cache, "https://cluster.example", "plumb", "events")


def images(cache: Path) -> Path:
    return state_file(cache, "here", "update", "https://git.example/fleet")


CACHES: Mapping[str, Cache] = {
    "renderings": Cache(rendered, rendered),
    "looks": Cache(
        lambda cache: memory.save_verified_cache(looks(cache), memory.VerifiedCache(checked=1.0)),
        lambda cache: memory.load_verified_cache(looks(cache)),
    ),
    "config": Cache(
        lambda cache: accepted.save_git_config(config(cache), accepted.GitConfig("c", (), ())),
        lambda cache: accepted.load_git_config(config(cache)),
    ),
    "standing": Cache(
        lambda cache: standing.save_reported_state(reported_state(cache), {"app": {"object": "digest"}}),
        lambda cache: standing._STORE.load(reported_state(cache)),
    ),
    "statuses": Cache(
        lambda cache: statuses._STORE.save(statuses._file(options(cache)), {}),
        lambda cache: statuses._STORE.load(statuses._file(options(cache))),
    ),
    "notifications": Cache(
        lambda cache: notifications._STORE.save(notifications._file(options(cache), "chat"), SentNews()),
        lambda cache: notifications._STORE.load(notifications._file(options(cache), "chat")),
    ),
    "previews": Cache(
        lambda cache: preview._STORE.save(preview._file(options(cache)), {"a 1": {}}),
        lambda cache: preview.preview(
            with_defaults(spec_of_preview(), {**options(cache), "sources": [], "pulled": [], "apps": []}),
            Mode(check=True, diff=False),
        ),
    ),
    "images": Cache(
        lambda cache: committed.save_state(images(cache), UpdateState(declared="d")),
        lambda cache: committed.load_state(images(cache)),
    ),
    "sources": Cache(
        lambda cache: save_last_good(
            open_entry(open_cache(cache / "sources"), SOURCE), SOURCE, CheckoutRecord("c" * 40, "")
        ),
        lambda cache: load_last_good(open_entry(open_cache(cache / "sources"), SOURCE), SOURCE),
    ),
}


def kept_by(name: str, cache: Path) -> list[Path]:
    """What is believed of a cache: its file, and the folders from the cache's own down to it."""
    CACHES[name].keep(cache)
    (file,) = [path for path in (cache / name).rglob("*") if path.is_file() and path.name != "lock"]
    folders = [folder for folder in file.parents if folder.is_relative_to(cache / name)]
    return [file, *folders]


TAMPERED: Mapping[str, Callable[[Path], object]] = {
    "its group may write": lambda path: path.chmod(path.stat().st_mode | 0o020),
    "all may write": lambda path: path.chmod(path.stat().st_mode | 0o002),
    "it is another user's": lambda path: os.chown(path, NOBODY, -1),
    "it has a second name": lambda path: path.with_name("other").hardlink_to(path),
    "it is a link": lambda path: path.symlink_to(path.rename(path.with_name("other"))),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
@pytest.mark.parametrize("how", TAMPERED)
@pytest.mark.parametrize("name", CACHES)
def test_row_76_what_others_may_have_written_is_refused(tmp_path: Path, name: str, how: str) -> None:
    count = len(kept_by(name, tmp_path / "first"))
    for number in range(count):
        cache = tmp_path / f"cache-{number}"
        path = kept_by(name, cache)[number]
        if (how == "it has a second name" and path.is_dir()) or (how == "it is a link" and path.is_file()):
            continue
        CACHES[name].read(cache)
        TAMPERED[how](path)
        with pytest.raises(NotPrivateError) as caught:
            CACHES[name].read(cache)
        assert f"cache {cache}" in str(caught.value)
        assert "plumb_cache_dir" in str(caught.value)
        if name != "sources":
            with pytest.raises(NotPrivateError):
                check_cache(cache)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
@pytest.mark.parametrize("how", ["its group may write", "all may write", "it is another user's"])
def test_row_76_a_run_refuses_the_cache_folder_itself_before_it_does_anything(
    tmp_path: Path, how: str
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    TAMPERED[how](cache)
    for begin in (apply, pull):
        with pytest.raises(NotPrivateError, match=f"cache {cache}: opening the cache"):
            begin({"cache_dir": str(cache), "apps": [], "sources": []}, Mode(check=True, diff=False))
    assert list(cache.iterdir()) == []


def test_row_76_a_link_of_another_user_on_the_way_is_refused(tmp_path: Path) -> None:
    """In a folder where all may write, such as /tmp, it would lead to content of one's own that is no cache."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files to another user")
    shared, own = tmp_path / "shared", tmp_path / "own"
    shared.mkdir()
    shared.chmod(0o1777)
    (own / "looks").mkdir(parents=True, mode=0o700)
    link = shared / "plumb"
    link.symlink_to(own)
    check_folder(link / "looks")
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(NotPrivateError, match="symbolic link of user id 65534"):
        check_folder(link / "looks")


def test_row_76_a_folder_below_a_sticky_one_is_taken(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    make_folder(tmp_path / "cache" / "looks")
    check_folder(tmp_path / "cache" / "looks")


def in_a_process(user: int, umask: int, work: Callable[[], None]) -> str:
    """Do something in a process of another user; the traceback of what it raised."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        raised = ""
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            os.umask(umask)
            work()
        except BaseException:  # noqa: BLE001  # the child ends here, whatever comes
            raised = traceback.format_exc()
        finally:
            os.write(writing, raised.encode()[:60000])
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


@pytest.mark.parametrize("umask", [0o002, 0o000, 0o077])
def test_row_76_folders_are_made_for_one_user_whatever_the_umask(umask: int) -> None:
    """By user id 65534 where this is root: nothing is root's right only."""
    user = NOBODY if os.geteuid() == 0 else os.geteuid()
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        os.chown(place, user, -1)

        def keep_all() -> None:
            for name, cache in CACHES.items():
                cache.keep(place / name / "cache")
                cache.read(place / name / "cache")

        assert in_a_process(user, umask, keep_all) == ""
        for name in CACHES:
            cache = place / name / "cache"
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [cache, *(cache / name).rglob("*")]}
            folders = {path: mode for path, mode in modes.items() if path.is_dir()}
            assert set(folders.values()) == {0o700}, folders
            assert all(mode & 0o022 == 0 for mode in modes.values()), modes
