"""Erasing what the store remembers of a record, in one transaction: values and ids go, counts and hashes stay. SPEC B17."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

import msgspec

from actors.core import erasure
from actors.core.policy import StreamSpec
from actors.core.types import OPEN_STATES, Binding, Hint, Side
from daemon.store.admin_streams import take_lease
from daemon.store.base import Base
from daemon.store.codec import Row, action, action_columns, binding, binding_columns, parked, parked_columns
from daemon.store.inbox import put_hints
from daemon.store.pool import Connection
from daemon.store.queries import sql
from daemon.store.rows import ErasedInfo, Missing, Refused

PAGE: Final = 1000


class AdminErasure(Base):
    """The part of the admin queries about erasure."""

    async def erase(self, link: str, stream: StreamSpec, side: Side, id_: str) -> ErasedInfo:
        """Erase what is remembered of a record. Whoever works on the link loses the lease: it knows the values.

        `Missing` where no such record is known; `Refused` while a write to it is not settled, which is found by its values.
        """
        async with self._transaction() as db:
            await take_lease(db, link)
            row = await db.fetchrow(sql("bindings_by_id", side=side), link, stream.name, [id_])
            if row is None:
                raise Missing("record", f"{stream.name} {side}:{id_}")
            known = binding(row)
            actions = await _erase_actions(db, link, known)
            after = erasure.forget(stream, known, secrets.token_hex(8))
            after = msgspec.structs.replace(after, rev=known.rev + 1)
            await db.execute(sql("binding_replace"), link, *binding_columns([after]))
            planned = await db.fetchval(sql("erase_planned"), link, known.key)
            if planned:  # what waited for a yes is derived again
                await db.fetchval(sql("inbox_lock"), link)
                await put_hints(db, link, [Hint(stream.name, side, id_, "erased")], self._clock.now())
            rows = await db.fetch(sql("erasure_parked"), link, known.key, stream.name, *_ids(known))
            await _erase_parked(db, rows)
        return ErasedInfo(known.key, actions, planned, len(rows))


async def _erase_actions(db: Connection, link: str, known: Binding) -> int:
    """Lines of the protocol, also of the half binding that it may have been before."""
    count = after = 0
    while rows := await db.fetch(
        sql("erasure_actions"), link, known.stream, known.key, *_ids(known), after, PAGE
    ):
        after = rows[-1]["id"]
        lines = [action(row) for row in rows]
        if any(line.state in OPEN_STATES for line in lines):
            raise Refused(
                "a write to this record is under way, and is found by its values",
                "wait until its outcome is settled, then erase again",
            )
        bare = [erasure.of_action(line) for line in lines]
        columns = action_columns(bare)
        reason, target, origin, error, data = (columns[place] for place in (6, 7, 8, 11, 12))
        ids = [line.id for line in lines]
        await db.execute(sql("erase_actions"), link, ids, reason, target, origin, error, data)
        count += len(lines)
    return count


async def _erase_parked(db: Connection, rows: Sequence[Row]) -> None:
    bare = [erasure.of_parked(parked(row)) for row in rows]
    columns = parked_columns(bare)
    record, reason, detail = columns[5], columns[6], columns[8]
    await db.execute(sql("erase_parked"), [row["id"] for row in rows], record, reason, detail)


def _ids(known: Binding) -> tuple[str | None, str | None]:
    return known.a.id if known.a is not None else None, known.b.id if known.b is not None else None
