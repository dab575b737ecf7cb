# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file: right ones, and the messages about wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.core.config import Http, Webhook, config_of, read_config
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError

INVENTORY = {"inventory": "/etc/plumb/inventory.yml"}


def config(environment: dict[str, str] | None = None, **words: Any) -> Any:
    return config_of({**INVENTORY, **words}, subject="configuration", environment=environment or {})


def test_all_but_the_inventory_has_a_default() -> None:
    settings = config()
    assert (settings.interval, settings.poll_interval, settings.run_timeout) == (300, 15, 1800)
    assert settings.state_dir == Path("/var/lib/plumb")
    assert settings.http == Http(host="127.0.0.1", port=8400, token_file=None)
    assert settings.leader_election is None
    assert settings.renew_tokens


def test_systemd_names_the_folders() -> None:
    settings = config({"STATE_DIRECTORY": "/var/lib/agent", "RUNTIME_DIRECTORY": "/run/agent"})
    assert (settings.state_dir, settings.runtime_dir) == (Path("/var/lib/agent"), Path("/run/agent"))
    assert config({"STATE_DIRECTORY": "/var/lib/agent"}, state_dir="/srv").state_dir == Path("/srv")


def test_each_state_folder_has_a_runtime_folder_of_its_own() -> None:
    assert config(state_dir="/srv/a").runtime_dir != config(state_dir="/srv/b").runtime_dir


def test_webhooks_are_read() -> None:
    webhook = {"name": "fleet", "kind": "github", "secret_file": "/etc/plumb/hook", "sources": ["fleet"]}
    (settings,) = config(http={"webhooks": [webhook]}).http.webhooks
    assert settings == Webhook(
        name="fleet", kind="github", secret_file=Path("/etc/plumb/hook"), sources=("fleet",)
    )
    assert config().previews_interval == 300


def test_an_election_has_defaults() -> None:
    election = config(leader_election={"kubeconfig": "/etc/plumb/kubeconfig"}).leader_election
    assert (election.name, election.namespace, election.duration, election.retry) == (
        "plumb-agent", "plumb-system", 15, 3,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"intervall": "5m"}, "intervall is unknown. Did you mean interval?"),
        ({"http": {"trusted_user_header": "Host"}}, "'Host' is not the name of a header"),
        (
            {"http": {"listen": "0.0.0.0:8400", "trusted_user_header": "X-User"}},
            "whoever reaches 0.0.0.0 could claim to be any user",
        ),
        ({"http": {"listen": ":8400", "trusted_user_header": "X-User"}}, "whoever reaches any address"),
        ({"interval": 300}, "'300' is no text"),
        ({"interval": "300"}, "is not a duration"),
        ({"inventory": "inventory.yml"}, "'inventory.yml' is no absolute path"),
        ({"inventory": None}, "inventory: reading the configuration"),
        ({"jitter": 101}, "101 is not between 0 and 100"),
        ({"jitter": True}, "'True' is no whole number"),
        ({"keep_reports": 0}, "0 is not between 1 and 10000"),
        ({"log_format": "xml"}, "'xml' is none of text, json"),
        ({"http": {"listen": "8400"}}, "'8400' is not an address and a port"),
        ({"http": {"listen": "localhost:84000"}}, "is not an address and a port"),
        ({"http": {"tokenfile": "/x"}}, "http.tokenfile is unknown. Did you mean token_file?"),
        ({"http": "127.0.0.1:8400"}, "is no map"),
        ({"http": {"webhooks": {"name": "a"}}}, "is no list"),
        ({"http": {"webhooks": ["a"]}}, "is no map"),
        ({"http": {"webhooks": [{"name": "a/b", "secret_file": "/s"}]}}, "is not a valid name"),
        ({"http": {"webhooks": [{"name": "a", "kind": "gitea"}]}}, "secret_file is missing"),
        ({"http": {"webhooks": [{"name": "a", "kind": "gitee", "secret_file": "/s"}]}}, "'gitee' is none of"),
        ({"http": {"webhooks": [{"name": "a", "secret_file": "/s"}] * 2}}, "is used twice"),
        ({"http": {"webhooks": [{"name": "a", "secret": "x"}]}}, "Did you mean secret_file?"),
        ({"leader_election": {"retry": "8s"}}, "at least two of them must fit into the duration"),
        ({"renew_tokens": "yes"}, "is no true or false"),
    ],
)
def test_a_wrong_word_is_named(words: dict[str, Any], message: str) -> None:
    with pytest.raises(PlumbError) as refused:
        config(**words)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not one map of settings"),
        ("- inventory", "it is not one map of settings"),
        ("interval: 5m", "inventory is missing"),
        ("inventory: [", "agent.yml"),
        ("interval: 5m\ninterval: 6m\n", "interval"),
        (None, "No such file"),
    ],
)
def test_a_wrong_file_is_refused(text: str | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "agent.yml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(PlumbError) as refused:
        read_config(file)
    assert message in str(refused.value)


@pytest.mark.parametrize("listen", ["127.0.0.1:8400", "localhost:8400", "[::1]:8400", "127.8.0.1:1"])
def test_a_proxy_on_this_machine_may_say_who_reads(listen: str) -> None:
    settings = config(http={"listen": listen, "trusted_user_header": "X-Forwarded-User"})
    assert settings.http.trusted_user_header == "X-Forwarded-User"
