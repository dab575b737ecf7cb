# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of credentials that are not what they should be: each is an error that names the file, at once (row 72)."""

from __future__ import annotations

import os
import time

import pytest
import yaml

from ansible_collections.plumb.gitops.controller.loops.token_renewal import AgentCredentials, renew
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.credentials.kubeconfig import token_file_of
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError, PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.state.file import read_bounded


def huge(file):
    with file.open("wb") as opened:
        opened.truncate(8 * 1024**3)


def endless(file):
    file.symlink_to("/dev/zero")


HOSTILE = {
    "bytes": lambda file: file.write_bytes(b"\xff\xfe"),
    "bytes within": lambda file: file.write_bytes(b"a: \xc3\x28"),
    "nul": lambda file: file.write_bytes(b"\0" * 10),
    "empty": lambda file: file.write_bytes(b""),
    "directory": lambda file: file.mkdir(),
    "pipe": os.mkfifo,
    "huge": huge,
    "device": endless,
    "dangling": lambda file: file.symlink_to("nowhere"),
    "loop": lambda file: file.symlink_to(file.name),
    "missing": lambda file: None,
}
NO_KUBECONFIG = {
    **HOSTILE,
    "list": lambda file: file.write_text("[1, 2]"),
    "text": lambda file: file.write_text("hello"),
    "contexts of text": lambda file: file.write_text("contexts: [a, 1, null]"),
    "no maps": lambda file: file.write_text("{current-context: a, contexts: [{name: a, context: 3}]}"),
    "deep": lambda file: file.write_text("[" * 5000),
    "tag": lambda file: file.write_text("!!python/object/apply:os.system [true]"),
}


def with_token_file(tmp_path, token):
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"tokenFile": str(token)}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file


@pytest.mark.parametrize("name", NO_KUBECONFIG)
def test_row_72_a_hostile_kubeconfig_is_an_error_that_names_it(tmp_path, name):
    file = tmp_path / "kubeconfig"
    NO_KUBECONFIG[name](file)
    for use in (
        lambda: connect(ConnectionSpec(kubeconfig=file)),
        lambda: token_file_of(file, ""),
        lambda: renew(AgentCredentials(file, ""), time.time()),
    ):
        with pytest.raises(PlumbError, match=str(file)):
            use()


@pytest.mark.parametrize("name", HOSTILE)
def test_row_72_a_hostile_token_file_is_an_error_that_names_it(tmp_path, name):
    token = tmp_path / "token"
    HOSTILE[name](token)
    file = with_token_file(tmp_path, token)
    with pytest.raises(InputError) as caught:
        connect(ConnectionSpec(kubeconfig=file))
    if name != "nul":  # which reads as a token that cannot stand in a header
        assert str(token) in str(caught.value)
    if name not in {"nul", "empty"}:  # these hold no token of an account, so there is nothing to renew
        with pytest.raises((PlumbError, OSError), match="token"):
            renew(AgentCredentials(file, ""), time.time())


@pytest.mark.parametrize("name", ["directory", "pipe", "huge", "device", "missing"])
def test_row_72_what_is_no_bounded_file_is_never_waited_for(tmp_path, name):
    file = tmp_path / "file"
    HOSTILE[name](file)
    with pytest.raises(OSError, match="file"):
        read_bounded(file, 1000)
