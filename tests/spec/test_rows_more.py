"""Rows S12 and T8 in general form: a side that can't be reached, and payments that settle what they pay."""

from __future__ import annotations

from typing import Any

import pytest

from tests.spec.two import Two, alike

pytestmark = pytest.mark.anyio


async def test_s12_without_a_connection_a_clear_error_at_once_and_the_next_run_carries_on(two: Two) -> None:
    await two.tables(a_articles="name text", b_articles="name text")
    await two.a.script("INSERT INTO articles (name) VALUES ('wine')")
    articles = {"a": "articles", "b": "articles", "match": [["name"]], "fields": alike("name")}
    await two.under({"articles": articles})
    await two.are("b", "name FROM articles", ("wine",))
    database = await two.b.value("SELECT current_database()")
    await two.a.script(f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS false')
    await two.a.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database)
    await two.a.script("INSERT INTO articles (name) VALUES ('cheese')")
    run = await two.sync()
    assert run.outcome == "failed"
    assert "not currently accepting connections" in run.error
    await two.a.script(f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS true')
    await two.are("b", "name FROM articles ORDER BY 1", ("cheese",), ("wine",))


INVOICES: dict[str, Any] = {
    "invoices": {
        "kind": "document",
        "a": "invoices",
        "b": "booked",
        "match": [["number"]],
        "creates": ["a"],
        "fields": {
            **alike("number", "total", owner="a"),
            "paid": {
                "a": "status",
                "b": "is_open",
                "owner": "b",
                "lens_a": {"map": {"Sent": True, "Paid": False}},
            },
        },
    },
    "payments": {
        "kind": "document",
        "a": "payments",
        "b": "payments",
        "match": [["number"]],
        "creates": ["b"],
        "fields": {
            **alike("number", "amount", owner="b"),
            "pays": {"a": "invoice", "b": "booking", "owner": "b", "reference": "invoices", "required": True},
        },
    },
}


async def test_t08_payments_come_back_and_settle_the_invoice_they_pay(two: Two) -> None:
    await two.tables(
        a_invoices="number text, total text, status text",
        b_booked="number text, total text, is_open boolean DEFAULT true",
        a_payments="number text, amount text, invoice bigint",
        b_payments="number text, amount text, booking bigint",
    )
    await two.a.script(
        "INSERT INTO invoices (number, total, status) VALUES ('R1', '10', 'Sent'), ('R2', '20', 'Sent')"
    )
    await two.under(INVOICES)
    await two.are("b", "number, total FROM booked ORDER BY 1", ("R1", "10"), ("R2", "20"))
    await two.b.script(
        "UPDATE booked SET is_open = false WHERE number = 'R2';"
        "INSERT INTO payments (number, amount, booking) SELECT 'P1', '20', id FROM booked WHERE number = 'R2'"
    )
    await two.are("a", "number, status FROM invoices ORDER BY 1", ("R1", "Sent"), ("R2", "Paid"))
    paid = "p.number AS payment, i.number FROM payments p JOIN invoices i ON i.id = p.invoice"
    await two.are("a", paid, ("P1", "R2"))
    await two.a.script("UPDATE invoices SET status = 'Sent' WHERE number = 'R2'; DELETE FROM payments")
    await two.are("a", "status FROM invoices WHERE number = 'R2'", ("Paid",))
    assert await two.rows("b", "number FROM payments") == [("P1",)]
