"""PocketBase <-> PostgreSQL as a story that ends: the declaration is probed, both are loaded, people edit on both sides, the
daemon is killed once. Exits 0 only if both hold the same in the end.
"""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio
import asyncpg
from pocketbase import PASSWORD, USER, NoPocketBase, Shop

from daemon.store.embedded import EmbeddedPostgres
from examples.daemon import Daemon, StandError

HERE = Path(__file__).parent
LINK = "shop-crm"
IN_STEP_WITHIN_S = 120.0
CUSTOMERS = 120


def say(text: str) -> None:
    """One line of the story."""
    print(text, flush=True)


class Crm:
    """The tables, as the CRM's own program uses them."""

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedPostgres(folder)
        self.url = ""

    async def start(self) -> None:
        """Bring the server up, with empty tables."""
        url = await self._server.start()
        self.url = url.replace("/tandem?", "/crm?")
        admin = await asyncpg.connect(url)
        await admin.execute("CREATE DATABASE crm")
        await admin.close()
        crm = await asyncpg.connect(self.url)
        await crm.execute((HERE / "crm.sql").read_text())
        await crm.close()

    async def stop(self) -> None:
        """End it."""
        await self._server.stop()

    async def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """One statement, committed."""
        crm = await asyncpg.connect(self.url)
        try:
            return [dict(row) for row in await crm.fetch(statement, *values)]
        finally:
            await crm.close()


class Story:
    """Both systems, the daemon, and what people do."""

    def __init__(self, root: Path) -> None:
        self.shop = Shop(root / "shop", _free_port())
        self.crm = Crm(root / "crm")
        self.daemon = Daemon(root, "example")

    async def play(self) -> list[str]:
        """The whole; what differs in the end."""
        await self._begin()
        await self._probe()
        say("2. The link is made: customers and contacts in both directions.")
        await self.daemon.ctl("links", "create", LINK, "shop", "crm", f"@{HERE / 'shop-crm.yaml'}")
        await self._in_step()
        await self._edit()
        await self._kill()
        return await self.differences()

    async def _begin(self) -> None:
        say(f"1. The shop has {CUSTOMERS} customers, the CRM 60, of which 40 are the same (by number).")
        await self.shop.start()
        await self.crm.start()
        for number in range(CUSTOMERS):
            await self.shop.add("customers", **customer(number))
        for number in (*range(40), *range(1000, 1020)):
            await self.crm.sql(
                "INSERT INTO customers (number, name, blocked, credit) VALUES ($1, $2, $3, $4)",
                *(f"C{number:05d}", customer(number)["name"], customer(number)["blocked"], number),
            )
        first = (await self.shop.rows("customers"))[0]
        await self.shop.add("contacts", customer=first["id"], name="Ida O'Möller", email="ida@haus.example")
        await self.daemon.start_daemon()
        await self.daemon.create_tenant("Example")
        shop = {
            "declaration": (HERE / "pocketbase.yaml").read_text(),
            "url": self.shop.url,
            "variables": {"user": USER},
            "secrets": {"password": PASSWORD},
        }
        await self.daemon.create_connection("shop", "rest", shop)
        await self.daemon.create_connection("crm", "postgres", {"url": self.crm.url, "find": "trigger"})

    async def _probe(self) -> None:
        found = await self.daemon.ctl("connections", "probe", "--connection", "shop", "--timeout", "2m")
        works = [one for one in found.get("findings", ()) if one["state"] == "works"]
        say(
            f"   The declaration was probed: {len(works)} things work, {len(found.get('faults', ()))} do not."
        )

    async def _edit(self) -> None:
        say(
            "3. People edit: a phone number in the shop, a town in the CRM, of the same customer; new ones on both sides;"
        )
        say("   a credit limit where it is not decided (the shop); and a contact is deleted in the CRM.")
        rows = {row["number"]: row for row in await self.shop.rows("customers")}
        await self.shop.edit("customers", rows["C00007"]["id"], phone="030 555 777", credit=1)
        await self.crm.sql("UPDATE customers SET city = 'Übach' WHERE number = 'C00007'")
        await self.shop.add("customers", **customer(500))
        await self.crm.sql(
            "INSERT INTO customers (number, name, credit) VALUES ('C00501', 'Neue Kundin & Co', 77.25)"
        )
        await self.crm.sql("DELETE FROM contacts WHERE email = 'ida@haus.example'")
        await self._in_step()

    async def _kill(self) -> None:
        say(
            "4. While 50 customers are edited in the shop, the daemon is killed (SIGKILL), and started again."
        )
        rows = (await self.shop.rows("customers"))[:50]
        for number, row in enumerate(rows):
            await self.shop.edit("customers", row["id"], city=f"Hafen {number}")
            if number == 25:
                await self.daemon.stop_daemon(signal.SIGKILL)
        await self.daemon.start_daemon()
        await self._in_step()

    async def _in_step(self) -> None:
        """Until both hold the same, and no run is under way."""
        until = time.monotonic() + IN_STEP_WITHIN_S
        left = ["nothing was compared"]
        while time.monotonic() < until:
            link = await self.daemon.shown(LINK)
            if link["state"] in ("misconfigured", "degraded"):
                raise StandError(f"the link is {link['state']}: {'; '.join(link.get('reasons', ()))}")
            left = await self.differences()
            if link.get("loaded") and not link.get("run") and not left:
                say(f"   In step: {link.get('bindings', 0)} pairs.")
                return
            await anyio.sleep(0.2)
        raise StandError("not in step in time: " + "; ".join(left[:10]))

    async def differences(self) -> list[str]:
        """Every way in which both disagree, in words."""
        shop = {row["number"]: row for row in await self.shop.rows("customers")}
        crm = {row["number"]: row for row in await self.crm.sql("SELECT * FROM customers")}
        left = [f"customer {number} is on one side only" for number in shop.keys() ^ crm.keys()]
        for number in shop.keys() & crm.keys():
            one, two = in_shop(shop[number]), in_crm(crm[number])
            left += [
                f"{number}: {name} is {one[name]!r} and {two[name]!r}"
                for name in one
                if one[name] != two[name]
            ]
        contacts = {row["email"] for row in await self.shop.rows("contacts")}
        others = {row["email"] for row in await self.crm.sql("SELECT email FROM contacts")}
        return [*left, *(f"contact {email} is on one side only" for email in contacts ^ others)]

    async def stop(self) -> None:
        """Take everything down."""
        await self.daemon.stop_daemon()
        await self.shop.stop()
        await self.crm.stop()


