"""A create without a reply is found again by a match key of several fields, and by nothing less (REDTEAM 5, S10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from actors.core.errors import Kind, Scope, TandemError
from actors.core.lenses import MapValues, Same
from actors.core.policy import FieldSide, FieldSpec
from actors.core.types import OPEN_STATES, ActionState, Record, Room
from actors.core.values import Value
from actors.recover import HOLDERS_MAX
from actors.root import RootActor
from clients.connectors.systems.memory import MemoryConnector
from clients.connectors.systems.memory_system import Faults, ObjectShape
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until

DECLARED: dict[str, Any] = {"draws_ids": False, "tag": False, "find_by_field": True}
OTHERS = HOLDERS_MAX + 5


def rig_of() -> Rig:
    """Known by name and phone together; made from a to b only, so that who is on b alone stays a stranger."""
    return Rig(customers(match=(("name", "phone"),), creates=frozenset({"a"})), poll_s=5.0, **DECLARED)


class Hiding(MemoryConnector):
    """A look-up that shows no phones."""

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        found = await super().find_by(object_name, field, value, fields)
        kept = [{name: held for name, held in one.native.items() if name != "phone"} for one in found]
        return [replace(one, native=native) for one, native in zip(found, kept, strict=True)]


def people(rig: Rig, there: str = "b") -> list[tuple[Any, Any]]:
    return sorted((row["name"], row["phone"]) for row in rig.rows(there).values())


def listed(rig: Rig) -> list[str]:
    return [row.reason for row in rig.parked() if row.room is Room.QUARANTINE]


@pytest.mark.parametrize("made", [True, False])
def test_a_create_without_a_reply_is_found_by_both_fields_or_made_once_more(made: bool) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        # The same name, and the same phone, but nobody who has both; strangers to the link until now.
        rig.create("b", "Ada", "2")
        rig.create("b", "Bob", "1")
        await until(lambda: loaded(rig))
        rig.systems["b"].faults = Faults(lose_reply=1.0) if made else Faults(lose_request=1.0)
        rig.create("a", "Ada", "1")
        await until(lambda: any(action.side == "b" for action in rig.actions()))
        await anyio.sleep(1)
        rig.systems["b"].faults = Faults()
        await anyio.sleep(600)
        return people(rig), people(rig, "a"), listed(rig)

    assert on(rig_of, body) == ([("Ada", "1"), ("Ada", "2"), ("Bob", "1")], [("Ada", "1")], [])


def test_a_look_up_that_may_be_cut_tells_nothing() -> None:
    """Where too many hold either field, who is not in the answer may be there: nothing is made again on its word."""

    async def body(rig: Rig, root: RootActor) -> Any:
        for number in range(OTHERS):
            rig.create("a", "Ada", f"1{number}")
            rig.create("a", f"Person {number}", "9")
        await until(lambda: loaded(rig) and len(rig.rows("b")) == 2 * OTHERS, timeout_s=600)
        rig.systems["b"].faults = Faults(lose_reply=1.0)
        rig.create("a", "Ada", "9")
        await until(lambda: ActionState.UNKNOWN in [action.state for action in rig.actions()], timeout_s=600)
        rig.systems["b"].faults = Faults()
        await anyio.sleep(300)
        found = [row for row in rig.rows("b").values() if (row["name"], row["phone"]) == ("Ada", "9")]
        return len(found), len(rig.bindings())

    assert on(rig_of, body) == (1, 2 * OTHERS + 1)


def test_a_stranger_that_hides_a_field_of_the_key_is_not_taken_for_ours() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        stranger = rig.create("b", "Ada", "2")
        await until(lambda: loaded(rig))
        rig.systems["b"].faults = Faults(lose_request=1.0)
        rig.create("a", "Ada", "1")
        await until(lambda: listed(rig), timeout_s=600)
        rig.systems["b"].faults = Faults()
        await anyio.sleep(300)
        bound = [one.b.id for one in rig.bindings() if one.a is not None and one.b is not None]
        return bound, rig.rows("b")[stranger]["phone"], [reason.split(":")[0] for reason in listed(rig)]

    def hiding() -> Rig:
        rig = rig_of()
        rig.connector = Hiding
        return rig

    assert on(hiding, body) == ([], "2", ["outcome unknown"])


def test_found_by_sim_what_is_there_and_can_not_be_read_settles_what_can() -> None:
    """The reply to a create is its id alone, B keeps one letter of the name, and before anybody looks a person gives the
    record a kind that the value map does not know (seed 711696): nobody is asked what became of it; only the kind waits."""
    kinds = FieldSpec("kind", FieldSide(("kind",), Same()), FieldSide(("kind",), MapValues((("x", "y"),))))
    reads: list[int] = []

    def made() -> Rig:
        rig = Rig(customers(fields=(field("name"), field("phone"), kinds)), poll_s=5.0, reply="id")
        shape = rig.systems["b"].objects[CUSTOMERS]
        rig.systems["b"].objects[CUSTOMERS] = ObjectShape(
            shape.fields, shape.key, rewrites={"name": "truncate:1"}
        )

        async def edited() -> None:
            for id in rig.rows("b"):
                if not reads:
                    reads.append(1)
                    rig.edit("b", id, kind="odd")

        rig.on["b", "read"] = edited
        return rig

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        rig.create("a", "Ada", kind="y")
        await until(lambda: bool(reads))
        await anyio.sleep(600)
        waiting = {(row.room, row.reason) for row in rig.parked()}
        return rig.names("a"), rig.names("b"), waiting

    said = 'field kind: the value map has no entry for "odd"'
    assert on(made, body) == (["Ada"], ["A"], {(Room.WAITING, said)})


@pytest.mark.parametrize("town", ["x", "y"])
def test_found_by_sim_who_shares_a_part_of_what_was_sent_is_not_taken_for_it(town: str) -> None:
    """Ada never arrived. Bob is a stranger on B, with her phone, and her town or another one: he was taken for her as soon
    as he had half of what was sent, and the two became one record (seed 729314). Who has all of it may be her, renamed."""
    spec = customers(
        fields=(field("name"), field("phone"), field("town")), match=(("name",),), creates=frozenset({"a"})
    )

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create("b", "Bob", "1", town=town)
        await until(lambda: loaded(rig))
        rig.systems["b"].faults = Faults(lose_request=1.0)
        rig.create("a", "Ada", "1", town="x")
        await until(lambda: any(action.side == "b" for action in rig.actions()))
        await anyio.sleep(1)
        rig.systems["b"].faults = Faults()
        await anyio.sleep(600)
        return rig.names("a"), rig.names("b")

    met = on(lambda: Rig(spec, poll_s=5.0, **DECLARED), body)
    assert met == ((["Ada"], ["Ada", "Bob"]) if town == "y" else (["Ada"], ["Ada"]))


def test_found_by_sim_what_another_intent_is_about_to_make_somebodys_is_not_taken_for_it() -> None:
    """Ada never arrived, and Bob did, with the same phone and town; the reply to Bob is his id alone, and nobody can look at
    him until long after (seed 729314)."""
    spec = customers(fields=(field("name"), field("phone"), field("town")), match=(("name",),))

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        away = [True]

        async def first_is_lost() -> None:
            rig.systems["b"].faults = Faults(lose_request=0.0 if rig.asked("b", "write")[1:] else 1.0)

        async def no_answer() -> None:
            if away:
                raise TandemError(Kind.TRANSIENT, "no answer", scope=Scope.STREAM)

        rig.on |= {("b", "write"): first_is_lost, ("b", "read"): no_answer}
        rig.create("a", "Ada", "1", town="x")
        rig.create("a", "Bob", "1", town="x")
        await until(lambda: rig.names("b") == ["Bob"])
        await anyio.sleep(60)
        away.clear()
        await anyio.sleep(600)
        return rig.names("a"), rig.names("b"), {one.state for one in rig.actions()} & OPEN_STATES

    declared = DECLARED | {"reply": "id", "batch_max": 1, "concurrency": 1}
    assert on(lambda: Rig(spec, poll_s=5.0, **declared), body) == (["Ada", "Bob"], ["Ada", "Bob"], set())
