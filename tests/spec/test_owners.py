"""D1, D2, B7, B14: crashes, kills, freezes and pauses of daemons of this test's own; both systems show what came of it."""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import asyncpg
import grpc
import pytest

from tandem_client import TandemError
from tests.daemon.process import DaemonProcess, running
from tests.spec.systems import LINK, Crm, Erp, customer, until
from tests.spec.world import World, asked, metric, page

pytestmark = pytest.mark.anyio
SETTINGS = {"window": "50", "secret_key": base64.b64encode(bytes(range(32))).decode(), "lease_ttl_s": "2"}
# Of that key alone: connectors and daemons wait for locks of their own on the same server.
WAITS = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 0 AND objid = 7"
)
# Whoever commits new customers waits at this gate as long as somebody holds the key 7.
GATE_AT_COMMIT = """
CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER gate AFTER INSERT OR UPDATE ON customers DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION gate();
"""
GATE_AT_K00120 = """
CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$;
CREATE TRIGGER gate BEFORE INSERT ON customers FOR EACH ROW WHEN (NEW.number = 'K00120') EXECUTE FUNCTION gate();
"""
FAULT = """
CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk on fire'; END $$;
CREATE TRIGGER fault BEFORE UPDATE ON links FOR EACH ROW WHEN (NEW.owner <> OLD.owner) EXECUTE FUNCTION fault();
"""


@asynccontextmanager
async def made(daemon: DaemonProcess, crm: Crm, home: Path, token: str = "") -> AsyncIterator[World]:
    """The world of this test on that daemon."""
    async with asked(daemon, token) as tandem:
        yield World(tandem, "owners", Erp(home / "erp"), crm)


