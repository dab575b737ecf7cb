# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders that want more memory than there is: everything lives on, and it is not tried again and again (row 69)."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderBoundError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Manifest
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_app
from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds import limits
from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds.memory_budget import MemoryBudget
from ansible_collections.plumb.gitops.plugins.module_utils.render.kustomize import build as kustomize
from ansible_collections.plumb.gitops.plugins.module_utils.render.render_cache import (
    RenderCache,
    RenderSource,
)
from ansible_collections.plumb.gitops.tests.unit.render import renders_side_by_side
from ansible_collections.plumb.gitops.tests.unit.render.conftest import Write

MIB = 1024 * 1024
PYTHON = sys.executable
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
PLAIN = {"app/kustomization.yaml": "resources: [a.yaml]\n", "app/a.yaml": CONFIG_MAP}
FOLLOWED = RenderSource(folder="/cache", source="fleet", ref="main", path="app")


def texts(name: str, megabytes: int) -> str:
    """Return a ConfigMap with so much text."""
    line = "    " + "x" * 99 + "\n"
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  a: |\n" + line * (
        megabytes * 10_000
    )


def values(name: str, number: int) -> str:
    """Return an object with so many small maps."""
    return f"apiVersion: v1\nkind: Dense\nmetadata: {{name: {name}}}\nspec: [" + "{a: }," * number + "]\n"


def heavy_checkout(write: Write) -> tuple[Path, list[str]]:
    """Apps that are too much together: 100 MB of text, and 150,000 maps; and one that is too much for kustomize."""
    files: dict[str, str | bytes] = {}
    for app in "abcd":
        for number in range(2):
            files[f"{app}/{number}.yaml"] = texts(f"{app}{number}", 12)
    files["e/0.yaml"] = values("e", 150_000)
    names = [f"{number}.yaml" for number in range(35)]
    files |= {f"huge/{name}": texts(f"h{name[:-5]}", 1) for name in names}
    files["huge/kustomization.yaml"] = f"namePrefix: a-\nresources: [{', '.join(names)}]\n"
    files |= {f"plain/{name.removeprefix('app/')}": text for name, text in PLAIN.items()}
    return write(files), [*"abcde", "huge", "plain"]


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """Yield a cgroup of this process's own with 400 MiB, of whichever version there is."""
    for parent, limit in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        folder = parent / f"plumb-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / limit).write_text(str(400 * MIB))
        except OSError:
            folder.rmdir()
            continue
        yield folder
        folder.rmdir()
        return
    pytest.skip(
        "no cgroup that counts memory can be made here; the same is tested with a limit of the process"
    )


