# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing choices to where their markers stand: only the marked values change, every other byte stays as it is."""

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
from .markers import MARKS, Marked, Stray, find_marked
from .specs import Decision, ImageChange, Part, slot
from .yaml_scalars import NotYamlError, Written, scalars

LARGEST_FILE = (
    2 << 20
)  # bytes; the API server takes no object above 3 MiB, and a person writes none near that
_KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_OF_ENTRY = {"newTag": Part.TAG, "digest": Part.DIGEST, "newName": Part.NAME}
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/@:-]*[A-Za-z0-9._-]|[A-Za-z0-9_]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of a file."""

    content: bytes
    changes: tuple[ImageChange, ...]
    warnings: tuple[str, ...]


def may_have_markers(content: bytes) -> bool:
    """Whether it is worth reading a file: what needs no parser."""
    return any(mark in content for mark in MARKS)


def marked_values(content: bytes, file: str) -> tuple[Sequence[Marked], Sequence[Written], Sequence[str]]:
    """The markers of a file with the values before them, all its values, and what cannot be used, line by line."""
    try:
        text = content.decode()
        values = scalars(text, file)
    except (UnicodeDecodeError, NotYamlError) as error:
        why = str(error) if isinstance(error, NotYamlError) else "it is not UTF-8"
        return (), (), (f"{_shown(file)}: has markers, but is not YAML ({why}), so it is left as it is",)
    found = list(find_marked(text, values))
    strays = [
        f"{_shown(file)}:{one.line}: a marker is left: {one.reason}"
        for one in found
        if isinstance(one, Stray)
    ]
    return [one for one in found if isinstance(one, Marked)], values, strays


def edit(content: bytes, file: str, decisions: Mapping[str, Decision], known: frozenset[str]) -> Edited:
    """The file with these decisions at their markers. `known` are all policies there are.

    Raises UpdateError where writing would change more than the marked values; nothing is guessed.
    """
    marked, values, warnings = marked_values(content, file)
    told = [*warnings, *_unknown(file, marked, known)]
    text = content.decode() if marked else ""
    changes: list[ImageChange] = []
    spans: list[tuple[Written, str]] = []
    for one in marked:
        decision = decisions.get(one.marker.policy)
        if decision is None:
            continue
        part = _part(file, one)
        if refusal := _not_ours(file, one, values, decision):
            told.append(f"{_shown(file)}:{one.line}: {refusal}")
            continue
        after = decision.text(part)
        if one.value.value != after:
            spans.append((one.value, _written(after, one.value.style)))
            changes.append(
                ImageChange(file, one.line, one.marker.policy, part, _shown_value(one.value.value), after)
            )
    if not spans:
        return Edited(content, (), tuple(told))
    edited = _replaced(text, spans)
    _check(
        edited,
        file,
        values,
        {id(value): change.after for (value, _new), change in zip(spans, changes, strict=True)},
    )
    return Edited(edited.encode(), tuple(changes), tuple(told))


def slot_of(file: str, marked: Marked) -> str:
    """The policy and part that a marker comes to: in a kustomization the key decides where it names no part."""
    return slot(marked.marker.policy, _part(file, marked))


def _replaced(text: str, spans: Sequence[tuple[Written, str]]) -> str:
    parts, position = [], 0
    for value, new in spans:
        parts += [text[position : value.start], new]
        position = value.end
    return "".join([*parts, text[position:]])


def _unknown(file: str, marked: Sequence[Marked], known: frozenset[str]) -> Iterator[str]:
    for one in marked:
        if one.marker.policy not in known:
            yield f"{_shown(file)}:{one.line}: no image is named {one.marker.policy!r}"


def _entry(file: str, marked: Marked) -> tuple[int, str] | None:
    """The number and key of an entry of `images` in a kustomization."""
    if PurePosixPath(file).name not in _KUSTOMIZATIONS:
        return None
    match marked.value.path:
        case (_document, "images", int() as number, str() as key):
            return number, key
    return None


def _part(file: str, marked: Marked) -> Part:
    """What stands there: in a kustomization the key says it where the marker does not."""
    entry = _entry(file, marked)
    if entry is None or marked.marker.part is not Part.REFERENCE:
        return marked.marker.part
    return _OF_ENTRY.get(entry[1], Part.REFERENCE)


def _not_ours(file: str, marked: Marked, values: Sequence[Written], decision: Decision) -> str:
    """Why this entry of a kustomization is not for the policy's image; empty where it is, or is no entry."""
    entry = _entry(file, marked)
    if entry is None:
        return ""
    number, key = entry
    if key not in _OF_ENTRY:
        return f"{key} of an entry of images is not written; mark newTag, digest or newName"
    if key == "newName":
        return ""
    here = (marked.value.path[0], "images", number)
    said = {
        value.path[3]: value.value
        for value in values
        if value.path[:3] == here and not value.is_key and len(value.path) == 4
    }
    name = said.get("newName") or said.get("name") or ""
    found = name_of(name)
    if found is not None and _same(found, decision.policy.image):
        return ""
    return f"the entry is for {_shown(name) or 'no image'}, not for {decision.policy.image.text}"


def _same(one: ImageName, other: ImageName) -> bool:
    return one.identity == other.identity


def _written(after: str, style: str) -> str:
    """The value in the quotes that were there; in new ones where without them it would not be read as text."""
    if style in {"'", '"'}:
        return f"{style}{after}{style}"
    return after if _is_plain_text(after) else f'"{after}"'


def _is_plain_text(text: str) -> bool:
    """Whether Kubernetes' parser and PyYAML both read this, without quotes, as text."""
    resolver = yaml.SafeLoader.yaml_implicit_resolvers
    rows = [*resolver.get(text[0], ()), *resolver.get(None, ())]
    plain = _PLAIN.fullmatch(text) is not None
    return (
        plain
        and isinstance(resolve_plain(text), str)
        and not any(pattern.match(text) for _tag, pattern in rows)
    )


def _check(edited: str, file: str, before: Sequence[Written], new: Mapping[int, str]) -> None:
    """See that the file reads as before but for the new values. Raises UpdateError."""
    try:
        after = scalars(edited, file)
    except NotYamlError:
        after = ()
    wanted = [(value.path, value.is_key, new.get(id(value), value.value)) for value in before]
    if [(value.path, value.is_key, value.value) for value in after] != wanted:
        why = "written there, the choice would change more than the marked values"
        raise UpdateError(f"file {_shown(file)}", "writing images", why, "Put the marked values into quotes.")


def _shown(text: str) -> str:
    return printable(text, 200)


def _shown_value(value: str) -> str:
    """What stood there, if it reads as an image, a tag or a digest; else it is nobody's to see."""
    name, _at, digest = value.partition("@")
    fits = (name_of(name) is not None or is_tag(value)) and (not digest or is_digest(digest))
    return value if len(value) <= 500 and (fits or is_digest(value)) else "(another value)"
