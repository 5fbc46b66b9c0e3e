"""B2: a daemon that is killed while it takes a run back: in the middle of a write, and after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.daemon.process import DaemonProcess, running
from tests.spec.conftest import SETTINGS
from tests.spec.systems import Crm, Erp, customer, until
from tests.spec.test_undo import by_command, undo
from tests.spec.world import World, asked

# Whether a write took place that was cut off is known once its deadline is over: more than half a minute, by itself.
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]
SETTINGS_ = {**SETTINGS, "lease_ttl_s": "2"}
WAITING = """
select pid from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and wait_event_type = 'Lock'
"""


@asynccontextmanager
async def locked(url: str, table: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Nobody writes to that table meanwhile; whoever wants to waits."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield connection
    finally:
        await connection.close()


async def towns(crm: Crm) -> list[tuple[str, str]]:
    """Number and town of every customer in the CRM, each as often as it stands there."""
    return sorted((row["number"], row["city"]) for row in await crm.customers())


async def killed(daemon: DaemonProcess, world: World, moment: str, crm_url: str, store_url: str) -> None:
    """Say yes to the undo, and kill the daemon at that moment of carrying it out."""
    plan = await world.plan("undo")
    before = await towns(world.crm)

    async def writes() -> bool:
        return await towns(world.crm) != before

    async with locked(
        store_url if moment == "after" else crm_url, "bindings" if moment == "after" else "customers"
    ) as db:

        async def waits() -> list[asyncpg.Record]:
            return list(await db.fetch(WAITING))

        await world.approve(plan)
        await until(waits, "somebody who waits to write")
        if moment == "after":
            await until(writes, "the first write")
        daemon.process.kill()
        daemon.process.wait()


async def approved_once_more(world: World) -> None:
    """Say yes again to what is left of the undo, and wait for the run that carries it out."""
    before = [run.id for run in await world.runs() if run.mode == "apply"]
    for plan in await world.plans("approved"):
        await world.approve(plan)

        async def applied() -> bool:
            mine = [run for run in await world.runs() if run.mode == "apply" and run.id not in before]
            return bool(mine) and all(run.outcome not in ("queued", "running") for run in mine)

        await until(applied, "the undo to be carried out once more")


@pytest.mark.parametrize("moment", ["while", "after"])
async def test_b02_whenever_it_is_killed_it_is_taken_back_once_in_the_end(
    crm: Crm, home: Path, store_url: str, moment: str
) -> None:
    with running(home / "data", database_url=store_url, **SETTINGS_) as daemon:
        async with asked(daemon) as tandem:
            world = World(tandem, "undone", Erp(home / "erp"), crm)
            await by_command(world, 1, 2, 3, deletes={"a": "remove", "b": "ignore"})
            # One goes, one moves, one comes.
            world.erp.save([customer(2, ORT="Ulm"), customer(3), customer(4)])
            run = await world.sync()
            assert await towns(crm) == [("K00002", "Ulm"), ("K00003", "Köln"), ("K00004", "Köln")]
            await undo(world, run)
            await killed(daemon, world, moment, crm.url, store_url)
    with running(home / "data", database_url=store_url, **SETTINGS_) as daemon:
        async with asked(daemon) as tandem:
            world = World(tandem, "undone", Erp(home / "erp"), crm)
            (cut,) = [run for run in await world.runs() if run.mode == "apply"]
            await approved_once_more(world)  # at once: what nobody knows the outcome of stays in the plan

            async def settled() -> bool:
                states = [await world.items(cut, state) for state in ("sent", "unconfirmed")]
                return not any(states)

            await until(settled, "what became of the writes that were under way", timeout_s=240.0)
            await approved_once_more(world)
            await world.quiet()
            expected = [("K00001", "Köln"), ("K00002", "Köln"), ("K00003", "Köln")]
            said = [(run.mode, run.outcome, run.error) for run in await world.runs() if run.mode == "apply"]
            assert await towns(crm) == expected, said
            held = [row["KUNDENNR"] for row in world.erp.rows()]
            assert held == ["K00002", "K00003", "K00004"]  # the other side is left as it is
            assert await world.parked("quarantine") == [] and await world.conflicts() == []
