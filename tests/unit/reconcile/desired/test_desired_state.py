# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which app an object belongs to, when several want it, had it, or cannot say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppSpec, AppState
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import (
    InputError,
    PlumbError,
    RenderError,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Manifest, ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.applyset.inventory import (
    SetIdentity,
    identity_of,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.desired_state import (
    DesiredState,
    check_former_names,
    former_identities,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.manifests import DesiredObjects
from ansible_collections.plumb.gitops.tests.unit.reconcile.samples import DISCOVERY, app, manifest

HOME = "plumb-system"
CART = ObjectRef("", "ConfigMap", "shop", "cart")
STRANGER = "applyset-of-somebody-else-v1"
BROKEN = RenderError("app b", "rendering it", "x.yaml is no YAML")


def set_of(spec: AppSpec) -> str:
    return identity_of(spec, HOME).id


class Git:
    """What each app's path holds, and which were rendered."""

    def __init__(self, content: Mapping[str, Sequence[str] | PlumbError]) -> None:
        self.content = content
        self.rendered: list[str] = []

    def render(self, spec: AppSpec) -> tuple[Manifest, ...]:
        self.rendered.append(spec.name)
        names = self.content[spec.name]
        if isinstance(names, PlumbError):
            raise names
        return tuple(manifest("ConfigMap", name) for name in names)


A, B = app("a"), app("b")


def loaded(git: Git, *apps: AppSpec, selected: Sequence[str] | None = None) -> DesiredState:
    names = [spec.name for spec in apps] if selected is None else selected
    state = DesiredState(apps, names, git.render, DISCOVERY, HOME)
    state.load()
    return state


def names_of(desired: DesiredObjects | PlumbError) -> list[str]:
    assert isinstance(desired, DesiredObjects)
    return [wanted.ref.name for wanted in desired.wanted]


def test_what_an_app_wants() -> None:
    state = loaded(Git({"a": ["cart"], "b": BROKEN}), A, B)
    assert names_of(state.desired("a")) == ["cart"]
    assert state.desired("b") is BROKEN


def test_an_absent_app_wants_nothing_and_is_not_rendered() -> None:
    git = Git({"a": ["cart"]})
    assert names_of(loaded(git, app("a", state=AppState.ABSENT)).desired("a")) == []
    assert git.rendered == []


def test_apps_that_are_not_selected_are_rendered_only_by_load_others() -> None:
    git = Git({"a": ["cart"], "b": ["flags"]})
    state = loaded(git, A, B, selected=["a"])
    assert not state.conflict("a", CART, "")
    assert not state.conflict("a", CART, set_of(A))
    assert git.rendered == ["a"]
    assert state.belongs_to_other_app("a", set_of(B))
    assert not state.belongs_to_other_app("a", set_of(A))
    assert not state.belongs_to_other_app("a", STRANGER)
    state.load_others()
    state.load_others()
    assert state.wanted_elsewhere("a", ObjectRef("", "ConfigMap", "shop", "flags")) == "b"
    assert state.wanted_elsewhere("a", CART) == ""
    assert sorted(git.rendered) == ["a", "b"], "each once"


@pytest.mark.parametrize(
    ("held", "first", "winner"),
    [
        ("", "a", "a"),  # nobody has it: the first of the inventory gets it
        ("", "b", "b"),
        (set_of(A), "b", "a"),  # the one that has it keeps it
        (set_of(B), "a", "b"),
    ],
)
def test_of_two_apps_that_want_one_object_one_gets_it(held: str, first: str, winner: str) -> None:
    order = [A, B] if first == "a" else [B, A]
    state = loaded(Git({"a": ["cart"], "b": ["cart"]}), *order)
    loser = "b" if winner == "a" else "a"
    assert state.conflict(winner, CART, held) == ""
    assert f"app {winner} has it too" in state.conflict(loser, CART, held)


def test_an_object_moves_when_its_app_no_longer_wants_it() -> None:
    state = loaded(Git({"a": [], "b": ["cart"]}), A, B, selected=["b"])
    state.load_others()
    assert state.conflict("b", CART, set_of(A)) == ""
    assert state.wanted_elsewhere("a", CART) == "b"


def test_an_object_is_claimed_by_an_app_that_cannot_use_its_manifest() -> None:
    class Misspelt(Git):
        def render(self, spec: AppSpec) -> tuple[Manifest, ...]:
            return (manifest("Deployment", "cart", version="apps/v1beta1"),) if spec.name == "b" else ()

    assert (
        loaded(Misspelt({}), A, B).wanted_elsewhere("a", ObjectRef("apps", "Deployment", "shop", "cart"))
        == "b"
    )


def test_an_object_stays_where_it_is_while_its_app_does_not_render() -> None:
    state = loaded(Git({"a": BROKEN, "b": ["cart"]}), A, B)
    assert "app a, which does not render now" in state.conflict("b", CART, set_of(A))


def test_an_object_of_a_set_that_is_no_app_here_is_refused() -> None:
    state = loaded(Git({"a": ["cart"]}), A)
    assert STRANGER in state.conflict("a", CART, STRANGER)


def test_an_object_of_a_former_name_is_taken_over() -> None:
    old = set_of(app("old"))
    assert loaded(Git({"a": ["cart"]}), app("a", moved_from=("old",))).conflict("a", CART, old) == ""
    assert loaded(Git({"a": ["cart"]}), A).conflict("a", CART, old)


def test_former_names_are_in_the_apps_namespace_unless_they_name_one() -> None:
    moved = app("new", moved_from=("old", "elsewhere/older"))
    assert former_identities(moved, HOME) == (SetIdentity("old", "shop"), SetIdentity("older", "elsewhere"))
    homeless = app("new", namespace="", moved_from=("old",))
    assert former_identities(homeless, HOME) == (SetIdentity("old", HOME),)


@pytest.mark.parametrize(
    ("content", "apps", "known"),
    [
        ({"a": [], "b": ["cart"]}, [A, B], True),
        ({"a": [], "b": BROKEN}, [A, B], False),
        ({"a": [], "b": BROKEN}, [A, app("b", source="other")], True),
        ({"a": BROKEN, "b": []}, [A, B], True),  # its own failure is told elsewhere
    ],
    ids=["all render", "a sibling is broken", "another source is broken", "itself"],
)
def test_whether_it_is_known_who_takes_over(
    content: Mapping[str, Sequence[str] | PlumbError], apps: list[AppSpec], *, known: bool
) -> None:
    assert (loaded(Git(content), *apps).unknown_reason("a") == "") is known


def test_a_manifest_without_a_namespace_may_mean_any() -> None:
    state = loaded(Git({"a": [], "b": ["cart"]}), A, app("b", namespace=""))
    assert state.wanted_elsewhere("a", CART) == "b"


def test_what_would_go_with_a_namespace_or_a_definition() -> None:
    state = loaded(Git({"a": [], "b": ["cart"]}), A, B, selected=["a"])
    state.load_others()
    body = {"spec": {"group": "", "names": {"kind": "ConfigMap"}}}
    crd = ObjectRef("apiextensions.k8s.io", "CustomResourceDefinition", "", "configmaps")
    assert state.wanted_inside(ObjectRef("", "Namespace", "", "shop"), {}) == "ConfigMap shop/cart"
    assert state.wanted_inside(crd, body) == "ConfigMap shop/cart"
    assert state.wanted_inside(crd, {"spec": "of a stranger"}) == ""
    assert state.wanted_inside(ObjectRef("", "Namespace", "", "other"), {}) == ""
    assert state.wanted_inside(ObjectRef("", "PersistentVolumeClaim", "shop", "data"), {}) == ""


def test_nothing_is_taken_from_a_suspended_app() -> None:
    state = loaded(Git({"a": [], "b": ["cart"]}), app("a", suspend=True), B)
    assert "app a, which is suspended" in state.conflict("b", CART, set_of(A))


def test_an_inventory_is_no_object_for_git() -> None:
    state = loaded(Git({"a": ["plumb-b"], "b": []}), A, B)
    assert "inventory of app b" in state.conflict("a", identity_of(B, HOME).ref, "")


def test_who_shares_a_former_name_may_take_over_too() -> None:
    both = [app("a", moved_from=("old",)), app("b", source="other", moved_from=("old",))]
    assert "app b does not render" in loaded(Git({"a": [], "b": BROKEN}), *both).unknown_reason("a")


@pytest.mark.parametrize("former", ["a", "shop/a", "b", "shop/b"])
def test_the_name_of_an_app_that_is_there_is_no_former_name(former: str) -> None:
    with pytest.raises(InputError, match="is no former name"):
        check_former_names([A, app("b", moved_from=(former,))], HOME)
    check_former_names([A, app("b", moved_from=("elsewhere/a", "old"))], HOME)


def test_namespaces_that_apps_bring() -> None:
    class Bringing(Git):
        def render(self, spec: AppSpec) -> tuple[Manifest, ...]:
            return (manifest("Namespace", "by-manifest"),)

    state = loaded(Bringing({}), app("a"), app("b", namespace="by-option", create_namespace=True))
    assert state.provided_namespaces() == {"by-manifest": {"a", "b"}, "by-option": {"b"}}


def test_row_103_what_an_app_waits_for() -> None:
    state = loaded(
        Git(dict.fromkeys("abcd", ())),
        app("a"),
        app("b", depends_on=("a",)),
        app("c", depends_on=("b",)),
        app("d"),
    )
    assert state.with_dependencies("c") == {"a", "b", "c"}
    assert state.with_dependencies("d") == {"d"}
