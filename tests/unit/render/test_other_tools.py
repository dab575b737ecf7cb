# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands at an app's path and is no manifest: recognized and named (row 95), or passed over (row 106)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_app, render_path
from ansible_collections.plumb.gitops.plugins.module_utils.render.render_cache import (
    RenderCache,
    RenderSource,
)
from ansible_collections.plumb.gitops.tests.unit.render.conftest import Write

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
TEMPLATE = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  labels: {{- include "x" . }}\n'
CHART = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"
FLUX = (
    "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps}\n"
    "spec: {path: ./apps/prod, prune: true, sourceRef: {kind: GitRepository, name: fleet}}\n"
)
ARGO = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {destination: {}}\n"
SOPS_ENV = "PASSWORD=ENC[AES256_GCM,data:abc,iv:x,tag:y,type:str]\nsops_version=3.9.0\n"
SOPS = f"{MAP}data: {{a: 'ENC[AES256_GCM,data:abc,iv:x,tag:y,type:str]'}}\nsops: {{version: 3.9.0}}\n"

# The files of an app, and what the error says: what it is, and what to do.
RECOGNIZED: Mapping[str, tuple[Mapping[str, str], str, str]] = {
    "values": ({"a.yaml": MAP, "values.yaml": "replicas: 3\n"}, "values of a Helm chart", "Keep values out"),
    "values of an environment": ({"values-prod.yaml": "a: b\n"}, "values of a Helm chart", "Keep values out"),
    "values before its name": ({"prod.values.yml": "a: b\n"}, "values of a Helm chart", "Keep values out"),
    "chart": ({"Chart.yaml": CHART, "values.yaml": "a: b\n"}, "it is a Helm chart", "helm template"),
    "chart within": (
        {"a.yaml": MAP, "c/Chart.yaml": CHART},
        "reading app/c: it is a Helm chart",
        "helm template",
    ),
    "chart in a kustomization": (
        {"kustomization.yaml": "resources: [c]\n", "c/Chart.yaml": CHART},
        "reading app/c: it is a Helm chart",
        "helm template",
    ),
    "template": ({"a.yaml": TEMPLATE}, "looks like a template of a Helm chart", "helm template"),
    "template in a kustomization": (
        {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": TEMPLATE},
        "looks like a template of a Helm chart",
        "helm template",
    ),
    "LFS": ({"a.yaml": LFS}, "reading app/a.yaml: it is a pointer of Git LFS", "Commit the file itself"),
    "LFS in a kustomization": (
        {"kustomization.yaml": "configMapGenerator: [{name: a, files: [a.bin]}]\n", "a.bin": LFS},
        "reading app/a.bin: it is a pointer of Git LFS",
        "Commit the file itself",
    ),
    "LFS as the kustomization": ({"kustomization.yaml": LFS}, "pointer of Git LFS", "Commit the file itself"),
    "Flux": (
        {"kustomization.yaml": FLUX},
        "an object of Flux",
        "Let the app's path be what it applies (./apps/prod)",
    ),
    "Flux and more": ({"kustomization.yaml": f"{FLUX}---\n{FLUX}"}, "an object of Flux", "apps/prod"),
    "Flux in a base": (
        {"kustomization.yaml": "resources: [base]\n", "base/kustomization.yml": FLUX},
        "reading app/base/kustomization.yml:1: the file is an object of Flux",
        "apps/prod",
    ),
    "Argo CD": ({"kustomization.yaml": ARGO}, "an object of Argo CD", "another name"),
    "some object": ({"kustomization.yaml": MAP}, "an object for a cluster (v1 ConfigMap)", "another name"),
    "version": (
        {"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1\nkind: Kustomization\n"},
        "kustomize knows no kustomize.config.k8s.io/v1 Kustomization",
        "v1beta1",
    ),
    "kind": (
        {"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomisation\n"},
        "kustomize knows no",
        "kind: Kustomization",
    ),
    "Jsonnet": (
        {"main.jsonnet": "{}", "README.md": "x"},
        "Jsonnet (app/main.jsonnet)",
        "Render it where you commit",
    ),
    "Terraform": (
        {"main.tf": "x", "vars.tf": "y"},
        "Terraform configuration (app/main.tf)",
        "Render it where",
    ),
    "Terraform in JSON": ({"main.tf.json": "{}"}, "Terraform configuration", "Render it where"),
    "CUE": ({"sub/app.cue": "x"}, "CUE (app/sub/app.cue)", "Render it where"),
    "Jinja": ({"deployment.yaml.j2": "x"}, "Jinja templates", "Render it where"),
    "SOPS": ({"a.yaml": SOPS}, "encrypted with SOPS", "ciphertext is not applied"),
    "SOPS in JSON": (
        {"a.json": json.dumps({"data": "ENC[x]", "sops": {}})},
        "encrypted with SOPS",
        "ciphertext",
    ),
    "SOPS in an env file": (
        {"kustomization.yaml": "secretGenerator: [{name: a, envs: [a.env]}]\n", "a.env": SOPS_ENV},
        "encrypted with SOPS",
        "ciphertext is not applied",
    ),
    "SOPS in a generator's file": (
        {"kustomization.yaml": "secretGenerator: [{name: a, files: [a.yaml]}]\n", "a.yaml": SOPS},
        "encrypted with SOPS",
        "ciphertext is not applied",
    ),
    "half a manifest in JSON": (
        {"a.json": '{"kind": "ConfigMap"}'},
        "apiVersion is missing",
        "Keep files that",
    ),
}


def refused(root: Path, path: str = "app") -> str:
    with pytest.raises(RenderError) as caught:
        render_path(root, path, subject="app shop")
    assert "allow_empty" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("what", RECOGNIZED)
def test_row_95_what_is_no_manifest_is_named_with_the_next_step(checkout: Write, what: str) -> None:
    files, reason, next_step = RECOGNIZED[what]
    message = refused(checkout({f"app/{name}": text for name, text in files.items()}))
    assert reason in message
    assert next_step in message


@pytest.mark.parametrize("path", ["app", "app/sub", "app/sub/deeper", "whole", "app/sub/a.yaml", "of"])
def test_row_95_a_submodule_is_named(checkout: Write, path: str) -> None:
    """Git's checkout has an empty folder in its place."""
    root = checkout(
        {
            ".gitmodules": '[submodule "app/sub"]\n\tpath = app/sub\n\turl = https://git.example/x\n',
            "app/a.yaml": MAP,
            "of/kustomization.yaml": "resources: [../whole]\n",
        }
    )
    (root / "app" / "sub").mkdir()
    (root / "whole").mkdir()
    message = refused(root, path)
    assert "it is a submodule of Git" in message
    assert "a source of its own" in message


def test_row_95_the_templates_of_a_chart_are_named_by_their_folder(checkout: Write) -> None:
    root = checkout({"chart/Chart.yaml": CHART, "chart/templates/a.yaml": MAP})
    assert "reading chart/templates: it is a Helm chart" in refused(root, "chart/templates")


def test_a_template_within_a_manifest_is_the_manifests_own(checkout: Write) -> None:
    rule = 'data: {rule: "{{ .Values.x }} {{ if true }}"}\n'
    root = checkout({"app/a.yaml": MAP + rule, "app/Chart.yaml": MAP.replace("name: a", "name: b")})
    assert len(render_path(root, "app", subject="app shop")) == 2


DASHBOARD = json.dumps({"title": "Shop", "panels": [{"type": "graph"}], "schemaVersion": 39, "uid": "x"})
# Files of an app, how many manifests it has, and what is said of the rest.
PASSED: Mapping[str, tuple[Mapping[str, str], int, str]] = {
    "dashboards": (
        {"a.yaml": MAP, "dashboards/one.json": DASHBOARD, "dashboards/two.json": "[1, 2]"},
        1,
        "passed over, as JSON that is no object for Kubernetes: app/dashboards/one.json, app/dashboards/two.json",
    ),
    "many": (
        {"a.yaml": MAP, **{f"{number}.json": DASHBOARD for number in range(8)}},
        1,
        "app/4.json and 3 more",
    ),
    "dashboards alone": ({"one.json": DASHBOARD}, 0, "app/one.json"),
    "a placeholder": ({"README.md": "soon", ".gitkeep": ""}, 0, "there are no manifests, only app/README.md"),
    "a hidden placeholder": ({".gitkeep": ""}, 0, ""),
    "a placeholder's kustomization": ({"kustomization.yaml": "resources: []\n"}, 0, "app/kustomization.yaml"),
    "an empty kustomization": ({"kustomization.yaml": ""}, 0, "app/kustomization.yaml"),
    "a typed kustomization": (
        {"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"},
        0,
        "app/kustomization.yaml",
    ),
    "comments": ({"a.yaml": "# nothing yet\n"}, 0, ""),
    "no charts": ({"kustomization.yaml": "resources: [a.yaml]\nhelmCharts: []\n", "a.yaml": MAP}, 1, ""),
    "no globals": ({"kustomization.yaml": "resources: [a.yaml]\nhelmGlobals: {}\n", "a.yaml": MAP}, 1, ""),
    "a folder's name": (
        {
            "kustomization.yaml": "resources: [x.git]\n",
            "x.git/kustomization.yaml": "resources: [a.yaml]\n",
            "x.git/a.yaml": MAP,
        },
        1,
        "",
    ),
    "a folder's name below": (
        {"kustomization.yaml": "resources: [x.git//sub/a.yaml]\n", "x.git/sub/a.yaml": MAP},
        1,
        "",
    ),
    "a folder's name without kustomize": ({"x.git/a.yaml": MAP}, 1, ""),
    "a README beside": ({"a.yaml": MAP, "README.md": "x", "main.tf": "x"}, 1, ""),
}


@pytest.mark.parametrize("what", PASSED)
def test_row_106_what_does_not_matter_is_passed_over_with_a_remark(
    checkout: Write, tmp_path: Path, what: str
) -> None:
    files, manifests, remark = PASSED[what]
    root = checkout({f"app/{name}": text for name, text in files.items()})
    followed = RenderSource(folder="/cache", source="fleet", ref="main", path="app")
    for _first_and_kept in range(2):
        cache = RenderCache(tmp_path / "renderings")
        made = render_app(root, followed, subject="app shop", cache=cache)
        remarks = " ".join(cache.remarks["app shop"])
        assert len(made) == manifests
        assert remark in remarks
        assert bool(remark) is bool(remarks)


def test_row_106_json_that_an_app_names_itself_is_not_passed_over(checkout: Write) -> None:
    root = checkout({"app/one.json": DASHBOARD})
    assert "apiVersion is missing" in refused(root, "app/one.json")
