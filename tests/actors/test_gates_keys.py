"""A record that a gate keeps out holds its match keys: nobody is made beside it (promise 4; U23, T18)."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import pytest

from actors.core.policy import DeletePolicy, StreamSpec
from actors.core.stream_rules import GateKeys, GateOn, Ineligible
from actors.core.types import SIDES, Room, Side, State
from actors.root import RootActor
from tests.actors.odds import CRASHES, MIRRORED, at_rest, dies
from tests.actors.rig import CUSTOMERS, Rig, loaded, on, until
from tests.actors.test_ambiguous import in_order, listed, pairs, say
from tests.actors.test_gates import FINDS, gated, pair, rig_with


def both_make(here: Side, then: Ineligible = Ineligible.KEEP, **gate: Any) -> StreamSpec:
    """As `gated`, where both sides may make records."""
    return msgspec.structs.replace(gated(here, then, **gate), creates=frozenset(SIDES))


async def beside(rig: Rig, here: Side, there: Side, **more: Any) -> tuple[str, str]:
    """Ada does not take part, and another Ada turns up on the other side; their ids."""
    id = rig.create(here, "Ada", "1", **({"kind": "Lead"} | more))
    await until(lambda: loaded(rig))
    await at_rest(rig, 30)
    other = rig.create(there, "Ada", "2")
    await until(lambda: listed(rig) or len(rig.rows(here)) > 1)
    await at_rest(rig, 120)
    return id, other


@MIRRORED
@FINDS
def test_whoever_has_the_key_of_a_record_that_is_kept_out_waits_for_a_person_and_makes_no_second_one(
    here: Side, there: Side, find: Any
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id, new = await beside(rig, here, there)
        rows = rig.parked()
        counts = len(rig.rows(here)), len(rig.rows(there))
        rig.edit(here, id, kind="Kunde")  # it takes part from now on: the two are one, whatever waits
        await until(lambda: pairs(rig) == {in_order(here, id, new)})
        await at_rest(rig, 120)
        return (
            counts,
            [(row.room, row.record) for row in rows],
            rows[0].reason,
            rig.parked(),
            len(rig.rows(here)),
        )

    counts, rows, reason, left, after = on(lambda: rig_with(both_make(here), find), body)
    assert (counts, len(rows), rows[0][0]) == ((1, 1), 1, Room.AMBIGUOUS)
    assert "the gate there (kind) keeps it out" in reason
    assert (left, after) == ([], 1)


@MIRRORED
def test_where_the_keys_are_free_a_record_of_another_role_is_no_match(here: Side, there: Side) -> None:
    """T18: a number counts within its role."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await beside(rig, here, there)
        return len(rig.rows(here)), len(rig.rows(there)), rig.parked()

    assert on(lambda: rig_with(both_make(here, keys=GateKeys.FREE)), body) == (2, 1, [])


