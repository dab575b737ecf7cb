# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How etcd, the API server, the controllers and the scheduler are started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from plumb_sandbox.cluster.pki import Pki
from plumb_sandbox.cluster.users import CONTROLLER_MANAGER, KWOK, SCHEDULER, kubeconfig_path, token_file
from plumb_sandbox.layout import Layout

PORTS = ("etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "forge")
SERVICE_RANGE = "10.96.0.0/16"

# Everything but the stages before the answer and the probes; Metadata never carries a Secret's value.
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    nonResourceURLs: ["/livez*", "/readyz*", "/healthz*"]
  - level: Metadata
"""


def server_url(ports: Mapping[str, int]) -> str:
    """Return the API server's address."""
    return f"https://127.0.0.1:{ports['kube-apiserver']}"


def etcd_arguments(layout: Layout, pki: Pki, ports: Mapping[str, int]) -> list[str]:
    """Return etcd's arguments: only for holders of a certificate of ours, and without fsync."""
    client = f"https://127.0.0.1:{ports['etcd']}"
    peer = f"https://127.0.0.1:{ports['etcd-peer']}"
    trust = [
        f"--{side}{option}"
        for side in ("", "peer-")
        for option in (
            f"trusted-ca-file={pki.ca_cert}",
            f"cert-file={pki.cert}",
            f"key-file={pki.key}",
            "client-cert-auth=true",
        )
    ]
    return [
        "--name=sandbox",
        f"--data-dir={layout.root / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=sandbox={peer}",
        "--unsafe-no-fsync",
        "--initial-cluster-state=new",
        "--log-level=warn",
        *trust,
    ]


def api_server_arguments(layout: Layout, pki: Pki, ports: Mapping[str, int], policy: Path) -> list[str]:
    """Return the API server's arguments: RBAC, static tokens and client certificates, the audit log."""
    return [
        f"--etcd-servers=https://127.0.0.1:{ports['etcd']}",
        f"--etcd-cafile={pki.ca_cert}",
        f"--etcd-certfile={pki.cert}",
        f"--etcd-keyfile={pki.key}",
        "--bind-address=127.0.0.1",
        f"--secure-port={ports['kube-apiserver']}",
        "--endpoint-reconciler-type=none",  # endpoints may not be on loopback
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--tls-cert-file={pki.cert}",
        f"--tls-private-key-file={pki.key}",
        f"--client-ca-file={pki.ca_cert}",
        f"--token-auth-file={token_file(layout)}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki.service_account_key}",
        f"--service-account-signing-key-file={pki.service_account_key}",
        "--allow-privileged=true",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-mode=blocking",
        "--audit-log-maxsize=1000",
        "--profiling=false",
    ]


def controller_manager_arguments(layout: Layout, pki: Pki, ports: Mapping[str, int]) -> list[str]:
    """Return the arguments of all controllers, each with a service account of its own, as in a real cluster."""
    return [
        *_controller_arguments(layout, ports, "kube-controller-manager"),
        f"--kubeconfig={kubeconfig_path(layout, CONTROLLER_MANAGER)}",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={pki.service_account_key}",
        f"--root-ca-file={pki.ca_cert}",
        f"--cluster-signing-cert-file={pki.ca_cert}",
        f"--cluster-signing-key-file={pki.ca_key}",
    ]


def scheduler_arguments(layout: Layout, ports: Mapping[str, int]) -> list[str]:
    """Return the scheduler's arguments."""
    return [
        *_controller_arguments(layout, ports, "kube-scheduler"),
        f"--kubeconfig={kubeconfig_path(layout, SCHEDULER)}",
    ]


def kwok_arguments(layout: Layout, stages: Sequence[Path]) -> list[str]:
    """Return the arguments of kwok, which acts as the kubelet of every node by these stages; it serves nothing."""
    return [
        f"--kubeconfig={kubeconfig_path(layout, KWOK)}",
        *(f"--config={stage}" for stage in stages),
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40",
        "--node-port=0",
        "--server-address=",
    ]


def _controller_arguments(layout: Layout, ports: Mapping[str, int], name: str) -> list[str]:
    return [
        "--bind-address=127.0.0.1",
        f"--secure-port={ports[name]}",
        f"--cert-dir={layout.root / 'pki' / name}",
        "--leader-elect=false",
        "--kube-api-qps=1000",  # the default of 20 makes the start take 4 s longer
        "--kube-api-burst=1000",
        "--profiling=false",
    ]
