# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real local Kubernetes control plane and forge: see docs/sandbox.md."""

from __future__ import annotations

import sys

from plumb_sandbox.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
