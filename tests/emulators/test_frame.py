"""The frame of the emulators: rows, faults on demand, webhooks that go wrong, the control port."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from clients.emulators.catalog import CATALOG, emulator_class
from clients.emulators.data import Near
from clients.emulators.description import Refused, fields
from clients.emulators.faults import Edit, Fault
from clients.emulators.stand import stand
from tests.emulators.shop import System

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop() -> AsyncIterator[System]:
    async with stand(System) as emulator:
        assert isinstance(emulator, System)
        yield emulator


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def ask(http: aiohttp.ClientSession, method: str, url: str, body: Any = None) -> tuple[int, Any]:
    async with http.request(method, url, json=body) as got:
        return got.status, await got.json(content_type=None)


async def test_a_person_and_the_api_see_the_same_rows(shop: System, http: aiohttp.ClientSession) -> None:
    (key,) = shop.person.insert("articles", {"sku": "A1", "title": "Wine", "price": "7.10"})
    _, rows = await ask(http, "GET", f"{shop.address}/articles")
    assert [(row["id"], row["title"]) for row in rows] == [(key, "Wine")]
    status, made = await ask(http, "POST", f"{shop.address}/articles", {"sku": "A2", "weight": 0.1})
    assert status == 200 and shop.person.row("articles", made["id"])["weight"] == Decimal("0.1")
    assert shop.person.row("articles", key)["price"] == Decimal("7.10")


def test_a_read_finds_near_rows_whatever_was_made_moved_and_deleted_before() -> None:
    data = System().data
    for number in range(1, 9):
        data.insert("articles", {"sku": f"A{number}"}, by="person")
    data.delete("articles", 4)
    moved = data.tables["articles"].pop(6)

    def ids(near: Near | None = None) -> list[int]:
        return [row["id"] for row in data.shown("articles", near)]

    assert ids() == [1, 2, 3, 5, 7, 8]
    assert ids(Near("id", values=[Decimal(7), 2, 4, 99])) == [2, 7]
    assert ids(Near("sku", values=["A3", "A4", "A8"])) == [3, 8]
    assert ids(Near("id", least=3, most=Decimal(7))) == [3, 5, 7]
    data.tables["articles"][6] = moved
    del data.tables["articles"][8]
    assert ids(Near("id", least=5)) == [5, 6, 7]
    data.insert("articles", {"sku": "A9"}, by="person")
    # What nobody keeps a list of may be anywhere.
    assert ids(Near("title", values=["Wine"])) == ids() == [1, 2, 3, 5, 6, 7, 9]


@pytest.mark.parametrize(
    "row", [{}, {"sku": "x" * 21}, {"sku": "A1"}, {"sku": "A2", "price": "much"}], ids=str
)
async def test_what_can_not_be_is_refused(shop: System, http: aiohttp.ClientSession, row: Any) -> None:
    shop.person.insert("articles", {"sku": "A1"})
    status, said = await ask(http, "POST", f"{shop.address}/articles", row)
    assert status == 400 and said["error"]
    assert len(shop.person.rows("articles")) == 1
    with pytest.raises(Refused):
        shop.person.insert("articles", row)


async def test_a_guard_holds_for_everyone(shop: System) -> None:
    (key,) = shop.person.insert("articles", {"sku": "A1", "title": "sold"})
    with pytest.raises(Refused, match="it was sold"):
        shop.person.delete("articles", key)
    shop.person.edit("articles", key, title="kept")
    shop.person.delete("articles", key)
    assert not shop.person.rows("articles")


async def test_a_fault_waits_for_the_request_it_is_meant_for(
    shop: System, http: aiohttp.ClientSession
) -> None:
    shop.faults.add(Fault("error", path="/articles$", method="POST", after=1, times=2, status=503))
    url = f"{shop.address}/articles"
    statuses = [(await ask(http, "POST", url, {"sku": f"A{n}"}))[0] for n in range(5)]
    assert statuses == [200, 503, 503, 200, 200]
    assert (await ask(http, "GET", url))[0] == 200
    assert len(shop.person.rows("articles")) == 3
    assert shop.counters == {"POST /articles": 5, "GET /articles": 1}


@pytest.mark.parametrize("done", [False, True])
async def test_a_line_that_is_cut_before_or_after_the_write(
    shop: System, http: aiohttp.ClientSession, done: bool
) -> None:
    shop.faults.add(Fault("cut", done=done))
    with pytest.raises(aiohttp.ClientError):
        await ask(http, "POST", f"{shop.address}/articles", {"sku": "A1"})
    assert len(shop.person.rows("articles")) == done


async def test_a_write_that_takes_effect_after_the_line_was_cut(
    shop: System, http: aiohttp.ClientSession
) -> None:
    written = asyncio.Event()
    shop.data.listeners.append(lambda change: written.set())
    shop.faults.add(Fault("late", seconds=0.05))
    with pytest.raises(aiohttp.ClientError):
        await ask(http, "POST", f"{shop.address}/articles", {"sku": "A1"})
    async with asyncio.timeout(60):
        await written.wait()
    assert len(shop.person.rows("articles")) == 1


async def test_answers_that_are_none(shop: System, http: aiohttp.ClientSession) -> None:
    shop.person.insert("articles", {"sku": "A1", "title": "Größe"})
    url = f"{shop.address}/articles"
    shop.faults.add(Fault("html", status=200))
    async with http.get(url) as got:
        assert (got.status, got.content_type) == (200, "text/html")
    for kind in ("malformed", "encoded"):
        shop.faults.add(Fault(kind))
        async with http.get(url) as got:
            assert got.status == 200
            with pytest.raises(ValueError, match=r"utf|Unterminated|Expecting|decode"):
                await got.json()
    shop.faults.add(Fault("truncated"))
    with pytest.raises(aiohttp.ClientError):
        await ask(http, "GET", url)
    assert (await ask(http, "GET", url))[0] == 200


async def test_somebody_is_quicker_than_the_request(shop: System, http: aiohttp.ClientSession) -> None:
    (key,) = shop.person.insert("articles", {"sku": "A1", "title": "old"})
    edits = (
        Edit("edit", "articles", key, {"title": "theirs"}),
        Edit("insert", "articles", "", {"sku": "A2"}),
    )
    shop.faults.add(Fault("edit", method="GET", edits=edits))
    _, rows = await ask(http, "GET", f"{shop.address}/articles")
    assert [row["title"] for row in rows] == ["theirs", None]


async def test_reads_that_lag_and_rows_and_fields_that_nobody_sees(
    shop: System, http: aiohttp.ClientSession
) -> None:
    one, two = shop.person.insert("articles", {"sku": "A1", "title": "one"}, {"sku": "A2"})
    shop.data.lag_s = 3600
    shop.person.edit("articles", one, title="new")
    shop.person.delete("articles", two)
    shop.person.insert("articles", {"sku": "A3"})
    url = f"{shop.address}/articles"
    assert [(row["sku"], row["title"]) for row in (await ask(http, "GET", url))[1]] == [
        ("A1", "one"),
        ("A2", None),
    ]
    shop.data.lag_s = 0
    assert [row["sku"] for row in (await ask(http, "GET", url))[1]] == ["A1", "A3"]
    shop.data.hidden = {("articles", str(one))}
    shop.data.absent = {("articles", "title")}
    (row,) = (await ask(http, "GET", url))[1]
    assert row["sku"] == "A3" and "title" not in row
    assert len(shop.person.rows("articles")) == 2


async def test_a_restored_backup_and_ids_that_come_again(shop: System) -> None:
    (one,) = shop.person.insert("articles", {"sku": "A1"})
    name = shop.data.backup()
    (two,) = shop.person.insert("articles", {"sku": "A2"})
    shop.person.edit("articles", one, title="later")
    shop.data.restore(name)
    assert {row["sku"]: row["title"] for row in shop.person.rows("articles").values()} == {"A1": None}
    assert shop.person.insert("articles", {"sku": "B1"}) == [two]
    shop.person.delete("articles", two)
    assert shop.person.insert("articles", {"sku": "B2"}) != [two]
    shop.data.reuse_ids = True
    assert shop.person.insert("articles", {"sku": "B3"}) == [two]


async def test_an_automation_answers_our_writes_and_no_person_s(
    shop: System, http: aiohttp.ClientSession
) -> None:
    await ask(
        http, "POST", f"{shop.control}/state", {"automations": [{"table": "articles", "upper": ["title"]}]}
    )
    await ask(http, "POST", f"{shop.address}/articles", {"sku": "A1", "title": "wine"})
    shop.person.insert("articles", {"sku": "A2", "title": "beer"})
    assert {row["title"] for row in shop.person.rows("articles").values()} == {"WINE", "beer"}


async def test_webhooks_repeated_out_of_order_and_lost() -> None:
    got: list[int] = []

    async def hook(request: web.Request) -> web.Response:
        got.append((await request.json())["id"])
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/", hook)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with stand(System, {"hook": f"http://127.0.0.1:{port}/"}) as emulator:
            shop = emulator
            shop.person.insert("articles", {"sku": "A1"}, {"sku": "A2"})
            await shop.calls.settled()
            shop.calls.knobs.copies, shop.calls.knobs.hold = 2, 4
            shop.person.insert("articles", {"sku": "A3"}, {"sku": "A4"})
            await shop.calls.settled()
            shop.calls.knobs.hold, shop.calls.knobs.lose = 0, 1
            shop.person.insert("articles", {"sku": "A5"}, {"sku": "A6"})
            await shop.calls.settled()
        assert got == [1, 2, 4, 4, 3, 3, 6, 6]
        assert {call.status for call in shop.calls.sent} == {200}
    finally:
        await runner.cleanup()


async def test_the_control_port_does_what_a_person_does(shop: System, http: aiohttp.ClientSession) -> None:
    control = shop.control
    status, keys = await ask(http, "POST", f"{control}/rows/articles", [{"sku": "A1"}, {"sku": "A2"}])
    assert (status, keys) == (200, [1, 2])
    assert (await ask(http, "POST", f"{control}/rows/articles", {"sku": "A1"}))[0] == 409
    assert (await ask(http, "PATCH", f"{control}/rows/articles/1", {"title": "new"}))[1]["title"] == "new"
    assert (await ask(http, "DELETE", f"{control}/rows/articles/2"))[0] == 200
    _, rows = await ask(http, "GET", f"{control}/rows/articles")
    assert [(row["id"], row["title"]) for row in rows] == [(1, "new")]
    assert (await ask(http, "GET", f"{control}/rows/nothing"))[0] == 400
    await ask(http, "POST", f"{control}/faults", {"kind": "rate_limit", "seconds": 7})
    async with http.get(f"{shop.address}/articles") as got:
        assert (got.status, got.headers["Retry-After"]) == (429, "7")
    _, faults = await ask(http, "GET", f"{control}/faults")
    assert faults == {"waiting": [], "happened": ["rate_limit GET /articles"]}
    assert (await ask(http, "POST", f"{control}/faults", {"kind": "nothing"}))[0] == 400
    _, counted = await ask(http, "GET", f"{control}/counters")
    assert counted["paths"] == {"GET /articles": 1} and counted["requests"] == ["GET /articles 429"]
    _, about = await ask(http, "GET", control)
    assert (about["system"], about["rows"]) == ("shop", {"articles": 1})


async def test_limits_and_clocks_are_set_over_the_control_port(
    shop: System, http: aiohttp.ClientSession
) -> None:
    (one,) = shop.person.insert("articles", {"sku": "A1"})
    wanted = {"limit": {"requests": 1, "seconds": 3600}, "skew_s": 7200}
    await ask(http, "POST", f"{shop.control}/state", wanted)
    statuses = [(await ask(http, "GET", f"{shop.address}/articles"))[0] for _ in range(3)]
    assert statuses == [200, 429, 429]
    (two,) = shop.person.insert("articles", {"sku": "A2"})
    times = [shop.person.row("articles", key)["made"] for key in (one, two)]
    assert 7100 < (times[1] - times[0]).total_seconds() < 8000
    assert times[0].microsecond == 0


async def test_data_are_kept_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "shop.json"
    async with stand(System, file=file) as shop:
        (key,) = shop.person.insert("articles", {"sku": "A1", "price": "12345678901234.123456"})
        before = shop.person.rows("articles")
    async with stand(System, file=file) as shop:
        assert shop.person.rows("articles") == before
        assert shop.person.insert("articles", {"sku": "A2"}) == [int(key) + 1]


@pytest.mark.parametrize("system", sorted(CATALOG))
def test_every_emulator_of_the_list_comes_up_and_says_where(system: str) -> None:
    assert emulator_class(system).description.name == system
    command = [sys.executable, "-m", "clients.emulators", system, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address, control = process.stdout.readline().split()
            assert address != control and control.startswith("http://127.0.0.1:")
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_names_with_numbers_are_several_fields() -> None:
    assert [field.name for field in fields("Name Custom1..3 X")] == [
        "Name",
        "Custom1",
        "Custom2",
        "Custom3",
        "X",
    ]
