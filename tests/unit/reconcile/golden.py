# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden cases: a folder each, with one YAML file for each thing that goes in or must come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml


def golden(package: str, module: str) -> list[Any]:
    """Return the cases of `<package>/cases/<module>`, as pytest parameters: by file name without `.yaml`."""
    folders = sorted((Path(__file__).parent / package / "cases" / module).iterdir())
    assert folders, module
    return [pytest.param(_read(folder), id=folder.name) for folder in folders]


def _read(folder: Path) -> dict[str, Any]:
    return {
        file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.yaml"))
    }
