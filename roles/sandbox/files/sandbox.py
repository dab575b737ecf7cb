# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real local Kubernetes control plane and forge: see docs/sandbox.md."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - checked here, since anything imported below would fail obscurely
        sys.exit("sandbox: it needs Python 3.11 or newer, this is " + sys.version.split()[0])
    from plumb_sandbox.cli import main

    sys.exit(main(sys.argv[1:]))
