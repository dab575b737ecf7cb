# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that may show nowhere, ways to find them, and Secrets that fail with such values in them."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ansible_collections.plumb.gitops.tests.support.manifests.text import manifest, secret

# Folders of a cache that hold Git's own content, Secrets included, for the user of the run alone (docs/adr/0010, 0017).
OF_GIT = frozenset({"sources", "renderings", "previews"})


@dataclass(slots=True)
class Hidden:
    """Each value given out, or added."""

    values: list[str] = field(default_factory=list)

    def value(self) -> str:
        """Return a new value that is easily found."""
        made = f"hunter-{uuid.uuid4().hex}"
        self.values.append(made)
        return made

    def shows(self, content: bytes) -> bool:
        """Return whether a value is in it, raw or in base64."""
        return any(form in content for form in self.forms())

    def forms(self) -> Sequence[bytes]:
        """Return each value raw and in base64, at any of the three offsets of its first byte."""
        forms = []
        for value in self.values:
            forms.append(value.encode())
            for shift in range(3):
                whole = base64.b64encode(b"x" * shift + value.encode())
                forms.append(whole[4 if shift else 0 : -4])
        return forms


def broken_secrets(value: Callable[[], str]) -> dict[str, str]:
    """Return Secrets that fail, each in another field, by the name of an app."""
    written = "apiVersion: v1\nkind: Secret\nmetadata: {name: written}\nstringData:\n"
    return {
        "bad-base64": manifest("v1", "Secret", "bad-base64", data={"password": f"!{value()}!"}),
        "misspelt-field": secret("misspelt-field", {"a": value()}).replace("stringData", "stringDta"),
        "unknown-field": manifest("v1", "Secret", "unknown-field", **{value(): value()}),
        "map-for-text": manifest("v1", "Secret", "map-for-text", data={"a": {value(): value()}}),
        "list-for-text": manifest("v1", "Secret", "list-for-text", stringData={"a": [value()]}),
        "text-for-map": manifest("v1", "Secret", "text-for-map", data=value()),
        "bad-key": manifest("v1", "Secret", "bad-key", stringData={"a key /": value()}),
        "bad-type": manifest(
            "v1", "Secret", "bad-type", type="kubernetes.io/tls", stringData={"tls.crt": value()}
        ),
        "no-json": manifest(
            "v1", "Secret", "no-json", type="kubernetes.io/dockerconfigjson",
            stringData={".dockerconfigjson": value()},
        ),
        "too-long": secret("too-long", {"a": value() * 30_000}),
        "bad-label": secret("bad-label", {"a": value()}, labels={"a": f"{value()} !"}),
        "no-yaml": f"{written}  password: '{value()}\n  : [",
        "twice-a-key": f"{written}  a: {value()}\n  a: {value()}\n",
        "no-name": f"{written}  a: {value()}\n".replace("name: written", ""),
        "a-tag": f"{written}  a: !{value()} {value()}\n",
        "twice-an-object": f"{written}  a: {value()}\n---\n{written}  a: {value()}\n",
    }  # fmt: skip
