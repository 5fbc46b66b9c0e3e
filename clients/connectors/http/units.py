"""Records whose lines are rows of an object of their own, over a connector that knows records only, request by request.

The connector brings four plain functions (`Plain`); the order of the steps and what a cut leaves are `write_unit`'s
(clients/connectors/lines.py). Lines stand in a record under `lines`. Must not: know a system.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, Protocol

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import RECORD_ID
from actors.core.types import Op, Record
from actors.core.unit_lines import IN_LINES, Lines
from actors.core.values import Value, line_of, lines_of
from actors.ports import FieldInfo, ObjectInfo, Write, WriteResult, WriteStatus
from clients.connectors.http.shape import Shape
from clients.connectors.lines import LOOKS_MAX, Hold, asked_lines, write_unit

LINES: Final = "lines"


class LinesOf(msgspec.Struct, frozen=True):
    """Where the lines of an object are: rows of `object`, whose field `parent` holds the record's id (a number where
    `numbered`). `order`: the field that carries their order."""

    object: str
    parent: str
    order: str
    numbered: bool = True

    def value(self, id_: str) -> Value:
        """A record's id as its lines hold it."""
        return int(id_) if self.numbered else id_


class Plain(Protocol):
    """A connector's records without lines."""

    async def records(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """By id."""
        ...

    async def children(self, of: LinesOf, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """All rows whose parent is one of `ids`."""
        ...

    async def one(self, object_name: str, write: Write) -> WriteResult:
        """One write."""
        ...


def split(fields: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """The plain fields, and the cells of lines that are asked for; None: no lines."""
    plain, lines = asked_lines(fields)
    unknown = [path for path in lines if path != LINES]
    if unknown:
        raise TandemError(
            Kind.CONFIG, f"there are no lines {', '.join(unknown)}", scope=Scope.STREAM, hint=LINES
        )
    return tuple(name for name in plain if name != LINES), lines.get(LINES, () if LINES in plain else None)


async def asked(
    units: Mapping[str, LinesOf],
    shape_of: Callable[[str], Awaitable[Shape]],
    name: str,
    fields: Sequence[str],
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """As `split`, for an object; CONFIG where it has no lines, or they have no such cells."""
    plain, cells = split(fields)
    if cells is None:
        return plain, None
    if name not in units:
        raise TandemError(Kind.CONFIG, f"{name} has no lines", scope=Scope.STREAM)
    (await shape_of(units[name].object)).checked(cells)
    return plain, cells


async def with_lines(
    plain: Plain,
    name: str,
    units: Mapping[str, LinesOf],
    found: Sequence[Record],
    fields: Sequence[str],
    cells: Sequence[str] | None,
) -> Sequence[Record]:
    """Records with their lines, where these are asked for. Rows are read between two looks at the records: where these
    differ somebody is at work, and both are read again; lines that can't be had so are missing (not delivered)."""
    if cells is None:
        return found
    of = units[name]
    whole: list[Record] = []
    left = list(found)
    for _ in range(LOOKS_MAX):
        if not left:
            break
        ids = [record.id for record in left]
        lines = _composed(of, await plain.children(of, ids, [of.parent, of.order, *cells]), cells)
        after = {record.id: record for record in await plain.records(name, ids, fields)}
        same = [record for record in left if after.get(record.id) == record]
        whole += [_joined(record, lines.get(record.id, ())) for record in same]
        calm = {record.id for record in same}
        left = [record for id_, record in after.items() if id_ not in calm]
    return [*whole, *left]


async def read_units(
    plain: Plain,
    name: str,
    units: Mapping[str, LinesOf],
    ids: Sequence[str],
    fields: Sequence[str],
    cells: Sequence[str] | None,
    most: int,
) -> Sequence[Record]:
    """Records by id, as `with_lines`; those with lines `most` at once, since these may be many."""
    if cells is None:
        return await plain.records(name, ids, fields)
    found: list[Record] = []
    for start in range(0, len(ids), most):
        some = await plain.records(name, ids[start : start + most], fields)
        found += await with_lines(plain, name, units, some, fields, cells)
    return found


def _joined(record: Record, lines: Lines) -> Record:
    return msgspec.structs.replace(record, native={**record.native, LINES: lines})


def _composed(of: LinesOf, rows: Sequence[Record], cells: Sequence[str]) -> dict[str, Lines]:
    by: dict[str, list[Record]] = {}
    for row in rows:
        by.setdefault(str(row.native.get(of.parent)), []).append(row)
    return {
        parent: tuple(
            line_of({**{cell: row.native[cell] for cell in cells if cell in row.native}, RECORD_ID: row.id})
            for row in sorted(children, key=lambda row: _place(of, row))
        )
        for parent, children in by.items()
    }


def _place(of: LinesOf, row: Record) -> tuple[Decimal, int, str]:
    place = row.native.get(of.order)
    number = int(row.id) if row.id.isdecimal() else 0
    return Decimal(place) if isinstance(place, int | Decimal) else Decimal(0), number, row.id


class ObjectUnit:
    """`UnitRows` of one object of a connector."""

    def __init__(
        self, plain: Plain, name: str, of: LinesOf, fields: Sequence[str], cells: Sequence[str]
    ) -> None:
        self._plain, self._name, self._of = plain, name, of
        self._fields, self._cells = tuple(fields), tuple(cells)

    async def parent(self, id_: str) -> Record | None:
        """See UnitRows."""
        return next(iter(await self._plain.records(self._name, [id_], self._fields)), None)

    async def rows(self, id_: str) -> Lines:
        """See UnitRows."""
        wanted = [self._of.parent, self._of.order, *self._cells]
        return _composed(self._of, await self._plain.children(self._of, [id_], wanted), self._cells).get(
            id_, ()
        )

    async def make(self, native: Mapping[str, Value], tag: str) -> str:
        """See UnitRows."""
        return await self._done(self._name, Write(Op.CREATE, native=native, tag=tag))

    async def alter(self, id_: str, native: Mapping[str, Value]) -> None:
        """See UnitRows."""
        await self._done(self._name, Write(Op.UPDATE, id=id_, native=native))

    async def remove(self, id_: str) -> None:
        """See UnitRows."""
        await self._done(self._name, Write(Op.DELETE, id=id_))

    async def insert(self, id_: str, place: int, cells: Mapping[str, Value]) -> str:
        """See UnitRows."""
        native = {**cells, self._of.parent: self._of.value(id_)}
        return await self._done(self._of.object, Write(Op.CREATE, native=native))

    async def change(self, id_: str, line: str, cells: Mapping[str, Value]) -> None:
        """See UnitRows."""
        await self._done(self._of.object, Write(Op.UPDATE, id=line, native=cells))

    async def delete(self, id_: str, line: str) -> None:
        """See UnitRows."""
        await self._done(self._of.object, Write(Op.DELETE, id=line))

    async def _done(self, name: str, write: Write) -> str:
        result = await self._plain.one(name, write)
        if result.status is WriteStatus.DONE:
            return result.id or write.id
        kinds = {WriteStatus.REFUSED: Kind.REJECTED, WriteStatus.UNKNOWN: Kind.UNKNOWN}
        kind = kinds.get(result.status, Kind.TRANSIENT)
        raise TandemError(kind, result.error or f"{name}: {result.status.value}", scope=Scope.RECORD)


def touches_lines(write: Write) -> bool:
    """Whether a write is about lines, too."""
    return LINES in write.native or LINES in write.seen


async def write_with_lines(
    plain: Plain, name: str, of: LinesOf, write: Write, fields: Sequence[str], hold: Hold | None = None
) -> WriteResult:
    """One write of a record with its lines. `hold`: how a record that is not finished is kept from being worked on."""
    plain_fields, asked = split(fields)
    told = {
        cell: None
        for value in (write.seen.get(LINES), write.native.get(LINES))
        for line in lines_of(value)
        for cell, _ in line.cells
        if cell != RECORD_ID
    }
    held = hold.held if hold is not None else ()
    own = dict.fromkeys(one for one in (*plain_fields, *write.seen, *write.native, *held) if one != LINES)
    unit = ObjectUnit(plain, name, of, list(own), asked or list(told))
    result = await write_unit(unit, LINES, write, hold)
    if result.record is None:
        return result
    kept = {one: value for one, value in result.record.native.items() if one in plain_fields or one == LINES}
    return msgspec.structs.replace(result, record=msgspec.structs.replace(result.record, native=kept))


def described(info: ObjectInfo, lines: ObjectInfo) -> ObjectInfo:
    """An object with the cells of its lines."""
    cells = tuple(
        msgspec.structs.replace(field, name=f"{LINES}{IN_LINES}{field.name}", required=False)
        for field in lines.fields
    )
    return msgspec.structs.replace(info, fields=(*info.fields, FieldInfo(LINES, LINES), *cells))
