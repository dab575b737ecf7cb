#!/usr/bin/env python3
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check names: no two classes of one name, and no name that says nothing of what it holds.

    scripts/check_names.py [PATH ...]

Without a path, the engine and the controller are read. Exits with 1 if there is a fault.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PATHS = (ROOT / "plugins", ROOT / "controller")
# Names that Ansible looks for in each file.
OF_ANSIBLE = frozenset({"ActionModule", "FilterModule", "ModuleDocFragment"})
FILLERS = frozenset({"said", "told", "given", "kept", "found", "there", "one"})


@dataclass(frozen=True, slots=True)
class Name:
    """A name and where a file binds it."""

    text: str
    path: Path
    line: int
    is_class: bool = False


def bound_names(path: Path) -> Iterator[Name]:
    """Yield the names that a Python file binds: variables, arguments, attributes, functions, classes, imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        for text in _bound_by(node):
            yield Name(text, path, node.lineno, is_class=isinstance(node, ast.ClassDef))


def _bound_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.arg(arg=name) | ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
            yield name
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from names


def faults(paths: list[Path]) -> Iterator[str]:
    """Yield a line for each fault in the Python files under the paths."""
    classes: dict[str, Name] = {}
    for path in sorted(file for root in paths for file in ([root] if root.is_file() else root.rglob("*.py"))):
        for name in bound_names(path):
            if name.text.strip("_") in FILLERS:
                yield f"{_location(name)}: {name.text!r} says nothing of what it holds; name it after that"
            if name.is_class and name.text not in OF_ANSIBLE:
                first = classes.setdefault(name.text, name)
                if first is not name:
                    yield f"{_location(name)}: class {name.text} is in {_location(first)} too; give each its own name"


def _location(name: Name) -> str:
    path = name.path.relative_to(ROOT) if name.path.is_relative_to(ROOT) else name.path
    return f"{path}:{name.line}"


def main(arguments: list[str]) -> int:
    """Print the faults and return the exit code."""
    lines = list(faults([Path(argument) for argument in arguments] or list(DEFAULT_PATHS)))
    print("\n".join(lines) if lines else "check_names: no fault")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
