"""What was deleted on one side and is to be put back there, while its partner can't be seen either."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.core.initial import HELD
from actors.core.policy import DeletePolicy, StreamSpec
from actors.core.types import Binding, Deviation, Held, Side, State
from actors.core.verdict import RESTORE
from actors.ports import Find
from actors.root import RootActor
from actors.window import matched
from tests.actors.odds import MIRRORED, by_side
from tests.actors.rig import CUSTOMERS, Rig, customers, field, on, until


def put_back_on(there: Side, **more: Any) -> StreamSpec:
    """Rules by which what is deleted on one side is put back there, and nobody is made of newcomers of that side."""
    return customers(
        fields=(field("name"), field("phone", required=True)),
        creates=frozenset({there}),
        deletes=by_side(there, DeletePolicy.RESTORE, DeletePolicy.IGNORE),
        **more,
    )


async def waits_to_be_put_back(rig: Rig, here: Side, there: Side) -> str:
    """Somebody who was deleted there, and lacks here what he needs to be put back; his id here."""
    made = rig.create(there, "Ada", "1")
    await until(lambda: [one.state for one in rig.bindings()] == [State.SETTLED])
    (mine,) = rig.rows(here)
    rig.edit(here, mine, phone=None)
    await until(lambda: bool(rig.parked()))
    rig.systems[there].delete(CUSTOMERS, made, "person")
    await until(lambda: [one.state for one in rig.bindings()] == [State.NEW], 600)
    return mine


@MIRRORED
def test_found_by_sim_what_waits_to_be_put_back_and_is_hidden_meanwhile_is_put_back_when_it_is_shown(
    here: Side, there: Side
) -> None:
    """It was forgotten, and stood alone for good where the blueprint lets nobody be made of newcomers (seed 204437)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        mine = await waits_to_be_put_back(rig, here, there)
        rig.systems[here].hide(CUSTOMERS, mine, by_id=True)
        await until(lambda: [one.state for one in rig.bindings()] != [State.NEW], 600)
        await anyio.sleep(300)
        gone = rig.rows(there), rig.parked()
        rig.systems[here].hidden.clear()
        rig.edit(here, mine, phone="2")
        await until(lambda: [one.state for one in rig.bindings()] == [State.SETTLED], 600)
        return gone, [(row["name"], row["phone"]) for row in rig.rows(there).values()]

    spec = put_back_on(there)
    assert on(lambda: Rig(spec, find=(Find.FULL,)), body) == (({}, []), [("Ada", "2")])


@MIRRORED
@pytest.mark.parametrize("find", [Find.FEED, Find.MODIFIED, Find.FULL])
@pytest.mark.parametrize("gap_s", [0.0, 120.0])
def test_found_by_sim_who_gets_another_id_before_he_is_put_back_is_put_back_all_the_same(
    gap_s: float, find: Find, here: Side, there: Side
) -> None:
    """He was a newcomer, and the blueprint lets nobody be made of those (seed 523962). `gap_s`: so long he is gone."""

    async def body(rig: Rig, root: RootActor) -> Any:
        mine = await waits_to_be_put_back(rig, here, there)
        rig.systems[here].delete(CUSTOMERS, mine, "person")
        await anyio.sleep(gap_s)
        again = rig.create(here, "Ada", None)
        await anyio.sleep(300)
        rig.edit(here, again, phone="2")
        await anyio.sleep(300)
        states = [one.state for one in rig.bindings()]
        return states, [(row["name"], row["phone"]) for row in rig.rows(there).values()], rig.parked()

    spec = put_back_on(there, complete_read_s=60.0)
    assert on(lambda: Rig(spec, find=(find,), poll_s=20.0), body) == ([State.SETTLED], [("Ada", "2")], [])


def test_who_was_left_by_the_load_has_agreed_on_nothing_and_takes_nothing_from_who_is_to_be_put_back() -> (
    None
):
    mine = Binding("customers", 1, State.NEW, a=Held("A1"), base={"name": "Ada"}, note=RESTORE)
    left = Binding("customers", 2, State.HELD_BACK, b=Held("B1"), base={"name": "Eve"}, note=HELD)
    assert matched(mine, left).base == {"name": "Ada"}


@pytest.mark.parametrize("theirs", [{}, {"name": "Eve"}])
def test_found_by_sim_two_that_were_each_to_be_put_back_meet_as_if_nothing_had_been_agreed_on(
    theirs: dict[str, Any],
) -> None:
    """What was agreed on with other partners says nothing of these two: B's rewriting of another value counted as settled,
    and the two stayed apart (seed 724173). Beside a newcomer it is the record itself that is back."""
    own = {"*local* memo": Deviation("mine", "local")}
    dev = {"name": Deviation("Ev", "rewritten"), **own}
    mine = Binding("customers", 1, State.NEW, a=Held("A1", dev=own), base={"name": "Ada"}, note=RESTORE)
    other = Binding("customers", 2, State.NEW, b=Held("B1", dev=dev if theirs else own), base=theirs)
    met = matched(mine, other)
    assert met.state is State.MATCHED and met.a is not None and met.b is not None
    assert (met.base, met.a.dev, met.b.dev) == ({} if theirs else {"name": "Ada"}, own, own)
