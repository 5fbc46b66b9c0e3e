"""The contract of the Store port, part 4: many records at once.

Run against every implementation, like the other parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from actors.core.changes import Change, Standing, action_of
from actors.core.errors import Kind, LeaseLost, TandemError
from actors.core.texts import line_of
from actors.core.types import Action, ActionState, Binding, Deviation, Held, Op, Presence, Side, State
from actors.core.values import Value, encode
from actors.ports import (
    ChangeIntents,
    Closed,
    Counters,
    Cursor,
    Lease,
    Lines,
    NewRows,
    RunRow,
    Settlement,
    Store,
)
from tests.store.world import START, World, full, half, hint, leased, park

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


async def many(world: World, lease: Lease, side: Side) -> None:
    """A0 is settled and quiet, A1 matched, A2 gone, A3 shows something else, A4 is parked, A5 has no partner; likewise B."""
    name = side.upper()
    shows_less = Held(f"{name}3", dev={"name": Deviation("x", "lossy")})
    gone = Held(f"{name}2", presence=Presence.DELETED)
    settled = [full(f"A{number}", f"B{number}", state=State.SETTLED) for number in range(5)]
    settled[1] = msgspec.structs.replace(settled[1], state=State.MATCHED)
    for number, held in ((2, gone), (3, shows_less)):
        changed = {"a": held} if side == "a" else {"b": held}
        settled[number] = msgspec.structs.replace(settled[number], **changed)
    bindings = (*settled, half(side, f"{name}5"))
    keys = await world.store.settle(lease, Settlement("r1", bindings=bindings))
    await world.store.settle(lease, Settlement("r1", park=(park(keys[4]),)))


class RowsContract:
    """load, bindings_covered, lines_between, lines_of, present, count_present, standing, changes."""

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
    async def test_a_line_has_the_base_of_what_is_settled_without_deviation_and_waits_nowhere(
        self, world: World, side: Side
    ) -> None:
        lease = await leased(world)
        await many(world, lease, side)
        ids = [f"{side.upper()}{number}" for number in (4, 1, 0, 2, 3, 5, 6, 7, 3)]
        found = await world.store.lines_of("l1", "customers", side, ids, block=True, map_ver="m1")
        quiet = "0\t" + encode({"name": "A0"})
        assert found.block.split("\n") == [
            f"{side.upper()}{line}" for line in (quiet, "1\t", "3\t", "4\t", "5\t")
        ]
        assert found.count == 5
        only = await world.store.lines_of("l1", "customers", side, ids, block=False, map_ver="m1")
        assert only == Lines(5, found.digest) and found.digest
        for nobody in (
            await world.store.lines_of("l1", "customers", side, [], block=True, map_ver="m1"),
            await world.store.lines_of("l2", "customers", side, ids, block=True, map_ver="m1"),
            await world.store.lines_of("l1", "articles", side, ids, block=True, map_ver="m1"),
        ):
            assert (nobody.count, nobody.block) == (0, "")
        other = await world.store.lines_of("l1", "customers", side, ids[2:3], block=True, map_ver="m2")
        assert other.block == f"{side.upper()}0\t"  # settled under another mapping: it is looked at

    async def test_lines_between_two_ids_go_bytewise(self, world: World) -> None:
        lease = await leased(world)
        ids = ("10", "9", "100", "11", "b", "B", "\u00e9", "zz", "a\nb")
        bindings = tuple(full(id_, f"B{number}") for number, id_ in enumerate(ids))
        await world.store.settle(lease, Settlement("r1", bindings=bindings))

        async def between(first: str, last: str, limit: int = 9) -> list[str]:
            ends = first, last
            found = await world.store.lines_between(
                "l1", "customers", "a", ends, limit, block=True, map_ver="m1"
            )
            one_by_one = await world.store.lines_of("l1", "customers", "a", ids, block=True, map_ver="m1")
            short = await world.store.lines_between(
                "l1", "customers", "a", ends, limit, block=False, map_ver="m1"
            )
            assert short == Lines(found.count, found.digest)
            assert (found.digest == one_by_one.digest) == (found.block == one_by_one.block)
            return [line.partition("\t")[0] for line in found.block.split("\n") if found.count]

        assert await between("1", "\u00ff") == ["9", "B", "b", "\u00e9"]
        assert await between("10", "zz") == ["10", "11", "zz"]
        assert await between("10", "zz", 2) == ["10"]  # "100" was the second
        assert await between("100", "zzz") == ["100"]  # an id that is two lines has none
        assert await between("c", "d") == await between("b", "a") == []

    @pytest.mark.parametrize("what", ["the base", "a deviation", "a room", "presence", "another one"])
    async def test_the_digest_says_whether_lines_are_the_same(self, world: World, what: str) -> None:
        lease = await leased(world)
        keys = await world.store.settle(
            lease, Settlement("r1", bindings=(full("A1", "B1"), full("A3", "B3")))
        )

        async def digests() -> tuple[str, str]:
            between = await world.store.lines_between(
                "l1", "customers", "a", ("A1", "A3"), 9, block=False, map_ver="m1"
            )
            named = await world.store.lines_of(
                "l1", "customers", "a", ["A1", "A2", "A3"], block=False, map_ver="m1"
            )
            return between.digest, named.digest

        before = await digests()
        assert before == await digests() and before[0] == before[1]
        (binding,) = await world.store.bindings_by_key("l1", [keys[0]])
        changed = {
            "the base": msgspec.structs.replace(binding, base={"name": "x"}),
            "a deviation": msgspec.structs.replace(
                binding, a=Held("A1", dev={"name": Deviation("x", "lossy")})
            ),
            "presence": msgspec.structs.replace(binding, a=Held("A1", presence=Presence.DELETED)),
            "another one": full("A2", "B2"),
        }
        if what == "a room":
            work = Settlement("r1", park=(park(keys[0]),))
        else:
            rev = binding.rev + 1 if what != "another one" else 1
            work = Settlement("r1", bindings=(msgspec.structs.replace(changed[what], rev=rev),))
        await world.store.settle(lease, work)
        after = await digests()
        assert after[0] == after[1] != before[0]

    async def test_present_are_all_ids_of_records_that_are_there(self, world: World) -> None:
        lease = await leased(world)
        gone = msgspec.structs.replace(full("A2", "B2"), a=Held("A2", presence=Presence.DELETED))
        bindings: Sequence[Binding] = (full("A1", "B1"), gone, half("a", "A3"), half("b", "B4"))
        await world.store.settle(lease, Settlement("r1", bindings=tuple(bindings)))
        assert await pages(world.store, "a") == ["A1", "A3"]
        assert await pages(world.store, "b") == ["B1", "B2", "B4"]
        assert await world.store.count_present("l1", "customers", "a") == 2
        assert await world.store.count_present("l1", "customers", "b") == 3
        assert await world.store.count_present("l1", "articles", "b") == 0

    # ------------------------------------------------------------------------------------------------- changes

    @pytest.mark.parametrize("side", ["a", "b"])
    async def test_how_settled_records_stand_and_which_of_them_are_plain(
        self, world: World, side: Side
    ) -> None:
        lease = await leased(world)
        base: dict[str, Value] = {"name": 'the "7"\\', "since": date(2026, 11, 26), "credit": Decimal("1.5")}
        contests = {f"{side}.name": (2, START)}
        plain = msgspec.structs.replace(full("A0", "B0"), base=base, contests=contests)
        there: Side = "b" if side == "a" else "a"
        deviating = {there: Held(f"{there.upper()}1", dev={"name": Deviation("x", "lossy")})}
        gone = {there: Held(f"{there.upper()}2", presence=Presence.DELETED)}
        bindings = [
            plain,
            msgspec.structs.replace(full("A1", "B1"), **deviating),
            msgspec.structs.replace(full("A2", "B2"), **gone),
            msgspec.structs.replace(full("A3", "B3"), note="deleted once"),
            msgspec.structs.replace(full("A4", "B4"), map_ver="m0"),
            full("A5", "B5", state=State.MATCHED),
            half(side, f"{side.upper()}6"),
            full("A7", "B7"),
        ]
        keys = await world.store.settle(lease, Settlement("r1", bindings=tuple(bindings)))
        await world.store.settle(lease, Settlement("r1", park=(park(keys[7]),)))
        ids = [f"{side.upper()}{number}" for number in range(9)]
        found = await world.store.standing("l1", "customers", side, ids, "m1")
        assert set(found) == set(ids[:5])
        assert [id_ for id_ in ids[:5] if found[id_].is_plain] == ids[:1]
        assert found[ids[0]] == Standing(keys[0], 1, f"{there.upper()}0", encode(base), contests)
        assert not await world.store.standing("l1", "customers", side, [], "m1")
        assert not await world.store.standing("l2", "customers", side, ids, "m1")

    async def test_intents_of_changes_are_intents_like_any_other(self, world: World) -> None:
        lease = await leased(world)
        changes = (change(7, "Zoë"), change(8, 'a \\ "quoted" one'))
        intents = ChangeIntents("customers", "b", changes, START + 30)
        begin = RunRow("r1", "l1", started=START)
        ids = await world.store.intend_changes(lease, "r1", intents, begin)
        expected = [
            msgspec.structs.replace(action_of("customers", "b", one, START + 30), id=id_)
            for one, id_ in zip(changes, ids, strict=True)
        ]
        assert [*await world.store.open_actions("l1")] == expected
        assert expected[0].fields == {"name": "Zoë"} and expected[0].decisions[0].a == "Zoë"
        assert (await world.run("r1")).started == START
        assert [
            *await world.store.intend_changes(lease, "r1", ChangeIntents("customers", "b", (), 0.0))
        ] == []

    @pytest.mark.parametrize("more", [{}, {"hints": (hint("A9"),)}], ids=["alone", "with a hint"])
    async def test_a_settled_change_is_the_new_base(self, world: World, more: dict[str, Any]) -> None:
        lease = await leased(world)
        await world.store.begin_run(lease, RunRow("r1", "l1"))
        kept, key = await world.store.settle(
            lease, Settlement("r1", bindings=(full("A1", "B1"), full("A2", "B2", 5, -7)))
        )
        one = change(key, "Zoë", rev=1)
        (id_,) = await world.store.intend_changes(lease, "r1", ChangeIntents("customers", "b", (one,), START))
        work = Settlement("r1", changes=(one,), closed=(Closed(id_, ActionState.CONFIRMED, "B2"),), **more)
        await world.store.settle(lease, work)
        before, after = await world.store.bindings_by_key("l1", [kept, key])
        assert before == msgspec.structs.replace(full("A1", "B1"), key=kept)
        changed = msgspec.structs.replace(
            full("A2", "B2", 5, -7), key=key, rev=2, base={"name": "Zoë"}, contests=one.contests
        )
        assert after == changed
        assert not await world.store.open_actions("l1")

    @pytest.mark.parametrize("more", [{}, {"hints": (hint("A9"),)}], ids=["alone", "with a hint"])
    async def test_a_change_of_a_binding_that_has_moved_on_settles_nothing(
        self, world: World, more: dict[str, Any]
    ) -> None:
        lease = await leased(world)
        (key,) = await world.store.settle(lease, Settlement("r1", bindings=(full("A2", "B2"),)))
        ids = await world.store.intend_changes(
            lease, "r1", ChangeIntents("customers", "b", (change(key, "Zoë", rev=2),), START)
        )
        closed = tuple(Closed(id_, ActionState.CONFIRMED) for id_ in ids)
        work = Settlement(
            "r1",
            changes=(change(key, "Zoë", rev=2),),
            closed=closed,
            cursors=(Cursor("customers", "a", cursor="7"),),
            **more,
        )
        with pytest.raises(TandemError):
            await world.store.settle(lease, work)
        assert [one.id for one in await world.store.open_actions("l1")] == [*ids]
        assert not await world.store.cursors("l1")
        (binding,) = await world.store.bindings_by_key("l1", [key])
        assert (binding.rev, binding.base) == (1, {"name": "A2"})

    async def test_a_stale_lease_intends_no_changes(self, world: World) -> None:
        lease = await leased(world)
        await leased(world)
        with pytest.raises(LeaseLost):
            await world.store.intend_changes(
                lease, "r1", ChangeIntents("customers", "b", (change(7, "Zoë"),), START)
            )
        assert not await world.store.open_actions("l1")


def change(key: int, name: str, rev: int = 1) -> Change:
    """A2's new name, for B2."""
    new, old = encode({"name": name}), encode({"name": "A2"})
    values = encode({"a": name, "b": "A2", "base": "A2", "chosen": name})
    return Change(
        key,
        rev,
        "A2",
        "B2",
        "changed on a",
        new,
        old,
        new,
        old,
        [("name", "changed on a", values)],
        ("overwrites",),
        "f" * 32,
        ("name",),
        [name],
        ("name",),
        ["A2"],
        new,
        {"b.name": (1, START)},
    )
