"""Orders with their lines through the real actors: whole, once, in step with each save; cut and killed (U9, U19)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from actors.core.lenses import Same
from actors.core.policy import FieldSide, FieldSpec, LinesSpec, Owner, StreamSpec, Sum
from actors.core.stream_rules import Gate, GateOn, Ineligible
from actors.core.types import Op, Room, Side, State
from actors.core.units import CUT
from actors.core.values import Line, Value, line_of, lines_of
from actors.ports import Find, Write, WriteResult, WriteStatus
from actors.root import RootActor
from clients.connectors.systems.memory import MemoryConnector
from clients.connectors.systems.memory_system import Faults
from tests.actors.odds import CRASHES, MIRRORED, at_rest, dies
from tests.actors.rig import Rig, customers, field, loaded, on, until

ARTICLES, ORDERS = "articles", "orders"
DAY_S = 86_400.0
TOTAL = Sum("total", "quantity * price", ("article", "quantity", "price"))


def articles() -> StreamSpec:
    """What lines refer to."""
    return customers(name=ARTICLES, a_object=ARTICLES, b_object=ARTICLES, complete_read_s=DAY_S)


def orders(owner: Owner = Owner.BOTH, **rules: Any) -> StreamSpec:
    """Orders with lines of article, quantity and price."""
    place = FieldSide(("article",), Same())
    article = FieldSpec("article", place, place, reference=ARTICLES, required=True)
    spec = LinesSpec((article, field("quantity"), field("price")), sums=(TOTAL,))
    items = msgspec.structs.replace(field("items"), lines=spec, owner=owner, required=True)
    plain = {
        "name": ORDERS,
        "a_object": ORDERS,
        "b_object": ORDERS,
        "fields": (field("name"), field("total"), items),
        "parents": (ARTICLES,),
        "complete_read_s": DAY_S,
    }
    return customers(**(plain | rules))


def rig_of(*streams: StreamSpec, **declared: Any) -> Rig:
    more: dict[str, Any] = {"find": (Find.FEED,), "poll_s": 10.0, "types": {"total": "integer"}}
    return Rig(articles(), *(streams or (orders(),)), **(more | declared))


def line(article: str, quantity: int = 1, price: int = 10, id_: str = "") -> Line:
    cells: dict[str, Any] = {"article": article, "quantity": quantity, "price": price}
    return line_of({**cells, "@id": id_} if id_ else cells)


def quantities(items: tuple[Line, ...], *wanted: int) -> tuple[Line, ...]:
    """The same lines with other quantities."""
    return tuple(line_of({**dict(one.cells), "quantity": at}) for one, at in zip(items, wanted, strict=True))


def total(*items: Line) -> int:
    return sum(int(str(one.get("quantity"))) * int(str(one.get("price"))) for one in items)


class Play:
    """A person at one side who saves orders."""

    def __init__(self, rig: Rig, here: Side, there: Side) -> None:
        self.rig, self.here, self.there = rig, here, there
        self.known: dict[str, str] = {}

    async def begun(self, *names: str) -> None:
        """Articles of these names are in step."""
        for name in names:
            self.article(name)
        await until(lambda: loaded(self.rig, ARTICLES) and loaded(self.rig, ORDERS), timeout_s=600)
        await until(lambda: len(self.rig.rows(self.there, ARTICLES)) == len(names), timeout_s=600)

    def article(self, name: str) -> None:
        self.known[name] = self.rig.create(self.here, name, object_name=ARTICLES)

    def lines(self, *wanted: tuple[str, int]) -> tuple[Line, ...]:
        return tuple(line(self.known.get(name, name), quantity) for name, quantity in wanted)

    def save(self, *wanted: tuple[str, int], off: int = 0, id_: str = "", name: str = "O1") -> str:
        """A new order, or an order saved again: lines that were there keep their ids."""
        items = self.lines(*wanted)
        fields: dict[str, Value] = {"name": name, "total": total(*items) + off}
        if not id_:
            return self.rig.systems[self.here].create(ORDERS, {**fields, "items": items}, "person")
        there = {one.get("article"): one for one in lines_of(self.rig.rows(self.here, ORDERS)[id_]["items"])}
        kept = [
            line_of({**dict(one.cells), "@id": there[one.get("article")].get("@id")})
            if one.get("article") in there
            else one
            for one in items
        ]
        self.rig.systems[self.here].edit(ORDERS, id_, {**fields, "items": tuple(kept)}, "person")
        return id_

    def shown(self, side: Side | None = None) -> dict[str, list[tuple[str, int]]]:
        """By order's name, the lines on a side, with the names of their articles."""
        side = side or self.there
        names = {id: row["name"] for id, row in self.rig.rows(side, ARTICLES).items()}
        return {
            row["name"]: [
                (names[str(one.get("article"))], int(str(one.get("quantity")))) for one in row["items"] or ()
            ]
            for row in self.rig.rows(side, ORDERS).values()
        }

    def row_ids(self) -> list[Any]:
        """The ids of the lines on the other side."""
        return [
            one.get("@id") for row in self.rig.rows(self.there, ORDERS).values() for one in row["items"] or ()
        ]


