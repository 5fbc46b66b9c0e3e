"""Organisations of webCRM that become debtors of Uniconta."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import aiohttp

from bench.pairs.emulated import Called, Emulated, Rows
from bench.pairs.pair import TellingPair, at_once, picked
from bench.stand import End

PAGE = 1000
AT_ONCE = 4
CODE = "auth-code"
BASIC = {"Authorization": f"Basic {b64encode(b'004711/tandem:secret').decode()}"}
COLUMNS = {
    "OrganisationExtraCustom8": "Account",
    "OrganisationName": "Name",
    "OrganisationVatNumber": "CompanyRegNo",
    "OrganisationPostCode": "ZipCode",
    "OrganisationCity": "City",
    "OrganisationTelephone": "Phone",
    "OrganisationExtraCustom1": "Currency",
    "OrganisationVatGroup": "Vat",
    "OrganisationExtraCustom2": "InvoiceEmail",
}


class WebcrmUniconta(TellingPair):
    """The pair."""

    name = "webcrm-uniconta"
    blueprint = "webcrm-uniconta"
    hooked = "Organisations"
    beside = 1  # webCRM's first user becomes an employee
    _bearer: Mapping[str, str] = MappingProxyType({})
    # Numbers are entered in webCRM: then nothing has to be written back, and a load is what the script does, too. And it
    # waits for nobody's yes.
    rules: ClassVar[Mapping[str, Any]] = {
        "settings": {"debtor_number_from": {"default": "a"}, "initial_create": {"default": "on"}}
    }
    systems = (("webcrm", {"fields": "all", "auth_code": CODE}), ("uniconta", {}))

    def rows(self, count: int) -> Rows:
        """Each has all that a debtor needs."""
        first = {"UserId": 1, "UserName": "Admin", "UserEmail": "admin@vin.example", "UserLoginName": "admin"}
        return {"Users": [first], "Organisations": [_organisation(n) for n in range(1, count + 1)]}

    def ends(self, a: Emulated, b: Emulated) -> tuple[End, End]:
        """Without the limits of a day: the emulators have none."""
        code = {"url": a.address, "auth_code": CODE, "requests_per_s": 0, "overlap_s": 0}
        user = {"company": 4711, "user": "tandem", "password": "secret", "calls_per_day": 0, "overlap_s": 0}
        return ("webcrm", code), ("uniconta", {"url": b.address, **user})

    async def load(self, http: aiohttp.ClientSession, a: Emulated, b: Emulated) -> None:
        """A query for each 1,000 organisations, one request for each debtor."""

        async def make(row: Mapping[str, Any]) -> None:
            url = f"{b.address}/api/Entities/Insert/DebtorClientUser"
            async with http.post(url, json=_debtor(row), headers=BASIC) as answer:
                assert "Account" in await answer.json()

        async with http.post(f"{a.address}/Auth/ApiLogin", data={"authCode": CODE}) as answer:
            self._bearer = {"Authorization": f"Bearer {(await answer.json())['AccessToken']}"}
        await at_once(_organisations(http, a, self._bearer), make, AT_ONCE)

    async def held(self, a: Emulated, b: Emulated) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Name, number and city."""
        left = ("OrganisationName", "OrganisationVatNumber", "OrganisationCity")
        right = ("Name", "CompanyRegNo", "City")
        return picked(await a.rows("Organisations"), left), picked(await b.rows("DebtorClient"), right)

    def ways(self, a: Emulated, b: Emulated) -> tuple[Emulated, Emulated]:
        """From webCRM to Uniconta."""
        return a, b

    async def call(self, source: Emulated, url: str, secret: str) -> None:
        """One hook, for updates."""
        for row in await source.rows("Hooks"):
            await source.person("DELETE", f"rows/Hooks/{row['Id']}")
        hook = {"Entity": "Organisations", "EventType": "Update", "TargetUrl": url}
        await source.person("POST", "rows/Hooks", hook)

    async def change(self, source: Emulated, number: int, mark: str) -> None:
        """Another city."""
        await source.person("PATCH", f"rows/Organisations/{number}", {"OrganisationCity": mark})

    async def watch(self, target: Emulated, called: Called) -> AsyncIterator[float]:
        """A "Change URL" of the debtors."""
        await target.person("POST", "rows/TableChangeEventClient", {"TableId": 50, "Url": called.url})
        async for at, _ in called.calls:
            yield at

    async def relay(
        self, http: aiohttp.ClientSession, source: Emulated, target: Emulated, number: int
    ) -> None:
        """Read here, read there, and send back the whole object."""
        async with http.get(f"{source.address}/Organisations/{number}", headers=self._bearer) as answer:
            row = await answer.json()
        asked = {"$filter": f"Account eq '{row['OrganisationExtraCustom8']}'", "$top": "1"}
        url = f"{target.address}/odata/4711/DebtorClientUser"
        json_ = {"Accept": "application/json"}
        async with http.get(url, params=asked, headers={**BASIC, **json_}) as answer:
            (there,) = (await answer.json())["value"]
        url = f"{target.address}/api/Entities/Update/DebtorClientUser"
        async with http.put(url, json={**there, "City": row["OrganisationCity"]}, headers=BASIC) as answer:
            assert "Account" in await answer.json()


def _organisation(number: int) -> dict[str, Any]:
    return {
        "OrganisationId": number,
        "OrganisationName": f"Vinhuset Nørre {number}",
        "OrganisationType": "Kunde",
        "OrganisationVatNumber": f"{10_000_000 + number}",
        "OrganisationAddress": f"Havnegade {number}\n2. sal",
        "OrganisationPostCode": "8000",
        "OrganisationCity": "Aarhus",
        "OrganisationCountry": "Danmark",
        "OrganisationTelephone": f"+458{number:07d}",
        "OrganisationExtraCustom1": "DKK",
        "OrganisationVatGroup": "U25",
        "OrganisationExtraCustom2": f"faktura{number}@vinhuset.example",
        "OrganisationExtraCustom5": "Danmark",
        "OrganisationExtraCustom8": f"{1_000_000 + number}",
    }


def _debtor(row: Mapping[str, Any]) -> dict[str, Any]:
    address = dict(zip(("Address1", "Address2"), row["OrganisationAddress"].split("\n"), strict=False))
    plain = {there: row[here] for here, there in COLUMNS.items()}
    return {**plain, **address, "Country": "Denmark", "Group": "Danmark"}


async def _organisations(
    http: aiohttp.ClientSession, a: Emulated, bearer: Mapping[str, str]
) -> AsyncIterator[Mapping[str, Any]]:
    last, columns = 0, ", ".join(("OrganisationId", "OrganisationAddress", *COLUMNS))
    while True:
        where = f"OrganisationId >= {last + 1} AND OrganisationType = 'Kunde' ORDER BY OrganisationId"
        query = {
            "script": f"SELECT {columns} FROM Organisation WHERE {where}",
            "Page": "1",
            "Size": str(PAGE),
        }
        async with http.get(f"{a.address}/Queries", params=query, headers=bearer) as answer:
            rows = await answer.json()
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        last = rows[-1]["OrganisationId"]
