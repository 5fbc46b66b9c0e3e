"""Lines of a record for connectors: from a body or from rows of an object of their own, and back, in a crash-safe order.

docs/CONNECTORS.md, "Lines", says what the engine gives and gets. Here is what connectors share, once: taking the fields
asked for apart, composing lines, finding the steps, and `write_unit` for systems that take a record and its lines in several
requests. Nothing is remembered between two calls: a write that was cut is seen by the engine's next look and completed by
its next write. Must not: know a system, retry, or decide anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from actors.core.errors import Kind, TandemError
from actors.core.policy import RECORD_ID
from actors.core.types import Op, Record
from actors.core.unit_lines import IN_LINES, Lines
from actors.core.values import UNKNOWN, Line, Value, line_of, lines_of, same
from actors.ports import Write, WriteResult, WriteStatus

Read = Callable[[str, Any], object]
LOOKS_MAX = 3  # so often is a record that is being edited read again


def asked_lines(fields: Iterable[str]) -> tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]]:
    """The plain fields that are asked for, and by the path of each list of lines the cells of it."""
    plain: list[str] = []
    lines: dict[str, tuple[str, ...]] = {}
    for name in fields:
        path, within, cell = name.partition(IN_LINES)
        if within:
            lines[path] = (*lines.get(path, ()), cell)
        else:
            plain.append(name)
    return tuple(plain), lines


# ------------------------------------------------------------------------------------------------- in the record's body


def in_body(
    items: Sequence[Mapping[str, Any]],
    cells: Sequence[str],
    key: str = "",
    read: Read = lambda _, value: value,
) -> Lines:
    """The lines of a body. `key`: what a line is called by, "" = by its place. `read`: a cell's value as it stands in the
    body -> a canonical one. A cell that is not there is missing: not delivered. Raises `BadValue`."""
    lines = []
    for place, item in enumerate(items):
        found = {cell: read(cell, item[cell]) for cell in cells if cell in item}
        lines.append(line_of({**found, RECORD_ID: str(item[key]) if key else str(place)}))
    return tuple(lines)


def body_with(
    items: Sequence[Mapping[str, Any]],
    wanted: Value,
    key: str = "",
    write: Read = lambda _, value: value,
) -> list[dict[str, Any]]:
    """The list for the request that leaves the record with the lines `wanted`. `items`: as the body has them now, just
    compared with what was seen; what was not asked for of a line that stays is sent back as it is."""
    by_id = {str(item[key]) if key else str(place): item for place, item in enumerate(items)}
    body = []
    for line in lines_of(wanted):
        known = line.get(RECORD_ID)
        cells = {name: write(name, value) for name, value in line.cells if name != RECORD_ID}
        body.append({**by_id.get(str(known), {}), **cells})
    return body


# ----------------------------------------------------------------------------------- as rows of an object of their own


class Steps(msgspec.Struct, frozen=True):
    """What has to be done to the rows of one record. `insert`: (place from 0, cells); `change`: (id, cells that change)."""

    insert: tuple[tuple[int, Mapping[str, Value]], ...] = ()
    change: tuple[tuple[str, Mapping[str, Value]], ...] = ()
    delete: tuple[str, ...] = ()


def composed(rows: Iterable[tuple[str, str, Mapping[str, object]]]) -> dict[str, Lines]:
    """Rows as (id of the record, id of the line, cells), in their order -> the lines by record. Raises `BadValue`."""
    lines: dict[str, list[Line]] = {}
    for record, id_, cells in rows:
        lines.setdefault(record, []).append(line_of({**cells, RECORD_ID: id_}))
    return {record: tuple(found) for record, found in lines.items()}


def steps(seen: Value, wanted: Value) -> Steps:
    """The steps from the lines that are there to those that shall be."""
    there = {str(line.get(RECORD_ID)): line for line in lines_of(seen)}
    insert: list[tuple[int, Mapping[str, Value]]] = []
    change: list[tuple[str, Mapping[str, Value]]] = []
    for place, line in enumerate(lines_of(wanted)):
        id_ = line.get(RECORD_ID)
        before = there.pop(str(id_), None) if id_ is not UNKNOWN else None
        cells = {name: value for name, value in line.cells if name != RECORD_ID}
        if before is None:
            insert.append((place, cells))
        elif moved := {n: v for n, v in cells.items() if not same(before.get(n), v)}:
            change.append((str(id_), moved))
    return Steps(tuple(insert), tuple(change), tuple(there))


# ------------------------------------------------------------------------------------------------------- request by request


class UnitRows(Protocol):
    """A record and its rows, request by request. Each raises `TandemError`: REJECTED is the system's no, UNKNOWN a request
    whose reply was lost, anything else: surely not done."""

    async def parent(self, id_: str) -> Record | None:
        """The record, without its lines; None where there is none."""
        ...

    async def rows(self, id_: str) -> Lines:
        """Its lines, in order, each with its `RECORD_ID`."""
        ...

    async def make(self, native: Mapping[str, Value], tag: str) -> str:
        """Make the record, without lines; its id."""
        ...

    async def alter(self, id_: str, native: Mapping[str, Value]) -> None:
        """Change the record's own fields."""
        ...

    async def remove(self, id_: str) -> None:
        """Delete the record, which has no lines any more."""
        ...

    async def insert(self, id_: str, place: int, cells: Mapping[str, Value]) -> str:
        """Add a line to the record; its id."""
        ...

    async def change(self, id_: str, line: str, cells: Mapping[str, Value]) -> None:
        """Change cells of a line."""
        ...

    async def delete(self, id_: str, line: str) -> None:
        """Delete a line."""
        ...


