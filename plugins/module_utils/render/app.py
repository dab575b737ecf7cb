# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry point of this package: the manifests that a path of a revision renders to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..model.errors import RenderBoundError, RenderError, printable
from ..model.objects import Manifest
from .bounds.limits import Meter
from .bounds.memory_budget import READING, MemoryBudget, MemoryShare, OverBudgetError
from .kustomize.build import build_kustomization
from .kustomize.kustomization import KUSTOMIZATION_NAMES, is_kustomization
from .manifest import parse_manifests, reject_duplicates
from .other_tools import (
    chart_error,
    is_chart,
    is_other_json,
    is_template,
    other_files,
    other_files_error,
    template_error,
)
from .render_cache import RenderCache, Rendering, RenderSource
from .tree import Tree
from .yaml.documents import read_documents

MANIFEST_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_MOST_NAMES = 5  # of files, in a remark


@dataclass(frozen=True, slots=True)
class Renderer:
    """A way to render a folder that is more than a folder of manifests."""

    name: str
    accepts: Callable[[Tree, Path], bool]
    render: Callable[[Tree, Path], tuple[Manifest, ...]]


# The first that accepts a folder renders it and all below it. A folder that none accepts is read as plain manifests.
RENDERERS = (Renderer("kustomize", is_kustomization, build_kustomization),)


def render_app(
    root: Path, source: RenderSource, *, subject: str, cache: RenderCache, budget: MemoryBudget | None = None
) -> tuple[Manifest, ...]:
    """Render as `render_path` does, from `cache` where all that it was made of is the same; the result is kept there.

    With `cache.afresh` what was kept is only compared, and `cache.differing` gets the app if it differs. Else a render
    that went beyond a bound is not tried again before its files change, or there is more memory.
    """
    budget = budget or MemoryBudget.of_process()
    made = None if cache.afresh else _recalled(cache, root, source, budget, hold=True)
    if made is None:
        made = _rendered_anew(root, source, subject, cache, budget)
    cache.remarks[subject] = made.remarks
    return made.manifests


def _rendered_anew(
    root: Path, source: RenderSource, subject: str, cache: RenderCache, budget: MemoryBudget
) -> Rendering:
    if not cache.afresh:
        _refuse_what_failed(cache, root, source, subject, budget)

    def failed(tree: Tree, error: RenderBoundError) -> None:
        cache.save_failure(root, source, inputs=[*tree.requested], programs=[*tree.programs], error=error)

    tree, manifests = _rendered(root, source.path, subject, budget, failed)
    made = Rendering(manifests, _remarks(tree, empty=not manifests))
    known = _recalled(cache, root, source, budget, hold=False) if cache.afresh else None
    if known is not None and known != made:
        cache.differing.append(subject)
    if known != made:
        cache.save(root, source, inputs=[*tree.requested], programs=[*tree.programs], rendering=made)
    return made


def _recalled(
    cache: RenderCache, root: Path, source: RenderSource, budget: MemoryBudget, *, hold: bool
) -> Rendering | None:
    """Return the cached rendering if it is valid and there is memory for it; with `hold` it stays for the whole run."""
    size, values = cache.size(source)
    if not size:
        return None

    def work(account: MemoryShare) -> tuple[Rendering | None, int]:
        account.charge(READING * size + values)
        known = cache.load(root, source)
        return known, values if hold and known is not None else 0

    try:
        return budget.rendered(work)
    except OverBudgetError:  # by what its size lets fear; rendering it counts what it takes
        return None


def _refuse_what_failed(
    cache: RenderCache, root: Path, source: RenderSource, subject: str, budget: MemoryBudget
) -> None:
    error = cache.load_failure(root, source)
    if error is None or budget.may_do(error.memory, error.program_memory):
        return
    raise RenderBoundError(
        subject,
        error.operation,
        f"{error.reason} (found by an earlier run, which is not repeated while its files are the same)",
        error.next_step,
    )


def _rendered(
    root: Path,
    path: str,
    subject: str,
    budget: MemoryBudget,
    failed: Callable[[Tree, RenderBoundError], None] = lambda _tree, _error: None,
) -> tuple[Tree, tuple[Manifest, ...]]:
    def work(account: MemoryShare) -> tuple[tuple[Tree, tuple[Manifest, ...]], int]:
        tree = Tree(root, Meter(subject, account))
        try:
            return (tree, _render(tree, path)), tree.meter.held
        except RenderBoundError as error:
            failed(tree, error)
            raise

    return budget.rendered(work)


def render_path(
    root: Path, path: str, *, subject: str, budget: MemoryBudget | None = None
) -> tuple[Manifest, ...]:
    """Return the manifests of `path` in the checkout `root`, in their files' order; `subject` names the app in errors.

    A folder with a kustomization file is built by kustomize. Any other folder gives its `*.yaml`, `*.yml` and `*.json`
    files and those of its subfolders, by name, hidden ones left out; a subfolder with a kustomization file is built
    and not descended into. A path may be one file. An empty result is left to the caller. Secrets come back with
    `data` only; fields that the server owns are left out. Raises RenderError; nothing of the app may be applied then.
    """
    return _rendered(root, path, subject, budget or MemoryBudget.of_process())[1]


