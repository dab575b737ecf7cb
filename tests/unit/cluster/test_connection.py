# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster the options come to, as whom, and what is refused."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.plumb.gitops.plugins.module_utils.cluster import errors
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import (
    ConnectionSpec,
    Pod,
    connect,
)
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.credentials import (
    connection_settings as settings,
)
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.credentials import kubeconfig
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

NOWHERE = Pod(environment={})


@pytest.fixture
def write_kubeconfig(tmp_path, server):
    """Write a kubeconfig of the fake server; keywords go into its user or, as `cluster`, its cluster."""

    def write(*, cluster=None, contexts=("prod", "stage"), current="prod", **user):
        path = tmp_path / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server.url, **(cluster or {})}}],
            "users": [{"name": "u", "user": user or {"token": "sesame"}}],
            "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in contexts],
        }
        if current:
            config["current-context"] = current
        path.write_text(yaml.safe_dump(config))
        return path

    return write


@pytest.fixture
def headers(server, says):
    """The headers that a first request with these options carries."""

    def ask(spec, pod=NOWHERE):
        server.says(says(body={"gitVersion": "v1"}))
        with connect(spec, pod=pod) as cluster:
            cluster.version()
        return server.seen[-1]

    return ask


def refusal(spec, pod=NOWHERE):
    with pytest.raises(InputError) as caught:
        connect(spec, pod=pod)
    return str(caught.value)


def test_a_kubeconfig_is_used_with_its_current_context(headers, write_kubeconfig):
    assert headers(ConnectionSpec(kubeconfig=write_kubeconfig())).headers["Authorization"] == "Bearer sesame"


def test_a_token_file_is_read_without_its_line_break(headers, write_kubeconfig, tmp_path):
    (tmp_path / "token").write_text("from-file\n")
    path = write_kubeconfig(tokenFile="token")
    assert headers(ConnectionSpec(kubeconfig=path)).headers["Authorization"] == "Bearer from-file"


def test_an_api_key_replaces_the_kubeconfigs_credentials(headers, write_kubeconfig):
    spec = ConnectionSpec(kubeconfig=write_kubeconfig(), context="stage", api_key="other")
    assert headers(spec).headers["Authorization"] == "Bearer other"


def test_a_plugin_of_the_operators_own_gives_a_token(headers, write_kubeconfig):
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "made"},
    }
    plugin = {"apiVersion": credential["apiVersion"], "command": "echo", "args": [json.dumps(credential)]}
    assert (
        headers(ConnectionSpec(kubeconfig=write_kubeconfig(exec=plugin))).headers["Authorization"]
        == "Bearer made"
    )


@pytest.mark.parametrize("command", ["false", "/no/such/plugin"])
def test_a_plugin_that_fails_is_named_and_nobody_goes_on_anonymously(write_kubeconfig, command):
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": command}
    message = refusal(ConnectionSpec(kubeconfig=write_kubeconfig(exec=plugin)))
    assert "its credential plugin failed" in message


def test_a_plugin_that_hangs_is_not_waited_for(write_kubeconfig, monkeypatch):
    monkeypatch.setattr(kubeconfig, "PLUGIN_TIMEOUT", 0.05)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["2"]}
    assert "did not answer within" in refusal(ConnectionSpec(kubeconfig=write_kubeconfig(exec=plugin)))


def test_impersonation_is_sent(headers, server):
    spec = ConnectionSpec(
        host=server.url, impersonate_user="system:serviceaccount:shop:plumb", impersonate_groups=("a", "b")
    )
    seen = headers(spec)
    assert seen.headers["Impersonate-User"] == "system:serviceaccount:shop:plumb"
    assert seen.groups == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"impersonate_user": ""}, "impersonate_user is empty"),
        ({"impersonate_user": " "}, "impersonate_user is empty"),
        ({"impersonate_user": "u", "impersonate_groups": ("a", "")}, "impersonate_groups has an empty name"),
        ({"impersonate_groups": ("a",)}, "without impersonate_user"),
        ({"impersonate_user": "u\r\nX-Evil: 1"}, "cannot stand in a header"),
        ({"api_key": "to\nken"}, "cannot stand in a header"),
        ({"context": "prod"}, "a context is named, but no kubeconfig"),
        ({"kubeconfig": Path("/k")}, "both a kubeconfig and a host"),
        ({"client_cert": Path("/c")}, "only one of client_cert and client_key"),
        ({"proxy": "socks5://user:hunter2@proxy"}, "the proxy is not an http"),
        ({"request_timeout": 0}, "request_timeout"),
        ({"concurrency": 0}, "concurrency"),
        ({"host": "ftp://x"}, "not a plain http or https URL"),
        ({"host": "api.example.com"}, "not a plain http or https URL"),
        ({"host": "https://user:hunter2@x"}, "not a plain http or https URL"),
        ({"host": "https://x", "ca_cert": Path("/no/such")}, "a file is missing"),
    ],
)
def test_what_contradicts_itself_is_refused(options, expected):
    message = refusal(ConnectionSpec(**{"host": "http://127.0.0.1:1", **options}))
    assert expected in message
    assert "hunter2" not in message