class Hold(msgspec.Struct, frozen=True):
    """How a system keeps a record that is not finished from being worked on: the native values of one that is held, and
    those that let it go. A record found held is let go by the write that finishes it, so that state must be ours alone;
    and it is delivered as `Record.unfinished`."""

    held: Mapping[str, Value]
    free: Mapping[str, Value]


async def read_whole(unit: UnitRows, path: str, id_: str) -> Record | None:
    """The record with its lines under `path`; None where it is gone. Read parent, rows, parent: where the two don't agree
    somebody is at work on it, and it is read again; after `LOOKS_MAX` times without lines (not delivered)."""
    before = await unit.parent(id_)
    for _ in range(LOOKS_MAX):
        if before is None:
            return None
        lines = await unit.rows(id_)
        after = await unit.parent(id_)
        if after == before:
            return msgspec.structs.replace(before, native={**before.native, path: lines})
        before = after
    return before


async def write_unit(unit: UnitRows, path: str, write: Write, hold: Hold | None = None) -> WriteResult:
    """Carry out one write of a record whose lines stand under `path`. Never raises for a step: see the statuses."""
    if write.op is Op.CREATE:
        return await _Attempt(unit, path, hold).create(write)
    try:
        now = await read_whole(unit, path, write.id)
    except TandemError as error:
        return WriteResult(WriteStatus.NOT_DONE, write.id, error=error.message)
    if now is None:
        return WriteResult(WriteStatus.GONE, write.id)
    if any(not same(now.native.get(name, UNKNOWN), value) for name, value in write.seen.items()):
        return WriteResult(WriteStatus.MOVED_ON, write.id)
    attempt = _Attempt(unit, path, hold)
    attempt.id = write.id
    return await (attempt.delete(now) if write.op is Op.DELETE else attempt.update(write, now))


