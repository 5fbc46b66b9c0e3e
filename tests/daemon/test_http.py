"""Health that tells the truth (B15), over real HTTP: a dead actor, side, engine or database is never healthy, and named.

The store behind it is a stand-in, so that each thing can be wrong by itself; the whole is in test_serve.py.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import anyio
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.core.errors import Kind, TandemError
from actors.ports import LinkRow
from clients.connectors.webhook import Call
from daemon import http
from daemon.health import NAMED_EVERY_S, Pulse, Watcher
from daemon.metrics import BY_NAME, LOOKED_UP, Metrics
from daemon.store.admin_names import Labelled
from daemon.store.rows import LinkInfo, LinkStats, Look, RoomCount
from daemon.telemetry import ActionTelemetry
from daemon.webhooks import Answer
from daemon.wiring import Blueprints
from tests.api.world import BLUEPRINT

pytestmark = pytest.mark.anyio
NOW = 1_800_000_000.0
IN_STEP = {"wish": "run", "loaded": ["people"]}
ROOT = {"name": "root", "kind": "root", "state": "busy", "mailbox": 0, "restarts": 0, "error": ""}
IDLE = {"name": "link/l1", "kind": "link", "state": "idle", "mailbox": 2, "restarts": 1, "error": ""}


class HandClock:
    def __init__(self) -> None:
        self.ticks = 0.0

    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return self.ticks

    def token(self) -> str:
        return "0"

    def jitter(self) -> float:
        return 0.5


async def nobody_calls(path: str, named: str, call: Call) -> Answer:
    raise AssertionError("nobody calls")


class Store:
    """What Watcher asks of Admin and Names; `trouble` is raised, `hangs` never answers."""

    def __init__(self) -> None:
        self.links: list[LinkInfo] = [link()]
        self.figures: list[LinkStats] = [stats()]
        self.trouble: TandemError | None = None
        self.hangs = False
        self.asked = self.pinged = 0

    async def stats(self, link: str = "") -> Sequence[LinkStats]:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        if self.hangs:
            await anyio.sleep_forever()
        return self.figures

    async def ping(self) -> None:
        self.pinged += 1
        if self.trouble is not None:
            raise self.trouble
        if self.hangs:
            await anyio.sleep_forever()

    async def all_links(self) -> Sequence[LinkInfo]:
        return self.links

    async def plans_waiting(self) -> Mapping[str, int]:
        return {"l1": 3}

    async def links_after(self, created: float, id_: str, size: int) -> Sequence[Labelled]:
        await self.ping()
        rows = [Labelled(one.row.id, "acme", one.row.name, one.created, "") for one in self.links]
        return [row for row in rows if (row.created, row.id) > (created, id_)]

    async def connections_after(self, created: float, id_: str, size: int) -> Sequence[Labelled]:
        shop = Labelled("c1", "acme", "shop", NOW)
        return [shop] if (shop.created, shop.id) > (created, id_) else []


def link(facts: Mapping[str, Any] = IN_STEP, blueprint: str = BLUEPRINT) -> LinkInfo:
    return LinkInfo(LinkRow("l1", "acme", "people", "c1", "c2", blueprint, facts=facts), NOW - 86400, "local")


def stats(**changes: Any) -> LinkStats:
    looks = tuple(Look("people", side, NOW - 2, NOW - 600) for side in ("a", "b"))
    found = LinkStats(
        link="l1",
        tenant="acme",
        wish="run",
        owner="",
        lease_left_s=0.0,
        open_actions=0,
        unknown_actions=0,
        inbox=0,
        inbox_oldest=0.0,
        running="",
        rooms=(),
        looks=looks,
    )
    return msgspec.structs.replace(found, **changes)


class World:
    """The pages and everything that can go wrong behind them."""

    def __init__(self) -> None:
        self.store = Store()
        self.clock = HandClock()
        self.pulse = Pulse(engine_up=True, draining=False, actors=(ROOT, IDLE), running={})
        self.url = ""

    async def page(self, path: str) -> tuple[int, Any]:
        self.clock.ticks += 10  # what was looked up before is old
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}{path}") as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def series(self) -> dict[tuple[str, tuple[str, ...]], float]:
        _, text = await self.page("/metrics")
        return {
            (sample.name, tuple(sample.labels[label] for label in BY_NAME[sample.name].labels)): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name in BY_NAME
        }


@asynccontextmanager
async def serving() -> AsyncIterator[World]:
    world, metrics = World(), Metrics("1")
    store: Any = world.store
    telemetry = ActionTelemetry(metrics)
    watcher = Watcher(store, store, Blueprints(), telemetry, world.clock, lambda: world.pulse, 300.0)
    app = http.application(metrics, watcher.health, lambda: world.pulse.engine_up, lambda: 4, nobody_calls)
    async with http.serving(app, "127.0.0.1", 0) as port:
        world.url = f"http://127.0.0.1:{port}"
        yield world


async def test_all_is_well() -> None:
    async with serving() as world:
        status, said = await world.page("/healthz")
        assert (status, said["status"], said["reasons"]) == (200, "ok", [])
        assert (await world.page("/readyz"))[0] == 200
        assert (await world.page("/livez"))[0] == 200


@pytest.mark.parametrize("state", ["backing_off", "degraded"])
async def test_a_dead_actor_is_never_healthy_and_is_named(state: str) -> None:
    async with serving() as world:
        dead = {**IDLE, "state": state, "error": "ValueError: x"}
        world.pulse = msgspec.structs.replace(world.pulse, actors=(ROOT, dead))
        status, said = await world.page("/healthz")
        assert (status, said["dead_actors"]) == (503, ["link/acme/people"])
        assert "ValueError: x" in said["reasons"][0]
        assert (await world.page("/readyz"))[0] == (await world.page("/livez"))[0] == 200
        assert (await world.series())["tandem_actor_up", ("link/acme/people", "link")] == 0


@pytest.mark.parametrize(
    "looks",
    [
        (Look("people", "a", NOW - 2, 0.0), Look("people", "b", NOW - 301, 0.0)),
        (Look("people", "a", NOW, 0.0),),
    ],
)
async def test_a_side_that_nobody_looks_at_is_never_healthy_and_is_named(looks: tuple[Look, ...]) -> None:
    async with serving() as world:
        world.store.figures = [stats(looks=looks)]
        status, said = await world.page("/healthz")
        assert (status, said["stale_sides"]) == (503, ["acme/people people b"])
        found = await world.series()
        assert found["tandem_link_last_look_seconds", ("acme/people", "people", "b")] > 300
        assert found["tandem_link_freshness_seconds", ("acme/people",)] == 0
        assert found["tandem_healthy", ()] == 0


async def test_found_by_chaos_a_link_is_not_fresh_while_the_outcome_of_a_write_is_open() -> None:
    """A kill within a bulk load left one intent for hundreds of records, and no hint: the link said that it was in step."""
    async with serving() as world:
        for figures in (stats(open_actions=1, open_oldest=NOW - 30), stats(inbox=1, inbox_oldest=NOW - 30)):
            world.store.figures = [figures]
            found = await world.series()
            assert found["tandem_link_freshness_seconds", ("acme/people",)] == 30


async def test_a_slow_poll_interval_makes_a_side_stale_later() -> None:
    async with serving() as world:
        slow = BLUEPRINT.replace("b: {connector: csv, poll: 1s}", "b: {connector: csv, poll: 10m}")
        world.store.links = [link(blueprint=slow)]
        world.store.figures = [
            stats(looks=(Look("people", "a", NOW, NOW), Look("people", "b", NOW - 1700, NOW)))
        ]
        assert (await world.page("/healthz"))[0] == 200


async def test_a_degraded_link_is_named_with_its_reason_and_a_paused_one_is_not() -> None:
    reasons = {"run": {"kind": "auth", "text": "the password was refused"}}
    async with serving() as world:
        world.store.links = [link({**IN_STEP, "reasons": reasons})]
        status, said = await world.page("/healthz")
        assert (status, said["degraded_links"]) == (503, ["acme/people"])
        assert "the password was refused" in said["reasons"][0]
        assert (await world.series())["tandem_link_state", ("acme/people", "misconfigured")] == 1
        world.store.links = [link({**IN_STEP, "wish": "paused", "reasons": reasons})]
        world.store.figures = [stats(looks=())]
        assert (await world.page("/healthz"))[0] == 200
        assert (await world.series())["tandem_links", ("paused",)] == 1


async def test_a_blueprint_that_this_version_refuses_is_a_misconfigured_link() -> None:
    async with serving() as world:
        world.store.links = [link(blueprint="nonsense")]
        status, said = await world.page("/healthz")
        assert (status, said["degraded_links"]) == (503, ["acme/people"])
        assert (await world.series())["tandem_link_state", ("acme/people", "misconfigured")] == 1


async def test_without_a_database_it_is_neither_ready_nor_healthy_but_lives() -> None:
    async with serving() as world:
        world.store.trouble = TandemError(Kind.TRANSIENT, "the store can't be reached: refused")
        for path in ("/healthz", "/readyz"):
            status, said = await world.page(path)
            assert (status, said["store"]) == (503, False)
        assert (await world.page("/livez"))[0] == 200
        found = await world.series()
        assert found["tandem_store_up", ()] == 0
        assert ("tandem_link_freshness_seconds", ("acme/people",)) not in found
        world.store.trouble = None
        assert (await world.page("/healthz"))[0] == 200


async def test_a_database_that_hangs_is_a_database_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.health.LOOK_TIMEOUT_S", 0.05)
    async with serving() as world:
        world.store.hangs = True
        status, said = await world.page("/healthz")
        assert (status, said["store"]) == (503, False)
        assert "did not answer" in said["reasons"][0]


async def test_a_dead_engine_is_dead_everywhere() -> None:
    async with serving() as world:
        world.pulse = msgspec.structs.replace(world.pulse, engine_up=False)
        for path in ("/healthz", "/readyz", "/livez"):
            assert (await world.page(path))[0] == 503


async def test_an_engine_that_looks_for_no_work_is_not_healthy_unless_the_database_is_why() -> None:
    async with serving() as world:
        world.pulse = msgspec.structs.replace(world.pulse, scan_age_s=31.0)
        status, said = await world.page("/healthz")
        assert status == 503 and "due links" in said["reasons"][0]
        world.store.trouble = TandemError(Kind.TRANSIENT, "away")
        assert [line.partition(":")[0] for line in (await world.page("/healthz"))[1]["reasons"]] == ["store"]


async def test_draining_is_not_ready() -> None:
    async with serving() as world:
        world.pulse = msgspec.structs.replace(world.pulse, draining=True)
        assert (await world.page("/readyz"))[0] == 503
        assert (await world.page("/livez"))[0] == 200


async def test_figures_of_links_are_shown() -> None:
    async with serving() as world:
        rooms = (RoomCount("conflict", 5, NOW - 90),)
        world.store.figures = [
            stats(inbox=7, inbox_oldest=NOW - 30, open_actions=2, unknown_actions=1, rooms=rooms)
        ]
        found = await world.series()
        assert found["tandem_link_freshness_seconds", ("acme/people",)] == 30
        assert found["tandem_inbox_hints", ("acme/people",)] == 7
        assert found["tandem_open_intents", ("acme/people",)] == 2
        assert found["tandem_unknown_outcomes", ("acme/people",)] == 1
        assert found["tandem_parked_records", ("acme/people", "conflict")] == 5
        assert found["tandem_parked_records", ("acme/people", "staged")] == 0
        assert found["tandem_parked_oldest_seconds", ("acme/people", "conflict")] == 90
        assert found["tandem_plans_open", ("acme/people",)] == 3
        assert found["tandem_actor_mailbox_messages", ("link/acme/people",)] == 2
        assert found["tandem_store_restarts", ()] == 4
        assert {name for name, _ in found} >= {one.name for one in LOOKED_UP}


async def test_many_who_ask_at_once_ask_the_database_once() -> None:
    async with serving() as world, aiohttp.ClientSession() as session:

        async def ask() -> None:
            async with session.get(f"{world.url}/healthz") as answer:
                assert answer.status == 200

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask)
        assert world.store.asked == 1


def watching(store: Store, clock: HandClock) -> tuple[Watcher, ActionTelemetry]:
    telemetry, anything = ActionTelemetry(Metrics("1")), cast("Any", store)
    pulse = Pulse(engine_up=True, draining=False, actors=(), running={})
    return Watcher(anything, anything, Blueprints(), telemetry, clock, lambda: pulse, 300.0), telemetry


async def test_readiness_costs_a_word_with_the_database_and_no_look_at_the_links() -> None:
    store, clock = Store(), HandClock()
    watcher, _ = watching(store, clock)
    for _ in range(30):
        assert await watcher.ready()
        clock.ticks += 1
    assert (store.asked, store.pinged >= 30) == (0, True)
    store.trouble = TandemError(Kind.TRANSIENT, "away")
    assert not await watcher.ready()
    store.trouble = None
    assert await watcher.ready()


async def test_a_database_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.health.LOOK_TIMEOUT_S", 0.05)
    store = Store()
    watcher, _ = watching(store, HandClock())
    store.hangs = True
    assert not await watcher.ready()


async def test_a_link_that_another_process_made_has_its_name_within_seconds() -> None:
    store, clock = Store(), HandClock()
    watcher, telemetry = watching(store, clock)
    await watcher.name_all()
    assert telemetry.actor_name("link/l1") == "link/acme/people"
    # Made just now, by a clock that is behind.
    made = msgspec.structs.replace(store.links[0].row, id="l2", name="things")
    store.links.append(LinkInfo(made, NOW - 20, "local"))
    assert await watcher.ready()
    assert telemetry.actor_name("link/l2") == "link/l2"
    clock.ticks += NAMED_EVERY_S
    assert await watcher.ready()
    assert telemetry.actor_name("link/l2") == "link/acme/things"


async def test_a_look_that_nobody_asks_for_any_more_is_not_kept() -> None:
    store, clock = Store(), HandClock()
    watcher, _ = watching(store, clock)
    assert len((await watcher.health()).links) == 1
    kept = []
    for later_s in (0, 60):
        clock.ticks += later_s
        assert await watcher.ready()
        kept.append(watcher._last is not None)
    assert kept == [True, False]
    assert len((await watcher.health()).links) == 1
    assert store.asked == 2
