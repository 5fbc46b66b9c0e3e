"""Writing: a group of rows is one statement in one transaction, so a write happens with its precondition or not at all.

A group that the server refuses is halved until the culprit stands alone. Before COMMIT leaves, a lost line means
surely not done; after it, not known. A single update commits itself, in one round trip, on a line whose statements the
server ends soon enough. Must not read rows for any other purpose than to say why nothing was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import anyio
import asyncpg
import msgspec

from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.systems import postgres_errors as errors
from clients.connectors.systems.postgres_catalog import Table
from clients.connectors.systems.postgres_look import Delivery, fetch_readable
from clients.connectors.systems.postgres_own import TRANSACTION, OwnWrites
from clients.connectors.systems.postgres_session import Connection, Session, cut
from clients.connectors.systems.postgres_statements import Shape, grouped
from clients.connectors.systems.postgres_values import encoded, fill, quoted

EXISTING = "SELECT t.{key}::text AS id FROM {table} AS t WHERE t.{key} = ANY ($1::text[]::{cast}[])"
MAY = "SELECT has_any_column_privilege($1::bigint::oid, $2) AS may"
MAY_DELETE = "SELECT has_table_privilege($1::bigint::oid, $2) AS may"
PRIVILEGES: Mapping[Op, str] = {Op.CREATE: "INSERT", Op.UPDATE: "UPDATE", Op.DELETE: "DELETE"}
# A plan that became old under our feet: the same statement, asked again, is planned anew.
_STALE_PLAN = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
SWALLOWED = "nothing was written: a trigger, rule or policy of the table discarded it"
ABANDON_TIMEOUT_S = 2.0
# How long a statement that commits itself may take, by the server's own clock: well within the declared vendor_tail_s, so
# that one which leaves before the deadline is over when others conclude that it was not done, whatever becomes of us.
QUICK_S = 2.0
TOO_LONG = "57014"
LATE = TandemError(Kind.TRANSIENT, "the deadline has passed")


Results: TypeAlias = "dict[int, WriteResult | None]"


class _Unmatched(Exception):
    """The rows of a reply can't be told apart: a trigger changed their keys. Rolled back, then tried one by one."""


class Unit(Protocol):
    """The lines of the one record of a batch (postgres_lines)."""

    async def before(self, connection: Connection, record: Write) -> WriteResult | None:
        """What has to be done before the record is written; the result where nothing may be."""
        ...

    async def after(self, connection: Connection, delivery: Delivery, result: WriteResult) -> WriteResult:
        """What has to be done once it is."""
        ...


class _Undone(Exception):
    """The record was not written, so nothing of its lines may be. Rolled back; `results` say why."""

    def __init__(self, results: Results) -> None:
        super().__init__()
        self.results = results


class CommitLost(Exception):
    """COMMIT left, and no answer came."""


@dataclass(slots=True)
class _Batch:
    """One call of `write`: what is known so far by place, and why the rest was not tried."""

    table: Table
    delivery: Delivery
    writes: Sequence[Write]
    until: float
    unit: Unit | None = None  # the one write of this batch is of a record with lines
    results: dict[int, WriteResult] = field(default_factory=dict)
    stopped: TandemError | None = None
    made_by: str = ""  # the transaction that wrote last


