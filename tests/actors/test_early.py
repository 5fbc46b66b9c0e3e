"""Looks ahead of a run and beside what is known (actors/early.py): what they save, and when they count for nothing."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Hint
from actors.early import AHEAD_MAX, Early
from actors.ports import Find
from actors.root import RootActor
from tests.actors.rig import CUSTOMERS, Rig, loaded, on, takes, until
from tests.sim import loop

FEED: dict[str, Any] = {"find": (Find.FEED,)}


async def in_step(rig: Rig) -> str:
    """A record on both sides, everybody at rest, and one run of a handed hint over: the next one may look ahead."""
    id = rig.create("a", "Ada")
    await until(lambda: loaded(rig) and rig.names("b") == ["Ada"])
    await anyio.sleep(5)
    rig.edit("a", id, phone="first")
    await until(lambda: phone(rig) == "first")
    await anyio.sleep(5)
    return id


def phone(rig: Rig, system: str = "b") -> Any:
    (row,) = rig.rows(system).values()
    return row["phone"]


@pytest.mark.parametrize("slow", ["turn", "known"])
def test_the_look_does_not_wait_for_the_store(slow: str) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = await in_step(rig)
        began: list[float] = []

        async def step(name: str) -> None:
            if name == slow and not began:
                began.append(anyio.current_time())
                await anyio.sleep(1)

        rig.store.step = step
        reads = len(rig.asked("a", "read"))
        rig.edit("a", id, phone="2")
        await until(lambda: phone(rig) == "2")
        asked = rig.asked("a", "read")[reads:]
        return len(asked), asked[0] - began[0] < 0.5

    assert on(lambda: Rig(**FEED), body) == (1, True)


def test_nobody_waits_for_a_look_that_is_not_wanted() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = await in_step(rig)
        rig.on["a", "read"] = takes(20)
        rig.store.set_wish("l", "paused")
        began = anyio.current_time()
        rig.edit("a", id, phone="2")
        await until(lambda: rig.link().inbox)
        waited_s = anyio.current_time() - began
        rig.on.clear()
        rig.store.set_wish("l", "run")
        await until(lambda: phone(rig) == "2")
        return waited_s < 2

    assert on(lambda: Rig(**FEED), body)


def test_an_error_of_the_look_is_met_by_the_run_and_once() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = await in_step(rig)
        reads = len(rig.asked("a", "read"))

        async def away() -> None:
            rig.on.clear()
            raise TandemError(Kind.TRANSIENT, "away", scope=Scope.CONNECTION)

        rig.on["a", "read"] = away
        rig.edit("a", id, phone="2")
        await until(lambda: len(rig.asked("a", "read")) > reads)
        await anyio.sleep(0.1)
        failed = [told["error"] for told in rig.said("run.ended") if told["error"]]
        await until(lambda: phone(rig) == "2")
        return len(failed)

    assert on(lambda: Rig(**FEED), body) == 1


def test_only_few_named_hints_of_one_side_of_one_stream_are_looked_at_ahead() -> None:
    one = [Hint(CUSTOMERS, "a", "1"), Hint(CUSTOMERS, "a", "2")]

    async def main() -> list[bool]:
        rig = Rig()
        access: Any = object()
        many = [Hint(CUSTOMERS, "a", str(n)) for n in range(AHEAD_MAX + 1)]
        groups: list[list[Hint]] = [
            one,
            [],
            [*one, Hint(CUSTOMERS, "b", "1")],
            [*one, Hint("articles", "a", "1")],
            [Hint("articles", "a", "1")],
            [*one, Hint(CUSTOMERS, "a", "")],
            many,
        ]
        return [Early.of(rig.spec, {"a": access, "b": access}, group) is not None for group in groups]

    assert loop.run(main) == [True, False, False, False, False, False, False]
