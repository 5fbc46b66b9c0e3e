"""B11: records that share a match key, and what a person says of them. Through the real actors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio

from actors.core.policy import DeletePolicy
from actors.core.types import SIDES, Parked, Room, Side, State, other
from actors.root import RootActor
from clients.connectors.systems.memory_system import Faults
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until, writes
from tests.actors.test_scenarios import _mixed


def listed(rig: Rig) -> dict[str, Parked]:
    """The entries of the room, by record."""
    return {row.record: row for row in rig.parked() if row.room is Room.AMBIGUOUS}


async def unclear(rig: Rig, side: Side = "a") -> tuple[str, str, str]:
    """Two who share a name on `side` with one on the other; their ids."""
    ids = [rig.create(at, "Ada", phone) for at, phone in ((side, "1"), (side, "2"), (other(side), "3"))]
    await until(lambda: loaded(rig) and len(listed(rig)) == 3)
    return ids[0], ids[1], ids[2]


def say(rig: Rig, record: str, decision: Mapping[str, Any]) -> None:
    row = listed(rig)[record]
    assert rig.store.decide("l", row.id, row.fingerprint, decision)


def pairs(rig: Rig) -> set[tuple[str, str]]:
    return {(b.a.id, b.b.id) for b in rig.bindings() if b.a is not None and b.b is not None}


def in_order(side: Side, here: str, there: str) -> tuple[str, str]:
    return (here, there) if side == "a" else (there, here)


def test_b11_the_pair_that_a_person_names_is_bound_and_the_third_stays_listed() -> None:
    for side in SIDES:

        async def body(rig: Rig, root: RootActor, side: Side = side) -> Any:
            _, second, third = await unclear(rig, side)
            say(rig, second, {"choose": "same", "record": third})
            root.wake("l")
            await until(lambda: pairs(rig) == {in_order(side, second, third)})
            await anyio.sleep(300)
            return len(listed(rig)), len(rig.rows("a")) + len(rig.rows("b")), rig.rows("b")

        left, records, b = on(Rig, body)
        assert (left, records) == (1, 3)
        wanted = (
            {"2"} if side == "a" else {"3", "1"}
        )  # a's phone at first contact; whoever is listed keeps hers
        assert {row["phone"] for row in b.values()} == wanted


def test_b11_the_word_may_be_given_on_either_side_of_the_pair() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        first, _, third = await unclear(rig)
        say(rig, third, {"choose": "same", "record": first})
        root.wake("l")
        await until(lambda: pairs(rig) == {(first, third)})
        return len(rig.rows("a")), len(rig.rows("b"))

    assert on(Rig, body) == (2, 1)


def test_b11_who_is_none_of_the_others_is_created_and_nobody_else() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        first, second, third = await unclear(rig)
        say(rig, first, {"choose": "different"})
        say(rig, second, {"choose": "same", "record": third})
        root.wake("l")
        await until(lambda: len(rig.rows("b")) == 2 and not rig.parked())
        await anyio.sleep(300)
        assert (second, third) in pairs(rig)
        return sorted(row["phone"] for row in rig.rows("b").values()), len(rig.rows("a")), len(pairs(rig))

    assert on(Rig, body) == (["1", "2"], 2, 2)


def test_b11_a_decision_counts_for_the_group_that_was_shown_and_no_other() -> None:
    """A third Ada turns up before the decision is carried out: everybody is listed again, and nothing is written."""

    async def body(rig: Rig, root: RootActor) -> Any:
        first, _, third = await unclear(rig)
        rig.store.set_wish("l", "paused")
        await anyio.sleep(5)
        row = listed(rig)[first]
        rig.create("a", "Ada", "4")
        assert rig.store.decide("l", row.id, row.fingerprint, {"choose": "same", "record": third})
        rig.store.set_wish("l", "run")
        root.wake("l")
        await until(lambda: len(listed(rig)) == 4)
        await anyio.sleep(300)
        # The same pair, named again, for what is shown now.
        before = writes(rig)
        decided = [bool(row.decision) for row in listed(rig).values()]
        say(rig, first, {"choose": "same", "record": third})
        root.wake("l")
        await until(lambda: pairs(rig) == {(first, third)})
        return before, decided

    before, decided = on(Rig, body)
    assert before == 0 and not any(decided)


def test_b11_a_partner_that_was_deleted_since_is_not_made_again() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        first, _, third = await unclear(rig)
        rig.systems["b"].delete("customers", third, "person")
        row = listed(rig)[first]
        assert rig.store.decide("l", row.id, row.fingerprint, {"choose": "same", "record": third})
        root.wake("l")
        await anyio.sleep(300)
        return len(rig.rows("a"))

    assert on(Rig, body) == 2


def test_b11_a_word_stands_while_something_else_keeps_the_record_back() -> None:
    """B refuses the one that is none of the others: it goes when it is mended, and nobody is asked about it again."""

    async def body(rig: Rig, root: RootActor) -> Any:
        first, second = rig.create("a", "Ada", 7), rig.create("a", "Ada", "2")
        third = rig.create("b", "Ada", "3")
        await until(lambda: len(listed(rig)) == 3)
        say(rig, first, {"choose": "different"})
        say(rig, second, {"choose": "same", "record": third})
        root.wake("l")
        await until(lambda: any(row.room is Room.QUARANTINE for row in rig.parked()))
        await anyio.sleep(300)
        asked = [record for record, row in listed(rig).items() if row.decision is None]
        rig.edit("a", first, phone="1")
        await until(lambda: len(rig.rows("b")) == 2 and not rig.parked())
        return asked

    assert on(_mixed, body) == []


CLASH: dict[str, Any] = {"match": (("name",), ("phone",)), "clashes": 1}  # a phone says nothing of who it is


def test_found_by_sim_who_shares_a_clash_key_with_one_that_is_gone_is_not_that_one_moved() -> None:
    """G24: Ada's partner was renamed to Bob, who had got her phone."""
    for side in SIDES:

        async def body(rig: Rig, root: RootActor, side: Side = side) -> Any:
            ada = rig.create(side, "Ada", "1")
            await until(lambda: loaded(rig) and len(pairs(rig)) == 1)
            await anyio.sleep(100)
            rig.systems[side].delete(CUSTOMERS, ada, "person")
            bob = rig.create(side, "Bob", "1")
            await until(lambda: bob in listed(rig))
            await anyio.sleep(300)
            return rig.names(other(side)), [*listed(rig)] == [bob]

        assert on(lambda: Rig(customers(**CLASH)), body) == (["Ada"], True)


