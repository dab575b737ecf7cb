# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Git says on failures, and the reason and next step that are made of it."""

from __future__ import annotations

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.source.git.git_errors import (
    MEANINGS,
    failure,
    meaning_of,
)

SAID = [
    (
        "fatal: could not read Username for 'https://h': terminal prompts disabled",
        "asks for credentials",
        "token_file",
    ),
    ("fatal: Authentication failed for 'https://h/a/'", "does not accept the token", "token_file"),
    (
        "fatal: unable to access 'https://h/a/': The requested URL returned error: 403",
        "denies access",
        "right to read",
    ),
    ("fatal: repository 'https://h/a/' not found", "no such repository", "Check the url"),
    (
        "ERROR: Repository not found.\nfatal: Could not read from remote repository.",
        "no such repository",
        "url",
    ),
    ("fatal: unable to access 'https://h/': The requested URL returned error: 301", "redirects", ".git"),
    ("fatal: unable to access 'https://h/': Could not resolve host: h", "does not resolve", "DNS"),
    ("ssh: Could not resolve hostname h: Name or service not known", "does not resolve", "DNS"),
    (
        "fatal: unable to access 'https://h/': Failed to connect to h port 1: Couldn't connect",
        "cannot be reached",
        "port",
    ),
    ("ssh: connect to host h port 22: Connection refused", "cannot be reached", "firewall"),
    (
        "fatal: unable to access 'https://h/': SSL certificate problem: self-signed certificate",
        "not trusted",
        "ca_file",
    ),
    (
        "fatal: unable to access 'https://h/': server certificate verification failed. CAfile: none",
        "not trusted",
        "ca_",
    ),
    (
        "fatal: unable to access 'https://h/': gnutls_handshake() failed: Error in the pull function.",
        "TLS",
        "https",
    ),
    (
        "@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nHost key verification failed.",
        "host key",
        "finger",
    ),
    (
        "No ED25519 host key is known for h and you have requested strict checking.",
        "host key",
        "fingerprints",
    ),
    (
        "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
        "ssh key",
        "deploy key",
    ),
    ("@ WARNING: UNPROTECTED PRIVATE KEY FILE! @", "others may read it", "chmod 600"),
    ('Load key "/k": error in libcrypto', "cannot read the key", "OpenSSH"),
    ("fatal: couldn't find remote ref refs/heads/x", "no such ref", "pushed"),
    ("fatal: remote error: upload-pack: not our ref 0123", "no such ref", "pushed"),
    ("error: RPC failed; HTTP 503 curl 22 The requested URL returned error: 503", "server failed", "log"),
    ("fatal: unable to access 'http://h/': Empty reply from server", "broke off", "Run again"),
    (
        "fatal: unable to access 'http://h/': Operation too slow. Less than 1 bytes/sec",
        "broke off",
        "Run again",
    ),
    ("fatal: write error: No space left on device", "no space", "Free space"),
    (
        "error: index-pack died of signal 25\nfatal: fetch-pack: invalid index-pack output",
        "larger than the cache has space for",
        "cache_size",
    ),
    (
        "error: object 0123: missingCommitter: invalid format - expected 'committer' line\nfatal: fsck error",
        "own check",
        "fsck",
    ),
    ("fatal: unable to access 'https://h/': CONNECT tunnel failed, response 407", "proxy", "proxy"),
    (
        "error: object 0123: hasDotgit: contains '.git'\nfatal: fsck error in packed object",
        "own check",
        "fsck",
    ),
]


@pytest.mark.parametrize(("stderr", "reason", "next_step"), SAID)
def test_a_known_stderr_has_a_reason_and_a_next_step(stderr: str, reason: str, next_step: str) -> None:
    error = failure("source fleet", "fetching", stderr)
    assert reason in error.reason
    assert next_step in error.next_step
    assert meaning_of(stderr).remote


def test_each_row_of_the_table_is_met_by_a_stderr_that_was_seen() -> None:
    met = {meaning_of(stderr).reason for stderr, _reason, _step in SAID}
    rare = {
        "git on this machine cannot speak this protocol",
        "the repository's object format is not supported by this git",
    }
    assert {row.reason for row in MEANINGS} - met == rare


@pytest.mark.parametrize(
    "stderr",
    [
        "fatal: Unable to create '/c/repository.git/shallow.lock': File exists.",
        "fatal: not a git repository: '/c/repository.git'",
        "error: inflate: data stream error (incorrect data check)",
        "fatal: pack has 3 unresolved deltas",
        "error: https://h/a did not send all necessary objects",
        "",
    ],
)
def test_what_a_damaged_cache_says_puts_the_cache_under_suspicion(stderr: str) -> None:
    assert not meaning_of(stderr).remote


def test_an_error_shows_what_matters_of_many_lines() -> None:
    stderr = "warning: chatter\nhint: more\nfatal: the cause\nhint: again"
    assert failure("source fleet", "fetching", stderr).reason == "Git failed (git: fatal: the cause)"
