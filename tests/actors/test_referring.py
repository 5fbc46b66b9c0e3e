"""Who refers to a record whose partner was merged: asked by what the blueprint says of a reference, by no other field."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from actors.conclude import Pair
from actors.core.lenses import Same
from actors.core.lenses_one_way import OwnId
from actors.core.policy import (
    RECORD_ID,
    DeletePolicy,
    FieldSide,
    FieldSpec,
    ObjectRules,
    Owner,
    StreamSpec,
)
from actors.core.stream_rules import OnMerge
from actors.core.types import Binding, Held, Observation, Presence, Side, other
from actors.core.values import Value
from actors.merges import merged
from tests.actors.odds import MIRRORED, by_side
from tests.actors.rig import CUSTOMERS, customers, field

ORDERS = "orders"
SHOPS, PEOPLE = "shops", "people"


class Asked:
    """A side that can be searched: who holds what there, and what it was asked."""

    def __init__(self, side: Side, holders: dict[tuple[str, Value], str]) -> None:
        self.side = side
        self.declaration = SimpleNamespace(find_by_field=True)
        self._holders = holders
        self.asked: list[tuple[str, Value]] = []

    async def holding(self, stream: StreamSpec, path: str, value: Value) -> list[Observation]:
        self.asked.append((path, value))
        found = self._holders.get((path, value))
        return [Observation(self.side, found, 0.0)] if found else []


class Known:
    """A store that knows the survivor."""

    async def bindings(self, link: str, stream: str, side: Side, ids: Any) -> list[Binding]:
        return [Binding(CUSTOMERS, a=Held("stays"), b=Held("stays"), key=2)] if "stays" in ids else []


async def referring(spec: StreamSpec, ref: FieldSpec, left: Asked, record: str) -> Any:
    """Who is said to refer to `record`, whose partner on the other side was merged into another one."""
    gone = other(left.side)
    child = customers(name=ORDERS, a_object=ORDERS, b_object=ORDERS, fields=(field("name"), ref))
    state: Any = SimpleNamespace(store=Known(), link="l", spec=SimpleNamespace(streams=(spec, child)))
    sides: Any = {gone: Asked(gone, {("mail", "m"): "stays"}), left.side: left}
    ids = by_side(gone, "gone", record)
    binding = Binding(CUSTOMERS, a=Held(ids["a"]), b=Held(ids["b"]), base={"mail": "m"}, key=1)
    here = Observation(gone, "gone", 0.0, Presence.DELETED)
    looks = by_side(gone, here, Observation(left.side, record, 0.0))
    pair = Pair(binding, a=looks["a"], b=looks["b"])
    found = await merged(state, sides, spec, [pair])
    return found[1].referring


def people(here: Side, **rules: Any) -> StreamSpec:
    deletes = by_side(here, DeletePolicy.REMOVE, DeletePolicy.IGNORE)
    given = {"fields": (field("mail"), field("name")), "match": (("mail",),), "deletes": deletes, **rules}
    return customers(on_merge=OnMerge.FOLLOW, **given)


@MIRRORED
@pytest.mark.parametrize("record, named", [(f"{SHOPS}:7", (f"{ORDERS} O1",)), (f"{PEOPLE}:7", ())])
@pytest.mark.anyio
async def test_a_record_of_another_object_with_the_same_id_is_not_the_one_referred_to(
    here: Side, there: Side, record: str, named: tuple[str, ...]
) -> None:
    place = FieldSide(("shop",), Same())
    ref = FieldSpec("shop", place, place, reference=CUSTOMERS, within={there: (SHOPS,)})
    rules = by_side(here, DeletePolicy.REMOVE, DeletePolicy.IGNORE)
    objects = {there: tuple(ObjectRules(name, frozenset(), rules) for name in (SHOPS, PEOPLE))}
    left = Asked(there, {("shop", "7"): "O1"})
    assert await referring(people(here, objects=objects), ref, left, record) == named


@MIRRORED
@pytest.mark.anyio
async def test_a_reference_that_is_the_records_own_id_can_not_be_searched_for(
    here: Side, there: Side
) -> None:
    """It was asked for nothing, and that nothing refers to the record was concluded from the answer."""
    mine, own = FieldSide(("customer",), Same()), FieldSide((RECORD_ID,), OwnId())
    a, b = (mine, own) if there == "b" else (own, mine)
    left = Asked(there, {})
    ref = FieldSpec("customer", a, b, reference=CUSTOMERS, owner=Owner(there))
    assert (await referring(people(here), ref, left, "7"), left.asked) == (None, [])
