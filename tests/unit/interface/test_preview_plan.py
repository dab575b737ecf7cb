# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pull request touches, and what of a plan is about that. The plan itself is tested on a real API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster
from ansible_collections.plumb.gitops.plugins.module_utils.forge.open_pulls import OpenPull
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.preview import _markdown, _plain
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.preview_plan import (
    AppChange,
    Fleet,
    _only,
    app_changes,
    preview_report,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import (
    AppSpec,
    AppState,
    Checkout,
    Person,
    Revision,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Manifest, ObjectRef, Origin
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Action, AppResult, Plan, Verb
from ansible_collections.plumb.gitops.plugins.module_utils.model.run_options import RunOptions

WHO = Person("Alma Berg", "alma@example.com")


def checkout(commit: str, source: str = "fleet") -> Checkout:
    revision = Revision(
        source=source, ref=commit, commit=commit * 40, subject="Change @it", author=WHO, committer=WHO,
        authored="", committed="",
    )  # fmt: skip
    return Checkout(revision, Path("/nowhere"))


BASE, HEAD = checkout("b"), checkout("e")


def config_map(name: str, value: str = "1", **metadata: str) -> Manifest:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        "data": {"a": value},
    }
    return Manifest.of(body, Origin("a.yaml"))


def fleet(rendered: dict[tuple[str, str], Any], *apps: AppSpec) -> Fleet:
    """A fleet in which `rendered` has, by commit and app, the manifests or the error."""

    def render(of: Checkout, app: AppSpec) -> tuple[Manifest, ...]:
        manifests = rendered[of.revision.commit[0], app.name]
        if isinstance(manifests, Exception):
            raise manifests
        return tuple(manifests)

    class Nowhere:
        server = "https://nowhere"

    return Fleet(
        cluster=cast("Cluster", Nowhere()), name="prod", apps=apps, sources={}, render=render,
        options=RunOptions(check=True), verified={},
    )  # fmt: skip


SHOP = AppSpec(name="shop", source="fleet", namespace="shop")
BROKEN = RenderError("app shop", "rendering", "a.yaml is no manifest", "Correct it.")


def test_what_differs_between_base_and_head_is_touched() -> None:
    before = [config_map("same"), config_map("old"), config_map("new-value")]
    after = [config_map("same"), config_map("added"), config_map("new-value", "2")]
    (touched,) = app_changes(fleet({("b", "shop"): before, ("e", "shop"): after}, SHOP), BASE, HEAD)
    assert {name for _group, _kind, _namespace, name in touched.keys} == {"old", "added", "new-value"}


def test_an_object_that_moves_to_another_namespace_counts_twice() -> None:
    rendered = {("b", "shop"): [config_map("a")], ("e", "shop"): [config_map("a", namespace="other")]}
    (touched,) = app_changes(fleet(rendered, SHOP), BASE, HEAD)
    assert {namespace for _group, _kind, namespace, _name in touched.keys} == {"shop", "other"}


@pytest.mark.parametrize(
    "app",
    [
        AppSpec(name="shop", source="another"),
        AppSpec(name="shop", source="fleet", suspend=True),
        AppSpec(name="shop", source="fleet", state=AppState.ABSENT),
    ],
)
def test_apps_that_it_cannot_change_are_not_touched(app: AppSpec) -> None:
    assert app_changes(fleet({}, app), BASE, HEAD) == ()


def test_a_head_that_does_not_render_is_told_and_not_planned() -> None:
    broken = fleet({("b", "shop"): [config_map("a")], ("e", "shop"): BROKEN}, SHOP)
    touched = app_changes(broken, BASE, HEAD)
    assert touched == (AppChange("shop", frozenset(), str(BROKEN)),)
    report = preview_report(broken, HEAD, touched, "pull request 1")
    assert report.check
    assert report.failed
    pull = OpenPull(number=1, title="", author="", branch="main", head="e" * 40, fork=False, url="")
    text = _markdown(pull, report)
    assert "is no manifest" in text
    assert "@it" not in text


def test_a_base_that_did_not_render_counts_for_nothing() -> None:
    (touched,) = app_changes(
        fleet({("b", "shop"): BROKEN, ("e", "shop"): [config_map("a")]}, SHOP), BASE, HEAD
    )
    assert len(touched.keys) == 1


def test_of_a_plan_only_what_is_touched_is_kept() -> None:
    mine, other = ObjectRef("", "ConfigMap", "shop", "a"), ObjectRef("", "ConfigMap", "shop", "b")
    elsewhere, whole = ObjectRef("", "ConfigMap", "other", "a"), ObjectRef("", "Namespace", "", "shop")
    actions = tuple(Action(ref=ref, verb=Verb.UPDATE) for ref in (mine, other, elsewhere, whole))
    keys = frozenset({("", "ConfigMap", "shop", "a"), ("", "Namespace", "shop", "shop")})
    shown = _only(AppResult(plan=Plan(app="shop", actions=actions)), keys)
    assert [action.ref for action in shown.plan.actions] == [mine, whole]


def test_names_stay_inside_of_their_code() -> None:
    assert _plain("ConfigMap x/a`<b>\n@c") == "ConfigMap x/abc"
