"""Streams that are chosen at set-up, and starts of a part of them: W4, W11, W12, S1, S2 in their general form."""

from __future__ import annotations

from typing import Any

import pytest

from tandem.v1 import runs_pb2
from tandem_client import TandemError
from tests.spec.systems import LINK, until
from tests.spec.two import Two, alike

pytestmark = pytest.mark.anyio
GROUPS = {
    "groups": {"form": "flag", "default": False, "doc": "customer groups and who is in which"},
}
CUSTOMERS: dict[str, Any] = {
    "customers": {
        "a": "customers",
        "b": "customers",
        "match": [["number"]],
        "fields": {
            **alike("number", "name"),
            "group": {"a": "group_id", "b": "group_id", "reference": "groups"},
            "commission_a": {"a": "commission", "owner": "local"},
            "commission_b": {"b": "commission", "owner": "local"},
        },
    },
    "groups": {
        "active": {"setting": "groups"},
        "a": "groups",
        "b": "groups",
        "match": [["name"]],
        "fields": alike("name"),
    },
}
PLACES = "number, c.name, g.name AS member_of FROM customers c LEFT JOIN groups g ON g.id = c.group_id ORDER BY number"


async def accounts(two: Two) -> None:
    customers = "number text, name text, group_id bigint, commission text"
    await two.tables(a_groups="name text", b_groups="name text", a_customers=customers, b_customers=customers)
    await two.a.script(
        "INSERT INTO groups (name) VALUES ('wholesale'), ('club');"
        "INSERT INTO customers (number, name, group_id, commission) VALUES ('1', 'Ada', 1, 'agent'), ('2', 'Bob', 2, NULL)"
    )


async def test_w11_groups_and_who_is_in_which_go_only_where_that_was_chosen(two: Two) -> None:
    await accounts(two)
    await two.under(CUSTOMERS, settings=GROUPS)
    await two.are("b", PLACES, ("1", "Ada", None), ("2", "Bob", None))
    await two.b.script(
        "INSERT INTO groups (name) VALUES ('of its own'); UPDATE customers SET group_id = 1 WHERE number = '1'"
    )
    await two.quiet()
    assert await two.rows("a", PLACES) == [("1", "Ada", "wholesale"), ("2", "Bob", "club")]
    assert await two.rows("b", "name FROM groups") == [("of its own",)]


async def test_w11_what_was_chosen_is_switched_off_and_on_and_nobody_is_doubled(two: Two) -> None:
    await accounts(two)
    await two.under(CUSTOMERS, settings=GROUPS, chosen={"groups": True})
    await two.are("b", PLACES, ("1", "Ada", "wholesale"), ("2", "Bob", "club"))
    await two.choose(groups=False)
    await two.a.script("UPDATE groups SET name = 'big' WHERE name = 'wholesale'")
    await two.a.script("UPDATE customers SET group_id = 2, name = 'Ada & Sons' WHERE number = '1'")
    await two.are("b", PLACES, ("1", "Ada & Sons", "wholesale"), ("2", "Bob", "club"))
    await two.b.script("UPDATE groups SET name = 'friends' WHERE name = 'club'")
    await two.choose(groups=True)
    await two.are("b", PLACES, ("1", "Ada & Sons", "friends"), ("2", "Bob", "friends"))
    await two.are("a", "name FROM groups ORDER BY name", ("big",), ("friends",))
    assert await two.rows("b", "name FROM groups ORDER BY name") == [("big",), ("friends",)]


async def test_w11_a_choice_that_is_for_good_is_not_changed_afterwards(two: Two) -> None:
    await accounts(two)
    settings = {"groups": {**GROUPS["groups"], "fixed": True}}
    await two.under(CUSTOMERS, settings=settings, chosen={"groups": True})
    await two.are("b", PLACES, ("1", "Ada", "wholesale"), ("2", "Bob", "club"))
    with pytest.raises(TandemError) as refused:
        await two.choose(groups=False)
    assert "for good" in refused.value.message
    await two.choose(groups=True)  # the same again changes nothing
    await two.are("b", PLACES, ("1", "Ada", "wholesale"), ("2", "Bob", "club"))


async def test_w12_who_earns_a_commission_stays_local_and_is_never_overwritten(two: Two) -> None:
    await accounts(two)
    await two.under(CUSTOMERS, settings=GROUPS)
    await two.are("b", "number, commission FROM customers ORDER BY number", ("1", None), ("2", None))
    await two.b.script("UPDATE customers SET commission = 'mine', name = 'Ada & Sons' WHERE number = '1'")
    await two.are("a", "name, commission FROM customers WHERE number = '1'", ("Ada & Sons", "agent"))
    assert await two.rows("b", "commission FROM customers WHERE number = '1'") == [("mine",)]


