"""Two objects on one side for one on the other (G8, G10, G13, G22): prospects and customers in the ERP, one table of
companies in the CRM, whose status says what a company is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.spec.two import Two, alike

pytestmark = pytest.mark.anyio
MAP = {"map": {"Prospect": "prospects", "Client": "customers"}}
COMPANIES: dict[str, Any] = {
    "a": {
        "prospects": {"deletes": {"a": "remove", "b": "restore"}},
        "customers": {"deletes": {"a": "mark", "b": "restore"}, "creates": {"setting": "makes_customers"}},
    },
    "b": "companies",
    "match": [["code"]],
    "mark": {"b": {"deleted": "yes"}},
    "fields": {
        **alike("code"),
        "name": {
            "a": "name",
            "b": "name",
            "owner": [{"once": "bound", "when": {"kind": "customers"}, "is": "a"}, "both"],
        },
        "kind": {"a": "@object", "b": "status", "lens_b": MAP, "conflict": "a"},
        "rating": {"a": "rating", "owner": "local"},
    },
}
SETTINGS = {"makes_customers": {"form": "list", "default": ["a", "b"]}}
TABLE = "code text UNIQUE, name text, rating text"
COMPANY = "code text UNIQUE, name text, status text, deleted text"
SHOWN = "code, name, status FROM companies ORDER BY code"


async def linked(two: Two, *, chosen: dict[str, Any] | None = None) -> None:
    await two.tables(a_prospects=TABLE, a_customers=TABLE, b_companies=COMPANY)
    await two.a.script(
        "INSERT INTO prospects (code, name, rating) VALUES ('P1', 'Ada', 'A'), ('P2', 'Bob', 'B');"
        "INSERT INTO customers (code, name, rating) VALUES ('C1', 'Eve', 'A')"
    )
    await two.under({"companies": COMPANIES}, settings=SETTINGS, chosen=chosen)
    await two.are("b", SHOWN, ("C1", "Eve", "Client"), ("P1", "Ada", "Prospect"), ("P2", "Bob", "Prospect"))


async def test_g08_who_becomes_a_customer_there_is_one_here_with_the_edits_made_before(two: Two) -> None:
    await linked(two)
    ids = await two.rows("b", "id FROM companies WHERE code = 'P1'")
    await two.pause()
    await two.b.script("UPDATE companies SET name = 'Ada & Sons' WHERE code = 'P1'")  # not carried yet
    await two.a.script(
        "INSERT INTO customers (code, name, rating) SELECT code, name, rating FROM prospects WHERE code = 'P1';"
        "DELETE FROM prospects WHERE code = 'P1'"
    )
    await two.resume()
    await two.are("b", "name, status FROM companies WHERE code = 'P1'", ("Ada & Sons", "Client"))
    assert await two.rows("b", "id FROM companies WHERE code = 'P1'") == ids
    assert await two.rows("a", "name, rating FROM customers WHERE code = 'P1'") == [("Ada & Sons", "A")]
    # It is the ERP's from now on.
    await two.b.script("UPDATE companies SET name = 'Other' WHERE code = 'P1'")
    await two.are("b", "name, status FROM companies WHERE code = 'P1'", ("Ada & Sons", "Client"))
    assert await two.rows("a", "name FROM customers WHERE code = 'P1'") == [("Ada & Sons",)]


async def test_g08_an_edit_of_both_at_that_moment_is_listed_and_none_is_dropped(two: Two) -> None:
    await linked(two)
    await two.pause()
    await two.b.script("UPDATE companies SET name = 'of the CRM' WHERE code = 'P1'")
    await two.a.script(
        "INSERT INTO customers (code, name, rating) SELECT code, 'of the ERP', rating FROM prospects WHERE code = 'P1';"
        "DELETE FROM prospects WHERE code = 'P1'"
    )
    await two.resume()
    await two.are("b", "status FROM companies WHERE code = 'P1'", ("Client",))
    (row,) = await two.conflicts()
    assert row.field == "name"
    assert await two.rows("b", "name FROM companies WHERE code = 'P1'") == [("of the CRM",)]
    assert await two.rows("a", "name FROM customers WHERE code = 'P1'") == [("of the ERP",)]


async def test_g10_one_table_here_is_two_there(two: Two) -> None:
    await linked(two)
    await two.b.script(
        "INSERT INTO companies (code, name, status) VALUES ('P3', 'Fay', 'Prospect'), ('C3', 'Guy', 'Client')"
    )
    await two.become(
        "a", "code, name FROM prospects ORDER BY code", ("P1", "Ada"), ("P2", "Bob"), ("P3", "Fay")
    )
    await two.are("a", "code, name FROM customers ORDER BY code", ("C1", "Eve"), ("C3", "Guy"))
    # A deletion does what the table says: prospects disappear, customers are marked; here nothing is deleted for good.
    await two.a.script("DELETE FROM prospects WHERE code = 'P1'; DELETE FROM customers WHERE code = 'C1'")
    await two.b.script("DELETE FROM companies WHERE code = 'P2'")
    left = [
        ("C1", "Client", "yes"),
        ("C3", "Client", None),
        ("P2", "Prospect", None),
        ("P3", "Prospect", None),
    ]
    await two.are("b", "code, status, deleted FROM companies ORDER BY code", *left)
    assert await two.rows("a", "code FROM prospects ORDER BY code") == [("P2",), ("P3",)]


async def test_g22_a_status_makes_a_customer_there_same_record_or_is_put_back(two: Two) -> None:
    await linked(two)
    await two.b.script("UPDATE companies SET status = 'Client', name = 'Ada & Sons' WHERE code = 'P1'")
    await two.become("a", "code FROM prospects ORDER BY code", ("P2",))
    await two.are(
        "a", "code, name, rating FROM customers ORDER BY code", ("C1", "Eve", "A"), ("P1", "Ada & Sons", "A")
    )
    assert len(await two.rows("b", "id FROM companies")) == 3
    await two.choose(makes_customers=["a"])
    await two.b.script("UPDATE companies SET status = 'Client' WHERE code = 'P2'")
    await two.are(
        "b", SHOWN, ("C1", "Eve", "Client"), ("P1", "Ada & Sons", "Client"), ("P2", "Bob", "Prospect")
    )
    assert await two.rows("a", "code FROM prospects") == [("P2",)]


async def test_g13_customers_are_made_in_the_erp_alone_where_the_switch_says_so(two: Two) -> None:
    await linked(two, chosen={"makes_customers": ["a"]})
    await two.b.script("INSERT INTO companies (code, name, status) VALUES ('C3', 'Guy', 'Client')")
    await two.quiet()
    assert await two.rows("a", "code FROM customers") == [("C1",)]
    assert await two.rows("b", "code FROM companies WHERE code = 'C3'") == [("C3",)]  # it waits, and stays
    await two.b.script("UPDATE companies SET name = 'Mine' WHERE code = 'C1'")  # nor are they edited here
    await two.are("b", "name FROM companies WHERE code = 'C1'", ("Eve",))
    await two.choose(makes_customers=["a", "b"])
    await two.are("a", "code FROM customers ORDER BY code", ("C1",), ("C3",))
