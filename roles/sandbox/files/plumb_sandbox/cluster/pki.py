# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority, a serving certificate for loopback and the service accounts' key."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from plumb_sandbox.errors import SandboxError
from plumb_sandbox.layout import write_private

SERVICE_IP = "10.96.0.1"
_DAYS = "3650"
_CONFIG = f"""\
[req]
distinguished_name = subject
prompt = no
[subject]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign,digitalSignature
subjectKeyIdentifier = hash
[serving]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = IP:127.0.0.1,IP:{SERVICE_IP},DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,\
DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
"""


@dataclass(frozen=True, slots=True)
class Pki:
    """The files of one sandbox's certificates, all in one folder."""

    folder: Path

    @property
    def ca_cert(self) -> Path:
        """The authority everyone trusts."""
        return self.folder / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """Signs client certificates and those of test webhooks."""
        return self.folder / "ca.key"

    @property
    def cert(self) -> Path:
        """Serving certificate of the API server and etcd, and the API server's client certificate for etcd."""
        return self.folder / "server.crt"

    @property
    def key(self) -> Path:
        """Key of `cert`."""
        return self.folder / "server.key"

    @property
    def service_account_key(self) -> Path:
        """Signs service accounts' tokens."""
        return self.folder / "service-account.key"


def make_pki(folder: Path) -> Pki:
    """Make the certificates in FOLDER, unless they exist, and return them."""
    pki = Pki(folder)
    if pki.cert.exists():
        return pki
    config = folder / "openssl.cnf"
    write_private(config, _CONFIG)
    for key in (pki.ca_key, pki.key, pki.service_account_key):
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
        key.chmod(0o600)
    _openssl(
        *("req", "-x509", "-new", "-key", str(pki.ca_key), "-out", str(pki.ca_cert), "-days", _DAYS),
        *("-subj", "/CN=plumb-sandbox", "-config", str(config), "-extensions", "authority"),
    )
    request = folder / "server.csr"
    _openssl(
        *("req", "-new", "-key", str(pki.key), "-out", str(request)),
        *("-subj", "/CN=plumb-sandbox-server", "-config", str(config)),
    )
    unfinished = folder / "server.crt.new"
    _openssl(
        *("x509", "-req", "-in", str(request), "-out", str(unfinished), "-days", _DAYS),
        *("-CA", str(pki.ca_cert), "-CAkey", str(pki.ca_key), "-CAcreateserial"),
        *("-extfile", str(config), "-extensions", "serving"),
    )
    request.unlink()
    unfinished.replace(pki.cert)
    return pki


def _openssl(*arguments: str) -> None:
    done = subprocess.run(
        ("openssl", *arguments), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise SandboxError(
            f"openssl {arguments[0]}",
            done.stderr.strip() or f"it ended with status {done.returncode}",
            "Check that `openssl version` says 1.1.1 or newer.",
        )
