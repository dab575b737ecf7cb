# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing choices to the marked values of a file: only these change, every other byte stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..model.errors import printable
from ..render.yaml.pyyaml import yaml
from ..render.yaml.scalars import resolve_plain
from .errors import UpdateError
from .image_reference import ImageName, is_digest, is_tag, name_of
from .markers import MARKS, MarkedValue, UnusableMarker, find_marked
from .specs import Decision, ImageChange, Part, slot
from .yaml_scalars import NotYamlError, YamlScalar, scalars

LARGEST_FILE = (
    2 << 20
)  # bytes; the API server takes no object above 3 MiB, and a person writes none near that
_KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_OF_ENTRY = {"newTag": Part.TAG, "digest": Part.DIGEST, "newName": Part.NAME}
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/@:-]*[A-Za-z0-9._-]|[A-Za-z0-9_]", re.ASCII)


@dataclass(frozen=True, slots=True)
class EditedFile:
    """A file after its edit, with the changes made and warnings for people."""

    content: bytes
    changes: tuple[ImageChange, ...]
    warnings: tuple[str, ...]


def may_have_markers(content: bytes) -> bool:
    """Return whether a file may have markers, without parsing it."""
    return any(mark in content for mark in MARKS)


def marked_values(
    content: bytes, file: str
) -> tuple[Sequence[MarkedValue], Sequence[YamlScalar], Sequence[str]]:
    """Return the marked values of a file, all its values, and a warning for each marker that cannot be used."""
    try:
        text = content.decode()
        values = scalars(text, file)
    except (UnicodeDecodeError, NotYamlError) as error:
        why = str(error) if isinstance(error, NotYamlError) else "it is not UTF-8"
        return (), (), (f"{_printable(file)}: has markers, but is not YAML ({why}), so it is left as it is",)
    markers = list(find_marked(text, values))
    strays = [
        f"{_printable(file)}:{marker.line}: a marker is left: {marker.reason}"
        for marker in markers
        if isinstance(marker, UnusableMarker)
    ]
    return [marker for marker in markers if isinstance(marker, MarkedValue)], values, strays


def edit(content: bytes, file: str, decisions: Mapping[str, Decision], known: frozenset[str]) -> EditedFile:
    """Return the file with these decisions at their markers. `known` are the names of all policies.

    Raises UpdateError where writing would change more than the marked values.
    """
    marked, values, warnings = marked_values(content, file)
    messages = [*warnings, *_unknown(file, marked, known)]
    text = content.decode() if marked else ""
    changes: list[ImageChange] = []
    spans: list[tuple[YamlScalar, str]] = []
    for marked_value in marked:
        decision = decisions.get(marked_value.marker.policy)
        if decision is None:
            continue
        part = _part(file, marked_value)
        if refusal := _wrong_image(file, marked_value, values, decision):
            messages.append(f"{_printable(file)}:{marked_value.line}: {refusal}")
            continue
        after = decision.text(part)
        if marked_value.value.value != after:
            spans.append((marked_value.value, _quoted(after, marked_value.value.style)))
            changes.append(
                ImageChange(
                    file,
                    marked_value.line,
                    marked_value.marker.policy,
                    part,
                    _shown_value(marked_value.value.value),
                    after,
                )
            )
    if not spans:
        return EditedFile(content, (), tuple(messages))
    edited = _replaced(text, spans)
    _check(
        edited,
        file,
        values,
        {id(value): change.after for (value, _new), change in zip(spans, changes, strict=True)},
    )
    return EditedFile(edited.encode(), tuple(changes), tuple(messages))


def slot_of(file: str, marked: MarkedValue) -> str:
    """Return the policy and part of a marker. In a kustomization the key decides where the marker names no part."""
    return slot(marked.marker.policy, _part(file, marked))


def _replaced(text: str, spans: Sequence[tuple[YamlScalar, str]]) -> str:
    parts, position = [], 0
    for value, new in spans:
        parts += [text[position : value.start], new]
        position = value.end
    return "".join([*parts, text[position:]])


def _unknown(file: str, marked: Sequence[MarkedValue], known: frozenset[str]) -> Iterator[str]:
    for marked_value in marked:
        if marked_value.marker.policy not in known:
            yield f"{_printable(file)}:{marked_value.line}: no image is named {marked_value.marker.policy!r}"


def _entry(file: str, marked: MarkedValue) -> tuple[int, str] | None:
    """Return the number and key of an entry of `images` in a kustomization."""
    if PurePosixPath(file).name not in _KUSTOMIZATIONS:
        return None
    match marked.value.path:
        case (_document, "images", int() as number, str() as key):
            return number, key
    return None


def _part(file: str, marked: MarkedValue) -> Part:
    """Return the part that is to be written: in a kustomization the key says it where the marker does not."""
    entry = _entry(file, marked)
    if entry is None or marked.marker.part is not Part.REFERENCE:
        return marked.marker.part
    return _OF_ENTRY.get(entry[1], Part.REFERENCE)


def _wrong_image(file: str, marked: MarkedValue, values: Sequence[YamlScalar], decision: Decision) -> str:
    """Return why this entry of a kustomization is for another image; empty where it is not, or is no entry."""
    entry = _entry(file, marked)
    if entry is None:
        return ""
    number, key = entry
    if key not in _OF_ENTRY:
        return f"{key} of an entry of images is not written; mark newTag, digest or newName"
    if key == "newName":
        return ""
    here = (marked.value.path[0], "images", number)
    fields = {
        value.path[3]: value.value
        for value in values
        if value.path[:3] == here and not value.is_key and len(value.path) == 4
    }
    name = fields.get("newName") or fields.get("name") or ""
    image = name_of(name)
    if image is not None and _is_same(image, decision.policy.image):
        return ""
    return f"the entry is for {_printable(name) or 'no image'}, not for {decision.policy.image.text}"


def _is_same(image: ImageName, other: ImageName) -> bool:
    return image.identity == other.identity


def _quoted(after: str, style: str) -> str:
    """Return the value in the quotes that it had; in new ones where without them it would not be read as text."""
    if style in {"'", '"'}:
        return f"{style}{after}{style}"
    return after if _is_plain_text(after) else f'"{after}"'


def _is_plain_text(text: str) -> bool:
    """Return whether Kubernetes' parser and PyYAML both read this, without quotes, as text."""
    resolver = yaml.SafeLoader.yaml_implicit_resolvers
    rows = [*resolver.get(text[0], ()), *resolver.get(None, ())]
    plain = _PLAIN.fullmatch(text) is not None
    return (
        plain
        and isinstance(resolve_plain(text), str)
        and not any(pattern.match(text) for _tag, pattern in rows)
    )


def _check(edited: str, file: str, before: Sequence[YamlScalar], new: Mapping[int, str]) -> None:
    """Raise UpdateError where anything but the marked values would read differently."""
    try:
        after = scalars(edited, file)
    except NotYamlError:
        after = ()
    wanted = [(value.path, value.is_key, new.get(id(value), value.value)) for value in before]
    if [(value.path, value.is_key, value.value) for value in after] != wanted:
        why = "written there, the choice would change more than the marked values"
        raise UpdateError(
            f"file {_printable(file)}", "writing images", why, "Put the marked values into quotes."
        )


def _printable(text: str) -> str:
    return printable(text, 200)


def _shown_value(value: str) -> str:
    """Return a former value, if it reads as an image, a tag or a digest; others may be secret and are not shown."""
    name, _at, digest = value.partition("@")
    fits = (name_of(name) is not None or is_tag(value)) and (not digest or is_digest(digest))
    return value if len(value) <= 500 and (fits or is_digest(value)) else "(another value)"
