# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of `images`, each declared once, in Ansible's argument spec format."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from .common import SOURCE, SOURCE_RULES, Spec, for_ansible
from .feedback import FLEET_FORGE

POLICY: Spec = MappingProxyType(
    {
        "semver": {"type": "str"},
        "numerical": {"type": "str", "choices": ["asc", "desc"]},
        "alphabetical": {"type": "str", "choices": ["asc", "desc"]},
        "newest": {"type": "str", "choices": ["build"]},
        "digest": {"type": "str"},
    }
)
_ONE_POLICY = [list(POLICY)]

TAG_FILTER: Spec = MappingProxyType(
    {
        "tags": {"type": "str", "required": True},
        "extract": {"type": "str", "default": ""},
    }
)

IMAGE: Spec = MappingProxyType(
    {
        "name": {"type": "str", "required": True},
        "image": {"type": "str", "required": True},
        "policy": {
            "type": "dict",
            "required": True,
            "options": POLICY,
            "mutually_exclusive": _ONE_POLICY,
            "required_one_of": _ONE_POLICY,
        },
        "filter": {"type": "dict", "options": TAG_FILTER},
        "platform": {"type": "str", "default": ""},
        "minimum_age": {"type": "str", "default": ""},
        "write": {"type": "str", "choices": ["tag", "digest", "both"]},
        "username": {"type": "str", "default": ""},
        "password_file": {"type": "path", "no_log": False},
        "docker_config": {"type": "path"},
        "realm": {"type": "str", "default": ""},
        "ca_file": {"type": "path"},
        "insecure": {"type": "bool", "default": False},
    }
)
IMAGE_RULES: Spec = MappingProxyType({"mutually_exclusive": [["password_file", "docker_config"]]})

AUTHOR: Spec = MappingProxyType(
    {
        "name": {"type": "str", "default": "Plumb"},
        "email": {"type": "str", "default": "plumb@localhost"},
    }
)
SIGNING: Spec = MappingProxyType(
    {
        "format": {"type": "str", "required": True, "choices": ["ssh", "gpg"]},
        "key_file": {"type": "path", "required": True, "no_log": False},
    }
)
PULL_REQUEST: Spec = MappingProxyType(
    {
        "per": {"type": "str", "choices": ["update", "image"], "default": "update"},
        "labels": {"type": "list", "elements": "str", "default": []},
        "reviewers": {"type": "list", "elements": "str", "default": []},
        "auto_merge": {"type": "bool", "default": False},
    }
)

UPDATE: Spec = MappingProxyType(
    {
        "name": {"type": "str", "required": True},
        "source": {"type": "str", "required": True},
        "username": {"type": "str", "default": ""},
        "token_file": {"type": "path", "no_log": False},
        "ssh_key_file": {"type": "path", "no_log": False},
        "paths": {"type": "list", "elements": "str", "default": []},
        "images": {"type": "list", "elements": "str", "default": []},
        "branch": {"type": "str", "default": ""},
        "author": {"type": "dict", "options": AUTHOR, "default": {}},
        "commit_message": {"type": "str", "default": "Update {images}"},
        "trailers": {"type": "dict", "default": {}},
        "signing": {"type": "dict", "options": SIGNING},
        "pull_request": {"type": "dict", "options": PULL_REQUEST},
    }
)
UPDATE_RULES: Spec = MappingProxyType({"mutually_exclusive": [["token_file", "ssh_key_file"]]})

_IMAGES: Spec = {"type": "list", "elements": "dict", "options": IMAGE, **IMAGE_RULES}
_UPDATES: Spec = {"type": "list", "elements": "dict", "options": UPDATE, **UPDATE_RULES}

# The inventory's variables about images, by name without `plumb_`.
IMAGES: Spec = MappingProxyType({"images": _IMAGES, "image_updates": _UPDATES})


def spec_of_images() -> dict[str, Any]:
    """Return the argument spec of `images`."""
    sources = {"type": "list", "elements": "dict", "required": True, "options": SOURCE, **SOURCE_RULES}
    return for_ansible(
        {
            "images": {**_IMAGES, "required": True},
            "updates": {**_UPDATES, "required": True},
            "sources": sources,
            "forge": {"type": "dict", "options": FLEET_FORGE},
            "cluster": {"type": "str", "default": ""},
            "cache_dir": {"type": "path"},
        }
    )
