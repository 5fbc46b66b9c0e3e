"""The `memory` connector: a system that lives in this process, honest by default and lying on demand.

For trying rules out and for the simulation. The records stand in a `MemorySystem` that outlives every connector; all
that goes wrong is drawn from a seed, so that the same requests meet the same fate. Must not know the engine.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import anyio
import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.rows import RowShape
from actors.core.types import Op, Record
from actors.core.values import Value, same
from actors.ports import (
    Declaration,
    Find,
    ObjectInfo,
    Page,
    Rows,
    RowUpdates,
    Setting,
    Touched,
    Webhook,
    Write,
    WriteResult,
    WriteStatus,
)
from clients.connectors.systems import memory_lines, memory_rows
from clients.connectors.systems.memory_system import (
    Faults,
    MemorySystem,
    ObjectShape,
    Refused,
    State,
)

DECLARATION: Final = Declaration(
    name="memory",
    doc="Records in the daemon's own memory, for trying rules out; they are gone when the daemon stops.",
    settings=(
        Setting("name", required=True, doc="Which system; connections with one name share its records."),
        Setting("objects", "map", default={}, doc="Object name -> {fields: {name: type}, key, rewrites}."),
        Setting("faults", "map", default={}, doc="What goes wrong: probability or seconds by name."),
        Setting("declare", "map", default={}, doc="Abilities declared otherwise than here, by name."),
        Setting("seed", default="0", doc="What the faults are drawn from."),
    ),
    find=(Find.FEED, Find.MODIFIED, Find.FULL),
    absence="proof",
    ids="never_reused",
    version="content",
    precondition="atomic",
    reply="record",
    draws_ids=True,
    tag=True,
    find_by_field=True,
    lines="nested",
    attachments=True,
    missing_means="unknown",
    deadline_s=10.0,
    webhook=Webhook(
        "hmac_sha256",
        header="X-Memory-Signature",
        prefix="sha256=",
        object="json:object",
        ids="json:ids.*",
        event="json:event",
        events=("created", "changed", "deleted"),
    ),
)


class Systems:
    """The systems of one process by name."""

    def __init__(self) -> None:
        self._systems: dict[str, MemorySystem] = {}

    def named(self, name: str, objects: Mapping[str, ObjectShape]) -> MemorySystem:
        """The system called `name`, made where it is new; objects it does not know yet are added."""
        system = self._systems.setdefault(name, MemorySystem(name, {}, time.time))
        system.add_objects(objects)
        return system


# The records have to be somewhere between two openings, and `connect` gets nothing but settings.
SYSTEMS: Final = Systems()


async def connect(settings: Mapping[str, Any]) -> MemoryConnector:
    """Open the system called `settings["name"]`. Raises CONFIG for settings that make no sense."""
    try:
        objects = msgspec.convert(settings.get("objects", {}), dict[str, ObjectShape])
        faults = msgspec.convert(settings.get("faults", {}), Faults)
        declared = msgspec.to_builtins(DECLARATION) | dict(settings.get("declare", {}))
        declaration = msgspec.convert(declared, Declaration)
        system = SYSTEMS.named(str(settings["name"]), objects)
        system.lie(faults, str(settings.get("seed", "0")))
        system.keep_s = max(system.keep_s, declaration.read_lag_s)
    except (msgspec.ValidationError, ValueError) as error:
        raise TandemError(
            Kind.CONFIG, f"memory: {error}", hint="compare with the connector's settings"
        ) from error
    return MemoryConnector(system, declaration)


class MemoryConnector:
    """One open access to a `MemorySystem`. `who`: the name under which the system notes its writes."""

    def __init__(
        self,
        system: MemorySystem,
        declaration: Declaration = DECLARATION,
        *,
        who: str = "daemon",
    ) -> None:
        self.declaration = declaration
        self.system = self._system = system
        self._who = who
        self._closed = False
        self._token = 0

    # -- what it is ---------------------------------------------------------------------------------------------

    async def identity(self) -> str:
        await self.request()
        return f"memory:{self._system.name}"

    async def check(self) -> None:
        await self.request()

    async def describe(self) -> Sequence[ObjectInfo]:
        await self.request()
        objects = sorted(self._system.objects.items())
        return [memory_lines.offered(name, shape.key, shape.fields) for name, shape in objects]

    def find(self, object_name: str) -> Find:
        return self.declaration.find[0]

    # -- looking ------------------------------------------------------------------------------------------------

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        at = await self._look()
        self._check_fields(object_name, fields)
        wanted = [id for id in dict.fromkeys(ids) if self._system.shows(object_name, id, by_id=True)]
        found = ((id, self._system.get(object_name, id, at)) for id in wanted)
        answer = [self._record(object_name, id, state, fields) for id, state in found if state is not None]
        return self._in_some_order(answer)

    async def fetch_attachment(self, object_name: str, id: str, field: str) -> bytes | None:
        await self.request()
        state = self._system.get(object_name, id)
        return memory_lines.content(state.fields if state is not None else None, field)

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        self._need("changes", Find.MODIFIED in self.declaration.find)
        at = await self._look()
        self._check_fields(object_name, fields)
        if not cursor:
            return Page((), str(self._system.last_seq(object_name, at)), False)
        changed = self._system.changed(object_name, int(cursor), at)
        page = changed[:limit]
        alive = [row for row in page if row[1].fields is not None and self._lists(object_name, row[0])]
        gone = tuple(id for id, state in page if state.fields is None)
        return Page(
            tuple(self._record(object_name, id, state, fields) for id, state in alive),
            cursor=str(page[-1][1].seq) if page else cursor,
            more=len(changed) > limit,
            gone=gone if self.declaration.absence == "proof" else (),
        )

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        at = await self._look()
        self._check_fields(object_name, fields)
        rows = list(self._system.rows(object_name, position, at))
        page = rows[:limit]
        shown = [row for row in page if self._lists(object_name, row[0])]
        shown = [row for row in shown if not self._hidden(object_name, row[0])]
        return Page(
            tuple(self._record(object_name, id, state, fields) for id, state in shown),
            cursor=page[-1][0] if page else position,
            more=len(rows) > limit,
        )

    def _hidden(self, object_name: str, id: str) -> bool:
        """Only what was shown before can vanish: a record that no look ever shows is out of anybody's reach."""
        if self.declaration.absence == "proof" or self._system.show(object_name, id):
            return False
        return self._system.happens(self._system.faults.hide_row)

    # -- many at once -------------------------------------------------------------------------------------------

    async def row_shape(self, object_name: str, fields: Sequence[str]) -> RowShape | None:
        await self.request()
        self._check_fields(object_name, fields)
        return await memory_rows.row_shape(self, object_name, fields) if self.declaration.rows else None

    async def scan_rows(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Rows:
        self._need("scan_rows", self.declaration.rows)
        return memory_rows.rows_of(await self.scan(object_name, position, fields, limit), fields)

    async def create_rows(self, object_name: str, fields: Sequence[str], block: str) -> str:
        self._need("create_rows", self.declaration.rows)
        self._check_fields(object_name, fields)
        return await memory_rows.create_rows(self, object_name, fields, block)

    async def change_rows(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Rows:
        self._need("change_rows", self.declaration.rows)
        return memory_rows.rows_of(await self.changes(object_name, cursor, fields, limit), fields)

    async def update_rows(
        self, object_name: str, updates: Sequence[RowUpdates], fields: Sequence[str]
    ) -> str:
        self._need("update_rows", self.declaration.rows)
        self._check_fields(object_name, [*fields, *(name for some in updates for name in some.written)])
        return await memory_rows.update_rows(self, object_name, updates, fields)

    async def look_token(self, object_name: str) -> str:
        at = await self._look()
        self._check_fields(object_name, ())
        return str(self._system.last_seq(object_name, at))

    async def find_tagged(self, object_name: str, tag: str, fields: Sequence[str]) -> Sequence[Record]:
        self._need("find_tagged", self.declaration.tag)
        return await self._search(object_name, fields, lambda state: bool(tag) and state.tag == tag)

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        self._need("find_by", self.declaration.find_by_field)
        self._check_fields(object_name, (field,))
        return await self._search(object_name, fields, lambda state: same((state.fields or {})[field], value))

    async def _search(
        self, object_name: str, fields: Sequence[str], fits: Callable[[State], bool]
    ) -> Sequence[Record]:
        at = await self._look()
        self._check_fields(object_name, fields)
        rows = ((id, state) for id, state in self._system.rows(object_name, at=at) if fits(state))
        return [self._record(object_name, *row, fields) for row in rows if self._lists(object_name, row[0])]

    def _lists(self, object_name: str, id: str) -> bool:
        return self._system.shows(object_name, id, by_id=False)

    def _in_some_order(self, records: list[Record]) -> list[Record]:
        if self._system.happens(self._system.faults.batch_disorder):
            self._system.luck.shuffle(records)
        return records

    # -- the feed -----------------------------------------------------------------------------------------------

    async def drain(self, limit: int) -> Sequence[Touched]:
        self._need("drain", Find.FEED in self.declaration.find)
        await self.request()
        touched = self._system.touched()[:limit]
        if self._system.happens(self._system.faults.hint_disorder):
            self._system.luck.shuffle(touched)
        return [Touched(touch.object, touch.id, str(touch.number)) for touch in touched]

    async def ack(self, touched: Sequence[Touched]) -> None:
        await self.request()
        for touch in touched:
            self._system.acknowledge(int(touch.ack))

    async def watch(self) -> AsyncIterator[None]:
        bell = anyio.Event()

        def ring() -> None:
            bell.set()

        self._system.bells.append(ring)
        try:
            while True:
                await bell.wait()
                bell = anyio.Event()
                yield
        finally:
            self._system.bells.remove(ring)

    # -- writing ------------------------------------------------------------------------------------------------

    async def reserve(self, object_name: str, count: int) -> Sequence[str]:
        self._need("reserve", self.declaration.draws_ids)
        await self.request()
        self._check_fields(object_name, ())
        return [self._system.draw_id() for _ in range(count)]

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        self._check_open()
        await self._be_logged_in()
        asked = self._system.now()
        tail_s = self._system.luck.random() * self.declaration.vendor_tail_s
        late = self._system.happens(self._system.faults.late) and tail_s > 0
        try:
            await self._delay()
        except anyio.get_cancelled_exc_class():
            # Whoever gave up cannot call the request back: it may be on its way.
            if late:
                self._send_late(object_name, writes, asked, tail_s)
            raise
        self._check_fields(object_name, fields)
        self._fail()
        if late:
            self._send_late(object_name, writes, asked, tail_s)
            raise TandemError(Kind.UNKNOWN, f"memory: no answer about {len(writes)} {object_name}")
        self._check_session()
        results = self._carry_out_all(object_name, writes, fields, asked)
        await self._delay()
        return results

    def _carry_out_all(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str], asked: float
    ) -> list[WriteResult]:
        """The results in the order of the writes, whatever the order in which those were carried out."""
        order = list(range(len(writes)))
        if self._system.happens(self._system.faults.batch_disorder):
            self._system.luck.shuffle(order)
        done = {at: self._carry_out(object_name, writes[at], fields, asked) for at in order}
        if len(writes) > 1 and self._system.happens(self._system.faults.cut):
            for at in order[self._system.luck.randrange(1, len(writes)) :]:
                done[at] = WriteResult(WriteStatus.UNKNOWN, writes[at].id, error="the answer broke off")
        return [done[at] for at in range(len(writes))]

    def _send_late(self, object_name: str, writes: Sequence[Write], asked: float, tail_s: float) -> None:
        at = self._system.now() + tail_s
        for write in writes:
            self._system.later(at, partial(self.apply, object_name, write, asked))

    def _carry_out(self, object_name: str, write: Write, fields: Sequence[str], asked: float) -> WriteResult:
        if self._system.happens(self._system.faults.not_done):
            return WriteResult(WriteStatus.NOT_DONE, write.id, error="busy, try again")
        if self._system.happens(self._system.faults.refuse):
            return WriteResult(WriteStatus.REFUSED, write.id, error="the system is in a bad mood")
        if self._system.happens(self._system.faults.lose_request):
            return WriteResult(WriteStatus.UNKNOWN, write.id, error="no answer")
        cut = memory_lines.cut(write, self.declaration, self._system.faults.part, self._system)
        result = self.apply(object_name, cut or write, asked)
        if cut is not None or self._system.happens(self._system.faults.lose_reply):
            return WriteResult(WriteStatus.UNKNOWN, write.id, error="no answer")
        if result.status is not WriteStatus.DONE:
            return result
        record = self.stored(object_name, result.id, fields)
        if record is not None and self.declaration.reply == "record":
            return msgspec.structs.replace(result, record=record)
        has_version = record is not None and self.declaration.version == "content"
        return msgspec.structs.replace(result, version=record.version) if has_version and record else result

    def stored(self, object_name: str, id: str, fields: Sequence[str]) -> Record | None:
        """A record as it is now."""
        state = self._system.get(object_name, id)
        return None if state is None else self._record(object_name, id, state, fields)

    def apply(self, object_name: str, write: Write, asked: float) -> WriteResult:
        try:
            return self._applied(object_name, write, asked)
        except Refused as refusal:
            return WriteResult(WriteStatus.REFUSED, write.id, error=str(refusal))

    def _applied(self, object_name: str, write: Write, asked: float) -> WriteResult:
        system, who = self._system, self._who
        if write.op is Op.CREATE:
            if write.id and not self.declaration.draws_ids:
                raise Refused("this system draws its ids itself")
            tag = write.tag if self.declaration.tag else ""
            native = memory_lines.written(None, write)
            id = system.create(object_name, native, who, id=write.id, tag=tag, asked=asked)
            return WriteResult(WriteStatus.DONE, id)
        state = system.get(object_name, write.id)
        if state is None or not system.shows(object_name, write.id, by_id=True):
            return WriteResult(WriteStatus.GONE, write.id)
        if self._moved_on(object_name, state, write):
            return WriteResult(WriteStatus.MOVED_ON, write.id)
        if write.op is Op.DELETE:
            system.delete(object_name, write.id, who, asked=asked)
        else:
            native = memory_lines.written(state.fields, write)
            system.edit(object_name, write.id, native, who, asked=asked)
        return WriteResult(WriteStatus.DONE, write.id)

    def _moved_on(self, object_name: str, state: State, write: Write) -> bool:
        covered = self.declaration.version == "content" and write.version is not None
        if covered and write.version != str(state.seq):
            return True
        assert state.fields is not None
        holds = {self._system.objects[object_name].key: write.id, **state.fields}
        return memory_lines.moved(holds, write.seen)

    async def aclose(self) -> None:
        self._closed = True

    # -- luck ---------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise TandemError(Kind.TRANSIENT, f"memory: the connection to {self._system.name} is closed")

    async def request(self) -> None:
        self._check_open()
        await self._be_logged_in()
        await self._delay()
        self._check_session()
        self._fail()

    async def _look(self) -> float | None:
        """A reading request; the time of the state that it answers from (None: now)."""
        asked = self._system.now()
        await self.request()
        at = self._read_at()
        return asked if at is None and self._system.happens(self._system.faults.early) else at

    # -- sessions -----------------------------------------------------------------------------------------------

    @property
    def _needs_session(self) -> bool:
        return self.declaration.session == "single" or self._system.faults.session_end > 0

    async def _be_logged_in(self) -> None:
        """A session that lives. The token of one that has ended is worth nothing, whoever ended it."""
        if not self._needs_session:
            return
        if self._system.happens(self._system.faults.session_end):
            self._system.end_sessions()
        if self._system.knows(self._token) and not self._system.locked:
            return
        self._token = 0
        await self._delay()
        if self._system.locked:
            raise TandemError(Kind.AUTH, f"memory: {self._system.name} refuses the log-in")
        token = self._system.log_in(self.declaration.session == "single")
        if self._system.happens(self._system.faults.login_lost):
            raise TandemError(Kind.TRANSIENT, f"memory: {self._system.name} did not answer the log-in")
        self._token = token

    def _check_session(self) -> None:
        """Somebody else's log-in may have ended ours on the way: nothing is done then."""
        if self._needs_session and not self._system.knows(self._token):
            raise TandemError(Kind.TRANSIENT, f"memory: the session at {self._system.name} has ended")

    async def _delay(self) -> None:
        faults, is_slow = self._system.faults, self._system.happens(self._system.faults.slow)
        await anyio.sleep(faults.slow_s if is_slow else faults.delay_s * self._system.luck.random())

    def _fail(self) -> None:
        if self._system.happens(self._system.faults.transient):
            raise TandemError(Kind.TRANSIENT, f"memory: {self._system.name} is away for a moment")
        if self._system.happens(self._system.faults.rate_limit):
            raise TandemError(
                Kind.RATE_LIMITED,
                "memory: too many requests",
                retry_after_s=self._system.faults.retry_after_s,
            )

    def _read_at(self) -> float | None:
        """The time of the state that a read answers from; None: now."""
        lag_s = self._system.luck.random() * self.declaration.read_lag_s
        return self._system.now() - lag_s if self._system.happens(self._system.faults.lag) else None

    def _need(self, ability: str, declared: bool) -> None:
        if not declared:
            raise TandemError(
                Kind.CONFIG, f"memory: {ability} is not declared here", hint="see the setting `declare`"
            )

    # -- shapes -------------------------------------------------------------------------------------------------

    def _check_fields(self, object_name: str, fields: Sequence[str]) -> None:
        shape = self._system.objects.get(object_name)
        if shape is None:
            known = ", ".join(sorted(self._system.objects)) or "none"
            raise _no_such(f"{self._system.name} has no object {object_name}", known)
        if missing := sorted(set(memory_lines.names(fields)) - set(shape.fields) - {shape.key}):
            raise _no_such(
                f"{object_name} has no field {', '.join(missing)}", ", ".join(sorted(shape.fields))
            )

    def _record(self, object_name: str, id: str, state: State, fields: Sequence[str]) -> Record:
        key, chance = self._system.objects[object_name].key, self._system.faults.drop_field
        whole = {key: id, **(state.fields or {})}
        asked = memory_lines.names(fields)
        told = [name for name in asked if (object_name, name) not in self._system.withheld]
        kept = [name for name in told if name == key or not self._system.happens(chance)]
        modified = state.at + self._system.skew_s
        shown = memory_lines.shown(fields, whole, kept)
        return Record(id, shown, version=str(state.seq), modified=modified)


def _no_such(message: str, known: str) -> TandemError:
    return TandemError(Kind.CONFIG, f"memory: {message}", scope=Scope.STREAM, hint=f"there are: {known}")
