# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a tarball of a collection for another host, and print its digest.

    pack.py COLLECTION FOLDER     an installed collection, or a working tree
    pack.py TARBALL               a collection that is a tarball already

Prints JSON: `path` of the tarball, and `digest`, which depends on the files and not on the time of packing.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any


class PackError(Exception):
    """The collection cannot be packed; the text gives the reason and the next step."""


def main(arguments: list[str]) -> int:
    """Print the JSON and return the exit code."""
    try:
        collection = Path(arguments[0])
        archive = collection if collection.is_file() else packed(collection, Path(arguments[1]))
        print(json.dumps({"path": str(archive), "digest": digest(archive)}))
    except (PackError, OSError, tarfile.TarError, IndexError) as error:
        print(f"{arguments[0] if arguments else 'pack.py'}: packing the collection: {error}", file=sys.stderr)
        return 1
    return 0


def packed(collection: Path, folder: Path) -> Path:
    """Make the tarball in `folder` and return its path. Raises PackError."""
    if (collection / "galaxy.yml").is_file():
        return _built(collection, folder)
    if (collection / "FILES.json").is_file():
        return _repacked(collection, folder)
    raise PackError("it has neither galaxy.yml nor FILES.json, so it is no collection")


def _built(collection: Path, folder: Path) -> Path:
    program = Path(sys.executable).with_name("ansible-galaxy")
    command = [
        str(program) if program.exists() else "ansible-galaxy",
        "collection", "build", str(collection.resolve()), "--output-path", str(folder), "--force",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    made = sorted(folder.glob("*.tar.gz"))
    if done.returncode != 0 or len(made) != 1:
        raise PackError(f"ansible-galaxy collection build failed: {done.stderr.strip()[-500:]}")
    return made[0]


def _repacked(collection: Path, folder: Path) -> Path:
    """Pack an installed collection as Galaxy delivered it: it still has its manifest and the hash of each file."""
    manifest = json.loads((collection / "MANIFEST.json").read_text(encoding="utf-8"))
    info = manifest["collection_info"]
    archive = folder / f"{info['namespace']}-{info['name']}-{info['version']}.tar.gz"
    entries = _entries((collection / "FILES.json").read_bytes())
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("MANIFEST.json", "FILES.json"):
            tar.add(collection / name, name)
        for entry in entries:
            path = collection / entry["name"]
            if entry["ftype"] == "file" and _hash(path) != entry["chksum_sha256"]:
                raise PackError(
                    f"{entry['name']} was changed after it was installed. Install the collection again,"
                    " or name a tarball in agent_collection (plumb_agent_collection)."
                )
            if entry["name"] != ".":
                tar.add(path, entry["name"], recursive=False)
    return archive


def digest(archive: Path) -> str:
    """Return a hash of the files in a tarball. Raises PackError for a tarball that is no collection."""
    with tarfile.open(archive) as tar:
        try:
            files_json = tar.extractfile("FILES.json")
        except KeyError:
            files_json = None
        if files_json is None:
            raise PackError("it has no FILES.json, so it is no collection")
        entries = _entries(files_json.read())
    lines = sorted(f"{entry['name']} {entry.get('chksum_sha256')}" for entry in entries)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _entries(files_json: bytes) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(files_json)["files"]
    return entries


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