class Writer:
    """Writes of one connection. `quick`: lines to the same database whose statements may take `QUICK_S`."""

    def __init__(self, session: Session, quick: Session, own: OwnWrites) -> None:
        self._session = session
        self._quick = quick
        self._own = own

    async def write(
        self,
        table: Table,
        writes: Sequence[Write],
        delivery: Delivery,
        *,
        unit: Unit | None = None,
        until: float | None = None,
    ) -> list[WriteResult]:
        """One result per write. Raises only where nothing was done and nothing is known of any of them. `unit`: the lines of
        the record, of which there is one then. `until`: the deadline, where it began to run before."""
        until = self.until() if until is None else until
        batch = _Batch(table, delivery, [_with_key(table, write) for write in writes], until, unit)
        for shape, places in tuple(grouped(table, batch.writes)):
            await self._apply(batch, shape, places)
        if batch.stopped is not None and not batch.results:
            raise batch.stopped
        not_done = WriteResult(WriteStatus.NOT_DONE, error=str(batch.stopped))
        return [batch.results.get(place, not_done) for place in range(len(writes))]

    def until(self) -> float:
        """When what begins now has to be over."""
        return anyio.current_time() + self._session.deadline_s

    async def _apply(self, batch: _Batch, shape: Shape, places: list[int], *, is_last: bool = False) -> None:
        """Carry out a group and note the results; halve it where it is refused as a whole."""
        if batch.stopped is None and anyio.current_time() > batch.until:
            batch.stopped = LATE
        if batch.stopped is not None:
            return
        try:
            results = await self._twice(batch, shape, places)
        except CommitLost as error:
            unknown = WriteResult(WriteStatus.UNKNOWN, error=str(error))
            batch.results.update(dict.fromkeys(places, unknown))
        except _Unmatched:
            await self._halve(batch, shape, places)
        except (TandemError, *errors.FAILURES) as error:
            await self._failed(batch, shape, places, error)
        else:
            batch.results.update({place: result for place, result in results.items() if result is not None})
            swallowed = [place for place, result in results.items() if result is None]
            await self._again(batch, shape, swallowed, is_last=is_last)

    async def _again(self, batch: _Batch, shape: Shape, places: list[int], *, is_last: bool) -> None:
        """What was not written although its precondition holds: once more, alone, then the table swallows it."""
        for place in places:
            if is_last:
                batch.results[place] = WriteResult(
                    WriteStatus.REFUSED, batch.writes[place].id, error=SWALLOWED
                )
            else:
                await self._apply(batch, shape, [place], is_last=True)

    async def _halve(self, batch: _Batch, shape: Shape, places: list[int]) -> None:
        half = len(places) // 2
        await self._apply(batch, shape, places[:half])
        await self._apply(batch, shape, places[half:])

    async def _twice(self, batch: _Batch, shape: Shape, places: list[int]) -> Results:
        """At once where that is possible, else in a transaction, and in a second one where the line was lost before COMMIT,
        or the plan was stale."""
        if len(places) == 1 and shape.op is Op.UPDATE and batch.unit is None:
            results = await self._at_once(batch, shape, places)
            if results is not None:
                return results
        try:
            return await self._in_transaction(batch, shape, places)
        except errors.FAILURES as error:
            if not errors.is_lost(error) and not isinstance(error, _STALE_PLAN):
                raise
        return await self._in_transaction(batch, shape, places)

    async def _failed(self, batch: _Batch, shape: Shape, places: list[int], error: Exception) -> None:
        """Sort out a failure before COMMIT: nothing of this group was done."""
        try:
            if not await self._is_refusal(batch, shape, error):
                raise errors.translated(error, f"write {batch.table.object}", self._session.secrets)
            if len(places) > 1:
                await self._halve(batch, shape, places)
            else:
                batch.results[places[0]] = await self._refused(batch, shape, batch.writes[places[0]], error)
        except TandemError as stopped:
            batch.stopped = batch.stopped or stopped
            if stopped.kind is Kind.TRANSIENT:
                not_done = WriteResult(WriteStatus.NOT_DONE, error=str(stopped))
                batch.results.update({place: not_done for place in places if place not in batch.results})

    async def _is_refusal(self, batch: _Batch, shape: Shape, error: Exception) -> bool:
        """Row level security says "permission denied" as well; it speaks of a record, a missing right does not."""
        if errors.sqlstate(error) != "42501":
            return errors.is_refusal(error)
        query = MAY_DELETE if shape.op is Op.DELETE else MAY
        rows = await self._session.fetch("look at rights", query, batch.table.oid, PRIVILEGES[shape.op])
        return bool(rows[0]["may"])

    async def _refused(self, batch: _Batch, shape: Shape, write: Write, error: Exception) -> WriteResult:
        said = errors.words(error)
        if shape.op is not Op.CREATE and not await self._exists(batch.table, write.id):
            return WriteResult(WriteStatus.GONE, write.id)
        if errors.sqlstate(error) == "23505" and write.id and shape.op is Op.CREATE:
            said = f"exists already: {said}" if await self._exists(batch.table, write.id) else said
        return WriteResult(WriteStatus.REFUSED, write.id, error=said)

    async def _exists(self, table: Table, id_: str) -> bool:
        query = fill(EXISTING, key=quoted(table.key.name), table=table.sql, cast=table.key.cast)

        async def ask(connection: Connection) -> bool:
            return any(row["id"] == id_ for row in await fetch_readable(connection, query, [id_]))

        return await self._session.reading(f"read {table.object}", ask)

    async def _at_once(self, batch: _Batch, shape: Shape, places: list[int]) -> Results | None:
        """One statement, which commits itself. None: nothing was done, it needs more time. Raises as `_in_transaction`."""
        arrays = shape.arrays([batch.writes[place] for place in places])
        async with self._quick.connection() as connection:
            if min(batch.until, anyio.current_effective_deadline()) - anyio.current_time() < QUICK_S:
                return None
            try:
                rows = await _sent(connection, batch, shape, arrays)
            except errors.FAILURES as error:
                if errors.sqlstate(error) == TOO_LONG or isinstance(error, _STALE_PLAN):
                    return None
                if errors.is_refusal(error) or (
                    isinstance(error, asyncpg.PostgresError) and not errors.is_lost(error)
                ):
                    raise
                cut(connection)
                raise CommitLost(f"the line was lost while writing: {errors.words(error)}") from error
            results = await _told(connection, batch, shape, places, rows)
        self._note(batch, results)
        return results

    def _note(self, batch: _Batch, results: Results) -> None:
        """What is committed comes back as an echo."""
        if batch.made_by:
            done = (r.id for r in results.values() if r is not None and r.status is WriteStatus.DONE)
            self._own.note(batch.made_by, batch.table.oid, done)

    async def _in_transaction(self, batch: _Batch, shape: Shape, places: list[int]) -> Results:
        """All or nothing. Raises CommitLost where the outcome is not known; after any other error it is: nothing."""
        async with self._session.connection() as connection:
            transaction = connection.transaction()
            try:
                await transaction.start()
                results = await _whole(connection, batch, shape, places)
                if anyio.current_time() > batch.until:
                    raise TimeoutError(LATE.message)
            except _Undone as nothing:
                await transaction.rollback()
                return nothing.results
            except (*errors.FAILURES, _Unmatched):
                with anyio.CancelScope(shield=True), suppress(*errors.FAILURES):
                    await transaction.rollback()
                raise
            except BaseException:
                await abandon(connection)
                raise
            await commit(connection, transaction)
            self._note(batch, results)
            return results


