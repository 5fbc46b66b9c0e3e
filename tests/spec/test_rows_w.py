"""Customers and articles of two accounts of one system, in general form: W10, W13, W15, W17, W29, W31."""

from __future__ import annotations

from typing import Any

import pytest

from tests.spec.two import Two, alike

pytestmark = pytest.mark.anyio
REMOVE = {"a": "remove", "b": "remove"}
CUSTOMERS: dict[str, Any] = {
    "price_lists": {
        "a": "price_lists",
        "b": "price_lists",
        "match": [["name"]],
        "deletes": REMOVE,
        "fields": alike("name"),
    },
    "customers": {
        "a": "customers",
        "b": "customers",
        "match": [["number"]],
        "deletes": REMOVE,
        "budgets": {"deletes": 10},
        "fields": {
            **alike("number", "name", "city"),
            "consent": {"a": "consent", "b": "consent", "conflict": "strictest"},
            "list": {"a": "list_id", "b": "list_id", "reference": "price_lists"},
        },
    },
    "addresses": {
        "a": "addresses",
        "b": "addresses",
        "match": [["customer", "street"]],
        "deletes": REMOVE,
        "budgets": {"deletes": 10},
        "fields": {
            **alike("street"),
            "customer": {"a": "customer_id", "b": "customer_id", "reference": "customers", "required": True},
        },
    },
}
SHOWN = "number, c.name, city, consent, l.name AS list FROM customers c LEFT JOIN price_lists l ON l.id = list_id ORDER BY 1"


async def customers(two: Two) -> None:
    for side in ("a", "b"):
        await two.tables(
            **{
                f"{side}_price_lists": "name text, amount text",
                f"{side}_customers": "number text, name text, city text, consent boolean, list_id bigint",
                f"{side}_addresses": "street text, customer_id bigint",
            }
        )
    # Each account numbers its lists itself, and has amounts of its own.
    await two.a.script("INSERT INTO price_lists (name, amount) VALUES ('retail', '10'), ('trade', '8')")
    await two.b.script("INSERT INTO price_lists (name, amount) VALUES ('trade', '7')")
    await two.a.script(
        "INSERT INTO customers (number, name, city, consent, list_id) VALUES ('1', 'Ada', 'Ulm', true, 2), "
        "('2', 'Bob', 'Bonn', true, 1);"
        "INSERT INTO addresses (street, customer_id) VALUES ('Gasse 1', 1)"
    )
    await two.under(CUSTOMERS)
    await two.are("b", SHOWN, ("1", "Ada", "Ulm", "True", "trade"), ("2", "Bob", "Bonn", "True", "retail"))
    await two.are("b", "street, customer_id FROM addresses", ("Gasse 1", "1"))


async def test_w10_a_customer_s_list_is_translated_amounts_stay_and_consent_is_everybody_s(two: Two) -> None:
    await customers(two)
    assert await two.rows("b", "name, amount FROM price_lists ORDER BY 1") == [
        ("retail", None),
        ("trade", "7"),
    ]
    assert await two.rows("a", "name, amount FROM price_lists ORDER BY 1") == [
        ("retail", "10"),
        ("trade", "8"),
    ]
    assert await two.rows("b", "list_id FROM customers WHERE number = '1'") == [
        ("1",)
    ]  # 2 in the other account
    # A withdrawal counts, whoever says what at the same time.
    await two.pause()
    await two.a.script(
        "UPDATE customers SET consent = false WHERE number = '1'; UPDATE customers SET consent = NULL WHERE number = '2'"
    )
    await two.b.script(
        "UPDATE customers SET consent = NULL WHERE number = '1'; UPDATE customers SET consent = false WHERE number = '2'"
    )
    await two.resume()
    await two.are("a", "consent FROM customers", ("False",), ("False",))
    assert await two.rows("b", "consent FROM customers") == [("False",), ("False",)]


async def test_w13_any_account_makes_edits_and_deletes_and_fields_are_merged_one_by_one(two: Two) -> None:
    await customers(two)
    await two.pause()
    await two.a.script("UPDATE customers SET name = 'Ada & Sons' WHERE number = '1'")
    await two.b.script(
        "UPDATE customers SET city = 'Köln' WHERE number = '1'; DELETE FROM customers WHERE number = '2';"
        "INSERT INTO customers (number, name) VALUES ('3', 'Eve'); INSERT INTO price_lists (name) VALUES ('club');"
        "INSERT INTO addresses (street, customer_id) SELECT 'Weg 3', id FROM customers WHERE number = '3';"
        "UPDATE addresses SET street = 'Gasse 2' WHERE street = 'Gasse 1'"
    )
    await two.resume()
    await two.are("a", SHOWN, ("1", "Ada & Sons", "Köln", "True", "trade"), ("3", "Eve", None, None, None))
    await two.are("b", SHOWN, ("1", "Ada & Sons", "Köln", "True", "trade"), ("3", "Eve", None, None, None))
    streets = "street, number FROM addresses a JOIN customers c ON c.id = customer_id ORDER BY 1"
    await two.are("a", streets, ("Gasse 2", "1"), ("Weg 3", "3"))
    assert await two.rows("a", "name FROM price_lists ORDER BY 1") == [("club",), ("retail",), ("trade",)]


