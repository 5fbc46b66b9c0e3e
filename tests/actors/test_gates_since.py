"""What took part before the activation goes from a day on (`since`, `dated`), once, at the load or later (T7)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from actors.core.policy import Owner, StreamSpec
from actors.core.stream_rules import Gate, GateKeys, GateOn
from actors.core.types import Hint, Side
from actors.messages import CHANGED
from actors.rehearsing import KIND
from actors.root import RootActor
from tests.actors.odds import CRASHES, MIRRORED, at_rest, dies
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until
from tests.actors.test_rehearsing import rehearsed

NEW_YEAR = date(2026, 1, 1)
DAYS = {"old": date(2025, 12, 31), "first": NEW_YEAR, "late": date(2026, 2, 3), "undated": None}


def invoices(here: Side, since: date | None) -> StreamSpec:
    """Those of `here` go that become Sent, by the day in their field `phone`."""
    gate = Gate("kind", ("Sent",), GateOn.EDGE, keys=GateKeys.FREE, since=since, dated="phone")
    fields = (field("name"), field("phone"), field("kind", owner=Owner.LOCAL))
    return customers(fields=fields, gates={here: gate}, creates=frozenset({here}))


def rig_of(here: Side, since: date | None) -> Rig:
    """Four invoices that were sent before; one of them is there already."""
    rig = Rig(invoices(here, since), poll_s=20.0, types={"phone": "date"})
    for name, day in DAYS.items():
        rig.create(here, name, day, kind="Sent")
    rig.create("b" if here == "a" else "a", "late", DAYS["late"])
    return rig


@MIRRORED
def test_those_from_that_day_on_go_at_the_load_once_and_the_others_never(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.names(there) == ["first", "late"] and loaded(rig))
        for id in rig.rows(here):
            rig.systems[here].edit(CUSTOMERS, id, rig.rows(here)[id], "person")  # saved again
        rig.create(here, "entered so", DAYS["old"], kind="Sent")
        await until(lambda: len(rig.names(there)) == 3)
        await at_rest(rig, 100)
        return rig.names(there), rig.parked(), len([b for b in rig.bindings() if b.a and b.b])

    assert on(lambda: rig_of(here, NEW_YEAR), body) == (["entered so", "first", "late"], [], 3)


@MIRRORED
def test_the_day_may_be_said_later_and_one_that_is_moved_forward_takes_nothing_back(
    here: Side, there: Side
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        await at_rest(rig, 60)
        seen = [rig.names(there)]
        for day in (NEW_YEAR, date(2026, 3, 1), DAYS["old"]):
            rig.change(invoices(here, day))
            await rig.store.add_hints("l", [Hint(CUSTOMERS, here, "")])  # what a change of rules asks for
            root.wake("l", CHANGED)
            await at_rest(rig, 60)
            seen.append(rig.names(there))
        return seen

    expected = [["late"], ["first", "late"], ["first", "late"], ["first", "late", "old"]]
    assert on(lambda: rig_of(here, None), body) == expected


@MIRRORED
@CRASHES
def test_a_daemon_that_is_killed_while_they_go_makes_each_once(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.names(there) == ["first", "late"], timeout_s=600)
        await at_rest(rig, 200)
        return rig.names(there)

    def dying() -> Rig:
        rig = rig_of(here, NEW_YEAR)
        dies(rig, crash)
        return rig

    assert on(dying, body) == ["first", "late"]


@MIRRORED
@pytest.mark.parametrize(
    "day, goes",
    [
        (None, []),
        (date(2026, 3, 1), []),
        (NEW_YEAR, ["first", "late"]),  # who is there already is matched by a run, not by a rehearsal
        (DAYS["old"], ["first", "late", "old"]),
    ],
)
def test_a_rehearsal_of_another_day_shows_just_those_that_would_go(
    here: Side, there: Side, day: date | None, goes: list[str]
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        await at_rest(rig, 60)
        await rehearsed(rig, root, invoices(here, day))
        plans = [plan for plan in rig.link().plans.values() if plan.kind == KIND]
        shown = [one for plan in plans for one in await rig.store.held_actions(plan.id, 0, 10)]
        return sorted(str(one.fields["name"]) for one in shown), rig.names(there)

    assert on(lambda: rig_of(here, None), body) == (goes, ["late"])
