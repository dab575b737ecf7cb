# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plugin's configuration names is read by the same rules as what a kustomization's fields name (row 65)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_path
from ansible_collections.plumb.gitops.tests.unit.render.conftest import Write

CANARY = "canary-7f3a"
Files = Mapping[str, str]


def object_of(kind: str, fields: Mapping[str, Any]) -> str:
    return json.dumps({"apiVersion": "builtin", "kind": kind, "metadata": {"name": "p"}, **fields})


def in_a_field(field: str, _kind: str, fields: Mapping[str, Any]) -> Files:
    return {"kustomization.yaml": json.dumps({field: [fields]})}


def in_a_file(field: str, kind: str, fields: Mapping[str, Any]) -> Files:
    named = "generators" if kind.endswith("Generator") else "transformers"
    return {"kustomization.yaml": json.dumps({named: ["p.yaml"]}), "p.yaml": object_of(kind, fields)}


def in_place(_field: str, kind: str, fields: Mapping[str, Any]) -> Files:
    named = "generators" if kind.endswith("Generator") else "transformers"
    return {"kustomization.yaml": json.dumps({named: [object_of(kind, fields)]})}


def in_a_folder(_field: str, kind: str, fields: Mapping[str, Any]) -> Files:
    named = "generators" if kind.endswith("Generator") else "transformers"
    return {
        "kustomization.yaml": json.dumps({named: ["f"]}),
        "f/kustomization.yaml": "resources: [g]\n",
        "f/g/kustomization.yaml": "resources: [p.yaml]\n",
        "f/g/p.yaml": object_of(kind, fields),
    }


FORMS: tuple[Callable[[str, str, Mapping[str, Any]], Files], ...] = (
    in_a_field,
    in_a_file,
    in_place,
    in_a_folder,
)
BARE = {"bare.env": f"A=b\n{CANARY}\n", "a bare one.env": f"A=b\n{CANARY} \n", "words.env": f"{CANARY} x=1\n"}
SECRET = ("secretGenerator", "SecretGenerator")
TEXTS = ("configMapGenerator", "ConfigMapGenerator")
# What is said in a generator, and why it is refused.
REFUSED: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "a bare key": ({"envs": ["bare.env"]}, "line 2 of the env file is not of the form key=value"),
    "a bare key in a file with blanks in its name": ({"envs": ["a bare one.env"]}, "line 2 of the env file"),
    "a key with blanks": ({"envs": ["words.env"]}, "line 1 of the env file"),
    "a literal without a value": ({"literals": [CANARY]}, "literal 1 is not of the form key=value"),
    "another case": ({"Envs": ["bare.env"]}, "no known key"),
    "another case of files": ({"FILES": ["bare.env"]}, "no known key"),
    "a long s": ({"file\u017f": ["bare.env"]}, "no known key"),
    "outside": ({"files": ["../../outside.txt"]}, "leads out of the source"),
    "absolute": ({"files": ["k=/etc/hostname"]}, "not a relative path"),
    "an address": ({"files": ["k=https://git.example/x"]}, "nothing is fetched"),
    "not there": ({"envs": ["gone.env"]}, "not in this revision"),
    "no list": ({"files": "bare.env"}, "files of "),
}


def message_of(checkout: Write, files: Files) -> str:
    root = checkout({f"app/{name}": text for name, text in {**BARE, **files}.items()})
    with pytest.raises(RenderError) as caught:
        render_path(root, "app", subject="app shop")
    assert str(root) not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("generator", [SECRET, TEXTS])
@pytest.mark.parametrize("what", REFUSED)
def test_row_65_a_generator_is_refused_in_each_form(
    checkout: Write, form: Callable[..., Files], generator: tuple[str, str], what: str
) -> None:
    fields, reason = REFUSED[what]
    message = message_of(checkout, form(*generator, {"name": "s", **fields}))
    assert reason in message
    assert CANARY not in message


