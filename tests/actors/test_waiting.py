"""Records that wait for another one go by themselves when that has come, in the same run or the next (B9, G12, S8, U9)."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.lenses import Same
from actors.core.policy import FieldSide, FieldSpec, Owner, StreamSpec
from actors.core.types import Room, Side
from actors.ports import Find
from actors.root import RootActor
from tests.actors.odds import CRASHES, MIRRORED, at_rest, dies
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until

ORDERS = "orders"
WHEN = 30.0  # seconds: some polls of changes, and no complete read


def people() -> StreamSpec:
    """A customer goes only with a phone."""
    return customers(fields=(field("name"), field("phone", required=True)), complete_read_s=86_400.0)


def orders(**rules: Any) -> StreamSpec:
    """Each may refer to a customer."""
    place = FieldSide(("customer",), Same())
    ref = FieldSpec("customer", place, place, reference=CUSTOMERS)
    plain = {"name": ORDERS, "a_object": ORDERS, "b_object": ORDERS, "fields": (field("name"), ref)}
    more = {"parents": (CUSTOMERS,), "complete_read_s": 86_400.0}
    return customers(**(plain | more | rules))


def rig_of(*streams: StreamSpec) -> Rig:
    return Rig(*(streams or (people(), orders())), find=(Find.FEED,), poll_s=10.0)


def partner_of(rig: Rig, there: str, name: str) -> str:
    return next((id for id, row in rig.rows(there).items() if row["name"] == name), "")


def shown(rig: Rig, there: str) -> dict[str, Any]:
    return {row["name"]: row["customer"] for row in rig.rows(there, ORDERS).values()}


async def begun(rig: Rig) -> None:
    await until(lambda: loaded(rig) and loaded(rig, ORDERS) and not rig.link().inbox, timeout_s=600)


@MIRRORED
def test_a_new_child_goes_in_the_run_in_which_its_parent_comes(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await begun(rig)
        eve = rig.create(here, "Eve", None)
        rig.systems[here].create(ORDERS, {"name": "O1", "customer": eve}, "person")
        await until(lambda: len(rig.parked()) == 2)
        reasons = sorted(row.reason for row in rig.parked())
        rig.edit(here, eve, phone="1")
        await until(lambda: rig.rows(there, ORDERS), timeout_s=WHEN)
        await at_rest(rig, 5)
        right = shown(rig, there) == {"O1": partner_of(rig, there, "Eve")}
        return (
            reasons,
            right,
            rig.parked(),
            [(one["room"], one["count"]) for one in rig.said("record.parked")],
        )

    reasons, right, parked, told = on(rig_of, body)
    assert "needs phone" in reasons and any("is not in step yet" in reason for reason in reasons)
    assert right and parked == []
    assert told == [("waiting", 1), ("waiting", 1)]


@MIRRORED
def test_redteam_26_who_waits_for_somebody_who_waits_says_for_what_to_the_end(
    here: Side, there: Side
) -> None:
    """A note waits for its order, which waits for its customer, who lacks a phone: the note says so."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await begun(rig)
        eve = rig.create(here, "Eve", None)
        order = rig.systems[here].create(ORDERS, {"name": "O1", "customer": eve}, "person")
        await until(lambda: len(rig.parked()) == 2)
        rig.systems[here].create("notes", {"name": "N1", "order": order}, "person")
        await until(lambda: len(rig.parked()) == 3)
        (told,) = [row.reason for row in rig.parked() if row.stream == "notes"]
        rig.edit(here, eve, phone="1")
        await until(
            lambda: rig.systems[there].get("notes", next(iter(rig.rows(there, "notes")), "")) is not None
        )
        await at_rest(rig, 10)
        return told.replace(eve, "Eve").replace(order, "O1"), rig.parked()

    place = FieldSide(("order",), Same())
    ref = FieldSpec("order", place, place, reference=ORDERS)
    notes = orders(
        name="notes", a_object="notes", b_object="notes", fields=(field("name"), ref), parents=(ORDERS,)
    )
    told, left = on(lambda: rig_of(people(), orders(), notes), body)
    assert told == (
        "field order: orders O1 is not in step yet, which is in waiting: "
        "field customer: customers Eve is not in step yet, which is in waiting: needs phone"
    )
    assert left == []