def played(
    body: Callable[[Play], Any], rig: Callable[[], Rig] = rig_of, here: Side = "a", there: Side = "b"
) -> Any:
    async def main(rig_: Rig, root: RootActor) -> Any:
        return await body(Play(rig_, here, there))

    return on(rig, main)


# ------------------------------------------------------------------------------------------------------- in step


@MIRRORED
def test_each_save_updates_the_same_order_with_lines_added_changed_and_removed(
    here: Side, there: Side
) -> None:
    async def body(play: Play) -> Any:
        await play.begun("A", "B", "C")
        seen = []
        order = play.save(("A", 1), ("B", 2))
        for lines in (("A", 1), ("B", 2)), (("A", 5), ("B", 2), ("C", 1)), (("C", 1), ("A", 5)), (("A", 5),):
            play.save(*lines, id_=order)
            await until(lambda lines=lines: play.shown() == {"O1": list(lines)})  # type: ignore[misc]
            seen.append(play.row_ids())
        await at_rest(play.rig, 60)
        return (
            seen,
            len(play.rig.rows(there, ORDERS)),
            play.rig.parked(),
            play.shown(there) == play.shown(here),
        )

    seen, count, parked, same = played(body, here=here, there=there)
    assert (count, parked, same) == (1, [], True)
    first, second, third, last = seen
    assert second[:2] == first  # who stays is who it was
    assert third == [second[2], second[0]]
    assert last == [second[0]]


@MIRRORED
def test_redteam_18_lines_that_a_system_deletes_and_inserts_at_each_save_are_the_same_lines(
    here: Side, there: Side
) -> None:
    async def body(play: Play) -> Any:
        await play.begun("A", "B")
        order = play.save(("A", 1), ("B", 2))
        await until(lambda: play.shown() == {"O1": [("A", 1), ("B", 2)]})
        before, ids = play.rig.rows(here, ORDERS)[order]["items"], play.row_ids()
        await at_rest(play.rig, 60)
        writes = len(play.rig.asked(there, "write"))
        anew = play.lines(("A", 1), ("B", 2))
        play.rig.systems[here].edit(ORDERS, order, {"items": anew}, "person")
        await at_rest(play.rig, 60)
        changed = play.rig.rows(here, ORDERS)[order]["items"] != before
        return changed, len(play.rig.asked(there, "write")) - writes, play.row_ids() == ids

    assert played(body, here=here, there=there) == (True, 0, True)


@MIRRORED
def test_an_article_that_is_not_in_step_holds_back_its_order_alone_and_names_the_line(
    here: Side, there: Side
) -> None:
    def needy() -> Rig:
        needs = customers(
            name=ARTICLES,
            a_object=ARTICLES,
            b_object=ARTICLES,
            fields=(field("name"), field("phone", required=True)),
            complete_read_s=DAY_S,
        )
        return Rig(needs, orders(), find=(Find.FEED,), poll_s=10.0, types={"total": "integer"})

    async def body(play: Play) -> Any:
        await play.begun("A")
        play.known["X"] = play.rig.create(here, "X", None, object_name=ARTICLES)
        play.save(("A", 1), ("X", 1), name="held")
        play.save(("A", 3), name="goes")
        await until(lambda: play.shown() == {"goes": [("A", 3)]})
        await at_rest(play.rig, 30)
        rows = {row.reason for row in play.rig.parked() if row.stream == ORDERS}
        before = play.shown()
        play.rig.systems[here].edit(ARTICLES, play.known["X"], {"phone": "1"}, "person")
        await until(lambda: "held" in play.shown(), timeout_s=60)
        await at_rest(play.rig, 10)
        return rows, before, play.shown()["held"], play.rig.parked()

    reasons, before, held, parked = played(body, needy, here, there)
    assert reasons == {
        f"field items: line 2, article: {ARTICLES} {_id_of(reasons)} is not in step yet, which is in waiting: needs phone"
    }
    assert (before, held, parked) == ({"goes": [("A", 3)]}, [("A", 1), ("X", 1)], [])


