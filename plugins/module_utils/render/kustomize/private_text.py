# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts of a revision that no message may show, and taking them out of a message.

kustomize quotes what it could not use: a literal without `=`, a line of an env file, a whole patch.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any

from ..location import Location

_ENV_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_PLAIN_KIND = re.compile(r"[A-Za-z]+")  # a target's kind may also be a pattern
_SHORTEST = 3  # characters; what is shorter stands in every message by chance


def scalars_of(value: Any) -> set[str]:
    """Return all texts and numbers of a value, keys left out."""
    scalars: set[str] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif item is not None and not isinstance(item, bool):
            scalars.add(str(item))
    return scalars


def secret_values(value: dict[str, Any]) -> set[str]:
    """Return what a Secret holds; nothing of other kinds."""
    return content_of(value) if value.get("kind") == "Secret" else set()


def content_of(value: dict[str, Any]) -> set[str]:
    """Return all texts of an object but what it is and what it is called."""
    return scalars_of(
        {key: part for key, part in value.items() if key not in ("apiVersion", "kind", "metadata")}
    )


def patch_values(value: Any, target_kind: str) -> set[str]:
    """Return what a patch writes, where by its own kind or its target's it may be for a Secret."""
    kind = (value.get("kind") if isinstance(value, dict) else "") or target_kind
    if str(kind) != "Secret" and _PLAIN_KIND.fullmatch(str(kind)):
        return set()
    if isinstance(value, dict):
        return content_of(value)
    if isinstance(value, list):
        return scalars_of([each.get("value") if isinstance(each, dict) else each for each in value])
    return scalars_of(value)


def literal_values(literals: Iterable[Any], name: str, location: Location) -> set[str]:
    """Return the values of a generator's literals; RenderError, without the text, for one that is no `key=value`."""
    values: set[str] = set()
    for number, literal in enumerate(literals, start=1):
        key, equals, text = str(literal).partition("=")
        if not isinstance(literal, str) or not equals or not _ENV_KEY.fullmatch(key.strip("'\"")):
            raise location.error(f"{name}: literal {number} is not of the form key=value")
        values |= {text, text.strip("'\"")}
    return values


def env_values(data: bytes, location: Location) -> set[str]:
    """Return the values of an env file; RenderError, without the text, for a line that is no `key=value`.

    kustomize takes a line without `=` from its environment; here that is refused, as nothing of it may reach a cluster.
    """
    values: set[str] = set()
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), start=1):
        content = line.lstrip()
        if not content or content.startswith("#"):
            continue
        key, equals, text = content.partition("=")
        if not equals or not _ENV_KEY.fullmatch(key):
            raise location.error(f"line {number} of the env file is not of the form key=value")
        values.add(text)
    return values


def masked(message: str, private: Iterable[str]) -> str:
    """Return a message without private texts: whole, by line, quoted as Go and JSON do, and in base64."""
    words: set[str] = set()
    for text in private:
        pieces = {text, *text.splitlines()}
        pieces |= {json.dumps(piece, ensure_ascii=False)[1:-1] for piece in pieces}
        pieces.add(base64.b64encode(text.encode("utf-8", "replace")).decode())
        words |= {piece.strip() for piece in pieces if len(piece.strip()) >= _SHORTEST}
    for word in sorted((word for word in words if word in message), key=len, reverse=True):
        message = message.replace(word, "***")
    return message