@MIRRORED
@pytest.mark.parametrize(
    "crash", [None, ("settle", 1), ("settle", 3), ("settle", 5), ("settle", 7), ("intend", 2)]
)
def test_redteam_26_a_pair_that_waits_for_a_parent_goes_on_when_it_comes(
    here: Side, there: Side, crash: tuple[str, int] | None
) -> None:
    """An order that is in step is given to somebody who is not: nothing brings the order by again but the customer."""

    async def body(rig: Rig, root: RootActor) -> Any:
        ada = rig.create(here, "Ada", "1")
        order = rig.systems[here].create(ORDERS, {"name": "O1", "customer": ada}, "person")
        await begun(rig)
        await until(lambda: rig.rows(there, ORDERS) and not rig.link().inbox)
        eve = rig.create(here, "Eve", None)
        rig.systems[here].edit(ORDERS, order, {"customer": eve}, "person")
        await until(lambda: len(rig.parked()) == 2)
        rooms = {row.room for row in rig.parked()}
        dies(rig, crash)
        rig.edit(here, eve, phone="1")
        is_right = lambda: (id := partner_of(rig, there, "Eve")) and shown(rig, there) == {"O1": id}  # noqa: E731
        await until(is_right, timeout_s=WHEN if crash is None else 7200)
        await at_rest(rig, 10)
        return rooms, rig.parked(), len(rig.rows(there))

    assert on(rig_of, body) == ({Room.WAITING}, [], 2)


@MIRRORED
def test_nothing_is_made_before_the_stream_that_is_required_has_a_record(here: Side, there: Side) -> None:
    """S8: articles wait for the first till, whichever it is, and go with it."""

    async def body(rig: Rig, root: RootActor) -> Any:
        for name in ("O1", "O2"):
            rig.systems[here].create(ORDERS, {"name": name, "customer": None}, "person")
        await until(lambda: len(rig.parked()) == 2)
        await at_rest(rig, 100)
        before = shown(rig, there), {row.reason for row in rig.parked()}
        rig.create(here, "Ada", "1")
        await until(lambda: len(shown(rig, there)) == 2, timeout_s=WHEN)
        await at_rest(rig, 5)
        return before, rig.parked()

    rig = lambda: rig_of(people(), orders(parents=(), requires=(CUSTOMERS,), match=(("name",),)))  # noqa: E731
    assert on(rig, body) == (({}, {"no record of customers is in step yet"}), [])


@MIRRORED
def test_a_record_that_names_those_that_it_needs_waits_for_each_of_them_and_for_any_where_it_names_none(
    here: Side, there: Side
) -> None:
    """O1 needs Ada, O2 both; O3 names nobody, and O4 somebody who isn't there."""
    at = FieldSide(("needs",), Same())
    fields = (field("name"), FieldSpec("needs", at, at, owner=Owner.LOCAL))
    needing = orders(parents=(), requires=(CUSTOMERS,), named={CUSTOMERS: {here: "needs"}}, fields=fields)

    def made(rig: Rig) -> list[str]:
        return sorted(row["name"] for row in rig.rows(there, ORDERS).values())

    async def body(rig: Rig, root: RootActor) -> Any:
        for name, needs in (("O1", "ada"), ("O2", "Ada, Eve"), ("O3", None), ("O4", "Zoe")):
            rig.systems[here].create(ORDERS, {"name": name, "needs": needs}, "person")
        eve = rig.create(here, "Eve", None)
        rig.create(there, "Zoe", None)  # there, and on one side only
        await at_rest(rig, 100)
        before = made(rig), {row.reason for row in rig.parked() if row.stream == ORDERS}
        rig.create(here, "Ada", "1")
        await until(lambda: made(rig) == ["O1", "O3"], timeout_s=WHEN)
        await at_rest(rig, 60)
        late = sorted(row.reason for row in rig.parked() if row.stream == ORDERS)
        rig.edit(here, eve, phone="1")
        await until(lambda: made(rig) == ["O1", "O2", "O3"], timeout_s=WHEN)
        (fourth,) = (id for id, row in rig.rows(here, ORDERS).items() if row["name"] == "O4")
        rig.systems[here].edit(ORDERS, fourth, {"needs": "Ada"}, "person")
        await until(lambda: len(made(rig)) == 4, timeout_s=WHEN)
        return before, late

    expected: Any = (
        ([], {"no record of customers is in step yet"}),
        ["customers Eve not in step yet", "customers Zoe not in step yet"],
    )
    assert on(lambda: rig_of(people(), needing), body) == expected


