# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection options, and how they become a Cluster."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass_environment  # type: ignore[attr-defined]

from ..model.errors import InputError
from .client import Cluster
from .credentials.connection_settings import Settings, TokenFile
from .credentials.kubeconfig import load_kubeconfig
from .requests.api_access import ApiAccess, is_loopback
from .requests.optional_imports import require, urllib3
from .requests.retry import Clock

# Where Kubernetes puts a pod's credentials; source: "Accessing the Kubernetes API from a Pod".
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_HOST, _PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"

_SUBJECT = "the connection to the cluster"
_OPERATION = "reading the connection options"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSpec:
    """The connection options, named as kubernetes.core names them. An empty text or None: not set.

    Nothing in a home folder is read: a cluster is named by `kubeconfig` or by `host`, or it is the one around this
    pod, if `in_cluster` allows that.
    """

    kubeconfig: Path | None = None
    context: str = ""  # empty: the kubeconfig's current-context
    host: str = ""
    api_key: str = field(default="", repr=False)
    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    validate_certs: bool | None = None  # None: as the kubeconfig says, else true
    proxy: str = field(default="", repr=False)  # may carry a password
    impersonate_user: str | None = None  # an empty one is refused: it would act with the account's own rights
    impersonate_groups: tuple[str, ...] = ()
    in_cluster: bool = True  # whether a pod's service account may serve where nothing is named
    request_timeout: float = 30.0  # seconds, of one attempt
    concurrency: int = 16  # requests at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """The environment variables and files of a pod's service account."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    token_file: Path = _SERVICE_ACCOUNT / "token"
    ca_file: Path = _SERVICE_ACCOUNT / "ca.crt"

    @property
    def present(self) -> bool:
        """Whether this process runs in a pod with a service account."""
        return bool(self.environment.get(_HOST)) and self.token_file.is_file()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The server of a connection, without credentials: what another account needs to reach it."""

    server: str
    ca: bytes = field(default=b"", repr=False)  # certificates in PEM; empty: those of the system
    server_name: str = ""
    verify: bool = True
    proxy: str = field(default="", repr=False)  # one that was named; the environment's is not part of it


def endpoint(spec: ConnectionSpec, *, pod: Pod | None = None) -> Endpoint:
    """Return the server of the options. No request is made, but a kubeconfig's plugin runs. Raises InputError."""
    require()
    _check(spec)
    with tempfile.TemporaryDirectory(prefix="plumb-") as folder:
        settings, named = _settings(spec, pod or Pod(), Path(folder))
        _tls(settings, named)  # raises an error for what cannot be loaded
        return Endpoint(
            server=_server(settings.server),
            ca=settings.ca_file.read_bytes() if settings.ca_file else b"",
            server_name=settings.server_name,
            verify=settings.verify,
            proxy=spec.proxy or settings.proxy,
        )


def connect(
    spec: ConnectionSpec,
    *,
    pod: Pod | None = None,
    clock: Clock | None = None,
    lease_file: Path | None = None,
    circuit_breaker: bool = True,
) -> Cluster:
    """Return a Cluster, a context manager. No request is made yet, but a kubeconfig's credential plugin runs.

    With a `lease_file` (lease_file.py) a write is sent only while the lease is held; otherwise it raises LeaseLost. The
    circuit breaker (circuit_breaker.py) is for runs: what stays connected has pauses of its own.
    Raises InputError where the options name no cluster, contradict each other, or name what does not exist.
    """
    require()
    _check(spec)
    # Certificates and keys in a kubeconfig are written into files, which are removed once they are loaded.
    with tempfile.TemporaryDirectory(prefix="plumb-") as folder:
        settings, named = _settings(spec, pod or Pod(), Path(folder))
        access = ApiAccess(
            server=_server(settings.server),
            tls=_tls(settings, named),
            server_name=settings.server_name,
            authorization=_authorization(settings),
            headers=_impersonation(spec),
            proxy=_proxy(spec, settings),
            named=named,
        )
    return Cluster(
        access,
        request_timeout=spec.request_timeout,
        concurrency=spec.concurrency,
        clock=clock or Clock(),
        lease_file=lease_file,
        circuit_breaker=circuit_breaker,
    )


def _refused(why: str, next_step: str) -> InputError:
    return InputError(_SUBJECT, _OPERATION, why, next_step)


