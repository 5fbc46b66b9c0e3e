"""Actions, settlements, parked rows and the ledger in PostgreSQL.

A settlement is one transaction: a statement per kind of thing, whatever their number, and none where there is nothing.
Anything that contradicts what is stored raises BUG and leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.core.changes import Change
from actors.core.guard import Hub, Ledger, Spent
from actors.core.types import SIDES, Action, Binding, Parked, Room, Side
from actors.ports import ChangeIntents, Closed, Counters, Cursor, Lease, RunRow, Settlement
from daemon.store.base import Base, touched
from daemon.store.codec import (
    action,
    action_columns,
    binding_columns,
    change_columns,
    clean,
    columns,
    folded,
    intent_columns,
    kinds_of,
    parked,
    parked_columns,
    rebased_columns,
)
from daemon.store.inbox import ack_hints, put_hints
from daemon.store.pool import Connection, Contradicted, bug
from daemon.store.queries import sql

HOUR_S = 3600


class Settling(Base):
    """The part of the Store port about intents and settlements."""

    async def open_actions(self, link: str) -> Sequence[Action]:
        return [action(row) for row in await self._fetch(sql("actions_open"), link)]

    async def intend(
        self, lease: Lease, run: str, actions: Sequence[Action], begin: RunRow | None = None
    ) -> Sequence[int]:
        if not actions:
            return []
        return await self._intend(lease, run, intent_columns(actions), begin)

    async def intend_changes(
        self, lease: Lease, run: str, intents: ChangeIntents, begin: RunRow | None = None
    ) -> Sequence[int]:
        return await self._intend(lease, run, change_columns(intents), begin) if intents.changes else []

    async def _intend(
        self, lease: Lease, run: str, columns: Sequence[Sequence[Any]], begin: RunRow | None
    ) -> list[int]:
        row = begin or RunRow(run, lease.link)
        begins = begin is not None, row.mode, list(row.scope), row.cause, row.started
        rows = await self._as_holder(lease, sql("intend"), run, self._clock.now(), *columns, *begins)
        return [row["id"] for row in rows]

    async def settle(self, lease: Lease, settlement: Settlement) -> Sequence[int]:
        now = self._clock.now()
        if is_plain(settlement) and await self._settle_plainly(lease, settlement, now):
            return [binding.key for binding in settlement.bindings]
        async with self._fenced(lease) as connection:
            return await self._settle(connection, lease, settlement)

    async def _settle(self, connection: Connection, lease: Lease, settlement: Settlement) -> list[int]:
        """Within a transaction; the keys of its bindings."""
        now = self._clock.now()
        keys = await _put_bindings(connection, lease.link, settlement)
        if settlement.changes:
            await _rebase(connection, lease.link, settlement.changes)
        await _put_actions(connection, lease.link, settlement, keys, now)
        await _put_parked(connection, lease.link, settlement, keys, now)
        await _put_marks(connection, lease.link, settlement, now)
        # Last, since whoever adds a hint to this link waits from here to the commit.
        if settlement.acks or settlement.hints:
            await connection.fetchval(sql("inbox_lock"), lease.link)
        if settlement.acks:
            await ack_hints(connection, lease.link, settlement.acks)
        if settlement.hints:
            await put_hints(connection, lease.link, settlement.hints, now)
        return keys

    async def _settle_plainly(self, lease: Lease, work: Settlement, now: float) -> bool:
        """One statement for what most settlements are: bindings that keep their ids, actions that ended, sums, cursors.

        False: it is something else, or contradicts what is stored; nothing was done, and the long way finds out which.
        """
        try:
            await self._as_holder(lease, sql("settle_plainly"), *plain_arguments(work, now))
        except Contradicted:
            return False
        return True

    async def parked(self, link: str, bindings: Sequence[int]) -> Sequence[Parked]:
        return [parked(row) for row in await self._fetch(sql("parked_of"), link, list(bindings))]

    async def waiting(
        self, link: str, stream: str, after: int, limit: int, room: Room = Room.WAITING
    ) -> Sequence[Parked]:
        rows = await self._fetch(sql("waiting"), link, room.value, stream, after, limit)
        return [parked(row) for row in rows]

    async def spent(
        self, link: str, stream: str, since: float, objects: Mapping[Side, Sequence[str]]
    ) -> Ledger:
        here = [list(objects[side]) for side in SIDES]
        return ledger_of([dict(row) for row in await self._fetch(sql("spent"), link, stream, since, *here)])


def ledger_of(rows: Sequence[Mapping[str, Any]]) -> Ledger:
    """The ledger of a link from the rows of `spent`: its own, and per account that others have spent in."""
    own: dict[tuple[str, str], int] = {}
    for row in rows:
        kinds = [row["kind"]] if row["intent"] is None else kinds_of(row["intent"])
        for kind in kinds if not row["hub"] else ():
            own[row["side"], kind] = own.get((row["side"], kind), 0) + row["used"]
    spent: dict[str, int] = {}
    for (_, kind), used in own.items():
        spent[kind] = spent.get(kind, 0) + used
    hubs: dict[Side, Hub] = {}
    for side in SIDES:
        theirs = [row for row in rows if row["hub"] and row["side"] == side]
        if theirs:
            total = {kind: used for (at, kind), used in own.items() if at == side}
            for row in theirs:
                total[row["kind"]] = total.get(row["kind"], 0) + row["used"]
            hubs[side] = Hub(theirs[0]["hub"], theirs[0]["links"], total)
    return Ledger(spent, hubs)


def is_plain(work: Settlement) -> bool:
    """Whether a settlement consists of nothing but what `settle_plainly` does."""
    beyond = (
        work.dropped,
        work.items,
        work.park,
        work.unpark,
        work.seen,
        work.acks,
        work.hints,
    )
    return not any(beyond) and all(binding.key for binding in work.bindings)


def plain_arguments(work: Settlement, now: float) -> list[object]:
    """What `settle_plainly` takes after the lease."""
    closed = work.closed
    ends = (
        [end.state.value for end in closed],
        [end.target for end in closed],
        [clean(end.error) for end in closed],
    )
    spend = columns(_spend_rows(work.spend), 5)
    counters = [msgspec.structs.astuple(row) for row in _summed(work.counters)]
    cursors = [msgspec.structs.astuple(cursor) for cursor in _last_each(work.cursors)]
    return [
        work.run,
        now,
        int(now // HOUR_S),
        *binding_columns(work.bindings),
        [end.action for end in closed],
        *folded(*ends),
        *spend[:3],
        *columns(counters, 10),
        *columns([row[:-1] for row in cursors], 10),
        *rebased_columns(work.changes),
        [row[-1] for row in cursors],
        *spend[3:],
    ]


async def insert_actions(
    connection: Connection, link: str, run: str, actions: Sequence[Action], now: float, closed: float | None
) -> list[int]:
    """Rows of `actions`, as given; their ids in order."""
    if not actions:
        return []
    rows = await connection.fetch(sql("actions_insert"), link, run, now, closed, *action_columns(actions))
    return [row["id"] for row in rows]


async def _put_bindings(connection: Connection, link: str, work: Settlement) -> list[int]:
    """Cursors first (new bindings are stamped with their generation), then what frees ids, then what takes them."""
    if work.cursors:
        rows = [msgspec.structs.astuple(cursor) for cursor in _last_each(work.cursors)]
        await connection.execute(sql("cursors_put"), link, *columns(rows, 11))
    dropped = sorted(set(work.dropped))
    if dropped and await connection.fetchval(sql("bindings_drop"), link, dropped) != len(dropped):
        raise bug(f"of bindings {dropped} not all are half bindings of link {link}")
    known = [binding for binding in work.bindings if binding.key]
    if known:
        await _replace(connection, link, known)
    new = [binding for binding in work.bindings if not binding.key]
    drawn = await connection.fetch(sql("binding_insert"), link, *binding_columns(new)) if new else []
    keys = iter([row["new_key"] for row in drawn])
    return [binding.key or next(keys) for binding in work.bindings]


async def _replace(connection: Connection, link: str, bindings: Sequence[Binding]) -> None:
    ids = [(row.key, row.a.id if row.a else None, row.b.id if row.b else None) for row in bindings]
    await connection.execute(sql("bindings_release_ids"), link, *columns(ids, 3))
    status = await connection.execute(sql("binding_replace"), link, *binding_columns(bindings))
    if touched(status) != len(bindings):
        raise bug(
            f"of {len(bindings)} bindings of link {link} only {touched(status)} were still at the revision planned"
        )


async def _rebase(connection: Connection, link: str, changes: Sequence[Change]) -> None:
    status = await connection.execute(sql("bindings_rebase"), link, *rebased_columns(changes))
    if touched(status) != len(changes):
        raise bug(
            f"of {len(changes)} changed bindings of link {link} only {touched(status)} were still at the revision planned"
        )


async def _put_actions(
    connection: Connection, link: str, work: Settlement, keys: Sequence[int], now: float
) -> None:
    if work.closed:
        await _close_actions(connection, link, work.closed, now)
    items = [msgspec.structs.replace(item, binding=resolve(item.binding, keys)) for item in work.items]
    await insert_actions(connection, link, work.run, items, now, now)


async def _close_actions(connection: Connection, link: str, closed: Sequence[Closed], now: float) -> None:
    rows = [(end.action, end.state.value, end.target, clean(end.error)) for end in closed]
    status = await connection.execute(sql("actions_close"), link, now, *columns(rows, 4))
    if touched(status) != len(rows):
        raise bug(f"of {len(rows)} actions to close only {touched(status)} are actions of link {link}")


async def _put_parked(
    connection: Connection, link: str, work: Settlement, keys: Sequence[int], now: float
) -> None:
    rows = [msgspec.structs.replace(row, binding=resolve(row.binding, keys)) for row in work.park]
    coming: dict[tuple[int, Room, str], Parked] = {(row.binding, row.room, row.field): row for row in rows}
    if work.unpark:
        await connection.execute(sql("unpark"), link, *columns(work.unpark, 3), *columns(list(coming), 3))
    if coming:
        await connection.execute(sql("park"), link, now, *parked_columns(coming.values()))


async def _put_marks(connection: Connection, link: str, work: Settlement, now: float) -> None:
    for stream, side, generation, ids in work.seen:
        await connection.execute(sql("bindings_mark_seen", side=side), link, stream, generation, list(ids))
    if work.spend:
        spend = columns(_spend_rows(work.spend), 5)
        await connection.execute(sql("spend"), link, int(now // HOUR_S), *spend)
    if work.counters:
        rows = [msgspec.structs.astuple(counters) for counters in _summed(work.counters)]
        await connection.execute(sql("count"), work.run, *columns(rows, 10))


def resolve(binding: int, keys: Sequence[int]) -> int:
    """A negative number -n stands for the n-th binding of the settlement, whose key is drawn with it."""
    return keys[-binding - 1] if binding < 0 else binding


def _spend_rows(spend: Mapping[Spent, int]) -> list[tuple[str, str, int, str, str]]:
    return [(stream, kind, used, side, name) for (stream, side, name, kind), used in spend.items()]


def _last_each(cursors: Sequence[Cursor]) -> list[Cursor]:
    return list({(cursor.stream, cursor.side): cursor for cursor in cursors}.values())


def _summed(counters: Sequence[Counters]) -> list[Counters]:
    """One row per stream and side: an upsert must not meet a row twice."""
    totals: dict[tuple[str, str], tuple[int, ...]] = {}
    for row in counters:
        stream, side, *numbers = msgspec.structs.astuple(row)
        before = totals.get((stream, side), (0,) * len(numbers))
        totals[stream, side] = tuple(old + more for old, more in zip(before, numbers, strict=True))
    return [
        Counters(stream, "a" if side == "a" else "b", *numbers) for (stream, side), numbers in totals.items()
    ]
