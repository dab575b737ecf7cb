# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory is copied, the copy is checked and then used. A wrong one is refused, and the last right one stays."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError, PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.state.file import read_bounded
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import Trust, make_folder
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import RecordStore

from ..core.config import Config
from ..core.run_protocol import RunOutcome
from ..runner.run_pool import RunPool, RunRequest

PLAYBOOK = "plumb.gitops.settings"
_STORE = RecordStore[dict[str, Any]](
    kind="plumb.gitops/inventory", version=1, encode=dict, decode=dict, trust=Trust.STATE
)
_BESIDE = ("group_vars", "host_vars")  # what Ansible reads beside an inventory file
_MOST_FILES = 10_000
_MOST_BYTES = 64 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}", re.ASCII)  # no pattern of Ansible's, and a file name
_OPERATION = "reading the inventory"


class InventoryRefusedError(PlumbError):
    """The inventory cannot be used; the former one stays in force."""


@dataclass(frozen=True, slots=True)
class InventoryCopy:
    """An inventory that was checked: its copy, and the settings of each cluster."""

    path: Path  # what Ansible gets as -i
    folder: Path  # holds the copy
    settings: Mapping[str, Mapping[str, Any]]  # by cluster


@dataclass(frozen=True, slots=True)
class _File:
    origin: Path
    target: Path  # relative to the copy


def fingerprint(config: Config) -> str:
    """Return what changes when a file of the inventory does, cheaply. Empty where it cannot be read."""
    digest = hashlib.sha256()
    try:
        for file in _files(config.inventory):
            status = file.origin.stat()
            digest.update(
                f"{file.target}\0{status.st_mtime_ns}\0{status.st_size}\0{status.st_ino}\n".encode()
            )
    except (OSError, PlumbError):
        return ""
    return digest.hexdigest()


async def check_inventory_copy(config: Config, runs: RunPool, current: InventoryCopy | None) -> InventoryCopy:
    """Copy the inventory, check the copy, and put it in force. Raises InventoryRefusedError or InputError.

    One that is the same as `current` is not checked again; then `current` is returned.
    """
    root = config.state_dir / "inventory"
    make_folder(root)
    try:
        folder, path = _copy(config.inventory, root, config.limit)
    except OSError as exc:
        raise _refused(config, f"{exc.strerror or exc}: {exc.filename}", "Let the agent read it.") from exc
    if current is not None and current.folder == folder:
        return current
    outcome = await runs.make(
        RunRequest(
            playbook=PLAYBOOK,
            inventory=path,
            limit=config.limit,
            timeout=min(config.run_timeout, 300.0),
            vault_password_file=config.vault_password_file,
            keep_fork_server=config.start_ahead,
        )
    )
    settings = _settings(config, outcome)
    _STORE.save(root / "accepted", {"folder": folder.name, "path": path.name, "settings": settings})
    return InventoryCopy(path, folder, settings)


def last_accepted(config: Config) -> InventoryCopy | None:
    """Return the copy that was in force when the agent ended, if it still exists."""
    root = config.state_dir / "inventory"
    content = _STORE.load(root / "accepted")
    if content is None:
        return None
    folder = root / content["folder"]
    path = folder / content["path"]
    return InventoryCopy(path, folder, content["settings"]) if path.exists() else None


def drop_others(config: Config, used: set[Path]) -> None:
    """Remove copies that no run uses and that are not in force."""
    with suppress(OSError):  # it is tried again later
        for folder in (config.state_dir / "inventory").iterdir():
            if folder.is_dir() and folder not in used:
                shutil.rmtree(folder, ignore_errors=True)


def _settings(config: Config, outcome: RunOutcome) -> Mapping[str, Mapping[str, Any]]:
    if outcome.code != 0:
        why = "; ".join(outcome.failures) or f"ansible-playbook ended with code {outcome.code}"
        raise _refused(config, why, "Correct it; it is read again as soon as it changes.")
    if not outcome.settings:
        limit = f" that limit {config.limit!r} leaves" if config.limit else ""
        raise _refused(
            config,
            f"the group plumb_clusters has no host{limit}",
            "Add a host for each cluster to that group.",
        )
    for name in outcome.settings:
        if _NAME.fullmatch(name) is None:
            why = f"{name!r} is no name for a cluster: letters, digits, '.', '_' and '-'"
            raise _refused(config, why, "Rename the host.")
    return outcome.settings


def _refused(config: Config, why: str, next_step: str) -> InventoryRefusedError:
    return InventoryRefusedError(f"inventory {config.inventory}", _OPERATION, why, next_step)


def _copy(inventory: Path, root: Path, limit: str) -> tuple[Path, Path]:
    """Copy it. Return the folder with the copy, named by its content, and the path in it for Ansible."""
    files = list(_files(inventory))
    digest, size = hashlib.sha256(limit.encode()), 0
    staged = root / f".new-{os.getpid()}"
    shutil.rmtree(staged, ignore_errors=True)
    for file in files:
        data = read_bounded(file.origin, _MOST_BYTES)
        size += len(data)
        if size > _MOST_BYTES:
            raise _too_large(
                inventory, f"its files are larger than {_MOST_BYTES // 1024 // 1024} MiB together"
            )
        executable = os.access(file.origin, os.X_OK)
        digest.update(f"\0{file.target}\0{executable}\0{len(data)}\0".encode() + data)
        target = staged / file.target
        make_folder(target.parent)
        target.touch(mode=0o700 if executable else 0o600)
        target.write_bytes(data)
    folder = root / digest.hexdigest()[:32]
    if folder.is_dir():
        shutil.rmtree(staged)
    else:
        staged.replace(folder)
    return folder, folder / "inventory" if inventory.is_dir() else folder / inventory.name


def _files(inventory: Path) -> Iterator[_File]:
    if inventory.is_dir():
        roots = [_File(inventory, Path("inventory"))]
    elif inventory.is_file():
        beside = [_File(inventory.parent / name, Path(name)) for name in _BESIDE]
        roots = [_File(inventory, Path(inventory.name)), *(root for root in beside if root.origin.exists())]
    else:
        why, step = "there is no such file or folder", "Set inventory to an existing one, or create it."
        raise InputError(f"inventory {inventory}", _OPERATION, why, step)
    for count, file in enumerate(_walk(roots)):
        if count >= _MOST_FILES:
            raise _too_large(inventory, f"it has more than {_MOST_FILES} files")
        yield file


def _walk(files: list[_File]) -> Iterator[_File]:
    """Yield every file below, by name. As Ansible does, this follows links and leaves hidden files out."""
    for file in files:
        if file.origin.is_dir():
            inner = sorted(path for path in file.origin.iterdir() if not path.name.startswith("."))
            yield from _walk([_File(path, file.target / path.name) for path in inner])
        else:
            yield file


def _too_large(inventory: Path, why: str) -> InputError:
    return InputError(
        f"inventory {inventory}", _OPERATION, why, "Give the agent a folder that holds the inventory alone."
    )
