"""What the initial load writes, and whose value stands (T15, T16, T3, T18): relations of a CRM, third parties of books."""

from __future__ import annotations

from typing import Any

import pytest

from tandem.v1 import rooms_pb2
from tests.spec.systems import LINK
from tests.spec.two import Two, alike

pytestmark = pytest.mark.anyio
RELATIONS: dict[str, Any] = {
    "relations": {
        "a": "relations",
        "b": "third_parties",
        "match": [["number"]],
        "initial_load": ["a"],
        "first_contact": "b",
        "fields": alike("number", "name", "city"),
    },
    "invoices": {
        "kind": "document",
        "a": "invoices",
        "b": "invoices",
        "match": [["number"]],
        "creates": ["a"],
        "fields": {
            **alike("number", owner="a"),
            "of": {
                "a": "relation",
                "b": "third_party",
                "owner": "a",
                "reference": "relations",
                "required": True,
            },
        },
    },
}
PLAIN = "number text, name text, city text"
SHOWN = "number, name, city FROM {} ORDER BY number"


async def linked(two: Two, streams: dict[str, Any]) -> None:
    await two.tables(
        a_relations=PLAIN,
        b_third_parties=PLAIN,
        a_invoices="number text, relation bigint",
        b_invoices="number text, third_party bigint",
    )
    await two.a.script(
        "INSERT INTO relations (number, name, city) VALUES ('1', 'Ada', 'Ulm'), ('2', 'Bob', 'Bonn'),"
        " ('3', 'Cid', 'Kiel')"
    )
    await two.b.script(
        "INSERT INTO third_parties (number, name, city) VALUES ('1', 'Ada Ltd', 'Ulm'), ('4', 'Dan', 'Trier')"
    )
    await two.under(streams)
    await two.are(
        "a",
        SHOWN.format("relations"),
        ("1", "Ada Ltd", "Ulm"),
        ("2", "Bob", "Bonn"),
        ("3", "Cid", "Kiel"),
        ("4", "Dan", "Trier"),
    )


async def test_t15_the_initial_load_writes_nothing_there_and_the_rest_goes_once_changed_or_needed(
    two: Two,
) -> None:
    await linked(two, RELATIONS)
    was = [("1", "Ada Ltd", "Ulm"), ("4", "Dan", "Trier")]
    assert await two.rows("b", SHOWN.format("third_parties")) == was
    await two.a.script("UPDATE relations SET city = 'Köln' WHERE number = '2'")
    await two.are("b", SHOWN.format("third_parties"), was[0], ("2", "Bob", "Köln"), was[1])
    await two.a.script(
        "INSERT INTO invoices (number, relation) SELECT 'R1', id FROM relations WHERE number = '3'"
    )
    await two.are(
        "b", "i.number, t.name FROM invoices i JOIN third_parties t ON t.id = i.third_party", ("R1", "Cid")
    )
    # Who is new from now on goes at once, and nobody stands twice on either side.
    await two.a.script("INSERT INTO relations (number, name) VALUES ('5', 'Eve')")
    await two.are("b", "number FROM third_parties ORDER BY number", *[(str(n),) for n in range(1, 6)])
    assert len(await two.rows("a", "id FROM relations")) == 5


async def test_t16_where_a_pair_differs_that_side_s_value_is_taken_and_the_old_one_is_in_the_protocol(
    two: Two,
) -> None:
    await linked(two, RELATIONS)
    items = [item for run in await two.runs() for item in await two.items(run) if item.op == "update"]
    (line,) = items
    (decision,) = line.decisions
    assert (decision.field, decision.a.value.string_value, decision.b.value.string_value) == (
        "name",
        "Ada",
        "Ada Ltd",
    )
    assert decision.rule == "first contact: b wins"


