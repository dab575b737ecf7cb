# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fields an object was last applied with, remembered in an annotation on it: paths, never values.

Our entry in managedFields loses a field as soon as somebody else changes it, so it cannot tell later that the field was
Git's. The annotation is trusted only while our own entry owns it: whoever edits it takes it from us (ADR 0020).
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from ...model.objects import Body
from ...model.well_known import PART_OF
from .fieldset import FieldSet, Path, owns_exactly
from .managed_fields import DIGEST, Owner, our_entry, owners
from .structure import content_of, fields_of, shape_of

ANNOTATION = "plumb.gitops/applied-fields"
ANNOTATION_PATH: Path = ("f:metadata", "f:annotations", f"f:{ANNOTATION}")

_PACKED = "z"  # begins a text that is compressed; JSON begins with a brace
_COMPRESS_ABOVE = 256  # bytes; below, compressing is not worth it
_MOST_TEXT = 8 * 1024  # bytes of the annotation: an object with more fields has none
_MOST_JSON = 128 * 1024  # bytes that a compressed one may come to
_MOST_ANNOTATIONS = 200 * 1024  # bytes of all annotations up to which one is added; the server takes 256 KiB
_JSON = json.JSONEncoder(separators=(",", ":"), sort_keys=True)
_OWN = (ANNOTATION, DIGEST)


def with_applied_fields(body: Body, live: Body | None) -> Body:
    """Return the body as it is written: with the annotation that names its fields, where these are few enough."""
    annotations: Mapping[str, Any] = body["metadata"].get("annotations") or {}
    shape = shape_of(owner.fields for owner in owners(live)) if live is not None else None
    text = encode(fields_of(_git_content(body), shape))
    others = {name: value for name, value in annotations.items() if name != ANNOTATION}
    if not text or sum(len(str(value)) for value in others.values()) > _MOST_ANNOTATIONS:
        return _with_annotations(body, others)
    return _with_annotations(body, {**others, ANNOTATION: text})


def as_recorded(body: Body, live: Body) -> Body:
    """Return the body as it is compared with a live object: with the live annotation, if that is ours.

    One that somebody edited is written anew. An object without one gets it when its manifest is applied next.
    """
    live_annotations: Mapping[str, Any] = live["metadata"].get("annotations") or {}
    if ANNOTATION not in live_annotations:
        return body
    entry = our_entry(owners(live))
    if entry is None or not owns_exactly(entry.fields, ANNOTATION_PATH):
        return with_applied_fields(body, live)
    annotations: Mapping[str, Any] = body["metadata"].get("annotations") or {}
    return _with_annotations(body, {**annotations, ANNOTATION: live_annotations[ANNOTATION]})


def last_applied(live: Body, entry: Owner) -> FieldSet:
    """Return the fields that a live object was last applied with; none where its annotation is not to be trusted."""
    if not owns_exactly(entry.fields, ANNOTATION_PATH):
        return {}
    return decode(str((live["metadata"].get("annotations") or {}).get(ANNOTATION) or ""))


def encode(fields: FieldSet) -> str:
    """Return fields as text; empty where they are too many."""
    plain = _JSON.encode(fields)
    if len(plain) <= _COMPRESS_ABOVE:
        return plain
    if len(plain) > _MOST_JSON:
        return ""
    packed = _PACKED + b64encode(zlib.compress(plain.encode())).decode()
    return packed if len(packed) <= _MOST_TEXT else ""


def decode(text: str) -> FieldSet:
    """Return the fields that `encode` wrote; none of any other text."""
    try:
        fields = json.loads(_unpacked(text) if text.startswith(_PACKED) else text[:_MOST_TEXT])
    except (ValueError, RecursionError, zlib.error):
        return {}
    return fields if isinstance(fields, Mapping) and _is_field_set(fields) else {}


def _unpacked(text: str) -> bytes:
    if len(text) > _MOST_TEXT:
        raise ValueError("too long")
    reader = zlib.decompressobj()
    plain = reader.decompress(b64decode(text[len(_PACKED) :], validate=True), _MOST_JSON)
    if not reader.eof:
        raise ValueError("too long, or cut off")
    return plain


def _is_field_set(fields: Mapping[str, Any]) -> bool:
    return all(isinstance(node, Mapping) and _is_field_set(node) for node in fields.values())


def _git_content(body: Body) -> Body:
    """Return the content of a body without what Plumb itself writes on an object."""
    content = content_of(body)
    labels = {
        name: value for name, value in (content["metadata"].get("labels") or {}).items() if name != PART_OF
    }
    annotations = {
        k: value for k, value in (content["metadata"].get("annotations") or {}).items() if k not in _OWN
    }
    named = {"labels": labels, "annotations": annotations}
    metadata = {key: value for key, value in {**content["metadata"], **named}.items() if value}
    return (
        {**content, "metadata": metadata}
        if metadata
        else {k: v for k, v in content.items() if k != "metadata"}
    )


def _with_annotations(body: Body, annotations: Mapping[str, Any]) -> Body:
    return {**body, "metadata": {**body["metadata"], "annotations": annotations}}
