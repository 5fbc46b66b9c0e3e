"""The part of the `memory` connector that reads and makes records as lines, with the same faults as its other requests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import anyio

from actors.core.errors import Kind, Scope, TandemError
from actors.core.rows import RowShape
from actors.core.texts import line_of, reader, text_of, texts_of
from actors.core.types import Op, Record
from actors.core.values import BadValue
from actors.ports import Declaration, Page, Rows, RowUpdates, Write, WriteResult, WriteStatus
from clients.connectors.systems.memory_system import MemorySystem


class Opened(Protocol):
    """What of the connector's open access is used here."""

    declaration: Declaration
    system: MemorySystem

    async def request(self) -> None: ...

    def apply(self, object_name: str, write: Write, asked: float) -> WriteResult: ...


async def row_shape(of: Opened, object_name: str, fields: Sequence[str]) -> RowShape | None:
    """Every object crosses as lines, but for lists."""
    shape = of.system.objects[object_name]
    kinds = {name: shape.fields.get(name, "text") for name in fields}
    if "list" in kinds.values():
        return None
    return RowShape(shape.key, kinds, frozenset(name for name in fields if name != shape.key))


def rows_of(page: Page, fields: Sequence[str]) -> Rows:
    """A page of records, or of changes, as lines; a null in a line is a null, so what was not delivered is said apart."""
    said = [record for record in page.records if all(name in record.native for name in fields)]
    ids = {record.id for record in said}
    return Rows(
        "".join(_line(record, fields) + "\n" for record in said),
        page.cursor,
        page.more,
        page.gone,
        tuple(record.id for record in page.records if record.id not in ids),
    )


async def create_rows(of: Opened, object_name: str, fields: Sequence[str], block: str) -> str:
    """All of the lines or none: refused, not known, late, rewritten, as the faults have it."""
    system, asked = of.system, of.system.now()
    writes = [_write(of, object_name, fields, line) for line in block.splitlines()]
    await of.request()
    if any(system.happens(system.faults.refuse) for _ in writes):
        raise TandemError(Kind.REJECTED, "memory: the system is in a bad mood", scope=Scope.STREAM)
    tail_s = system.luck.random() * of.declaration.vendor_tail_s
    if tail_s > 0 and system.happens(system.faults.late):
        for write in writes:
            system.later(system.now() + tail_s, partial(of.apply, object_name, write, asked))
        raise _unknown(len(writes), object_name)
    if system.happens(system.faults.lose_request):
        raise _unknown(len(writes), object_name)
    if any(system.get(object_name, write.id) is not None for write in writes):
        raise TandemError(Kind.REJECTED, "memory: an id is taken", scope=Scope.STREAM)
    results: list[WriteResult] = [of.apply(object_name, write, asked) for write in writes]
    assert all(result.status is WriteStatus.DONE for result in results)
    if system.happens(system.faults.lose_reply):
        raise _unknown(len(writes), object_name)
    await anyio.lowlevel.checkpoint()
    return _stored(of, object_name, fields, [result.id for result in results])


async def update_rows(
    of: Opened, object_name: str, updates: Sequence[RowUpdates], fields: Sequence[str]
) -> str:
    """One by one, as the faults have it; what is refused or has moved on is missing from the answer."""
    system, asked = of.system, of.system.now()
    writes = [write for some in updates for write in _updates(of, object_name, some)]
    await of.request()
    tail_s = system.luck.random() * of.declaration.vendor_tail_s
    if tail_s > 0 and system.happens(system.faults.late):
        for write in writes:
            system.later(system.now() + tail_s, partial(of.apply, object_name, write, asked))
        raise _unknown(len(writes), object_name)
    if system.happens(system.faults.lose_request):
        raise _unknown(len(writes), object_name)
    written = []
    for write in writes:
        if system.happens(system.faults.refuse) or system.happens(system.faults.not_done):
            continue
        if of.apply(object_name, write, asked).status is WriteStatus.DONE:
            written.append(write.id)
    if system.happens(system.faults.lose_reply):
        raise _unknown(len(writes), object_name)
    await anyio.lowlevel.checkpoint()
    return _stored(of, object_name, fields, written)


def _stored(of: Opened, object_name: str, fields: Sequence[str], ids: Sequence[str]) -> str:
    """The answer to a request for many: of each line all that is stored, whatever reads leave out at the time."""
    states = ((id_, of.system.get(object_name, id_)) for id_ in ids)
    key = of.system.objects[object_name].key
    records = (Record(id_, {key: id_, **(state.fields or {})}) for id_, state in states if state is not None)
    return "".join(_line(record, fields) + "\n" for record in records)


def _updates(of: Opened, object_name: str, some: RowUpdates) -> list[Write]:
    kinds = of.system.objects[object_name].fields
    read = {name: reader(kinds.get(name, "text")) for name in (*some.written, *some.seen)}
    return [
        Write(
            Op.UPDATE,
            id_,
            {name: read[name](text) for name, text in zip(some.written, values, strict=True)},
            {name: read[name](text) for name, text in zip(some.seen, held, strict=True)},
        )
        for id_, values, held in zip(some.ids, some.values, some.held, strict=True)
    ]


def _write(of: Opened, object_name: str, fields: Sequence[str], line: str) -> Write:
    shape = of.system.objects[object_name]
    id_, *texts = texts_of(line)
    read = {name: reader(shape.fields.get(name, "text")) for name in fields}
    native = {name: read[name](text) for name, text in zip(fields, texts, strict=True) if text is not None}
    return Write(Op.CREATE, id_ or "", native)


def _line(record: Record, fields: Sequence[str]) -> str:
    try:
        return line_of([record.id, *(text_of(record.native.get(name)) for name in fields)])
    except BadValue as error:  # a list where the shape promised none
        raise TandemError(Kind.BUG, f"memory: {record.id} is no line: {error}", scope=Scope.STREAM) from error


def _unknown(count: int, object_name: str) -> TandemError:
    return TandemError(Kind.UNKNOWN, f"memory: no answer about {count} {object_name}", scope=Scope.STREAM)
