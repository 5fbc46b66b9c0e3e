"""The daemon and its database are killed at random moments while people write on both sides; then an auditor compares.

Short for the suite; `TANDEM_KILLS=200` makes it long, `TANDEM_KILLS_SEED` repeats a choice of moments (the machine's own
timing stays its own). The auditor (tests/chaos/auditor.py) knows the two systems and what their users wrote, nothing of
Tandem. Here a file is one side; `make chaos` does more of it, between two databases.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.chaos.auditor import Edit, Evidence, Side, audit
from tests.connectors.pgserver import new_database, postgres_url
from tests.e2e.world import BLUEPRINT, World, person, world_of

__all__ = ["postgres_url"]

KILLS = int(os.environ.get("TANDEM_KILLS", "5"))
# Each kill, the restart and the work in between take a few seconds; at the end everything must come to rest.
REST_S = 90.0 + KILLS
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60 + 15 * KILLS + REST_S)]

SEED = int(os.environ.get("TANDEM_KILLS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
BORN = 30  # on each side, before the daemon first sees them
FIELDS = ("phone", "mail", "city")
# The users write every field far more often than anybody would: nothing there is contested.
RULES = BLUEPRINT.replace("version: 1\n", "version: 1\nbreaker: 100000\n")


@dataclass
class Ledger:
    """What the users of both systems wrote: each value with the one it took the place of."""

    born: dict[str, set[Side]] = field(default_factory=dict)  # name -> the side where the person first stood
    edits: list[Edit] = field(default_factory=list)
    count: int = 0

    def value(self, side: str) -> str:
        """A value that was never written before."""
        self.count += 1
        return f"{side}{self.count}"


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
    found = audit(await evidence(world, ledger))
    found += [f"left in a room: {one.room} {one.record} {one.reason}" for one in await world.parked()]
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
            rows.append(person(len(ledger.born), NAME=name, ORIGIN=f"a of {name}"))
            ledger.born[name] = {"a"}
            return
        for row in luck.sample(rows, min(len(rows), luck.choice((1, 1, 5, 40)))):
            where = luck.choice(("phone", "phone", "city"))
            value = ledger.value("a")
            ledger.edits.append(Edit(row["NAME"], where, value, row[where.upper()]))
            row[where.upper()] = value


async def write_crm(world: World, ledger: Ledger, luck: random.Random, new: bool) -> None:
    """A new customer, or a few new mail addresses and towns."""
    if new:
        name = f"Person of the CRM {len(ledger.born)}"
        ledger.born[name] = {"b"}
        await world.sql("INSERT INTO people (name, origin) VALUES ($1, $2)", name, f"b of {name}")
        return
    async with world.database() as crm:
        ids = [row["id"] for row in await crm.fetch("SELECT id FROM people")]
        for id_ in luck.sample(ids, min(len(ids), luck.choice((1, 1, 5, 40)))):
            where, value = luck.choice(("mail", "mail", "city")), ledger.value("b")
            async with crm.transaction():
                old = await crm.fetchrow("SELECT * FROM people WHERE id = $1 FOR UPDATE", id_)
                assert old is not None
                await crm.execute(f"UPDATE people SET {where} = $1 WHERE id = $2", value, id_)
            ledger.edits.append(Edit(old["name"], where, value, old[where] or ""))


# ----------------------------------------------------------------------------------------------------- the evidence


async def evidence(world: World, ledger: Ledger) -> Evidence:
    """What the auditor is shown."""
    erp = [
        {"number": row["NR"], **{name.lower(): value for name, value in row.items() if name != "NR"}}
        for row in world.rows()
    ]
    crm = [
        {name: value or "" for name, value in row.items() if name != "id"}
        for row in await world.sql("SELECT * FROM people")
    ]
    names = {row["number"]: row["name"] for row in erp}
    return Evidence(
        fields=FIELDS,
        same=("number",),
        shown={"a": erp, "b": crm},
        born=ledger.born,
        edits=ledger.edits,
        conflicts={(names.get(one.record, one.record), one.field) for one in await world.conflicts()},
    )
