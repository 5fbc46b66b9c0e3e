"""Tribe CRM's quirks, one by one, asked over HTTP (the vendor's pages and his clients)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from clients.emulators.stand import stand
from clients.emulators.tribe import System
from clients.emulators.tribe_tables import CUSTOMER, INVOICE, ORGANIZATION, PERSON, PHASE

pytestmark = pytest.mark.anyio


class Caller:
    """An application of the organisation."""

    def __init__(self, http: aiohttp.ClientSession, crm: System) -> None:
        self.http, self.crm = http, crm
        self.token = ""

    async def draw(self, secret: str = "client-secret", scope: str = "read write") -> tuple[int, Any]:
        form = {
            "grant_type": "client_credentials",
            "client_id": "tandem",
            "client_secret": secret,
            "scope": scope,
        }
        async with self.http.post(f"{self.crm.address}/oauth2/token", data=form) as got:
            said = await got.json()
            self.token = said.get("access_token", self.token)
            return got.status, said

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.crm.address}/v1/{path}"
        async with self.http.request(method, url, json=body, params=query or None, headers=headers) as got:
            return got.status, await got.json() if got.content_type == "application/json" else None

    async def find(self, name: str, **query: str) -> list[Any]:
        status, said = await self.ask(
            "GET", f"odata/{name}", **{f"${key}": text for key, text in query.items()}
        )
        assert status == 200, said
        rows: list[Any] = said["value"]
        return rows


@pytest.fixture
async def crm(request: pytest.FixtureRequest) -> AsyncIterator[System]:
    async with stand("tribe", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, System)
        yield emulator


@pytest.fixture
async def caller(crm: System) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as http:
        made = Caller(http, crm)
        await made.draw()
        yield made


async def test_tokens_by_client_credentials(caller: Caller, crm: System) -> None:
    status, said = await caller.draw("wrong")
    assert status == 401 and said["error_description"]
    assert (await caller.ask("GET", "odata/GetCurrentEmployee()", **{"$expand": "Person"}))[0] == 200
    crm.expire()
    assert (await caller.ask("GET", f"odata/{PERSON}"))[0] == 401


async def test_a_hundred_at_most(caller: Caller, crm: System) -> None:
    for number in range(120):
        crm.enter(PERSON, LastName=str(number))
    assert len(await caller.find(PERSON, top="500", orderby="ID")) == 100
    assert len(await caller.find(PERSON, skip="100", orderby="ID")) == 20


async def test_filters_that_there_are_and_those_that_there_are_not(caller: Caller, crm: System) -> None:
    keys = [crm.enter(PERSON, LastName=name) for name in ("O'Hara", "Traube", "Wein")]
    assert len(await caller.find(PERSON, filter="LastName eq 'o''hara'")) == 1
    assert len(await caller.find(PERSON, filter="contains(LastName, 'TRAU') or endswith(LastName,'n')")) == 2
    assert len(await caller.find(PERSON, filter=f"not (ID eq {keys[0]}) and LastMutationDate eq null")) == 2
    assert len(await caller.find(PERSON, filter="CreationDate ge 2020-01-01T00:00:00+02:00")) == 3
    phase = crm.enter(PHASE, Code="SENT")
    crm.enter(INVOICE, Subject="a", Phase=phase)
    assert len(await caller.find(INVOICE, filter="Phase/Code eq 'SENT'")) == 1
    for wrong in (f"ID in ({keys[0]})", "NoSuchField eq 1", "LastName has 'x'", "Address eq null"):
        assert (await caller.ask("GET", f"odata/{PERSON}", **{"$filter": wrong}))[0] == 400


async def test_what_is_referred_to_is_shown_where_it_is_asked_for(caller: Caller, crm: System) -> None:
    parent = crm.enter(ORGANIZATION, Name="Ours")
    key = crm.enter(CUSTOMER, Relation=parent)
    (row,) = await caller.find(CUSTOMER)
    assert row["ID"] == key and "Relation" not in row
    (row,) = await caller.find(
        CUSTOMER, select="Name", expand="Relation($select=ID),Organization($select=ID)"
    )
    assert row == {
        "ID": key,
        "_Type": "Relationship.Organization.CommercialRelationship.Customer",
        "Name": None,
        "Relation": {"ID": parent, "_Name": "Ours"},
        "Organization": None,
    }


async def test_put_changes_what_it_says_and_a_post_with_an_id_too(caller: Caller, crm: System) -> None:
    body = {"Name": "Nordvin", "VatNumber": "NL1"}
    status, row = await caller.ask("POST", f"odata/{ORGANIZATION}", body)
    assert status == 201 and row["_Type"] == "Relation.Organization" and row["LastMutationDate"] is None
    assert (await caller.ask("PUT", f"odata/{ORGANIZATION}({row['ID']})", {"Website": "x.test"}))[0] == 200
    _, row = await caller.ask("POST", f"odata/{ORGANIZATION}", {"ID": row["ID"], "PhoneNumber": "1"})
    assert (row["Name"], row["VatNumber"], row["Website"], row["PhoneNumber"]) == (
        "Nordvin",
        "NL1",
        "x.test",
        "1",
    )
    assert row["LastMutationDate"] and len(crm.person.rows(ORGANIZATION)) == 1
    assert (await caller.ask("POST", f"odata/{ORGANIZATION}", {"Name": "x", "Colour": "red"}))[0] == 400
    assert (await caller.ask("POST", f"odata/{CUSTOMER}", {"Relation": row["ID"]}))[0] == 400
    status, made = await caller.ask("POST", f"odata/{CUSTOMER}", {"Relation": {"ID": row["ID"]}})
    assert status == 201
    assert (await caller.ask("DELETE", f"odata/{ORGANIZATION}({row['ID']})"))[0] == 400
    assert (await caller.ask("DELETE", f"odata/{CUSTOMER}({made['ID']})"))[0] == 204
    assert (await caller.ask("DELETE", f"odata/{CUSTOMER}({made['ID']})"))[0] == 404


@pytest.mark.parametrize("crm", [{"invoices": "no"}], indirect=True)
async def test_without_the_module_there_is_no_such_entity(caller: Caller) -> None:
    status, said = await caller.ask("GET", f"odata/{INVOICE}")
    assert status == 404 and said["error"]["message"] == "entity type not found"


async def test_a_webhook_brings_the_id_and_the_headers_that_were_asked_for(
    caller: Caller, crm: System
) -> None:
    got: list[tuple[Any, Any]] = []

    async def hook(request: web.Request) -> web.Response:
        got.append((dict(request.headers), await request.json()))
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/h", hook)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/h"
        asked = {"url": url, "entityType": "Relation.Person", "headers": {"X-Tandem-Token": "t"}}
        status, made = await caller.ask("POST", "webhooks", asked)
        assert status == 201
        crm.enter(ORGANIZATION, Name="another type")
        key = crm.enter(PERSON, LastName="Traube")
        await crm.calls.settled()
        ((headers, body),) = got
        assert body["webhookId"] == made["id"] and body["payload"]["entityId"] == key
        assert headers["X-Tandem-Token"] == "t" and headers["X-Signature"]
    finally:
        await runner.cleanup()
