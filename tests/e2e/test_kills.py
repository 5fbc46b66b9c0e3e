"""The daemon and its database are killed at random moments while people write on both sides; then an auditor compares.

Short for the suite; `TANDEM_KILLS=200` makes it long, `TANDEM_KILLS_SEED` repeats a choice of moments (the machine's own
timing stays its own). The auditor knows the two systems and what their users wrote, nothing of Tandem: everybody stands
once on each side, columns that are nobody's business are untouched, and every value that was written is on both sides, or
was replaced by somebody who saw it, or stands in the list of conflicts.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.connectors.pgserver import new_database, postgres_url
from tests.e2e.world import BLUEPRINT, Row, World, person, world_of

__all__ = ["postgres_url"]

KILLS = int(os.environ.get("TANDEM_KILLS", "5"))
# Each kill, the restart and the work in between take a few seconds; at the end everything must come to rest.
REST_S = 90.0 + KILLS
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60 + 8 * KILLS + REST_S)]

SEED = int(os.environ.get("TANDEM_KILLS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
BORN = 30  # on each side, before the daemon first sees them
FIELDS = ("phone", "mail", "city")
# The users write every field far more often than anybody would: nothing there is contested.
RULES = BLUEPRINT.replace("version: 1\n", "version: 1\nbreaker: 100000\n")


@dataclass
class Ledger:
    """What the users of both systems wrote: per person and field, each value and the one it took the place of."""

    born: dict[str, str] = field(default_factory=dict)  # name -> the side where the person first stood
    wrote: dict[tuple[str, str], dict[str, str]] = field(
        default_factory=dict
    )  # (name, field) -> {value: replaced}
    last: dict[tuple[str, str], str] = field(default_factory=dict)
    count: int = 0

    def value(self, side: str) -> str:
        """A value that was never written before."""
        self.count += 1
        return f"{side}{self.count}"

    def note(self, name: str, where: str, value: str, replaced: str) -> None:
        """Somebody wrote."""
        self.wrote.setdefault((name, where), {})[value] = replaced
        self.last[name, where] = value


@pytest.fixture
async def world(tmp_path: Path, postgres_url: str) -> AsyncIterator[World]:
    async with new_database(postgres_url) as url, world_of(tmp_path, url) as found:
        yield found


async def test_killed_at_any_moment_nothing_is_lost_and_nothing_doubled(world: World) -> None:
    luck = random.Random(SEED)  # noqa: S311 -- moments and choices, no secret
    ledger, done = Ledger(), anyio.Event()
    for _ in range(BORN):
        write_erp(world, ledger, luck, new=True)
        await write_crm(world, ledger, luck, new=True)
    world.start(lease_ttl_s="2")
    await world.connect(RULES)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(erp_users, world, ledger, luck, done)
        tasks.start_soon(crm_users, world, ledger, luck, done)
        for _ in range(KILLS):
            await anyio.sleep(luck.uniform(0.1, 2.5))
            victim = luck.choice(("daemon", "daemon", "database", "both"))
            if victim != "daemon":
                world.kill_database()
            if victim != "database":
                await anyio.sleep(luck.choice((0, 0, luck.uniform(0, 0.3))))
                world.kill()
                await anyio.to_thread.run_sync(lambda: world.start(lease_ttl_s="2"))
        done.set()
    await world.quiet(REST_S)
    found = [*await audit(world, ledger)]
    assert not found, f"seed {SEED}, {KILLS} kills, {len(ledger.born)} people:\n" + "\n".join(found)


# ------------------------------------------------------------------------------------------------------- the users


async def erp_users(world: World, ledger: Ledger, luck: random.Random, done: anyio.Event) -> None:
    """Programs of the ERP: they read the file, change a few rows and put it back."""
    while not done.is_set():
        await anyio.to_thread.run_sync(write_erp, world, ledger, luck, luck.random() < 0.15)
        await anyio.sleep(luck.uniform(0.0, 0.3))


async def crm_users(world: World, ledger: Ledger, luck: random.Random, done: anyio.Event) -> None:
    """Users of the CRM."""
    while not done.is_set():
        await write_crm(world, ledger, luck, new=luck.random() < 0.15)
        await anyio.sleep(luck.uniform(0.0, 0.15))


def write_erp(world: World, ledger: Ledger, luck: random.Random, new: bool) -> None:
    """A new customer, or a few new phones and towns."""
    with world.editing() as rows:
        if new:
            name = f"Person of the ERP {len(ledger.born)}"
            rows.append(person(len(ledger.born), NAME=name, ORIGIN=f"erp of {name}"))
            ledger.born[name] = "a"
            return
        for row in luck.sample(rows, min(len(rows), luck.choice((1, 1, 5, 40)))):
            where = luck.choice(("phone", "phone", "city"))
            value = ledger.value("a")
            ledger.note(row["NAME"], where, value, row[where.upper()])
            row[where.upper()] = value


async def write_crm(world: World, ledger: Ledger, luck: random.Random, new: bool) -> None:
    """A new customer, or a few new mail addresses and towns."""
    if new:
        name = f"Person of the CRM {len(ledger.born)}"
        ledger.born[name] = "b"
        await world.sql("INSERT INTO people (name, origin) VALUES ($1, $2)", name, f"crm of {name}")
        return
    async with world.database() as crm:
        ids = [row["id"] for row in await crm.fetch("SELECT id FROM people")]
        for id_ in luck.sample(ids, min(len(ids), luck.choice((1, 1, 5, 40)))):
            where, value = luck.choice(("mail", "mail", "city")), ledger.value("b")
            async with crm.transaction():
                old = await crm.fetchrow("SELECT * FROM people WHERE id = $1 FOR UPDATE", id_)
                assert old is not None
                await crm.execute(f"UPDATE people SET {where} = $1 WHERE id = $2", value, id_)
            ledger.note(old["name"], where, value, old[where] or "")


# ------------------------------------------------------------------------------------------------------ the auditor


async def audit(world: World, ledger: Ledger) -> list[str]:
    """Everything that is wrong, in words."""
    erp = world.rows()
    crm = await world.sql("SELECT * FROM people")
    conflicts = {(one.record, one.field) for one in await world.conflicts()}
    found = [
        *_once("the ERP", [row["NAME"] for row in erp], ledger),
        *_once("the CRM", [r["name"] for r in crm], ledger),
    ]
    found += [f"left in a room: {one.room} {one.record} {one.reason}" for one in await world.parked()]
    partners = {row["name"]: row for row in crm}
    for row in erp:
        if row["NAME"] in partners:
            found += _pair(row, partners[row["NAME"]], ledger, conflicts)
    return found


def _once(where: str, names: list[str], ledger: Ledger) -> Iterable[str]:
    counts = Counter(names)
    for name in ledger.born:
        if counts[name] != 1:
            yield f"{name} stands {counts[name]} times in {where}"
    yield from (f"{name} in {where} is nobody" for name in counts.keys() - ledger.born.keys())


def _pair(erp: Row, crm: Any, ledger: Ledger, conflicts: set[tuple[str, str]]) -> Iterable[str]:
    name = erp["NAME"]
    origins = (f"erp of {name}", None) if ledger.born[name] == "a" else ("", f"crm of {name}")
    if (erp["ORIGIN"], crm["origin"]) != origins:
        yield f"{name}: a column that is nobody's business was touched: {erp['ORIGIN']!r} / {crm['origin']!r}"
    if erp["NR"] != crm["number"]:
        yield f"{name}: number {erp['NR']} / {crm['number']}"
    for where in FIELDS:
        left, right = erp[where.upper()], crm[where] or ""
        is_listed = (erp["NR"], where) in conflicts
        if (left != right) != is_listed:
            yield f"{name}, {where}: {left!r} / {right!r}, {'listed' if is_listed else 'not listed'}"
        lost = _lost(ledger.wrote.get((name, where), {}), {left, right})
        if lost:
            history = ledger.wrote.get((name, where), {})
            yield f"{name}, {where}: lost {sorted(lost)}; shown {left!r} / {right!r}; history {history}"


def _lost(wrote: dict[str, str], shown: set[str]) -> set[str]:
    """Values that are neither shown nor were replaced, step by step, by somebody who saw them on the way to what is."""
    reached, todo = set(), list(shown)
    while todo:
        value = todo.pop()
        if value in wrote and value not in reached:
            reached.add(value)
            todo.append(wrote[value])
    return wrote.keys() - reached
