"""Customers and prospects of Sage 50 that are loaded into Sage Sales Management."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import aiohttp

from bench.pairs.emulated import Called, Emulated, Rows
from bench.pairs.pair import TellingPair, at_once, picked
from bench.stand import End

BATCH = 200
AT_ONCE = 4
PER_S, BURST = 2.5, 35  # what the plan of Sales Management allows
LOOK_S = 0.001
STATUSES = {"PROSPECTS": 1, "CLIENTS": 2}
COLUMNS = {
    "Code": "extId",
    "Société": "name",
    "Adresse 1": "address1",
    "Code Postal": "postcode",
    "Ville": "city",
    "Téléphone": "phone",
    "E-mail": "email",
}
GIVEN = {"administrator": "1", "branch": "1"}


class SageSalesManagement(TellingPair):
    """The pair."""

    name = "sage50fr-sage-sales-management"
    hooked = "accounts"
    changes = 40  # after each the emulator writes all exports anew: seconds, at full size
    allowance_s = BURST / PER_S
    without_limit: ClassVar[Mapping[str, Any]] = {"rate_per_s": 0}
    blueprint = "sage50fr-sage-sales-management"
    systems = (("sage50fr", {}), ("sage_sales_management", {}))
    rules: ClassVar[Mapping[str, Any]] = {
        "delivery": "instant",
        "settings": {name: {"form": "text", "default": value} for name, value in GIVEN.items()},
    }

    def __init__(self) -> None:
        self._half = self._files = 0
        self._ids: Mapping[str, int] = {}
        self._session: Mapping[str, str] = {}

    def rows(self, count: int) -> Rows:
        """Half of them are prospects."""
        self._half = count // 2
        return {
            "clients": [_company(n) for n in range(1, self._half + 1)],
            "prospects": [_company(n) for n in range(self._half + 1, count + 1)],
        }

    def ends(self, a: Emulated, b: Emulated) -> tuple[End, End]:
        """With the limit of the plan, which the emulator holds to, too."""
        keys = {"public_key": "public", "private_key": "private"}
        folder = {"path": a.address, "quiet_s": 0, "take_in_max_s": 60}
        return ("sage50fr", folder), (
            "sage_sales_management",
            {
                "url": f"{b.address}/api/v4",
                **keys,
                "rate_per_s": PER_S,
                "rate_burst": BURST,
                "page_size": 1000,
            },
        )

    async def load(self, http: aiohttp.ClientSession, a: Emulated, b: Emulated) -> None:
        """Both files, and one request for each 200 companies."""
        session = await _session(http, b)
        tokens, at = float(BURST - 1), time.monotonic()

        async def make(batch: Sequence[Mapping[str, Any]]) -> None:
            nonlocal tokens, at
            now = time.monotonic()
            tokens, at = min(float(BURST), tokens + (now - at) * PER_S) - 1, now
            if tokens < 0:
                await asyncio.sleep(-tokens / PER_S)
            items = [{"guid": str(place), "data": row} for place, row in enumerate(batch)]
            async with http.post(f"{b.address}/api/v4/accounts/bulk", json=items, headers=session) as answer:
                assert all(one["code"] == 1 for one in await answer.json())

        await at_once(_batches(Path(a.address) / "Export"), make, AT_ONCE)

    async def held(self, a: Emulated, b: Emulated) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Code, name, place."""
        left, right = ("Code", "Société", "Ville"), ("extId", "name", "city")
        accounts = await b.rows("accounts")
        self._ids = {row["extId"]: row["id"] for row in accounts}
        both = [*await a.rows("clients"), *await a.rows("prospects")]
        return picked(both, left), picked(accounts, right)

    def ways(self, a: Emulated, b: Emulated) -> tuple[Emulated, Emulated]:
        """From Sales Management to Sage 50: files call nobody."""
        return b, a

    async def call(self, source: Emulated, url: str, secret: str) -> None:
        """One hook, for changed accounts."""
        hook = {"entity": "account", "action": "update", "url": url}
        known = [row["id"] for row in await source.rows("hooks")]
        await source.person(*(("PATCH", f"rows/hooks/{known[0]}") if known else ("POST", "rows/hooks")), hook)

    async def change(self, source: Emulated, number: int, mark: str) -> None:
        """Another city of a prospect: customers are read-only there."""
        await source.person("PATCH", f"rows/accounts/{self._ids[_code(self._half + number)]}", {"city": mark})

    async def watch(self, target: Emulated, called: Called) -> AsyncIterator[float]:
        """An import file lies in the folder."""
        known = {path.stem for path in (Path(target.address) / "Import").iterdir()}
        while True:
            await asyncio.sleep(LOOK_S)
            found = {name.partition(".")[0] for name in os.listdir(Path(target.address) / "Import")}
            for _ in found - known:
                yield time.perf_counter()
            known |= found

    async def relay(
        self, http: aiohttp.ClientSession, source: Emulated, target: Emulated, number: int
    ) -> None:
        """Read it, and put an import file there."""
        self._session = self._session or await _session(http, source)
        url = f"{source.address}/api/v4/accounts/{self._ids[_code(self._half + number)]}"
        async with http.get(url, headers=self._session) as answer:
            row = await answer.json()
        self._files += 1
        path = Path(target.address) / "Import" / f"PROSPECTS_{self._files:06d}.part"
        path.write_text(f"Code\tVille\r\n{row['extId']}\t{row['city']}\r\n", encoding="cp1252")
        path.rename(path.with_suffix(".TXT"))


async def _session(http: aiohttp.ClientSession, b: Emulated) -> Mapping[str, str]:
    keys = {"username": "public", "password": "private"}
    async with http.post(f"{b.address}/api/v4/login", json=keys) as answer:
        return {"X-Session-Key": (await answer.json())["token"]}


async def _batches(exports: Path) -> AsyncIterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for stem, status in STATUSES.items():
        head, *lines = (exports / f"{stem}.TXT").read_text(encoding="cp1252").splitlines()
        names = head.split("\t")
        same = {"branchId": 1, "salesRepId1": 1, "countryId": 1, "statusId": status, "readOnly": status == 2}
        for line in lines:
            row = dict(zip(names, line.split("\t"), strict=True))
            batch.append({**same, **{there: row[here] for here, there in COLUMNS.items()}})
            if len(batch) == BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def _code(number: int) -> str:
    return f"C{number:06d}"


def _company(number: int) -> dict[str, Any]:
    return {
        "Code": _code(number),
        "Nom": f"Domaine {number}",
        "Société": f"Maison {number}",
        "Adresse 1": f"{number} rue des Vignes",
        "Code Postal": "33000",
        "Ville": "Bordeaux",
        "Pays": "France",
        "Téléphone": f"+33 5 {number:08d}",
        "E-mail": f"domaine{number}@maison.example",
    }
