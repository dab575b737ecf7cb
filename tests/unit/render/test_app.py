# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole checkouts through `render_path`: golden folders, and what no folder in Git can show."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Manifest
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_path
from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds import limits
from ansible_collections.plumb.gitops.plugins.module_utils.render.manifest import reject_duplicates
from ansible_collections.plumb.gitops.tests.unit.render.conftest import Write

FOLDERS = sorted(path.parent for path in (Path(__file__).parent / "cases/folders").glob("*/expected.json"))
CANARY = "canary-7f3a"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


def render(root: Path, path: str = ".") -> tuple[Manifest, ...]:
    return render_path(root, path, subject="app shop")


def refused(root: Path, path: str = ".") -> str:
    with pytest.raises(RenderError) as caught:
        render(root, path)
    return str(caught.value)


@pytest.mark.parametrize("case", FOLDERS, ids=lambda case: case.name)
def test_folder(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text())
    if "error" in expected:
        message = refused(case / "files", expected["path"])
        assert message == expected["error"]
        assert "hunter2" not in message
        return
    manifests = render(case / "files", expected["path"])
    assert [
        {"ref": str(each.ref), "origin": str(each.origin), "body": each.body} for each in manifests
    ] == expected["manifests"]


def test_the_same_checkout_gives_the_same_manifests(checkout: Write) -> None:
    root = checkout({f"{name}.yaml": CONFIG_MAP.format(name=name) for name in "cbdfaeg"})
    assert [manifest.ref.name for manifest in render(root)] == list("abcdefg")
    assert render(root) == render(root)


def test_the_kind_of_a_custom_resource_may_have_a_hyphen(checkout: Write) -> None:
    root = checkout({"a.yaml": "apiVersion: example.com/v1\nkind: Foo-Bar\nmetadata: {name: a}\n"})
    assert [str(each.ref) for each in render(root)] == ["Foo-Bar a"]


def test_duplicates_are_found_again_once_a_namespace_is_filled_in(checkout: Write) -> None:
    root = checkout(
        {"a.yaml": CONFIG_MAP.format(name="a"), "b.yaml": CONFIG_MAP.format(name="a, namespace: shop")}
    )
    first, second = render(root)
    moved = Manifest(second.ref, first.body, first.origin, first.digest)
    reject_duplicates([first, second], subject="app shop")
    with pytest.raises(RenderError, match=r"ConfigMap shop/a is written twice, first in b\.yaml:1"):
        reject_duplicates([second, moved], subject="app shop")


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../x",
        "a/../../x",
        "/etc",
        "/proc/self/environ",
        "a\nb",
        "a\0b",
        ".git",
        ".git/config",
        "a/.GIT",
    ],
)
def test_paths_out_of_the_checkout_are_refused(checkout: Write, path: str) -> None:
    root = checkout({".git/config": CANARY, "a/b.yaml": CONFIG_MAP.format(name="a")})
    message = refused(root, path)
    assert message.startswith("app shop: reading path ")
    assert CANARY not in message


@pytest.mark.parametrize("path", ["a.yaml/b", "gone", "apps/gone", "apps/shop/x.yml"])
def test_a_path_that_is_not_there_names_what_is(checkout: Write, path: str) -> None:
    message = refused(checkout({"a.yaml": "", "apps/shop/x.yaml": ""}), path)
    assert "is not in this revision; nearest: a.yaml" in message or "nearest: apps/shop" in message


@pytest.mark.parametrize("path", ["x" * 300, "x/" * 3000, "x/" * 200])
def test_a_path_longer_than_any_can_be_is_refused(checkout: Write, path: str) -> None:
    assert refused(checkout({"a.yaml": ""}), path).startswith("app shop: reading path 'x")


