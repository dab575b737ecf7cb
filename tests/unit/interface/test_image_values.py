# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says of images: read, refused where it cannot be, and handed to an agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.images.specs import Write
from ansible_collections.plumb.gitops.plugins.module_utils.interface.agent.inventory import cluster, for_agent
from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.shown_settings import (
    shown_settings,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.validation import (
    check_inventory,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.image_values import (
    image_policies,
    update_specs,
)

SOURCE = {
    "name": "fleet",
    "url": "https://git.example.com/fleet.git",
    "branch": "main",
    "token_file": "/t/read",
}
IMAGE = {"name": "shop", "image": "registry.example.com/shop/web", "policy": {"semver": ">=1"}}
UPDATE = {"name": "fleet", "source": "fleet"}


def checked(image=None, update=None, source=None):
    merged = {**SOURCE, **(source or {})}
    variables = {
        "plumb_sources": [{word: value for word, value in merged.items() if value is not None}],
        "plumb_images": [{**IMAGE, **(image or {})}],
        "plumb_image_updates": [{**UPDATE, **(update or {})}],
    }
    return check_inventory(variables)


def specs(**more):
    inventory = checked(**more)
    assert inventory.wrong == ()
    settings = inventory.settings
    return (
        image_policies(settings["images"])[0],
        update_specs(settings["image_updates"], settings["sources"], settings["images"])[0],
    )


def test_the_defaults():
    policy, update = specs()
    assert (policy.write, policy.minimum_age, policy.filter) == (Write.TAG, 0.0, None)
    assert (update.base, update.branch, update.paths, update.heads) == ("main", "", (), "plumb/fleet/")
    assert (update.source.token_file, update.author.name, update.message) == (
        Path("/t/read"),
        "Plumb",
        "Update {images}",
    )
    assert specs(image={"policy": {"digest": "stable"}})[0].write is Write.DIGEST


def test_what_may_write_takes_the_place_of_what_may_read():
    update = specs(update={"token_file": "/t/write", "branch": "images", "paths": ["apps/", "."]})[1]
    assert update.source.token_file == Path("/t/write")
    assert (update.base, update.branch, update.source.ref, update.paths) == (
        "main",
        "images",
        "images",
        ("apps",),
    )


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"image": {"image": "registry.example.com/shop/web:1.0"}}, "is not the name of an image without a tag"),
        ({"image": {"policy": {"semver": "1", "numerical": "asc"}}}, "mutually exclusive"),
        ({"image": {"policy": {}}}, "one of the following is required"),
        ({"image": {"policy": {"semver": "a b"}}}, "is not a version"),
        ({"image": {"policy": {"digest": "x"}, "write": "tag"}}, "Write digest or both"),
        ({"image": {"policy": {"digest": "x"}, "filter": {"tags": "x"}}}, "names its one tag"),
        ({"image": {"platform": "amd64"}}, "is not OS/ARCHITECTURE"),
        ({"image": {"minimum_age": "10"}}, "is not a duration"),
        ({"image": {"password_file": "/p"}}, "Name username too"),
        ({"image": {"password_file": "/p", "username": "u", "docker_config": "/d"}}, "mutually exclusive"),
        ({"image": {"realm": "http://x"}}, "https address of a token service"),
        ({"image": {"username": "a:b"}}, "holds a colon"),
        ({"image": {"name": "a b"}}, "it is not letters"),
        ({"image": {"tag": "1"}}, "option 'tag' is unknown"),
        ({"update": {"source": "flet"}}, "there is no source 'flet'"),
        ({"update": {"images": ["web"]}}, "there is no image 'web'"),
        ({"update": {"paths": ["../x"]}}, "is not a path inside the repository"),
        ({"update": {"paths": ["/etc"]}}, "is not a path inside the repository"),
        ({"update": {"commit_message": "Update {image}"}}, "'{image}' is no placeholder of a message"),
        ({"update": {"trailers": {"A b": "x"}}}, "reading trailers"),
        ({"update": {"author": {"name": "a <b>"}}}, "is not valid in a commit"),
        ({"update": {"author": {"email": "nobody"}}}, "is not valid in a commit"),
        ({"update": {"branch": "--force"}}, "not a valid name of a ref"),
        ({"update": {"branch": "refs/heads/x"}}, "the long form of a ref"),
        ({"update": {"branches": "x"}}, "did you mean 'branch'?"),
        ({"source": {"branch": None, "tag": "v1"}}, "follows no branch that could be written to"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(what, message):
    assert any(message in line for line in checked(**what).wrong), checked(**what).wrong


def test_two_of_one_name():
    inventory = check_inventory({"plumb_images": [IMAGE, IMAGE]})
    assert any("two have this name" in line for line in inventory.wrong)


def test_a_scheduler_is_told_of_images():
    shown = shown_settings(checked().settings, "prod")
    assert [item["name"] for item in shown["images"] + shown["image_updates"]] == ["shop", "fleet"]


def test_an_agent_gets_the_files_that_images_and_updates_name():
    host = {
        "inventory_hostname": "prod",
        "plumb_sources": [SOURCE],
        "plumb_images": [{**IMAGE, "username": "u", "password_file": "/r/p", "ca_file": "/r/ca"}],
        "plumb_image_updates": [
            {**UPDATE, "token_file": "/r/w", "signing": {"format": "ssh", "key_file": "/r/k"}}
        ],
    }
    result = for_agent(cluster(host), access="/a", credentials="/c", cache="/cache")
    assert result["files"] == [
        {"src": "/t/read", "dest": "/c/prod/fleet.token_file"},
        {"src": "/r/p", "dest": "/c/prod/image.shop.password_file"},
        {"src": "/r/ca", "dest": "/c/prod/image.shop.ca_file"},
        {"src": "/r/w", "dest": "/c/prod/update.fleet.token_file"},
        {"src": "/r/k", "dest": "/c/prod/update.fleet.signing.key_file"},
    ]
    assert result["variables"]["plumb_images"][0]["password_file"] == "/c/prod/image.shop.password_file"
    signing = result["variables"]["plumb_image_updates"][0]["signing"]
    assert signing == {"format": "ssh", "key_file": "/c/prod/update.fleet.signing.key_file"}
