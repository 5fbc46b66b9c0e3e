"""The contract of the Store port, part 2: bindings, settlements, generations, match keys, ledger."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pytest

from actors.core.errors import Kind, TandemError
from actors.core.gates import SHUT
from actors.core.guard import Hub, Ledger, Spent
from actors.core.plan import RESTORE
from actors.core.types import (
    ActionState,
    Binding,
    Deviation,
    Held,
    Op,
    Presence,
    Room,
    Side,
    State,
)
from actors.core.values import Value, line_of
from actors.ports import Closed, Counters, Cursor, KeyGroup, Lease, Settlement, Store
from tests.store.world import (
    CREATED,
    DELETED,
    OBJECTS,
    START,
    World,
    create,
    full,
    half,
    hint,
    leased,
    line,
    park,
)

VALUES: dict[str, Value] = {
    "text": "M\u00fcnchen \u2028 \U0001f600 'quote' \"double\" back\\slash {1,2} %s $1\nline",
    "number": Decimal("12345678901234567890.0001"),
    "whole": 10**30,
    "flag": True,
    "none": None,
    "day": date(2024, 2, 29),
    "instant": datetime(2024, 2, 29, 12, 30, 1, 5, tzinfo=UTC),
    "local": datetime(2024, 2, 29, 12, 30),  # noqa: DTZ001
    "bytes": b"\x00\xff",
    "list": ("x", None, Decimal("0.5"), date(2020, 1, 1)),
    "lines": (
        line_of({"article": 7, "price": Decimal("0.5"), "day": date(2020, 1, 1)}),
        line_of({"x": None}),
    ),
    "": "a field without a name",
}


async def stored(world: World, lease: Lease, *bindings: Binding) -> list[int]:
    """Settle new bindings."""
    return list(await world.store.settle(lease, Settlement("r1", bindings=bindings)))


async def one(store: Store, key: int) -> Binding:
    (binding,) = await store.bindings_by_key("l1", [key])
    return binding


class BindingContract:
    """Bindings are kept as given, once per record, and found by id, key and state."""

    async def test_everything_of_a_binding_comes_back(self, world: World) -> None:
        binding = Binding(
            "customers",
            state=State.TOMBSTONE,
            a=Held(
                "A 1 \u00e9", Presence.DELETED, {"text": Deviation(VALUES["text"], "rewritten")}, 'W/"1"', 3
            ),
            b=Held("B\\1", Presence.OUT_OF_SCOPE, {"day": Deviation(date(1, 1, 1), "default")}, None, 0),
            base=VALUES,
            keys=(-(2**63), 0, 2**63 - 1),
            map_ver="m7",
            rev=1,
            note="deleted on a",
            contests={"a.phone": (3, 1.5), "b.phone": (1, 0.0)},
        )
        (key,) = await stored(world, await leased(world), binding)
        assert await one(world.store, key) == msgspec.structs.replace(binding, key=key)

    async def test_of_what_is_known_it_shows_what_stands_in_a_room(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        one, two = await stored(world, lease, full("A1", "B1"), full("A2", "B2"))
        await store.settle(lease, Settlement("r1", park=(park(two), park(two, field="x"))))
        known = await store.known("l1", "customers", "b", ["B2", "B1", "B9"])
        assert known.bindings == await store.bindings("l1", "customers", "b", ["B1", "B2"])
        assert [row.key for row in known.bindings] == [one, two]
        assert known.parked == {two}
        assert (await store.known("l1", "customers", "a", ["B1"])).bindings == []

    async def test_keys_come_in_the_order_of_the_bindings(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        (first,) = await stored(world, lease, half("a", "A0"))
        work = (half("a", "A2"), msgspec.structs.replace(half("a", "A0"), key=first, rev=2), half("b", "B1"))
        keys = await stored(world, lease, *work)
        assert keys[1] == first
        found = {row.key: (row.a or row.b) for row in await store.bindings_by_key("l1", keys)}
        assert [held.id for held in map(found.__getitem__, keys) if held] == ["A2", "A0", "B1"]

    async def test_found_by_the_ids_of_a_side(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        keys = await stored(world, lease, full("X", "Y"), half("a", "Y"), half("a", "X", stream="articles"))
        assert [row.key for row in await store.bindings("l1", "customers", "a", ["X", "Y", "Z"])] == keys[:2]
        assert [row.key for row in await store.bindings("l1", "customers", "b", ["X", "Y", "Y"])] == keys[:1]
        assert await store.bindings("l2", "customers", "a", ["X"]) == []
        assert await store.bindings_by_key("l2", keys) == []
        assert await store.bindings("l1", "customers", "a", []) == []

    async def test_found_by_state_in_pages(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        states = (State.NEW, State.HELD_BACK, State.SETTLED, State.NEW, State.TOMBSTONE, State.NEW)
        rows = [
            msgspec.structs.replace(full(f"A{n}", f"B{n}"), state=state) for n, state in enumerate(states)
        ]
        keys = await stored(world, lease, *rows)
        wanted = ["new", "tombstone"]
        first = await store.bindings_in("l1", "customers", wanted, 0, 2)
        assert [row.key for row in first] == [keys[0], keys[3]]
        assert [row.key for row in await store.bindings_in("l1", "customers", wanted, keys[3], 9)] == keys[4:]
        assert [row.key for row in await store.bindings_in("l1", "customers", ["settled"], 0, 9)] == [keys[2]]
        assert len(await store.bindings_in("l1", "customers", ["settled", "new"], 0, 9)) == 4

    async def test_half_tombstones_are_found_by_their_note(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        gone = State.TOMBSTONE
        rows = (
            half("b", "B1", state=gone, note="stands beside B9"),
            half("b", "B2", state=gone, note="stands beside B8"),
            half("b", "B3", state=gone, note="moved to B9"),
            half("b", "B4", state=State.NEW, note="stands beside B9"),
            half("b", "B5", stream="articles", state=gone, note="stands beside B9"),
            msgspec.structs.replace(full("A6", "B6", state=gone), note="stands beside B9"),
            half("b", "B7", state=gone),
        )
        keys = await stored(world, lease, *rows)
        wanted = ["moved to B9", "stands beside B9", "kept"]
        assert [row.key for row in await store.noted("l1", "customers", wanted)] == [keys[0], keys[2]]
        assert await store.noted("l2", "customers", wanted) == []
        assert await store.noted("l1", "customers", []) == []

    async def test_only_full_settled_bindings_are_counted(self, world: World) -> None:
        rows = (full("A1", "B1"), full("A2", "B2", state=State.MATCHED), half("a", "A3", state=State.SETTLED))
        await stored(world, await leased(world), *rows)
        assert await world.store.count_bindings("l1", "customers", 10) == 1
        more = tuple(full(f"A{number}", f"B{number}") for number in range(10, 15))
        await stored(world, await leased(world), *more)
        assert [await world.store.count_bindings("l1", "customers", n) for n in (0, 4, 6, 7)] == [0, 4, 6, 6]
        assert await world.store.count_bindings("l1", "articles", 10) == 0

    async def test_a_record_is_bound_once_per_link_and_stream(self, world: World) -> None:
        lease = await leased(world)
        await stored(world, lease, full("X", "Y"))
        await stored(world, await leased(world, "l2"), full("X", "Y"))
        await stored(world, lease, half("b", "X"), full("X", "Y", stream="articles"))
        for twin in ((half("a", "X"),), (half("b", "Y"),), (half("a", "N"), half("a", "N"))):
            with pytest.raises(TandemError) as caught:
                await stored(world, lease, *twin)
            assert caught.value.kind is Kind.BUG
        assert await world.store.bindings("l1", "customers", "a", ["N"]) == []

    async def test_ids_pass_from_one_binding_to_another_within_a_settlement(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        pair, stray, other = await stored(world, lease, full("A1", "B1"), half("a", "A2"), full("A3", "B3"))
        moved = msgspec.structs.replace(full("A2", "B3"), key=pair, rev=2)
        swapped = msgspec.structs.replace(full("A3", "B1"), key=other, rev=2)
        await store.settle(lease, Settlement("r1", bindings=(moved, swapped), dropped=(stray,)))
        found = await store.bindings("l1", "customers", "a", ["A1", "A2", "A3"])
        assert [(row.key, row.a and row.a.id, row.b and row.b.id) for row in found] == [
            (pair, "A2", "B3"),
            (other, "A3", "B1"),
        ]


class SettleContract:
    """A settlement is kept whole or not at all."""

    async def test_a_binding_that_moved_on_stops_the_whole_settlement(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        good, bad, dropped = await stored(world, lease, half("a", "A1"), half("a", "A2"), half("a", "A3"))
        (intent,) = await store.intend(lease, "r1", [create(good)])
        await store.add_hints("l1", [hint("A1")])
        work = Settlement(
            "r1",
            bindings=(
                msgspec.structs.replace(full("A1", "B1"), key=good, rev=2),
                half("b", "B8"),
                msgspec.structs.replace(half("a", "A2"), key=bad, rev=3),
            ),
            dropped=(dropped,),
            closed=(Closed(intent, ActionState.CONFIRMED),),
            items=(line(good),),
            park=(park(good),),
            acks=tuple(await store.hints("l1", ["customers"], START, 9)),
            hints=(hint("A7"),),
            cursors=(Cursor("customers", "a", "9"),),
            seen=(("customers", "a", 9, ("A1", "A2")),),
            spend={CREATED: 1},
            counters=(Counters("customers", "b", created=1),),
        )
        before = await self.everything(store, good)
        with pytest.raises(TandemError) as caught:
            await store.settle(lease, work)
        assert caught.value.kind is Kind.BUG
        assert await self.everything(store, good) == before
        await store.settle(lease, msgspec.structs.replace(work, bindings=work.bindings[:2]))
        assert (await one(store, good)).rev == 2
        assert (await store.spent("l1", "customers", 0.0, OBJECTS)).spent == {"creates": 1}

    async def everything(self, store: Store, key: int) -> list[object]:
        return [
            await store.bindings_in("l1", "customers", list(State), 0, 99),
            await store.open_actions("l1"),
            await store.parked("l1", [key]),
            await store.hints("l1", ["customers"], START, 99),
            await store.cursors("l1"),
            await store.spent("l1", "customers", 0.0, OBJECTS),
            await store.run_counters("r1"),
        ]

    async def test_of_two_settlements_planned_on_one_revision_the_second_is_refused(
        self, world: World
    ) -> None:
        store, lease = world.store, await leased(world)
        (key,) = await stored(world, lease, half("a", "A1"))
        work = Settlement("r1", bindings=(msgspec.structs.replace(full("A1", "B1"), key=key, rev=2),))
        assert await store.settle(lease, work) == [key]
        with pytest.raises(TandemError):
            await store.settle(lease, work)
        assert (await one(store, key)).rev == 2

    async def test_only_half_bindings_of_this_link_are_dropped_and_their_parked_rows_with_them(
        self, world: World
    ) -> None:
        store, lease = world.store, await leased(world)
        loose, tied = await stored(world, lease, half("a", "A1"), full("A2", "B2"))
        (foreign,) = await store.settle(
            await leased(world, "l2"), Settlement("r1", bindings=(half("a", "A1"),))
        )
        await store.settle(lease, Settlement("r1", park=(park(loose), park(tied))))
        for key in (tied, foreign, 10**9):
            with pytest.raises(TandemError):
                await store.settle(lease, Settlement("r1", dropped=(loose, key)))
        assert len(await store.bindings_by_key("l1", [loose, tied])) == 2
        await store.settle(lease, Settlement("r1", dropped=(loose,)))
        assert [row.key for row in await store.bindings_by_key("l1", [loose, tied])] == [tied]
        assert [row.binding for row in await store.parked("l1", [loose, tied])] == [tied]

    async def test_a_window_of_a_thousand_records(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        keys = await stored(world, lease, *(half("a", f"A{n}", n + 1) for n in range(1000)))
        intents = await store.intend(lease, "r1", [create(key) for key in keys])
        bound = tuple(
            msgspec.structs.replace(full(f"A{n}", f"B{n}", n + 1), key=key, rev=2)
            for n, key in enumerate(keys)
        )
        closed = tuple(Closed(id_, ActionState.CONFIRMED, f"B{n}") for n, id_ in enumerate(intents))
        assert await store.settle(lease, Settlement("r1", bindings=bound, closed=closed)) == keys
        assert await store.count_bindings("l1", "customers", 2000) == 1000
        assert await store.open_actions("l1") == []
        found = await store.bindings_by_key("l1", keys)
        assert [row.b and row.b.id for row in found] == [f"B{n}" for n in range(1000)]

    async def test_new_bindings_are_parked_and_protocolled_by_their_place(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        work = Settlement(
            "r1", bindings=(half("a", "A1"), half("a", "A2")), park=(park(-2),), items=(line(-1),)
        )
        keys = await store.settle(lease, work)
        assert [row.binding for row in await store.parked("l1", keys)] == [keys[1]]

    async def test_who_waits_is_told_stream_by_stream_in_the_order_in_which_they_came(
        self, world: World
    ) -> None:
        store, lease = world.store, await leased(world)
        rows = (park(-1, Room.WAITING), park(-1), park(-2, Room.WAITING), park(-3, Room.WAITING))
        elsewhere = msgspec.structs.replace(park(-3, Room.WAITING, "x"), stream="orders")
        halves = (half("a", "A1"), half("a", "A2"), half("a", "A3"))
        keys = await store.settle(lease, Settlement("r1", bindings=halves, park=(*rows, elsewhere)))
        found = await store.waiting("l1", "customers", 0, 2)
        assert [row.binding for row in found] == list(keys[:2])
        rest = await store.waiting("l1", "customers", found[-1].id, 2)
        assert [(row.binding, row.stream) for row in rest] == [(keys[2], "customers")]
        assert await store.waiting("l2", "customers", 0, 2) == []
        elsewhere_too = await store.waiting("l1", "customers", 0, 2, park(-1).room)
        assert [(row.binding, row.room) for row in elsewhere_too] == [(keys[0], park(-1).room)]

    async def test_cursors_are_replaced_whole(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        running = Cursor("customers", "a", "c1", "p9", 4, START, "etag", START - 9, START, backlog="[]")
        await store.settle(lease, Settlement("r1", cursors=(running, Cursor("customers", "b", "c2"))))
        assert await store.cursors("l1") == [running, Cursor("customers", "b", "c2")]
        await store.settle(lease, Settlement("r1", cursors=(Cursor("customers", "a", "c3", generation=4),)))
        assert (await store.cursors("l1"))[0] == Cursor("customers", "a", "c3", generation=4)
        assert await store.cursors("l2") == []

    async def test_the_ledger_is_a_window_over_hours(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        await store.settle(lease, Settlement("r1", spend={DELETED: 1}))
        apart: Spent = "other/name", "a", "others", "creates"
        await store.settle(lease, Settlement("r1", spend={DELETED: 1, apart: 9}))
        world.clock.advance(2 * 3600)
        await store.settle(lease, Settlement("r2", spend={DELETED: 3, CREATED: 1}))
        now = world.clock.now()

        async def spent(link: str, stream: str, since: float) -> Ledger:
            return await store.spent(link, stream, since, OBJECTS)

        assert await spent("l1", "customers", now - 86400) == Ledger({"deletes": 5, "creates": 1})
        assert await spent("l1", "customers", now) == Ledger({"deletes": 3, "creates": 1})
        assert await spent("l1", "customers", now + 3600) == Ledger()
        assert await spent("l1", "other/name", now - 86400) == Ledger({"creates": 9})
        assert (await spent("l2", "customers", 0.0)).spent == {}

    async def test_the_ledger_counts_what_may_have_been_done(self, world: World) -> None:
        """An intent that no reply and no look has settled yet is as good as spent; one that is closed as not done isn't."""
        store, lease = world.store, await leased(world)
        odd = {"x": "a\u0000b"}
        sent = [
            create(7, op=Op.UPDATE, kinds=("clears", "overwrites"), fields=odd),
            create(8, kinds=("creates",)),
        ]
        first, second = await store.intend(lease, "r1", sent)
        assert (await store.spent("l1", "customers", 0.0, OBJECTS)).spent == {
            "clears": 1,
            "overwrites": 1,
            "creates": 1,
        }
        assert (await store.spent("l1", "articles", 0.0, OBJECTS)).spent == {}
        ends = (Closed(first, ActionState.DROPPED), Closed(second, ActionState.CONFIRMED))
        await store.settle(lease, Settlement("r1", closed=ends, spend={CREATED: 1}))
        assert (await store.spent("l1", "customers", 0.0, OBJECTS)).spent == {"creates": 1}

    async def test_what_several_links_do_in_one_account_is_told_together(self, world: World) -> None:
        """Two links between the same two accounts; one of them is no hub, as long as it has not said who it is."""
        store, one = world.store, await leased(world)
        two = await leased(world, link="l2")
        await store.set_identity("c1", "the hub")
        await store.set_identity("c2", "")
        mine: Spent = "customers", "a", "customers", "deletes"
        theirs: Spent = "debtors", "a", "customers", "deletes"  # another name for the stream, the same object
        elsewhere: Spent = "debtors", "b", "customers", "deletes"
        another: Spent = "debtors", "a", "articles", "deletes"
        await store.settle(two, Settlement("r2", spend={theirs: 2, elsewhere: 40, another: 50}))
        found = await store.spent("l1", "customers", 0.0, OBJECTS)
        assert found == Ledger({}, {"a": Hub(await name_of(world, "c1"), 2, {"deletes": 2})})
        await store.settle(one, Settlement("r1", spend={mine: 3, DELETED: 5}))
        found = await store.spent("l1", "customers", 0.0, OBJECTS)
        assert (found.spent, found.hubs["a"].spent) == ({"deletes": 8}, {"deletes": 5})
        world.clock.advance(2 * 3600)
        assert await store.spent("l1", "customers", world.clock.now(), OBJECTS) == Ledger()
        assert (await store.spent("l1", "customers", 0.0, {"a": ["articles"], "b": []})).hubs["a"].spent == {
            "deletes": 53
        }