class _Attempt:
    """One write, with what undoes it so far. `dirty`: something was done that can't be undone."""

    def __init__(self, unit: UnitRows, path: str, hold: Hold | None) -> None:
        self.unit, self.path, self.hold = unit, path, hold
        self.id = ""
        self.undo: list[Callable[[], Awaitable[object]]] = []
        self.begun = self.dirty = False

    async def create(self, write: Write) -> WriteResult:
        own = {name: value for name, value in write.native.items() if name != self.path}
        held = self.hold.held if self.hold is not None else {}

        async def carry_out() -> None:
            self.id = await self.unit.make({**own, **held}, write.tag)
            self.begun = True
            self.undo.append(lambda: self.unit.remove(self.id))
            await self._lines(steps((), write.native.get(self.path)))
            if self.hold is not None:
                await self.unit.alter(self.id, {**self.hold.free, **{n: own[n] for n in held if n in own}})

        return await self._guarded(carry_out)

    async def update(self, write: Write, now: Record) -> WriteResult:
        own = {name: value for name, value in write.native.items() if name != self.path}
        if self.hold is not None and all(
            same(now.native.get(n, UNKNOWN), v) for n, v in self.hold.held.items()
        ):
            own = {**self.hold.free, **own}

        async def carry_out() -> None:
            if self.path in write.native:
                await self._lines(steps(now.native.get(self.path), write.native[self.path]), now)
            if own:
                await self.unit.alter(self.id, own)

        return await self._guarded(carry_out)

    async def delete(self, now: Record) -> WriteResult:
        async def carry_out() -> None:
            await self._delete([str(line.get(RECORD_ID)) for line in lines_of(now.native.get(self.path))])
            await self.unit.remove(self.id)

        return await self._guarded(carry_out)

    async def _lines(self, todo: Steps, now: Record | None = None) -> None:
        """Insert, change, delete: what can be undone first."""
        before = (
            {str(line.get(RECORD_ID)): line for line in lines_of(now.native.get(self.path))} if now else {}
        )
        for place, cells in todo.insert:
            made = await self.unit.insert(self.id, place, cells)
            self.begun = True
            self.undo.append(lambda made=made: self.unit.delete(self.id, made))  # type: ignore[misc]
        for line, cells in todo.change:
            await self.unit.change(self.id, line, cells)
            self.begun = True
            was = {name: before[line].get(name) for name in cells}
            if UNKNOWN in was.values():
                self.dirty = True
            self.undo.append(lambda line=line, was=was: self.unit.change(self.id, line, was))  # type: ignore[misc]
        await self._delete(todo.delete)

    async def _delete(self, lines: Iterable[str]) -> None:
        for line in lines:
            await self.unit.delete(self.id, line)
            self.begun = self.dirty = True

    async def _guarded(self, carry_out: Callable[[], Awaitable[None]]) -> WriteResult:
        try:
            await carry_out()
        except TandemError as error:
            return await self._failed(error)
        return WriteResult(WriteStatus.DONE, self.id, await self._now())

    async def _failed(self, error: TandemError) -> WriteResult:
        if error.kind is Kind.UNKNOWN:
            return WriteResult(WriteStatus.UNKNOWN, self.id, error=error.message)
        refused = error.kind is Kind.REJECTED
        if not self.begun or (refused and await self._undone()):
            status = WriteStatus.REFUSED if refused else WriteStatus.NOT_DONE
            return WriteResult(status, error=error.message)
        stands = await self._now()
        status = WriteStatus.UNKNOWN if stands is None else WriteStatus.PARTLY
        return WriteResult(status, self.id, stands, error=error.message)

    async def _undone(self) -> bool:
        if self.dirty:
            return False
        try:
            for step in reversed(self.undo):
                await step()
        except TandemError:
            return False
        return True

    async def _now(self) -> Record | None:
        """The record as it stands; None where it can't be told."""
        try:
            return await read_whole(self.unit, self.path, self.id) if self.id else None
        except TandemError:
            return None


__all__ = [
    "Hold",
    "Steps",
    "UnitRows",
    "asked_lines",
    "body_with",
    "composed",
    "in_body",
    "read_whole",
    "steps",
    "write_unit",
]
