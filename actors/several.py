"""Requests to a side with several objects: one of each, taken together as if there were one. Decides nothing."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import msgspec

from actors.core.places import lacking, parted, qualified, written_in
from actors.core.policy import RECORD_OBJECT, StreamSpec
from actors.core.types import Record, Side
from actors.ports import Find, Page, Write, WriteResult

ENDED = ""  # in a cursor: the objects that have come to their end, while others have not
Ask = Callable[[str, str], Awaitable[Page]]  # object, where to go on


def find_of(finds: Callable[[Side, str], Find], stream: StreamSpec, side: Side) -> Find:
    """How changes of a stream are found on a side; where several objects differ in that, by complete reads."""
    every = {finds(side, name) for name in stream.objects_on(side)}
    return every.pop() if len(every) == 1 else Find.FULL


async def scanned(stream: StreamSpec, side: Side, at: str, ask: Ask) -> Page:
    """A page of the complete read of one object after the other, in the order of the blueprint: who leaves one for a
    later one meanwhile is met there."""
    names = stream.objects_on(side)
    number, position = json.loads(at) if at else (0, "")
    if number == len(names):  # the last page was settled, and the end of the read was not
        return Page((), at, more=False)
    page = _placed(stream, side, names[number], await ask(names[number], position))
    if page.more:
        return msgspec.structs.replace(page, cursor=json.dumps([number, page.cursor]))
    after = number + 1
    return msgspec.structs.replace(page, cursor=json.dumps([after, ""]), more=after < len(names))


async def changed(stream: StreamSpec, side: Side, at: str, ask: Ask) -> Page:
    """A page of what was touched in any of them. One that has come to its end is not asked again before all have."""
    cursors: dict[str, str] = json.loads(at) if at else {}
    ended: set[str] = set(json.loads(cursors.pop(ENDED, "[]")))
    pages: list[Page] = []
    for name in stream.objects_on(side):
        if name in ended:
            continue
        page = _placed(stream, side, name, await ask(name, cursors.get(name, "")))
        cursors[name] = page.cursor
        pages.append(page)
        if not page.more:
            ended.add(name)
    if any(page.more for page in pages):
        cursors[ENDED] = json.dumps(sorted(ended))
    return Page(
        records=tuple(record for page in pages for record in page.records),
        cursor=json.dumps(cursors, sort_keys=True),
        more=any(page.more for page in pages),
        gone=tuple(one for page in pages for one in page.gone),
    )


def _placed(stream: StreamSpec, side: Side, name: str, page: Page) -> Page:
    return msgspec.structs.replace(
        page,
        records=tuple(placed_record(stream, side, name, record) for record in page.records),
        gone=tuple(qualified(stream, side, name, one) for one in page.gone),
    )


def placed_record(stream: StreamSpec, side: Side, name: str, record: Record) -> Record:
    """A record of one object, as it is known here."""
    nothing = dict.fromkeys(lacking(stream, side, name))  # what only other objects have is nothing here
    native = {**nothing, **record.native, RECORD_OBJECT: name}
    return msgspec.structs.replace(record, id=qualified(stream, side, name, record.id), native=native)


def placed_result(stream: StreamSpec, side: Side, name: str, result: WriteResult) -> WriteResult:
    """What became of a write to one object, as it is known here."""
    record = placed_record(stream, side, name, result.record) if result.record is not None else None
    return msgspec.structs.replace(result, id=qualified(stream, side, name, result.id), record=record)


def own_write(stream: StreamSpec, side: Side, write: Write) -> Write:
    """A write as its object knows it: by the id there, without its name, and with the fields that it has."""
    strange = {RECORD_OBJECT, *lacking(stream, side, written_in(stream, side, write.id, write.native))}
    return msgspec.structs.replace(
        write,
        id=parted(stream, side, write.id)[1],
        native={path: value for path, value in write.native.items() if path not in strange},
        seen={path: value for path, value in write.seen.items() if path not in strange},
    )
