"""A call that says no more than "something changed": looked for on the side that said so, and nowhere else."""

from __future__ import annotations

import pytest

from actors.core.types import POKED, SIDES, Hint, Side
from actors.ports import Find
from actors.root import RootActor
from tests.actors.rig import CUSTOMERS, Rig, loaded, on, takes, until

LOOKS = ("changes", "scan")
NEVER_S = 1e9


def rig(find: Find) -> Rig:
    """A link that looks once a day by itself, between systems that tell nothing else."""
    made = Rig(find=(find,), poll_s=NEVER_S)
    made.on |= {(side, "watch"): takes(NEVER_S) for side in SIDES}
    return made


async def call(rig: Rig, root: RootActor, side: Side) -> None:
    """The side calls, naming nobody."""
    await rig.store.add_hints("l", [Hint(CUSTOMERS, side, "", reason=POKED)])
    root.wake("l")


async def loaded_with_one(rig: Rig) -> str:
    """A record that stands on both sides, once nothing is looked at any more."""
    id = rig.create("a", "Ada")
    await until(lambda: loaded(rig) and rig.names("b") == ["Ada"] and not rig.link().inbox)
    await until(lambda: rig.requests[-1][0] + 30 < rig.clock.monotonic())
    return id


@pytest.mark.parametrize("find, others", [(Find.MODIFIED, False), (Find.FULL, True)])
def test_only_the_side_that_called_is_looked_at_where_it_can_tell_what_changed(
    find: Find, others: bool
) -> None:
    async def body(rig: Rig, root: RootActor) -> int:
        id = await loaded_with_one(rig)
        rig.requests.clear()
        rig.edit("a", id, name="Adele")
        await call(rig, root, "a")
        await until(lambda: rig.names("b") == ["Adele"] and not rig.link().inbox)
        return sum(len(rig.asked("b", look)) for look in LOOKS)

    # `idle_s`: whoever takes a link over looks at both sides.
    assert (on(lambda: rig(find), body, idle_s=NEVER_S) > 0) == others


@pytest.mark.parametrize("find", [Find.MODIFIED, Find.FULL])
def test_a_newcomer_that_a_call_leads_to_is_made_at_once(find: Find) -> None:
    async def body(rig: Rig, root: RootActor) -> list[str]:
        await loaded_with_one(rig)
        rig.create("a", "Bob")
        await call(rig, root, "a")
        await until(lambda: len(rig.names("b")) > 1 and not rig.link().inbox)
        return rig.names("b")

    assert on(lambda: rig(find), body, idle_s=NEVER_S) == ["Ada", "Bob"]