def _render(tree: Tree, path: str) -> tuple[Manifest, ...]:
    subject = tree.meter.subject
    start = tree.find(path or ".")
    if start.is_dir():
        _check_no_templates(tree, start)
        manifests = tuple(_of_folder(tree, start))
        if not manifests and (what := other_files([*tree.others, *tree.passed_over])):
            raise other_files_error(subject, path, what)
    elif start.name in KUSTOMIZATION_NAMES:
        manifests = build_kustomization(tree, start.parent)
    elif start.suffix.lower() in MANIFEST_SUFFIXES:
        manifests = _of_file(tree, start)
    else:
        raise RenderError(
            subject,
            f"reading path {path!r}",
            "the file is neither YAML nor JSON by its name",
            "Name a folder, or a file that ends in .yaml, .yml or .json.",
        )
    reject_duplicates(manifests, subject=subject)
    return manifests


def _of_file(tree: Tree, file: Path) -> tuple[Manifest, ...]:
    data = tree.read(file)
    try:
        return parse_manifests(data, file=tree.shown(file), meter=tree.meter)
    except RenderBoundError:
        raise
    except RenderError as error:
        if is_template(data) and not _is_read(data, tree.shown(file), tree.meter):
            raise template_error(error) from error
        raise


def _of_listed_file(tree: Tree, file: Path, shown: str) -> tuple[Manifest, ...]:
    """Return the manifests of a file that nobody has named: JSON that is no manifest at all is passed over."""
    try:
        return _of_file(tree, file)
    except RenderBoundError:
        raise
    except RenderError:
        if not shown.lower().endswith(".json") or not _is_other_json(tree, file):
            raise
        tree.passed_over.append(shown)
        return ()


def _is_read(data: bytes, shown: str, meter: Meter) -> bool:
    try:
        return bool(read_documents(data, file=shown, meter=Meter(meter.subject)))
    except RenderError:
        return False


def _is_other_json(tree: Tree, file: Path) -> bool:
    try:
        documents = read_documents(tree.read(file), file=tree.shown(file), meter=tree.meter)
    except RenderError:
        return False
    return is_other_json(document.value for document in documents)


def _check_no_templates(tree: Tree, start: Path) -> None:
    """Raise RenderError where a path is the folder of a chart's templates."""
    if start.name == "templates" and start != tree.root:
        chart = start.parent / "Chart.yaml"
        if tree.inside(chart, tree.shown(chart)).is_file():
            raise chart_error(tree.meter.subject, tree.shown(start))


def _check_no_chart(tree: Tree, folder: Path) -> None:
    """Raise RenderError where a folder is a chart."""
    file = folder / "Chart.yaml"
    if tree.has_file(file):
        shown = tree.shown(file)
        data = tree.read(tree.inside(file, shown))
        if any(is_chart(document.value) for document in read_documents(data, file=shown, meter=tree.meter)):
            raise chart_error(tree.meter.subject, tree.shown(folder))


def _remarks(tree: Tree, *, empty: bool) -> tuple[str, ...]:
    """Return what people should know of a rendering: what was passed over, and why it is empty."""
    remarks = []
    if tree.passed_over:
        remarks.append(f"passed over, as JSON that is no object for Kubernetes: {_some(tree.passed_over)}")
    if tree.others and empty:
        remarks.append(f"there are no manifests, only {_some(tree.others)}")
    return tuple(remarks)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(printable(name, 80) for name in names[:_MOST_NAMES]) + more


def _of_folder(tree: Tree, start: Path) -> Iterator[Manifest]:
    """Depth first and by name, without recursion: a revision decides how deep its folders are."""
    waiting, read = [(start, tree.shown(start))], set[Path]()
    while waiting:
        path, written = waiting.pop()
        if path.is_dir():
            if path in read:
                raise RenderError(
                    tree.meter.subject,
                    f"reading path {written!r}",
                    "its symbolic link leads to a folder that is read already",
                    "Remove the link.",
                )
            read.add(path)
            renderer = next((each for each in RENDERERS if each.accepts(tree, path)), None)
            if renderer is not None:
                yield from renderer.render(tree, path)
                continue
            _check_no_chart(tree, path)
            tree.check_not_submodule(path)
            children = [
                (tree.inside(child, tree.shown(child)), tree.shown(child)) for child in tree.children(path)
            ]
            waiting.extend(reversed(children))
        elif Path(written).suffix.lower() in MANIFEST_SUFFIXES:
            yield from _of_listed_file(tree, path, written)
        else:
            tree.others.append(written)