async def commit(connection: Connection, transaction: asyncpg.transaction.Transaction) -> None:
    """Raises CommitLost where nobody knows whether it took place."""
    try:
        await transaction.commit()
    except errors.FAILURES as error:
        if isinstance(error, asyncpg.PostgresError) and not errors.is_lost(error):
            # An answer: a deferred constraint, say. It is rolled back.
            raise
        cut(connection)
        raise CommitLost(f"the line was lost while committing: {errors.words(error)}") from error
    except BaseException:
        await abandon(connection)
        raise


async def abandon(connection: Connection) -> None:
    """Cancelled: stop what runs on the server, so that it holds no locks for nobody, then end the line."""
    with anyio.CancelScope(shield=True), suppress(*errors.FAILURES):
        with anyio.fail_after(ABANDON_TIMEOUT_S):
            await connection.execute("ROLLBACK")
    cut(connection)


async def _whole(connection: Connection, batch: _Batch, shape: Shape, places: list[int]) -> Results:
    """Rows, or one row with its lines."""
    if batch.unit is None:
        return await _carry_out(connection, batch, shape, places)
    (place,) = places
    write = batch.writes[place]
    said = await batch.unit.before(connection, write)
    if said is not None:
        return {place: said}
    if shape.op is Op.UPDATE and not shape.written:  # nothing of the record itself: whether it is as seen
        results = await _told(connection, batch, shape, places, ())
        results = {place: results[place] or WriteResult(WriteStatus.DONE, write.id)}
    else:
        results = await _carry_out(connection, batch, shape, places)
    result = results[place]
    if result is None or result.status is not WriteStatus.DONE:
        raise _Undone(results)
    return {place: await batch.unit.after(connection, batch.delivery, result)}


