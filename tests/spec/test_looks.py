"""B13, B15, B18: looks that lose nothing, health that tells the truth, and two systems that nobody here has seen before."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import anyio
import asyncpg
import pytest

from daemon.store.embedded import EmbeddedPostgres
from tandem.v1 import connections_pb2
from tests.daemon.process import DaemonProcess, running
from tests.spec.systems import LINK, SCHEMA, Crm, Erp, blueprint, customer, until
from tests.spec.world import World, asked, metric, page

pytestmark = pytest.mark.anyio
# No second look behind the cursor, so that nothing is made good by luck.
MODIFIED = {"customers": {"modified": "updated_at", "find": "modified"}}
OLD = """
INSERT INTO customers (name, email, city)
SELECT 'Haus ' || n, 'h' || n || '@haus.example', 'Bonn' FROM generate_series(1, 200) n
"""


# ---------------------------------------------------------------------------------------------------- B13, cursors


async def in_modified_step(world: World) -> None:
    """Two hundred customers of one transaction on both sides: one timestamp over four pages."""
    await world.crm.sql(OLD)
    assert await world.crm.value("SELECT count(DISTINCT updated_at) FROM customers") == 1
    text = blueprint(budgets={"overwrites": "unlimited"})
    await world.connect(text, find="full", objects=MODIFIED, overlap_s=0)
    await world.in_step()
    await world.quiet()
    assert len(world.erp.rows()) == 200


async def test_b13_equal_timestamps_over_several_pages_lose_nothing(world: World) -> None:
    await in_modified_step(world)
    await world.crm.sql("UPDATE customers SET city = 'Ulm'")
    assert await world.crm.value("SELECT count(DISTINCT updated_at) FROM customers") == 1
    await world.in_step()
    assert {row["ORT"] for row in world.erp.rows()} == {"Ulm"}


async def test_b13_a_transaction_that_commits_late_is_not_passed(world: World) -> None:
    await in_modified_step(world)
    async with world.crm.session() as late:
        transaction = late.transaction()
        await transaction.start()
        await late.execute("UPDATE customers SET city = 'Spätburg' WHERE email = 'h1@haus.example'")
        await world.crm.sql("UPDATE customers SET city = 'Ulm' WHERE email = 'h2@haus.example'")

        async def arrived() -> bool:
            return "Ulm" in {row["ORT"] for row in world.erp.rows()}

        await until(arrived, "the later edit, committed first")
        await world.quiet()
        assert "Spätburg" not in {row["ORT"] for row in world.erp.rows()}
        await transaction.commit()  # its timestamp is older than what was looked at already
    await world.in_step()
    assert "Spätburg" in {row["ORT"] for row in world.erp.rows()}


async def test_b13_edits_during_paging_are_all_delivered(world: World) -> None:
    await in_modified_step(world)
    await world.crm.sql("UPDATE customers SET city = 'Ulm'")
    async with world.crm.session() as editor, anyio.create_task_group() as tasks:

        async def edit() -> None:
            for n in (*range(200, 0, -7), *range(1, 201, 9)):
                await editor.execute(
                    "UPDATE customers SET city = 'Hof ' || $1::int WHERE email = 'h' || $1::int || '@haus.example'",
                    n,
                )

        tasks.start_soon(edit)
        await world.sync()
        await world.sync()
    await world.in_step()
    await world.quiet()
    assert await world.crm.value("SELECT count(*) FROM customers") == len(world.erp.rows()) == 200


# ----------------------------------------------------------------------------------------------------- B15, health


async def test_b15_a_dead_side_is_never_healthy_and_says_so_everywhere(home: Path, store_url: str) -> None:
    server = EmbeddedPostgres(home / "crm")
    url = await server.start()
    try:
        connection = await asyncpg.connect(url)
        await connection.execute(SCHEMA)
        await connection.close()
        # Not less: a quiet side is noted as looked at every ten seconds.
        settings = {"database_url": store_url, "stale_after_s": "14"}
        with running(home / "data", **settings) as daemon:
            async with asked(daemon) as tandem:
                world = World(tandem, "looks", Erp(home / "erp"), Crm(url))
                world.erp.save([customer(1)])
                await world.connect(blueprint(poll="500ms"))
                await world.in_step()
                await until(lambda: all_say(daemon, world, well=True), "health at first")
                await server.stop()
                world.erp.edit({"K00001": {"ORT": "Ulm"}})
                await until(lambda: all_say(daemon, world, well=False), "health to name the dead side")
                await server.start()
                # What an operator does then; by itself it would be tried again within a minute.
                crm = connections_pb2.TestConnectionRequest(connection="crm", tenant=world.tenant)
                await tandem.connections.TestConnection(crm)
                await world.sync()
                await world.in_step()
                await until(lambda: all_say(daemon, world, well=True), "health again")
    finally:
        await server.stop()


async def all_say(daemon: DaemonProcess, world: World, well: bool) -> bool:
    """Whether page, metrics and link all say that all is well, or all say what is wrong."""
    status, text = await page(daemon, "/healthz")
    said = json.loads(text)
    link = await world.shown()
    label = f"looks/{LINK}"
    age_s = await metric(
        daemon, f'tandem_link_last_look_seconds{{link="{label}",side="b",stream="customers"}}'
    )
    faces = {
        "page": (status == 200) is well,
        "its status": said["status"] == ("ok" if well else "degraded"),
        "links": (label in said["degraded_links"]) is not well,
        "sides": any("customers b" in side for side in said["stale_sides"]) is not well,
        "healthy": await metric(daemon, "tandem_healthy") == well,
        "state": await metric(daemon, f'tandem_link_state{{link="{label}",state="degraded"}}') == (not well),
        "age": (age_s or 0) > 14 or well,
        "link": (link.state in ("in_step", "running")) is well,
        "reasons": bool(link.reasons) is not well,
    }
    return all(faces.values())


async def test_b15_freshness_is_the_age_of_what_is_not_delivered_yet(
    daemon: DaemonProcess, world: World
) -> None:
    world.erp.save([customer(1), customer(2)])
    await world.connect()
    await world.in_step()
    await world.quiet()
    assert (await world.shown()).freshness_s == 0
    await world.pause()
    await world.at_rest()
    # Its feed tells of the edit, and nobody may deliver it.
    await world.crm.sql("UPDATE customers SET city = 'Ulm' WHERE number = 'K00001'")

    async def aged() -> bool:
        return (await world.shown()).freshness_s > 0.5

    await until(aged, "freshness to grow")
    series = f'tandem_link_freshness_seconds{{link="{world.tenant}/{LINK}"}}'

    async def scraped() -> bool:
        return (await metric(daemon, series) or 0) > 0.5

    await until(scraped, "the metric to say so")
    await world.resume()
    await world.in_step()

    async def fresh() -> bool:
        return (await world.shown()).freshness_s == 0

    await until(fresh, "freshness to be back at nothing")


# ------------------------------------------------------------------------------------- B18, systems never seen before

CELLAR = """
CREATE TABLE keller_bestand (
    schluessel uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    fass text NOT NULL, liter numeric(8, 1), abgefuellt date, rot boolean, stand timestamptz DEFAULT now()
)"""
RULES = """
blueprint: barrels
version: 1
a: {connector: csv, poll: 1s}
b: {connector: postgres, poll: 1s}
streams:
  barrels:
    a: barrels
    b: keller_bestand
    match: [[name]]
    creates: [a, b]
    complete_read: 1h
    fields:
      name:   {a: Barrel No., b: fass}
      litres: {a: Gallons, b: liter, lens_a: {number: "."}, lens_b: {scale: 1}, conflict: b}
      filled: {a: Filled on, b: abgefuellt, lens_a: {date: "%m/%d/%Y"}}
      red:    {a: Red, b: rot, lens_a: {bool: {true: [yes, y], false: [no, ""]}}}
