# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands at an app's path and is no manifest: recognized, and named with what to do about it.

None of it may look like an app that holds nothing: that would prune what the app has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from ..model.errors import RenderError, printable
from .location import Location

_LFS = b"version https://git-lfs.github.com/spec/"
_TEMPLATE = re.compile(rb"\{\{-?\s*(?:/\*|\$|\.|(?:define|else|end|if|include|range|template|tpl|with)\b)")
_SOPS_VALUE = re.compile(rb"ENC\[AES256_GCM,data:|^sops_version=", re.MULTILINE)
_CHART_KEYS = frozenset({"apiVersion", "name", "version"})
_VALUES_FILE = re.compile(r"(?:.*[-_.])?values(?:[-_.].*)?\.ya?ml|values\.schema\.json", re.IGNORECASE)
_KUSTOMIZE = "kustomize.config.k8s.io"
_VERSIONS = {"Kustomization": "v1beta1", "Component": "v1alpha1"}
_RENDER_ELSEWHERE = "Render it where you commit, for example in CI, and commit the manifests that it gives."
_CHART_STEP = "Render it where you commit (helm template), and commit the manifests that it gives."
# What else is kept in folders like an app's, by how its files end.
_BY_SUFFIX: Mapping[str, str] = {
    ".cue": "CUE",
    ".gotmpl": "Go templates",
    ".j2": "Jinja templates",
    ".jsonnet": "Jsonnet",
    ".libsonnet": "Jsonnet",
    ".pkl": "Pkl",
    ".tf": "Terraform configuration",
    ".tf.json": "Terraform configuration",
    ".tofu": "OpenTofu configuration",
    ".tpl": "Go templates",
}
# Objects of other tools that are kept in files called kustomization.yaml, by their API group.
_OTHER_KUSTOMIZATIONS: Mapping[str, str] = {
    "kustomize.toolkit.fluxcd.io": "an object of Flux",
    "helm.toolkit.fluxcd.io": "an object of Flux",
    "source.toolkit.fluxcd.io": "an object of Flux",
    "argoproj.io": "an object of Argo CD",
}


def check_content(data: bytes, subject: str, shown: str) -> None:
    """Raise RenderError for a file that Git LFS has put a pointer in the place of."""
    if data.startswith(_LFS):
        raise RenderError(
            subject,
            f"reading {shown}",
            "it is a pointer of Git LFS, and what that points to is not fetched",
            "Commit the file itself (git lfs untrack, then git add --renormalize), or keep it out of the app.",
        )


def check_encryption(data: bytes, location: Location) -> None:
    """Raise RenderError for a file, of whatever kind, that is encrypted with SOPS."""
    if _SOPS_VALUE.search(data):
        raise location.error(
            "the file is encrypted with SOPS, and decryption is not supported yet",
            "Take it out of the app; ciphertext is not applied.",
        )


def submodule_error(subject: str, shown: str) -> RenderError:
    """Return the error for an empty folder: Git keeps none, so it stands for a submodule."""
    return RenderError(
        subject,
        f"reading {shown}",
        "it is a submodule of Git, and what is in it is not fetched",
        "Make its repository a source of its own, and let an app name that.",
    )


def is_template(data: bytes) -> bool:
    """Return whether something stands in a file that a template of a Helm chart would have."""
    return _TEMPLATE.search(data) is not None


def template_error(error: RenderError) -> RenderError:
    """Return the error of reading a file that is a template."""
    return RenderError(
        error.subject,
        error.operation,
        f"it is no YAML, and looks like a template of a Helm chart ({{{{ … }}}}): {error.reason}",
        _CHART_STEP,
    )


def chart_error(subject: str, shown: str) -> RenderError:
    """Return the error for a folder that is a Helm chart, or for its templates."""
    return RenderError(
        subject, f"reading {shown}", "it is a Helm chart, and charts are not rendered", _CHART_STEP
    )


def is_chart(value: Any) -> bool:
    """Return whether the content of a Chart.yaml is that of a chart."""
    return isinstance(value, dict) and value.keys() >= _CHART_KEYS and "kind" not in value


def what_else(value: Mapping[str, Any], file: str) -> tuple[str, str]:
    """Return what a map without apiVersion or kind in this file may be, and the next step; both empty if unknown."""
    name = PurePosixPath(file).name
    if _VALUES_FILE.fullmatch(name):
        return "it looks like values of a Helm chart", (
            "Keep values out of the app's path: in a folder that starts with '.', or beside that path."
        )
    if name in ("Chart.yaml", "Chart.yml") or is_chart(value):
        return "it looks like a Helm chart's Chart.yaml", _CHART_STEP
    return "", ""


def is_other_json(values: Iterable[Any]) -> bool:
    """Return whether a JSON file has no object for Kubernetes in it (a dashboard, a program's settings)."""
    return not any(
        isinstance(value, dict) and not value.keys().isdisjoint(("apiVersion", "kind", "metadata", "sops"))
        for value in values
    )


def other_files(names: Iterable[str]) -> str:
    """Return what the files of a folder without manifests are if they are another tool's, else nothing."""
    for name in names:
        for suffix, what in _BY_SUFFIX.items():
            if name.lower().endswith(suffix):
                return f"{what} ({printable(name, 80)})"
    return ""


def other_files_error(subject: str, path: str, what: str) -> RenderError:
    """Return the error for a folder that holds no manifest, but what another tool makes some of."""
    return RenderError(
        subject,
        f"reading path {printable(path, 200)!r}",
        f"it holds no manifest, but {what}, which is not rendered",
        _RENDER_ELSEWHERE,
    )


def check_kustomization_type(value: Mapping[str, Any], location: Location) -> None:
    """Raise RenderError for a kustomization file that is something else, or that kustomize does not know."""
    group, _slash, version = str(value.get("apiVersion") or f"{_KUSTOMIZE}/").rpartition("/")
    kind = str(value.get("kind") or "Kustomization")
    spec = value.get("spec")
    path = printable(str(spec["path"]), 100) if isinstance(spec, dict) and spec.get("path") else ""
    if group != _KUSTOMIZE:
        whose = _OTHER_KUSTOMIZATIONS.get(group, "an object for a cluster")
        about = printable(f"{value.get('apiVersion')} {kind}", 100)
        raise location.error(
            f"the file is {whose} ({about}), and no kustomization file, which its name says it is",
            f"Let the app's path be what it applies ({path}), or give the file another name."
            if path
            else "Give the file another name, or let the app's path be the folder of the manifests.",
        )
    if _VERSIONS.get(kind) is None or version not in ("", _VERSIONS[kind]):
        raise location.error(
            f"kustomize knows no {printable(f'{group}/{version} {kind}', 100)}",
            f"Write apiVersion: {_KUSTOMIZE}/v1beta1 and kind: Kustomization, or v1alpha1 and Component.",
        )
