"""A record that is restored gets back what its side alone held, as last seen (W30, G3, G9)."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.policy import DeletePolicy, Owner, StreamSpec
from actors.core.types import Side
from actors.ports import Find
from actors.root import RootActor
from tests.actors.odds import CRASHES, MIRRORED, at_rest, by_side, dies
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until


def restored(here: Side) -> StreamSpec:
    """What is deleted `here` is put back, with its `town` and `memo`, which the other side does not get."""
    local = (field("town", owner=Owner.LOCAL), field("memo", owner=Owner.LOCAL))
    return customers(
        fields=(field("name"), field("phone"), *local),
        deletes=by_side(here, DeletePolicy.RESTORE, DeletePolicy.IGNORE),
    )


def rig_with(here: Side, find: Find = Find.FEED) -> Rig:
    return Rig(restored(here), find=(find,), poll_s=20.0)


def own(rig: Rig, side: str) -> list[Any]:
    return [(row["name"], row.get("town"), row.get("memo")) for row in rig.rows(side).values()]


@MIRRORED
@pytest.mark.parametrize("find", [Find.FEED, Find.MODIFIED, Find.FULL])
@pytest.mark.parametrize("began", ["here", "there"])
def test_redteam_45_what_only_its_side_knew_is_there_again(
    here: Side, there: Side, find: Find, began: str
) -> None:
    """As last seen: the town was changed once more, the memo emptied. The other side's own values are not touched."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here if began == "here" else there, "Ada", "1")
        await until(lambda: rig.names(here) == rig.names(there) == ["Ada"] and loaded(rig))
        id, partner = next(iter(rig.rows(here))), next(iter(rig.rows(there)))
        rig.edit(here, id, town="x", memo="m")
        rig.edit(there, partner, town="over there")
        await at_rest(rig, 60)
        rig.edit(here, id, town="y", memo=None)
        await at_rest(rig, 60)
        rig.systems[here].delete(CUSTOMERS, id, "person")
        await until(lambda: rig.names(here) == ["Ada"])
        await at_rest(rig, 60)
        return own(rig, here), own(rig, there), rig.parked()

    expected: Any = ([("Ada", "y", None)], [("Ada", "over there", None)], [])
    assert on(lambda: rig_with(here, find), body) == expected


@MIRRORED
@CRASHES
def test_a_daemon_that_is_killed_at_any_commit_puts_it_back_once_with_its_values(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create(here, "Ada", "1", town="x", memo="m")
        await until(lambda: rig.names(there) == ["Ada"] and loaded(rig) and not rig.link().inbox)
        await at_rest(rig, 60)
        dies(rig, crash)
        rig.systems[here].delete(CUSTOMERS, id, "person")
        await until(lambda: rig.names(here) == ["Ada"], timeout_s=600)
        await at_rest(rig, 200)
        return own(rig, here), own(rig, there)

    assert on(lambda: rig_with(here), body) == ([("Ada", "x", "m")], [("Ada", None, None)])


@MIRRORED
def test_deleted_and_put_back_again_and_again_it_keeps_its_values(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here, "Ada", "1", town="x", memo="m")
        await until(lambda: rig.names(there) == ["Ada"] and loaded(rig) and not rig.link().inbox)
        for _ in range(3):
            await at_rest(rig, 60)
            gone = next(iter(rig.rows(here)))
            rig.systems[here].delete(CUSTOMERS, gone, "person")
            await until(lambda gone=gone: rig.rows(here) and gone not in rig.rows(here))  # type: ignore[misc]
        await at_rest(rig, 60)
        left = [dev for b in rig.bindings() for held in (b.a, b.b) if held for dev in held.dev]
        return own(rig, here), own(rig, there), sorted(left)

    expected = ([("Ada", "x", "m")], [("Ada", None, None)], ["*local* memo", "*local* town"])
    assert on(lambda: rig_with(here), body) == expected
