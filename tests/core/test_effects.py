"""Effects of an import: what a blueprint says of them becomes a stream that waits for its document; faults are named."""

from __future__ import annotations

import msgspec
import pytest

from actors.core import effects
from actors.core.blueprint.compiler import BlueprintError
from actors.core.plan import Context, half_binding, plan_new
from actors.core.policy import RECORD_ID, LinkSpec, Owner
from actors.core.types import Binding, Held, Observation, Presence, Room, Side, State
from tests.core.blueprint_samples import Document, compiled

STOCK: Document = {
    "object": "moves",
    "document": "sale_id",
    "fields": {"pieces": {"a": "MENGE", "b": "pieces"}, "booked": {"b": "booked_at", "owner": "local"}},
}


def with_effects(found: Document, **orders: object) -> LinkSpec:
    def change(data: Document) -> None:
        data["streams"]["orders"].update({"once": ["b"], "creates": ["a"], "effects": found, **orders})
        data["streams"]["orders"].pop("gate")

    return compiled(change)


def faults(found: Document, **orders: object) -> list[str]:
    with pytest.raises(BlueprintError) as refused:
        with_effects(found, **orders)
    return [f"{fault.path}: {fault.message}" for fault in refused.value.faults]


def test_an_effect_is_a_stream_over_the_documents_own_object_that_is_told_once() -> None:
    spec = with_effects({"stock": STOCK})
    orders, stock = spec.stream("orders"), spec.stream("orders_stock")
    assert orders.effects == ("orders_stock",) and stock.follows == "orders"
    assert (stock.a_object, stock.b_object) == ("AUFTRAG", "moves")
    assert (set(stock.creates), set(stock.once)) == ({"a"}, {"b"})
    document = stock.field(effects.DOCUMENT)
    assert (document.reference, document.required) == ("orders", True)
    assert document.a is not None and document.a.paths == (RECORD_ID,)
    assert document.b is not None and document.b.paths == ("sale_id",)
    assert stock.match == (("document",),) and "orders" in stock.parents
    pieces = stock.field("pieces")
    assert pieces.on_create_only and pieces.owner is Owner.A
    assert stock.field("booked").owner is Owner.LOCAL
    assert stock.mergeable == ()  # nobody keeps it in step after
    names = [one.name for one in spec.streams]
    assert names.index("orders") < names.index("orders_stock")


def test_what_is_wrong_with_effects_is_named_where_it_stands() -> None:
    assert faults({"stock": {"object": "moves", "fields": STOCK["fields"]}}) == [
        "streams.orders.effects.stock: `document` is missing",
    ]
    (unclear,) = faults({"stock": STOCK}, once=[], stages=[])
    assert unclear.startswith("streams.orders.effects: effects go with what is made on one side")
    doubled = {**STOCK, "fields": {"document": {"a": "NR", "b": "nr"}}}
    assert any("has its own entry" in fault for fault in faults({"stock": doubled}))
    wrong = {**STOCK, "fields": {"pieces": {"a": "MENGE", "b": "sale_id"}}}
    (written,) = faults({"stock": wrong})
    assert written.startswith("streams.orders.effects.stock.fields.pieces: ") and "one field only" in written


@pytest.mark.parametrize("side", ["a", "b"])
def test_an_effect_rests_until_its_document_is_made_and_goes_then_even_if_it_was_never_met(
    side: Side,
) -> None:
    stock = with_effects({"stock": STOCK}).stream("orders_stock")
    met = half_binding(stock, Observation(side, "R1", 0.0, fields={"pieces": 1}), 0)
    rests = effects.noted(stock, met)
    assert effects.waits(rests) and rests.state is State.HELD_BACK and not any(rests.keys)
    first, second = effects.told(stock, side, ["R1", "R2"], {"R1": rests})
    assert (first.state, first.note, first.rev) == (State.NEW, "", rests.rev + 1)
    held = second.side(side)
    assert (second.state, second.key, held and held.id) == (State.NEW, 0, "R2")
    gone_on = effects.told(stock, side, ["R1"], {"R1": first})
    assert gone_on == []  # told once


def test_a_stream_that_follows_nothing_is_left_as_it_is() -> None:
    orders = with_effects({"stock": STOCK}).stream("orders")
    met = half_binding(orders, Observation("a", "R1", 0.0), 0)
    assert effects.noted(orders, met) is met


def test_an_effect_that_stands_there_already_keeps_its_key_and_one_that_was_not_told_has_none() -> None:
    """Made, and then forgotten with the state it was written down in (seed 201195): it is met again by its document."""
    stock = with_effects({"stock": STOCK}).stream("orders_stock")
    half = Binding("orders_stock", keys=(7,))
    for met, keys in (
        (msgspec.structs.replace(half, a=Held(id="1")), (0,)),
        (msgspec.structs.replace(half, b=Held(id="1")), (7,)),
    ):
        rests = effects.noted(stock, met)
        assert (rests.keys, rests.state, effects.waits(rests)) == (keys, State.HELD_BACK, True)


def test_an_effect_that_is_due_is_not_forgotten_with_a_record_that_no_look_shows() -> None:
    """Its record was out of sight for a while (seed 202540): the document stood there without its effect for good."""
    stock = with_effects({"stock": STOCK}).stream("orders_stock")
    look = Observation("a", "R1", 1.0, Presence.DELETED)
    rests = effects.noted(stock, Binding("orders_stock", keys=(0,), a=Held(id="R1")))
    assert plan_new(stock, rests, look, Context(1.0)).drop
    (due,) = effects.told(stock, "a", ["R1"], {"R1": rests})
    kept = plan_new(stock, due, look, Context(1.0))
    (row,) = kept.park
    assert (kept.drop, row.room, "the document was imported" in row.reason) == (False, Room.WAITING, True)
    # Only a person can say that it is gone for good.
    assert effects.may_be_dismissed(row) and "dismiss" in row.hint
    for choose, dropped in (("retry", False), (effects.DISMISS, True)):
        said = msgspec.structs.replace(row, decision={"choose": choose})
        verdict = plan_new(stock, due, look, Context(1.0, parked=(said,)))
        assert (verdict.drop, [item.rule for item in verdict.items]) == (
            dropped,
            ["effects: dismissed"] * dropped,
        )
        back = plan_new(stock, due, Observation("a", "R1", 1.0, problem="odd"), Context(1.0, parked=(said,)))
        assert (back.drop, len(back.park)) == (False, 1)
    assert not effects.may_be_dismissed(msgspec.structs.replace(row, reason="needs a customer"))
