# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Secrets and ConfigMaps carry, as the API server keeps it.

`stringData` becomes `data`: the server answers with `data` only, and a field it does not keep can never be proven
equal. Bad base64 is refused here, because the server's answer to it is a permanent 500. No error carries a value.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ..model.errors import printable
from ..model.objects import Body, api_group
from .location import Location

_BASE64_FIELDS = {"Secret": "data", "ConfigMap": "binaryData"}
_TEXT_FIELDS = {"Secret": "stringData", "ConfigMap": "data"}


def with_encoded_data(body: dict[str, Any], named: str, location: Location) -> Body:
    """Return the body; of a Secret with `stringData` folded into `data` and its base64 on one line.

    Raises RenderError, naming the key and never the value, for bad base64 and for values that are not text.
    """
    kind = body["kind"]
    if api_group(body["apiVersion"]) or kind not in _TEXT_FIELDS:
        return body
    made = dict(body)
    encoded, plain = _BASE64_FIELDS[kind], _TEXT_FIELDS[kind]
    for field in (encoded, plain):
        if body.get(field) is not None:
            made[field] = _texts(body[field], f"{field} of {named}", location)
    if made.get(encoded):
        made[encoded] = {
            key: _base64(key, text, f"{encoded} of {named}", location) for key, text in made[encoded].items()
        }
    if kind == "Secret":
        folded = {
            key: base64.b64encode(text.encode()).decode()
            for key, text in (made.pop(plain, None) or {}).items()
        }
        if folded:
            made[encoded] = (made.get(encoded) or {}) | folded
    return made


def _texts(value: Any, where: str, location: Location) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise location.error(f"{where} is not a map")
    for key, text in value.items():
        if text is not None and not isinstance(text, str):
            raise location.error(f"the value of {printable(key, 100)!r} in {where} is not text", "Quote it.")
    return {key: text or "" for key, text in value.items()}


def _base64(key: str, text: str, where: str, location: Location) -> str:
    flat = text.replace("\n", "").replace("\r", "")
    try:
        base64.b64decode(flat, validate=True)
    except ValueError:
        # Not chained: the cause must not bring the value into a traceback.
        raise location.error(
            f"the value of {printable(key, 100)!r} in {where} is not valid base64",
            "Encode it; a Secret takes plain text under stringData.",
        ) from None
    return flat
