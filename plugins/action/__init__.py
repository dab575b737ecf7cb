# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions. Whatever of the engine they import comes with its bytecode."""

from __future__ import annotations

import gc

from ansible_collections.plumb.gitops.plugins.plugin_utils.bytecode import use_bytecode

gc.freeze()  # what Ansible imported, or each search for cycles on the way goes through it
use_bytecode()
