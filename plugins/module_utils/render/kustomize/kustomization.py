# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kustomization reaches, looked at before kustomize runs.

kustomize fetches what looks like a URL and matches field names regardless of case, so this is a list of what is
allowed: every field must be a known one, every reference an existing file or folder of the checkout. Whatever could
fetch or run something (remote bases, Helm charts, plugins that are not built in) is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...model.errors import RenderBoundError, RenderError, printable
from ...model.objects import Origin
from ..bounds.memory_budget import TEXT, VALUE
from ..location import Location
from ..other_tools import chart_error, check_encryption, check_kustomization_type, is_template, template_error
from ..tree import Tree
from ..yaml.documents import Document, read_documents, read_yaml_documents
from .fields import ABOUT_ITSELF, ENTRY_KEYS, HARMLESS, OF_PLUGIN_FOLDERS, REFUSED
from .inline_entries import is_inline, objects_of
from .plugins import READING_KINDS, check_plugin
from .private_text import content_of, env_values, literal_values, patch_values, scalars_of, secret_values
from .reached_files import OFFLINE, REMOTE, ReachedFiles
from .view import View

KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(slots=True)
class BuildInputs:
    """What a build can read: where its objects are written, and the texts that no message may show."""

    # None: written more than once.
    origins: dict[tuple[str, str, str], Origin | None] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    patches: set[str] = field(default_factory=set)
    empty: bool = True  # no field says anything, which kustomize takes for a mistake

    @property
    def memory(self) -> int:
        """The bytes of memory that the private texts and the patches take."""
        return sum(VALUE + TEXT * len(text) for texts in (self.private, self.patches) for text in texts)


def is_kustomization(tree: Tree, folder: Path) -> bool:
    """Return whether a folder holds a kustomization file."""
    return any(tree.has_file(folder / name) for name in KUSTOMIZATION_NAMES)


def kustomization_file(tree: Tree, folder: Path) -> Path:
    """Return the one kustomization file of a folder; RenderError where it has none or several."""
    names = [name for name in KUSTOMIZATION_NAMES if tree.has_file(folder / name)]
    if len(names) != 1:
        if not names and tree.has_file(folder / "Chart.yaml"):
            raise chart_error(tree.meter.subject, tree.shown(folder))
        found_names = " and ".join(names) or "no kustomization file"
        raise Location(tree.meter.subject, Origin(tree.shown(folder))).error(
            f"the folder has {found_names}, and kustomize needs exactly one", "Keep one kustomization.yaml."
        )
    written = folder / names[0]
    return tree.inside(written, tree.shown(written))


def check_kustomization(tree: Tree, folder: Path, view: View) -> BuildInputs:
    """Walk all that a build of `folder` reaches, and copy it to `view`, which is what kustomize is run on.

    Raises RenderError for what is missing, remote or would run something.
    """
    walk, seen = _KustomizationWalk(tree, view), set[Path]()
    walk.folders.append(folder)
    while walk.folders:
        current = walk.folders.pop()
        if current not in seen:
            seen.add(current)
            walk.folder(current)
    return walk.reach