async def name_of(world: World, connection: str) -> str:
    row = await world.store.connection(connection)
    assert row is not None
    return row.name


class GenerationContract:
    """What a complete read did not meet."""

    async def unseen(self, store: Store, side: Side, generation: int) -> list[str]:
        found = await store.unseen("l1", "customers", side, generation, "", 99)
        return [held.id for held in (row.side(side) for row in found) if held]

    async def test_met_bindings_are_not_unseen(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        keys = await stored(world, lease, full("A1", "B1"), full("A2", "B2"), full("A3", "B3"))
        assert await self.unseen(store, "a", 1) == ["A1", "A2", "A3"]
        await store.settle(lease, Settlement("r1", seen=(("customers", "a", 1, ("A1", "A9")),)))
        assert await self.unseen(store, "a", 1) == ["A2", "A3"]
        assert await self.unseen(store, "b", 1) == ["B1", "B2", "B3"]
        assert await self.unseen(store, "a", 2) == ["A1", "A2", "A3"]
        page = await store.unseen("l1", "customers", "b", 1, "B1", 1)
        assert [row.key for row in page] == [keys[1]]
        assert (await one(store, keys[0])).rev == 1

    async def test_seen_marks_never_go_back(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        (key,) = await stored(world, lease, full("A1", "B1"))
        await store.settle(lease, Settlement("r1", seen=(("customers", "a", 5, ("A1",)),)))
        await store.settle(lease, Settlement("r1", seen=(("customers", "a", 4, ("A1",)),)))
        planned_before = msgspec.structs.replace(full("A1", "B1"), key=key, rev=2)
        await store.settle(lease, Settlement("r1", bindings=(planned_before,)))
        held = (await one(store, key)).a
        assert held is not None
        assert held.seen_gen == 5

    async def test_bindings_made_after_the_read_began_count_as_met(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        (old,) = await stored(world, lease, half("a", "A1"))
        running = Cursor("customers", "b", position="p1", generation=3, began=START)
        await store.settle(lease, Settlement("r1", cursors=(running,)))
        bound = msgspec.structs.replace(full("A1", "B1"), key=old, rev=2)
        await stored(world, lease, bound, half("b", "B2"), half("b", "B3", stream="articles"))
        assert await self.unseen(store, "b", 3) == []
        assert await self.unseen(store, "b", 4) == ["B1", "B2"]
        assert await self.unseen(store, "a", 1) == ["A1"]

    async def test_what_is_known_to_be_away_is_not_unseen(self, world: World) -> None:
        gone, hidden = Held("A1", Presence.DELETED), Held("A2", Presence.OUT_OF_SCOPE)
        rows = [Binding("customers", a=held, state=State.TOMBSTONE, rev=1) for held in (gone, hidden)]
        await stored(world, await leased(world), *rows)
        assert await self.unseen(world.store, "a", 9) == []


class KeyGroupContract:
    """Matching by whole groups of one match key."""

    async def test_groups_that_may_be_matched(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        rows = (
            half("a", "A1", 10),  # 1:1
            half("b", "B1", 10),
            half("a", "A2", 20),  # n:m
            half("a", "A3", 20),
            half("b", "B2", 20),
            half("b", "B3", 20),
            half("a", "A4", 30),  # taken
            full("A5", "B5", 30),
            half("a", "A6", -40),  # one side only
            half("a", "A7", -40),
            half("a", "A8", 50, state=State.HELD_BACK),  # nothing new
            half("b", "B8", 50, state=State.HELD_BACK),
            half("a", "A9", 0),  # no key
            half("b", "B9", 0),
            half("b", "B10"),
            half("b", "B11", -60),  # new against held back
            half("a", "A11", -60, state=State.HELD_BACK),
            full("A12", "B12", 70, state=State.NEW),  # no half
            half("a", "A13", 80, note=RESTORE),  # beside one that is to be put back
            half("a", "A14", 80),
            half("b", "B15", 90),  # beside one that a gate keeps out
            half("a", "A15", 90, state=State.HELD_BACK, note=SHUT),
        )
        keys = await stored(world, lease, *rows)
        groups = [
            KeyGroup(-60, (keys[16],), (keys[15],), ()),
            KeyGroup(10, (keys[0],), (keys[1],), ()),
            KeyGroup(20, (keys[2], keys[3]), (keys[4], keys[5]), ()),
            KeyGroup(30, (keys[6],), (), (keys[7],)),
            KeyGroup(80, (keys[18], keys[19]), (), (), (keys[18],)),
            KeyGroup(90, (keys[21],), (keys[20],), (), (), (keys[21],)),
        ]
        assert await store.key_groups("l1", "customers", 0, None, 99) == groups
        assert await store.key_groups("l1", "customers", 0, None, 2) == groups[:2]
        assert await store.key_groups("l1", "customers", 0, 10, 99) == groups[2:]
        assert await store.key_groups("l1", "articles", 0, None, 99) == []
        assert await store.key_groups("l2", "customers", 0, None, 99) == []

    async def test_who_shares_a_key(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        rows = (
            full("A1", "B1", 10, 20),
            half("b", "B2", 10),
            full("A3", "B3", -30, 10),
            full("A4", "B4", 0, 20),
        )
        one, two, three, four = await stored(world, lease, *rows)

        async def sharing(level: int, *hashes: int, stream: str = "customers", limit: int = 9) -> list[int]:
            return [found.key for found in await store.sharing("l1", stream, level, hashes, limit)]

        assert await sharing(0, 10, -30, 7) == [one, two, three]
        assert await sharing(0, 10, -30, limit=2) == [one, two]
        assert await sharing(1, 20, 0) == [one, four]
        assert await sharing(0, 0) == await sharing(2, 10) == await sharing(0, 10, stream="articles") == []

    @pytest.mark.parametrize("level", [1, 3, 5])
    async def test_each_level_by_itself(self, world: World, level: int) -> None:
        store, lease = world.store, await leased(world)
        at_level = [0] * level + [77]
        keys = await stored(
            world, lease, half("a", "A1", *at_level), half("b", "B1", *at_level), half("b", "B2", 77)
        )
        assert await store.key_groups("l1", "customers", level, None, 9) == [
            KeyGroup(77, (keys[0],), (keys[1],), ())
        ]
        assert await store.key_groups("l1", "customers", level + 1, None, 9) == []