SECRET_PATCH = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: gone}}\nstringData: {{a: {CANARY}}}\n"
JSON_PATCH = json.dumps([{"op": "nonsense", "path": "/data/gone", "value": CANARY}])
SECRET_TARGET = {"target": {"version": "v1", "kind": "Secret", "name": "s"}}
# Valid by our rules, refused by kustomize, which quotes what it was given.
QUOTED: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "env twice": (*SECRET, {"name": "s", "envs": ["s.env"], "literals": ["A=x"]}),
    "file twice": (*SECRET, {"name": "s", "files": ["k=s.txt", "k=s.env"]}),
    "literal twice": (*SECRET, {"name": "s", "literals": [f"a={CANARY}", "a=x"]}),
    "type": (*SECRET, {"name": "s", "files": ["s.env"], "type": ["x"]}),
}
PATCHES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "PatchTransformer path": ("PatchTransformer", {"path": "p.txt"}),
    "PatchTransformer patch": ("PatchTransformer", {"patch": SECRET_PATCH}),
    "PatchTransformer json": ("PatchTransformer", {"path": "j.json", **SECRET_TARGET}),
    "PatchJson6902Transformer": ("PatchJson6902Transformer", {"path": "j.json", **SECRET_TARGET}),
    "PatchJson6902Transformer text": ("PatchJson6902Transformer", {"jsonOp": JSON_PATCH, **SECRET_TARGET}),
    "PatchStrategicMergeTransformer": ("PatchStrategicMergeTransformer", {"paths": ["p.txt"]}),
    "PatchStrategicMergeTransformer text": ("PatchStrategicMergeTransformer", {"patches": SECRET_PATCH}),
    "ReplacementTransformer": ("ReplacementTransformer", {"replacements": [{"sourceValue": CANARY}]}),
    "ValueAddTransformer": ("ValueAddTransformer", {"value": CANARY, "targets": [CANARY]}),
}
KEPT = {"s.env": f"A={CANARY}\n", "s.txt": CANARY, "p.txt": SECRET_PATCH, "j.json": JSON_PATCH}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", QUOTED)
def test_row_65_what_a_secret_is_made_of_is_in_no_message(
    checkout: Write, form: Callable[..., Files], what: str
) -> None:
    field, kind, fields = QUOTED[what]
    message = message_of(checkout, {**KEPT, **form(field, kind, fields)})
    assert "kustomize: " in message
    assert CANARY not in message


@pytest.mark.parametrize("form", FORMS[1:])
@pytest.mark.parametrize("what", PATCHES)
def test_row_65_what_is_patched_into_a_secret_is_in_no_message(
    checkout: Write, form: Callable[..., Files], what: str
) -> None:
    kind, fields = PATCHES[what]
    files = dict(form("", kind, fields))
    whole = {
        **json.loads(files["kustomization.yaml"]),
        "secretGenerator": [{"name": "s", "literals": ["a=b"]}],
    }
    files["kustomization.yaml"] = json.dumps(whole)
    message = message_of(checkout, {**KEPT, **files})
    assert "kustomize: " in message
    assert CANARY not in message


@pytest.mark.parametrize("form", FORMS)
def test_row_65_files_with_blanks_in_their_names_are_read(
    checkout: Write, form: Callable[..., Files]
) -> None:
    fields = {"name": "s", "files": ["a text.txt", "key=another one.txt"], "envs": ["an env file.env"]}
    files = form("configMapGenerator", "ConfigMapGenerator", fields)
    texts = {"a text.txt": "one", "another one.txt": "two", "an env file.env": "A=three\n"}
    root = checkout({f"app/{name}": text for name, text in {**texts, **files}.items()})
    (made,) = render_path(root, "app", subject="app shop")
    assert made.body["data"] == {"a text.txt": "one", "key": "two", "A": "three"}


@pytest.mark.parametrize("kind", ["Nonsense", "configmapgenerator", ""])
def test_row_65_a_kind_that_is_not_known_is_refused(checkout: Write, kind: str) -> None:
    message = message_of(checkout, in_a_file("", "x", {"kind": kind}))
    assert "is no built-in plugin" in message


def test_row_65_a_plugin_that_reads_no_file_may_say_an_address(checkout: Write) -> None:
    fields = {
        "annotations": {"home": "https://git.example/x"},
        "fieldSpecs": [{"path": "metadata/annotations", "create": True}],
    }
    files = {
        **in_a_file("", "AnnotationsTransformer", fields),
        "a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    }
    whole = {**json.loads(files["kustomization.yaml"]), "resources": ["a.yaml"]}
    files["kustomization.yaml"] = json.dumps(whole)
    root = checkout({f"app/{name}": text for name, text in files.items()})
    (made,) = render_path(root, "app", subject="app shop")
    assert made.body["metadata"]["annotations"] == fields["annotations"]