async def test_t03_keys_in_order_none_is_doubled_and_two_candidates_go_to_a_person(two: Two) -> None:
    """The strongest key is an id that was written back before; then the number; never the name."""
    await two.tables(a_relations=f"{PLAIN}, books_id text", b_third_parties=PLAIN)
    await two.b.script(
        "INSERT INTO third_parties (number, name) VALUES ('10', 'by id'), ('20', 'by number'), ('30', 'twice'),"
        " ('40', 'new')"
    )
    await two.a.script(
        "INSERT INTO relations (number, name, books_id) VALUES ('99', 'known by its id', '1'), ('20', 'other name', NULL),"
        " ('30', 'one', NULL), ('30', 'two', NULL)"
    )
    fields = {**alike("number", "name"), "id": {"a": "books_id", "b": "@id", "owner": "b"}}
    stream = {**RELATIONS["relations"], "match": [["id"], ["number"]], "fields": fields}
    await two.under({"relations": stream})
    await two.are(
        "a",
        "number, name, books_id FROM relations ORDER BY number, name",
        ("10", "by id", "1"),
        ("20", "by number", "2"),
        ("30", "one", None),
        ("30", "two", None),
        ("40", "new", "4"),
    )
    asked = rooms_pb2.ListAmbiguousRequest(link=LINK, tenant=two.tenant)
    assert len((await two.tandem.ambiguous.ListAmbiguous(asked)).ambiguous) == 3
    assert len(await two.rows("b", "id FROM third_parties")) == 4


ROLES: dict[str, Any] = {
    role: {
        "a": "relations",
        "b": "third_parties",
        "match": [["number"]],
        "gate": {
            "a": {"path": f"is_{role}", "equals": True, "keys": "free"},
            "b": {"path": "role", "equals": role, "keys": "free"},
        },
        "fields": {
            "number": {"a": f"{role}_number", "b": "number"},
            "name": {"a": "name", "b": "name", "first_contact": "b", "conflict": "b"},
            "role": {"b": "role", "constant": role},
            "is_one": {"a": f"is_{role}", "constant": True},
        },
    }
    for role in ("debtor", "creditor")
}


async def test_t18_numbers_are_matched_within_their_role_and_who_has_both_carries_both(two: Two) -> None:
    flags = "is_debtor boolean, is_creditor boolean, debtor_number text, creditor_number text"
    await two.tables(a_relations=f"name text, {flags}", b_third_parties="number text, role text, name text")
    await two.a.script(
        "INSERT INTO relations (name, is_debtor, is_creditor, debtor_number, creditor_number) VALUES"
        " ('debtor seven', true, false, '7', NULL), ('both', true, true, '8', '9'),"
        " ('creditor ten', false, true, NULL, '10')"
    )
    await two.b.script(
        "INSERT INTO third_parties (number, role, name) VALUES ('7', 'creditor', 'another seven'), ('8', 'debtor', 'both'),"
        " ('9', 'creditor', 'both'), ('10', 'creditor', 'creditor ten')"
    )
    await two.under(ROLES)
    shown = "name, debtor_number, creditor_number FROM relations ORDER BY name"
    await two.are(
        "a",
        shown,
        ("another seven", None, "7"),
        ("both", "8", "9"),
        ("creditor ten", None, "10"),
        ("debtor seven", "7", None),
    )
    parties = [
        ("10", "creditor", "creditor ten"),
        ("7", "creditor", "another seven"),
        ("7", "debtor", "debtor seven"),
        ("8", "debtor", "both"),
        ("9", "creditor", "both"),
    ]
    assert await two.rows("b", "number, role, name FROM third_parties ORDER BY number, role") == parties
    # One relation in both roles: an edit reaches both of its numbers, from either of them.
    await two.b.script("UPDATE third_parties SET name = 'both of them' WHERE number = '9'")
    await two.become("a", "name FROM relations WHERE debtor_number = '8'", ("both of them",))
    await two.are("b", "name FROM third_parties WHERE number = '8'", ("both of them",))
