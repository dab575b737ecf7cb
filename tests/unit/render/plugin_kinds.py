# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source that has everything by which kustomize reads a file: each field, and each built-in plugin that names files.

Each entry of `READING` is an app's folder; all its files are what its rendering depends on.
"""

from __future__ import annotations

from collections.abc import Mapping

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {l: m}}\ndata: {b: c}\n"
PATCH = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {b: d}\n"
JSON_PATCH = '[{"op": "replace", "path": "/data/b", "value": "d"}]\n'
REPLACEMENT = (
    "source: {kind: ConfigMap, name: a, fieldPath: metadata.name}\n"
    "targets: [{select: {kind: ConfigMap, name: a}, fieldPaths: [data.b]}]\n"
)
TARGET = "target: {kind: ConfigMap, name: a}"


def plugin(kind: str, fields: str) -> str:
    return f"apiVersion: builtin\nkind: {kind}\nmetadata: {{name: p}}\n{fields}\n"


def field(text: str, **files: str) -> Mapping[str, str]:
    named = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
    return {"kustomization.yaml": f"resources: [a.yaml]\n{text}\n", "a.yaml": MAP, **named}


def configured(where: str, kind: str, fields: str, **files: str) -> Mapping[str, str]:
    return field(f"{where}: [plugin.yaml]", plugin_yaml=plugin(kind, fields), **files)


READING: Mapping[str, Mapping[str, str]] = {
    "plain": {"a.yaml": MAP, "sub/b.yaml": MAP.replace("name: a", "name: b"), "notes.txt": "no manifest"},
    "resources": field(""),
    "base": {
        "kustomization.yaml": "resources: [base]\n",
        "base/Kustomization": "resources: [a.yaml]\nnamePrefix: x-\n",
        "base/a.yaml": MAP,
    },
    "component": field(
        "components: [c]",
        c__kustomization_yaml="apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: x-\n",
    ),
    "crds": field("crds: [crd.json]", crd_json="{}"),
    "configurations": field(
        "namePrefix: x-\nconfigurations: [c.yaml]",
        c_yaml="commonAnnotations: [{path: data, create: true}]\n",
    ),
    "openapi": field("openapi: {path: o.json}", o_json='{"definitions": {}}'),
    "patches": field("patches: [{path: p.yaml}]", p_yaml=PATCH),
    "patchesStrategicMerge": field("patchesStrategicMerge: [p.yaml]", p_yaml=PATCH),
    "patchesJson6902": field(
        f"patchesJson6902: [{{path: p.json, {TARGET.replace('{kind', '{version: v1, kind')}}}]",
        p_json=JSON_PATCH,
    ),
    "replacements": field("replacements: [{path: r.yaml}]", r_yaml=REPLACEMENT),
    "configMapGenerator": field(
        "configMapGenerator: [{name: g, files: [k=f.txt], envs: [e.env]}]", f_txt="text", e_env="A=B\n"
    ),
    "secretGenerator": field(
        "secretGenerator: [{name: g, files: [f.txt], env: e.env}]", f_txt="x", e_env="A=B\n"
    ),
    "ConfigMapGenerator": configured(
        "generators",
        "ConfigMapGenerator",
        "name: g\nfiles: [k=f.txt]\nenvs: [e.env]",
        f_txt="text",
        e_env="A=B\n",
    ),
    "SecretGenerator": configured(
        "generators", "SecretGenerator", "name: g\nfiles: [f.txt]\nenvs: [e.env]", f_txt="text", e_env="A=B\n"
    ),
    "PatchTransformer": configured(
        "transformers", "PatchTransformer", f"path: p.yaml\n{TARGET}", p_yaml=PATCH
    ),
    "PatchJson6902Transformer": configured(
        "transformers", "PatchJson6902Transformer", f"path: p.json\n{TARGET}", p_json=JSON_PATCH
    ),
    "PatchStrategicMergeTransformer": configured(
        "transformers", "PatchStrategicMergeTransformer", "paths: [p.yaml]", p_yaml=PATCH
    ),
    "ReplacementTransformer": configured(
        "transformers", "ReplacementTransformer", "replacements: [{path: r.yaml}]", r_yaml=REPLACEMENT
    ),
    "ValueAddTransformer": configured(
        "transformers",
        "ValueAddTransformer",
        "value: v\ntargetFilePath: t.yaml",
        t_yaml="targets: [{selector: {kind: ConfigMap}, fieldPath: data/b}]\n",
    ),
    "plugin folder": field(
        "transformers: [t]",
        t__kustomization_yaml="resources: [p.yaml]\n",
        t__p_yaml=plugin("PatchTransformer", f"path: p.yaml\n{TARGET}"),
        p_yaml=PATCH,
    ),
}
