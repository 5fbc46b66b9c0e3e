"""The counters of a run beside what was written: who is none of the link's business, who waits, what failed (S5)."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio

from actors.core.lenses import Same
from actors.core.lenses_text import ListText
from actors.core.policy import FieldSide, FieldSpec
from actors.core.types import SIDES, Room, Side
from actors.ports import Find
from actors.root import RootActor
from clients.connectors.systems.memory_system import Faults
from tests.actors.odds import MIRRORED
from tests.actors.rig import Rig, customers, field, loaded, on, until
from tests.actors.test_gates import gated


def counted(rig: Rig, name: str) -> dict[Side, int]:
    """One counter, over all runs."""
    rows = rig.link().counters.values()
    return {side: sum(getattr(row, name) for row in rows if row.side == side) for side in SIDES}


@MIRRORED
def test_whoever_takes_no_part_is_skipped_and_not_in_step(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        for name, kind in (("Ada", "Kunde"), ("Bob", "Lead"), ("Eve", "Lead")):
            rig.create(here, name, kind=kind)
        await until(lambda: rig.names(there) == ["Ada"] and loaded(rig))
        return counted(rig, "skipped"), counted(rig, "created"), counted(rig, "unchanged")[here]

    skipped, created, unchanged = on(lambda: Rig(gated(here), find=(Find.FULL,), poll_s=3600.0), body)
    assert (skipped, created) == ({here: 2, there: 0}, {here: 0, there: 1})
    assert unchanged == 0


@MIRRORED
def test_what_may_not_be_created_from_there_is_skipped(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here, "Ada")
        await until(lambda: loaded(rig))
        await anyio.sleep(60)
        return counted(rig, "skipped"), counted(rig, "created"), rig.parked()

    spec = customers(creates=frozenset({there}))
    assert on(lambda: Rig(spec, poll_s=3600.0), body) == ({here: 1, there: 0}, {"a": 0, "b": 0}, [])


def test_everybody_of_an_unclear_group_waits_once() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        for side, phone in (("a", "1"), ("a", "2"), ("b", "3")):
            rig.create(side, "Ada", phone)
        await until(lambda: len(rig.parked()) == 3 and loaded(rig))
        rig.create("a", "Bob")  # the group is matched again, and is the same
        await until(lambda: "Bob" in rig.names("b"))
        await anyio.sleep(60)
        return counted(rig, "waiting")

    assert on(Rig, body) == {"a": 2, "b": 1}


def test_a_write_of_which_nobody_knows_what_became_has_failed() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        rig.systems["b"].faults = Faults(lose_reply=1.0)
        rig.create("a", "Ada")
        await until(lambda: any(row.room is Room.QUARANTINE for row in rig.parked()), timeout_s=3600.0)
        return counted(rig, "failed")

    declared: dict[str, Any] = {"draws_ids": False, "tag": False, "find_by_field": False}
    assert on(partial(Rig, customers(match=()), **declared), body) == {"a": 0, "b": 1}


def test_found_by_sim_what_a_side_shows_already_is_not_counted_as_updated_there() -> None:
    """Both took items off a list, b all of them: a is told of that, b has nothing to be sent (seed 604132)."""
    listed = FieldSpec(
        "tags", FieldSide(("tags",), Same()), FieldSide(("phone",), ListText(";")), as_set=True
    )

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create("a", "Ada", tags=("x", "y"))
        await until(lambda: rig.names("b") == ["Ada"] and loaded(rig))
        await anyio.sleep(60)
        rig.edit("a", next(iter(rig.rows("a"))), tags=("x",))
        rig.edit("b", next(iter(rig.rows("b"))), phone=None)
        await until(lambda: next(iter(rig.rows("a").values()))["tags"] == ())
        await anyio.sleep(60)
        return counted(rig, "created"), counted(rig, "updated")

    def rig() -> Rig:
        return Rig(customers(fields=(field("name"), listed)), types={"tags": "list"}, poll_s=30.0)

    assert on(rig, body) == ({"a": 0, "b": 1}, {"a": 1, "b": 0})
