"""Health by golden cases: one folder per kind, one YAML file per state. A bug report becomes a new file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.health import HealthStatus
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.health.assess import assess
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.health.rules import RULES

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize(
    "case", sorted(CASES.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_golden(case: Path) -> None:
    """An expected message is a part of what is said; an empty one means that nothing is."""
    golden = yaml.safe_load(case.read_text(encoding="utf-8"))
    health = assess(golden["body"])
    assert health.status.value == golden["expect"]["status"], health
    fragment = golden["expect"]["message"]
    assert fragment in health.message if fragment else health.message == "", health


def test_every_kind_with_a_rule_has_cases() -> None:
    folders = {path.name for path in CASES.iterdir()}
    assert {str(kind.kind) for kind in RULES} <= folders


def test_a_message_is_one_printable_line() -> None:
    body = {
        "apiVersion": "example.com/v1",
        "kind": "Sample",
        "metadata": {"name": "sample"},
        "status": {
            "conditions": [{"type": "Ready", "status": "False", "message": "a\nb\x1b[31m" + "c" * 5000}]
        },
    }
    message = assess(body).message
    assert message.isprintable()
    assert len(message) < 300


_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8)
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
_condition = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Ready", "Stalled", "Reconciling", "Available", "Progressing", "Complete"])
        | _json
    },
    optional=dict.fromkeys(("status", "reason", "message", "observedGeneration"), _json),
)
_part = _json | st.dictionaries(
    st.sampled_from(
        [
            "conditions",
            "replicas",
            "updatedReplicas",
            "observedGeneration",
            "phase",
            "containerStatuses",
            "type",
        ]
    ),
    _json | st.lists(_condition | _json, max_size=3),
    max_size=4,
)


@given(
    kind=st.sampled_from(sorted(RULES)),
    metadata=st.dictionaries(
        st.sampled_from(["generation", "deletionTimestamp", "finalizers", "name"]), _json, max_size=4
    ),
    spec=_part,
    status=_part,
)
def test_a_hostile_body_never_raises(kind: Any, metadata: Any, spec: Any, status: Any) -> None:
    api_version = f"{kind.group}/v1" if kind.group else "v1"
    body = {
        "apiVersion": api_version,
        "kind": kind.kind,
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }
    health = assess(body)
    assert isinstance(health.status, HealthStatus)
    assert health.message.isprintable() or health.message == ""


@given(_json)
def test_no_body_at_all_never_raises(body: Any) -> None:
    assert isinstance(assess(body).status, HealthStatus)
