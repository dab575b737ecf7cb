# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of apps by `depends_on`, and the errors in it: unknown names, circles, two apps of one name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from ...model.app import AppSpec
from ...model.errors import InputError


def dependencies(apps: Sequence[AppSpec]) -> TopologicalSorter[str]:
    """Return a prepared sorter over the names of the apps.

    Raises InputError for two apps of one name, a dependency that is no app, and a circle.
    """
    names = [app.name for app in apps]
    for app in apps:
        if names.count(app.name) > 1:
            raise InputError(
                f"app {app.name}", "reading the apps", "two apps have this name", "Rename one of them."
            )
        for dependency in app.depends_on:
            if dependency not in names:
                similar = difflib.get_close_matches(dependency, names, n=1)
                raise InputError(
                    f"app {app.name}",
                    "reading depends_on",
                    f"there is no app {dependency!r}",
                    f"Did you mean {similar[0]!r}?" if similar else "Name one of the apps of this inventory.",
                )
    sorter = TopologicalSorter({app.name: app.depends_on for app in apps})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise InputError(
            "apps", "ordering them by depends_on", f"they wait for each other: {circle}", "Break the circle."
        ) from error
    return sorter
