# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Git's standard error means, as a table: the first row that fits gives the reason and the next step."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...model.errors import SourceError, printable


@dataclass(frozen=True, slots=True)
class GitErrorMeaning:
    """One kind of failure. `remote`: the far side or the way there; a new copy of the cache would not help."""

    pattern: str  # of a regular expression, in any case; compiled when something has gone wrong
    reason: str
    next_step: str
    remote: bool = True

    def fits(self, stderr: str) -> bool:
        """Return whether the pattern is in a failed command's standard error."""
        return re.search(self.pattern, stderr, re.IGNORECASE) is not None


MEANINGS = (
    # First, because what Git's check writes of an object has words of other rows in it.
    GitErrorMeaning(
        r"fsck error|badTree|error in (?:object|commit|tree|tag|blob)|fsck_|hasDotgit|gitmodules",
        "the repository holds an object that Git's own check refuses",
        "Run `git fsck` in a clone of it, and remove what it names.",
    ),
    GitErrorMeaning(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed|No .* host key is known",
        "the server's host key is not the one in known_hosts_file",
        "Compare the forge's published fingerprints; only if they changed, put the new key into known_hosts_file.",
    ),
    GitErrorMeaning(
        r"UNPROTECTED PRIVATE KEY FILE|bad permissions",
        "ssh refuses the key file because others may read it",
        "chmod 600 the ssh_key_file.",
    ),
    GitErrorMeaning(
        r"Load key .*: |incorrect passphrase",
        "ssh cannot read the key file",
        "Name a private key in OpenSSH's format, without a passphrase.",
    ),
    GitErrorMeaning(
        r"Permission denied \(|Too many authentication failures",
        "the server does not accept the ssh key",
        "Add the public key to the repository as a deploy key (reading is enough), and check the user in the address.",
    ),
    GitErrorMeaning(
        r"could not read (?:Username|Password)",
        "the server asks for credentials",
        "Name a token_file whose token may read this repository.",
    ),
    GitErrorMeaning(
        r"Authentication failed|HTTP Basic: Access denied|error: 401",
        "the server does not accept the token",
        "Put a token that may read this repository, and has not expired, into token_file; some forges also want its "
        "username.",
    ),
    GitErrorMeaning(
        r"error: 403",
        "the server denies access (403)",
        "Give the token the right to read this repository, or ask whether the forge blocks this address.",
    ),
    GitErrorMeaning(
        r"error: 407|Proxy Authentication|CONNECT tunnel failed|from proxy after CONNECT",
        "the proxy refused the connection",
        "Check the source's proxy, or https_proxy of the environment.",
    ),
    GitErrorMeaning(
        r"error: 30[1278]",
        "the server redirects to another address, which is not followed",
        "Write the address that the forge shows for cloning; often only .git is missing at the end.",
    ),
    GitErrorMeaning(
        r"repository .* not found|Repository not found|does not appear to be a git repository|error: 404"
        r"|not valid: is this a git repository|no such repository|Cannot find repository",
        "there is no such repository, or these credentials may not see it",
        "Check the url, and that the token or key may read the repository: forges hide private ones as not found.",
    ),
    GitErrorMeaning(
        r"couldn't find remote ref|not our ref|unadvertised object|no such remote ref",
        "the server has no such ref or does not hand out that commit",
        "Check that it was pushed and still exists; a commit must be reachable from a branch or a tag.",
    ),
    GitErrorMeaning(
        r"Could not resolve (?:host|proxy)|Name or service not known|nodename nor servname|Temporary failure in name",
        "the host's name does not resolve",
        "Check the host in the url, and this machine's DNS.",
    ),
    GitErrorMeaning(
        r"SSL certificate problem|certificate verif|unable to get local issuer|SSL: no alternative certificate"
        r"|certificate subject name|server certificate|certificate has expired",
        "the server's certificate is not trusted",
        "Name the issuing authority's certificate as ca_file; the certificate must also name the url's host.",
    ),
    GitErrorMeaning(
        r"gnutls_handshake|SSL_ERROR|SSL routines|TLS (?:connect|connection)|wrong version number",
        "TLS with the server failed",
        "Check that the port speaks https, and the proxy in between.",
    ),
    GitErrorMeaning(
        r"Connection refused|Couldn't connect to server|Failed to connect|No route to host|Network is unreachable",
        "the server cannot be reached",
        "Check the host and the port in the url, a firewall, and whether a proxy is needed.",
    ),
    GitErrorMeaning(
        r"Operation too slow|timed out|Timeout|Connection reset|Connection closed|Empty reply|early EOF"
        r"|hung up unexpectedly|transfer closed|unexpected disconnect|Recv failure|HTTP/2 stream"
        r"|expected flush after|bad line length|curl 18|curl 56",
        "the connection broke off",
        "Run again; check the Git server and the network to it.",
    ),
    GitErrorMeaning(
        r"error: 5\d\d|error: 429|Internal Server Error",
        "the server failed",
        "Run again later; see the Git server's log.",
    ),
    GitErrorMeaning(
        r"died of signal 25|File too large|file size limit",
        "it is larger than the cache has space for",
        "Raise cache_size (plumb_cache_size) if the disk has space.",
    ),
    GitErrorMeaning(
        r"No space left on device|Disk quota exceeded",
        "there is no space left for the cache",
        "Free space, or name another cache directory.",
    ),
    GitErrorMeaning(
        r"unknown transport|transport .* not allowed|unsupported (?:protocol|URL protocol)|Unsupported proxy",
        "git on this machine cannot speak this protocol",
        "Install git with its https helper, or the ssh client.",
    ),
    GitErrorMeaning(
        r"unsupported object format|mismatched (?:object format|algorithms)",
        "the repository's object format is not supported by this git",
        "Install a newer git.",
    ),
)
_UNKNOWN = GitErrorMeaning(
    "",
    "Git failed",
    "See that the cache's disk has space, and try `git clone --depth 1` of this address by hand.",
    remote=False,
)


def meaning_of(stderr: str) -> GitErrorMeaning:
    """Return the first row whose pattern is in the standard error, or one that only says that Git failed."""
    return next((row for row in MEANINGS if row.fits(stderr)), _UNKNOWN)


def failure(subject: str, operation: str, stderr: str, meaning: GitErrorMeaning | None = None) -> SourceError:
    """Return the error for a failed Git command, with what Git said; `stderr` holds no secrets any more."""
    known = meaning or meaning_of(stderr)
    message = _main_lines(stderr)
    return SourceError(
        subject, operation, f"{known.reason} (git: {message})" if message else known.reason, known.next_step
    )


def _main_lines(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    marked = [line for line in lines if re.match(r"(?:fatal|error|remote|ssh|ERROR)\b", line)]
    return printable(" ".join(marked[:3] or lines[-2:]), 400)