@MIRRORED
@CRASHES
def test_a_daemon_that_is_killed_while_a_child_waits_makes_it_once(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await begun(rig)
        dies(rig, crash)
        eve = rig.create(here, "Eve", None)
        rig.systems[here].create(ORDERS, {"name": "O1", "customer": eve}, "person")
        await at_rest(rig, 60)
        rig.edit(here, eve, phone="1")
        await until(lambda: rig.rows(there, ORDERS), timeout_s=7200)
        await at_rest(rig, 60)
        return len(rig.rows(there, ORDERS)), len(rig.rows(there)), rig.parked()

    assert on(rig_of, body) == (1, 1, [])


@MIRRORED
@pytest.mark.parametrize("is_new", [True, False], ids=["a new order", "one in step"])
def test_nobody_is_told_of_a_record_that_is_gone_there_until_it_is_back(
    here: Side, there: Side, is_new: bool
) -> None:
    """Eve was deleted there and stays here: her order is not written there with the id of nobody."""

    async def body(rig: Rig, root: RootActor) -> Any:
        eve, ada = rig.create(here, "Eve", "1"), rig.create(here, "Ada", "2")
        made = (
            {}
            if is_new
            else {"O1": rig.systems[here].create(ORDERS, {"name": "O1", "customer": ada}, "person")}
        )
        await begun(rig)
        await until(lambda: len(rig.rows(there)) == 2 and len(rig.rows(there, ORDERS)) == len(made))
        partner = partner_of(rig, there, "Eve")
        held = dict(rig.rows(there)[partner])
        rig.systems[there].delete(CUSTOMERS, partner, "person")
        await at_rest(rig, 60)
        if is_new:
            rig.systems[here].create(ORDERS, {"name": "O1", "customer": eve}, "person")
        else:
            rig.systems[here].edit(ORDERS, made["O1"], {"customer": eve}, "person")
        await until(lambda: rig.parked())
        await at_rest(rig, 60)
        waits = [(row.room, row.reason) for row in rig.parked()]
        told = shown(rig, there) == ({} if is_new else {"O1": partner_of(rig, there, "Ada")})
        rig.systems[there].create(CUSTOMERS, held, "person", id=partner, reuse=True)
        await until(lambda: shown(rig, there) == {"O1": partner}, timeout_s=WHEN * 4)
        await at_rest(rig, 10)
        return waits, told, rig.parked()

    waits, told, parked = on(rig_of, body)
    assert [room for room, _ in waits] == [Room.WAITING]
    assert waits[0][1].endswith(f"the customers record it refers to is not on side {there} any more")
    assert (told, parked) == (True, [])


@MIRRORED
def test_a_child_that_was_noted_before_its_parent_is_matched_by_the_key_that_names_it(
    here: Side, there: Side
) -> None:
    """A hint brings an order, and its customer comes in the same moment: the order's match key could not be told then, and
    nobody looked at it again until the next complete read."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await begun(rig)

        async def comes() -> None:
            if rig.rows(here, ORDERS):
                del rig.on[here, "read"]
                rig.systems[here].create(CUSTOMERS, {"name": "Eve", "phone": "1"}, "person", id="C77")

        rig.on[here, "read"] = comes
        rig.systems[here].create(ORDERS, {"name": "O1", "customer": "C77"}, "person")
        await until(lambda: rig.rows(there, ORDERS), timeout_s=WHEN)
        await at_rest(rig)
        return shown(rig, there) == {"O1": partner_of(rig, there, "Eve")}, rig.parked()

    plain = customers(fields=(field("name"), field("phone")), complete_read_s=86_400.0)
    assert on(lambda: rig_of(plain, orders(match=(("customer",),))), body) == (True, [])
