"""Newcomers whose match keys are other ones by now than those that are stored with them: nobody is made beside them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from actors.core.types import Side
from actors.ports import Find
from tests.actors.odds import MIRRORED, at_rest
from tests.actors.rig import Rig, customers, loaded, until
from tests.sim import loop


def alone(here: Side, there: Side) -> Rig:
    """Nobody is made from records of `here`, whose reads lag by 12 s."""
    rig = Rig(customers(creates=frozenset({there})), find=(Find.MODIFIED,), poll_s=20.0)
    rig.declared[here] = msgspec.structs.replace(rig.declared[here], read_lag_s=12.0)
    return rig


async def edited_unseen(here: Side, there: Side) -> Rig:
    """Somebody was edited while nobody looked, to the name that somebody else is entered with on the other side."""
    rig = alone(here, there)
    async with rig.daemon():
        id = rig.create(here, "Ada")
        await until(lambda: loaded(rig) and bool(rig.bindings()))
        await at_rest(rig)
    rig.edit(here, id, name="Eve")
    rig.create(there, "Eve")
    await at_rest(rig, 60)
    return rig


@MIRRORED
def test_found_by_sim_who_shows_another_key_in_a_look_that_comes_too_early_is_not_made_once_more(
    here: Side, there: Side
) -> None:
    """Who takes a link over trusts no look that comes within the lag, and made him there as well (seed 301927)."""

    async def main() -> tuple[list[str], list[str], int]:
        rig = await edited_unseen(here, there)
        async with rig.daemon("d2"):
            await at_rest(rig)
        return rig.names(here), rig.names(there), len(rig.bindings())

    assert loop.run(main) == (["Eve"], ["Eve"], 1)


@MIRRORED
def test_found_by_sim_who_shows_no_key_in_a_look_that_comes_too_early_may_be_anybody(
    here: Side, there: Side
) -> None:
    async def main() -> Mapping[str, object]:
        rig = await edited_unseen(here, there)
        rig.systems[here].withheld.add(("customers", "name"))
        async with rig.daemon("d2"):
            await at_rest(rig, 30)
            rig.systems[here].withheld.clear()
            await at_rest(rig)
        return {"here": rig.names(here), "pairs": len(rig.bindings())}

    assert loop.run(main) == {"here": ["Eve"], "pairs": 1}


@MIRRORED
@pytest.mark.parametrize("find", [Find.FEED, Find.MODIFIED, Find.FULL])
@pytest.mark.parametrize("lag_s", [0.0, 12.0])
def test_found_by_sim_who_moved_with_a_key_that_only_his_partner_shows_is_not_made_once_more(
    lag_s: float, find: Find, here: Side, there: Side
) -> None:
    """Both got another name while nobody looked, and one another id and another phone. What the other one showed in a look
    that did not count was forgotten by the next run, and he was made there as well (seed 506040)."""

    async def main() -> tuple[list[str], list[str], list[str]]:
        rig = Rig(find=(find,), poll_s=20.0)
        rig.declared[there] = msgspec.structs.replace(rig.declared[there], read_lag_s=lag_s)
        async with rig.daemon():
            id = rig.create(here, "Ada")
            await until(lambda: loaded(rig) and rig.names(there) == ["Ada"])
            await at_rest(rig)
        (old,) = rig.rows(there)
        rig.edit(here, id, name="Eve")
        rig.systems[there].delete("customers", old, "person")
        rig.create(there, "Eve", "9")
        async with rig.daemon("d2"):
            await at_rest(rig)
        phones = sorted(row["phone"] for side in (here, there) for row in rig.rows(side).values())
        return rig.names(here), rig.names(there), phones

    assert loop.run(main) == (["Eve"], ["Eve"], ["9", "9"])