@asynccontextmanager
async def gate_shut(crm: Crm) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Hold the key of the gate."""
    async with crm.session() as keeper:
        await keeper.execute("SELECT pg_advisory_lock(7)")
        yield keeper


async def stuck(crm: Crm) -> bool:
    """Whether somebody stands at the gate."""
    return int(await crm.value(WAITS)) > 0


async def test_d01_a_crashed_actor_is_restarted_and_takes_up_its_work(
    crm: Crm, home: Path, store_url: str
) -> None:
    store = Crm(store_url)
    with running(home / "data", database_url=store_url, **SETTINGS) as daemon:
        async with made(daemon, crm, home) as world:
            world.erp.save([customer(n) for n in range(1, 6)])
            link = await world.connect()
            await world.in_step()
            actors = await world.actors()
            name = f"link/{link.id}"
            assert actors[name].kind == "link" and actors["root"].kind == "root"
            assert sorted(a for a, one in actors.items() if one.kind == "connection") == sorted(
                f"connection/{id_}" for id_ in (link.a, link.b)
            )
            # The store refuses to note an owner, and the one there was is gone: the actor can't live.
            async with store.session() as session:
                await session.execute(FAULT)
                await session.execute("ALTER TABLE links DISABLE TRIGGER fault")
                await session.execute("UPDATE links SET owner = '', epoch = epoch + 1, lease_until = 'epoch'")
                await session.execute("ALTER TABLE links ENABLE TRIGGER fault")
            world.erp.edit({"K00001": {"ORT": "Ulm"}})

            async def crashed() -> bool:
                found = (await world.actors()).get(name)
                return found is not None and found.restarts >= 2

            await until(crashed, "crashes of the link's actor")
            found = (await world.actors())[name]
            assert "disk on fire" in found.error

            async def named() -> bool:
                status, text = await page(daemon, "/healthz")
                return status == 503 and any(LINK in actor for actor in json.loads(text)["dead_actors"])

            await until(named, "/healthz to name the dead actor")
            assert await crm.value("SELECT count(*) FROM customers WHERE city = 'Ulm'") == 0
            await store.sql("DROP TRIGGER fault ON links")
            await world.in_step()
            series = f'tandem_actor_restarts_total{{actor="link/owners/{LINK}"}}'
            assert (await metric(daemon, series) or 0) >= 2
            assert (await world.actors())[name].state in ("idle", "busy")

            async def healthy() -> bool:
                return (await page(daemon, "/healthz"))[0] == 200

            await until(healthy, "health")


async def test_d02_runs_of_a_link_never_overlap_in_a_process_and_across_two(
    crm: Crm, home: Path, store_url: str
) -> None:
    with (
        running(home / "one", database_url=store_url, **SETTINGS) as one,
        running(home / "two", database_url=store_url, **SETTINGS) as two,
    ):
        async with made(one, crm, home) as world, made(two, crm, home, one.token) as other:
            world.erp.save([customer(n) for n in range(1, 6)])
            await world.connect()
            await world.in_step()
            for n in range(1, 6):
                world.erp.edit({f"K{n:05d}": {"ORT": "Ulm"}})
                handles = [await (world, other)[n % 2].start() for n in range(4)]
                assert (
                    sum(not handle.already_running for handle in handles) <= 2
                )  # one may have ended between
                for handle in handles:
                    assert (await handle.done()).outcome in ("succeeded", "nothing_new")
            await world.in_step()
            spans = sorted(
                (run.started.ToMicroseconds(), run.ended.ToMicroseconds()) for run in await world.runs()
            )
            assert len(spans) >= 5
            for (_, ended), (started, _) in pairwise(spans):
                assert ended <= started
            assert await crm.writes() == 10  # five creates, five edits, each once


@pytest.mark.timeout(240)  # see in_step(90)
async def test_d02_another_daemon_takes_over_from_one_that_is_frozen_or_killed(
    crm: Crm, home: Path, store_url: str
) -> None:
    with (
        running(home / "one", database_url=store_url, **SETTINGS) as one,
        running(home / "two", database_url=store_url, **SETTINGS) as two,
    ):
        token = one.token
        async with made(one, crm, home) as first, made(two, crm, home, token) as second:
            worlds = {one: first, two: second}
            first.erp.save([customer(n) for n in range(1, 6)])
            link = await first.connect()
            await first.in_step()
            name = f"link/{link.id}"

            async def owner() -> DaemonProcess | None:
                holders = [d for d, w in worlds.items() if name in await w.actors()]
                return holders[0] if len(holders) == 1 else None

            frozen = await until(owner, "one owner")
            assert frozen is not None
            awake = two if frozen is one else one
            frozen.process.send_signal(signal.SIGSTOP)
            try:
                first.erp.edit({"K00001": {"ORT": "Ulm"}})
                # The lease runs out; frozen in mid-transaction, the store ends that first, after a minute.
                await worlds[awake].in_step(90)
                assert name in await worlds[awake].actors()
            finally:
                frozen.process.send_signal(signal.SIGCONT)

            async def let_go() -> bool:
                return name not in await worlds[frozen].actors()

            await until(let_go, "the thawed daemon to let go")
            first.erp.edit({"K00002": {"ORT": "Ulm"}})
            await worlds[awake].in_step()
            awake.stop(signal.SIGKILL)
            first.erp.edit({"K00003": {"ORT": "Ulm"}})
            await worlds[frozen].in_step()
            assert name in await worlds[frozen].actors()
            assert await crm.writes() == 8  # five creates, three edits, each once


async def test_b07_a_write_whose_reply_never_came_is_found_and_not_repeated(
    crm: Crm, home: Path, store_url: str
) -> None:
    await crm.sql(GATE_AT_COMMIT.split(";\nCREATE CONSTRAINT", maxsplit=1)[0])
    await crm.sql("CREATE CONSTRAINT" + GATE_AT_COMMIT.split(";\nCREATE CONSTRAINT")[1])
    with running(home / "data", database_url=store_url, **SETTINGS) as daemon:
        async with made(daemon, crm, home) as world:
            world.erp.save([customer(n) for n in range(1, 6)])
            await world.connect()
            await world.in_step()
            await world.quiet()
            async with gate_shut(crm) as keeper:
                rows = [{**row, "ORT": "Ulm"} for row in world.erp.rows()]
                world.erp.save([*rows, *(customer(n) for n in range(6, 11))])
                await until(lambda: stuck(crm), "a write on its way")
                daemon.stop(signal.SIGKILL)  # sent, and nobody is left to hear the answer
                await keeper.execute("SELECT pg_advisory_unlock(7)")
            await until(lambda: crm.value(f"SELECT ({WAITS}) = 0"), "the commit to go through")
    assert await crm.writes() > 5  # it was done
    with running(home / "data", database_url=store_url, **SETTINGS) as daemon:
        async with made(daemon, crm, home) as world:
            await world.in_step()
            await world.quiet()
            series = f'tandem_open_intents{{link="owners/{LINK}"}}'

            async def settled() -> bool:
                return await metric(daemon, series) == 0

            await until(settled, "no open intents")
            inserted = await crm.sql("SELECT number FROM written WHERE what = 'INSERT' ORDER BY id")
            assert sorted(row["number"] for row in inserted) == [f"K{n:05d}" for n in range(1, 11)]
            assert await crm.value("SELECT count(*) FROM customers") == 10
            assert len(world.erp.rows()) == 10
            assert await metric(daemon, f'tandem_unknown_outcomes{{link="owners/{LINK}"}}') == 0


async def test_b14_a_pause_stops_the_run_at_a_safe_point_and_survives_a_kill(
    crm: Crm, home: Path, store_url: str
) -> None:
    await crm.sql(GATE_AT_K00120.split(";\nCREATE TRIGGER", maxsplit=1)[0])
    await crm.sql("CREATE TRIGGER" + GATE_AT_K00120.split(";\nCREATE TRIGGER")[1])
    with running(home / "data", database_url=store_url, **SETTINGS) as daemon:
        async with made(daemon, crm, home) as world:
            world.erp.save([customer(n) for n in range(1, 301)])
            async with gate_shut(crm):
                await world.connect()
                await until(lambda: stuck(crm), "the run in mid-work")
                assert (await world.pause()).state == "paused"
            await world.at_rest()
            stopped = [run for run in await world.runs() if run.outcome == "cancelled"]
            assert len(stopped) == 1
            there = await crm.value("SELECT count(*) FROM customers")
            # Whole windows, in mid-load: what was begun was brought to its end, what was not begun was left.
            assert 0 < there < 300 and there % 50 == 0
            daemon.stop(signal.SIGKILL)
    with running(home / "data", database_url=store_url, **SETTINGS) as daemon:
        async with made(daemon, crm, home) as world:
            assert (await world.shown()).state == "paused"
            with pytest.raises(TandemError) as refused:
                await world.sync()
            assert (
                refused.value.code is grpc.StatusCode.FAILED_PRECONDITION and refused.value.reason == "PAUSED"
            )
            world.erp.edit({"K00001": {"ORT": "Ulm"}})
            # A plan may be asked for: so the link is alive, has looked at everything, and still writes nothing.
            assert (await world.sync(dry_run=True)).outcome == "awaiting_approval"
            assert await crm.writes() == there
            modes = {
                run.mode
                for run in await world.runs()
                if run.started.ToSeconds() > stopped[0].ended.ToSeconds()
            }
            assert modes <= {"plan"}
            await world.resume()
            await world.in_step()
            await world.quiet()
            inserts = await crm.sql("SELECT number FROM written WHERE what = 'INSERT'")
            assert len(inserts) == len({row["number"] for row in inserts}) == 300
