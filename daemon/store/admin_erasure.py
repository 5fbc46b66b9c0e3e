"""Erasing what the store remembers of a record, in one transaction: values and ids go, counts and hashes stay. SPEC B17."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

import msgspec

from actors.core import erasure, several
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
            actions = planned = rows = 0
            every = await _everywhere(db, link, stream, binding(row))
            for known in every:
                actions += await _erase_actions(db, link, known)
                after = erasure.forget(stream, known, secrets.token_hex(8))
                after = msgspec.structs.replace(after, rev=known.rev + 1)
                await db.execute(sql("binding_replace"), link, *binding_columns([after]))
                found = await db.fetchval(sql("erase_planned"), link, known.key)
                if found:  # what waited for a yes is derived again
                    await db.fetchval(sql("inbox_lock"), link)
                    await put_hints(db, link, [_hint(stream, known)], self._clock.now())
                planned += found
                parked_rows = await db.fetch(
                    sql("erasure_parked"), link, known.key, stream.name, *_ids(known)
                )
                await _erase_parked(db, parked_rows)
                rows += len(parked_rows)
        return ErasedInfo(every[0].key, actions, planned, rows)


async def _everywhere(db: Connection, link: str, stream: StreamSpec, known: Binding) -> list[Binding]:
    """The record, the pair first: with what stands for it in other objects of its side, where it was left, or stands as
    well."""
    side = stream.several
    found, ways = {known.key: known}, [known]
    while side is not None and ways:
        one = ways.pop()
        held = one.side(side)
        notes = several.notes_of(held.id) if held is not None else ()
        rows = list(await db.fetch(sql("bindings_noted"), link, stream.name, list(notes)))
        rows += await db.fetch(sql("bindings_by_id", side=side), link, stream.name, [several.moved_to(one)])
        for other in map(binding, rows):
            if other.key not in found:
                found[other.key] = other
                ways.append(other)
    return sorted(found.values(), key=lambda one: (bool(several.moved_to(one)), one.key))


def _hint(stream: StreamSpec, known: Binding) -> Hint:
    side: Side = "a" if known.a is not None else "b"
    held = known.side(side)
    return Hint(stream.name, side, held.id if held is not None else "", "erased")


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
