"""What a person decided stands until it is done, whatever else of the record goes or waits meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import msgspec
import pytest

from actors.core import schedule
from actors.core.policy import Budget, DeletePolicy, LinesSpec, StreamSpec
from actors.core.types import SIDES, Hint, Parked, Room, Side, State
from actors.core.values import line_of
from actors.root import RootActor
from clients.connectors.systems.memory_system import Faults
from tests.actors.odds import MIRRORED, at_rest
from tests.actors.rig import CUSTOMERS, Rig, customers, field, on, until

SLOWLY = schedule.every("every 1h", 3600.0, 0.0)


def units() -> StreamSpec:
    """Customers with lines, so that nothing of one goes while anything of it is in doubt."""
    lines = LinesSpec((field("article"), field("quantity")), key=("article",))
    items = msgspec.structs.replace(field("items"), lines=lines)
    return customers(fields=(field("name"), field("phone"), items))


def of(quantity: int) -> tuple[Any, ...]:
    return (line_of({"article": "bolt", "quantity": quantity}),)


def conflicts(rig: Rig) -> dict[str, Parked]:
    """The conflicts that are listed, by field."""
    return {row.field: row for row in rig.parked() if row.room is Room.CONFLICT}


def decide(rig: Rig, root: RootActor, name: str, side: Side) -> None:
    """A person says whose value stays."""
    row = conflicts(rig)[name]
    assert rig.store.decide("l", row.id, row.fingerprint, {"choose": side})
    root.wake("l")


async def apart(rig: Rig, edits: Mapping[Side, Mapping[str, Any]], **more: Any) -> dict[Side, str]:
    """A record that is edited on both sides before either edit is seen; its ids."""
    for side in SIDES:
        rig.create(side, "Ada", **more)
    await until(lambda: [one.state for one in rig.bindings()] == [State.SETTLED] and not rig.link().inbox)
    ids: dict[Side, str] = {side: next(iter(rig.rows(side))) for side in SIDES}
    rig.store.set_wish("l", "paused")
    await anyio.sleep(5)
    for side, fields in edits.items():
        rig.edit(side, ids[side], **fields)
    rig.store.set_wish("l", "run")
    return ids


@MIRRORED
@pytest.mark.parametrize("names", [("items", "phone"), ("phone", "items")])
def test_of_two_conflicts_of_one_unit_the_first_word_waits_for_the_second(
    here: Side, there: Side, names: tuple[str, str]
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        edits = {here: {"items": of(1), "phone": "here"}, there: {"items": of(2), "phone": "there"}}
        ids = await apart(rig, edits, items=of(0))
        await until(lambda: conflicts(rig).keys() == {"items", "phone"})
        decide(rig, root, names[0], here)
        await at_rest(rig, 30)
        between = {name: row.decision is not None for name, row in conflicts(rig).items()}
        decide(rig, root, names[1], there)
        await until(lambda: not rig.parked() and not rig.link().inbox)
        rows = [rig.rows(side)[ids[side]] for side in SIDES]
        return between, [([one.get("quantity") for one in row["items"]], row["phone"]) for row in rows]

    between, shown = on(lambda: Rig(units(), poll_s=5.0), body)
    wanted = ([1], "there") if names[0] == "items" else ([2], "here")
    assert (between, shown) == ({names[0]: True, names[1]: False}, [wanted, wanted])


@MIRRORED
def test_a_word_whose_direction_is_closed_outlives_what_is_refused_the_other_way(
    here: Side, there: Side
) -> None:
    """The note is refused by `here` at once, the phone goes to `there` an hour later; the word about it was given before."""

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await apart(rig, {here: {"phone": "here"}, there: {"phone": "there"}})
        await until(lambda: conflicts(rig).keys() == {"phone"})
        rig.systems[here].faults = Faults(refuse=1.0)
        rig.edit(there, ids[there], note="new")
        decide(rig, root, "phone", here)
        await until(lambda: [row for row in rig.parked() if row.room is Room.QUARANTINE])
        await at_rest(rig, 30)
        between = {name: row.decision is not None for name, row in conflicts(rig).items()}
        await until(lambda: rig.rows(there)[ids[there]]["phone"] == "here", timeout_s=7200)
        await until(lambda: not conflicts(rig))
        return between

    fields = (field("name"), field("phone"), field("note"))
    late = customers(fields=fields, delivery={there: SLOWLY})
    assert on(lambda: Rig(late, poll_s=5.0, precondition="reread"), body) == {"phone": True}


@MIRRORED
def test_a_deletion_that_waits_for_a_yes_is_derived_again_under_other_rules(here: Side, there: Side) -> None:
    """Its plan gives way when the rules change, and its record is told of (daemon/store/admin_settings.py)."""

    def rules(**more: Any) -> StreamSpec:
        return customers(deletes=dict.fromkeys(SIDES, DeletePolicy.REMOVE), **more)

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create(here, name) for name in ("Ada", "Bob")]
        await until(lambda: len(rig.names(there)) == 2 and not rig.link().inbox)
        await at_rest(rig, 60)
        rig.systems[here].delete(CUSTOMERS, ids[0], "person")
        await until(lambda: bool(rig.link().plans))
        plans = rig.link().plans
        plans |= {id: msgspec.structs.replace(plan, state="superseded") for id, plan in plans.items()}
        left = next(id for id, row in rig.rows(there).items() if row["name"] == "Ada")
        rig.change(rules())
        rig.link().add_hints([Hint(CUSTOMERS, there, left, reason="rules changed")])
        root.wake("l")
        await until(lambda: rig.names(there) == ["Bob"])
        return rig.parked()

    tight = rules(budgets={"deletes": Budget(0, 0.0, free=0)})
    assert on(lambda: Rig(tight, poll_s=5.0), body) == []