class _KustomizationWalk:
    """One look at everything reachable; `folders` are those still to be looked at."""

    def __init__(self, tree: Tree, view: View) -> None:
        self.tree, self.view, self.reach = tree, view, BuildInputs()
        self.files = ReachedFiles(tree, view)
        self.folders: list[Path] = []
        self._folder = tree.root
        self._checks: dict[str, Callable[[str, Any, Location], None]] = {
            **dict.fromkeys(("resources", "bases", "components"), self._resource),
            **dict.fromkeys(("crds", "configurations"), self._file),
            **dict.fromkeys(("generators", "transformers", "validators"), self._plugin),
            **dict.fromkeys(ENTRY_KEYS, self._entry),
            "patchesStrategicMerge": self._merge_patch,
        }
        self._readers: dict[str, Callable[[str, dict[str, Any], Location], None]] = {
            "ConfigMapGenerator": self._generator,
            "SecretGenerator": self._generator,
            "PatchTransformer": self._targeted_patch,
            "PatchJson6902Transformer": self._targeted_patch,
            "PatchStrategicMergeTransformer": self._merged_patches,
            "ReplacementTransformer": self._replacements,
            "ValueAddTransformer": self._added_value,
        }

    def folder(self, folder: Path) -> None:
        """Look at one kustomization."""
        self._folder = folder
        fields, location = self._fields(folder)
        self.reach.empty = self.reach.empty and not any(
            value for name, value in fields.items() if name not in ABOUT_ITSELF
        )
        for name, value in fields.items():
            self._field(name, value, location)

    def _fields(self, folder: Path) -> tuple[dict[str, Any], Location]:
        """Return what the kustomization file of a folder says, and where it stands."""
        file = kustomization_file(self.tree, folder)
        for name in KUSTOMIZATION_NAMES:
            self.view.add_links(folder / name)
        shown = self.tree.shown(file)
        documents = read_yaml_documents(self.files.read(file), file=shown, meter=self.tree.meter)
        location = Location(self.tree.meter.subject, Origin(shown, documents[0].line if documents else 0))
        for document in documents:
            if isinstance(document.value, dict):
                check_kustomization_type(
                    document.value, Location(location.subject, Origin(shown, document.line))
                )
        if len(documents) > 1 or any(not isinstance(document.value, dict) for document in documents):
            raise location.error("a kustomization file holds exactly one map")
        return (documents[0].value if documents else {}), location

    def _field(self, name: str, value: Any, location: Location) -> None:
        if not value and name in REFUSED:
            return  # as kustomize has it
        if name in REFUSED:
            raise location.error(
                f"{name}: {REFUSED[name]} would be fetched and run, and are not supported", OFFLINE
            )
        if name in HARMLESS or value is None:
            return
        check = self._checks.get(name)
        if check is None:
            raise location.error(f"{printable(name, 60)!r} is no known field of a kustomization")
        for entry in [value] if name == "openapi" else self._listed(name, value, location):
            check(name, entry, location)

    def _listed(self, name: str, value: Any, location: Location) -> list[Any]:
        if not isinstance(value, list):
            raise location.error(f"{name} is not a list")
        return value

    def _file(self, name: str, written: Any, location: Location) -> None:
        self.files.content(name, written, location, self._folder)

    def _resource(self, name: str, written: Any, location: Location) -> None:
        if isinstance(written, str) and "\n" in written:
            raise location.error(f"{name}: an entry is text instead of a path")
        real = self.files.named(name, written, location, self._folder, REMOTE)
        if real.is_dir():
            self.folders.append(real)
            return
        shown = self.tree.shown(real)
        data = self.files.read(real)
        try:
            documents = read_documents(data, file=shown, meter=self.tree.meter)
        except RenderError as error:
            if isinstance(error, RenderBoundError) or not is_template(data):
                raise
            raise template_error(error) from error
        for document in documents:
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

    def _merge_patch(self, name: str, written: Any, location: Location) -> None:
        if is_inline(name, written, location, self.tree.meter):
            self._note_patch(written.encode(), location.origin.file)
        else:
            self._note_patch(*self.files.content(name, written, location, self._folder))

    def _note_patch(self, data: bytes, shown: str, target_kind: str = "") -> None:
        """Remember a patch: what it holds may belong to a Secret."""
        self.reach.patches.add(data.decode("utf-8", "replace").strip())
        for document in read_documents(data, file=shown, meter=self.tree.meter):
            self.reach.private |= patch_values(document.value, target_kind)

    def _entry(self, name: str, entry: Any, location: Location) -> None:
        if not isinstance(entry, dict):
            # `replacements` and the generators take maps only, old patches were paths.
            raise location.error(f"an entry of {name} is not a map")
        unknown = sorted(set(entry) - ENTRY_KEYS[name])
        if unknown:
            raise location.error(f"{name}: {printable(unknown[0], 60)!r} is no known key")
        if name.endswith("Generator"):
            self._generator(name, entry, location)
        elif name.startswith("patches"):
            self._targeted_patch(name, entry, location)
        elif name == "replacements":
            self._replacement(name, entry, location)
        elif entry.get("path"):
            self._file(name, entry["path"], location)

    def _targeted_patch(self, name: str, entry: dict[str, Any], location: Location) -> None:
        """Note a patch with a target: as text, by its path, or both."""
        target = entry.get("target")
        kind = str(target.get("kind") or "") if isinstance(target, dict) else ""
        for text in filter(None, (entry.get("patch"), entry.get("jsonOp"))):
            self._note_patch(str(text).encode(), location.origin.file, kind)
        if entry.get("path"):
            self._note_patch(*self.files.content(name, entry["path"], location, self._folder), kind)

    def _merged_patches(self, name: str, entry: dict[str, Any], location: Location) -> None:
        for written in self._listed(f"paths of {name}", entry.get("paths") or [], location):
            self._merge_patch(name, written, location)
        if entry.get("patches"):
            self._note_patch(str(entry["patches"]).encode(), location.origin.file)

    def _replacements(self, name: str, entry: dict[str, Any], location: Location) -> None:
        for each in self._listed(f"replacements of {name}", entry.get("replacements") or [], location):
            self._entry("replacements", each, location)

    def _replacement(self, name: str, entry: dict[str, Any], location: Location) -> None:
        self.reach.private |= scalars_of(entry.get("sourceValue"))
        if entry.get("path"):
            self._file(name, entry["path"], location)

    def _added_value(self, name: str, entry: dict[str, Any], location: Location) -> None:
        self.reach.private |= scalars_of(entry.get("value"))
        if entry.get("targetFilePath"):
            self._file(name, entry["targetFilePath"], location)

    def _generator(self, name: str, entry: dict[str, Any], location: Location) -> None:
        private: set[str] = set()
        secret = name.lower() == "secretgenerator"
        for written in self._listed(f"files of {name}", entry.get("files") or [], location):
            data, shown = self.files.content(
                name, str(written).partition("=")[2] or written, location, self._folder
            )
            check_encryption(data, Location(location.subject, Origin(shown)))
            private |= {data.decode("utf-8", "replace")} if secret else set()
        envs = [
            *self._listed(f"envs of {name}", entry.get("envs") or [], location),
            *filter(None, [entry.get("env")]),
        ]
        for written in envs:
            data, shown = self.files.content(name, written, location, self._folder)
            check_encryption(data, Location(location.subject, Origin(shown)))
            with self.tree.meter.parsing(shown, len(data), VALUE * data.count(b"\n")):
                private |= env_values(data, Location(location.subject, Origin(shown)))
        private |= literal_values(
            self._listed(f"literals of {name}", entry.get("literals") or [], location), name, location
        )
        if secret:
            self.reach.private |= private

    def _plugin(self, name: str, written: Any, location: Location) -> None:
        """Only kustomize's own plugins, and none that fetches."""
        if is_inline(name, written, location, self.tree.meter):
            data, shown = written.encode(), location.origin.file
        else:
            real = self.files.named(name, written, location, self._folder, REMOTE)
            if real.is_dir():
                self._plugin_folder(name, real)
                return
            data, shown = self.files.read(real), self.tree.shown(real)
        self._configurations(name, data, Location(location.subject, Origin(shown)))

    def _plugin_folder(self, name: str, folder: Path) -> None:
        """Check a folder whose resources are configurations; they name files relative to who names the folder."""
        waiting, seen = [folder], set[Path]()
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            fields, location = self._fields(current)
            unknown = sorted(set(fields) - OF_PLUGIN_FOLDERS)
            if unknown:
                raise location.error(
                    f"{name}: this folder has {printable(unknown[0], 60)!r}, and only resources are looked into",
                    "Name its files one by one.",
                )
            for written in self._listed("resources", fields.get("resources") or [], location):
                real = self.files.named("resources", written, location, current, REMOTE)
                if real.is_dir():
                    waiting.append(real)
                else:
                    at = Location(location.subject, Origin(self.tree.shown(real)))
                    self._configurations(name, self.files.read(real), at)

    def _configurations(self, name: str, data: bytes, location: Location) -> None:
        """Check configurations of plugins, and what they name, by the same rules as fields."""
        shown = location.origin.file
        for document in read_yaml_documents(data, file=shown, meter=self.tree.meter):
            at = Location(location.subject, Origin(shown, document.line))
            for value in objects_of(document.value):
                kind = check_plugin(name, value, at, OFFLINE)
                if kind in READING_KINDS:
                    self._readers[kind](kind, value, at)
                else:
                    self.reach.private |= content_of(value)