def test_found_by_sim_a_deletion_is_concluded_once_who_shares_a_key_is_said_to_be_another() -> None:
    """Ada's partner waited for a word for good (seed 205331). Nor is she Bob by all that both of them hold."""
    more = {"street": "Way 1", "city": "Town"}
    rules = CLASH | {
        "fields": tuple(field(name) for name in ("name", "phone", *more)),
        "deletes": dict.fromkeys(SIDES, DeletePolicy.REMOVE),
    }
    for side in SIDES:

        async def body(rig: Rig, root: RootActor, side: Side = side) -> Any:
            ada = rig.create(side, "Ada", **more)
            await until(lambda: loaded(rig) and len(pairs(rig)) == 1)
            rig.systems[side].delete(CUSTOMERS, ada, "person")
            bob = rig.create(side, "Bob", **more)
            await until(lambda: bob in listed(rig) and rig.bindings()[0].state is State.GONE)
            (partner,) = rig.rows(other(side))
            say(rig, bob, {"choose": "different"})
            root.wake("l")
            await until(lambda: rig.names(other(side)) == ["Bob"])
            await anyio.sleep(300)
            return partner in rig.rows(other(side)), rig.parked(), len(pairs(rig))

        is_left, rooms, bound = on(lambda: Rig(customers(**rules)), body)
        assert (is_left, rooms, bound) == (False, [], 2)


def test_found_by_sim_a_create_that_was_not_answered_is_not_looked_up_by_a_clash_key() -> None:
    """It was taken for done, and the record bound to somebody with the same phone."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        rig.systems["b"].faults = Faults(lose_request=1.0)
        rig.systems["a"].create(CUSTOMERS, {"phone": "1"}, "person")
        await until(lambda: any((at, name) == ("b", "write") for _, at, name, _ in rig.requests))
        rig.create("b", "Bob", "1")
        rig.systems["b"].faults = Faults()
        await until(lambda: any(row.room is Room.QUARANTINE for row in rig.parked()))
        await anyio.sleep(300)
        return pairs(rig), [row.reason.split(":")[0] for row in rig.parked() if row.room is Room.QUARANTINE]

    declared: dict[str, Any] = {"draws_ids": False, "tag": False}
    assert on(lambda: Rig(customers(**CLASH), **declared), body) == (set(), ["outcome unknown"])
