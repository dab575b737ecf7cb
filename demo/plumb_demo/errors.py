# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways in which the demo can fail."""

from __future__ import annotations


class DemoError(Exception):
    """The demo could not do its part: no sandbox, no push, no answer."""


class CheckFailed(DemoError):
    """A check failed: the cluster is not as the scene expects."""