OWN = (
    "own_share", "costs", "account_sales", "account_tax", "warn_at", "lasts", "warehouse", "supplier", "producer",
    "may_oversell", "is_billed", "is_counted",
)  # fmt: skip
ARTICLES: dict[str, Any] = {
    "groups": {
        "a": "groups",
        "b": "groups",
        "match": [["name"]],
        "creates": ["a"],
        "fields": alike("name", owner="a"),
    },
    "articles": {
        "a": "articles",
        "b": "articles",
        "match": [["number"]],
        "creates": ["a"],
        "fields": {
            **alike("number", "name", owner="a"),
            "group": {"a": "group_id", "b": "group_id", "owner": "a", "reference": "groups"},
            **{
                f"{name}_{side}": {side: name, "owner": "local"}
                for name in (*OWN, "stock", "price")
                for side in ("a", "b")
            },
        },
    },
}


async def articles(two: Two) -> None:
    columns = ", ".join(f"{name} text" for name in (*OWN, "stock", "price"))
    for side in ("a", "b"):
        plain = f"number text, name text, group_id bigint, {columns}"
        await two.tables(**{f"{side}_articles": plain, f"{side}_groups": "name text"})
    names = ", ".join((*OWN, "stock", "price"))
    values = ", ".join(f"'{name} of a'" for name in (*OWN, "stock", "price"))
    await two.a.script(
        "INSERT INTO groups (name) VALUES ('red'), ('white');"
        f"INSERT INTO articles (number, name, group_id, {names}) VALUES ('1', 'Merlot', 1, {values}), "
        f"('2', 'Riesling', 2, {values})"
    )
    await two.under(ARTICLES)
    await two.are("b", "number, name FROM articles ORDER BY 1", ("1", "Merlot"), ("2", "Riesling"))


async def test_w15_its_own_fields_are_neither_transferred_nor_overwritten(two: Two) -> None:
    await articles(two)
    mine = ", ".join(f"{name} = '{name} of b'" for name in OWN)
    await two.b.script(f"UPDATE articles SET {mine} WHERE number = '1'")
    theirs = ", ".join(f"{name} = 'changed on a'" for name in OWN)
    await two.a.script(f"UPDATE articles SET {theirs}, name = 'Merlot 2024' WHERE number = '1'")
    await two.are("b", "name FROM articles WHERE number = '1'", ("Merlot 2024",))
    (row,) = await two.rows("b", f"{', '.join(OWN)} FROM articles WHERE number = '1'")
    assert row == tuple(f"{name} of b" for name in OWN)
    (row,) = await two.rows("a", f"{', '.join(OWN)} FROM articles WHERE number = '1'")
    assert set(row) == {"changed on a"}


async def test_w17_stock_and_prices_are_never_synced(two: Two) -> None:
    await articles(two)
    await two.a.script(
        "UPDATE articles SET stock = '5', price = '9.90', name = 'Merlot 2024' WHERE number = '1'"
    )
    await two.b.script("UPDATE articles SET stock = '7', price = '8.90' WHERE number = '1'")
    await two.are("b", "name, stock, price FROM articles WHERE number = '1'", ("Merlot 2024", "7", "8.90"))
    assert await two.rows("a", "stock, price FROM articles WHERE number = '1'") == [("5", "9.90")]


async def test_w29_groups_and_who_is_in_which_go_with_the_articles(two: Two) -> None:
    await articles(two)
    member = "number, g.name AS member_of FROM articles a JOIN groups g ON g.id = group_id ORDER BY 1"
    assert await two.rows("b", member) == [("1", "red"), ("2", "white")]
    await two.b.script("UPDATE articles SET group_id = NULL; INSERT INTO groups (name) VALUES ('of its own')")
    await two.a.script(
        "UPDATE groups SET name = 'rosé' WHERE name = 'red'; UPDATE articles SET group_id = 1 WHERE number = '2'"
    )
    await two.are("b", member, ("1", "rosé"), ("2", "rosé"))
    assert await two.rows("a", "name FROM groups ORDER BY 1") == [("rosé",), ("white",)]


async def test_w31_a_new_article_begins_there_with_these_fields_empty(two: Two) -> None:
    await articles(two)
    await two.a.script(
        "INSERT INTO articles (number, name, supplier, costs) VALUES ('3', 'Syrah', 'of a', '3.10')"
    )
    await two.are("b", "number FROM articles ORDER BY 1", ("1",), ("2",), ("3",))
    rows = await two.rows("b", f"{', '.join(OWN)} FROM articles")
    assert len(rows) == 3 and {value for row in rows for value in row} == {None}
