"""Erasing a record of a stream over several objects: what stood for it in others of them goes with it (B17)."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core import several
from actors.core.several import BESIDE, KEPT, LEFT, MOVED
from actors.core.types import SIDES, ActionState, Binding, Deviation, Held, Op, Side, State, other
from actors.core.values import Erased
from actors.ports import Settlement
from daemon.store.admin import Admin
from tests.actors.test_several import accounts
from tests.store.pgworld import PgWorld
from tests.store.world import create, full, leased, park

pytestmark = pytest.mark.anyio
SECRET = "Grete Musterfrau"


async def remembered(world: PgWorld) -> list[str]:
    """The tables in which the person is to be found."""
    found = []
    for table in ("bindings", "actions", "parked", "plan_actions"):
        query = f"select count(*) from {table} where {table}::text like $1"
        if await world.pool.fetchval(query, f"%{SECRET}%"):
            found.append(table)
    return found


def stood(many: Side, id_: str, note: str) -> Binding:
    """A half binding for a place in which the record stood, with what it held there."""
    held = Held(id_, dev={f"{several.PREFIX}name": Deviation(SECRET, "left behind")})
    a, b = (held, None) if many == "a" else (None, held)
    return Binding("customers", state=State.TOMBSTONE, a=a, b=b, keys=(0,), rev=1, map_ver="m1", note=note)


@pytest.mark.parametrize("many", SIDES)
@pytest.mark.parametrize("named", ["clients:3", "prospects:1", "prospects:2", "clients:4"])
async def test_whichever_of_its_places_is_named_all_are_erased_and_nobody_elses(
    world: PgWorld, admin: Admin, many: Side, named: str
) -> None:
    """Ada moved from prospects:1 to clients:2 and on to clients:3, and stands as prospects:2 beside that;
    as clients:4 she was kept by a rule."""
    one = other(many)
    ids = {many: "clients:3", one: "77"}
    pair, stranger = (
        full(ids["a"], ids["b"]),
        full(*(("clients:9", "99") if many == "a" else ("99", "clients:9"))),
    )
    places = (
        ("prospects:1", f"{MOVED}clients:2"),
        ("clients:2", f"{LEFT}clients:3"),
        ("prospects:2", f"{BESIDE}clients:3"),
        ("clients:4", f"{KEPT}clients:3"),
    )
    halves = [stood(many, *place) for place in places]
    lease = await leased(world)
    keys = await world.store.settle(lease, Settlement("r1", bindings=(pair, stranger, *halves)))
    held: dict[str, Any] = {"before": {"name": SECRET}, "seen_native": {"name": SECRET}}
    own = (keys[0], *keys[2:])
    held |= {"state": ActionState.CONFIRMED, "reason": f"{SECRET} moved"}
    lines = [create(key, many, Op.DELETE, **held) for key in own]
    other_line = create(
        keys[1], many, Op.UPDATE, state=ActionState.CONFIRMED, reason="another one", target="clients:9"
    )
    parked = [park(key, detail={"base": {"name": SECRET}}) for key in (keys[0], keys[3])]
    await world.store.settle(lease, Settlement("r1", items=(*lines, other_line), park=tuple(parked)))
    await world.store.hold(lease, "held", "customers", "over", [create(keys[2], many, Op.DELETE, **held)])
    assert await remembered(world) == ["bindings", "actions", "parked", "plan_actions"]
    done = await admin.erase("l1", accounts(one), many, named)
    assert (done.binding, done.planned, done.parked) == (keys[0], 1, 2) and done.actions == len(lines)
    assert await remembered(world) == []
    after = {binding.key: binding for binding in await world.store.bindings_by_key("l1", keys)}
    assert after[keys[1]].base == {"name": stranger.base["name"]}
    left = after[keys[3]].side(many)
    assert left is not None and isinstance(left.dev[f"{several.PREFIX}name"].value, Erased)
    assert [after[key].note for key in keys[2:]] == [note for _, note in places]
