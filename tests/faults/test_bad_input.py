# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input and bad luck: each has a message that says what to do, and nothing is lost."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.errors import Unauthorized
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppState
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import SourceError
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.manifests.text import (
    config_map,
    deployment,
    manifest,
    secret,
)


def options(sandbox: Sandbox, folder: Path, **others: Any) -> dict[str, Any]:
    """The options of an `apply` that would work."""
    revision = {"commit": "0" * 40, "ref": "main", "subject": "Test"}
    return {
        "kubeconfig": str(sandbox.kubeconfig),
        "sources": [{"name": "git", "path": str(folder), "revision": revision}],
        "apps": [{"name": "app", "source": "git"}],
        **others,
    }


def kubeconfig(sandbox: Sandbox, folder: Path, *, server: str = "", token: str = "") -> str:
    """The admin's kubeconfig with another server or token."""
    config = yaml.safe_load(sandbox.kubeconfig.read_text(encoding="utf-8"))
    if server:
        config["clusters"][0]["cluster"]["server"] = server
    if token:
        config["users"][0]["user"]["token"] = token
    file = folder / "changed.kubeconfig"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(file)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_what_a_module_is_given_wrongly_is_named(play: Play, sandbox: Sandbox, tmp_path: Path) -> None:
    right = options(sandbox, tmp_path)
    (app,) = right["apps"]
    wrong: list[tuple[dict[str, Any], list[str]]] = [
        ({**right, "kubeconfg": "x"}, ["kubeconfg"]),
        ({**right, "apps": [{**app, "pruen": True}]}, ["pruen"]),
        ({**right, "apps": [{**app, "prune_limit": "many"}]}, ["app app, prune_limit", "'many'", "50%"]),
        ({**right, "apps": [{**app, "timeout": "5"}]}, ["app app, timeout", "5m for minutes"]),
        ({**right, "apps": [{**app, "drift": "ignore"}]}, ["drift", "revert, report"]),
        ({**right, "apps": [{**app, "name": "My App"}]}, ["My App", "DNS label"]),
        ({**right, "apps": [app, app]}, ["app app", "two apps have this name"]),
        ({**right, "apps": [{**app, "depends_on": ["ap"]}]}, ["no app 'ap'", "Did you mean 'app'"]),
        ({**right, "apps": [{**app, "source": "got"}]}, ["no source 'got' among git"]),
        ({**right, "only": ["apq"]}, ["app apq", "The apps are app"]),
        ({**right, "sources": [{"name": "git"}]}, ["source git", "pulled.sources"]),
        ({**right, "kubeconfig": "/nonexistent/kubeconfig"}, ["/nonexistent/kubeconfig", "no such file"]),
        ({**right, "context": "prod"}, ["'prod' is not in it", "sandbox"]),
        ({**right, "kubeconfig": None}, ["no cluster is named", "plumb_kubeconfig"]),
        ({**right, "concurrency": 0}, ["concurrency: reading", "0 is not between"]),
        (
            {**right, "kubeconfig": kubeconfig(sandbox, tmp_path, token="wrong-token-of-somebody")},
            ["Unauthorized", "Renew"],
        ),
    ]
    played = play.tasks([{"plumb.gitops.apply": module_options} for module_options, _named in wrong])
    assert len(played.results) == len(wrong)
    for (_options, named), result in zip(wrong, played.results, strict=True):
        assert result["failed"]
        assert [part for part in named if part not in result["msg"]] == [], result["msg"]
        assert not result.get("changed")
    assert "Traceback" not in played.output
    assert "wrong-token-of-somebody" not in played.output


def test_a_server_that_is_not_there_is_named(play: Play, sandbox: Sandbox, tmp_path: Path) -> None:
    port = free_port()
    nowhere = kubeconfig(sandbox, tmp_path, server=f"https://127.0.0.1:{port}")
    played = play.module("apply", options(sandbox, tmp_path, kubeconfig=nowhere))
    assert played.result["failed"]
    assert f"no connection to https://127.0.0.1:{port}: Connection refused" in played.result["msg"]
    assert "Traceback" not in played.output


def test_a_server_of_another_ca_is_not_trusted(play: Play, sandbox: Sandbox, tmp_path: Path) -> None:
    by_name = {"kubeconfig": None, "host": sandbox.server, "api_key": "not-to-be-sent"}
    played = play.module("apply", options(sandbox, tmp_path, **by_name))
    assert "does not verify" in played.result["msg"]
    assert "not-to-be-sent" not in played.output


