"""Initial loads from a CSV file into real servers over the connectors that are told by declaration: `rest` (PocketBase) and
`odata` (SAP CAP, the tests' server), beside a script that reads the same file and makes the same records.
"""

from __future__ import annotations

import base64
import csv
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import anyio.to_thread

from bench.pairs.pair import at_once
from bench.report import Result
from bench.servers import REPOSITORY
from bench.session import Session, say
from bench.stand import End, steered
from bench.tables import WrongResult

FULL: Mapping[str, int] = {
    "rest": 20_000,
    "odata": 5_000,
}  # records; SAP CAP takes some milliseconds for each
AT_ONCE = 4  # as both connectors do
BATCH = 100  # records in one request of OData
START_S = 60.0
RECORDS_PER_S_MIN = 50
FIELDS = ("number", "name", "email", "city")
USER, PASSWORD = "tandem@example.com", "invented-password-1"
DECLARATION = REPOSITORY / "examples" / "pocketbase-postgres" / "pocketbase.yaml"
COLLECTION = "customers"
RULES = """
blueprint: served
version: 1
a: {{connector: csv, poll: 60s}}
b: {{connector: {connector}, poll: 60s}}
streams:
  customers:
    a: debitors
    b: customers
    match: [[number], [email]]
    creates: [a]
    deletes: {{a: ignore, b: ignore}}
    first_contact: fill_empty
    complete_read: 1h
    fields:
      number: {{a: number, b: {number}, lens: trim}}
      name: {{a: name, b: name, lens: trim, required: true}}
      email: {{a: email, b: email, lens: [trim, {{case: lower}}]}}
      city: {{a: city, b: {city}, lens: trim}}
"""
Row = Mapping[str, str]


class Served:
    """An empty server. `end`: how the daemon reaches it; `names`: what its number and its city are called."""

    def __init__(self, http: aiohttp.ClientSession, url: str, end: End, names: Mapping[str, str]) -> None:
        self.http = http
        self.url = url
        self.end = end
        self.names = names

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A request that has to go well; its answer."""
        async with self.http.request(method, f"{self.url}/{path}", json=body, headers=headers) as answer:
            if answer.status >= 400:
                raise WrongResult(f"{method} {path}: {answer.status} {(await answer.text())[:300]}")
            return await answer.json()

    async def load(self, rows: AsyncIterator[Row]) -> None:
        """The plain script: makes these."""
        raise NotImplementedError

    async def held(self) -> list[tuple[str, ...]]:
        """What it holds."""
        raise NotImplementedError


class PocketBase(Served):
    """One collection of a PocketBase, which takes one record in a request."""

    token = ""
    path = f"api/collections/{COLLECTION}/records"

    async def load(self, rows: AsyncIterator[Row]) -> None:
        """A request for each."""

        async def make(row: Row) -> None:
            assert "id" in await self.ask("POST", self.path, row, Authorization=self.token)

        await at_once(rows, make, AT_ONCE)

    async def held(self) -> list[tuple[str, ...]]:
        """Page by page."""
        found: list[tuple[str, ...]] = []
        while True:
            query = f"perPage=500&sort=id&page={len(found) // 500 + 1}"
            page = await self.ask("GET", f"{self.path}?{query}", Authorization=self.token)
            found += [tuple(row[name] for name in FIELDS) for row in page["items"]]
            if len(found) >= page["totalItems"]:
                return found


class Cap(Served):
    """The tests' OData service, which takes many in a batch."""

    path = "odata/v4/shop"
    token = f"Basic {base64.b64encode(b'tandem:quite secret').decode()}"

    async def load(self, rows: AsyncIterator[Row]) -> None:
        """A batch for each hundred."""

        async def make(some: Sequence[Row]) -> None:
            requests = [
                {
                    "id": str(place),
                    "method": "POST",
                    "url": "customers",
                    "headers": {"Content-Type": "application/json"},
                    "body": {
                        "no": row["number"],
                        "name": row["name"],
                        "email": row["email"],
                        "address_city": row["city"],
                    },
                }
                for place, row in enumerate(some)
            ]
            answer = await self.ask(
                "POST", f"{self.path}/$batch", {"requests": requests}, Authorization=self.token
            )
            assert all(one["status"] == 201 for one in answer["responses"])

        await at_once(_by_hundred(rows), make, AT_ONCE)

    async def held(self) -> list[tuple[str, ...]]:
        """Page by page."""
        found: list[tuple[str, ...]] = []
        names = ("no", "name", "email", "address_city")
        while True:
            path = f"{self.path}/customers?$orderby=ID&$top=1000&$skip={len(found)}"
            page = (await self.ask("GET", path, Authorization=self.token))["value"]
            found += [tuple(row[name] for name in names) for row in page]
            if len(page) < 1000:
                return found


@asynccontextmanager
async def pocketbase(http: aiohttp.ClientSession, folder: Path) -> AsyncIterator[Served]:
    """A PocketBase with an empty collection."""
    beside = Path(sys.executable).with_name("pocketbase")
    program = str(beside) if beside.exists() else shutil.which("pocketbase")
    if program is None:
        raise WrongResult("PocketBase is not installed: `make .venv` brings it")
    options = ["--dir", str(folder / "data")]  # beside it it puts what made its collections
    await anyio.run_process([program, "superuser", "upsert", USER, PASSWORD, *options])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {"declaration": DECLARATION.read_text(), "url": f"http://{address}"}
    account = {"variables": {"user": USER}, "secrets": {"password": PASSWORD}}
    found = PocketBase(
        http, settings["url"], ("rest", {**settings, **account}), {"number": "number", "city": "city"}
    )
    with (folder / "log").open("wb") as log:
        command = [program, "serve", "--http", address, *options]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        await _up(found, process)
        who = {"identity": USER, "password": PASSWORD}
        answer = await found.ask("POST", "api/collections/_superusers/auth-with-password", who)
        found.token = answer["token"]
        await found.ask("POST", "api/collections", _collection(), Authorization=found.token)
        yield found
    finally:
        process.terminate()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(process.wait)


