# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of a kustomization that are either a path or objects written in place.

kustomize reads an entry of `generators`, `transformers`, `validators` and `patchesStrategicMerge` as objects first, and
takes it for a path only where that fails, whether or not a file of that name exists (api v0.21, kusttarget.go and
PatchStrategicMergeTransformer.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..bounds.limits import Meter
from ..location import Location
from ..yaml.documents import read_yaml_documents

_ADDRESS = re.compile(
    r"\s*https?:", re.IGNORECASE
)  # what kustomize's loader would fetch if it took it for a path


def is_inline(name: str, written: Any, location: Location, meter: Meter) -> bool:
    """Return whether an entry of the field `name` is objects written in place; False: a path.

    RenderError for an entry that is not clearly one of the two, since kustomize's YAML reader and ours might differ on
    it: a path is one that YAML reads as the same text, objects are maps that all have a kind and a name.
    """
    if not isinstance(written, str) or not written.strip():
        raise location.error(f"an entry of {name} is neither a path nor objects", "Name a file.")
    documents = read_yaml_documents(written.encode(), file=location.origin.file, meter=meter)
    values = [value for document in documents for value in objects_of(document.value)]
    if values == [written]:
        return False
    if values and all(map(_is_object, values)) and not _ADDRESS.match(written):
        return True
    raise location.error(
        f"an entry of {name} could be read as a path and as objects",
        "Write the objects, each with kind and metadata.name, into a file, and name that by a plain path.",
    )


def objects_of(value: Any) -> Iterator[Any]:
    """Yield a value, or the items of a List, also of Lists in Lists, as kustomize takes them apart."""
    items = (
        value.get("items") if isinstance(value, dict) and str(value.get("kind")).endswith("List") else None
    )
    if not isinstance(items, list):
        yield value
        return
    for item in items:
        yield from objects_of(item)


def _is_object(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        return False
    named = (value.get("kind"), value["metadata"].get("name"))
    return all(isinstance(text, str) and text for text in named)
