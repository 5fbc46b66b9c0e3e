"""Several links over one account: one Primary, many Secondaries; a change anywhere reaches all, once, at once (W9, W21).

In memory, on the virtual clock, with polls an hour apart: whatever arrives came by feeds, and by our own writes
being news to the other links.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from actors.core.types import ActionState, Outcome
from actors.ports import Find, RunRow
from actors.root import RootActor
from tests.actors.rig import CUSTOMERS, Rig, on, until
from tests.sim import loop

HUB = ("p", "s1", "s2", "s3")
LINKS = {"l1": ("p", "s1"), "l2": ("p", "s2"), "l3": ("p", "s3")}
SOON_S = 20.0


def hub() -> Rig:
    return Rig(systems=HUB, links=LINKS, poll_s=3600.0, find=(Find.FEED,))


def all_loaded(rig: Rig) -> bool:
    return all(CUSTOMERS in rig.link(link).row.facts.get("loaded", ()) for link in LINKS)


def confirmed(rig: Rig) -> int:
    return sum(one.state is ActionState.CONFIRMED for link in LINKS for one in rig.actions(link))


def names(rig: Rig) -> set[tuple[Any, ...]]:
    return {tuple(rig.names(system)) for system in HUB}


async def elapsed(rig: Rig, done: Callable[[], Any]) -> float:
    """How long it took, on the virtual clock."""
    began = rig.clock.monotonic()
    await until(done, 7200)
    return rig.clock.monotonic() - began


@pytest.mark.parametrize("where", HUB)
def test_a_new_record_at_any_account_reaches_every_other_once_and_at_once(where: str) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: all_loaded(rig), 600)
        before = confirmed(rig)
        rig.create(where, "Ada")
        took = await elapsed(rig, lambda: names(rig) == {("Ada",)})
        await anyio.sleep(2 * 3600.0)  # two polls: nothing comes back, nothing is made twice
        return took, confirmed(rig) - before, names(rig)

    took, writes, left = on(hub, body)
    assert left == {("Ada",)}
    assert writes == len(HUB) - 1
    assert took < SOON_S


@pytest.mark.parametrize("where", HUB)
def test_an_edit_at_any_account_reaches_every_other_once_and_at_once(where: str) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create("p", "Ada")
        await until(lambda: all_loaded(rig) and names(rig) == {("Ada",)}, 600)
        await anyio.sleep(60)
        before = confirmed(rig)
        rig.edit(where, next(iter(rig.rows(where))), name="Ada Lovelace")
        took = await elapsed(rig, lambda: names(rig) == {("Ada Lovelace",)})
        await anyio.sleep(2 * 3600.0)
        return took, confirmed(rig) - before

    took, writes = on(hub, body)
    assert writes == len(HUB) - 1
    assert took < SOON_S


def test_edits_of_different_fields_at_all_accounts_at_once_all_arrive_everywhere() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        for name in ("Ada", "Bob", "Cyd", "Dan"):
            rig.create("p", name)
        await until(lambda: all_loaded(rig) and {len(rig.names(system)) for system in HUB} == {4}, 600)
        await anyio.sleep(60)
        before = confirmed(rig)
        for system, name in zip(HUB, ("Ada", "Bob", "Cyd", "Dan"), strict=True):
            id_ = next(id_ for id_, row in rig.rows(system).items() if row["name"] == name)
            rig.edit(system, id_, name=f"{name} of {system}")
        wanted = ("Ada of p", "Bob of s1", "Cyd of s2", "Dan of s3")
        await until(lambda: {tuple(sorted(rig.names(system))) for system in HUB} == {wanted}, 600)
        await anyio.sleep(2 * 3600.0)
        return confirmed(rig) - before, [len(rig.parked(link)) for link in LINKS]

    assert on(hub, body) == (4 * 3, [0, 0, 0])


@pytest.mark.parametrize("one, other", list(itertools.combinations(HUB[1:], 2)))
def test_redteam_15_the_same_new_customer_entered_at_two_secondaries_stands_at_the_primary_once(
    one: str, other: str
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: all_loaded(rig), 600)
        rig.create(one, "Ada")
        rig.create(other, "Ada")
        await until(lambda: all(rig.names(system) for system in HUB), 600)
        await anyio.sleep(2 * 3600.0)
        return names(rig), [room.room.value for link in LINKS for room in rig.parked(link)]

    assert on(hub, body) == ({("Ada",)}, [])


def test_a_new_record_of_which_a_feed_tells_waits_for_no_poll() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: CUSTOMERS in rig.link().row.facts.get("loaded", ()), 600)
        await anyio.sleep(60)
        rig.create("b", "Ada")
        return await elapsed(rig, lambda: rig.names("a") == ["Ada"])

    assert on(lambda: Rig(poll_s=3600.0, find=(Find.FEED,)), body) < SOON_S


def test_what_a_plan_looked_at_is_looked_at_again_once_the_link_goes_on() -> None:
    async def main() -> Any:
        rig = Rig(poll_s=3600.0)
        rig.create("a", "Ada")
        rig.store.set_wish("l", "paused")
        async with rig.daemon() as root:
            rig.store.request_run(RunRow("asked", "l", mode="plan"))
            root.wake("l")
            await until(lambda: rig.link().runs["asked"].ended, 600)
            assert rig.link().runs["asked"].outcome is Outcome.AWAITING_APPROVAL
            rig.store.set_wish("l", "run")
            root.wake("l")
            return await elapsed(rig, lambda: rig.names("b") == ["Ada"])

    assert loop.run(main) < SOON_S
