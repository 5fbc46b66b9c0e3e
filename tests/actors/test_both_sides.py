"""A field that both sides are to be told settles only when both were: else what one side holds would count as its edit."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.core.policy import Budget
from actors.core.schedule import cron, every
from actors.core.types import SIDES, Side, State
from actors.ports import Find
from actors.root import RootActor
from clients.connectors.systems.memory_system import ObjectShape
from tests.actors import rig as rigs
from tests.actors.rig import Rig, customers, field, on, until

TAGGED = (field("name"), field("phone", as_set=True))


def lists(fields: dict[str, str]) -> ObjectShape:
    return ObjectShape({**fields, "phone": "list"})


def tags(rig: Rig, side: Side) -> Any:
    return next(iter(rig.rows(side).values()))["phone"]


def test_what_the_free_allowance_let_go_on_one_side_alone_takes_nothing_from_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both added an item; the write of one side goes before the totals are known, that of the other waits for them."""
    monkeypatch.setattr(rigs, "ObjectShape", lists)
    budgets = {"overwrites": Budget(100, 0.0, free=1)}

    async def body(rig: Rig, root: RootActor) -> None:
        for name in ("Ada", "Bob"):
            for side in SIDES:
                rig.create(side, name, ("old",))
        await until(lambda: [b.state for b in rig.bindings()] == [State.SETTLED] * 2 and not rig.link().inbox)
        await until(lambda: anyio.current_time() > 30)
        for side in SIDES:
            rig.edit(side, next(iter(rig.rows(side))), phone=("old", f"of {side}"))
        await until(lambda: tags(rig, "a") == tags(rig, "b"), timeout_s=200)
        assert tags(rig, "a") == ("of a", "of b", "old")

    on(
        lambda: Rig(
            customers(fields=TAGGED, complete_read_s=60.0, budgets=budgets), find=(Find.FULL,), poll_s=30.0
        ),
        body,
        window=1,
    )


def test_found_by_sim_what_both_sides_are_to_be_told_goes_though_their_schedules_never_coincide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once the time of one side has come it waits for that of the other alone: else both would wait for good (seed 313413).
    What one side alone is to be told waits for its own time all the same."""
    monkeypatch.setattr(rigs, "ObjectShape", lists)
    hourly = [every("every 1h", 3600.0, 0.0), cron("half past", "30 * * * *", "UTC")]

    async def body(rig: Rig, root: RootActor) -> list[Any]:
        for name in ("Ada", "Bob"):
            for side in SIDES:
                rig.create(side, name, ("old",))
        await until(lambda: [b.state for b in rig.bindings()] == [State.SETTLED] * 2 and not rig.link().inbox)
        await until(lambda: anyio.current_time() > 30)
        ada, bob = rig.rows("a")
        rig.edit("a", ada, phone=("old", "of a"))
        rig.edit("b", next(iter(rig.rows("b"))), phone=("old", "of b"))
        await until(lambda: tags(rig, "a") == tags(rig, "b") == ("of a", "of b", "old"), timeout_s=7200)
        await anyio.sleep(60)
        rig.edit("a", bob, phone=("new",))
        await anyio.sleep(600)
        return [row["phone"] for row in rig.rows("b").values()]

    spec = customers(fields=TAGGED, delivery=dict(zip(SIDES, hourly, strict=True)))
    assert on(lambda: Rig(spec, poll_s=30.0), body) == [("of a", "of b", "old"), ("old",)]
