# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules and of the inventory, each declared once, in Ansible's argument spec format."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ansible.module_utils.basic import env_fallback

from ...model.run_options import DEFAULT_NAMESPACE, DEFAULT_OWNER

Spec = Mapping[str, Any]

SOURCE: Spec = MappingProxyType(
    {
        "name": {"type": "str", "required": True},
        "url": {"type": "str", "required": True},
        "branch": {"type": "str"},
        "tag": {"type": "str"},
        "semver": {"type": "str"},
        "commit": {"type": "str"},
        "username": {"type": "str", "default": ""},
        "token_file": {"type": "path", "no_log": False},
        "ssh_key_file": {"type": "path", "no_log": False},
        "known_hosts_file": {"type": "path"},
        "ca_file": {"type": "path"},
        "proxy": {"type": "str", "default": ""},
        "allow_http": {"type": "bool", "default": False},
        "rewritten": {"type": "str", "choices": ["follow", "refuse"], "default": "follow"},
        "timeout": {"type": "str", "default": "60s"},
    }
)

# Rules among the options of one source: exactly one way to name a revision.
SOURCE_RULES: Spec = MappingProxyType(
    {
        "mutually_exclusive": [["branch", "tag", "semver", "commit"]],
        "required_one_of": [["branch", "tag", "semver", "commit"]],
        "required_by": {"ssh_key_file": "known_hosts_file"},
    }
)

IGNORE: Spec = MappingProxyType(
    {
        "pointer": {"type": "str", "default": ""},
        "manager": {"type": "str", "default": ""},
        "kind": {"type": "str", "default": ""},
        "name": {"type": "str", "default": ""},
        "labels": {"type": "dict", "default": {}},
    }
)

APP: Spec = MappingProxyType(
    {
        "name": {"type": "str", "required": True},
        "source": {"type": "str", "required": True},
        "path": {"type": "str", "default": "."},
        "namespace": {"type": "str", "default": ""},
        "create_namespace": {"type": "bool", "default": False},
        "prune": {"type": "bool", "default": True},
        "prune_limit": {"type": "str", "default": "50%"},
        "keep_marked": {"type": "bool", "default": True},
        "confirm_members": {"type": "str", "default": ""},
        "allow_empty": {"type": "bool", "default": False},
        "adopt": {"type": "bool", "default": False},
        "force_conflicts": {"type": "bool", "default": False},
        "recreate": {"type": "bool", "default": False},
        "wait": {"type": "bool", "default": True},
        "timeout": {"type": "str", "default": "5m"},
        "drift": {"type": "str", "choices": ["revert", "report"], "default": "revert"},
        "additions": {"type": "str", "choices": ["report", "remove", "ignore"], "default": "report"},
        "ignore": {"type": "list", "elements": "dict", "options": IGNORE, "default": []},
        "suspend": {"type": "bool", "default": False},
        "moved_from": {"type": "list", "elements": "str", "default": []},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "depends_on": {"type": "list", "elements": "str", "default": []},
    }
)

# The config in Git: which file of which source has further sources and apps.
CONFIG: Spec = MappingProxyType(
    {
        "source": {"type": "str", "required": True},
        "path": {"type": "str", "required": True},
        "credentials_dir": {"type": "path", "no_log": False},
    }
)

# How much of the disk the cache of sources may take.
CACHE_SIZE: Spec = MappingProxyType({"type": "str", "default": "1Gi"})
FETCH: Spec = MappingProxyType({"type": "str", "choices": ["always", "never"], "default": "always"})

# Named as kubernetes.core names them, with its environment variables.
CONNECTION: Spec = MappingProxyType(
    {
        "kubeconfig": {"type": "path", "fallback": (env_fallback, ["K8S_AUTH_KUBECONFIG"])},
        "context": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_CONTEXT"])},
        "host": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_HOST"])},
        "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["K8S_AUTH_API_KEY"])},
        "ca_cert": {
            "type": "path",
            "aliases": ["ssl_ca_cert"],
            "fallback": (env_fallback, ["K8S_AUTH_SSL_CA_CERT"]),
        },
        "client_cert": {
            "type": "path",
            "aliases": ["cert_file"],
            "fallback": (env_fallback, ["K8S_AUTH_CERT_FILE"]),
        },
        "client_key": {
            "type": "path",
            "no_log": False,
            "aliases": ["key_file"],
            "fallback": (env_fallback, ["K8S_AUTH_KEY_FILE"]),
        },
        "validate_certs": {
            "type": "bool",
            "aliases": ["verify_ssl"],
            "fallback": (env_fallback, ["K8S_AUTH_VERIFY_SSL"]),
        },
        "proxy": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_PROXY"])},
        "impersonate_user": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_IMPERSONATE_USER"])},
        "impersonate_groups": {
            "type": "list",
            "elements": "str",
            "fallback": (env_fallback, ["K8S_AUTH_IMPERSONATE_GROUPS"]),
        },
        "request_timeout": {"type": "str", "default": "30s"},
        "concurrency": {"type": "int", "default": 16},
    }
)