def test_no_cluster_is_guessed(monkeypatch, tmp_path, write_kubeconfig):
    home = tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    write_kubeconfig().rename(home / ".kube" / "config")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KUBECONFIG", str(home / ".kube" / "config"))
    message = refusal(ConnectionSpec())
    assert "no cluster is named" in message
    assert "plumb_kubeconfig" in message


def test_a_pods_service_account_serves_where_nothing_is_named(tmp_path, certificate):
    token = tmp_path / "token"
    token.write_text("from-pod\n")
    environment = {"KUBERNETES_SERVICE_HOST": "::1", "KUBERNETES_SERVICE_PORT": "443"}
    pod = Pod(environment=environment, token_file=token, ca_file=certificate.ca)
    with connect(ConnectionSpec(), pod=pod) as cluster:
        assert cluster.server == "[::1]:443"
        assert cluster.named == "the pod's service account"
    assert "no cluster is named" in refusal(ConnectionSpec(in_cluster=False), pod)
    token.write_text("")
    assert "service account" in refusal(ConnectionSpec(), pod)
    token.unlink()
    assert "no cluster is named" in refusal(ConnectionSpec(), pod)


def test_a_missing_context_names_the_nearest(write_kubeconfig):
    message = refusal(ConnectionSpec(kubeconfig=write_kubeconfig(), context="stagging"))
    assert "context 'stagging' is not in it; it has prod, stage." in message
    assert "for example to 'stage'" in message


def test_without_a_context_nothing_is_chosen(write_kubeconfig):
    assert "no context is named" in refusal(ConnectionSpec(kubeconfig=write_kubeconfig(current="")))


CONTEXT = "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
CLUSTER = (
    f"{CONTEXT}clusters: [{{name: c, cluster: {{server: 'https://x', certificate-authority: /no/such}}}}]\n"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "there is no such file"),
        ("", "it has no list of contexts"),
        ("- hunter2", "it has no list of contexts"),
        ("a: b\ntoken: {hunter2", "it is not valid YAML at line 2"),
        ("\x00hunter2", "it is not valid YAML"),
        ("contexts: [3, {name: a}]", "it has no others"),
        (CONTEXT, "is not among its clusters"),
        (
            f"{CONTEXT}clusters: [{{name: c, cluster: {{x: 1}}}}]\nusers: [{{name: u, user: {{}}}}]",
            "has no server",
        ),
        (CLUSTER, "is not among its users"),
        (
            f"{CLUSTER}users: [{{name: u, user: {{token: hunter2}}}}]",
            "certificate-authority: there is no file /no/such",
        ),
        (
            f"{CLUSTER}users: [{{name: u, user: {{tokenFile: /no/such/token}}}}]".replace(
                ", certificate-authority: /no/such", ""
            ),
            "/no/such/token: No such file",
        ),
        (
            f"{CLUSTER}users: [{{name: u, user: {{token: hunter2}}}}]".replace("/no/such", "[5]"),
            "certificate-authority is no text",
        ),
    ],
)
def test_a_broken_kubeconfig_is_named_and_not_quoted(tmp_path, text, expected):
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    message = refusal(ConnectionSpec(kubeconfig=path))
    assert expected in message
    assert str(path) in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"as": "admin"}, "acts as somebody else"),
        ({"client-certificate": "kubeconfig"}, "only one of client-certificate and client-key"),
        ({"client-certificate-data": "hunter2!"}, "client-certificate-data is not base64"),
        ({"tokenFile": "empty"}, "the file is empty"),
    ],
)
def test_a_user_that_cannot_serve_is_named(write_kubeconfig, tmp_path, user, expected):
    (tmp_path / "empty").touch()
    message = refusal(ConnectionSpec(kubeconfig=write_kubeconfig(**user)))
    assert expected in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ({"username": "u", "password": "p"}, "Basic dTpw"),
        ({"token": "old", "tokenFile": "fresh"}, "Bearer from-file"),
    ],
)
def test_credentials_are_read_by_kubectls_rules(headers, write_kubeconfig, tmp_path, user, sent):
    (tmp_path / "fresh").write_text("from-file")
    assert headers(ConnectionSpec(kubeconfig=write_kubeconfig(**user))).headers["Authorization"] == sent


def test_a_renewed_token_file_is_taken_up(server, says, write_kubeconfig, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "TOKEN_FRESH", 0.0)
    (tmp_path / "token").write_text("first")
    server.answer = lambda _: says(body={"gitVersion": "v1"})
    with connect(ConnectionSpec(kubeconfig=write_kubeconfig(tokenFile="token"))) as cluster:
        for token in ("first", "second"):
            (tmp_path / "token").write_text(token)
            cluster.version()
            assert server.seen[-1].headers["Authorization"] == f"Bearer {token}"


def test_only_a_plugin_needs_the_kubernetes_package(write_kubeconfig):
    program = (
        "import sys; sys.modules['kubernetes'] = None; from pathlib import Path\n"
        "from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect\n"
        "connect(ConnectionSpec(kubeconfig=Path(sys.argv[1])))\n"
    )
    for user, status in (({"token": "sesame"}, 0), ({"exec": {"command": "true"}}, 1)):
        path = write_kubeconfig(**user)
        done = subprocess.run(
            [sys.executable, "-c", program, path], capture_output=True, text=True, check=False
        )
        assert done.returncode == status
        assert ("requirements-plugins.txt" in done.stderr) is bool(status)


