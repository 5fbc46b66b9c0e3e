"""What is active again on one side alone stays so, through complete reads, other edits and a daemon that is killed, and
every deactivation follows (`reactivation: ignore`; T12). The merge itself: tests/core/test_reactivation.py."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.merge import NOT_FOLLOWED
from actors.core.stream_rules import Reactivation
from actors.core.types import Hint, Side
from actors.messages import CHANGED
from actors.ports import Find
from actors.root import RootActor
from tests.actors.odds import CRASHES, MIRRORED, at_rest, dies, field_of, told
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until


def rig_of(reactivation: Reactivation, find: Find = Find.FEED) -> Rig:
    """`phone` says whether a customer is active."""
    active = field("phone", reactivation=reactivation)
    spec = customers(fields=(field("name"), active, field("note")))
    return Rig(spec, poll_s=20.0, find=(find,), types={"phone": "boolean"})


def active(rig: Rig, *sides: Side) -> list[Any]:
    """Whether the customer is active on these sides, and what his note says there."""
    return [(field_of(rig.rows(side), "phone"), field_of(rig.rows(side), "note")) for side in sides]


async def deactivated(rig: Rig, here: Side, there: Side) -> dict[Side, str]:
    """A customer who was deactivated here, and so there; his ids."""
    rig.create(here, "Ada", True, note="n")
    await until(lambda: loaded(rig) and rig.names(there) == ["Ada"] and not rig.link().inbox)
    ids = {side: next(iter(rig.rows(side))) for side in (here, there)}
    rig.edit(here, ids[here], phone=False)
    await until(lambda: field_of(rig.rows(there), "phone") == [False])
    await at_rest(rig, 60)
    return ids


async def look_completely(rig: Rig, root: RootActor, *sides: Side) -> None:
    await rig.store.add_hints("l", [Hint(CUSTOMERS, side, "") for side in sides])
    root.wake("l", CHANGED)
    await at_rest(rig, 100)


@MIRRORED
@CRASHES
@pytest.mark.parametrize("find", [Find.FEED, Find.FULL])
def test_active_again_on_one_side_it_stays_so_whatever_comes_and_a_deactivation_follows(
    here: Side, there: Side, find: Find, crash: tuple[str, int]
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await deactivated(rig, here, there)
        dies(rig, crash)
        rig.edit(here, ids[here], phone=True)
        await until(lambda: told(rig, NOT_FOLLOWED), timeout_s=600)
        rig.edit(there, ids[there], note="m")
        await until(lambda: field_of(rig.rows(here), "note") == ["m"], timeout_s=600)
        await look_completely(rig, root, here, there)
        alone, said = active(rig, here, there), told(rig, NOT_FOLLOWED)
        rig.edit(there, ids[there], phone=True)  # and there, too
        await at_rest(rig, 100)
        rig.edit(there, ids[there], phone=False)
        await until(lambda: field_of(rig.rows(here), "phone") == [False], timeout_s=600)
        return alone, said, rig.parked()

    expected: Any = ([([True], ["m"]), ([False], ["m"])], 1, [])
    assert on(lambda: rig_of(Reactivation.IGNORE, find), body) == expected


@MIRRORED
def test_where_it_is_followed_it_is_an_edit_and_what_stayed_before_goes_with_the_next_one(
    here: Side, there: Side
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await deactivated(rig, here, there)
        rig.edit(here, ids[here], phone=True)
        await until(lambda: told(rig, NOT_FOLLOWED))
        rig.change(rig_of(Reactivation.FOLLOW).spec.streams[0])
        await look_completely(rig, root, here, there)
        stays = active(rig, there)
        rig.edit(here, ids[here], phone=False)
        await at_rest(rig, 60)
        rig.edit(here, ids[here], phone=True)
        await until(lambda: field_of(rig.rows(there), "phone") == [True])
        return stays, told(rig, NOT_FOLLOWED)

    assert on(lambda: rig_of(Reactivation.IGNORE), body) == ([([False], ["n"])], 1)
