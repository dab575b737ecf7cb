# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New images when others push too, when a registry is hostile, and when text wants to be run (rows 45, 47-49, 59)."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.images import images
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.mode import Mode
from ansible_collections.plumb.gitops.plugins.module_utils.interface.options.images import spec_of_images
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.option_values import (
    with_defaults,
)
from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.hidden_values import Hidden
from ansible_collections.plumb.gitops.tests.support.faults.hostile_repository import Canary
from ansible_collections.plumb.gitops.tests.support.git.git_server import Reply
from ansible_collections.plumb.gitops.tests.support.registry.image_shop import Shop, new_shop
from ansible_collections.plumb.gitops.tests.support.registry.registry_server import RegistryServer, json_reply


@pytest.fixture
def shop(play: Play, sandbox: Sandbox, tmp_path: Path) -> Shop:
    return new_shop(play, sandbox, tmp_path)


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary(tmp_path)


class Other:
    """Somebody who commits to the same branch as fast as the forge takes it, and never forces either."""

    def __init__(self, shop: Shop) -> None:
        self._shop, self._stop = shop, threading.Event()
        self._thread = threading.Thread(target=self._push)
        self.subjects: list[str] = []  # of the commits that the forge took

    def __enter__(self) -> Other:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _push(self) -> None:
        git = self._shop.git
        while not self._stop.is_set():
            subject = f"Other {len(self.subjects)}"
            with contextlib.suppress(subprocess.CalledProcessError):  # the other one was first
                git._git("fetch", "-q", git._push_url, "main")
                git._git("reset", "-q", "--hard", "FETCH_HEAD")
                git.commit({"apps/other.yaml": f"a: {subject}\n"}, subject)
                self.subjects.append(subject)
            self._stop.wait(0.1)


def test_row_45_with_others_pushing_nothing_is_lost_and_nothing_is_forced(shop: Shop) -> None:
    variables = shop.variables()
    options = {
        "images": variables["plumb_images"],
        "updates": variables["plumb_image_updates"],
        "sources": variables["plumb_sources"],
        "cache_dir": variables["plumb_cache_dir"],
    }
    ours = []
    with Other(shop) as other:
        for number in range(1, 6):
            until(lambda: len(other.subjects) >= number, "somebody's next commit")  # noqa: B023 - called here
            shop.push(f"1.{number}.0", label=str(number))
            for _again in range(5):  # five lost races in a row are a failure, and the next run goes on
                result = images(with_defaults(spec_of_images(), options), Mode(check=False, diff=False))
                if not result.get("failed"):
                    break
                assert "others pushed to main" in result["msg"]
            ours.append(f"Update shop to 1.{number}.0")
    log = [line.partition("> ")[2] for line in shop.log()][::-1]
    assert [line for line in log if line.startswith("Other")] == other.subjects
    assert [line for line in log if line.startswith("Update")] == ours
    assert len(log) == 1 + len(ours) + len(other.subjects)
    assert shop.in_git() == shop.manifest("1.5.0")


@contextlib.contextmanager
def hostile_registry(shop: Shop, canary: Canary) -> Iterator[tuple[RegistryServer, RegistryServer]]:
    """A registry whose every answer wants something, and the place that it wants the login to go to."""
    with RegistryServer(login=("robot", "x"), bearer=True) as registry, RegistryServer() as elsewhere:
        registry.push("shop/web", ["1.1.0"])
        names = [*canary.texts, *canary.names, "1.9.0\n", "../1.9.0", "1.9.0 ", 190, None]

        def intercept(request):
            if "/tags/" in request.path and request.authorized:
                return json_reply({"tags": [*names, "1.1.0"]})
            return None

        registry.intercept = intercept
        yield registry, elsewhere


def test_row_47_a_hostile_registry_gets_no_login_runs_nothing_and_holds_up_no_other(
    shop: Shop, canary: Canary
) -> None:
    shop.push("1.1.0")
    hidden = Hidden()
    password = shop.folder / "robot"
    password.write_text(hidden.value(), encoding="utf-8")
    with hostile_registry(shop, canary) as (registry, elsewhere):
        registry.login = ("robot", hidden.values[0])
        account = {"username": "robot", "password_file": str(password), "insecure": True}
        policy = {"image": f"{registry.host}/shop/web", "policy": {"semver": "*"}, **account}
        variables = shop.variables()
        variables["plumb_images"] += [{**policy, "name": "hostile"}]
        marked = f'image: {registry.host}/shop/web:1.1.0 # {{"$plumb": "hostile"}}\n'
        shop.git.commit({"apps/hostile.yaml": marked}, "Mark it")
        named = shop.run_with(variables, "--check", "-vvv")  # names that are no tags
        assert named.code == 0, named.output
        registry.realm = f"{elsewhere.url}/token"
        stolen = shop.run_with(variables, "-vvv")  # a token service elsewhere
        registry.realm = ""
        registry.intercept = lambda request: Reply(307, {"Location": f"{elsewhere.url}{request.path}"})
        sent = shop.run_with(variables, "-vvv")  # everything elsewhere
        registry.intercept = lambda _request: Reply(200, {}, b"[" * (9 << 20))
        flood = shop.run_with(variables, "-vvv")
    assert (stolen.code, sent.code, flood.code) == (2, 2, 2)
    assert "image hostile: asking for a token: its token service" in stolen.output
    assert "which is not followed" in sent.output
    assert "larger than 8192 KiB" in flood.output
    assert elsewhere.requests == []
    assert shop.in_git() == shop.manifest("1.1.0")  # the first run that was no check wrote what is well
    assert not canary.sings()
    for done in (named, stolen, sent, flood):
        assert not hidden.shows(done.output.encode())


