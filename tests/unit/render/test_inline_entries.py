# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An entry that is a path or objects: what is looked at beforehand is what kustomize then takes (row 64)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Origin
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_path
from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds.limits import Meter
from ansible_collections.plumb.gitops.plugins.module_utils.render.kustomize.build import find_kubectl
from ansible_collections.plumb.gitops.plugins.module_utils.render.kustomize.inline_entries import is_inline
from ansible_collections.plumb.gitops.plugins.module_utils.render.location import Location
from ansible_collections.plumb.gitops.tests.unit.render.conftest import Write

FROM_FILE = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: file}\nliterals: [a=b]\n"
CONTENT = (
    '{"apiVersion":"builtin","kind":"ConfigMapGenerator","metadata":{"name":"content"},"literals":["a=b"]}'
)
BLOCK = (
    "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: content}\nliterals: [a=b]\noptions: {}\n"
)
# Each is the name of a file that holds FROM_FILE, and an entry of `generators`.
ENTRIES = [
    "gen.yaml",
    "a b.yaml",
    "-gen.yaml",
    "gen: a",
    "gen:a",
    "a # b",
    "#gen",
    "---",
    "...",
    "null",
    "~",
    "true",
    "12",
    "2020-01-01",
    "{}",
    "[]",
    "[gen.yaml]",
    "'gen.yaml'",
    '"gen.yaml"',
    "*a",
    "!!str gen.yaml",
    "? a",
    "- a",
    "|",
    "gen.yaml\n",
    " gen.yaml",
    "kind: A",
    "{kind: A}",
    "{metadata: {name: a}}",
    "{kind: A, metadata: {name: ''}}",
    CONTENT,
    f" {CONTENT}",
    f"{CONTENT} # gen.yaml",
    f"[{CONTENT}]",
    f'{{"kind":"List","items":[{CONTENT}]}}',
    f'{{"kind":"XList","metadata":{{"name":"a"}},"items":[{{"kind":"YList","items":[{CONTENT}]}}]}}',
    f'{{"kind":"List","items":[{CONTENT},null]}}',
    BLOCK,
    BLOCK.replace("\n", "\r"),
    BLOCK.replace("\n", "\u2028"),
    f"---\n{BLOCK}",
    f"{BLOCK}---\n{BLOCK.replace('content', 'other')}",
    f"{BLOCK}--- a\n{BLOCK}",
    f"{BLOCK}...\n{BLOCK}",
    f"{BLOCK}x: [null]\n",
    f"{BLOCK}kind: B\n",
]


def decision(entry: str) -> bool | None:
    """Whether the entry is objects; None where it is refused."""
    try:
        return is_inline("generators", entry, Location("app shop", Origin("k.yaml")), Meter("app shop"))
    except RenderError:
        return None


def built_from_the_file(folder: Path) -> bool | None:
    """Which of the two the real kustomize takes; None where it builds nothing of the kind."""
    done = subprocess.run(
        [find_kubectl("app shop"), "kustomize", folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    names = [line.strip() for line in done.stdout.splitlines() if line.startswith("  name: ")]
    return None if not names else all(name.startswith("name: file-") for name in names)


@pytest.mark.parametrize("entry", ENTRIES)
def test_row_64_an_entry_is_read_as_kustomize_reads_it_or_refused(tmp_path: Path, entry: str) -> None:
    (tmp_path / "kustomization.yaml").write_text(f"generators: [{json.dumps(entry)}]\n")
    (tmp_path / entry).write_text(FROM_FILE)
    ours, from_file = decision(entry), built_from_the_file(tmp_path)
    assert ours is None or from_file is None or ours is not from_file
    assert ours is not False or from_file is True, "what is believed to be a path is one"


@pytest.mark.parametrize(
    ("entry", "inline"), [("gen.yaml", False), ("a b.yaml", False), (CONTENT, True), (BLOCK, True)]
)
def test_plain_entries_are_not_refused(entry: str, inline: bool) -> None:
    assert decision(entry) is inline


def escaped(address: str) -> str:
    """As JSON may write an address, so that it is a file's name and does not look like an address."""
    return "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in address)


@pytest.mark.parametrize("field", ["generators", "transformers", "validators"])
@pytest.mark.parametrize(
    "nested",
    ["{}", '{{"kind":"AList","items":[{}]}}', '{{"kind":"AList","items":[{{"kind":"BList","items":[{}]}}]}}'],
)
def test_row_64_an_address_in_objects_is_refused_though_a_file_has_their_text_as_its_name(
    checkout: Write, field: str, nested: str
) -> None:
    address = escaped("http://127.0.0.1:9/x")
    entry = f'{{"apiVersion":"builtin","kind":"ConfigMapGenerator","metadata":{{"name":"a"}},"files":["k={address}"]}}'
    entry = nested.format(entry)
    root = checkout(
        {"app/kustomization.yaml": f"{field}: [{json.dumps(entry)}]\n", f"app/{entry}": FROM_FILE}
    )
    with pytest.raises(RenderError, match="and nothing is fetched"):
        render_path(root, "app", subject="app shop")
