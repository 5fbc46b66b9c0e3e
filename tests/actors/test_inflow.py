"""What a feed delivers is worked on past the inbox, and the feed is told only when it is settled (actors/inflow.py)."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import pytest

from actors.connection import ConnectionActor
from actors.core.policy import StreamSpec
from actors.core.types import Hint, Op
from actors.inflow import ROOM_MAX, Inflow
from actors.messages import WORK, Drained, Handed
from actors.ports import Find, LinkRow
from actors.root import RootActor
from actors.runtime.mailbox import Ask
from tests.actors.rig import CUSTOMERS, Rig, customers, loaded, on, takes, until
from tests.sim import loop

FEED: dict[str, Any] = {"find": (Find.FEED,)}


class Killed(BaseException):
    """The daemon dies here."""


def hint(id: str, stream: str = CUSTOMERS) -> Hint:
    return Hint(stream, "a", id)


def handed(*ids: str, stream: str = CUSTOMERS) -> Ask[bool]:
    return Ask(Handed(tuple(hint(id, stream) for id in ids)))


def answered(*asks: Ask[bool]) -> list[bool | None]:
    """What each was answered so far."""
    return [ask._value for ask in asks]


# ------------------------------------------------------------------------------------------------ the inflow alone


def test_who_handed_something_over_is_answered_when_the_last_of_it_is_done() -> None:
    async def main() -> Any:
        inflow, one, two = Inflow(), handed("1", "2"), handed("3", stream="articles")
        inflow.put(one)
        inflow.put(two)
        first = inflow.take(CUSTOMERS, 1)
        inflow.done(first)
        early = answered(one, two)
        inflow.done(inflow.take(CUSTOMERS, 10))
        return first, early, answered(one, two), bool(inflow), inflow.take("articles", 10)

    first, early, later, left, articles = loop.run(main)
    assert first == [hint("1")]
    assert (early, later) == ([None, None], [True, None])
    assert (left, articles) == (True, [hint("3", "articles")])


def test_what_is_refused_is_said_no_to_and_forgotten() -> None:
    async def main() -> Any:
        inflow, one = Inflow(), handed("1")
        inflow.put(one)
        inflow.refuse()
        return answered(one), bool(inflow), inflow.take(CUSTOMERS, 10)

    assert loop.run(main) == ([False], False, [])


def test_there_is_room_for_so_much_and_no_more() -> None:
    async def main() -> Any:
        inflow, many, more = Inflow(), handed(*map(str, range(ROOM_MAX))), handed("one more")
        inflow.put(many)
        inflow.put(more)
        return answered(many, more), len(inflow.take(CUSTOMERS, 2 * ROOM_MAX))

    assert loop.run(main) == ([None, False], ROOM_MAX)


# --------------------------------------------------------------------------------------------------- a whole daemon


async def in_step(rig: Rig, name: str = "Ada") -> str:
    """A record on both sides, and everybody at rest."""
    id = rig.create("a", name)
    await until(lambda: loaded(rig) and rig.names("b") == [name])
    await anyio.sleep(5)
    return id


def phones(rig: Rig, system: str = "b") -> list[Any]:
    return [row["phone"] for row in rig.rows(system).values()]


def test_what_a_feed_hands_over_is_acknowledged_only_when_it_is_settled() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = await in_step(rig)
        steps: list[str] = []

        async def step(name: str) -> None:
            if name in ("add_hints", "settle"):
                steps.append(name)

        async def told() -> None:
            steps.append("ack")

        rig.store.step, rig.on["a", "ack"] = step, told
        rig.edit("a", id, phone="2")
        await until(lambda: phones(rig) == ["2"] and "ack" in steps)
        return steps[: steps.index("ack") + 1]

    assert on(lambda: Rig(**FEED), body) == [
        "settle",
        "settle",
        "ack",
    ]  # before and after, and no inbox in between


def test_a_paused_link_takes_nothing_in() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = await in_step(rig)
        rig.store.set_wish("l", "paused")
        root.wake("l", WORK)
        rig.edit("a", id, phone="2")
        await anyio.sleep(5)
        waits = [hint.id for hint in rig.link().inbox.values()], phones(rig)
        rig.store.set_wish("l", "run")
        await until(lambda: phones(rig) == ["2"])
        return waits

    assert on(lambda: Rig(**FEED), body) == (["a-000001"], ["1"])


def test_what_is_handed_over_during_such_a_run_is_taken_in() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = await in_step(rig)
        other = rig.create("a", "Bob")
        await until(lambda: rig.names("b") == ["Ada", "Bob"])
        await anyio.sleep(5)
        (bob,) = [id for id, row in rig.rows("b").items() if row["name"] == "Bob"]
        stored: list[str] = []

        async def step(name: str) -> None:
            if name == "add_hints":
                stored.append(name)

        rig.store.step, rig.on["b", "write"] = step, takes(0.5)
        rig.edit("a", id, phone="2")
        await anyio.sleep(0.2)
        rig.edit("b", bob, phone="3")
        await until(lambda: rig.rows("a")[other]["phone"] == "3" and "2" in phones(rig))
        runs = [run for run, action in rig.link().actions.values() if action.op is Op.UPDATE]
        return len(runs), len(set(runs)), stored

    assert on(lambda: Rig(**FEED), body) == (2, 1, [])


def test_a_link_that_came_meanwhile_gets_its_hints_into_the_inbox() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = await in_step(rig)
        rig.on["b", "write"] = takes(1)
        rig.edit("a", id, phone="2")
        await anyio.sleep(0.5)  # it is handed over to the one link there is
        rig.store.add_link(LinkRow("later", "t", "later", "a", "c", blueprint=CUSTOMERS))
        owed = []

        async def step(name: str) -> None:
            if name == "add_hints":
                owed.append([hint.id for hint in rig.link("later").inbox.values()])

        rig.store.step = step
        await until(lambda: rig.names("c") == ["Ada"])
        return owed[-1]

    links = {"l": ("a", "b")}
    assert on(lambda: Rig(systems=("a", "b", "c"), links=links, **FEED), body) == ["a-000001"]


@pytest.mark.parametrize("method", ["turn", "known", "intend", "settle", "end_run"])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_before_the_feed_is_told_loses_and_doubles_nothing(method: str, after: bool) -> None:
    async def main() -> Any:
        rig = Rig(**FEED)
        calls = 0

        async def step(name: str) -> None:
            nonlocal calls
            if name == method:
                calls += 1
                if calls == 1 + after:  # before its transaction, or after it
                    raise Killed

        async def dying(id: str) -> None:
            async with rig.daemon("d2"):
                await anyio.sleep(5)
                rig.store.step = step
                rig.edit("a", id, phone="2")
                await anyio.sleep(60)

        async with rig.daemon():
            id = await in_step(rig)
        with pytest.raises(BaseExceptionGroup):
            await dying(id)
        rig.store.step = None
        async with rig.daemon("d3"):
            await until(lambda: phones(rig) == ["2"], 300)
            await anyio.sleep(60)
        return phones(rig, "a"), rig.names("b"), len(rig.bindings())

    assert loop.run(main) == (["2"], ["Ada"], 1)


# ------------------------------------------------------------------------------------------- echoes of our own writes


TWICE = (customers(), customers(name="suppliers"))


@pytest.mark.parametrize(
    "links, streams, told",
    [
        ({"l": ("a", "b")}, (), []),
        ({"l": ("a", "b"), "m": ("a", "c")}, (), ["l", "m"]),
        ({"l": ("a", "b")}, TWICE, ["l"]),
    ],
)
def test_an_echo_of_our_own_write_is_news_to_other_links_and_other_streams_of_the_object_only(
    links: dict[str, tuple[str, str]], streams: tuple[StreamSpec, ...], told: list[str]
) -> None:
    async def main() -> Any:
        rig = Rig(*streams, systems=("a", "b", "c"), links=links, **FEED)
        handed: list[str] = []

        async def hand(link: str, message: Handed) -> bool:
            handed.append(link)
            return True

        actor = ConnectionActor("a", rig.ports(), 10.0, lambda *_: None, hand)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(actor.run)
            await actor.mailbox.ask(Drained())
            connector: Any = actor._connector
            real = connector._inner.drain

            async def as_own(limit: int) -> Any:
                return [msgspec.structs.replace(one, own=True) for one in await real(limit)]

            connector._inner.drain = as_own
            rig.create("a", "Ada")
            await anyio.sleep(1)
            left = len(rig.systems["a"].touched())
            tasks.cancel_scope.cancel()
        return sorted(handed), left

    assert loop.run(main) == (told, 0)
