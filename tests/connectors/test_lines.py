"""What connectors share about lines: taken apart, composed, found as steps; and a unit that is written request by request,
refused, lost and cut at each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from actors.core.errors import Kind, TandemError
from actors.core.types import Op, Record
from actors.core.unit_lines import Lines
from actors.core.values import Line, Value, line_of, lines_of
from actors.ports import Write, WriteStatus
from clients.connectors.lines import (
    LOOKS_MAX,
    Hold,
    Steps,
    asked_lines,
    body_with,
    composed,
    in_body,
    read_whole,
    steps,
    write_unit,
)

pytestmark = pytest.mark.anyio

A: dict[str, Value] = {"article": "A", "qty": 1}
B: dict[str, Value] = {"article": "B", "qty": 1}
C: dict[str, Value] = {"article": "C", "qty": 1}


def known(id_: str, cells: Mapping[str, Value]) -> Line:
    return line_of({**cells, "@id": id_})


def bare(lines: Value) -> list[dict[str, Value]]:
    return [{n: v for n, v in one.cells if n != "@id"} for one in lines_of(lines)]


def test_fields_and_cells_are_taken_apart() -> None:
    plain, lines = asked_lines(["number", "items[].article", "total", "items[].qty", "notes[].text"])
    assert plain == ("number", "total")
    assert lines == {"items": ("article", "qty"), "notes": ("text",)}


def test_lines_in_a_body_by_id_and_by_place() -> None:
    body = [{"no": 7, **A, "stock": 3}, {"no": 9, **B}]
    assert in_body(body, ["article", "qty"], "no") == (known("7", A), known("9", B))
    assert in_body(body, ["article", "stock"]) == (
        line_of({"article": "A", "stock": 3, "@id": "0"}),
        line_of({"article": "B", "@id": "1"}),  # a cell that is not there was not delivered
    )


@pytest.mark.parametrize("key", ["no", ""])
def test_a_body_keeps_of_its_lines_what_was_not_asked_for(key: str) -> None:
    body = [{"no": 7, **A, "stock": 3}, {"no": 9, **B, "stock": 4}]
    there = in_body(body, ["article", "qty"], key)
    wanted = (there[1], line_of({**dict(there[0].cells), "qty": 5}), line_of(C))
    assert body_with(body, wanted, key) == [
        {"no": 9, **B, "stock": 4},
        {"no": 7, "article": "A", "qty": 5, "stock": 3},
        C,
    ]


def test_rows_are_composed_by_record_in_their_order() -> None:
    rows = [("1", "7", A), ("2", "8", B), ("1", "9", C)]
    assert composed(rows) == {"1": (known("7", A), known("9", C)), "2": (known("8", B),)}


def test_the_steps_are_what_differs() -> None:
    seen = (known("1", A), known("2", B))
    wanted = (known("1", {**A, "qty": 2}), line_of(C))
    assert steps(seen, wanted) == Steps(insert=((1, C),), change=(("1", {"qty": 2}),), delete=("2",))
    assert steps(seen, seen) == Steps()
    assert steps(seen, None) == Steps(delete=("1", "2"))


# ------------------------------------------------------------------------------------------------ request by request


class Orders:
    """A system that takes an order and its lines request by request. `fail[n]`: what request n (from 1) raises; `late`:
    that one is carried out all the same. `tail`: from there on everything fails."""

    def __init__(self, orders: Mapping[str, Mapping[str, Value]] | None = None) -> None:
        self.orders: dict[str, dict[str, Value]] = {id_: dict(own) for id_, own in (orders or {}).items()}
        self.lines: dict[str, dict[str, dict[str, Value]]] = {id_: {} for id_ in self.orders}
        self.fail: dict[int, Kind] = {}
        self.late = False
        self.tail: Kind | None = None
        self.count = 0
        self.busy: list[Mapping[str, Value]] = []
        self._drawn = 100

    def with_lines(self, id_: str, *cells: Mapping[str, Value]) -> Orders:
        for one in cells:
            self.lines[id_][self._id()] = dict(one)
        return self

    def _id(self) -> str:
        self._drawn += 1
        return str(self._drawn)

    def _request(self, do: Any) -> Any:
        self.count += 1
        kind = self.fail.get(self.count) or self.tail
        if self.count in self.fail and self.fail[self.count] is Kind.TRANSIENT:
            self.tail = Kind.TRANSIENT
        if kind is not None and not self.late:
            raise TandemError(kind, f"request {self.count}")
        answer = do()
        if kind is not None:
            raise TandemError(kind, f"request {self.count}")
        return answer

    async def parent(self, id_: str) -> Record | None:
        if self.tail is not None:
            raise TandemError(self.tail, "away")
        if self.busy and id_ in self.orders:
            self.orders[id_].update(self.busy.pop(0))
        own = self.orders.get(id_)
        return None if own is None else Record(id_, dict(own))

    async def rows(self, id_: str) -> Lines:
        return tuple(line_of({**cells, "@id": line}) for line, cells in self.lines.get(id_, {}).items())

    async def make(self, native: Mapping[str, Value], tag: str) -> str:
        def do() -> str:
            id_ = self._id()
            self.orders[id_], self.lines[id_] = dict(native), {}
            return id_

        return str(self._request(do))

    async def alter(self, id_: str, native: Mapping[str, Value]) -> None:
        self._request(lambda: self.orders[id_].update(native))

    async def remove(self, id_: str) -> None:
        assert not self.lines[id_]
        self._request(lambda: (self.orders.pop(id_), self.lines.pop(id_)))

    async def insert(self, id_: str, place: int, cells: Mapping[str, Value]) -> str:
        line = self._id()
        self._request(lambda: self.lines[id_].update({line: dict(cells)}))
        return line

    async def change(self, id_: str, line: str, cells: Mapping[str, Value]) -> None:
        self._request(lambda: self.lines[id_][line].update(cells))

    async def delete(self, id_: str, line: str) -> None:
        self._request(lambda: self.lines[id_].pop(line))


NEW = Write(Op.CREATE, native={"number": "7", "items": (line_of(A), line_of(B))})
DRAFT = Hold({"state": "arriving"}, {"state": "open"})


async def test_a_new_order_and_its_lines() -> None:
    system = Orders()
    result = await write_unit(system, "items", NEW)
    assert result.status is WriteStatus.DONE
    assert result.record is not None
    assert bare(result.record.native["items"]) == [A, B]
    assert system.orders[result.id] == {"number": "7"}


async def test_a_new_order_is_held_until_its_lines_are_there() -> None:
    system = Orders()
    system.fail = {3: Kind.UNKNOWN}  # the second line
    result = await write_unit(system, "items", NEW, DRAFT)
    assert result.status is WriteStatus.UNKNOWN
    assert system.orders[result.id]["state"] == "arriving"
    system.fail = {}
    seen = await read_whole(system, "items", result.id)
    assert seen is not None
    first = lines_of(seen.native["items"])
    fill = Write(Op.UPDATE, result.id, {"items": (*first, line_of(B))}, {"items": seen.native["items"]})
    assert (await write_unit(system, "items", fill, DRAFT)).status is WriteStatus.DONE
    assert system.orders[result.id] == {"number": "7", "state": "open"}
    assert bare(await system.rows(result.id)) == [A, B]


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_refused_step_of_a_create_leaves_nothing(at: int) -> None:
    system = Orders()
    system.fail = {at: Kind.REJECTED}
    result = await write_unit(system, "items", NEW)
    assert (result.status, result.error) == (WriteStatus.REFUSED, f"request {at}")
    assert (system.orders, system.lines) == ({}, {})


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("late", [False, True])
async def test_a_lost_reply_is_never_called_done_or_not_done(at: int, late: bool) -> None:
    system = Orders()
    system.fail, system.late = {at: Kind.UNKNOWN}, late
    result = await write_unit(system, "items", NEW)
    assert result.status is WriteStatus.UNKNOWN
    assert system.count == at  # nothing is sent after it, and nothing undone


async def test_a_line_that_goes_down_before_anything_was_sent_did_nothing() -> None:
    system = Orders()
    system.fail = {1: Kind.TRANSIENT}
    assert (await write_unit(system, "items", NEW)).status is WriteStatus.NOT_DONE


async def test_a_step_that_surely_was_not_done_leaves_the_order_partly_there() -> None:
    system = Orders()
    system.fail = {3: Kind.RATE_LIMITED}
    result = await write_unit(system, "items", NEW)
    assert result.status is WriteStatus.PARTLY
    assert result.record is not None
    assert bare(result.record.native["items"]) == [A]


async def test_where_it_can_not_be_told_how_it_stands_it_is_unknown() -> None:
    system = Orders()
    system.fail = {3: Kind.TRANSIENT}
    result = await write_unit(system, "items", NEW)
    assert (result.status, bool(result.id)) == (WriteStatus.UNKNOWN, True)


# --------------------------------------------------------------------------------------------------------------- updates


async def edited(system: Orders) -> Write:
    """Order 1 as seen, its first line changed, its second one gone, another one new, its total changed."""
    seen = await read_whole(system, "items", "1")
    assert seen is not None
    first, _ = lines_of(seen.native["items"])
    wanted = (line_of({**dict(first.cells), "qty": 5}), line_of(C))
    return Write(Op.UPDATE, "1", {"total": 2, "items": wanted}, dict(seen.native))


def there() -> Orders:
    return Orders({"1": {"number": "7", "total": 1}}).with_lines("1", A, B)


async def test_an_order_is_edited_in_place() -> None:
    system = there()
    kept = next(iter(system.lines["1"]))
    assert (await write_unit(system, "items", await edited(system))).status is WriteStatus.DONE
    assert system.lines["1"][kept] == {"article": "A", "qty": 5}
    assert bare(await system.rows("1")) == [{"article": "A", "qty": 5}, C]
    assert system.orders["1"]["total"] == 2


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_refused_step_of_an_update_leaves_everything_as_it_was(at: int) -> None:
    """Insert, change, delete: the first two are undone, a refused deletion was none."""
    system = there()
    system.fail = {at: Kind.REJECTED}
    assert (await write_unit(system, "items", await edited(system))).status is WriteStatus.REFUSED
    assert bare(await system.rows("1")) == [A, B]
    assert system.orders["1"]["total"] == 1


async def test_a_total_that_is_refused_after_lines_went_is_said_with_what_stands() -> None:
    system = there()
    system.fail = {4: Kind.REJECTED}
    result = await write_unit(system, "items", await edited(system))
    assert result.status is WriteStatus.PARTLY
    assert result.record is not None
    assert bare(result.record.native["items"]) == [{"article": "A", "qty": 5}, C]
    assert result.record.native["total"] == 1


async def test_lines_that_are_others_by_now_are_not_overwritten() -> None:
    system = there()
    write = await edited(system)
    system.with_lines("1", C)
    assert (await write_unit(system, "items", write)).status is WriteStatus.MOVED_ON
    assert system.count == 0


async def test_an_order_that_is_gone_is_gone() -> None:
    system = there()
    write = await edited(system)
    del system.orders["1"]
    assert (await write_unit(system, "items", write)).status is WriteStatus.GONE


async def test_an_order_is_deleted_with_its_lines() -> None:
    system = there()
    write = msgspec.structs.replace(await edited(system), op=Op.DELETE)
    assert (await write_unit(system, "items", write)).status is WriteStatus.DONE
    assert (system.orders, system.lines) == ({}, {})


async def test_head_and_lines_of_two_moments_are_read_again() -> None:
    """REDTEAM 18, 4: a head with the new total and the old lines."""
    system = there()
    system.busy = [{}, {"total": 2}]
    seen = await read_whole(system, "items", "1")
    assert seen is not None
    assert seen.native["total"] == 2
    assert "items" in seen.native
    system.busy = [{"total": n} for n in range(3, 4 + LOOKS_MAX)]
    seen = await read_whole(system, "items", "1")
    assert seen is not None
    assert "items" not in seen.native  # never at rest: the lines were not delivered