def _check(spec: ConnectionSpec) -> None:
    """Raise InputError for the first row that holds: the options contradict each other."""
    rows = (
        (
            spec.kubeconfig is not None and bool(spec.host),
            "both a kubeconfig and a host are named",
            "Name only one of them: credentials for one server are not sent to the other.",
        ),
        (
            bool(spec.context) and spec.kubeconfig is None,
            "a context is named, but no kubeconfig",
            "Name the kubeconfig as well (plumb_kubeconfig, or K8S_AUTH_KUBECONFIG).",
        ),
        (
            (spec.client_cert is None) != (spec.client_key is None),
            "only one of client_cert and client_key is named",
            "Name both.",
        ),
        (
            spec.impersonate_user is not None and not spec.impersonate_user.strip(),
            "impersonate_user is empty",
            "Name a user, or leave the option out: an empty one would act with the account's own rights.",
        ),
        (
            any(not group.strip() for group in spec.impersonate_groups),
            "impersonate_groups has an empty name",
            "Remove it.",
        ),
        (
            bool(spec.impersonate_groups) and spec.impersonate_user is None,
            "impersonate_groups is given without impersonate_user",
            "Name the user as well.",
        ),
        (spec.request_timeout <= 0, "request_timeout is not above 0", "Give seconds, for example 30."),
        (spec.concurrency < 1, "concurrency is below 1", "Give a number of requests, for example 16."),
    )
    for holds, why, next_step in rows:
        if holds:
            raise _refused(why, next_step)


def _settings(spec: ConnectionSpec, pod: Pod, folder: Path) -> tuple[Settings, str]:
    """Return the settings of the server, and how the operator named it."""
    if spec.kubeconfig is not None:
        path = spec.kubeconfig.expanduser()
        settings, context = load_kubeconfig(path, spec.context, folder)
        named = f"context {context} of kubeconfig {path}"
    elif spec.host:
        settings, named = Settings(server=spec.host), "the host option"
    elif spec.in_cluster and pod.present:
        settings, named = _service_account(pod), "the pod's service account"
    else:
        raise InputError(
            _SUBJECT,
            "finding the cluster",
            "no cluster is named, and this is not a pod with a service account",
            "Set kubeconfig and context (plumb_kubeconfig and plumb_context, or K8S_AUTH_KUBECONFIG) or host.",
        )
    if spec.api_key:
        bearer = f"Bearer {spec.api_key}"
        settings = replace(settings, authorization=lambda: bearer)
    if spec.ca_cert is not None:
        settings = replace(settings, ca_file=spec.ca_cert)
    if spec.client_cert is not None:
        settings = replace(settings, cert_file=spec.client_cert, key_file=spec.client_key)
    if spec.validate_certs is not None:
        settings = replace(settings, verify=spec.validate_certs)
    return settings, named


def _service_account(pod: Pod) -> Settings:
    named = "the pod's service account"
    if not pod.ca_file.is_file():
        raise InputError(
            named, "reading its CA", f"{pod.ca_file} is missing", "Check how the pod mounts its token and CA."
        )
    host, port = pod.environment[_HOST], pod.environment.get(_PORT) or "443"
    return Settings(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        ca_file=pod.ca_file,
        authorization=TokenFile(pod.token_file, named),
    )


def _server(host: str) -> str:
    parts = urlsplit(host)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query:
        raise _refused(
            "the server's address is not a plain http or https URL",
            "Write it like https://api.example.com:6443.",
        )
    return host.rstrip("/")


def _tls(settings: Settings, named: str) -> ssl.SSLContext | None:
    if not settings.server.startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        # Python 3.13 turns this on; many a cluster's own CA lacks the extensions, and kubectl does not ask for them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not settings.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        if settings.cert_file is not None:
            # With a password, OpenSSL does not ask for one at the terminal.
            context.load_cert_chain(settings.cert_file, settings.key_file, password="")
    except (OSError, ValueError) as exc:
        raise InputError(
            named,
            "loading the CA and client certificates",
            "a file is missing, or is not a certificate or an unencrypted key in PEM",
            "Check certificate-authority, client-certificate and client-key, or ca_cert, client_cert and client_key.",
        ) from exc
    return context


def _authorization(settings: Settings) -> Callable[[], str]:
    """Return a function that gives the header's value for a request, called once now to find what is wrong at once."""

    def fresh() -> str:
        return _header(settings.authorization().strip(), "the token")

    fresh()
    return fresh


def _impersonation(spec: ConnectionSpec) -> tuple[tuple[str, str], ...]:
    if spec.impersonate_user is None:
        return ()
    user = ("Impersonate-User", _header(spec.impersonate_user, "impersonate_user"))
    groups = (
        ("Impersonate-Group", _header(group, "impersonate_groups")) for group in spec.impersonate_groups
    )
    return (user, *groups)


def _header(value: str, what: str) -> str:
    if not (value.isascii() and (value.isprintable() or not value)):
        raise _refused(f"{what} has a character that cannot stand in a header", "Correct it.")
    return value


def _proxy(spec: ConnectionSpec, settings: Settings) -> str:
    """Return the proxy's URL, or empty. One that is named is used; the environment's not for loopback nor NO_PROXY."""
    url = spec.proxy or settings.proxy or _environment_proxy(settings.server)
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise _refused(
            "the proxy is not an http or https URL", "Write it like http://proxy.example.com:3128."
        )
    return url


def _environment_proxy(server: str) -> str:
    parts, proxies = urlsplit(server), getproxies()
    if is_loopback(server) or proxy_bypass_environment(parts.netloc, proxies):
        return ""
    return proxies.get(parts.scheme) or proxies.get("all") or ""
