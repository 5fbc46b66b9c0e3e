"""The users and programs of both systems: they edit, add and delete while everything around them dies.

Every value that they write is new, so that it can be followed. What they saw when they wrote is in the systems' witness.
Must not: keep any record of what they did themselves, or know Tandem.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import TypeAlias

import anyio
import asyncpg

from tests.chaos.auditor import Side
from tests.chaos.systems import MERGED, OWNED, System

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
HOT = 40  # ids up to here are everybody's favourites, so that two people meet on one field
PAUSE_MAX_S = 0.2
BULK = 200


class People:
    """Everybody who works in one system. `luck` decides what they do; when exactly, the machine does."""

    def __init__(self, system: System, luck: random.Random) -> None:
        self._system = system
        self._luck = luck
        self._numbers = count(1)
        self._own = "phone" if system.side == "a" else "mail"  # their programs' concern, mostly
        self._deeds: Sequence[tuple[int, Callable[[Session], Awaitable[None]]]] = (
            (30, self._edit_one),
            (20, self._edit_favourites),
            (8, self._edit_many),
            (8, self._save_unchanged),
            (12, self._add),
            (4, self._delete),
            (6, self._change_their_mind),
            (4, self._take_their_time),
        )

    async def work(self, done: anyio.Event) -> None:
        """One user, until everybody goes home."""
        async with self._system.session() as session:
            while not done.is_set():
                weights = [weight for weight, _ in self._deeds]
                ((_, deed),) = self._luck.choices(self._deeds, weights)
                await deed(session)
                await anyio.sleep(self._luck.uniform(0, PAUSE_MAX_S))

    async def move_in(self, records: int, shared: int) -> None:
        """What stands in the system before Tandem first sees it; `shared` people stand in both."""
        side = self._system.side
        names = [(f"Shared {n}", n) for n in range(shared)]
        names += [(f"Of {side} {n}", n) for n in range(records - shared)]
        rows = [(name, *self._first(name, n), f"{side} of {name}") for name, n in names]
        async with self._system.session() as session:
            await session.copy_records_to_table(
                "people", records=rows, columns=["name", *MERGED, OWNED, "origin"]
            )

    def _first(self, name: str, n: int) -> tuple[str | None, ...]:
        """Shared people meet with fields that only one side has; one in fifty with a field that both have."""
        in_a = self._system.side == "a"
        filled = (
            (in_a, not in_a, n % 50 == 0, in_a) if name.startswith("Shared") else (True, False, True, in_a)
        )
        return tuple(self._value() if one else None for one in filled)

    def _value(self) -> str:
        """A value that was never written before."""
        return f"{self._system.side}{next(self._numbers)}"

    async def _some(self, session: Session, at_most: int) -> int:
        """The id of somebody, or 0."""
        found = await session.fetchval(
            "SELECT id FROM people WHERE id >= $1 ORDER BY id LIMIT 1", self._luck.randint(1, at_most)
        )
        return int(found or 0)

    async def _anybody(self, session: Session) -> int:
        return await self._some(session, await session.fetchval("SELECT coalesce(max(id), 1) FROM people"))

    async def _edit_one(self, session: Session) -> None:
        await self._edit(session, await self._anybody(session), self._luck.choice((1, 1, 2)))

    async def _edit_favourites(self, session: Session) -> None:
        await self._edit(session, await self._some(session, HOT), 1)

    async def _edit(self, session: Session, id_: int, fields: int) -> None:
        chosen = self._luck.sample((*MERGED, OWNED), fields)
        values = [self._value() for _ in chosen]
        sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(chosen, 2))
        await session.execute(f"UPDATE people SET {sets} WHERE id = $1", id_, *values)

    async def _edit_many(self, session: Session) -> None:
        """One statement over many records, as a program does."""
        where, value = self._luck.choice((self._own, self._own, self._own, *MERGED)), self._value()
        first = await self._anybody(session)
        await session.execute(
            f"UPDATE people SET {where} = $1 || '.' || id WHERE id >= $2 AND id < $3",
            value,
            first,
            first + self._luck.randint(2, BULK),
        )

    async def _save_unchanged(self, session: Session) -> None:
        first = await self._anybody(session)
        await session.execute("UPDATE people SET name = name WHERE id >= $1 AND id < $1 + 20", first)

    async def _add(self, session: Session) -> None:
        side, number = self._system.side, next(self._numbers)
        name = f"New of {side} {number}"
        values = [self._value() if self._luck.random() < 0.7 else None for _ in MERGED]
        level = self._value() if side == "a" else None
        await session.execute(
            f"INSERT INTO people (name, {', '.join(MERGED)}, {OWNED}, origin) VALUES ($1, $2, $3, $4, $5, $6)",
            name,
            *values,
            level,
            f"{side} of {name}",
        )

    async def _delete(self, session: Session) -> None:
        await session.execute(
            "DELETE FROM people WHERE id = $1 AND name NOT LIKE 'Shared %'", await self._anybody(session)
        )

    async def _change_their_mind(self, session: Session) -> None:
        """Writes that are taken back: nobody may ever see them elsewhere."""
        transaction = session.transaction()
        await transaction.start()
        await self._edit(session, await self._anybody(session), 2)
        await transaction.rollback()

    async def _take_their_time(self, session: Session) -> None:
        """A form that stays open: the record is locked meanwhile."""
        async with session.transaction():
            await self._edit(session, await self._some(session, HOT), 1)
            await anyio.sleep(self._luck.uniform(0.2, 1.0))


def everybody(systems: Sequence[System], seed: int) -> dict[Side, People]:
    """The people of both systems, each with a luck of their own."""
    return {
        system.side: People(system, random.Random(f"{seed} {system.side}"))  # noqa: S311 -- choices, no secret
        for system in systems
    }
