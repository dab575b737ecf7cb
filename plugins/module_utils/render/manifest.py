# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents to manifests: what every object must have, what is never sent, and what is refused here because the API
server would answer it late or with an unclear message.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..model.errors import RenderError, printable
from ..model.objects import Body, Manifest, ObjectRef, Origin, ref_of
from .bounds.limits import MAX_DEPTH, Meter
from .encoded_data import with_encoded_data
from .location import Location
from .other_tools import what_else
from .yaml.documents import Document, read_documents

APPLYSET_PREFIX = "applyset.kubernetes.io/"
# What the API server writes and an export brings along.
_SERVER_METADATA = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
_API_VERSION = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/)?[a-z0-9][a-z0-9-]*")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_TYPE_WORDS = {
    dict: "a map",
    list: "a list",
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}


def parse_manifests(
    data: bytes, *, file: str, meter: Meter, origin_of: Callable[[Any], Origin] | None = None
) -> tuple[Manifest, ...]:
    """Return the manifests of one file in order, Lists taken apart, empty documents left out.

    `origin_of` says where an object was really written, for text that a program made. Raises RenderError with file
    and line for what is not an object that can be applied.
    """
    return tuple(
        _manifest(value, Location(meter.subject, origin_of(value) if origin_of else Origin(file, line)))
        for document in read_documents(data, file=file, meter=meter)
        for value, line in _objects(document, Location(meter.subject, Origin(file, document.line)))
    )


def reject_duplicates(manifests: Iterable[Manifest], *, subject: str) -> None:
    """Raise RenderError, naming both origins, where two manifests have one identity.

    The API version is no part of it. Call it again once default namespaces are filled in.
    """
    seen: dict[ObjectRef, Origin] = {}
    for manifest in manifests:
        first = seen.get(manifest.ref)
        if first is not None:
            raise RenderError(
                subject,
                f"reading {manifest.origin}",
                f"{manifest.ref} is written twice, first in {first}",
                "Keep one of the two.",
            )
        seen[manifest.ref] = manifest.origin


def _type_words(value: Any) -> str:
    return "missing" if value is None else _TYPE_WORDS.get(type(value), "something else")


def _objects(document: Document, location: Location) -> Iterator[tuple[Any, int]]:
    """Yield the objects of a document with their lines; of a List its items, also of Lists in Lists."""
    waiting = deque([(document.value, document.line, 0)])
    lines = document.item_lines
    while waiting:
        value, line, depth = waiting.popleft()
        if not _is_list(value):
            yield value, line
            continue
        items = value.get("items") or []
        if not isinstance(items, list) or depth > MAX_DEPTH:
            raise location.error(f"items of {value['kind']} is {_type_words(items)}, not a list")
        known = lines if depth == 0 and len(lines) == len(items) else (line,) * len(items)
        inner = [(item, at, depth + 1) for item, at in zip(items, known, strict=True)]
        waiting.extendleft(reversed(inner))


def _is_list(value: Any) -> bool:
    """`kind: List`, and each other kind ending in List that has items: what kubectl takes apart."""
    kind = value.get("kind") if isinstance(value, dict) else None
    return kind == "List" or (
        isinstance(kind, str) and kind.endswith("List") and isinstance(value.get("items"), list)
    )


def _manifest(value: Any, location: Location) -> Manifest:
    if not isinstance(value, dict):
        raise location.error(
            f"the document is {_type_words(value)}, not an object with apiVersion, kind and metadata",
            "Keep files that are no manifests out of the app's path.",
        )
    if "sops" in value:
        raise location.error(
            "the document is encrypted with SOPS, and decryption is not supported yet",
            "Take it out of the app's path; ciphertext is not applied.",
        )
    _check_type(value, location)
    metadata = _checked_metadata(value, location)
    body = {key: part for key, part in value.items() if key != "status"} | {"metadata": metadata}
    return Manifest.of(with_encoded_data(body, str(ref_of(body)), location), location.origin)


def _check_type(value: Body, location: Location) -> None:
    for field, pattern in (("apiVersion", _API_VERSION), ("kind", _KIND)):
        text = value.get(field)
        if not isinstance(text, str) or not text:
            what, next_step = what_else(value, location.origin.file)
            raise location.error(
                f"the document's {field} is {_type_words(text or None)}, so it is no Kubernetes object"
                f"{': ' if what else ''}{what}",
                next_step or "Keep files that are no manifests out of the app's path.",
            )
        if not pattern.fullmatch(text):
            raise location.error(f"{printable(text, 80)!r} cannot be an object's {field}")


def _checked_metadata(value: Body, location: Location) -> dict[str, Any]:
    kind, metadata = value["kind"], value.get("metadata")
    if not isinstance(metadata, dict):
        raise location.error(f"metadata of this {kind} is {_type_words(metadata)}, not a map with a name")
    if metadata.get("generateName") and not metadata.get("name"):
        raise location.error(
            f"this {kind} has generateName, which makes another object on every run",
            "Give it a metadata.name.",
        )
    _check_name(metadata.get("name") or None, f"metadata.name of this {kind}", location)
    named = f"{kind} {metadata['name']}"
    if metadata.get("namespace"):
        _check_name(metadata["namespace"], f"metadata.namespace of {named}", location)
    elif metadata.get("namespace") not in ("", None):
        raise location.error(
            f"metadata.namespace of {named} is {_type_words(metadata['namespace'])}, not text"
        )
    for field in ("labels", "annotations"):
        _check_texts(metadata.get(field), field, named, location)
    dropped = _SERVER_METADATA if metadata.get("namespace") else _SERVER_METADATA | {"namespace"}
    return {key: part for key, part in metadata.items() if key not in dropped}


def _check_name(name: Any, what: str, location: Location) -> None:
    """Check that a name can be a segment of a URL's path; finer rules are the API server's."""
    if name is None:
        raise location.error(f"{what} is missing", "Add it.")
    if not isinstance(name, str):
        raise location.error(f"{what} is {_type_words(name)}, not text", "Quote it.")
    if (
        name in (".", "..")
        or any(c in "/%" or not c.isprintable() or c.isspace() for c in name)
        or len(name) > 253
    ):
        raise location.error(f"{printable(name, 80)!r} cannot be {what}")


def _check_texts(texts: Any, field: str, named: str, location: Location) -> None:
    if texts is None:
        return
    if not isinstance(texts, Mapping):
        raise location.error(f"metadata.{field} of {named} is {_type_words(texts)}, not a map")
    for key, text in texts.items():
        if key.startswith(APPLYSET_PREFIX):
            raise location.error(
                f"{named} has {printable(key, 120)!r} in its {field}, which says who owns an object and is not for Git",
                "Remove it.",
            )
        if text is not None and not isinstance(text, str):
            raise location.error(
                f"{printable(key, 120)!r} in the {field} of {named} is {_type_words(text)}", "Quote it."
            )