def _id_of(reasons: set[str]) -> str:
    (reason,) = reasons
    return reason.split(f"{ARTICLES} ")[1].split(" ")[0]


@MIRRORED
def test_sums_that_do_not_agree_hold_the_order_back_until_they_do(here: Side, there: Side) -> None:
    async def body(play: Play) -> Any:
        await play.begun("A", "B")
        order = play.save(("A", 1), off=1)
        await until(lambda: play.rig.parked())
        await at_rest(play.rig, 300)
        rows = [(row.room, row.reason) for row in play.rig.parked()]
        before = play.shown()
        play.save(("A", 1), id_=order)
        await until(lambda: play.shown() == {"O1": [("A", 1)]}, timeout_s=600)
        play.save(("A", 1), ("B", 1), off=-5, id_=order)
        await until(lambda: play.rig.parked())
        still = play.shown()
        play.save(("A", 1), ("B", 1), id_=order)
        await until(lambda: play.shown() == {"O1": [("A", 1), ("B", 1)]}, timeout_s=600)
        await at_rest(play.rig, 60)
        return rows, before, still, play.rig.parked()

    rows, before, still, parked = played(body, here=here, there=there)
    assert rows == [(Room.WAITING, f"the lines of items on {here} add up to 10, total says 11")]
    assert (before, still, parked) == ({}, {"O1": [("A", 1)]}, [])


@MIRRORED
def test_an_order_goes_when_it_is_saved_and_has_lines(here: Side, there: Side) -> None:
    gate = Gate("state", (("saved"),), GateOn.LEVEL, Ineligible.KEEP)

    def gated() -> Rig:
        return rig_of(orders(gates={here: gate}), types={"total": "integer", "state": "text"})

    async def body(play: Play) -> Any:
        await play.begun("A")
        order = play.rig.systems[here].create(
            ORDERS, {"name": "O1", "total": 0, "items": (), "state": "draft"}, "person"
        )
        await at_rest(play.rig, 60)
        draft = play.shown()
        play.rig.systems[here].edit(ORDERS, order, {"state": "saved"}, "person")
        await until(lambda: play.rig.parked())
        await at_rest(play.rig, 60)
        empty = play.shown(), {row.reason for row in play.rig.parked()}
        play.save(("A", 1), id_=order)
        await until(lambda: play.shown() == {"O1": [("A", 1)]}, timeout_s=60)
        return draft, empty

    assert played(body, gated, here, there) == ({}, ({}, {"needs items"}))


@MIRRORED
def test_both_sides_edit_their_lines_and_each_edit_is_kept(here: Side, there: Side) -> None:
    async def body(play: Play) -> Any:
        await play.begun("A", "B")
        order = play.save(("A", 1), ("B", 1))
        await until(lambda: play.shown() == {"O1": [("A", 1), ("B", 1)]})
        await at_rest(play.rig, 30)
        ((id_, row),) = play.rig.rows(there, ORDERS).items()
        theirs, mine = row["items"], play.rig.rows(here, ORDERS)[order]["items"]
        edited: dict[str, Value] = {"items": quantities(theirs, 1, 7), "total": 110}
        play.rig.systems[there].edit(ORDERS, id_, edited, "person")
        edited = {"items": quantities(mine, 4, 1), "total": 110}
        play.rig.systems[here].edit(ORDERS, order, edited, "person")
        merged = {"O1": [("A", 4), ("B", 7)]}
        await until(lambda: play.shown() == merged and play.shown(here) == merged, timeout_s=60)
        return True

    items = orders().field("items")
    assert items.lines is not None
    unsummed = msgspec.structs.replace(items, lines=msgspec.structs.replace(items.lines, sums=()))
    spec = orders(fields=(*orders().fields[:2], unsummed))
    assert played(body, lambda: rig_of(spec), here, there)


# ------------------------------------------------------------------------------------------------------ cut and killed


def in_steps() -> Rig:
    return rig_of(lines="steps")


@MIRRORED
@pytest.mark.parametrize("seed", ["1", "2", "3", "4"])
def test_redteam_18_a_write_that_is_cut_between_two_lines_is_completed_and_nothing_is_there_twice(
    here: Side, there: Side, seed: str
) -> None:
    async def body(play: Play) -> Any:
        await play.begun("A", "B", "C")
        system = play.rig.systems[there]
        system.lie(Faults(part=0.7), seed)
        order = play.save(("A", 1), ("B", 2), ("C", 3))
        await at_rest(play.rig, 120)
        play.save(("C", 3), ("A", 9), id_=order)
        await at_rest(play.rig, 120)
        play.save(("C", 3), ("A", 9), ("B", 1), id_=order)
        await at_rest(play.rig, 120)
        system.lie(Faults(), seed)
        await until(lambda: play.shown() == {"O1": [("C", 3), ("A", 9), ("B", 1)]}, timeout_s=7200)
        await at_rest(play.rig, 300)
        return len(play.rig.rows(there, ORDERS)), play.shown() == play.shown(here), play.rig.parked()

    assert played(body, in_steps, here, there) == (1, True, [])


