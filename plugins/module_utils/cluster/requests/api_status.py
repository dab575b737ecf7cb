# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The refusal of an API server: an HTTP status and a `Status` object, read into a value."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

# Messages of a 500 where the manifest is at fault, so that the same request fails again for ever (measured on 1.36),
# each with ours, which quotes no value.
OUTDATED = "its managedFields are in a version of the kind that does not have a field"
_DEFECTS = (
    (re.compile(r"failed to convert .*field not declared in schema"), OUTDATED),
    (re.compile(r"field not declared in schema"), "a field is not declared in the kind's schema"),
    (re.compile(r"illegal base64 data"), "a value under data is not base64"),
    (re.compile(r"failed to create typed patch object"), "a field has a value of the wrong type"),
    (
        re.compile(r"unable to convert|cannot unmarshal|strict decoding error"),
        "a field has a value of the wrong type",
    ),
)
_WEBHOOK = re.compile(r"failed calling webhook|conversion webhook for .{1,300} failed|admission webhook")
_RIGHTS = re.compile(r"cannot \w+ resource ")
# Messages of apimachinery's ValidateImmutableField, and of StatefulSet, PersistentVolumeClaim, Service and others.
_IMMUTABLE = re.compile(
    r"immutable|updates to \S+ spec for fields other than|forbidden after creation"
    r"|(?:may|can) ?not be (?:changed|updated)|may not change|cannot change"
)
# As managedfields' conflict error prints a manager; ` using VERSION` is added only where it owns the field by Update.
_CONFLICT = re.compile(
    r'conflicts? with (?P<manager>"(?:[^"\\]|\\.)*")'
    r'(?: with subresource (?P<subresource>"(?:[^"\\]|\\.)*"))?(?P<update> using )?'
)


@dataclass(frozen=True, slots=True)
class StatusCause:
    """One entry of `Status.details.causes`: its reason, the field's path, and the server's message."""

    reason: str
    field: str
    message: str


@dataclass(frozen=True, slots=True, order=True)
class Conflict:
    """A field that another manager owns; `applied` when it does so by server-side apply."""

    manager: str
    subresource: str
    applied: bool
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResponse:
    """A refusal: an HTTP status (0: there was no answer) and the content of its `Status` object, if there is one."""

    status: int = 0
    reason: str = ""
    message: str = ""
    causes: tuple[StatusCause, ...] = ()
    kind: str = ""  # of what it is about, as a plural: `namespaces`
    name: str = ""
    conflicts: tuple[Conflict, ...] = ()
    immutable: bool = False  # each cause is a change of an immutable field
    defect: str = ""  # our message, where a 500 means that the manifest is at fault
    webhook_failed: bool = False  # a 5xx that a webhook caused, which only some objects are sent through
    rights_missing: bool = False  # a 403 of RBAC, and not of an admission rule

    def withheld(self) -> ApiResponse:
        """Return the same without the texts that can quote a value."""
        causes = tuple(replace(cause, message="") for cause in self.causes)
        return replace(self, message="", causes=causes)


def parse_status(status: int, data: bytes) -> ApiResponse:
    """Return the content of a refusal; just its status where the body is no `Status` object (a proxy's page)."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, Mapping) or content.get("kind") != "Status":
        return ApiResponse(status=status)
    details = content.get("details")
    details = details if isinstance(details, Mapping) else {}
    causes = _causes(details)
    message = _text(content, "message")
    return ApiResponse(
        status=status,
        reason=_text(content, "reason"),
        message=message,
        causes=causes,
        kind=_text(details, "kind"),
        name=_text(details, "name"),
        conflicts=_conflicts(causes),
        immutable=bool(causes) and all(_is_immutable(cause) for cause in causes),
        defect=_defect(message) if status == 500 else "",
        webhook_failed=status >= 500 and bool(_WEBHOOK.search(message)),
        rights_missing=status == 403 and bool(_RIGHTS.search(message)),
    )


def _defect(message: str) -> str:
    if _WEBHOOK.search(message):
        return ""  # a webhook's message about its own failure does not concern the manifest
    return next((ours for theirs, ours in _DEFECTS if theirs.search(message)), "")


def _text(value: Mapping[str, Any], key: str) -> str:
    text = value.get(key)
    return text if isinstance(text, str) else ""


def _causes(details: Mapping[str, Any]) -> tuple[StatusCause, ...]:
    causes = details.get("causes")
    return tuple(
        StatusCause(_text(cause, "reason"), _text(cause, "field"), _text(cause, "message"))
        for cause in (causes if isinstance(causes, list) else [])
        if isinstance(cause, Mapping)
    )


def _is_immutable(cause: StatusCause) -> bool:
    return cause.reason in {"FieldValueForbidden", "FieldValueInvalid"} and bool(
        _IMMUTABLE.search(cause.message)
    )


def _conflicts(causes: tuple[StatusCause, ...]) -> tuple[Conflict, ...]:
    """Return the other managers and the fields they own, sorted."""
    conflicts = set()
    for cause in causes:
        match = _CONFLICT.search(cause.message) if cause.reason == "FieldManagerConflict" else None
        if match:
            conflicts.add(
                Conflict(
                    _unquoted(match["manager"]),
                    _unquoted(match["subresource"] or '""'),
                    match["update"] is None,
                    cause.field.removeprefix("."),
                )
            )
    return tuple(sorted(conflicts))


def _unquoted(text: str) -> str:
    """Return a name that Go printed with %q; where JSON cannot read that, the text between the quotes."""
    try:
        return str(json.loads(text))
    except ValueError:
        return text[1:-1]
