"""One side of one link as a run sees it: looks become observations in shared values, writes go out under the lease."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from actors.core.backlog import Report
from actors.core.errors import Kind, LeaseLost, Scope, TandemError
from actors.core.mapping import Refs, observe, paths, references, referred
from actors.core.places import ID_SIZE_MAX, by_object, can_be_kept, lacking, parted, qualified, written_in
from actors.core.policy import StreamSpec
from actors.core.rooms import why_alone
from actors.core.rows import RowShape
from actors.core.types import SIDES, Observation, Presence, Record, Side
from actors.core.values import Value
from actors.messages import Call, Class
from actors.ports import Clock, Declaration, Page, Rows, RowUpdates, Store, Write, WriteResult
from actors.runtime.together import together
from actors.several import changed, own_write, placed_record, placed_result, scanned

Ask = Callable[[Call], Awaitable[Any]]


class Access:
    """`ask` reaches the ConnectionActor. Every look notes when it was asked for; every write asks the lease first."""

    def __init__(
        self,
        side: Side,
        link: str,
        declaration: Declaration,
        ask: Ask,
        store: Store,
        clock: Clock,
        time_left_s: Callable[[], float],
    ) -> None:
        self.side = side
        self.declaration = declaration
        self._link = link
        self._ask = ask
        self._store = store
        self._clock = clock
        self._time_left_s = time_left_s

    async def look(self, stream: StreamSpec, ids: Sequence[str], cls: Class = "poll") -> list[Observation]:
        """A fresh look by id; what is not there (any more) is observed as deleted. Several requests are under way at once,
        and one place at the account stays free for whoever else wants it."""
        most = self.declaration.look_max or self.declaration.batch_max
        batches = [
            (name, wanted[start : start + most])
            for name, wanted in by_object(stream, self.side, ids).items()
            for start in range(0, len(wanted), most)
        ]
        found: dict[int, list[Observation]] = {}
        todo = iter(enumerate(batches))

        async def work() -> None:
            for place, (name, batch) in todo:
                found[place] = await self._look(stream, name, batch, cls)

        at_once = min(len(batches), self.declaration.concurrency - 1)
        if at_once <= 1:
            await work()
        else:
            async with together() as tasks:
                for _ in range(at_once):
                    tasks.start_soon(work)
        return [one for place in range(len(batches)) for one in found[place]]

    async def _look(
        self, stream: StreamSpec, name: str, batch: Sequence[str], cls: Class
    ) -> list[Observation]:
        asked = self._clock.monotonic()
        call = self._call("read", cls, name, batch, paths(stream, self.side, name))
        records = self._placed(stream, name, await self._ask(call))
        found = await self.observed(stream, records, asked)
        there = {record.id for record in records}
        known = (qualified(stream, self.side, name, one) for one in batch)
        found.extend(
            Observation(self.side, one, asked, Presence.DELETED) for one in known if one not in there
        )
        return found

    def _placed(self, stream: StreamSpec, name: str, records: Iterable[Record]) -> Sequence[Record]:
        """Records of one object as they are known here: with several, the id carries its object."""
        if self.side != stream.several:
            return tuple(records)
        return [placed_record(stream, self.side, name, record) for record in records]

    async def changes(self, stream: StreamSpec, cursor: str, limit: int) -> tuple[Page, list[Observation]]:
        """One page of what was touched since the cursor."""
        return await self._page("changes", "poll", stream, cursor, limit)

    async def scan(self, stream: StreamSpec, position: str, limit: int) -> tuple[Page, list[Observation]]:
        """One page of a complete read."""
        return await self._page("scan", "sweep", stream, position, limit)

    async def look_token(self, stream: StreamSpec) -> str:
        """The object's look token, or ""."""
        names = stream.objects_on(self.side)
        tokens: list[str] = [await self._ask(self._call("look_token", "poll", name)) for name in names]
        return " ".join(tokens) if all(tokens) else ""

    async def backlog(self, stream: StreamSpec) -> list[Report] | None:
        """What is known of those who make records elsewhere; None: nobody does, or the system can't be asked."""
        told: list[Report] | None = None
        for name in stream.objects_on(self.side) if self.declaration.backlog else ():
            more: Sequence[Report] | None = await self._ask(self._call("backlog", "poll", name))
            told = told if more is None else [*(told or ()), *more]
        return told

    async def reserve(self, stream: StreamSpec, count: int, name: str = "") -> Sequence[str]:
        """Ids drawn for creates (in that one of several objects); empty where the system draws them itself."""
        if not self.declaration.draws_ids or count == 0:
            return ()
        name = name or stream.object(self.side)
        ids: Sequence[str] = await self._ask(self._call("reserve", "instant", name, count))
        return [qualified(stream, self.side, name, one) for one in ids]

    async def tagged(self, stream: StreamSpec, tag: str) -> list[Observation]:
        """Records that carry the correlation tag."""
        return await self._found("find_tagged", stream, tag)

    async def holding(self, stream: StreamSpec, path: str, value: Value) -> list[Observation]:
        """Records whose native field holds the value."""
        return await self._found("find_by", stream, path, value)

    async def _found(self, method: str, stream: StreamSpec, *args: Any) -> list[Observation]:
        asked = self._clock.monotonic()
        records: list[Record] = []
        for name in stream.objects_on(self.side):
            wanted = paths(stream, self.side, name)
            if args[0] in lacking(stream, self.side, name):
                continue  # that object has no such field
            found = await self._ask(self._call(method, "instant", name, *args, wanted))
            records.extend(self._placed(stream, name, found))
        return await self.observed(stream, records, asked)

    async def fetch_attachment(self, stream: StreamSpec, id: str, path: str) -> bytes | None:
        """The content of an attachment of a record; None where there is none."""
        name, own = parted(stream, self.side, id)
        content: bytes | None = await self._ask(self._call("fetch_attachment", "instant", name, own, path))
        return content

    async def write(self, stream: StreamSpec, writes: Sequence[Write], until: float) -> Sequence[WriteResult]:
        """One batch, all of it of one object; over at `until`."""
        name = stream.object(self.side)
        if self.side == stream.several:
            name = written_in(stream, self.side, writes[0].id, writes[0].native)
            writes = [own_write(stream, self.side, one) for one in writes]
        args = (name, tuple(writes), paths(stream, self.side, name))
        results: Sequence[WriteResult] = await self._ask(self._written("write", args, until))
        if self.side == stream.several:
            results = [placed_result(stream, self.side, name, one) for one in results]
        return results

    # ---------------------------------------------------------------------------------------- many at once

    async def shape(self, stream: StreamSpec, fields: Sequence[str]) -> RowShape | None:
        """How the stream's records cross as lines on this side; None where they can't."""
        if not self.declaration.rows or stream.with_lines or self.side == stream.several:
            return None
        shape: RowShape | None = await self._ask(
            self._call("row_shape", "poll", stream.object(self.side), fields)
        )
        return shape

    async def scan_rows(
        self, stream: StreamSpec, position: str, fields: Sequence[str], limit: int
    ) -> tuple[Rows, float]:
        """One page of a complete read as lines, and when it was asked for."""
        asked = self._clock.monotonic()
        call = self._call("scan_rows", "sweep", stream.object(self.side), position, fields, limit)
        rows: Rows = await self._ask(call)
        return rows, asked

    async def create_rows(self, stream: StreamSpec, fields: Sequence[str], block: str, until: float) -> str:
        """One request for many new records; see `write`. Returns them as stored."""
        stored: str = await self._ask(
            self._written("create_rows", (stream.object(self.side), fields, block), until)
        )
        return stored

    async def change_rows(
        self, stream: StreamSpec, cursor: str, fields: Sequence[str], limit: int
    ) -> tuple[Rows, float]:
        """One page of what was touched since the cursor, as lines, and when it was asked for."""
        asked = self._clock.monotonic()
        rows: Rows = await self._ask(
            self._call("change_rows", "poll", stream.object(self.side), cursor, fields, limit)
        )
        return rows, asked

    async def update_rows(
        self, stream: StreamSpec, updates: Sequence[RowUpdates], fields: Sequence[str], until: float
    ) -> str:
        """One request for updates of many records; see `write`. Returns those that were written, as stored."""
        args = (stream.object(self.side), updates, fields)
        stored: str = await self._ask(self._written("update_rows", args, until))
        return stored

    def _written(self, method: str, args: tuple[Any, ...], until: float) -> Call:
        """A request that writes. It must be over at `until` (monotonic; the intents' deadline) and before the lease is;
        without time left nothing is sent, however long it waited for its turn."""
        left_s = self._time_left_s()
        if left_s <= 0.5:
            raise LeaseLost
        return Call(
            method=method,
            args=args,
            cls="instant",
            link=self._link,
            writes=True,
            until=min(until, self._clock.monotonic() + left_s - 0.25),
        )

    async def observed(
        self, stream: StreamSpec, records: Iterable[Record], asked: float
    ) -> list[Observation]:
        """Records in shared values, references to other streams translated."""
        records = tuple(records)
        for record in records:
            if not can_be_kept(record.id):
                raise self._odd(stream, record.id)
        refs = await self.refs(stream, records)
        return [observe(stream, self.side, record, asked, refs) for record in records]

    def _odd(self, stream: StreamSpec, id: str) -> TandemError:
        said = f"{stream.object(self.side)}: the id {id[:40]!r} of a record on side {self.side} can't be kept"
        hint = f"an id is text without NUL, of at most {ID_SIZE_MAX:,} bytes; correct it there, or name another key"
        return TandemError(Kind.REJECTED, said, scope=Scope.STREAM, hint=hint)

    async def refs(self, stream: StreamSpec, records: Sequence[Record]) -> Refs:
        """What the records of this side refer to, as bindings."""
        keys: dict[tuple[str, Side, str], int] = {}
        alone: dict[int, tuple[str, Side, str]] = {}
        notes: dict[int, str] = {}
        for name, ids in references(stream, self.side, records).items():
            for binding in await self._store.bindings(self._link, name, self.side, sorted(ids)):
                held = binding.side(self.side)
                if held is not None and binding.a is not None and binding.b is not None:
                    keys[name, self.side, held.id] = binding.key
                elif held is not None:
                    alone[binding.key] = name, self.side, held.id
                    notes[binding.key] = binding.note
        if not alone:
            return Refs(keys=keys)
        rows = await self._store.parked(self._link, sorted(alone))
        why = {alone[key]: text for key, text in why_alone(notes, rows).items()}
        return Refs(keys=keys, why=why)

    async def _page(
        self, method: str, cls: Class, stream: StreamSpec, at: str, limit: int
    ) -> tuple[Page, list[Observation]]:
        asked = self._clock.monotonic()

        async def ask(name: str, at: str) -> Page:
            page: Page = await self._ask(
                self._call(method, cls, name, at, paths(stream, self.side, name), limit)
            )
            return page

        if self.side == stream.several:
            page = await (scanned if method == "scan" else changed)(stream, self.side, at, ask)
        else:
            page = await ask(stream.object(self.side), at)
        seen = await self.observed(stream, page.records, asked)
        seen.extend(Observation(self.side, one, asked, Presence.DELETED) for one in page.gone)
        return page, seen

    def _call(self, method: str, cls: Class, *args: Any) -> Call:
        return Call(method=method, args=args, cls=cls, link=self._link)


async def target_refs(store: Store, link: str, stream: StreamSpec, seen: Iterable[Observation]) -> Refs:
    """The ids on both sides of every binding that these observations refer to: what a write needs."""
    specs = [spec for spec in stream.fields if spec.references]
    if not specs:
        return Refs()
    streams = {name for spec in specs for name in spec.references}
    wanted = {
        key
        for one in seen
        for spec in specs
        if spec.name in one.fields
        for _, key in referred(spec, one.fields[spec.name])
    }
    ids: dict[tuple[str, Side, int], str] = {}
    keys: dict[tuple[str, Side, str], int] = {}
    for binding in await store.bindings_by_key(link, sorted(wanted)):
        for side in SIDES:
            held = binding.side(side)
            if held is not None and binding.stream in streams:
                ids[binding.stream, side, binding.key] = (
                    held.id if held.presence is not Presence.DELETED else ""
                )
                keys[binding.stream, side, held.id] = binding.key
    return Refs(keys=keys, ids=ids)


Sides = Mapping[Side, Access]
