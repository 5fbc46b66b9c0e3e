"""Yesterday's database is put back under the daemon: it notices, waits, and overwrites nothing that happened since.

Real files, a real database, a real daemon with a PostgreSQL of its own. Must not: test how it notices (tests/daemon).
"""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.connectors.pgserver import new_database, postgres_url
from tests.e2e.world import World, person, world_of

__all__ = ["postgres_url"]
pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path, postgres_url: str) -> AsyncIterator[World]:
    """Five people in step."""
    async with new_database(postgres_url) as url, world_of(tmp_path, url) as found:
        found.save([person(i, PHONE=f"0{i}") for i in range(1, 6)])
        found.start()
        await found.connect()
        await found.quiet()
        yield found


def ended(world: World) -> None:
    """The daemon has stopped in good order."""
    assert world.daemon is not None
    assert world.daemon.stop() == 0


def put(source: Path, target: Path) -> None:
    """A copy in the place of the target, with its owners."""
    subprocess.run(["rm", "-rf", str(target)], check=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


async def phones(world: World) -> dict[str, tuple[str, str]]:
    """Number -> phone in the ERP and in the CRM."""
    crm = {row["number"]: row["phone"] for row in await world.sql("SELECT number, phone FROM people")}
    return {row["NR"]: (row["PHONE"], crm.get(row["NR"], "-")) for row in world.rows()}


async def test_redteam_21_yesterdays_database_overwrites_nothing_of_today(world: World) -> None:
    ended(world)
    files, backup = world.data_dir / "postgres", world.data_dir.with_name("backup")
    put(files, backup)
    world.start()
    with world.editing() as rows:
        rows[0]["PHONE"] = "once"
        rows.append(person(9, PHONE="09"))
    await world.quiet()
    ended(world)
    with world.editing() as rows:
        rows[0]["PHONE"] = "twice"  # today's last edit; the CRM has the one before
    put(backup, files)
    daemon = world.start()
    assert (await world.link()).state == "recovering"
    assert [line["links"] for line in daemon.lines() if line.get("action") == "database.restored"] == [1]
    planned = world.ctl("runs", "start", "people", "--dry-run", "--watch")
    assert planned.returncode == 0, planned.stderr
    before = await phones(world)
    assert before["K001"] == ("twice", "once")
    await world.resume()
    await world.quiet()
    assert (await world.link()).state == "in_step"
    assert await phones(world) == before
    assert len(await world.conflicts()) == 1
    assert len(await world.conflicts()) == 1
    assert len(await world.sql("SELECT 1 FROM people")) == 6
