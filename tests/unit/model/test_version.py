# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release has one number."""

from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.plumb.gitops.plugins.module_utils.model.version import VERSION


def test_the_engine_and_galaxy_call_the_release_the_same():
    root = Path(__file__).resolve().parents[3]
    assert yaml.safe_load((root / "galaxy.yml").read_text(encoding="utf-8"))["version"] == VERSION
