# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of feedback on a commit: statuses, notifications, hooks, previews; and their inventory variables."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from .common import APP, CACHE_SIZE, CONNECTION, FORGE, RUN, SOURCE, SOURCE_RULES, Spec, for_ansible

# How the forge is reached; which repository is meant follows from the source's address.
FLEET_FORGE: Spec = MappingProxyType(
    {
        "kind": FORGE["forge"],
        **{name: FORGE[name] for name in ("url", "token_file", "ca_file", "proxy", "allow_http")},
        "timeout": {"type": "str", "default": "10s"},
        "repositories": {"type": "list", "elements": "str", "default": []},
    }
)

NOTIFICATION: Spec = MappingProxyType(
    {
        "name": {"type": "str", "required": True},
        "severity": {"type": "str", "choices": ["info", "warning", "error"], "default": "warning"},
        "webhook_url_file": {"type": "path", "no_log": False},
        "apprise_url_file": {"type": "path", "no_log": False},
        "secret_file": {"type": "path", "no_log": False},
        "ca_file": {"type": "path"},
        "allow_http": {"type": "bool", "default": False},
        "timeout": {"type": "str", "default": "10s"},
        "repeat_after": {"type": "str", "default": "24h"},
        "most_per_hour": {"type": "int", "default": 30},
    }
)
NOTIFICATION_RULES: Spec = MappingProxyType(
    {
        "mutually_exclusive": [["webhook_url_file", "apprise_url_file"], ["secret_file", "apprise_url_file"]],
        "required_one_of": [["webhook_url_file", "apprise_url_file"]],
    }
)

# The operator's own tasks, each a file.
HOOKS: Spec = MappingProxyType(
    {name: {"type": "path"} for name in ("before_sync", "after_sync", "on_drift", "on_failure")}
)

PREVIEW: Spec = MappingProxyType(
    {
        "enabled": {"type": "bool", "default": True},
        "forks": {"type": "bool", "default": False},
        "max_age": {"type": "str", "default": "1h"},
    }
)

_NOTIFICATIONS: Spec = {"type": "list", "elements": "dict", "options": NOTIFICATION, **NOTIFICATION_RULES}

# The inventory's variables, by name without `plumb_`.
FEEDBACK: Spec = MappingProxyType(
    {
        "forge": {"type": "dict", "options": FLEET_FORGE},
        "commit_status": {"type": "bool", "default": False},
        "page_url": {"type": "str", "default": ""},
        "notifications": _NOTIFICATIONS,
        "hooks": {"type": "dict", "options": HOOKS},
        "hook_timeout": {"type": "str", "default": "5m"},
        "preview": {"type": "dict", "options": PREVIEW},
    }
)

# What `commit_status` and `notify` take.
_ABOUT_A_RUN: Spec = MappingProxyType(
    {
        "pulled": {"type": "list", "elements": "dict", "required": True},
        "apps": {"type": "list", "elements": "dict", "required": True},
        "config": RUN["config"],
        "only": RUN["only"],
        "suspended": RUN["suspended"],
        "cluster": {"type": "str", "required": True},
        "applied": {"type": "dict"},
        "page_url": FEEDBACK["page_url"],
        "cache_dir": RUN["cache_dir"],
    }
)


def spec_of_commit_status() -> dict[str, Any]:
    """Return the argument spec of `commit_status`."""
    return for_ansible(
        {
            "forge": {"type": "dict", "required": True, "options": FLEET_FORGE},
            "sources": {"type": "list", "elements": "dict", "required": True},
            **_ABOUT_A_RUN,
        }
    )


def spec_of_notify() -> dict[str, Any]:
    """Return the argument spec of `notify`."""
    receivers = {"type": "list", "elements": "str"}
    return for_ansible(
        {"notifications": {**_NOTIFICATIONS, "required": True}, "receivers": receivers, **_ABOUT_A_RUN}
    )


def spec_of_run_record() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the argument spec of `run_record`, and the rules among its options."""
    spec = for_ansible(
        {
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["read", "written"], "default": "read"},
            "pulled": {"type": "str"},
            "applied": {"type": "str"},
            "only": RUN["only"],
            "suspended": RUN["suspended"],
            "part": {"type": "str", "choices": ["applied", "pulled"]},
        }
    )
    return spec, {"required_if": [("state", "written", ["pulled"]), ("state", "read", ["part"])]}


def spec_of_preview() -> dict[str, Any]:
    """Return the argument spec of `preview`."""
    sources = {"type": "list", "elements": "dict", "required": True, "options": SOURCE, **SOURCE_RULES}
    return for_ansible(
        {
            "forge": {"type": "dict", "required": True, "options": FLEET_FORGE},
            "forks": PREVIEW["forks"],
            "max_age": PREVIEW["max_age"],
            "sources": sources,
            "pulled": _ABOUT_A_RUN["pulled"],
            "apps": {"type": "list", "elements": "dict", "required": True, "options": APP},
            "cluster": _ABOUT_A_RUN["cluster"],
            **{
                name: RUN[name] for name in ("suspended", "owner", "namespace", "config", "cache_dir", "diff")
            },
            "cache_size": CACHE_SIZE,
            **CONNECTION,
        }
    )
