# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for reaching a cluster, documented once."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation, as Ansible looks for it."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - The kubeconfig that names the cluster.
      - Plumb never searches for one. If neither O(kubeconfig) nor O(host) is given, it must run in a pod with a service
        account.
      - If not given, the environment variable E(K8S_AUTH_KUBECONFIG) is used.
    type: path
  context:
    description:
      - The context in the kubeconfig; its C(current-context) if not given.
      - If not given, the environment variable E(K8S_AUTH_CONTEXT) is used.
    type: str
  host:
    description:
      - The URL of the API server, instead of a kubeconfig.
      - If not given, the environment variable E(K8S_AUTH_HOST) is used.
    type: str
  api_key:
    description:
      - A bearer token for the API server.
      - If not given, the environment variable E(K8S_AUTH_API_KEY) is used.
    type: str
  ca_cert:
    description:
      - The file with the certificates of the authority that signed the API server's.
      - If not given, the environment variable E(K8S_AUTH_SSL_CA_CERT) is used.
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description:
      - The file with a client certificate.
      - If not given, the environment variable E(K8S_AUTH_CERT_FILE) is used.
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - The file with the key of O(client_cert).
      - If not given, the environment variable E(K8S_AUTH_KEY_FILE) is used.
    type: path
    aliases: [key_file]
  validate_certs:
    description:
      - Whether to verify the API server's certificate. If not given, the kubeconfig decides; by default it is verified.
      - If not given, the environment variable E(K8S_AUTH_VERIFY_SSL) is used.
    type: bool
    aliases: [verify_ssl]
  proxy:
    description:
      - The URL of an HTTP proxy to the API server.
      - If not given, the environment variable E(K8S_AUTH_PROXY) is used.
    type: str
  impersonate_user:
    description:
      - The user to act as. An empty name is refused, because the API server would treat it as no impersonation.
      - If not given, the environment variable E(K8S_AUTH_IMPERSONATE_USER) is used.
    type: str
  impersonate_groups:
    description:
      - The groups to act in.
      - If not given, the environment variable E(K8S_AUTH_IMPERSONATE_GROUPS) is used.
    type: list
    elements: str
  request_timeout:
    description: How long one attempt of one request may take, from connecting to the last byte, such as V(30s).
    type: str
    default: 30s
  concurrency:
    description: How many requests may be in progress at once, from 1 to 256.
    type: int
    default: 16
"""
