# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: a real cluster is brought to what a real Git repository says. Run it by `make demo`; see docs/demo.md."""

from __future__ import annotations

import sys

from plumb_demo.runner import main

if __name__ == "__main__":
    sys.exit(main())