@MIRRORED
@CRASHES
@pytest.mark.parametrize("part", [0.0, 1.0])
def test_redteam_18_a_daemon_that_is_killed_while_it_writes_an_order_leaves_one_and_whole(
    here: Side, there: Side, crash: tuple[str, int], part: float
) -> None:
    async def body(play: Play) -> Any:
        await play.begun("A", "B", "C")
        await at_rest(play.rig, 30)
        dies(play.rig, crash)
        play.rig.systems[there].lie(Faults(part=part), "7")
        order = play.save(("A", 1), ("B", 2))
        await at_rest(play.rig, 30)
        play.save(("B", 5), ("C", 1), id_=order)
        await at_rest(play.rig, 30)
        play.rig.systems[there].lie(Faults(), "7")
        await until(lambda: play.shown() == {"O1": [("B", 5), ("C", 1)]}, timeout_s=7200)
        await at_rest(play.rig, 300)
        return len(play.rig.rows(there, ORDERS)), play.rig.parked(), play.shown() == play.shown(here)

    assert played(body, in_steps, here, there) == (1, [], True)


class Fussy(MemoryConnector):
    """A system in steps that refuses a line of one article, and can't undo what it did before."""

    bad = ""

    def apply(self, object_name: str, write: Write, asked: float) -> WriteResult:
        items = lines_of(write.native.get("items"))
        if write.op is Op.CREATE and any(one.get("article") == self.bad for one in items):
            kept = tuple(one for one in items if one.get("article") != self.bad)
            part = msgspec.structs.replace(write, native={**write.native, "items": kept})
            done = super().apply(object_name, part, asked)
            cells = (f"items[].{name}" for name in ("article", "quantity", "price"))
            record = self.stored(object_name, done.id, ("name", "total", *cells))
            return WriteResult(WriteStatus.PARTLY, done.id, record, "this article is blocked")
        return super().apply(object_name, write, asked)


@MIRRORED
def test_a_line_that_is_refused_on_the_way_is_named_with_what_stands_and_completed_later(
    here: Side, there: Side
) -> None:
    def fussy() -> Rig:
        rig = in_steps()
        rig.connector = Fussy
        return rig

    async def body(play: Play) -> Any:
        await play.begun("A", "B")
        Fussy.bad = next(id for id, row in play.rig.rows(there, ARTICLES).items() if row["name"] == "B")
        play.save(("A", 1), ("B", 2))
        await until(lambda: play.rig.parked(), timeout_s=60)
        (row,) = play.rig.parked()
        states = [one.state for one in play.rig.bindings() if one.stream == ORDERS]
        await until(lambda: play.shown() == {"O1": [("A", 1), ("B", 2)]}, timeout_s=7200)
        await at_rest(play.rig, 60)
        return row, states, play.rig.parked(), play.shown()

    row, states, parked, shown = played(body, fussy, here, there)
    assert (row.room, states) == (Room.QUARANTINE, [State.SETTLED])
    assert row.reason.startswith(CUT) and row.reason.endswith("this article is blocked")
    assert (parked, shown) == ([], {"O1": [("A", 1), ("B", 2)]})


@MIRRORED
def test_who_is_owned_by_one_side_is_put_back_with_its_lines(here: Side, there: Side) -> None:
    async def body(play: Play) -> Any:
        await play.begun("A", "B")
        play.save(("A", 1), ("B", 1))
        await until(lambda: play.shown() == {"O1": [("A", 1), ("B", 1)]})
        await at_rest(play.rig, 30)
        ((id_, row),) = play.rig.rows(there, ORDERS).items()
        play.rig.systems[there].edit(ORDERS, id_, {"items": row["items"][:1]}, "person")
        await until(lambda: len(play.shown()["O1"]) == 1)
        await until(lambda: play.shown() == {"O1": [("A", 1), ("B", 1)]}, timeout_s=60)
        return {action.rule for action in play.rig.actions() if "put back" in action.rule}

    owner = Owner.A if here == "a" else Owner.B
    assert played(body, lambda: rig_of(orders(owner)), here, there) == {f"put back: owned by {here}"}
