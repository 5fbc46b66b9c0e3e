"""A shop and a ledger with orders and their lines, in two schemas of one database; and a program's own way to save an order.

Also the rules that link them. Must not: know the daemon.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import yaml

from tandem.v1 import system_pb2
from tests.spec.systems import LINK, Crm
from tests.spec.world import World

TABLES = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.articles (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sku text UNIQUE, name text);
CREATE TABLE {schema}.orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number text UNIQUE, state text, total numeric(12, 2), note text);
CREATE TABLE {schema}.order_lines (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id bigint NOT NULL REFERENCES {schema}.orders,
  line_no integer NOT NULL, article_id bigint NOT NULL REFERENCES {schema}.articles, quantity numeric(12, 3) NOT NULL,
  price numeric(12, 2), cost numeric(12, 2), vat text, delivered integer NOT NULL DEFAULT 0,
  UNIQUE (order_id, line_no) DEFERRABLE)"""
LINES = {"items": {"table": "order_lines", "parent": "order_id", "order": "line_no"}}
OBJECTS = {"articles": {}, "orders": {"lines": LINES}}
VAT = {"map": {"H": "25", "L": "12"}}


def rules(mirror: bool = False, owner: str = "", **lines: Any) -> str:
    """Articles, and saved orders, from the shop to the ledger. `mirror`: the shop is side b. `owner`: of the lines, else the
    shop. `lines`: other entries of the lines."""
    here, there = ("b", "a") if mirror else ("a", "b")

    def both(name: str, **more: Any) -> dict[str, Any]:
        return {"a": name, "b": name, **more}

    items = {
        "position": both("line_no"),
        "sums": {"total": "round(quantity * price, 2)"},
        "fields": {
            "article": both("article_id", reference="articles", required=True),
            "quantity": both("quantity"),
            "price": both("price"),
            "cost": both("cost"),
            "vat": both("vat", **{f"lens_{here}": VAT}),
        },
        **lines,
    }
    streams = {
        "articles": {
            **both("articles"),
            "match": [["sku"]],
            "creates": [here],
            "complete_read": "1h",
            "fields": {"sku": both("sku", owner=here), "name": both("name", required=True, owner=here)},
        },
        "orders": {
            "kind": "document",
            **both("orders"),
            "match": [["number"]],
            "creates": [here],
            "gate": {here: {"path": "state", "equals": "saved"}},
            "complete_read": "1h",
            "fields": {
                "number": both("number", owner=here),
                "total": both("total", owner=here),
                "items": both("items", owner=owner or here, required=True, lines=items),
            },
        },
    }
    sides = {side: {"connector": "postgres", "poll": "1s"} for side in (here, there)}
    whole = {"blueprint": LINK, "version": 1, "a": sides["a"], "b": sides["b"], "streams": streams}
    return yaml.safe_dump(whole, sort_keys=False)


class Trade:
    """The shop and the ledger of a world; `mirror`: the shop is side b of the link."""

    def __init__(self, world: World, crm: Crm, *, mirror: bool = False) -> None:
        self.world, self.crm, self.mirror = world, crm, mirror
        if mirror and not world.tenant.startswith("m-"):
            world.tenant = f"m-{world.tenant[:36]}"  # the shared daemon knows the other one already

    async def begin(self, text: str = "", names: Sequence[str] = ("A", "B", "C")) -> None:
        """Both schemas, articles in the shop, connections and the link."""
        for schema in ("shop", "ledger"):
            await self.crm.script(TABLES.format(schema=schema))
        await self.crm.script("ALTER SEQUENCE ledger.articles_id_seq RESTART 5001")
        for name in names:
            await self.article(name)
        await self.connect(text or rules(self.mirror))

    async def connect(self, text: str) -> None:
        """What a tenant does once."""
        world = self.world
        await world.tandem.system.CreateTenant(system_pb2.CreateTenantRequest(id=world.tenant))
        sides = ("ledger", "shop") if self.mirror else ("shop", "ledger")
        for name, schema in zip(("erp", "crm"), sides, strict=True):
            more = {"url": self.crm.url, "schema": schema, "find": "trigger", "objects": OBJECTS}
            await world.connection(name, "postgres", {**more, "consumer": f"{schema}-reader"})
        await world.link(text)

    async def article(self, name: str, label: str | None = "an article") -> None:
        """An article in the shop; without a label it does not go yet."""
        await self.crm.sql("INSERT INTO shop.articles (sku, name) VALUES ($1, $2)", name, label)

    async def save(
        self, number: str, *lines: tuple[str, int], state: str = "saved", vat: str = "H", off: int = 0
    ) -> None:
        """Save an order in the shop as its program does: the head, all lines deleted, all lines inserted, in one go."""
        total = sum((quantity * price_of(sku) for sku, quantity in lines), Decimal(0)) + off
        async with self.crm.session() as session, session.transaction():
            id_ = await session.fetchval(
                "INSERT INTO shop.orders (number, state, total) VALUES ($1, $2, $3) "
                "ON CONFLICT (number) DO UPDATE SET state = $2, total = $3 RETURNING id",
                number,
                state,
                total,
            )
            await session.execute("DELETE FROM shop.order_lines WHERE order_id = $1", id_)
            for place, (sku, quantity) in enumerate(lines, start=1):
                await session.execute(
                    "INSERT INTO shop.order_lines (order_id, line_no, article_id, quantity, price, cost, vat) "
                    "SELECT $1, $2, id, $4, $5, $6, $7 FROM shop.articles WHERE sku = $3",
                    id_,
                    place,
                    sku,
                    quantity,
                    price_of(sku),
                    price_of(sku) / 2,
                    vat,
                )

    async def booked(self, schema: str = "ledger") -> dict[str, list[tuple[str, int]]]:
        """The orders of a schema: by number, their lines in order as (article, quantity)."""
        rows = await self.crm.sql(
            f"SELECT o.number, a.sku, l.quantity FROM {schema}.orders o LEFT JOIN {schema}.order_lines l "
            f"ON l.order_id = o.id LEFT JOIN {schema}.articles a ON a.id = l.article_id ORDER BY o.id, l.line_no"
        )
        found: dict[str, list[tuple[str, int]]] = {}
        for row in rows:
            lines = found.setdefault(row["number"], [])
            if row["sku"] is not None:
                lines.append((row["sku"], int(row["quantity"])))
        return found

    async def count(self) -> int:
        """How many orders the ledger holds."""
        return int(await self.crm.value("SELECT count(*) FROM ledger.orders"))


def price_of(sku: str) -> Decimal:
    """What an article costs."""
    return Decimal(10 + ord(sku[0]) - ord("A"))
