# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kustomization reaches, looked at before kustomize runs.

kustomize fetches what looks like a URL and matches field names regardless of case, so this is a list of what is
allowed: every field must be a known one, every reference an existing file or folder of the checkout. Whatever could
fetch or run something (remote bases, Helm charts, plugins that are not built in) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..model.errors import printable
from ..model.objects import Origin
from .documents import Document, read_documents, read_yaml_documents
from .inline_entries import is_inline, objects_of
from .place import Place
from .private_text import content_of, env_values, literal_values, patch_values, scalars_of, secret_values
from .tree import Tree

KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# Wider than what kustomize takes for a repository or an HTTP address, on purpose.
_REMOTE = re.compile(
    r"://|::|^[\w.+-]+@|^(?:git@|gh:|github\.com[/:]|gitlab\.com[/:]|bitbucket\.org[/:])|\?(?:ref|version|timeout|submodules)="
    r"|\.git(?:/|$|\?)|/_git/",
    re.IGNORECASE,
)
_WEB = re.compile(r"https?:|://", re.IGNORECASE)  # where only a file is looked for
_FUNCTION_ANNOTATION = "config.kubernetes.io/"
_OFFLINE = "Commit what it names into the source and refer to it by its path."

# Fields without any reference to a file.
_HARMLESS = frozenset(
    {
        "apiVersion",
        "buildMetadata",
        "commonAnnotations",
        "commonLabels",
        "generatorOptions",
        "images",
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
_REFUSED = {
    "helmCharts": "Helm charts",
    "helmGlobals": "Helm charts",
    "helmChartInflationGenerator": "Helm charts",
}
_GENERATOR_KEYS = frozenset(
    {"name", "namespace", "behavior", "files", "env", "envs", "literals", "options", "type"}
)
# Fields whose entries are maps, and the keys such a map may have.
_ENTRY_KEYS = {
    "patches": frozenset({"path", "patch", "target", "options"}),
    "patchesJson6902": frozenset({"path", "patch", "target"}),
    "replacements": frozenset({"path", "source", "targets"}),
    "openapi": frozenset({"path"}),
    "configMapGenerator": _GENERATOR_KEYS,
    "secretGenerator": _GENERATOR_KEYS,
}


@dataclass(slots=True)
class Reach:
    """What a build can read: where its objects are written, and the texts that no message may show."""

    origins: dict[tuple[str, str, str], Origin | None] = field(
        default_factory=dict
    )  # None: written more than once
    private: set[str] = field(default_factory=set)
    patches: set[str] = field(default_factory=set)


def is_kustomization(_tree: Tree, folder: Path) -> bool:
    """Whether a folder holds a kustomization file."""
    return any((folder / name).is_file() for name in KUSTOMIZATION_NAMES)


def kustomization_file(tree: Tree, folder: Path) -> Path:
    """The one kustomization file of a folder; RenderError where it has none or several."""
    names = [name for name in KUSTOMIZATION_NAMES if (folder / name).exists()]
    if len(names) != 1:
        said = " and ".join(names) or "no kustomization file"
        raise Place(tree.meter.subject, Origin(tree.shown(folder))).error(
            f"the folder has {said}, and kustomize needs exactly one", "Keep one kustomization.yaml."
        )
    written = folder / names[0]
    return tree.inside(written, tree.shown(written))


def check_kustomization(tree: Tree, folder: Path) -> Reach:
    """Walk all that a build of `folder` reaches; RenderError for what is missing, remote or would run something."""
    walk, seen = _Walk(tree), set[Path]()
    walk.folders.append(folder)
    while walk.folders:
        current = walk.folders.pop()
        if current not in seen:
            seen.add(current)
            walk.folder(current)
    return walk.reach


class _Walk:
    """One look at everything reachable; `folders` are those still to be looked at."""

    def __init__(self, tree: Tree) -> None:
        self.tree, self.reach = tree, Reach()
        self.folders: list[Path] = []
        self._folder = tree.root
        self._checks: dict[str, Callable[[str, Any, Place], None]] = {
            **dict.fromkeys(("resources", "bases", "components"), self._resource),
            **dict.fromkeys(("crds", "configurations"), self._file),
            **dict.fromkeys(("generators", "transformers", "validators"), self._plugin),
            **dict.fromkeys(_ENTRY_KEYS, self._entry),
            "patchesStrategicMerge": self._merge_patch,
        }

    def folder(self, folder: Path) -> None:
        """Look at one kustomization."""
        self._folder = folder
        file = kustomization_file(self.tree, folder)
        shown = self.tree.shown(file)
        documents = read_yaml_documents(self.tree.read(file), file=shown, meter=self.tree.meter)
        place = Place(self.tree.meter.subject, Origin(shown, documents[0].line if documents else 0))
        if len(documents) > 1 or any(not isinstance(document.value, dict) for document in documents):
            raise place.error("a kustomization file holds exactly one map")
        for name, value in documents[0].value.items() if documents else ():
            self._field(name, value, place)

    def _field(self, name: str, value: Any, place: Place) -> None:
        if name in _REFUSED:
            raise place.error(
                f"{name}: {_REFUSED[name]} would be fetched and run, and are not supported", _OFFLINE
            )
        if name in _HARMLESS or value is None:
            return
        check = self._checks.get(name)
        if check is None:
            raise place.error(f"{printable(name, 60)!r} is no known field of a kustomization")
        for entry in [value] if name == "openapi" else self._listed(name, value, place):
            check(name, entry, place)

    def _listed(self, name: str, value: Any, place: Place) -> list[Any]:
        if not isinstance(value, list):
            raise place.error(f"{name} is not a list")
        return value

    def _reference(self, name: str, written: Any, place: Place, remote: re.Pattern[str] = _WEB) -> Path:
        """The existing file or folder of the checkout that a reference names."""
        if not isinstance(written, str) or not written.strip():
            raise place.error(f"an entry of {name} is no path")
        shown = printable(written, 200)
        if remote.search(written):
            raise place.error(
                f"{name}: {_without_credentials(shown)!r} is remote, and nothing is fetched", _OFFLINE
            )
        if Path(written).is_absolute() or not written.isprintable():
            raise place.error(f"{name}: {shown!r} is not a relative path", _OFFLINE)
        real = self.tree.inside(self._folder / written, f"{shown} in {place.origin.file}")
        if not real.exists():
            raise place.error(f"{name}: {shown!r} is not in this revision", _OFFLINE)
        return real

    def _file(self, name: str, written: Any, place: Place) -> None:
        self._content(name, written, place)

    def _content(self, name: str, written: Any, place: Place) -> tuple[bytes, str]:
        """A file's bytes, and its path for errors."""
        real = self._reference(name, written, place)
        return self.tree.read(real), self.tree.shown(real)

    def _resource(self, name: str, written: Any, place: Place) -> None:
        if isinstance(written, str) and "\n" in written:
            raise place.error(f"{name}: an entry is text instead of a path")
        real = self._reference(name, written, place, _REMOTE)
        if real.is_dir():
            self.folders.append(real)
            return
        shown = self.tree.shown(real)
        for document in read_documents(self.tree.read(real), file=shown, meter=self.tree.meter):
            self._note(document, shown)

    def _note(self, document: Document, shown: str) -> None:
        """Remember where an object is written, and its values where it is a Secret."""
        for value in objects_of(document.value):
            if not isinstance(value, dict):
                continue
            metadata = value.get("metadata")
            name = metadata.get("name") if isinstance(metadata, dict) else None
            key = (str(value.get("apiVersion")), str(value.get("kind")), str(name))
            self.reach.origins[key] = None if key in self.reach.origins else Origin(shown, document.line)
            self.reach.private |= secret_values(value)

    def _merge_patch(self, name: str, written: Any, place: Place) -> None:
        if is_inline(name, written, place, self.tree.meter):
            self._note_patch(written.encode(), place.origin.file)
        else:
            self._note_patch(*self._content(name, written, place))

    def _note_patch(self, data: bytes, shown: str, target_kind: str = "") -> None:
        """Remember a patch: what it holds may belong to a Secret."""
        self.reach.patches.add(data.decode("utf-8", "replace").strip())
        for document in read_documents(data, file=shown, meter=self.tree.meter):
            self.reach.private |= patch_values(document.value, target_kind)

    def _entry(self, name: str, entry: Any, place: Place) -> None:
        if not isinstance(entry, dict):
            # `replacements` and the generators take maps only, old patches were paths.
            raise place.error(f"an entry of {name} is not a map")
        unknown = sorted(set(entry) - _ENTRY_KEYS[name])
        if unknown:
            raise place.error(f"{name}: {printable(unknown[0], 60)!r} is no known key")
        if name.endswith("Generator"):
            self._generator(name, entry, place)
            return
        target = entry.get("target")
        kind = str(target.get("kind") or "") if isinstance(target, dict) else ""
        if entry.get("patch"):
            self._note_patch(str(entry["patch"]).encode(), place.origin.file, kind)
        if entry.get("path") and name.startswith("patches"):
            self._note_patch(*self._content(name, entry["path"], place), kind)
        elif entry.get("path"):
            self._file(name, entry["path"], place)

    def _generator(self, name: str, entry: dict[str, Any], place: Place) -> None:
        private: set[str] = set()
        for written in self._listed(name, entry.get("files") or [], place):
            data, _shown = self._content(name, str(written).partition("=")[2] or written, place)
            private.update(data.decode("utf-8", "replace").splitlines())
        envs = [*self._listed(name, entry.get("envs") or [], place), *filter(None, [entry.get("env")])]
        for written in envs:
            data, shown = self._content(name, written, place)
            private |= env_values(data, Place(place.subject, Origin(shown)))
        private |= literal_values(self._listed(name, entry.get("literals") or [], place), name, place)
        if name == "secretGenerator":
            self.reach.private |= private

    def _plugin(self, name: str, written: Any, place: Place) -> None:
        """Only kustomize's own plugins, and none that fetches."""
        if is_inline(name, written, place, self.tree.meter):
            data, shown = written.encode(), place.origin.file
        else:
            real = self._reference(name, written, place)
            if real.is_dir():
                raise place.error(
                    f"{name}: {printable(written, 200)!r} is a folder", "Name its files one by one."
                )
            data, shown = self.tree.read(real), self.tree.shown(real)
        for document in read_yaml_documents(data, file=shown, meter=self.tree.meter):
            at = Place(place.subject, Origin(shown, document.line))
            for value in objects_of(document.value):
                _check_plugin(name, value, at)
                self.reach.private |= content_of(value)


def _check_plugin(name: str, value: Any, place: Place) -> None:
    if not isinstance(value, dict) or value.get("apiVersion") != "builtin":
        raise place.error(f"{name}: only plugins with apiVersion builtin are run", "Use a built-in one.")
    if "helm" in str(value.get("kind")).lower():
        raise place.error(f"{name}: Helm charts would be fetched and run, and are not supported", _OFFLINE)
    metadata = value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if annotations and (
        not isinstance(annotations, dict) or any(key.startswith(_FUNCTION_ANNOTATION) for key in annotations)
    ):
        raise place.error(
            f"{name}: functions in containers and programs are not run", "Use a built-in plugin."
        )
    if any(_WEB.search(text) for text in scalars_of(value)):
        raise place.error(f"{name}: the configuration names a web address, and nothing is fetched", _OFFLINE)


def _without_credentials(address: str) -> str:
    return re.sub(r"//[^/@]*@", "//***@", address)
