# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent's own inventory: the operator's words, literal, with files and an account of its own."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.interface.agent.inventory import cluster, for_agent
from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.validation import (
    check_inventory,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

SOURCE = {"name": "fleet", "url": "https://git.example.com/f.git", "branch": "main", "token_file": "/root/t"}
HOST = {
    "inventory_hostname": "prod",
    "ansible_host": "ignored",
    "plumb_kubeconfig": "/root/admin",
    "plumb_api_key": "hush",
    "plumb_impersonate_user": "tenant",
    "plumb_only": ["shop"],
    "plumb_report_path": "/root/reports",
    "plumb_sources": [SOURCE],
    "plumb_apps": [{"name": "shop", "source": "fleet"}],
    "plumb_agent_server": "https://inside:6443",
    "plumb_request_timeout": "10s",
}
FOLDERS = {"access": "/s/access", "credentials": "/c/credentials", "cache": "/cache"}


def agent_cluster(**variables: Any) -> dict[str, Any]:
    return for_agent(cluster({**HOST, **variables}), **FOLDERS)


def test_the_admins_connection_is_his_own_and_does_not_impersonate() -> None:
    result = cluster(HOST)
    assert result["connection"] == {"kubeconfig": "/root/admin", "api_key": "hush", "request_timeout": "10s"}
    assert (result["name"], result["server"], result["place"]) == ("prod", "https://inside:6443", "")


def test_the_agent_gets_its_own_account_and_files_and_nothing_of_the_operators() -> None:
    result = agent_cluster()
    assert result["files"] == [{"src": "/root/t", "dest": "/c/credentials/prod/fleet.token_file"}]
    assert result["variables"] == {
        "ansible_connection": "local",
        "plumb_apps": HOST["plumb_apps"],
        "plumb_cache_dir": "/cache",
        "plumb_impersonate_user": "tenant",
        "plumb_kubeconfig": "/s/access/prod.kubeconfig",
        "plumb_request_timeout": "10s",
        "plumb_sources": [{**SOURCE, "token_file": "/c/credentials/prod/fleet.token_file"}],
    }
    words = {name: value for name, value in result["variables"].items() if name.startswith("plumb_")}
    assert check_inventory(words).wrong == ()


def test_the_files_of_the_forge_go_along() -> None:
    forge = {
        "kind": "gitea",
        "url": "https://git.example.com",
        "token_file": "/root/f",
        "ca_file": "/root/ca",
    }
    result = agent_cluster(plumb_forge=forge, plumb_commit_status=True)
    here = "/c/credentials/prod/_forge"
    assert result["variables"]["plumb_forge"] == {
        **forge,
        "token_file": f"{here}.token_file",
        "ca_file": f"{here}.ca_file",
    }
    assert {"src": "/root/f", "dest": f"{here}.token_file"} in result["files"]
    assert result["variables"]["plumb_commit_status"] is True
    words = {name: value for name, value in result["variables"].items() if name.startswith("plumb_")}
    assert check_inventory(words).wrong == ()


@pytest.mark.parametrize(
    ("variables", "ports"),
    [
        ({}, [443]),
        ({"plumb_sources": []}, []),
        ({"plumb_sources": [{**SOURCE, "url": "http://git.example.com/f.git"}]}, [80]),
        ({"plumb_sources": [{**SOURCE, "url": "git@git.example.com:f.git"}]}, [22]),
        ({"plumb_sources": [{**SOURCE, "url": "ssh://git@git.example.com/f.git"}]}, [22]),
        ({"plumb_sources": [{**SOURCE, "url": "ssh://git@[2001:db8::1]:2222/f.git"}]}, [2222]),
        ({"plumb_sources": [{**SOURCE, "url": "https://git.example.com:99999/f.git"}]}, []),
        ({"plumb_sources": [{**SOURCE, "proxy": "http://proxy:3128"}]}, [443, 3128]),
        ({"plumb_forge": {"kind": "gitea", "url": "https://git.example.com:3000"}}, [443, 3000]),
        ({"plumb_images": [{"name": "a", "image": "registry.example.com:5000/shop/web"}]}, [443, 5000]),
        ({"plumb_sources": [], "plumb_images": [{"name": "a", "image": "shop/web"}]}, [443]),
        ({"plumb_sources": [], "plumb_images": [{"name": "a", "image": "localhost:5000/web"}]}, [5000]),
        (
            {"plumb_images": [{"name": "a", "image": "r.example.com/x", "insecure": True}]},
            [80, 443],
        ),
        (
            {"plumb_images": [{"name": "a", "image": "[::1]:5000/x", "realm": "https://g.example.com:8443"}]},
            [443, 5000, 8443],
        ),
    ],
)
def test_the_ports_that_the_agent_has_to_reach(variables: dict[str, Any], ports: list[int]) -> None:
    assert agent_cluster(**variables)["ports"] == ports


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"plumb_owner": "{{ lookup('pipe', 'id') }}"}, "plumb_owner of prod"),
        ({"plumb_apps": [{"name": "a", "source": "fleet", "path": "x{% if y %}"}]}, "plumb_apps of prod[0].path"),
        ({"plumb_sources": [{**SOURCE, "name": "../up"}]}, "source '../up' of prod"),
        ({"inventory_hostname": "a/b"}, "host 'a/b'"),
        ({"plumb_owner": object()}, "it is a object"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_literally_is_refused(variables: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        agent_cluster(**variables)
    assert message in str(refused.value)


def test_the_credentials_of_a_config_in_git_come_along() -> None:
    config = {"source": "fleet", "path": "clusters/prod.yml", "credentials_dir": "/root/tokens"}
    result = agent_cluster(plumb_config=config)
    assert result["files"][-1] == {"src": "/root/tokens/", "dest": "/c/credentials/prod/config/"}
    assert result["variables"]["plumb_config"] == {**config, "credentials_dir": "/c/credentials/prod/config"}
