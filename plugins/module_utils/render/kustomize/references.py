# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kustomization may refer to, without reading it as one: every text in it.

For whoever has to have the files there before anything is rendered. Nothing is refused here.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..yaml.pyyaml import parser_class, yaml
from .kustomization import KUSTOMIZATION_NAMES

NAMES = frozenset(KUSTOMIZATION_NAMES)


def texts_of(content: bytes) -> Iterator[str]:
    """Yield the scalars of a YAML file up to its first fault, aliases not followed; rendering reports the fault."""
    try:
        for event in yaml.parse(content, Loader=parser_class("a kustomization")):
            if isinstance(event, yaml.ScalarEvent):
                yield event.value
    except (yaml.YAMLError, ValueError):
        return
