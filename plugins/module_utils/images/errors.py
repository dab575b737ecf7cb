# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of registries, of choices and of updates."""

from __future__ import annotations

from ..model.errors import PlumbError


class RegistryError(PlumbError):
    """A registry refused, or its answer cannot be used.

    `status` is that of its answer, 0 where there was none; `wait` the seconds that it asked to be left alone.
    """

    def __init__(
        self,
        subject: str,
        operation: str,
        reason: str,
        next_step: str = "",
        *,
        status: int = 0,
        wait: float = 0.0,
    ) -> None:
        super().__init__(subject, operation, reason, next_step)
        self.status = status
        self.wait = wait


class ChoiceError(PlumbError):
    """No tag of an image is what its policy wants."""


class UpdateError(PlumbError):
    """A choice could not be written to Git."""