def test_credentials_do_not_show_in_the_specs_text():
    spec = ConnectionSpec(host="https://x", api_key="hunter2", proxy="http://u:hunter2@p")
    assert "hunter2" not in repr(spec)


@pytest.mark.parametrize(("no_proxy", "proxied"), [("", True), ("fake.example", False), (".example", False)])
def test_the_environments_proxy_is_used_as_kubectl_does(
    headers, server, says, monkeypatch, no_proxy, proxied
):
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//user:word@"))
    monkeypatch.setenv("no_proxy", no_proxy)
    # Loopback is never sent to a proxy of the environment.
    assert headers(ConnectionSpec(host=server.url)).path == "/version"
    assert "proxy-authorization" not in server.seen[-1].headers
    server.says(says(body={"gitVersion": "v1"}))
    spec = ConnectionSpec(host="http://fake.example:9", request_timeout=1)
    with (
        connect(spec, pod=NOWHERE) as cluster,
        contextlib.suppress(errors.Unreachable),
        cluster.deadline(0.5),
    ):
        cluster.version()
    assert ("proxy-authorization" in server.seen[-1].headers) is proxied
    # Over a network answers are compressed, on loopback that costs more than it saves.
    assert server.seen[-1].headers["Accept-Encoding"] == ("gzip" if proxied else "identity")


def test_a_certificate_of_an_unknown_ca_is_named(tls_server, certificate, says):
    tls_server.answer = lambda _: says(body={"gitVersion": "v1"})
    unknown = pytest.raises(errors.Unreachable, match=r"does not verify: .*Name the CA")
    with connect(ConnectionSpec(host=tls_server.url)) as cluster, unknown:
        cluster.version()
    for options in ({"ca_cert": certificate.ca}, {"validate_certs": False}):
        with connect(ConnectionSpec(host=tls_server.url, **options)) as cluster:
            assert cluster.version() == "v1"


def test_a_certificate_of_another_name_needs_that_name(tls_server, certificate, says, write_kubeconfig):
    tls_server.answer = lambda _: says(body={"gitVersion": "v1"})
    trust = {
        "server": tls_server.url.replace("127.0.0.1", "localhost"),
        "certificate-authority": str(certificate.ca),
    }
    other = pytest.raises(errors.Unreachable, match="does not verify")
    with connect(ConnectionSpec(kubeconfig=write_kubeconfig(cluster=trust))) as cluster, other:
        cluster.version()
    named = write_kubeconfig(cluster={**trust, "tls-server-name": "api.test"})
    with connect(ConnectionSpec(kubeconfig=named)) as cluster:
        assert cluster.version() == "v1"


def test_client_certificates_of_a_kubeconfig_leave_no_file_behind(
    tls_server, certificate, says, write_kubeconfig, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    tls_server.answer = lambda _: says(body={"gitVersion": "v1"})
    path = write_kubeconfig(
        cluster={"server": tls_server.url, "certificate-authority-data": certificate.data(certificate.ca)},
        **{
            "client-certificate-data": certificate.data(certificate.cert),
            "client-key-data": certificate.data(certificate.key),
        },
    )
    for _ in range(2):  # nothing of the first may be needed
        with connect(ConnectionSpec(kubeconfig=path)) as cluster:
            assert cluster.version() == "v1"
        assert list((tmp_path / "temporary").iterdir()) == []


def test_plain_http_to_tls_and_tls_to_plain_http_are_errors(server, tls_server, pauses):
    for host in (tls_server.url.replace("https", "http"), server.url.replace("http", "https")):
        spec = ConnectionSpec(host=host, validate_certs=False)
        with connect(spec, clock=pauses.clock()) as cluster, pytest.raises(errors.RequestError):
            cluster.version()


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("sys.modules['urllib3'] = None", "urllib3 cannot be imported. Install what .* requirements.txt"),
        ("sys.modules['httptools'] = None", "httptools cannot be imported. Install what .* requirements.txt"),
        (
            "import urllib3; del urllib3.BaseHTTPResponse",
            r"urllib3 \S+ is too old. Install what .*requirements.txt",
        ),
        (
            "import urllib3.connection; urllib3.connection.HTTPConnection = type('HTTPConnection', (), {})",
            r"urllib3-future has replaced urllib3 \(.*pip uninstall -y urllib3-future",
        ),
    ],
)
def test_a_package_that_is_missing_or_another_one_is_named(before: str, expected: str) -> None:
    """urllib3-future, which niquests brings, writes itself over urllib3: the same names on other connections."""
    program = (
        f"import sys; {before}\n"
        "from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect\n"
        "from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError\n"
        "try: connect(ConnectionSpec(host='https://127.0.0.1:1'))\n"
        "except InputError as exc: print(exc)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert re.search(expected, done.stdout), done.stdout
