# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real admission webhook: a TLS server that the API server asks about objects labelled `reviewed`."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest
from ansible_collections.plumb.gitops.tests.support.tls.authority import Authority

REVIEWED = {"reviewed": "yes"}
_PROBE = "plumb-webhook-probe"
_DEADLINE = 30  # seconds until the API server has to have noticed a configuration
Review = Callable[[Mapping[str, Any]], Mapping[str, Any]]  # an AdmissionRequest to the rest of its response


def admit(_request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Admit every object."""
    return {"allowed": True}


def deny(why: str) -> Review:
    """Refuse every object but the one that tests whether the webhook is asked at all."""
    return lambda _request: {"allowed": False, "status": {"code": 403, "message": why}}


def patch(operations: Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]]) -> Review:
    """Change objects by a JSON patch that depends on them."""

    def patched(request: Mapping[str, Any]) -> Mapping[str, Any]:
        made = json.dumps(list(operations(request["object"])))
        return {
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": base64.b64encode(made.encode()).decode(),
        }

    return patched


@dataclass(slots=True)
class Webhook:
    """A running webhook; `review` decides, and `down` cuts every connection before it is read."""

    port: int
    certificate: str  # of its authority, PEM
    review: Review = admit
    down: bool = False
    asked: list[str] = field(default_factory=list)  # the names of the objects, in order

    def client_config(self) -> dict[str, str]:
        """Return how the API server reaches it."""
        bundle = base64.b64encode(self.certificate.encode()).decode()
        return {"url": f"https://127.0.0.1:{self.port}/review", "caBundle": bundle}


@contextmanager
def webhook_server(folder: Path) -> Iterator[Webhook]:
    """Yield a webhook on loopback, with an authority of its own in `folder` (which must not exist yet)."""
    authority = Authority(folder)

    class WebhookHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = asked["request"]
            hook.asked.append(request["name"])
            if hook.down:
                self.close_connection = True
                return
            answer = {**asked, "response": {"uid": request["uid"], **hook.review(request)}}
            del answer["request"]
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of http.server
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), WebhookHandler) as server:
        hook = Webhook(int(server.server_address[1]), authority.certificate.read_text(encoding="utf-8"))
        tls = authority.server_context("127.0.0.1")
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()


@contextmanager
def configured(hook: Webhook, kind: str, kubectl: Kubectl, namespace: str) -> Iterator[None]:
    """Have the API server ask the webhook (`kind` is Validating or Mutating) about labelled objects of a namespace.

    Enters when it does ask. The configuration is taken away again in any case.
    """
    plural = f"{kind.lower()}webhookconfigurations"
    group = "admissionregistration.k8s.io/v1"
    rules = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["CREATE", "UPDATE"]}
    webhook = {
        "name": "review.plumb.example",
        "clientConfig": hook.client_config(),
        "rules": [rules],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "objectSelector": {"matchLabels": REVIEWED},
    }
    try:
        kubectl.apply(manifest(group, f"{kind}WebhookConfiguration", namespace, webhooks=[webhook]))
        _wait_until_asked(hook, kubectl, namespace)
        yield
    finally:
        kubectl("delete", plural, namespace, "--ignore-not-found")


def _wait_until_asked(hook: Webhook, kubectl: Kubectl, namespace: str) -> None:
    probe = config_map(_PROBE, labels=REVIEWED)
    review, hook.review = hook.review, admit
    until = time.monotonic() + _DEADLINE
    while _PROBE not in hook.asked:
        assert time.monotonic() < until, "the API server does not ask the webhook"
        kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=probe)
    hook.asked.clear()
    hook.review = review
