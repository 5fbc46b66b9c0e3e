"""The two systems of a spec test, as their own users see them: an ERP that is a folder of CSV files, a CRM in PostgreSQL.

Also the rules that link them, and waiting with a deadline. Must not: know the daemon.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import asyncpg
import yaml

T = TypeVar("T")
LINK = "erp-crm"
SCHEMA = """
CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text UNIQUE, name text NOT NULL, phone text, email text, city text, credit numeric(12, 2), notes text,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text UNIQUE, customer_id bigint NOT NULL REFERENCES customers (id), total numeric(12, 2),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE written (id bigint GENERATED ALWAYS AS IDENTITY, what text, number text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO written (what, number) VALUES (TG_OP, coalesce(NEW.number, OLD.number)); RETURN NULL;
END $$;
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON customers FOR EACH ROW EXECUTE FUNCTION note();
"""
CUSTOMERS = ("KUNDENNR", "NAME", "TELEFON", "EMAIL", "ORT", "KREDIT", "INTERN")
ORDERS = ("AUFTRAGNR", "KUNDENNR", "SUMME")
OBJECTS = {
    "KUNDEN": {"file": "KUNDEN.csv", "key": "KUNDENNR", "new_id": "K{number:05d}"},
    "AUFTRAEGE": {"file": "AUFTRAEGE.csv", "key": "AUFTRAGNR", "new_id": "B{number:05d}"},
}
MONEY = {"number": {"decimal": ",", "thousands": ".", "places": 2}}
ORDER_STREAM: Mapping[str, Any] = {
    "kind": "document",
    "a": "AUFTRAEGE",
    "b": "orders",
    "parents": ["customers"],
    "match": [["number"]],
    "creates": ["a"],
    "complete_read": "1h",
    "fields": {
        "number": {"a": "AUFTRAGNR", "b": "number", "owner": "a"},
        "customer": {
            "a": "KUNDENNR",
            "b": "customer_id",
            "owner": "a",
            "reference": "customers",
            "required": True,
        },
        "total": {"a": "SUMME", "b": "total", "owner": "a", "lens_a": MONEY},
    },
}


def blueprint(poll: str = "1s", orders: bool = False, **changed: Any) -> str:
    """Customers both ways (and orders from the ERP); `changed`: other entries of the stream of customers."""
    customers = {
        "kind": "master",
        "a": "KUNDEN",
        "b": "customers",
        "match": [["number"], ["email"]],
        "deletes": {"a": "ignore", "b": "ignore"},
        "first_contact": "fill_empty",
        "complete_read": "1h",
        "fields": {
            "number": {"a": "KUNDENNR", "b": "number", "owner": "a", "lens": "trim"},
            "name": {"a": "NAME", "b": "name", "lens": "trim", "required": True},
            "phone": {"a": "TELEFON", "b": "phone", "lens": {"phone": "DE"}},
            "email": {"a": "EMAIL", "b": "email", "lens": ["trim", {"case": "lower"}]},
            "city": {"a": "ORT", "b": "city", "lens": "trim"},
            "credit": {"a": "KREDIT", "b": "credit", "owner": "a", "lens_a": MONEY},
            "intern": {"owner": "local", "a": "INTERN"},
            "notes": {"owner": "local", "b": "notes"},
        },
        **changed,
    }
    streams = {"customers": customers, **({"orders": dict(ORDER_STREAM)} if orders else {})}
    whole = {
        "blueprint": LINK,
        "version": 1,
        "a": {"connector": "csv", "poll": poll},
        "b": {"connector": "postgres", "poll": poll},
        "streams": streams,
    }
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)


def customer(number: int, **values: str) -> dict[str, str]:
    """A customer as the ERP writes it."""
    made = {
        "KUNDENNR": f"K{number:05d}",
        "NAME": f"Weinhandel Müßig {number}",
        "TELEFON": f"030 / {number:06d}",
        "EMAIL": f"kontakt{number}@haus.example",
        "ORT": "Köln",
        "KREDIT": f"1.{number % 1000:03d},50",
        "INTERN": "bleibt hier",
    }
    return {**made, **values}


async def until(condition: Callable[[], Awaitable[T]], what: str = "it", timeout_s: float = 80.0) -> T:
    """Ask again and again until the answer is true, and return it; what it said last is in the failure."""
    give_up = time.monotonic() + timeout_s
    while not (found := await condition()):
        assert time.monotonic() < give_up, f"waited {timeout_s:g} s for {what}; last answer: {found!r}"
        await anyio.sleep(0.05)
    return found


class Erp:
    """The folder of side a, used as an ERP uses it: read whole, and put anew in the place of the old file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name, head in (("KUNDEN", CUSTOMERS), ("AUFTRAEGE", ORDERS)):
            if not self.path(name).exists():
                self.save([], name, head)

    def path(self, name: str = "KUNDEN") -> Path:
        """The file of an object."""
        return self.folder / f"{name}.csv"

    def rows(self, name: str = "KUNDEN") -> list[dict[str, str]]:
        """Its lines."""
        with self.path(name).open(encoding="cp1252", newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))

    def save(
        self, rows: Sequence[Mapping[str, str]], name: str = "KUNDEN", head: Sequence[str] = CUSTOMERS
    ) -> None:
        """Write the whole file."""
        part = self.path(name).with_suffix(".part")
        with part.open("w", encoding="cp1252", newline="") as file:
            writer = csv.DictWriter(
                file, list(rows[0]) if rows else head, delimiter=";", lineterminator="\r\n"
            )
            writer.writeheader()
            writer.writerows(rows)
        os.replace(part, self.path(name))

    def edit(self, changes: Mapping[str, Mapping[str, str]]) -> None:
        """Change customers by number."""
        self.save([{**row, **changes.get(row["KUNDENNR"], {})} for row in self.rows()])

    def state(self) -> dict[str, tuple[bytes, int, int]]:
        """Bytes, inode and time of every file: a write of any kind shows in it."""
        return {
            path.name: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
            for path in self.folder.glob("*.csv")
        }


class Crm:
    """The database of side b, used as the CRM's own program uses it."""

    def __init__(self, url: str) -> None:
        self.url = url

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection of its own, for transactions that stay open."""
        connection = await asyncpg.connect(self.url)
        try:
            yield connection
        finally:
            await connection.close()

    async def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """One statement, committed."""
        async with self.session() as connection:
            return [dict(row) for row in await connection.fetch(statement, *values)]

    async def script(self, statements: str) -> None:
        """Several statements, committed together."""
        async with self.session() as connection:
            await connection.execute(statements)

    async def value(self, statement: str, *values: Any) -> Any:
        """The first column of the first row, or None."""
        async with self.session() as connection:
            return await connection.fetchval(statement, *values)

    async def customers(self) -> list[dict[str, Any]]:
        """All customers, oldest first."""
        return await self.sql("SELECT * FROM customers ORDER BY id")

    async def state(self) -> list[dict[str, Any]]:
        """Every row with its place and the transaction that wrote it last: a write of any kind shows in it."""
        customers = await self.sql("SELECT xmin::text, ctid::text, * FROM customers ORDER BY id")
        return [*customers, *await self.sql("SELECT xmin::text, ctid::text, * FROM orders ORDER BY id")]

    async def writes(self) -> int:
        """How often a customer was written so far, by whomever."""
        return int(await self.value("SELECT count(*) FROM written"))
