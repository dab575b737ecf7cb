# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hypothesis's settings for tests on a real cluster: the draws are the same in every run.

PLUMB_DRAWS=<number> draws others. The seed is a number and not a digest of the test, so that a name that changes in it
changes no draw.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st

DRAWS = st.randoms(use_true_random=False)

_ALL_PHASES = (Phase.explicit, Phase.generate, Phase.target, Phase.shrink)


def examples(
    number: int, *, draws: int = 1, shrink: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that runs a test with so many examples; without `shrink` a failing one is shown as drawn."""
    options = settings(
        max_examples=number,
        phases=_ALL_PHASES if shrink else (Phase.generate,),
        report_multiple_bugs=shrink,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        return seed(int(os.environ.get("PLUMB_DRAWS", draws)))(options(test))

    return decorate
