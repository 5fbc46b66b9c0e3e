"""webCRM's quirks, one by one, asked over HTTP (the vendor's Swagger file, his own client, and three others)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from clients.emulators.faults import Fault
from clients.emulators.stand import stand
from clients.emulators.webcrm import System

pytestmark = pytest.mark.anyio
CODE = "11111111-2222-3333-4444-555555555555"


class Caller:
    """Somebody with a token."""

    def __init__(self, http: aiohttp.ClientSession, crm: System) -> None:
        self.http, self.crm, self.token = http, crm, ""

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.crm.address}{path}"
        async with self.http.request(method, url, json=body, headers=headers, **more) as got:
            return got.status, await got.json(content_type=None) if await got.read() else None

    async def login(self, **form: str) -> dict[str, Any]:
        url = f"{self.crm.address}/Auth/ApiLogin"
        async with self.http.post(url, data=form or {"authCode": CODE}) as got:
            found: dict[str, Any] = await got.json()
        self.token = found.get("AccessToken", "")
        return found

    async def query(self, script: str, **more: Any) -> list[dict[str, Any]]:
        status, rows = await self.ask("GET", "/Queries", params={"script": script, **more})
        assert status == 200, rows
        assert isinstance(rows, list)
        return rows


@pytest.fixture
async def crm(request: pytest.FixtureRequest) -> AsyncIterator[System]:
    async with stand("webcrm", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, System)
        yield emulator


@pytest.fixture
async def caller(crm: System) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as http:
        made = Caller(http, crm)
        await made.login()
        yield made


async def test_a_token_lives_an_hour_and_a_wrong_code_is_an_error_inside_200(
    caller: Caller, crm: System
) -> None:
    assert (await caller.ask("GET", "/Persons"))[0] == 200
    crm.expire()
    assert (await caller.ask("GET", "/Persons"))[0] == 401
    wrong = await caller.login(authCode="guess")
    assert wrong["IsError"] is True and "AccessToken" not in wrong
    drawn = await caller.login()
    assert drawn["ExpiresIn"] == 3600
    async with caller.http.post(
        f"{crm.address}/Auth/ApiRefresh", headers={"refreshToken": drawn["RefreshToken"]}
    ) as got:
        assert (await got.json())["AccessToken"] != drawn["AccessToken"]


async def test_lists_have_no_end_mark_and_ignore_filters(caller: Caller, crm: System) -> None:
    crm.person.insert("Organisations", *({"OrganisationName": f"O{n}"} for n in range(5)))
    pages = [await caller.ask("GET", "/Organisations", params={"page": n, "Size": 2}) for n in range(1, 5)]
    assert [len(rows) for _, rows in pages] == [2, 2, 1, 0]
    assert len((await caller.ask("GET", "/Organisations?OrganisationName=O1"))[1]) == 5
    assert (await caller.ask("GET", "/Organisations?Size=1001"))[0] == 400


async def test_values_are_written_in_its_own_way(caller: Caller, crm: System) -> None:
    (id_,) = crm.person.insert("Organisations", {"OrganisationName": "Nordvin"})
    _, row = await caller.ask("GET", f"/Organisations/{id_}")
    assert row["OrganisationXDate1"] == "0001-01-01T01:00:00+01:00"
    assert (row["OrganisationOwner"], row["OrganisationType"], row["OrganisationNoAds"]) == (
        0,
        "-- vælg --",
        False,
    )
    changed = {**row, "OrganisationXDate1": "2024-07-01T00:00:00+02:00", "OrganisationType": "Kunde"}
    assert (await caller.ask("PUT", f"/Organisations/{id_}", changed))[0] == 200
    _, again = await caller.ask("GET", f"/Organisations/{id_}")
    assert again["OrganisationXDate1"] == "2024-07-01T00:00:00+02:00"
    assert again["OrganisationType"] == "Kunde" and again["OrganisationOwner"] == 0


async def test_put_takes_the_whole_object_and_empties_the_rest(caller: Caller, crm: System) -> None:
    row = {"OrganisationName": "Nordvin", "OrganisationCity": "Aarhus"}
    (id_,) = crm.person.insert("Organisations", row)
    await caller.ask("PUT", f"/Organisations/{id_}", {"OrganisationId": id_, "OrganisationName": "Ny"})
    assert crm.person.row("Organisations", id_)["OrganisationCity"] is None


async def test_create_answers_differently_per_entity(caller: Caller, crm: System) -> None:
    status, body = await caller.ask("POST", "/Organisations", {"OrganisationId": 0, "OrganisationName": "A"})
    assert (status, body) == (200, None)
    (organisation,) = crm.person.rows("Organisations")
    person = {"PersonId": 0, "PersonLastName": "Holm", "PersonOrganisationId": organisation}
    status, made = await caller.ask("POST", "/Persons", person)
    assert (status, crm.person.row("Persons", made)["PersonLastName"]) == (200, "Holm")
    assert (await caller.ask("POST", "/Persons", {"PersonLastName": "no id field"}))[0] == 400
    assert (await caller.ask("POST", "/Persons", {"PersonId": 0}))[0] == 400
    moved = {**person, "PersonOrganisationId": 0, "PersonEmail": "a@holm.example"}
    await caller.ask("PUT", f"/Persons/{made}", moved)
    kept = crm.person.row("Persons", made)
    assert (kept["PersonOrganisationId"], kept["PersonEmail"]) == (organisation, "a@holm.example")


async def test_upsert_tells_for_each_row_and_is_not_all_or_nothing(caller: Caller, crm: System) -> None:
    rows = [{"UserId": 0, "UserName": "Ida"}, {"UserId": 0}, {"UserId": 99, "UserName": "x"}]
    _, told = await caller.ask("PATCH", "/Users", rows)
    _, id_ = crm.person.rows("Users")  # the first one is the administrator
    assert told[0] == str(id_) and all(text.startswith("Error") for text in told[1:])
    await caller.ask("PATCH", "/Users", [{"UserId": id_, "UserName": "Ida H."}])
    assert crm.person.row("Users", id_)["UserName"] == "Ida H."


async def test_only_some_can_be_deleted(caller: Caller, crm: System) -> None:
    (organisation,) = crm.person.insert("Organisations", {"OrganisationName": "A"})
    (line,) = crm.person.insert("QuotationLines", {"QuotationLineOpportunityId": 1})
    assert (await caller.ask("DELETE", f"/Organisations/{organisation}"))[0] == 405
    assert (await caller.ask("DELETE", f"/QuotationLines/{line}"))[0] == 200
    assert (await caller.ask("DELETE", f"/QuotationLines/{line}"))[0] == 404


async def test_deleting_catalogue_rows_without_an_id_deletes_them_all(caller: Caller, crm: System) -> None:
    crm.person.insert("QuotationLinesLinkedData", {}, {}, {})
    assert (await caller.ask("DELETE", "/QuotationLines/LinkedData/1"))[0] == 200
    assert len(crm.person.rows("QuotationLinesLinkedData")) == 2
    assert (await caller.ask("DELETE", "/QuotationLines/LinkedData"))[0] == 200
    assert not crm.person.rows("QuotationLinesLinkedData")


async def test_updated_between_is_half_open(caller: Caller, crm: System) -> None:
    (id_,) = crm.person.insert("Organisations", {"OrganisationName": "A"})
    at = crm.person.row("Organisations", id_)["OrganisationUpdatedAt"].isoformat()
    path = "/Organisations/FindByUpdateDates"
    assert len((await caller.ask("GET", f"{path}/{at}/2099-01-01T00:00:00Z"))[1]) == 1
    assert not (await caller.ask("GET", f"{path}/2020-01-01T00:00:00Z/{at}"))[1]
    assert (await caller.ask("GET", f"{path}/yesterday/{at}"))[0] == 400


async def test_queries_find_by_any_field_in_order(caller: Caller, crm: System) -> None:
    names = ["Holm", "O'Brien", "Aagaard"]
    crm.person.insert("Persons", *({"PersonLastName": name, "PersonSortOrder": 7} for name in names))
    rows = await caller.query("SELECT PersonId, PersonLastName FROM Person WHERE PersonLastName = 'o''brien'")
    assert rows == [{"RowNumber": 1, "PersonId": 2, "PersonLastName": "O'Brien"}]
    rows = await caller.query(
        "SELECT * FROM Person WHERE (PersonId >= 2 OR PersonEmail = 'x') AND PersonSortOrder = 7"
        " ORDER BY PersonLastName",
        Size=2,
    )
    assert [row["PersonLastName"] for row in rows] == ["Aagaard", "O'Brien"]
    for wrong in ("SELECT * FROM Nothing", "DROP TABLE Person", "SELECT * FROM Person WHERE PersonId >= 'x'"):
        assert (await caller.ask("GET", "/Queries", params={"script": wrong}))[0] == 400


async def test_two_deliveries_with_one_number_can_not_be_edited(caller: Caller, crm: System) -> None:
    (organisation,) = crm.person.insert("Organisations", {"OrganisationName": "A"})
    row = {"DeliveryId": 0, "DeliveryOrganisationId": organisation, "DeliveryNumber": "7"}
    (_, one), (_, two) = (
        await caller.ask("POST", "/Deliveries", row),
        await caller.ask("POST", "/Deliveries", row),
    )
    assert (await caller.ask("PUT", f"/Deliveries/{one}", {**row, "DeliveryNote": "x"}))[0] == 400
    assert (await caller.ask("PUT", f"/Deliveries/{two}", {**row, "DeliveryNumber": "8"}))[0] == 200
    assert (await caller.ask("PUT", f"/Deliveries/{one}", {**row, "DeliveryNote": "x"}))[0] == 200


@pytest.mark.parametrize("crm", [{"fields": "standard"}], indirect=True)
async def test_user_defined_fields_are_those_that_somebody_made(caller: Caller, crm: System) -> None:
    names = {row["DbName"] for row in (await caller.ask("GET", "/FieldsMetadata/Organisation"))[1]}
    assert "OrganisationName" in names and "OrganisationExtraCustom8" not in names
    crm.person.insert(
        "FieldsMetadata", {"DbName": "OrganisationExtraCustom8", "EntityType": "Organisation", "Label": "ERP"}
    )
    _, rows = await caller.ask("GET", "/FieldsMetadata/All")
    assert {"OrganisationExtraCustom8", "PersonEmail"} <= {row["DbName"] for row in rows}


async def test_too_many_calls_are_told_to_wait_in_the_body(caller: Caller, crm: System) -> None:
    crm.faults.add(Fault("rate_limit", seconds=3))
    status, said = await caller.ask("GET", "/Users")
    assert (status, said["RetryAfterSeconds"]) == (429, 3)


async def test_hooks_of_one_entity_and_one_event_call_without_a_signature(
    caller: Caller, crm: System
) -> None:
    got: list[Any] = []

    async def hook(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/", hook)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        wanted = {"Id": 0, "TargetUrl": f"http://127.0.0.1:{runner.addresses[0][1]}/", "IsEnabled": True}
        status, id_ = await caller.ask(
            "POST", "/Organisations/Hooks", {**wanted, "EventType": "Update", "Filter": ["All"]}
        )
        assert status == 200
        (key,) = crm.person.insert("Organisations", {"OrganisationName": "A"})
        crm.person.edit("Organisations", key, OrganisationCity="Vejle")
        await crm.calls.settled()
        assert got == [{"Id": key, "Entity": "Organisation", "EventType": "Update"}]
        assert (await caller.ask("DELETE", f"/Organisations/Hooks/{id_}"))[0] == 204
        crm.person.edit("Organisations", key, OrganisationCity="Ribe")
        await crm.calls.settled()
        assert len(got) == 1
    finally:
        await runner.cleanup()
