# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of a kustomization, by what is checked of each."""

from __future__ import annotations

from .plugins import GENERATOR_KEYS

ABOUT_ITSELF = frozenset({"apiVersion", "kind", "metadata"})
# Fields without any reference to a file.
HARMLESS = frozenset(
    {
        "apiVersion",
        "buildMetadata",
        "commonAnnotations",
        "commonLabels",
        "generatorOptions",
        "images",
        "imageTags",
        "kind",
        "labels",
        "metadata",
        "namePrefix",
        "nameSuffix",
        "namespace",
        "replicas",
        "sortOptions",
        "vars",
    }
)
REFUSED = {
    "helmCharts": "Helm charts",
    "helmGlobals": "Helm charts",
    "helmChartInflationGenerator": "Helm charts",
}
# Fields whose entries are maps, and the keys such a map may have.
ENTRY_KEYS = {
    "patches": frozenset({"path", "patch", "target", "options"}),
    "patchesJson6902": frozenset({"path", "patch", "target"}),
    "replacements": frozenset({"path", "source", "sourceValue", "targets"}),
    "openapi": frozenset({"path", "version"}),
    "configMapGenerator": GENERATOR_KEYS,
    "secretGenerator": GENERATOR_KEYS,
}
# What a folder named in `generators`, `transformers` or `validators` may say: all it builds is run as plugins.
OF_PLUGIN_FOLDERS = ABOUT_ITSELF | {"resources"}
