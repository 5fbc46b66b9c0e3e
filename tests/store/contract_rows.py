"""The contract of the Store port, part 4: many records at once.

Run against every implementation, like the other parts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from actors.core.errors import Kind, LeaseLost, TandemError
from actors.core.texts import line_of
from actors.core.types import Action, ActionState, Binding, Deviation, Held, Op, Presence, Side, State
from actors.core.values import encode
from actors.ports import Closed, Counters, Cursor, Lease, NewRows, RunRow, Settlement, Store
from tests.store.world import START, World, full, half, leased, park

INTENT = Action("customers", "b", Op.CREATE, 0, rule="new on a", reason="initial load", deadline=START + 30)


def lines(*numbers: int, side: Side = "b") -> NewRows:
    """New bindings An - Bn; `side` is where the records are made."""
    rows = []
    for number in numbers:
        ids = [f"A{number}", f"B{number}"]
        base = encode({"name": f'the "{number}"\\', "phone": None})
        rows.append(line_of([*(ids if side == "b" else ids[::-1]), base, f"{{{number},-7}}"]))
    return NewRows("customers", side, rows, "m1")


async def loaded(store: Store, lease: Lease, rows: NewRows, **more: object) -> Action:
    """The rows under an intent."""
    work = Settlement(run="r1", **more)  # type: ignore[arg-type]
    intent = msgspec.structs.replace(INTENT, side=rows.side)
    return await store.load(lease, work, rows, intent)


async def pages(store: Store, side: Side) -> list[str]:
    """Every id that is present."""
    return sorted([id_ async for page in store.present("l1", "customers", side) for id_ in page])


class RowsContract:
    """load, bindings_covered, quiet, present."""

    @pytest.mark.parametrize("side", ["a", "b"])
    async def test_loaded_rows_are_settled_bindings_under_one_open_intent(
        self, world: World, side: Side
    ) -> None:
        lease = await leased(world)
        await world.store.begin_run(lease, RunRow("r1", "l1"))
        cursors = (Cursor("customers", "a", generation=3), Cursor("customers", "b", generation=5))
        sent = await loaded(world.store, lease, lines(1, 2, side=side), cursors=cursors)
        assert sent.id and sent.state is ActionState.SENT and sent.covers is not None
        assert [*await world.store.open_actions("l1")] == [sent]
        first, second = await world.store.bindings_covered("l1", "customers", sent.covers, 0, 10)
        assert sent.covers == (first.key, second.key) and sent.concerns(first.key)
        assert second == Binding(
            "customers",
            key=second.key,
            state=State.SETTLED,
            a=Held("A2", seen_gen=3),
            b=Held("B2", seen_gen=5),
            base={"name": 'the "2"\\', "phone": None},
            keys=(2, -7),
            map_ver="m1",
            rev=1,
        )
        assert [c.generation for c in await world.store.cursors("l1")] == [3, 5]

    async def test_what_is_covered_comes_in_pages(self, world: World) -> None:
        lease = await leased(world)
        await loaded(world.store, lease, lines(1))
        sent = await loaded(world.store, lease, lines(2, 3, 4))
        await loaded(world.store, lease, lines(5))
        assert sent.covers is not None
        found: list[Binding] = []
        while page := await world.store.bindings_covered(
            "l1", "customers", sent.covers, found[-1].key if found else 0, 2
        ):
            found.extend(page)
        assert [b.a.id for b in found if b.a] == ["A2", "A3", "A4"]
        assert not await world.store.bindings_covered("l1", "articles", sent.covers, 0, 10)

    async def test_the_settlement_of_earlier_windows_goes_with_it(self, world: World) -> None:
        lease = await leased(world)
        await world.store.begin_run(lease, RunRow("r1", "l1"))
        first = await loaded(world.store, lease, lines(1))
        done = Counters("customers", "b", created=1)
        closed = (Closed(first.id, ActionState.CONFIRMED),)
        second = await loaded(world.store, lease, lines(2), closed=closed, counters=(done,))
        assert [one.id for one in await world.store.open_actions("l1")] == [second.id]
        assert [*await world.store.run_counters("r1")] == [done]

    async def test_closing_what_is_not_there_leaves_no_trace(self, world: World) -> None:
        lease = await leased(world)
        with pytest.raises(TandemError) as refused:
            await loaded(world.store, lease, lines(1), closed=(Closed(987654, ActionState.CONFIRMED),))
        assert refused.value.kind is Kind.BUG
        assert not await pages(world.store, "a")
        assert not await world.store.open_actions("l1")

    async def test_an_id_that_is_bound_leaves_no_trace(self, world: World) -> None:
        lease = await leased(world)
        await world.store.settle(lease, Settlement("r1", bindings=(half("b", "B2"),)))
        with pytest.raises(TandemError):
            await loaded(world.store, lease, lines(1, 2), cursors=(Cursor("customers", "a", position="x"),))
        assert not await world.store.open_actions("l1") and not await world.store.cursors("l1")
        assert await pages(world.store, "a") == []

    async def test_a_stale_lease_loads_nothing(self, world: World) -> None:
        lease = await leased(world)
        await leased(world)
        with pytest.raises(LeaseLost):
            await loaded(world.store, lease, lines(1))
        assert await pages(world.store, "a") == []

    @pytest.mark.parametrize("side", ["a", "b"])
    async def test_quiet_are_settled_records_without_deviation_that_wait_nowhere(
        self, world: World, side: Side
    ) -> None:
        lease = await leased(world)
        states = (State.SETTLED, State.MATCHED, State.TOMBSTONE)
        bindings = [full(f"A{n}", f"B{n}", state=state) for n, state in enumerate(states)]
        deviating = full("A3", "B3")
        held = Held(f"{side.upper()}3", dev={"name": Deviation("x", "lossy")})
        changed = {"a": held} if side == "a" else {"b": held}
        bindings += [
            msgspec.structs.replace(deviating, **changed),
            full("A4", "B4"),
            half(side, f"{side.upper()}5"),
        ]
        keys = await world.store.settle(lease, Settlement("r1", bindings=tuple(bindings)))
        await world.store.settle(lease, Settlement("r1", park=(park(keys[4]),)))
        ids = [f"{side.upper()}{number}" for number in range(7)]
        found = await world.store.quiet("l1", "customers", side, ids)
        assert found == {f"{side.upper()}0\t" + encode({"name": "A0"})}
        assert not await world.store.quiet("l1", "customers", side, [])
        assert not await world.store.quiet("l2", "customers", side, ids)

    async def test_present_are_all_ids_of_records_that_are_there(self, world: World) -> None:
        lease = await leased(world)
        gone = msgspec.structs.replace(full("A2", "B2"), a=Held("A2", presence=Presence.DELETED))
        bindings: Sequence[Binding] = (full("A1", "B1"), gone, half("a", "A3"), half("b", "B4"))
        await world.store.settle(lease, Settlement("r1", bindings=tuple(bindings)))
        assert await pages(world.store, "a") == ["A1", "A3"]
        assert await pages(world.store, "b") == ["B1", "B2", "B4"]