def customer(number: int) -> dict[str, Any]:
    """An invented customer of the shop."""
    return {
        "number": f"C{number:05d}",
        "name": f"O'Reilly & Söhne {number}",
        "email": f"Kontakt{number}@haus.example",
        "phone": f"030 / {100000 + number}",
        "city": "Köln" if number % 3 else "",
        "credit": 0,
        "blocked": number % 7 == 0,
        "since": f"20{number % 20 + 1:02d}-02-28",
    }


def in_shop(row: dict[str, Any]) -> dict[str, Any]:
    """A customer of the shop, comparable."""
    texts = {name: row[name] or None for name in ("name", "city")}
    credit = round(float(row["credit"]) * 100)
    since = row["since"][:10] or None
    return {
        **texts,
        "phone": _digits(row["phone"]),
        "credit": credit,
        "blocked": row["blocked"],
        "since": since,
    }


def in_crm(row: dict[str, Any]) -> dict[str, Any]:
    """The same of the CRM."""
    texts = {name: row[name] for name in ("name", "city")}
    since = str(row["customer_since"]) if row["customer_since"] else None
    return {
        **texts,
        "phone": _digits(row["phone"] or ""),
        "credit": int(row["credit"] * 100),
        "blocked": row["blocked"],
        "since": since,
    }


def _digits(text: str) -> str:
    return "".join(mark for mark in text.replace("+49", "0") if mark.isdecimal())


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def main() -> int:
    """Play it in a fresh folder, and take everything down again."""
    root = Path(tempfile.mkdtemp(prefix="tandem-example-"))
    story = Story(root)
    try:
        left = await story.play()
    except (StandError, NoPocketBase) as error:
        left = [str(error)]
    finally:
        with anyio.CancelScope(shield=True):
            await story.stop()
    if left:
        say(f"\nNOT in step; everything is kept in {root}:")
        for line in left[:20]:
            say(f"  {line}")
        return 1
    shutil.rmtree(root, ignore_errors=True)
    say("\nBoth hold the same customers and contacts. Nothing was lost, nothing stands twice.")
    return 0


if __name__ == "__main__":
    sys.exit(anyio.run(main))