@MIRRORED
def test_what_took_part_before_the_initial_load_holds_its_keys_too(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await beside(rig, here, there, kind="Kunde")
        return len(rig.rows(here)), [row.room for row in rig.parked()]

    assert on(lambda: rig_with(both_make(here, on=GateOn.EDGE)), body) == (1, [Room.AMBIGUOUS])


@MIRRORED
@pytest.mark.parametrize("ends", ["deleted", "renamed", "told apart"])
def test_it_goes_once_nobody_has_its_key_or_a_person_says_that_it_is_another_one(
    here: Side, there: Side, ends: str
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id, new = await beside(rig, here, there)
        if ends == "deleted":
            rig.systems[here].delete(CUSTOMERS, id, "person")
        elif ends == "renamed":
            rig.edit(here, id, name="Ada the other")
        else:
            say(rig, new, {"choose": "different"})
            root.wake("l")
        await until(lambda: "2" in [row["phone"] for row in rig.rows(here).values()])
        await at_rest(rig, 120)
        return len(rig.rows(here)), len(rig.rows(there)), rig.parked()

    assert on(lambda: rig_with(both_make(here)), body) == (1 if ends == "deleted" else 2, 1, [])


@MIRRORED
@pytest.mark.parametrize("then", list(Ineligible))
def test_a_person_may_say_that_it_is_the_one_that_is_kept_out_and_the_gate_says_what_passes(
    here: Side, there: Side, then: Ineligible
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id, new = await beside(rig, here, there)
        say(rig, new, {"choose": "same", "record": id})
        root.wake("l")
        await until(lambda: pairs(rig) == {in_order(here, id, new)})
        await at_rest(rig, 120)
        rig.edit(there, new, phone="3")
        await at_rest(rig, 120)
        passed = rig.rows(here)[id]["phone"]
        rig.edit(here, id, kind="Kunde")
        await until(lambda: rig.rows(here)[id]["phone"] == rig.rows(there)[new]["phone"])
        await at_rest(rig, 120)
        marked = rig.rows(there)[new].get("marked")
        return passed, marked, len(rig.rows(here)), len(rig.rows(there)), rig.parked()

    passed = "3" if then in (Ineligible.KEEP, Ineligible.PUT_BACK) else "1"
    assert on(lambda: rig_with(both_make(here, then)), body) == (passed, None, 1, 1, [])


@MIRRORED
def test_a_group_of_those_that_take_part_is_listed_beside_one_that_is_kept_out(
    here: Side, there: Side
) -> None:
    """Seed 207311: the entries of such a group named the gate of a side that has none, and the link fell over."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await beside(rig, here, there)
        rig.create(here, "Ada", "3", kind="Kunde")
        rig.create(there, "Ada", "4")
        await until(lambda: len(listed(rig)) == 3)
        await at_rest(rig, 120)
        return len(rig.rows(here)), len(rig.rows(there)), {row.reason.split(":")[0] for row in rig.parked()}

    expected = (2, 2, {"several records share name"})
    assert on(lambda: rig_with(both_make(here)), body) == expected


@MIRRORED
def test_what_is_to_be_put_back_is_not_made_beside_one_that_is_kept_out(here: Side, there: Side) -> None:
    """Seed 207794: it was made in the very run that found the deletion, and compared with nobody."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id, _ = await pair(rig, here, there)
        out = rig.create(here, "Ada", "2", kind="Lead")
        await at_rest(rig, 60)
        rig.systems[here].delete(CUSTOMERS, id, "person")
        await until(lambda: listed(rig) or len(rig.rows(here)) > 1)
        await at_rest(rig, 120)
        waits = list(rig.rows(here)), [row.room for row in rig.parked()]
        rig.systems[here].delete(CUSTOMERS, out, "person")
        await until(lambda: "1" in [row["phone"] for row in rig.rows(here).values()])
        await at_rest(rig, 120)
        return out, waits, len(rig.rows(here)), len(rig.rows(there)), rig.parked()

    spec = both_make(here)
    spec = msgspec.structs.replace(spec, deletes={**spec.deletes, here: DeletePolicy.RESTORE})
    out, waits, *after = on(lambda: rig_with(spec), body)
    assert waits == ([out], [Room.AMBIGUOUS])
    assert after == [1, 1, []]


@MIRRORED
@CRASHES
def test_a_daemon_that_is_killed_at_any_commit_makes_no_second_one(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create(here, "Ada", "1", kind="Lead")
        await until(lambda: loaded(rig))
        died = dies(rig, crash)
        new = rig.create(there, "Ada", "2")
        await at_rest(rig, 120)
        waits = len(listed(rig))
        rig.edit(here, id, kind="Kunde")
        await until(lambda: pairs(rig) == {in_order(here, id, new)})
        await at_rest(rig, 120)
        rig.edit(here, id, phone="4")
        await until(lambda: rig.rows(there)[new]["phone"] == "4")
        await anyio.sleep(120)
        states = [binding.state for binding in rig.bindings()]
        return died() or crash[0] == "intend", waits, len(rig.rows(here)), states, rig.parked()

    expected: tuple[Any, ...] = (True, 1, 1, [State.SETTLED], [])
    assert on(lambda: rig_with(both_make(here)), body) == expected