def test_row_48_a_regular_expression_without_end_is_ended_and_holds_up_no_other(shop: Shop) -> None:
    shop.push("1.1.0")
    with RegistryServer() as registry:
        registry.push("shop/web", ["a" * 60 + "."])
        bomb = {
            "name": "bomb",
            "image": f"{registry.host}/shop/web",
            "policy": {"alphabetical": "asc"},
            "filter": {"tags": "(a+)+$"},
            "insecure": True,
        }
        variables = shop.variables()
        variables["plumb_images"] += [bomb]
        began = time.monotonic()
        done = shop.run_with(variables)
        took = time.monotonic() - began
    assert done.code == 2
    assert "takes longer than 3s for 1 tags and was ended" in done.output
    assert took < 60
    assert shop.in_git() == shop.manifest("1.1.0")


def test_row_49_names_of_files_values_and_messages_are_literal(shop: Shop, canary: Canary) -> None:
    shop.push("1.1.0")
    forging = "a\n\nSigned-off-by: nobody"
    names = {f"apps/{name}.yaml": shop.manifest("1.0.0") for name in (*canary.names, forging)}
    values = "".join(f"k{n}: {text!r}\n" for n, text in enumerate([canary.shell, canary.block]))
    marked = f'image: "{canary.jinja}" # {{"$plumb": "shop"}}\n'
    shop.git.commit({**names, "apps/values.yaml": values + marked}, f"{canary.jinja} {canary.shell}")
    message = {
        "commit_message": "Update {images}\n\n$(touch canary) `touch canary`\n{changes}",
        "trailers": {"By": canary.shell},
    }
    for words in (("--check", "--diff", "-vvv"), ("--diff", "-vvv")):
        done = shop.run(*words, **message)
        assert done.code == 0, done.output
    for name in names:
        assert shop.in_git(name) == shop.manifest("1.1.0")
    assert shop.in_git("apps/values.yaml") == values + f'image: "{shop.image}:1.1.0" # {{"$plumb": "shop"}}\n'
    commit_message = shop.git._git("log", "-1", "--format=%B")
    assert f"By: {canary.shell}" in commit_message
    assert all(f"apps/{name}.yaml:3".replace("`", "'") in commit_message for name in canary.names)
    assert "\nSigned-off-by" not in commit_message
    assert not canary.sings()
    assert not list(shop.folder.rglob("canary"))


def test_row_59_logins_show_nowhere_in_what_is_well_and_in_what_fails(shop: Shop) -> None:
    hidden = Hidden([shop.sandbox.forge_token])
    wrong = shop.folder / "wrong"
    wrong.write_text(hidden.value(), encoding="utf-8")
    shop.push("1.1.0")
    variables = shop.variables()
    variables["plumb_images"] += [
        {**variables["plumb_images"][0], "name": "cart", "password_file": str(wrong)}
    ]
    updates = [
        *variables["plumb_image_updates"],
        {"name": "other", "source": "fleet", "token_file": str(wrong)},
    ]
    variables["plumb_image_updates"] = updates
    outputs = [shop.run_with(variables, *words, "-vvvv") for words in (("--check", "--diff"), ("--diff",))]
    assert all(done.code == 2 for done in outputs)
    assert "image cart: asking for a token: the token service refuses (401)" in outputs[0].output
    assert "source fleet: " in outputs[0].output
    assert shop.in_git() == shop.manifest("1.1.0")
    shop.git._git("fetch", "-q", shop.git._push_url, "main")
    everything = [done.output for done in outputs] + [
        shop.git._git("log", "-p", "--format=raw", "FETCH_HEAD")
    ]
    everything += [file.read_text(encoding="utf-8") for file in (shop.folder / "cache").rglob("*.json")]
    assert len(everything) > 3
    assert not any(hidden.shows(text.encode()) for text in everything)
