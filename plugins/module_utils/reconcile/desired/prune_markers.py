# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Annotations that forbid other tools to delete an object: a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...model.objects import Body
from ..fields.object_view import LiveView


@dataclass(frozen=True, slots=True)
class _Marker:
    """An annotation, and which of its values forbid to delete an object."""

    annotation: str
    protecting_part: Callable[[str], str]  # (value) -> the part of it that forbids; empty where none does
    is_label_too: bool = False


def _any_of(*words: str) -> Callable[[str], str]:
    """Match values that are one of these words, in any case."""
    return lambda value: value.strip() if value.strip().lower() in words else ""


def _any_option(*options: str) -> Callable[[str], str]:
    """Match values that are lists, separated by commas, with one of these options in any case."""

    def keeps(value: str) -> str:
        parts = ["=".join(map(str.strip, part.split("="))) for part in value.split(",")]
        return next((part for part in parts if part.lower() in options), "")

    return keeps


# Sources: Flux, "Controlling the apply behavior of resources" (values in any case, labels count too; its garbage
# collection leaves out what has either); Argo CD, "Sync options"; Helm, "Chart tips: tell Helm not to uninstall a
# resource"; cli-utils, `common.OnRemoveAnnotation` and `LifecycleDeleteAnnotation`; kapp, "Apply options".
_MARKERS = (
    _Marker("kustomize.toolkit.fluxcd.io/prune", _any_of("disabled"), is_label_too=True),
    _Marker("kustomize.toolkit.fluxcd.io/reconcile", _any_of("disabled"), is_label_too=True),
    _Marker(
        "argocd.argoproj.io/sync-options",
        _any_option("prune=false", "prune=confirm", "delete=false", "delete=confirm"),
    ),
    _Marker("helm.sh/resource-policy", _any_of("keep")),
    _Marker("cli-utils.sigs.k8s.io/on-remove", _any_of("keep")),
    _Marker("client.lifecycle.config.k8s.io/deletion", _any_of("detach")),
    _Marker("kapp.k14s.io/delete-strategy", _any_of("orphan")),
)


def protective_marker(body: Body) -> str:
    """Return the annotation that forbids to delete the object, as `name: value`; empty where it has none."""
    view = LiveView(body)
    annotations, labels = view.at("metadata", "annotations"), view.at("metadata", "labels")
    for marker in _MARKERS:
        for values in (annotations, labels) if marker.is_label_too else (annotations,):
            if protection := _protection_by(marker, values):
                return f"{marker.annotation}: {protection}"
    return ""


def _protection_by(marker: _Marker, values: Any) -> str:
    value = values.get(marker.annotation) if isinstance(values, Mapping) else None
    return marker.protecting_part(value) if isinstance(value, str) else ""
