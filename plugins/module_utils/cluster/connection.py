# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster, as whom: what the operator names, and the way from there to a Cluster."""

from __future__ import annotations

import os
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from ..model.errors import InputError
from .access import Access, is_loopback
from .client import Cluster
from .kubeconfig import load_kubeconfig
from .library import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    ConfigException,
    Configuration,
    InClusterConfigLoader,
    require,
    should_bypass_proxies,
    urllib3,
)
from .retry import Clock

_SUBJECT = "the connection to the cluster"
_OPERATION = "reading the connection options"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSpec:
    """The connection options, named as kubernetes.core names them. An empty text or None: not given.

    Nothing is looked for in a home folder: a cluster is named by `kubeconfig` or by `host`, or it is the one around
    this pod, if `in_cluster` allows that.
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
    impersonate_user: str | None = (
        None  # given and empty is refused: it would act with the account's own rights
    )
    impersonate_groups: tuple[str, ...] = ()
    in_cluster: bool = True  # whether a pod's service account may serve where nothing is named
    request_timeout: float = 30.0  # seconds, of one attempt
    concurrency: int = 16  # requests at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """Where a pod finds its service account."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    token_file: Path = Path(SERVICE_TOKEN_FILENAME)
    ca_file: Path = Path(SERVICE_CERT_FILENAME)

    @property
    def present(self) -> bool:
        return bool(self.environment.get(SERVICE_HOST_ENV_NAME)) and self.token_file.is_file()


def connect(spec: ConnectionSpec, *, pod: Pod | None = None, clock: Clock | None = None) -> Cluster:
    """A Cluster to be used as a context manager. No request is made yet, but a kubeconfig's own plugin runs.

    Raises InputError where the options name no cluster, contradict each other, or name what is not there.
    """
    require()
    _check(spec)
    # The package writes certificates and keys from a kubeconfig into files; they are gone when they are loaded.
    with tempfile.TemporaryDirectory(prefix="plumb-") as folder:
        configuration, named = _configuration(spec, pod or Pod(), Path(folder))
        access = Access(
            server=_server(configuration.host),
            tls=_tls(configuration, named),
            server_name=configuration.tls_server_name or "",
            authorization=_authorization(configuration, named),
            headers=_impersonation(spec),
            proxy=_proxy(spec, configuration),
            named=named,
        )
    return Cluster(
        access, request_timeout=spec.request_timeout, concurrency=spec.concurrency, clock=clock or Clock()
    )


def _refused(why: str, next_step: str) -> InputError:
    return InputError(_SUBJECT, _OPERATION, why, next_step)


def _check(spec: ConnectionSpec) -> None:
    """Refuse what contradicts itself; the first row that holds is said."""
    rows = (
        (
            spec.kubeconfig is not None and bool(spec.host),
            "both a kubeconfig and a host are named",
            "Name one of them: credentials for the one are not sent to the other.",
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


def _configuration(spec: ConnectionSpec, pod: Pod, folder: Path) -> tuple[Configuration, str]:
    """The package's Configuration, and how the operator named the cluster."""
    configuration = Configuration(proxy="")  # the environment's proxy is looked up later, as kubectl does
    if spec.kubeconfig is not None:
        path = spec.kubeconfig.expanduser()
        context = load_kubeconfig(path, spec.context, configuration, folder)
        named = f"context {context} of kubeconfig {path}"
    elif spec.host:
        configuration.host = spec.host
        named = "the host option"
    elif spec.in_cluster and pod.present:
        _load_service_account(pod, configuration)
        named = "the pod's service account"
    else:
        raise InputError(
            _SUBJECT,
            "finding the cluster",
            "no cluster is named, and this is not a pod with a service account",
            "Set kubeconfig and context (plumb_kubeconfig and plumb_context, or K8S_AUTH_KUBECONFIG) or host.",
        )
    if spec.api_key:
        configuration.api_key = {"BearerToken": f"Bearer {spec.api_key}"}
        configuration.refresh_api_key_hook = None
    if spec.ca_cert is not None:
        configuration.ssl_ca_cert = str(spec.ca_cert)
    if spec.client_cert is not None:
        configuration.cert_file, configuration.key_file = str(spec.client_cert), str(spec.client_key)
    if spec.validate_certs is not None:
        configuration.verify_ssl = spec.validate_certs
    return configuration, named


def _load_service_account(pod: Pod, configuration: Configuration) -> None:
    try:
        InClusterConfigLoader(
            token_filename=str(pod.token_file), cert_filename=str(pod.ca_file), environ=pod.environment
        ).load_and_set(configuration)
    except (ConfigException, OSError) as exc:
        raise InputError(
            "the pod's service account",
            "reading its token and CA",
            str(exc),
            "Check how the pod mounts them.",
        ) from exc


def _server(host: str) -> str:
    parts = urlsplit(host)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise _refused(
            "the server's address is not a plain http or https URL",
            "Write it like https://api.example.com:6443.",
        )
    return host.rstrip("/")


def _tls(configuration: Configuration, named: str) -> ssl.SSLContext | None:
    if not configuration.host.startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
        # Python 3.13 turns this on; many a cluster's own CA lacks the extensions, and kubectl does not ask for them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not configuration.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        if configuration.cert_file:
            # With a password given, OpenSSL does not ask for one at the terminal.
            context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    except (OSError, ValueError) as exc:
        raise InputError(
            named,
            "loading the CA and client certificates",
            "a file is missing, or is not a certificate or an unencrypted key in PEM",
            "Check certificate-authority, client-certificate and client-key, or ca_cert, client_cert and client_key.",
        ) from exc
    return context


def _authorization(configuration: Configuration, named: str) -> Callable[[], str]:
    """What gives the header's value for each request: the package reads a token anew when it is due."""
    lock = threading.Lock()

    def fresh() -> str:
        try:
            with lock:
                value = configuration.get_api_key_with_prefix("BearerToken") or ""
        except (ConfigException, OSError, ValueError) as exc:
            raise InputError(
                named,
                "renewing the credentials",
                "the token cannot be read any more",
                "Restore it, and run again.",
            ) from exc
        # A token file ends with a line break.
        return _header(value.strip(), "the token")

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


def _proxy(spec: ConnectionSpec, configuration: Configuration) -> str:
    """The proxy's URL, or empty. One that is named is used; the environment's not for loopback nor NO_PROXY."""
    url = spec.proxy or configuration.proxy or _environment_proxy(configuration)
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise _refused(
            "the proxy is not an http or https URL", "Write it like http://proxy.example.com:3128."
        )
    return url


def _environment_proxy(configuration: Configuration) -> str:
    proxies = getproxies()
    if is_loopback(configuration.host) or should_bypass_proxies(configuration.host, proxies.get("no", "")):
        return ""
    return proxies.get(urlsplit(configuration.host).scheme) or proxies.get("all") or ""