"""


async def test_b18_a_csv_folder_and_a_postgresql_table_are_linked_by_a_yaml_file_alone(world: World) -> None:
    await world.crm.sql(CELLAR)
    await world.crm.sql(
        "INSERT INTO keller_bestand (fass, liter, abgefuellt, rot) VALUES ('F-2', 225.0, '2024-10-03', true)"
    )
    path = world.erp.folder.parent / "strangers" / "barrels.csv"
    path.parent.mkdir()
    path.write_bytes('\ufeffBarrel No.,Gallons,Filled on,Red\n"F-1",500.5,10/31/2023,no\n'.encode())
    await world.connect()  # the tenant and both connections; this link has rules of its own
    folder = {"path": str(path.parent), "quiet_s": 0}
    await world.connection("barrels", "csv", {**folder, "objects": {"barrels": {"key": "Barrel No."}}})
    await world.link(RULES, name="barrels", a="barrels")
    rows = "SELECT liter::text, abgefuellt::text, rot FROM keller_bestand WHERE fass = 'F-1'"
    await until(lambda: world.crm.sql(rows), "the barrel in the table")
    assert await world.crm.sql(rows) == [{"liter": "500.5", "abgefuellt": "2023-10-31", "rot": False}]

    async def line() -> list[str] | None:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next((row for row in csv.reader(file) if row[0] == "F-2"), None)

    barrel = await until(line, "the barrel in the file")
    assert barrel is not None and Decimal(barrel[1]) == 225 and barrel[2:] == ["10/03/2024", "yes"]
    path.write_text(path.read_text("utf-8-sig").replace("500.5", "450"), encoding="utf-8-sig")
    await until(
        lambda: world.crm.value("SELECT liter = 450 FROM keller_bestand WHERE fass = 'F-1'"), "the edit"
    )
