"""Relations of a CRM and third parties of the books after the load, in general form: T4, T11, T12, T23."""

from __future__ import annotations

from typing import Any

import pytest

from tests.spec.two import Two, alike

pytestmark = pytest.mark.anyio
RELATIONS: dict[str, Any] = {
    "relations": {
        "a": "relations",
        "b": "third_parties",
        "match": [["id"], ["number"]],
        "fields": {
            **alike("number", "name"),
            "id": {"a": "books_id", "b": "@id", "owner": "b"},
            "active": {"a": "active", "b": "blocked", "lens_b": {"map": {"yes": False, "no": True}}},
        },
    },
    "invoices": {
        "kind": "document",
        "a": "invoices",
        "b": "invoices",
        "match": [["number"]],
        "creates": ["a"],
        "fields": alike("number", owner="a"),
    },
}


async def linked(two: Two) -> None:
    await two.tables(
        a_relations="number text, name text, books_id text, active boolean DEFAULT true",
        b_third_parties="number text, name text, blocked text DEFAULT 'no'",
        a_invoices="number text",
        b_invoices="number text",
    )
    await two.b.script("INSERT INTO third_parties (number, name) VALUES ('1', 'Ada'), ('2', 'Bob')")
    await two.a.script("INSERT INTO invoices (number) VALUES ('R1')")
    await two.under(RELATIONS)
    await two.are(
        "a",
        "number, name, books_id, active FROM relations ORDER BY 1",
        ("1", "Ada", "1", "True"),
        ("2", "Bob", "2", "True"),
    )
    await two.are("b", "number FROM invoices", ("R1",))


async def test_t04_new_and_changed_ones_go_both_ways_tied_by_the_other_side_s_id(two: Two) -> None:
    await linked(two)
    await two.a.script(
        "INSERT INTO relations (number, name) VALUES ('3', 'Eve'); UPDATE relations SET name = 'Ada Ltd' WHERE number = '1'"
    )
    await two.b.script(
        "INSERT INTO third_parties (number, name) VALUES ('4', 'Dan'); "
        "UPDATE third_parties SET number = '22' WHERE number = '2'"
    )
    await two.are(
        "a",
        "number, name, books_id FROM relations ORDER BY name",
        ("1", "Ada Ltd", "1"),
        ("22", "Bob", "2"),
        ("4", "Dan", await of(two, "Dan")),
        ("3", "Eve", await of(two, "Eve")),
    )
    assert await two.rows("b", "number, name FROM third_parties ORDER BY name") == [
        ("1", "Ada Ltd"), ("22", "Bob"), ("4", "Dan"), ("3", "Eve"),
    ]  # fmt: skip


async def of(two: Two, name: str) -> str:
    """The id of a third party, once it is there."""
    await two.become("b", f"count(*) FROM third_parties WHERE name = '{name}'", ("1",))
    ((id,),) = await two.rows("b", f"id FROM third_parties WHERE name = '{name}'")
    return str(id)


async def test_t11_deleting_never_deletes_on_the_other_side_whatever_was_deleted(two: Two) -> None:
    await linked(two)
    await two.a.script("DELETE FROM relations WHERE number = '1'; DELETE FROM invoices")
    await two.b.script("DELETE FROM third_parties WHERE number = '2'")
    await two.quiet()
    await two.b.script("INSERT INTO third_parties (number, name) VALUES ('5', 'Fay')")
    await two.are("a", "number FROM relations ORDER BY 1", ("2",), ("5",))
    assert await two.rows("b", "number FROM third_parties ORDER BY 1") == [("1",), ("5",)]
    assert await two.rows("b", "number FROM invoices") == [("R1",)]


async def test_t12_who_is_deactivated_here_is_there_in_both_directions(two: Two) -> None:
    await linked(two)
    await two.a.script("UPDATE relations SET active = false WHERE number = '1'")
    await two.b.script("UPDATE third_parties SET blocked = 'yes' WHERE number = '2'")
    await two.are("b", "number, blocked FROM third_parties ORDER BY 1", ("1", "yes"), ("2", "yes"))
    await two.are("a", "number, active FROM relations ORDER BY 1", ("1", "False"), ("2", "False"))
    assert len(await two.rows("b", "id FROM third_parties")) == 2


async def test_t23_who_is_activated_again_is_there_too(two: Two) -> None:
    await linked(two)
    await two.a.script("UPDATE relations SET active = false WHERE number = '1'")
    await two.are("b", "blocked FROM third_parties WHERE number = '1'", ("yes",))
    await two.b.script("UPDATE third_parties SET blocked = 'no' WHERE number = '1'")
    await two.are("a", "active FROM relations WHERE number = '1'", ("True",))
    assert await two.rows("b", "blocked FROM third_parties ORDER BY number") == [("no",), ("no",)]
