# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kustomize's built-in plugins: which there are, and what the configuration of each may say.

Of a kind that reads files every key is known by exactly its name: kustomize takes keys regardless of case, and one that
is not looked at here would name a file by other rules.
"""

from __future__ import annotations

from typing import Any

from ...model.errors import printable
from ..location import Location

_OBJECT = frozenset({"apiVersion", "kind", "metadata"})
_FUNCTION_ANNOTATION = "config.kubernetes.io/"
GENERATOR_KEYS = frozenset(
    {"name", "namespace", "behavior", "files", "env", "envs", "literals", "options", "type"}
)
# The kinds that name files, as in kustomize's api/internal/builtins, and the keys that their configuration may have.
READING_KINDS = {
    "ConfigMapGenerator": GENERATOR_KEYS,
    "SecretGenerator": GENERATOR_KEYS,
    "PatchTransformer": frozenset({"path", "patch", "target", "options"}),
    "PatchJson6902Transformer": frozenset({"path", "jsonOp", "target"}),
    "PatchStrategicMergeTransformer": frozenset({"paths", "patches"}),
    "ReplacementTransformer": frozenset({"replacements"}),
    "ValueAddTransformer": frozenset({"value", "targets", "targetFilePath"}),
}
# The kinds that read nothing but their own configuration.
_OTHER_KINDS = frozenset(
    {
        "AnnotationsTransformer",
        "HashTransformer",
        "IAMPolicyGenerator",
        "ImageTagTransformer",
        "LabelTransformer",
        "LegacyOrderTransformer",
        "NamespaceTransformer",
        "PrefixSuffixTransformer",
        "PrefixTransformer",
        "ReplicaCountTransformer",
        "SortOrderTransformer",
        "SuffixTransformer",
    }
)


def check_plugin(name: str, value: Any, location: Location, next_step: str) -> str:
    """Return the kind of a plugin's configuration in the field `name`; RenderError for one that is not run or unknown.

    `next_step` is what helps where something would be fetched.
    """
    if not isinstance(value, dict) or value.get("apiVersion") != "builtin":
        raise location.error(f"{name}: only plugins with apiVersion builtin are run", "Use a built-in one.")
    kind = str(value.get("kind"))
    if "helm" in kind.lower():
        raise location.error(
            f"{name}: Helm charts would be fetched and run, and are not supported", next_step
        )
    metadata = value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if annotations and (
        not isinstance(annotations, dict) or any(key.startswith(_FUNCTION_ANNOTATION) for key in annotations)
    ):
        raise location.error(
            f"{name}: functions in containers and programs are not run", "Use a built-in plugin."
        )
    if kind not in _OTHER_KINDS and kind not in READING_KINDS:
        raise location.error(f"{name}: {printable(kind, 60)!r} is no built-in plugin", "Use a built-in one.")
    unknown = sorted(set(value) - READING_KINDS.get(kind, frozenset(value)) - _OBJECT)
    if unknown:
        raise location.error(f"{name}: {printable(unknown[0], 60)!r} is no known key of a {kind}")
    return kind
