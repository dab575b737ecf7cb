# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server that says what a test tells it to, on a loopback socket."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import ssl
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.discovery import ApiResource
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.retry import Clock


@dataclass(frozen=True, kw_only=True)
class Says:
    """One answer, or a way to give none."""

    status: int = 200
    body: Any = field(default_factory=dict)  # bytes go out as they are, anything else as JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None  # close the connection after this many bytes of the body
    drop: bool = False  # close it without a word
    hold: bool = False  # say nothing until the test is over
    drip: float = 0.0  # seconds between two bytes of the body
    stays: bool = False  # after the body say nothing more until the test is over


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    groups: list[str]
    body: Any
    peer: Any


def refused(status: int, reason: str = "", message: str = "", **details: Any) -> Says:
    """A `Status` object as an API server sends it."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    return Says(status=status, body=body | {"code": status, "details": details})


@dataclass(frozen=True)
class Certificate:
    """Files in PEM: a CA, and a certificate of 127.0.0.1 and api.test that it signed."""

    ca: Path
    cert: Path
    key: Path

    @staticmethod
    def data(path: Path) -> str:
        """As a kubeconfig holds it."""
        return base64.b64encode(path.read_bytes()).decode()


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, _request: Any, _client: Any) -> None:
        """The other side hangs up, as many a test wants it to; other faults of a handler show on standard error."""
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()


class FakeServer:
    """Answers from a script, in order; or by a function of the request."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.scheme = "https" if certificate else "http"
        self.seen: list[Seen] = []
        self.script: deque[Says] = deque()
        self.answer: Callable[[Seen], Says] = lambda _seen: self.script.popleft()
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), _handler(self))
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert, certificate.key)
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self._http.server_address[1]}"

    def says(self, *answers: Says) -> None:
        self.script.extend(answers)

    def take(self, seen: Seen) -> Says:
        with self._lock:
            self.seen.append(seen)
            return self.answer(seen)

    def close(self) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _handler(fake: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def serve(self) -> None:
            parts = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            says = fake.take(
                Seen(
                    method=self.command,
                    path=parts.path,
                    query={key: values[0] for key, values in parse_qs(parts.query).items()},
                    headers=dict(self.headers.items()),
                    groups=self.headers.get_all("Impersonate-Group") or [],
                    body=json.loads(sent) if sent else None,
                    peer=self.client_address,
                )
            )
            if says.hold:
                fake.over.wait(30)
            if says.hold or says.drop:
                self.close_connection = True
                return
            body = says.body if isinstance(says.body, bytes) else json.dumps(says.body).encode()
            self.send_response(says.status)
            for name, value in {"Content-Length": str(len(body)), **says.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if says.drip:
                self.drip(body, says.drip)
            else:
                self.wfile.write(body if says.cut is None else body[: says.cut])
            if says.stays:
                self.wfile.flush()
                fake.over.wait(30)
            self.close_connection = says.cut is not None or says.stays

        def drip(self, body: bytes, seconds: float) -> None:
            with contextlib.suppress(OSError):  # the other side hangs up
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    fake.over.wait(seconds)

        do_GET = do_PATCH = do_DELETE = do_POST = serve  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class Pauses(list[float]):
    """The seconds that would have been slept; jitter is always at its largest."""

    def clock(self) -> Clock:
        return Clock(sleep=self.append, uniform=lambda _low, high: high)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def cluster(server: FakeServer, pauses: Pauses) -> Iterator[Cluster]:
    spec = ConnectionSpec(host=server.url, api_key="sesame", request_timeout=5, concurrency=4)
    with connect(spec, clock=pauses.clock()) as connected:
        yield connected


@pytest.fixture
def says() -> type[Says]:
    return Says


@pytest.fixture
def refuses() -> Callable[..., Says]:
    return refused


def resource(
    kind: str, plural: str, *, group: str = "", version: str = "v1", namespaced: bool = True
) -> ApiResource:
    return ApiResource(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        namespaced=namespaced,
        verbs=frozenset({"get", "list", "patch", "delete"}),
    )


@pytest.fixture
def config_map() -> ApiResource:
    return resource("ConfigMap", "configmaps")


@pytest.fixture
def secret() -> ApiResource:
    return resource("Secret", "secrets")


@pytest.fixture
def deployment() -> ApiResource:
    return resource("Deployment", "deployments", group="apps")


@pytest.fixture
def role() -> ApiResource:
    return resource("ClusterRole", "clusterroles", group="rbac.authorization.k8s.io", namespaced=False)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("pki")
    now = datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test CA")])
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("api.test")]

    def begun(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(issuer_name=issuer, subject_name=subject, public_key=public)
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))

    ca = begun(issuer, ca_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), True
    )
    leaf = begun(x509.Name([]), key.public_key()).add_extension(x509.SubjectAlternativeName(names), True)
    files = {
        "ca": ca.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM),
        "cert": leaf.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM),
        "key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return Certificate(**{name: folder / name for name in files})


@pytest.fixture
def tls_server(certificate: Certificate) -> Iterator[FakeServer]:
    fake = FakeServer(certificate)
    yield fake
    fake.close()
