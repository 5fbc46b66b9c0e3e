"""The other person at an OData service, and the fixtures that start one: what the contract suite and its neighbours need.

She speaks HTTP by herself, so that nothing of the connector stands between her and the system.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from actors.core.values import Value, canonical
from clients.connectors.definition import checked_settings
from clients.connectors.systems import odata
from tests.connectors import odata_server
from tests.connectors.contract import FIELDS, System

_URL = pytest.StashKey[str]()
EXACT = "application/json;IEEE754Compatible=true"


@pytest.fixture(scope="session")
def odata_url(pytestconfig: pytest.Config) -> str:
    """Address of a running CAP server, one for all modules; the tests that need it are skipped where it can't be had."""
    if _URL not in pytestconfig.stash:
        kept = contextlib.ExitStack()
        pytestconfig.add_cleanup(kept.close)
        try:
            pytestconfig.stash[_URL] = kept.enter_context(odata_server.running())
        except odata_server.NotInstallable as error:
            pytest.skip(f"no OData server: {error}")
    return pytestconfig.stash[_URL]


class Person:
    """Somebody at the system, below `path` of it."""

    def __init__(self, url: str, path: str = "/odata/v4/shop/") -> None:
        self.url, self.path = url, path
        proof = aiohttp.encode_basic_auth(odata_server.USER, odata_server.PASSWORD)
        self._session = aiohttp.ClientSession(headers={"Accept": EXACT, "Authorization": proof})

    async def close(self) -> None:
        """Hang up."""
        await self._session.close()

    async def post(self, path: str) -> None:
        """One of the server's switches (server.js)."""
        async with self._session.post(self.url + path) as answer:
            assert answer.status == 204, await answer.text()

    async def get(self, path: str) -> Any:
        """A body."""
        async with self._session.get(self.url + self.path + path) as answer:
            assert answer.status == 200, await answer.text()
            return json.loads(await answer.text())

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        """One change; the answer's body."""
        headers = {"Content-Type": EXACT, "If-Match": "*"}
        if method == "POST":
            del headers["If-Match"]
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, self.url + self.path + path, data=data, headers=headers
        ) as answer:
            assert answer.status in (200, 201, 204), await answer.text()
            text = await answer.text()
            return json.loads(text) if text else None

    async def make(self, entity_set: str, bodies: Sequence[Mapping[str, Any]]) -> None:
        """Records, all in one transaction."""
        requests = [
            {
                "id": str(number),
                "method": "POST",
                "url": entity_set,
                "atomicityGroup": "all",
                "headers": {"content-type": EXACT},
                "body": body,
            }
            for number, body in enumerate(bodies)
        ]
        body = {"requests": requests}
        async with self._session.post(self.url + self.path + "$batch", json=body) as answer:
            replies = json.loads(await answer.text())["responses"]
            assert all(reply["status"] == 201 for reply in replies), replies


class People(System):
    """The entity set `people`. `settings`: of its object; `more`: of the connection."""

    def __init__(self, person: Person, settings: Mapping[str, Any], **more: Any) -> None:
        self.person = person
        self.settings = {
            "url": f"{person.url}{more.pop('path', '/odata/v4/shop')}",
            "auth": "basic",
            "user": odata_server.USER,
            "password": odata_server.PASSWORD,
            "objects": {"people": {"set": more.pop("set", "people"), **settings}},
            **more,
        }

    async def open(self) -> odata.ODataConnector:
        return await odata.connect(checked_settings(odata.DECLARATION, self.settings))

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        await self.person.make("people", [{"id": id_, **as_json(row)} for id_, row in rows.items()])

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        await self.person.send("PATCH", f"people('{id}')", as_json(changes))

    async def delete(self, id: str) -> None:
        await self.person.send("DELETE", f"people('{id}')")

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        found = (await self.person.get("people"))["value"]
        return {row["id"]: {name: as_value(name, row[name]) for name in (*FIELDS, "extra")} for row in found}

    def bad_native(self) -> Mapping[str, Value]:
        return {"name": "refused"}


def as_json(row: Mapping[str, Value]) -> dict[str, Any]:
    """As a person's program writes it."""
    return {name: str(value) if isinstance(value, Decimal | date) else value for name, value in row.items()}


def as_value(name: str, found: Any) -> Value:
    """As a person reads it."""
    if found is None:
        return None
    if name == "amount":
        return canonical(Decimal(found))
    return date.fromisoformat(found) if name == "day" else canonical(found)


@contextlib.asynccontextmanager
async def people(url: str, settings: Mapping[str, Any], **more: Any) -> AsyncIterator[People]:
    """The entity set, empty."""
    person = Person(url)
    try:
        await person.post("/test/empty")
        yield People(person, settings, **more)
    finally:
        await person.close()