@pytest.mark.parametrize(
    "target",
    [
        "{outside}/secret.yaml",
        "../../outside/secret.yaml",
        "/proc/self/environ",
        "/dev/zero",
        "{outside}/gone",
    ],
)
@pytest.mark.parametrize("link", ["app/x.yaml", "app/folder", "app"])
def test_links_out_of_the_checkout_are_refused_without_a_word_of_content(
    checkout: Write, tmp_path: Path, target: str, link: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.yaml").write_text(f"{CANARY}: [")
    root = checkout({"app/a.yaml": ""} if link != "app" else {"b/a.yaml": ""})
    (root / link).symlink_to(target.format(outside=outside))
    message = refused(root, "app")
    assert "leads out of the source" in message
    assert CANARY not in message
    assert str(outside) not in message


def test_links_inside_the_checkout_are_followed(checkout: Write) -> None:
    root = checkout({"shared/a.yaml": CONFIG_MAP.format(name="a"), "app/b.yaml": CONFIG_MAP.format(name="b")})
    (root / "app/a.yaml").symlink_to("../shared/a.yaml")
    (root / "app/more").symlink_to("../more")
    (root / "more").mkdir()
    (root / "more/c.yaml").write_text(CONFIG_MAP.format(name="c"))
    assert [str(each.origin) for each in render(root, "app")] == [
        "shared/a.yaml:1",
        "app/b.yaml:1",
        "more/c.yaml:1",
    ]


@pytest.mark.parametrize("target", [".", "..", "loop.yaml", "../app/loop.yaml", "../.git/config"])
def test_links_in_a_circle_or_into_git_are_refused(checkout: Write, target: str) -> None:
    root = checkout({"app/a.yaml": "", ".git/config": CANARY})
    (root / "app/loop.yaml").symlink_to(target)
    assert CANARY not in refused(root, "app")


def test_a_link_to_a_path_longer_than_any_can_be_is_refused(checkout: Write) -> None:
    root = checkout({"app/a.yaml": ""})
    (root / "app/b.yaml").symlink_to(("y" * 203 + "/") * 20)
    assert "longer than a path can be" in refused(root, "app")


def test_special_files_are_refused_and_never_waited_for(checkout: Write) -> None:
    root = checkout({"app/a.yaml": ""})
    os.mkfifo(root / "app/b.yaml")
    assert "it is not a regular file" in refused(root, "app")


def test_the_depth_of_folders_is_bounded(checkout: Write) -> None:
    root = checkout({"/".join(["d"] * 99) + "/a.yaml": CONFIG_MAP.format(name="deep")})
    assert [each.ref.name for each in render(root)] == ["deep"]
    root = checkout({"/".join(["d"] * 150) + "/a.yaml": ""})
    assert "its folders are more than 100 deep" in refused(root)


def test_the_number_of_files_is_bounded(checkout: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FILES", 20)
    root = checkout({f"{number}.txt": "" for number in range(30)})
    assert "more than 20 files and folders" in refused(root)


def test_the_size_of_all_files_is_bounded(checkout: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_APP_BYTES", 1000)
    root = checkout({f"{number}.yaml": "#" * 400 for number in range(3)})
    assert "2.yaml: the app's files are larger than" in refused(root)


def test_a_thousand_objects_are_read_in_their_order(checkout: Write) -> None:
    text = "---\n".join(CONFIG_MAP.format(name=f"n{number:04}") for number in range(1000))
    manifests = render(checkout({"all.yaml": text}))
    assert [each.ref.name for each in manifests] == [f"n{number:04}" for number in range(1000)]
    assert [each.origin.line for each in manifests] == list(range(1, 4000, 4))


OBJECTS: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": st.sampled_from(["v1", "apps/v1", "", "A/B/C", 1, None]),
        "kind": st.sampled_from(["Secret", "ConfigMap", "List", "FooList", "Deployment", "", [], None]),
        "metadata": st.none()
        | st.lists(st.none(), max_size=1)
        | st.dictionaries(
            st.sampled_from(["name", "namespace", "labels", "annotations", "generateName", "uid"]),
            st.sampled_from(["a", "", "..", 1, None, {}, {"a": "b"}, {"a": 1}, []]),
        ),
        "items": st.none()
        | st.lists(st.dictionaries(st.just("kind"), st.just("List")), max_size=3)
        | st.integers(),
        "data": st.none()
        | st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.integers(), max_size=3),
        "stringData": st.none()
        | st.lists(st.text())
        | st.dictionaries(st.text(max_size=3), st.text(max_size=5)),
        "sops": st.none(),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OBJECTS)
def test_any_object_gives_a_manifest_or_a_render_error(checkout: Write, value: dict[str, object]) -> None:
    root = checkout({"a.yaml": json.dumps(value)})
    try:
        manifests = render(root)
    except RenderError as exc:
        message = str(exc)
    else:
        message = "app shop: reading a.yaml:1"
        assert all(each.ref.name and each.ref.kind for each in manifests)
    assert message.startswith("app shop: reading a.yaml:1")
