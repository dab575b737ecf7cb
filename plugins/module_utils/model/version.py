# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this release calls itself. A unit test holds it equal to galaxy.yml."""

from __future__ import annotations

VERSION = "0.1.0"