def test_expired_credentials_stop_before_anything(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    engine.write("app/all.yaml", config_map("c"))
    with pytest.raises(Unauthorized, match="Renew the credentials"):
        engine.apply(kubeconfig=Path(kubeconfig(sandbox, tmp_path, token="expired")))


def test_a_misspelt_field_names_object_field_file_and_line(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", config_map("c") + deployment("d").replace('"selector"', '"selektor"'))
    for done in (engine.check(), engine.apply()):
        message = done.action("Deployment", "d").reason + " ".join(o.error for o in done.app.outcomes)
        assert f"{engine.namespace}/d; apps/v1, Kind=Deployment" in message
        assert "selektor" in message
        assert "app/all.yaml:" in message
        assert done.app.failed
    assert kubectl.live("configmap", "c", engine.namespace)


def test_two_manifests_of_one_identity_name_both_files(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/a.yaml", config_map("c"))
    engine.write("app/b.yaml", config_map("c", {"a": "2"}, namespace=engine.namespace))
    done = engine.apply()
    assert "app/a.yaml:" in done.app.plan.error
    assert "app/b.yaml:" in done.app.plan.error
    assert kubectl.get("configmap", "c", engine.namespace) is None


@pytest.mark.parametrize("path", ["nowhere", "../outside", "/etc", "app/all.yaml/deeper"])
def test_a_path_that_is_not_in_the_revision_is_named(engine: Engine, kubectl: Kubectl, path: str) -> None:
    engine.write("app/all.yaml", config_map("c"))
    engine.apply()
    done = engine.apply(engine.spec(path=path))
    assert path.strip("/") in done.app.plan.error
    assert done.writes == 0
    assert kubectl.live("configmap", "c", engine.namespace)


def test_a_source_that_did_not_come_holds_its_apps_only(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", config_map("c"))
    engine.write("other/all.yaml", config_map("d"))
    engine.apply(engine.spec(), engine.spec("other"))
    engine.sources["lost"] = SourceError("source lost", "fetching it", "the server is down")
    engine.write("other/all.yaml", config_map("d", {"a": "2"}))
    done = engine.apply(engine.spec(source="lost"), engine.spec("other"))
    lost, other = done.result.apps
    assert "source lost: fetching it: the server is down" in lost.plan.error
    assert not other.failed
    assert kubectl.live("configmap", "c", engine.namespace)
    assert kubectl.live("configmap", "d", engine.namespace)["data"] == {"a": "2"}


def test_a_name_that_no_object_can_have_fails_alone(engine: Engine, kubectl: Kubectl) -> None:
    names = ["Capital", "a" * 300, "with space", ".."]
    engine.write("app/all.yaml", "".join(map(config_map, names)) + config_map("c"))
    done = engine.apply()
    failed = {o.action.ref.name for o in done.app.outcomes if o.error}
    failed |= {a.ref.name for a in done.app.plan.actions if a.verb is Verb.REFUSED}
    assert done.app.plan.error or failed == set(names)
    assert kubectl.get("configmap", "c", engine.namespace) or done.app.plan.error


def test_an_app_that_left_is_reported_and_not_pruned(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", config_map("c"))
    engine.write("other/all.yaml", config_map("d"))
    engine.apply(engine.spec(), engine.spec("other"))
    done = engine.apply(engine.spec("other"))
    assert f"app app (ConfigMap {engine.namespace}/plumb-app)" in done.result.unclaimed
    assert done.writes == 0
    assert kubectl.live("configmap", "c", engine.namespace)
    assert engine.apply(engine.spec(), engine.spec("other"), only=["other"]).writes == 0
    other_owner = engine.check(engine.spec("other"), owner="somebody")
    assert not any(engine.namespace in line for line in other_owner.result.unclaimed)


def test_an_absent_app_is_pruned_whatever_its_source_says(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", config_map("c") + manifest("v1", "ServiceAccount", "s"))
    engine.apply()
    engine.write("app/all.yaml", ": [")
    absent = engine.spec(state=AppState.ABSENT)
    assert set(engine.check(absent).verbs().values()) == {Verb.PRUNE}
    assert not engine.apply(absent).app.failed
    for kind, name in (("configmap", "c"), ("serviceaccount", "s"), ("configmap", "plumb-app")):
        assert kubectl.get(kind, name, engine.namespace) is None
    assert engine.apply(absent).writes == 0


def test_an_app_that_depends_on_a_failing_one_does_not_start(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("base/all.yaml", config_map("bad name") + config_map("b"))
    engine.write("app/all.yaml", config_map("c"))
    engine.write("free/all.yaml", config_map("f"))
    apps = engine.spec(depends_on=("base",)), engine.spec("base"), engine.spec("free")
    done = engine.apply(*apps)
    dependent, base, free = done.result.apps
    assert base.failed
    assert dependent.error == "app app: not started, because it depends on app base, which failed"
    assert not free.failed
    assert kubectl.get("configmap", "c", engine.namespace) is None
    engine.write("base/all.yaml", config_map("b"))
    assert not any(app.failed for app in engine.apply(*apps).result.apps)
    assert kubectl.live("configmap", "c", engine.namespace)


def test_a_viewer_is_told_what_it_may_not_and_nothing_is_guessed(
    engine: Engine, kubectl: Kubectl, sandbox: Sandbox
) -> None:
    viewer = sandbox.kubeconfig_of("viewer")
    engine.write("app/all.yaml", config_map("c") + config_map("same") + secret("s", {"a": "1"}))
    engine.apply()
    engine.write(
        "app/all.yaml",
        config_map("c", {"a": "2"}) + config_map("same") + config_map("new") + secret("s", {"a": "1"}),
    )
    checked = engine.check(kubeconfig=viewer)
    assert checked.action("ConfigMap", "same").verb is Verb.UNCHANGED
    assert checked.action("ConfigMap", "c").unverified
    assert checked.action("ConfigMap", "new").unverified
    hidden = checked.action("Secret", "s")
    assert hidden.unverified
    assert "RBAC" in hidden.reason
    assert not checked.app.failed
    done = engine.apply(kubeconfig=viewer)
    assert done.app.failed
    assert done.action("Secret", "s").verb is Verb.REFUSED
    assert not any(o.action.verb.writes and not o.error for o in done.app.outcomes)
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "1"}


def test_nobody_is_told_so(engine: Engine, sandbox: Sandbox) -> None:
    engine.write("app/all.yaml", config_map("c"))
    done = engine.apply(kubeconfig=sandbox.kubeconfig_of("nobody"))
    assert "nobody" in done.app.plan.error
    assert "RBAC" in done.app.plan.error


def test_a_set_id_in_git_is_refused(engine: Engine) -> None:
    forged = config_map("c", labels={"applyset.kubernetes.io/part-of": "applyset-other-v1"})
    engine.write("app/all.yaml", forged)
    done = engine.apply()
    assert done.app.failed
    assert "applyset.kubernetes.io/part-of" in str(done.app)
