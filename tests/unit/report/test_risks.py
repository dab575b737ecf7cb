# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a plan a reviewer should look at twice."""

from __future__ import annotations

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.change import ABSENT, FieldChange
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Action, AppResult, Plan, Verb
from ansible_collections.plumb.gitops.plugins.module_utils.report.risks import risks

WEB = ObjectRef("apps", "Deployment", "shop", "web")
CLAIM = ObjectRef("", "PersistentVolumeClaim", "shop", "data")
MAP = ObjectRef("", "ConfigMap", "shop", "flags")
IMAGE = FieldChange("spec.template.spec.containers[main].image", "app:1", "app:2")
ZERO = FieldChange("spec.replicas", 3, 0)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Action(ref=WEB, verb=Verb.UPDATE, changes=(IMAGE,)), ["restarts"]),
        (Action(ref=WEB, verb=Verb.UPDATE, changes=(ZERO,)), ["stops"]),
        (Action(ref=WEB, verb=Verb.UPDATE, changes=(ZERO, IMAGE)), ["stops", "restarts"]),
        (Action(ref=WEB, verb=Verb.CREATE, changes=(FieldChange("spec.replicas", ABSENT, 0),)), []),
        (Action(ref=MAP, verb=Verb.UPDATE, changes=(FieldChange("data.a", "1", "2"),)), []),
        (Action(ref=MAP, verb=Verb.PRUNE), ["prunes"]),
        (Action(ref=CLAIM, verb=Verb.PRUNE), ["deletes data or all that is inside"]),
        (Action(ref=WEB, verb=Verb.REFUSED, reason="field is immutable"), ["immutable"]),
        (Action(ref=WEB, verb=Verb.RECREATE, reason="spec.selector cannot be changed"), ["immutable"]),
        (Action(ref=WEB, verb=Verb.REFUSED, reason="it exists already"), ["refused"]),
        (Action(ref=WEB, verb=Verb.ADOPT), ["adopts"]),
        (Action(ref=WEB, verb=Verb.UNCHANGED), []),
    ],
)
def test_a_risk_is_told_by_its_word(action: Action, words: list[str]) -> None:
    named = risks([AppResult(plan=Plan(app="shop", actions=(action,)))])
    assert [risk.word for risk in named] == words
    assert all(risk.objects == (str(action.ref),) and risk.means for risk in named)
