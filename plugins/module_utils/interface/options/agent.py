# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules that set an agent up, each declared once, in Ansible's argument spec format."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from .common import APP, CONNECTION, DEPLOY_KEY, FORGE, RUN, Spec, for_ansible

ACCOUNT: Spec = MappingProxyType(
    {
        "account": {"type": "str", "default": "plumb-agent"},
        "account_namespace": {"type": "str", "default": "plumb-system"},
    }
)

RULE: Spec = MappingProxyType(
    {
        "apiGroups": {"type": "list", "elements": "str"},
        "resources": {"type": "list", "elements": "str"},
        "resourceNames": {"type": "list", "elements": "str"},
        "nonResourceURLs": {"type": "list", "elements": "str"},
        "verbs": {"type": "list", "elements": "str", "required": True},
    }
)


# The fleet's repository: what the forge's modules take, and which of them is wanted.
AGENT_REPOSITORY: Spec = MappingProxyType(
    {
        **FORGE,
        "create": {"type": "bool"},
        "private": {"type": "bool"},
        "description": {"type": "str"},
        "branch": {"type": "str"},
        "clusters": {"type": "list", "elements": "str"},
        "deploy_key": {"type": "bool"},
        "deploy_token_file": DEPLOY_KEY["deploy_token_file"],
        "key_file": DEPLOY_KEY["key_file"],
        "known_hosts_file": DEPLOY_KEY["known_hosts_file"],
        "title": {"type": "str"},
    }
)

# The inventory's variables for the bootstrap, by name without `plumb_`. The role's argument specs say what they are.
AGENT: Spec = MappingProxyType(
    {
        "agent_api": {"type": "bool"},
        "agent_applied": {"type": "str", "choices": ["keep", "prune"]},
        "agent_cache_dir": {"type": "path"},
        "agent_clusters": {"type": "list", "elements": "str"},
        "agent_bin_dir": {"type": "path"},
        "agent_collection": {"type": "str"},
        "agent_command_file": {"type": "path"},
        "agent_config_dir": {"type": "path"},
        "agent_egress_ports": {"type": "list", "elements": "int"},
        "agent_environment": {"type": "dict"},
        "agent_escalate": {"type": "bool"},
        "agent_image": {"type": "str"},
        "agent_image_digest": {"type": "str"},
        "agent_image_pull_policy": {"type": "str", "choices": ["Always", "IfNotPresent", "Never"]},
        "agent_lifetime": {"type": "str"},
        "agent_memory": {"type": "str"},
        "agent_metrics_from": {"type": "list", "elements": "dict"},
        "agent_name": {"type": "str"},
        "agent_namespace": {"type": "str"},
        "agent_pip_args": {"type": "list", "elements": "str"},
        "agent_place": {"type": "str", "choices": ["host", "cluster"]},
        "agent_pod": {"type": "dict"},
        "agent_python": {"type": "str"},
        "agent_release_dir": {"type": "path"},
        "agent_reasons": {"type": "bool"},
        "agent_repository": {"type": "dict", "options": AGENT_REPOSITORY},
        "agent_resources": {"type": "dict"},
        "agent_rules": {"type": "list", "elements": "dict", "options": RULE},
        "agent_server": {"type": "str"},
        "agent_settings": {"type": "dict"},
        "agent_start": {"type": "bool"},
        "agent_state": {"type": "str", "choices": ["present", "absent"]},
        "agent_state_claim": {"type": "str"},
        "agent_state_dir": {"type": "path"},
        "agent_unit_dir": {"type": "path"},
        "agent_user": {"type": "str"},
    }
)


def spec_of_access_rules() -> dict[str, Any]:
    """Return the argument spec of `access_rules`."""
    return for_ansible(
        {
            "apps": {"type": "list", "elements": "dict", "required": True, "options": APP},
            "sources": {"type": "list", "elements": "dict", "required": True},
            "config": RUN["config"],
            "owner": RUN["owner"],
            "namespace": RUN["namespace"],
            "escalate": {"type": "bool", "default": False},
            "reasons": {"type": "bool", "default": True},
            "rules": {"type": "list", "elements": "dict", "options": RULE, "default": []},
            "setup": {"type": "bool", "default": False},
            **ACCOUNT,
            **CONNECTION,
        }
    )


def spec_of_service_account_token() -> dict[str, Any]:
    """Return the argument spec of `service_account_token`."""
    return for_ansible(
        {
            "token_file": {"type": "path", "required": True, "no_log": False},
            "kubeconfig_file": {"type": "path"},
            "cluster": {"type": "str", "default": "cluster"},
            "server": {"type": "str", "default": ""},
            "lifetime": {"type": "str", "default": "168h"},
            **ACCOUNT,
            **CONNECTION,
        }
    )
