"""OData <-> CSV as a story that ends: load, edits on both sides, new customers on both sides. Exits 0 only if both agree."""

from __future__ import annotations

import base64
import csv
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from examples.daemon import Daemon, StandError
from tests.connectors import odata_server

HERE = Path(__file__).parent
LINK = "ledger-shop"
IN_STEP_WITHIN_S = 90.0
EXACT = "application/json;IEEE754Compatible=true"
COLUMNS = ("NR", "NAME", "MAIL", "ORT", "KREDIT")


class Ledger:
    """The CSV folder, as the ledger's own program uses it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "debitors.csv"
        folder.mkdir(parents=True)

    def rows(self) -> list[dict[str, str]]:
        """Every line."""
        with self.path.open(encoding="cp1252", newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))

    def save(self, rows: list[dict[str, str]]) -> None:
        """A new file in the place of the old one."""
        part = self.path.with_suffix(".part")
        with part.open("w", encoding="cp1252", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, delimiter=";", lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(part, self.path)

    def edit(self, change: Callable[[dict[str, dict[str, str]]], None]) -> None:
        """Change lines by their number, unless Tandem has just written: then on what it wrote."""
        rows = {row["NR"]: row for row in self.rows()}
        change(rows)
        self.save(list(rows.values()))


class Shop:
    """The OData service, as a person with a program of her own uses it."""

    def __init__(self, url: str) -> None:
        self._root = f"{url}/odata/v4/shop/"
        proof = base64.b64encode(f"{odata_server.USER}:{odata_server.PASSWORD}".encode()).decode()
        self._headers = {"Authorization": f"Basic {proof}", "Accept": EXACT, "Content-Type": EXACT}

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request."""
        headers = {**self._headers, **({"If-Match": "*"} if method == "PATCH" else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._root + path, data, headers, method=method)  # noqa: S310 -- our own address
        return json.loads(await anyio.to_thread.run_sync(_opened, request))

    async def rows(self) -> list[dict[str, Any]]:
        """Every customer."""
        found: list[dict[str, Any]] = (await self.ask("GET", "customers"))["value"]
        return found


def _opened(request: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request) as answer:  # noqa: S310 -- our own address
        body: bytes = answer.read()
        return body


def differences(ledger: Ledger, shop: list[dict[str, Any]]) -> list[str]:
    """Every way in which both disagree, found without Tandem's help."""
    left = {
        row["NR"]: (row["NAME"], row["MAIL"].lower(), row["ORT"], _money(row["KREDIT"]))
        for row in ledger.rows()
    }
    right = {
        row["no"]: (
            row["name"],
            row["email"] or "",
            row["address_city"] or "",
            None if row["credit"] is None else Decimal(row["credit"]),
        )
        for row in shop
    }
    numbers = sorted({*left, *right}, key=str)
    return [f"{n}: {left.get(n)} and {right.get(n)}" for n in numbers if left.get(n) != right.get(n)]


def _money(text: str) -> Decimal | None:
    return Decimal(text.replace(".", "").replace(",", ".")) if text else None


async def in_step(ledger: Ledger, shop: Shop, count: int) -> None:
    """Wait until both hold the same `count` customers."""
    left: list[str] = ["nothing was compared yet"]

    async def same() -> bool:
        nonlocal left
        rows = await shop.rows()
        left = differences(ledger, rows)
        return not left and len(rows) == count

    await _until(same, lambda: f"not in step after {IN_STEP_WITHIN_S:g} s: {'; '.join(left[:5])}")


async def _until(condition: Callable[[], Awaitable[bool]], words: Callable[[], str]) -> None:
    deadline = time.monotonic() + IN_STEP_WITHIN_S
    while not await condition():
        if time.monotonic() > deadline:
            raise StandError(words())
        await anyio.sleep(0.2)


def say(text: str) -> None:
    """One line of the story."""
    print(text, flush=True)


async def story(daemon: Daemon, ledger: Ledger, shop: Shop, url: str) -> None:
    """Load, edit, and compare."""
    say("1. The ledger knows two customers, the shop two; one of them is the same, by her e-mail address.")
    ledger.save(
        [
            dict(
                zip(
                    COLUMNS,
                    ("D00001", "Weingut Müller", "info@mueller.example", "Trier", "1.500,00"),
                    strict=True,
                )
            ),
            dict(
                zip(COLUMNS, ("D00002", "Café Schröder", "cafe@schroeder.example", "", "250,50"), strict=True)
            ),
        ]
    )
    for name, email, city in (
        ("Café Schröder", "cafe@schroeder.example", "Köln"),
        ("Hotel Adler", "post@adler.example", "Ulm"),
    ):
        await shop.ask("POST", "customers", {"name": name, "email": email, "address_city": city})
    await daemon.create_tenant("OData and CSV")
    ledger_settings = (HERE / "ledger.json").read_text().replace("{folder}", str(ledger.folder))
    shop_settings = (HERE / "shop.json").read_text().replace("{url}", url)
    await daemon.create_connection("ledger", "csv", json.loads(ledger_settings))
    await daemon.create_connection("shop", "odata", json.loads(shop_settings))
    await daemon.ctl("links", "create", LINK, "ledger", "shop", f"@{HERE / 'ledger-shop.yaml'}")
    await in_step(ledger, shop, 3)
    say("   Three customers on both sides: Hotel Adler got a number of the ledger, Café Schröder her town.")

    say("2. The ledger changes a credit limit, the shop an address; each takes in a new customer.")
    adler = next(row for row in await shop.rows() if row["name"] == "Hotel Adler")

    def change(rows: dict[str, dict[str, str]]) -> None:
        rows["D00001"]["KREDIT"] = "2.000,00"
        new = ("D00100", "Bäckerei Weiß", "weiss@baecker.example", "Bonn", "100,00")
        rows["D00100"] = dict(zip(COLUMNS, new, strict=True))

    ledger.edit(change)
    await shop.ask(
        "PATCH", f"customers({adler['ID']})", {"email": "rezeption@adler.example", "address_city": "Neu-Ulm"}
    )
    await shop.ask("POST", "customers", {"name": "Gasthof Löwen", "email": "loewen@gasthof.example"})
    await in_step(ledger, shop, 5)
    say("   Both hold the same five customers. Nothing was lost, nothing stands twice.")


async def main() -> int:
    """Bring everything up, play, take everything down."""
    root = Path(tempfile.mkdtemp(prefix="tandem-odata-csv-"))
    daemon = Daemon(root, "odata-csv")
    try:
        say("Starting the OData service (the first time its packages are installed) and tandemd ...")
        with odata_server.running() as url:
            await daemon.start_daemon()
            try:
                await story(daemon, Ledger(root / "ledger"), Shop(url), url)
            finally:
                with anyio.CancelScope(shield=True):
                    await daemon.stop_daemon()
    except (StandError, odata_server.NotInstallable) as error:
        say(f"\nThe example stopped: {error}\nEverything is kept in {root}")
        return 1
    shutil.rmtree(root, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(anyio.run(main))
