# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run and a preview render an app: with what was rendered before, within the memory of this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ...model.app import AppSpec, Checkout
from ...model.errors import PlumbError
from ...model.objects import Manifest
from ...render.app import render_app
from ...render.bounds.memory_budget import MemoryBudget
from ...render.render_cache import RenderCache, RenderSource


def renderer_of(
    renderings: RenderCache, of_run: Mapping[str, Checkout | PlumbError] = MappingProxyType({})
) -> Callable[[Checkout, AppSpec], tuple[Manifest, ...]]:
    """Return what renders an app from a checkout, with what was rendered before.

    `of_run` are the sources as a run follows them, where other revisions of them are rendered: what was kept by runs is
    looked for under those.
    """

    budget = MemoryBudget.of_process()

    def render(checkout: Checkout, app: AppSpec) -> tuple[Manifest, ...]:
        known = of_run.get(app.source)
        followed = known if isinstance(known, Checkout) else checkout
        return render_app(
            checkout.path,
            RenderSource(
                folder=str(followed.path.parent.parent),
                source=app.source,
                ref=followed.revision.ref,
                path=app.path,
            ),
            subject=f"app {app.name}",
            cache=renderings,
            budget=budget,
        )

    return render