def side_by_side(*words: str | Path, cgroup: Path | None = None) -> dict[str, Any]:
    """Return what `renders_side_by_side` says, run in this cgroup with all its children."""
    join = f"echo $$ > {cgroup}/cgroup.procs && " if cgroup else ""
    done = subprocess.run(
        [
            "/bin/sh",
            "-c",
            f'{join}exec "$@"',
            "sh",
            sys.executable,
            str(renders_side_by_side.__file__),
            *map(str, words),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return dict(json.loads(done.stdout))


def check(done: dict[str, Any], most: int) -> None:
    results = done["results"]
    assert results["plain"] == "1 manifests", results
    rendered = [app for app in "abcde" if results[app].endswith(" manifests")]
    refused = [results[app] for app in "abcde" if app not in rendered]
    assert rendered, "as much as fits is rendered"
    assert refused, "all of it is more than there is"
    for message in refused:
        assert "it needs more memory than there is for manifests: " in message
        assert message.endswith("plumb_agent_memory of one on a host.")
    assert " memory" in results["huge"], results["huge"]
    assert max(done["most"]) < most, done["most"]


def test_row_69_apps_that_are_too_much_together_take_no_more_than_there_is(checkout: Write) -> None:
    root, apps = heavy_checkout(checkout)
    check(side_by_side("budget=180,192", root, *apps), 400 * MIB)


def test_row_69_in_a_container_nothing_is_ended_for_want_of_memory(checkout: Write, cgroup: Path) -> None:
    root, apps = heavy_checkout(checkout)
    done = side_by_side(root, *apps, cgroup=cgroup)
    check(done, 400 * MIB)
    events = (
        cgroup / "memory.events" if (cgroup / "memory.events").exists() else cgroup / "memory.oom_control"
    )
    assert "oom_kill 0" in events.read_text().splitlines()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a kubectl that notes each start, and the memory that it may take, in the file `starts` beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "kubectl"
    program.write_text(
        f"#!{PYTHON} -I\nimport os, resource, sys\n"
        f"open({str(folder / 'starts')!r}, 'a').write(f'{{resource.getrlimit(resource.RLIMIT_DATA)[0] >> 20}}\\n')\n"
        f"sys.path.insert(0, {str(folder)!r})\nimport behaviour\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (folder / "starts").touch()
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return folder


NO_MEMORY = "sys.stderr.write('fatal error: runtime: out of memory\\n'); os._exit(2)"
BEHAVIOURS = {
    "memory": (f"import os, sys\n{NO_MEMORY}", "kustomize needs more than 512 MiB of memory", 2),
    "time": ("import time\ntime.sleep(600)", "kustomize did not end within 1 seconds", 1),
    "output": ("import sys\nwhile True: sys.stdout.write('x' * 65536)", "kustomize made more than 1 MiB", 1),
}


def starts(folder: Path) -> list[int]:
    return [*map(int, (folder / "starts").read_text().split())]


def render(
    root: Path, cache: Path, *, afresh: bool = False, programs: int = 1024 * MIB
) -> tuple[Manifest, ...]:
    return render_app(
        root,
        FOLLOWED,
        subject="app shop",
        cache=RenderCache(cache, afresh=afresh),
        budget=MemoryBudget(1024 * MIB, programs),
    )


@pytest.mark.parametrize("bound", BEHAVIOURS)
def test_row_69_what_went_beyond_a_bound_is_not_repeated_until_its_files_change(
    checkout: Write, tmp_path: Path, stand_in: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(kustomize, "KUSTOMIZE_SECONDS", 1.0)
    monkeypatch.setattr(kustomize, "MAX_APP_BYTES", MIB)
    behaviour, why, tries = BEHAVIOURS[bound]
    (stand_in / "behaviour.py").write_text(behaviour)
    root = checkout(PLAIN | {"other/a.yaml": CONFIG_MAP})

    def refused(**options: Any) -> str:
        with pytest.raises(RenderBoundError, match=why) as caught:
            render(root, tmp_path / "cache", **options)
        return str(caught.value)

    assert "found by an earlier run" not in refused()
    assert len(starts(stand_in)) == tries
    checkout({"other/a.yaml": CONFIG_MAP + "# another app\n"})
    assert "found by an earlier run" in refused()
    assert len(starts(stand_in)) == tries, "no more, though another app changed"
    assert "found by an earlier run" not in refused(afresh=True)
    assert len(starts(stand_in)) == 2 * tries, "a deep run asks anew"
    checkout({"app/a.yaml": CONFIG_MAP + "# changed\n"})
    refused()
    assert len(starts(stand_in)) == 3 * tries


def test_row_69_it_is_repeated_once_there_is_more_memory(
    checkout: Write, tmp_path: Path, stand_in: Path
) -> None:
    (stand_in / "behaviour.py").write_text(
        f"import os, resource, sys\nif resource.getrlimit(resource.RLIMIT_DATA)[0] < 400 << 20: {NO_MEMORY}\n"
        f"print({CONFIG_MAP!r})"
    )
    root = checkout(PLAIN)
    for programs in (256, 256, 300):
        with pytest.raises(RenderBoundError, match="kustomize needs more than 256 MiB of memory"):
            render(root, tmp_path / "cache", programs=programs * MIB)
    assert starts(stand_in) == [192, 256], "twice in the first run, and not in the others"
    assert len(render(root, tmp_path / "cache", programs=600 * MIB)) == 1
    assert starts(stand_in) == [192, 256, 192, 512]


def test_row_69_what_reading_found_too_large_is_remembered_too(
    checkout: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout({"app/a.yaml": values("a", 100)})
    monkeypatch.setattr(limits, "MAX_VALUES", 50)
    refusal = "app shop: reading app/a.yaml:5: the app has more than 50 values with aliases written out"
    for beginning in (f"{refusal}. ", f"{refusal} (found by "):
        with pytest.raises(RenderBoundError) as caught:
            render(root, tmp_path / "cache")
        assert str(caught.value).startswith(beginning)


@pytest.mark.parametrize("generator", ["configMapGenerator", "secretGenerator"])
@pytest.mark.parametrize("way", ["files", "envs"])
def test_row_69_files_of_generators_are_counted_by_their_lines(
    checkout: Write, generator: str, way: str
) -> None:
    text = f"{generator}: [{{name: a, {way}: [lines.env]}}]\n"
    lines = "".join(f"{number:x}=\n" for number in range(1_500_000))
    done = side_by_side(
        "budget=120,192", checkout({"app/kustomization.yaml": text, "app/lines.env": lines}), "app"
    )
    assert done["results"]["app"] == "1 manifests" or " memory" in done["results"]["app"]
    assert max(done["most"]) < 200 * MIB, done
