"""What is written through one link is news to the other links of the account at once, though only polls find changes."""

from __future__ import annotations

import anyio
import pytest

from actors.core.types import Hint, Side
from actors.ports import Find, LinkRow
from actors.root import RootActor
from tests.actors.rig import CUSTOMERS, Rig, loaded, on, until, writes

LINKS = {"first": ("a", "hub"), "second": ("hub", "b")}


def hub(find: Find) -> Rig:
    """A hub with two others; no system calls or feeds, and a poll is an hour away."""
    rig = Rig(systems=("a", "hub", "b"), links=LINKS, find=(find,), poll_s=3600.0)
    for name in rig.systems:
        rig.on[name, "watch"] = anyio.sleep_forever
    return rig


@pytest.mark.parametrize("find", [Find.MODIFIED, Find.FULL])
@pytest.mark.parametrize("origin, other", [("a", "b"), ("b", "a")])
def test_a_change_goes_from_one_account_over_the_hub_to_the_others(
    find: Find, origin: str, other: str
) -> None:
    async def body(rig: Rig, root: RootActor) -> None:
        rig.create("a", "Ada")
        # The second link may have had its first look before the first one made the record.
        await until(lambda: rig.names("b") == ["Ada"], timeout_s=20)
        await until(lambda: all(not rig.link(name).inbox for name in LINKS), timeout_s=60)
        await anyio.sleep(30)
        before = writes(rig, "a", "hub", "b")
        rig.edit(origin, next(iter(rig.rows(origin))), phone="2")
        link = "first" if origin == "a" else "second"
        await rig.store.add_hints(link, [_hint(rig, origin)])
        root.wake(link)
        await until(lambda: [row["phone"] for row in rig.rows(other).values()] == ["2"], timeout_s=20)
        await anyio.sleep(600)
        assert writes(rig, "a", "hub", "b") == before + 2  # once each, and no echo

    on(lambda: hub(find), body)


def _hint(rig: Rig, origin: str) -> Hint:
    side: Side = "a" if origin == "a" else "b"
    return Hint(CUSTOMERS, side, next(iter(rig.rows(origin))))


def test_a_link_alone_is_told_nothing_of_its_own_writes() -> None:
    async def body(rig: Rig, root: RootActor) -> None:
        rig.create("a", "Ada")
        await until(lambda: rig.names("b") == ["Ada"] and loaded(rig), timeout_s=20)
        await anyio.sleep(30)
        assert not rig.link().inbox

    on(lambda: Rig(find=(Find.MODIFIED,), poll_s=3600.0), body)


def test_a_link_that_was_made_a_moment_ago_is_told_too() -> None:
    async def body(rig: Rig, root: RootActor) -> None:
        rig.create("a", "Ada")
        await until(lambda: rig.names("hub") == ["Ada"], timeout_s=20)
        rig.store.add_link(LinkRow("second", "t", "second", "hub", "b", blueprint=CUSTOMERS))
        await until(lambda: rig.names("b") == ["Ada"], timeout_s=4)
        rig.edit("a", next(iter(rig.rows("a"))), phone="2")
        await rig.store.add_hints("first", [_hint(rig, "a")])
        root.wake("first")
        await until(lambda: [row["phone"] for row in rig.rows("b").values()] == ["2"], timeout_s=20)
        assert [row["phone"] for row in rig.rows("hub").values()] == ["2"]

    def alone() -> Rig:
        rig = Rig(
            systems=("a", "hub", "b"), links={"first": ("a", "hub")}, find=(Find.MODIFIED,), poll_s=3600.0
        )
        for name in rig.systems:
            rig.on[name, "watch"] = anyio.sleep_forever
        return rig

    on(alone, body)