# How far a task is, and where that is shown. Only in Ansible's own process.
PROGRESS: Spec = MappingProxyType(
    {
        "progress": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
        "progress_file": {"type": "path"},
    }
)

# What `diff` and `apply` take besides apps, sources and the connection.
RUN: Spec = MappingProxyType(
    {
        "only": {"type": "list", "elements": "str", "default": []},
        "suspended": {"type": "list", "elements": "str", "default": []},
        "owner": {"type": "str", "default": DEFAULT_OWNER},
        "namespace": {"type": "str", "default": DEFAULT_NAMESPACE},
        "cluster": {"type": "str", "default": ""},
        "report_path": {"type": "str", "default": ""},
        "markdown_path": {"type": "str", "default": ""},
        "trail_path": {"type": "str", "default": ""},
        "audit_log": {"type": "path"},
        "events": {"type": "bool", "default": True},
        "cache_dir": {"type": "path"},
        "deep": {"type": "bool", "default": False},
        "wait": {"type": "bool", "default": True},
        "diff": {"type": "str", "choices": ["fields", "unified"]},
        "retry_refused": {"type": "bool", "default": False},
        "lease_file": {"type": "path"},
        "config": {"type": "dict"},
        **PROGRESS,
    }
)

# How a repository of a forge is reached, and as whom.
FORGE: Spec = MappingProxyType(
    {
        "forge": {"type": "str", "required": True, "choices": ["gitea", "forgejo", "github", "gitlab"]},
        "url": {"type": "str", "required": True},
        "owner": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "token_file": {"type": "path", "required": True, "no_log": False},
        "ca_file": {"type": "path"},
        "proxy": {"type": "str", "default": ""},
        "allow_http": {"type": "bool", "default": False},
        "timeout": {"type": "str", "default": "30s"},
    }
)

REPOSITORY: Spec = MappingProxyType(
    {
        "create": {"type": "bool", "default": True},
        "private": {"type": "bool", "default": True},
        "description": {"type": "str", "default": ""},
        "branch": {"type": "str", "default": "main"},
        "files": {"type": "dict", "default": {}},
        "commit_message": {"type": "str", "default": "Begin the fleet"},
        "author_name": {"type": "str", "default": "Plumb"},
        "author_email": {"type": "str", "default": "plumb@localhost"},
    }
)

DEPLOY_KEY: Spec = MappingProxyType(
    {
        "title": {"type": "str", "required": True},
        "key_file": {"type": "path", "no_log": False},
        "deploy_token_file": {"type": "path", "no_log": False},
        "read_only": {"type": "bool", "default": True},
        "known_hosts_file": {"type": "path"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
)

# The inventory's variables, by name without `plumb_`, and the option each becomes.
INVENTORY: Spec = MappingProxyType(
    {
        **{name: option for name, option in RUN.items() if name != "cluster"},  # that is the host's name
        "sources": {"type": "list", "elements": "dict", "options": SOURCE, **SOURCE_RULES},
        "apps": {"type": "list", "elements": "dict", "options": APP},
        "config": {"type": "dict", "options": CONFIG},
        "cache_size": CACHE_SIZE,
        "fetch": FETCH,
        "fail_on": {"type": "str", "choices": ["drift", "failure", "never"], "default": "failure"},
        "serial": {"type": "raw"},
        "record_path": {"type": "path"},
        "pulled_path": {"type": "path"},
        "before_sync": {"type": "bool"},
        **CONNECTION,
    }
)


def for_ansible(spec: Spec) -> dict[str, Any]:
    """Return a spec as Ansible takes it: a new dict on each level."""
    return {
        name: {key: for_ansible(value) if key == "options" else value for key, value in option.items()}
        for name, option in spec.items()
    }


def spec_of_pull() -> dict[str, Any]:
    """Return the argument spec of `pull`."""
    sources = {"type": "list", "elements": "dict", "required": True, "options": SOURCE, **SOURCE_RULES}
    config: Spec = {
        "config": {"type": "dict", "options": CONFIG},
        "apps": {"type": "list", "elements": "dict", "default": []},
        "paths": {"type": "dict"},
        "namespace": RUN["namespace"],
        "cluster": RUN["cluster"],
        "record": {"type": "path"},
        **PROGRESS,
        "only": RUN["only"],
        "fetch": FETCH,
    }
    return for_ansible(
        {"sources": sources, "cache_dir": {"type": "path"}, "cache_size": CACHE_SIZE, **config}
    )


def spec_of_run() -> dict[str, Any]:
    """Return the argument spec of `diff` and of `apply`."""
    apps = {"type": "list", "elements": "dict", "required": True, "options": APP}
    sources = {"type": "list", "elements": "dict", "required": True}
    return for_ansible({"apps": apps, "sources": sources, **RUN, **CONNECTION})


def spec_of_repository() -> dict[str, Any]:
    """Return the argument spec of `repository`."""
    return for_ansible({**FORGE, **REPOSITORY})


def spec_of_deploy_key() -> dict[str, Any]:
    """Return the argument spec of `deploy_key`."""
    return for_ansible({**FORGE, **DEPLOY_KEY})