def invoices(a: str, b: str, way: str, maker: str) -> dict[str, Any]:
    return {
        "kind": "document",
        "active": {"setting": way},
        "a": a,
        "b": b,
        "match": [["number"]],
        "creates": [maker],
        "fields": alike("number", "total", owner=maker),
    }


async def test_w04_each_direction_is_chosen_by_itself_and_an_invoice_arrives_once(two: Two) -> None:
    book = "number text, total text"
    await two.tables(a_outgoing=book, a_incoming=book, b_outgoing=book, b_incoming=book)
    streams = {
        "a_to_b": invoices("outgoing", "incoming", "a_writes", "a"),
        "b_to_a": invoices("incoming", "outgoing", "b_writes", "b"),
        "customers": {"active": False, "a": "c", "b": "c", "fields": alike("name")},
    }
    settings = {name: {"form": "flag", "default": False} for name in ("a_writes", "b_writes")}
    await two.a.script("INSERT INTO outgoing (number, total) VALUES ('A1', '119')")
    await two.b.script("INSERT INTO outgoing (number, total) VALUES ('B1', '80')")
    await two.under(streams, settings=settings, chosen={"a_writes": True})
    await two.are("b", "number, total FROM incoming", ("A1", "119"))
    assert await two.rows("a", "number FROM incoming") == []
    await two.choose(b_writes=True)
    await two.are("a", "number, total FROM incoming", ("B1", "80"))
    await two.choose(a_writes=False)
    await two.a.script("INSERT INTO outgoing (number, total) VALUES ('A2', '1')")
    await two.quiet()
    assert await two.rows("b", "number FROM incoming") == [("A1",)]


async def test_s01_everything_or_master_data_only_or_documents_only(two: Two) -> None:
    await two.tables(
        a_articles="name text", b_articles="name text", a_receipts="number text", b_receipts="number text"
    )
    await two.a.script("INSERT INTO articles (name) VALUES ('wine')")
    await two.b.script("INSERT INTO receipts (number) VALUES ('R1')")
    await two.under(SHOP, delivery="command")
    await two.at_rest()
    assert await start(two, runs_pb2.SCOPE_MASTER) == "succeeded"
    assert (await two.rows("b", "name FROM articles"), await two.rows("a", "number FROM receipts")) == (
        [("wine",)],
        [],
    )
    assert await start(two, runs_pb2.SCOPE_DOCUMENT) == "succeeded"
    assert await two.rows("a", "number FROM receipts") == [("R1",)]
    await two.a.script("INSERT INTO articles (name) VALUES ('cheese')")
    await two.b.script("INSERT INTO receipts (number) VALUES ('R2')")
    assert await start(two, runs_pb2.SCOPE_ALL) == "succeeded"
    assert (
        len(await two.rows("b", "name FROM articles"))
        == len(await two.rows("a", "number FROM receipts"))
        == 2
    )


SHOP: dict[str, Any] = {
    "articles": {
        "a": "articles", "b": "articles", "match": [["name"]], "creates": ["a"], "fields": alike("name", owner="a"),
    },
    "receipts": {
        "kind": "document", "a": "receipts", "b": "receipts", "match": [["number"]], "creates": ["b"],
        "fields": alike("number", owner="b"),
    },
}  # fmt: skip


async def start(two: Two, scope: Any) -> str:
    """Start a run of a kind, and see it end."""

    async def done() -> list[runs_pb2.Run]:
        asked = runs_pb2.StartRunRequest(link=LINK, tenant=two.tenant, scope=scope)
        answer = await two.tandem.runs.StartRun(asked)
        if answer.already_running:
            return []
        return [run async for run in two.tandem.runs.WatchRun(runs_pb2.WatchRunRequest(run=answer.run.id))]

    return (await until(done, "a start of its own"))[-1].outcome


async def test_s02_master_data_go_up_and_documents_come_down(two: Two) -> None:
    await two.tables(
        a_articles="name text", b_articles="name text", a_receipts="number text", b_receipts="number text"
    )
    for crm in (two.a, two.b):
        await crm.script("INSERT INTO articles (name) VALUES ('wine of ' || current_database())")
        await crm.script("INSERT INTO receipts (number) VALUES ('R of ' || current_database())")
    await two.under(SHOP)
    await two.are("b", "count(*) FROM articles", ("2",))
    await two.are("a", "count(*) FROM receipts", ("2",))
    assert (
        await two.rows("a", "count(*) FROM articles")
        == await two.rows("b", "count(*) FROM receipts")
        == [("1",)]
    )
    await two.b.script("UPDATE articles SET name = 'other' WHERE id = 2")
    await two.quiet()
    assert await two.rows("a", "count(*) FROM articles WHERE name = 'other'") == [("0",)]
