# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of an app: read back as written, small, and never misread (row 74)."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InventoryError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.applyset.inventory import SetIdentity
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.membership.membership import (
    confirmation,
    members_by_record,
    unrecorded_warning,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.membership.record import (
    MemberRecord,
    RecordedMember,
    read_record,
    record_name,
)
from ansible_collections.plumb.gitops.tests.unit.reconcile.recorded import HOME, membership, record
from ansible_collections.plumb.gitops.tests.unit.reconcile.samples import app

SHOP, CART = SetIdentity("shop", "shop"), SetIdentity("cart", "shop")
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
REFS = st.builds(ObjectRef, NAMES, NAMES, NAMES, NAMES)


def config_map(name: str) -> ObjectRef:
    return ObjectRef("", "ConfigMap", "shop", name)


@given(st.dictionaries(REFS, st.builds(RecordedMember, NAMES, NAMES), max_size=20))
def test_row_74_what_was_written_is_read_back(entries: dict[ObjectRef, RecordedMember]) -> None:
    written = record(SHOP, entries)
    assert read_record(written.body(HOME), SHOP, "plumb", HOME) == written
    shuffled = record(SHOP, dict(reversed(entries.items())))
    assert shuffled.body(HOME) == written.body(HOME), "the same record is the same bytes"


def test_row_74_no_two_sets_have_one_record() -> None:
    names = [
        record_name(SetIdentity(app, ns))
        for app, ns in [("b-c", "a"), ("c", "a-b"), ("a", "b-c"), ("b", "a")]
    ]
    assert len(set(names)) == len(names)


def test_row_74_ten_thousand_objects_fit_and_too_many_are_refused_in_words() -> None:
    many = {
        config_map(f"settings-{n:x}-{n * 7919 % 99991:05x}"): RecordedMember(f"{n * 2654435761:016x}")
        for n in range(10_000)
    }
    packed = record(SHOP, many).body(HOME)["binaryData"]["members.json.gz"]
    assert len(packed) < 400_000
    long = {
        config_map(f"{n}-{gzip.compress(str(n).encode(), mtime=0).hex() * 5}"): RecordedMember()
        for n in range(60_000)
    }
    with pytest.raises(InventoryError, match="Split the app"):
        record(SHOP, long).body(HOME)


def damaged(**change: Any) -> dict[str, Any]:
    return {**record(SHOP, [config_map("c")]).body(HOME), **change}


def packed(text: bytes) -> dict[str, str]:
    return {"members.json.gz": base64.b64encode(gzip.compress(text)).decode()}


@pytest.mark.parametrize(
    "body",
    [
        damaged(binaryData={}),
        damaged(binaryData=None),
        damaged(binaryData={"members.json.gz": "no base64!"}),
        damaged(binaryData={"members.json.gz": base64.b64encode(b"no gzip").decode()}),
        damaged(binaryData={"members.json.gz": base64.b64encode(gzip.compress(b"{}")[:-9]).decode()}),
        damaged(binaryData=packed(b"[" * 100_000)),
        damaged(binaryData=packed(b"[]")),
        damaged(binaryData=packed(b'{"format":1}')),
        damaged(binaryData=packed(b'{"format":1,"members":[["","ConfigMap"]]}')),
        damaged(binaryData=packed(b'{"format":1,"members":[["","ConfigMap","a","b","c","d","e"]]}')),
        damaged(binaryData=packed(b'{"format":2,"members":[]}')),
        damaged(metadata={"name": "x", "annotations": {"plumb.gitops/owner": "another"}}),
        damaged(metadata={"name": "x"}),
    ],
)
def test_row_74_what_cannot_be_read_is_an_error_and_not_an_empty_record(body: dict[str, Any]) -> None:
    with pytest.raises(InventoryError) as caught:
        read_record(body, SHOP, "plumb", HOME)
    assert "ConfigMap plumb-system/plumb-members.shop.shop" in str(caught.value)
    assert caught.value.next_step


def test_row_74_all_records_of_a_run_are_read_by_one_list() -> None:
    seen = membership(SHOP, record(SHOP, [config_map("a")]), record(CART, [config_map("b")]), others=[CART])
    assert seen.record.exists
    assert seen.records.sets_with(config_map("b"), [SHOP, CART]) == [CART]
    assert not seen.records.load(SetIdentity("other", "shop")).exists


@given(st.sets(REFS, max_size=8), st.sets(REFS, max_size=8), st.sets(REFS, max_size=8), st.booleans())
def test_row_74_only_what_is_recorded_or_confirmed_leaves_git(
    labelled: set[ObjectRef], wanted: set[ObjectRef], recorded: set[ObjectRef], exists: bool
) -> None:
    live = {ref: {"metadata": {"name": ref.name}} for ref in labelled}
    own = record(SHOP, recorded) if exists else MemberRecord(identity=SHOP, owner="plumb")
    result = members_by_record(app(), live, frozenset(wanted), [own])
    assert result.counted.keys() - wanted == labelled & own.entries.keys() - wanted
    assert set(result.unrecorded) == labelled - wanted - own.entries.keys()
    if result.unrecorded:
        digest = confirmation(SHOP, result.unrecorded)
        assert digest in unrecorded_warning(SHOP, result.unrecorded, HOME)
        confirmed = members_by_record(app(confirm_members=digest), live, frozenset(wanted), [own])
        assert confirmed.unrecorded == ()
        assert confirmed.counted.keys() == result.counted.keys() | set(result.unrecorded)
        fewer = members_by_record(
            app(confirm_members=confirmation(SHOP, result.unrecorded[1:])), live, frozenset(wanted), [own]
        )
        assert fewer.unrecorded == result.unrecorded, "what confirms other objects confirms nothing"
        assert confirmation(CART, result.unrecorded) != digest