def _collection() -> dict[str, Any]:
    texts = ("number", "name", "email", "phone", "city", "since")
    key = {
        "name": "id",
        "type": "text",
        "primaryKey": True,
        "required": True,
        "system": True,
        "min": 15,
        "max": 15,
    }
    key |= {"pattern": "^[a-z0-9]+$", "autogeneratePattern": "[a-z0-9]{15}"}
    updated = {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True}
    fields = [
        key,
        *({"name": name, "type": "text"} for name in texts),
        {"name": "credit", "type": "number"},
        {"name": "blocked", "type": "bool"},
        updated,
    ]
    return {"name": COLLECTION, "type": "base", "fields": fields}


async def _up(server: Served, process: subprocess.Popen[bytes]) -> None:
    with anyio.fail_after(START_S):
        while True:
            try:
                await server.ask("GET", "api/health")
                return
            except aiohttp.ClientError as error:
                if process.poll() is not None:
                    raise WrongResult(f"PocketBase did not start: {error}") from error
                await anyio.sleep(0.05)


@asynccontextmanager
async def cap(http: aiohttp.ClientSession, folder: Path) -> AsyncIterator[Served]:
    """An OData service without customers."""
    # Of the tests; nobody who measures something else needs Node.js.
    from tests.connectors import odata_server

    server = odata_server.running()
    url = await anyio.to_thread.run_sync(server.__enter__)
    try:
        account = {"auth": "basic", "user": odata_server.USER, "password": odata_server.PASSWORD}
        settings = {
            "url": f"{url}/{Cap.path}",
            "objects": {"customers": {"modified": "modifiedAt"}},
            **account,
        }
        yield Cap(http, url, ("odata", settings), {"number": '"no"', "city": "address_city"})
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(server.__exit__, None, None, None)


Server = Callable[[aiohttp.ClientSession, Path], AbstractAsyncContextManager[Served]]
SERVERS: Mapping[str, Server] = {"rest": pocketbase, "odata": cap}


async def load(connector: str, session: Session) -> Sequence[Result]:
    """The figure of one connector."""
    count, ratios, notes = session.options.rows(FULL[connector]), list[float](), ""
    for run in range(session.options.repeat(1)):
        folder = session.folder / f"served-{connector}-{run}"
        ledger = folder / "ledger" / "debitors.csv"
        ledger.parent.mkdir(parents=True)
        _write(ledger, count)
        async with AsyncExitStack() as stack:
            limit = aiohttp.TCPConnector(limit=AT_ONCE)
            http = await stack.enter_async_context(aiohttp.ClientSession(connector=limit))
            script_s = await _script(http, connector, folder / "script", ledger)
            load_s = await _load(http, connector, folder, ledger, count)
        ratios.append(load_s / script_s)
        notes = f"{load_s:.1f} s, script {script_s:.1f} s, {count:,} records"
        say(f"{connector}: {notes}")
    return [Result(f"load_over_script_{connector}", tuple(ratios), None, notes)]


async def _script(http: aiohttp.ClientSession, connector: str, folder: Path, ledger: Path) -> float:
    folder.mkdir()
    async with SERVERS[connector](http, folder) as server:
        began = time.perf_counter()
        await server.load(_rows(ledger))
        took_s = time.perf_counter() - began
        await _check(server, ledger)
    return took_s


async def _load(http: aiohttp.ClientSession, connector: str, folder: Path, ledger: Path, count: int) -> float:
    (folder / "b").mkdir()
    async with SERVERS[connector](http, folder / "b") as server, steered(folder / "daemon") as stand:
        source = {"path": str(ledger.parent), "quiet_s": 0, "objects": {"debitors": {"key": "number"}}}
        rules = RULES.format(connector=connector, **server.names)
        await stand.make_link(("csv", source), server.end, rules)
        began, ended = await stand.let_go(60 + count / RECORDS_PER_S_MIN)
        await _check(server, ledger)
        await stand.all_bound(count)
    return ended - began


async def _check(server: Served, ledger: Path) -> None:
    of_a = sorted([tuple(row[name] for name in FIELDS) async for row in _rows(ledger)])
    of_b = sorted(await server.held())
    if of_a != of_b:
        raise WrongResult(f"{len(of_a)} records in the file, {len(of_b)} on the server, and they differ")


def _write(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(FIELDS)
        writer.writerows(
            (f"{100_000 + n}", f"Kunde {n}", f"post{n}@kunde.example", f"Ort {n % 100}") for n in range(count)
        )


async def _rows(path: Path) -> AsyncIterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row


async def _by_hundred(rows: AsyncIterator[Row]) -> AsyncIterator[Sequence[Row]]:
    some: list[Row] = []
    async for row in rows:
        some.append(row)
        if len(some) == BATCH:
            yield some
            some = []
    if some:
        yield some
