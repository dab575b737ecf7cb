# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/architecture.md names the packages and files that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
ENGINE = ROOT / "plugins/module_utils"
CONTROLLER = ROOT / "controller"


def packages(root: Path) -> set[str]:
    """The folders below `root` that hold modules, as paths from it."""
    files = (file for file in root.rglob("*.py") if file.name != "__init__.py")
    return {file.parent.relative_to(root).as_posix() for file in files} - {"."}


def test_each_package_has_a_row():
    rows = set(re.findall(r"^\| `([\w/]+)` \|", PAGE, re.MULTILINE))
    wanted = packages(ENGINE) | {f"controller/{name}" for name in packages(CONTROLLER)} | {"interface"}
    assert rows == wanted


def test_each_file_that_is_named_exists():
    of_tables = {
        f"{package}/{file}"
        for package, files in re.findall(r"^\| `([\w/]+)` \|.*\| (`.*`) \|$", PAGE, re.MULTILINE)
        for file in re.findall(r"`([\w/]+\.py)`", files)
    }
    of_text = set(re.findall(r"`([a-z_]+/[\w/]+\.py)`", PAGE))
    missing = [
        name
        for name in of_tables | of_text
        if not any((root / name).is_file() for root in (ENGINE, ROOT)) and not name.startswith("modules/")
    ]
    assert not missing
