# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that several packages of the engine know objects by."""

from __future__ import annotations

PART_OF = "applyset.kubernetes.io/part-of"  # the label of a member, with the id of its set (KEP-3659)
RECORD_PREFIX = "plumb-members."  # the name of an app's record begins with it
