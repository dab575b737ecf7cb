# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Push images without content to a registry by plain HTTP, as the OCI distribution specification has it."""

from __future__ import annotations

import hashlib
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from plumb_sandbox.errors import SandboxError

_OCI = "application/vnd.oci.image"


@dataclass(frozen=True, slots=True)
class ImagePusher:
    """Pushes images as CI does, which builds and knows nothing of Git."""

    url: str  # of the registry
    authorization: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None

    def push(
        self,
        repository: str,
        tag: str,
        *,
        created: str = "2026-11-01T12:00:00Z",
        platforms: Iterable[str] = (),
        label: str = "",
    ) -> str:
        """Push an image, or with platforms an index of one for each; return the digest."""
        children = []
        for platform in tuple(platforms) or ("linux/amd64",):
            system, architecture = platform.split("/")
            config = {
                "os": system,
                "architecture": architecture,
                "created": created,
                "config": {"Labels": {"l": label}},
            }
            raw = json.dumps({**config, "rootfs": {"type": "layers", "diff_ids": []}}).encode()
            manifest = {
                "schemaVersion": 2,
                "mediaType": f"{_OCI}.manifest.v1+json",
                "config": {
                    "mediaType": f"{_OCI}.config.v1+json",
                    "digest": self._blob(repository, raw),
                    "size": len(raw),
                },
                "layers": [],
            }
            reference = tag if not platforms else ""
            digest, size = self._manifest(repository, reference, manifest)
            children.append(
                {
                    "mediaType": manifest["mediaType"],
                    "digest": digest,
                    "size": size,
                    "platform": {"os": system, "architecture": architecture},
                }
            )
        if not platforms:
            return str(children[0]["digest"])
        index = {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": children}
        return self._manifest(repository, tag, index)[0]

    def _blob(self, repository: str, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        location = self._send("POST", f"{self.url}/v2/{repository}/blobs/uploads/", b"")
        sign = "&" if "?" in location else "?"
        self._send("PUT", f"{urljoin(self.url, location)}{sign}digest={digest}", content)
        return digest

    def _manifest(self, repository: str, reference: str, content: Any) -> tuple[str, int]:
        raw = json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        self._send(
            "PUT", f"{self.url}/v2/{repository}/manifests/{reference or digest}", raw, content["mediaType"]
        )
        return digest, len(raw)

    def _send(self, method: str, address: str, body: bytes, kind: str = "application/octet-stream") -> str:
        headers = {
            "Content-Type": kind,
            **({"Authorization": self.authorization} if self.authorization else {}),
        }
        request = urllib.request.Request(address, data=body, headers=headers, method=method)  # noqa: S310 - a registry's own address
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.tls) as answer:  # noqa: S310
                return str(answer.headers.get("Location", ""))
        except urllib.error.HTTPError as error:
            message = error.read()[:500].decode(errors="replace")
            raise _refused(method, address, f"{error.code} {message}") from error
        except OSError as error:
            raise _refused(method, address, str(error)) from error


def _refused(method: str, address: str, why: str) -> SandboxError:
    return SandboxError(f"{method} {address}", why, "See that the registry runs, and who may push there.")