async def _carry_out(connection: Connection, batch: _Batch, shape: Shape, places: list[int]) -> Results:
    """Results by place; None for what was not written although its precondition holds."""
    arrays = shape.arrays([batch.writes[place] for place in places]) if shape.takes_values else []
    return await _told(connection, batch, shape, places, await _sent(connection, batch, shape, arrays))


async def _sent(
    connection: Connection, batch: _Batch, shape: Shape, arrays: Sequence[list[str | None]]
) -> Sequence[asyncpg.Record]:
    is_single = shape.op is Op.UPDATE and len(arrays[0]) == 1
    wanted = f"{batch.delivery.sql}, {TRANSACTION}"
    rows = await connection.fetch(shape.statement(wanted, is_single=is_single), *arrays)
    batch.made_by = rows[0][-2] if rows else ""
    return rows


async def _told(
    connection: Connection, batch: _Batch, shape: Shape, places: list[int], rows: Sequence[asyncpg.Record]
) -> Results:
    writes = [batch.writes[place] for place in places]
    if shape.op is Op.CREATE:
        return _created(batch.delivery, places, writes, rows)
    done = {row[-1]: row for row in rows}
    missing = [write for write in writes if write.id not in done]
    held = await connection.fetch(shape.still(), *shape.arrays(missing)) if missing else []
    still = {row["id"]: row["holds"] for row in held}
    results: Results = {}
    for place, write in zip(places, writes, strict=True):
        if write.id in done:
            record = batch.delivery.record(done[write.id])
            results[place] = WriteResult(
                WriteStatus.DONE, record.id, None if shape.op is Op.DELETE else record
            )
        elif write.id not in still:
            results[place] = WriteResult(WriteStatus.GONE, write.id)
        else:
            results[place] = None if still[write.id] else WriteResult(WriteStatus.MOVED_ON, write.id)
    return results


def _created(
    delivery: Delivery, places: list[int], writes: Sequence[Write], rows: Sequence[asyncpg.Record]
) -> Results:
    if len(places) == 1:
        if not rows:
            return {places[0]: WriteResult(WriteStatus.REFUSED, writes[0].id, error=SWALLOWED)}
        return {places[0]: WriteResult(WriteStatus.DONE, rows[0][-1], delivery.record(rows[0]))}
    records = {row[-1]: delivery.record(row) for row in rows}
    if set(records) != {write.id for write in writes}:
        raise _Unmatched
    return {
        place: WriteResult(WriteStatus.DONE, write.id, records[write.id])
        for place, write in zip(places, writes, strict=True)
    }


def _with_key(table: Table, write: Write) -> Write:
    """A create whose key is one of its fields has that as its id, whatever was reserved."""
    own = write.native.get(table.key.name)
    if write.op is not Op.CREATE or own is None or isinstance(own, tuple):
        return write
    return msgspec.structs.replace(write, id=encoded(table.key, own) or "")
