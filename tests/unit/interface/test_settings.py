# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scheduler is told of a host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.shown_settings import (
    shown_settings,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.validation import (
    check_inventory,
)

SOURCE = {"name": "fleet", "url": "https://git.example.com/fleet.git", "branch": "main", "token_file": "/t"}
APP = {"name": "shop", "source": "fleet", "path": "apps/shop", "suspend": True}


def settings_of(**variables: Any) -> dict[str, Any]:
    checked = check_inventory({f"plumb_{name}": value for name, value in variables.items()}, addresses=True)
    assert checked.wrong == ()
    return shown_settings(checked.settings, "prod-eu")


def test_sources_and_apps_come_with_their_defaults() -> None:
    settings = settings_of(
        sources=[SOURCE], apps=[APP, {"name": "b", "source": "fleet", "depends_on": ["shop"]}]
    )
    assert settings["sources"] == [
        {**SOURCE, "username": "", "proxy": "", "allow_http": False, "rewritten": "follow", "timeout": "60s"},
    ]
    assert settings["apps"] == [
        {**APP, "depends_on": [], "namespace": "", "moved_from": []},
        {
            "name": "b",
            "source": "fleet",
            "path": ".",
            "suspend": False,
            "depends_on": ["shop"],
            "namespace": "",
            "moved_from": [],
        },
    ]


def test_nothing_given_is_nothing_and_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    monkeypatch.delenv("K8S_AUTH_KUBECONFIG", raising=False)
    settings = settings_of()
    assert (settings["sources"], settings["apps"], settings["cache_dir"]) == ([], [], "/c/plumb")
    assert "kubeconfig" not in settings["connection"]


def test_no_secret_is_told() -> None:
    settings = json.dumps(
        settings_of(api_key="hush", host="https://c.example", proxy="http://u:hush@proxy:3128")
    )
    assert "c.example" in settings
    assert "hush" not in settings


def test_an_address_with_a_password_is_refused_without_repeating_it() -> None:
    wrong = {**SOURCE, "url": "https://user:hush@git.example.com/fleet.git"}
    (line,) = check_inventory({"plumb_sources": [wrong]}, addresses=True).wrong
    assert "source fleet" in line
    assert "hush" not in line
