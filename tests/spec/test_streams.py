"""Who takes part, what waits, what is staged, what is not brought back: rules of a stream, in their general form.

G3, G4, G9, G12, G15, G21, G24, S8, S10, S16, S18, S19, T20, U2, U3, U20, U23-U25, W14, W30. The ERP's INTERN (in G4
the CRM's notes) plays the gate field, its orders the documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tandem.v1 import rooms_pb2
from tests.spec.systems import ORDER_STREAM, ORDERS, blueprint, customer, until
from tests.spec.world import World

pytestmark = pytest.mark.anyio
GATE = {"a": {"path": "INTERN", "equals": "Kunde", "then": "put_back"}}
FROM_A: dict[str, Any] = {"creates": ["a"]}


def kunde(number: int, **values: str) -> dict[str, str]:
    return customer(number, **({"INTERN": "Kunde"} | values))


def lead(number: int, **values: str) -> dict[str, str]:
    return customer(number, **({"INTERN": "Lead"} | values))


def with_orders(orders: Mapping[str, Any], **customers: Any) -> str:
    """The usual rules with other entries of the stream of orders."""
    whole = yaml.safe_load(blueprint(orders=True, **customers))
    whole["streams"]["orders"] = {**ORDER_STREAM, **orders}
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)


async def numbers(world: World) -> list[str]:
    return sorted(row["number"] for row in await world.crm.customers())


async def ordered(world: World) -> list[str]:
    return [row["number"] for row in await world.crm.sql("SELECT number FROM orders ORDER BY number")]


async def are(world: World, *expected: str) -> None:
    """Wait until the CRM holds just these customers, and nothing is left to do."""

    async def those() -> bool:
        return await numbers(world) == list(expected)

    await until(those, f"the customers {expected}")
    await world.quiet()


def order(number: int, customer_number: str = "K00001", total: str = "1,00") -> dict[str, str]:
    return {"AUFTRAGNR": f"B{number:05d}", "KUNDENNR": customer_number, "SUMME": total}


# ---------------------------------------------------------------------------------------------------- who takes part


async def test_u02_who_gets_the_word_in_the_gate_field_goes_and_nobody_else(world: World) -> None:
    world.erp.save([kunde(1), lead(2)])
    await world.connect(blueprint(gate=GATE, **FROM_A))
    await are(world, "K00001")
    world.erp.edit({"K00002": {"INTERN": "Kunde"}})
    await are(world, "K00001", "K00002")
    assert [row["INTERN"] for row in world.erp.rows()] == ["Kunde", "Kunde"]


async def test_u03_the_gate_field_of_who_takes_part_is_put_back_and_everything_else_stays_free(
    world: World,
) -> None:
    world.erp.save([kunde(1)])
    await world.connect(blueprint(gate=GATE, **FROM_A))
    await are(world, "K00001")
    world.erp.edit({"K00001": {"INTERN": "Lead", "ORT": "Ulm"}})

    async def put_back() -> bool:
        return [(row["INTERN"], row["ORT"]) for row in world.erp.rows()] == [("Kunde", "Ulm")]

    await until(put_back, "the word to be put back")
    await world.quiet()
    assert [row["city"] for row in await world.crm.customers()] == ["Ulm"]


async def test_u20_without_its_partner_the_gate_field_is_free_and_only_the_word_set_anew_makes_another(
    world: World,
) -> None:
    world.erp.save([kunde(1)])
    await world.connect(blueprint(gate=GATE, **FROM_A))
    await are(world, "K00001")
    await world.crm.sql("DELETE FROM customers")
    await world.quiet()
    world.erp.edit({"K00001": {"ORT": "Ulm"}})
    await are(world)
    world.erp.edit({"K00001": {"INTERN": "Lead"}})
    await are(world)
    assert [row["INTERN"] for row in world.erp.rows()] == ["Lead"]
    world.erp.edit({"K00001": {"INTERN": "Kunde"}})
    await are(world, "K00001")


async def test_u23_who_is_there_already_is_bound_and_not_made_again(world: World) -> None:
    world.erp.save([kunde(1), lead(2)])
    for number in ("K00001", "K00002"):
        await world.crm.sql("INSERT INTO customers (number, name) VALUES ($1, 'known here')", number)
    await world.connect(blueprint(gate=GATE, first_contact="a", **FROM_A))

    async def names() -> dict[str, str]:
        return {row["number"]: row["name"] for row in await world.crm.customers()}

    async def first_is_bound() -> bool:
        return (await names())["K00001"] == customer(1)["NAME"]

    await until(first_is_bound, "the first to be bound")
    await world.quiet()
    assert (await names())["K00002"] == "known here"
    world.erp.edit({"K00002": {"INTERN": "Kunde"}})

    async def both_are_bound() -> bool:
        return (await names()) == {f"K0000{n}": customer(n)["NAME"] for n in (1, 2)}

    await until(both_are_bound, "the second to be bound")


async def test_u24_who_is_made_there_makes_nobody_here_and_who_is_deleted_there_stays_here(
    world: World,
) -> None:
    world.erp.save([kunde(1)])
    await world.connect(blueprint(gate=GATE, **FROM_A))
    await are(world, "K00001")
    await world.crm.sql("INSERT INTO customers (number, name) VALUES ('X1', 'made in the CRM')")
    await world.crm.sql("DELETE FROM customers WHERE number = 'K00001'")
    await are(world, "X1")
    assert [row["KUNDENNR"] for row in world.erp.rows()] == ["K00001"]


async def test_u25_who_is_entered_with_the_word_goes_like_one_who_gets_it(world: World) -> None:
    edge = {"a": {"path": "INTERN", "equals": "Kunde", "on": "edge"}}
    world.erp.save([kunde(1)])
    await world.connect(blueprint(gate=edge, **FROM_A))
    await world.quiet()
    world.erp.save([*world.erp.rows(), kunde(2), lead(3)])
    await are(world, "K00002")
    world.erp.edit({"K00001": {"ORT": "Ulm"}, "K00003": {"INTERN": "Kunde"}})
    await are(world, "K00002", "K00003")
    assert len(world.erp.rows()) == 3 and not await world.parked("ambiguous")


async def test_s16_taking_a_record_out_deletes_nothing_and_nothing_goes_on(world: World) -> None:
    chosen = {"a": {"path": "INTERN", "set": True, "then": "detach"}}
    world.erp.save([customer(1, INTERN="ja"), customer(2, INTERN="")])
    await world.connect(blueprint(gate=chosen, deletes={"a": "remove"}, **FROM_A))
    await are(world, "K00001")
    world.erp.edit({"K00001": {"INTERN": "", "ORT": "Ulm"}})
    await are(world, "K00001")
    world.erp.save([row for row in world.erp.rows() if row["KUNDENNR"] != "K00001"])
    await are(world, "K00001")
    assert [row["city"] for row in await world.crm.customers()] == ["Köln"]


async def test_g21_who_loses_the_mark_is_marked_as_deleted_on_the_other_side(world: World) -> None:
    gate = {"a": {"path": "INTERN", "set": True, "then": "deactivate"}}
    world.erp.save([customer(1, INTERN="ja")])
    await world.connect(
        blueprint(gate=gate, mark={"b": {"notes": "deleted"}}, fields=_without_notes(), **FROM_A)
    )
    await are(world, "K00001")

    async def is_marked(expected: str | None) -> None:
        async def marked() -> bool:
            return [row["notes"] for row in await world.crm.customers()] == [expected]

        await until(marked, f"notes {expected}")

    world.erp.edit({"K00001": {"INTERN": ""}})
    await is_marked("deleted")
    world.erp.edit({"K00001": {"INTERN": "ja"}})
    await is_marked(None)


def _without_notes() -> dict[str, Any]:
    fields = dict(yaml.safe_load(blueprint())["streams"]["customers"]["fields"])
    del fields["notes"]
    return fields


async def test_g04_who_is_entered_with_the_status_is_made_on_the_other_side_and_is_its_from_then_on(
    world: World,
) -> None:
    fields = _without_notes()
    for name in ("name", "phone", "email", "city"):
        fields[name] = {**fields[name], "owner": {"once": "bound", "is": "a", "else": "both"}}
    await world.connect(blueprint(gate={"b": {"path": "notes", "equals": "Client"}}, fields=fields))
    await world.quiet()
    for name, status in (("Eins", "Client"), ("Zwei", "Lead")):
        await world.crm.sql("INSERT INTO customers (name, city, notes) VALUES ($1, 'Ulm', $2)", name, status)

    async def made() -> bool:
        return [row["NAME"] for row in world.erp.rows()] == ["Eins"]

    await until(made, "the one with the status in the ERP")
    await world.quiet()
    await world.crm.sql("UPDATE customers SET city = 'Bonn' WHERE name = 'Eins'")

    async def put_back() -> bool:
        rows = await world.crm.sql("SELECT city, number FROM customers WHERE name = 'Eins'")
        return [tuple(row.values()) for row in rows] == [("Ulm", world.erp.rows()[0]["KUNDENNR"])]

    await world.quiet()
    await until(put_back, "the edit to be put back")
    assert [(row["NAME"], row["ORT"]) for row in world.erp.rows()] == [("Eins", "Ulm")]


async def test_g15_only_records_with_the_mark_are_carried(world: World) -> None:
    world.erp.save([customer(1, INTERN="ja"), customer(2, INTERN=""), customer(3, INTERN="ja")])
    await world.connect(blueprint(gate={"a": {"path": "INTERN", "set": True}}, **FROM_A))
    await are(world, "K00001", "K00003")
    world.erp.edit({"K00002": {"ORT": "Ulm"}})
    await are(world, "K00001", "K00003")
    assert len(world.erp.rows()) == 3


async def test_w14_a_record_made_where_it_may_not_be_is_reported_and_goes_nowhere(world: World) -> None:
    await world.connect(blueprint(**FROM_A))
    await world.quiet()
    known = await world.runs()
    await world.crm.sql("INSERT INTO customers (number, name) VALUES ('X1', 'made in the CRM')")
    run = await world.next_run(known)
    (line,) = [one for one in await world.items(run) if one.rule == "creates"]
    assert "lets no record be created from there" in line.reason
    await are(world, "X1")
    assert world.erp.rows() == []


async def test_g24_a_record_whose_number_exists_is_bound_and_two_of_them_go_to_a_person(world: World) -> None:
    world.erp.save([customer(1), customer(2, EMAIL="zwei@haus.example")])
    await world.crm.sql("INSERT INTO customers (number, name) VALUES ('K00001', 'known here')")
    await world.crm.sql("INSERT INTO customers (number, name, email) VALUES ('X1', 'x', 'zwei@haus.example')")
    await world.crm.sql("INSERT INTO customers (number, name, email) VALUES ('X2', 'y', 'zwei@haus.example')")
    await world.connect(blueprint(first_contact="a", creates=["a"]))

    async def unclear() -> bool:
        return len(await world.parked("ambiguous")) == 3

    await until(unclear, "three candidates in the list")
    assert await numbers(world) == ["K00001", "X1", "X2"]

    async def met() -> bool:
        return bool((await world.crm.customers())[0]["name"] == customer(1)["NAME"])

    await until(met, "the two that share a number to meet")


async def test_t20_what_was_deleted_in_the_erp_is_not_brought_back_by_any_later_look(world: World) -> None:
    world.erp.save([customer(1), customer(2)])
    await world.connect(blueprint(complete_read="10s"))
    await are(world, "K00001", "K00002")
    world.erp.save([row for row in world.erp.rows() if row["KUNDENNR"] == "K00002"])
    await world.quiet()
    await world.crm.sql("UPDATE customers SET city = 'Ulm'")
    await other_is_in_step(world)
    assert [row["KUNDENNR"] for row in world.erp.rows()] == ["K00002"]
    assert await numbers(world) == ["K00001", "K00002"]


async def test_t20_what_was_deleted_in_the_crm_is_not_brought_back_by_any_later_look(world: World) -> None:
    world.erp.save([customer(1), customer(2)])
    await world.connect(blueprint(complete_read="10s"))
    await are(world, "K00001", "K00002")
    await world.crm.sql("DELETE FROM customers WHERE number = 'K00001'")
    await world.quiet()
    world.erp.edit({"K00001": {"ORT": "Ulm"}, "K00002": {"ORT": "Ulm"}})
    await other_is_in_step(world)
    assert [row["KUNDENNR"] for row in world.erp.rows()] == ["K00001", "K00002"]
    assert await numbers(world) == ["K00002"]


async def other_is_in_step(world: World) -> None:
    async def edited() -> bool:
        here = {row["KUNDENNR"]: row["ORT"] for row in world.erp.rows()}
        there = {row["number"]: row["city"] for row in await world.crm.customers()}
        return here.get("K00002") == there.get("K00002") == "Ulm"

    await until(edited, "the other one to be in step")
    await world.quiet()


async def test_g03_deleted_here_is_marked_there_and_deleted_there_deletes_nothing_here_and_comes_back(
    world: World,
) -> None:
    policies: dict[str, Any] = {"deletes": {"a": "mark", "b": "restore"}, "mark": {"b": {"notes": "deleted"}}}
    world.erp.save([customer(1), customer(2), customer(3)])
    await world.connect(blueprint(fields=_without_notes(), **policies))
    await are(world, "K00001", "K00002", "K00003")
    world.erp.save([row for row in world.erp.rows() if row["KUNDENNR"] != "K00001"])
    await world.crm.sql("DELETE FROM customers WHERE number = 'K00002'")

    async def marked_and_back() -> bool:
        found = {row["number"]: row["notes"] for row in await world.crm.customers()}
        return found == {"K00001": "deleted", "K00002": None, "K00003": None}

    await until(marked_and_back, "one to be marked and one to be back")
    await world.quiet()
    assert [row["KUNDENNR"] for row in world.erp.rows()] == ["K00002", "K00003"]


async def test_g09_deleted_here_disappears_there_and_deleted_there_comes_back(world: World) -> None:
    world.erp.save([customer(1), customer(2), customer(3)])
    await world.connect(blueprint(deletes={"a": "remove", "b": "restore"}))
    await are(world, "K00001", "K00002", "K00003")
    world.erp.save([row for row in world.erp.rows() if row["KUNDENNR"] != "K00001"])
    await world.crm.sql("DELETE FROM customers WHERE number = 'K00002'")
    await are(world, "K00002", "K00003")
    assert [row["KUNDENNR"] for row in world.erp.rows()] == ["K00002", "K00003"]


async def test_w30_a_record_that_was_deleted_is_put_back_with_its_own_values_as_last_seen(
    world: World,
) -> None:
    world.erp.save([customer(1), customer(2)])
    await world.connect(blueprint(deletes={"b": "restore"}, budgets={"creates": "unlimited"}))
    await are(world, "K00001", "K00002")
    await world.crm.sql("UPDATE customers SET notes = 'only the CRM knows' WHERE number = 'K00001'")
    await world.quiet()
    known = await world.runs()
    await world.crm.sql("DELETE FROM customers WHERE number = 'K00001'")

    async def is_back() -> bool:
        found = {row["number"]: row["notes"] for row in await world.crm.customers()}
        return found == {"K00001": "only the CRM knows", "K00002": None}

    await until(is_back, "the record to be put back")
    told = [one for run in await world.runs() if run not in known for one in await world.items(run)]
    assert any(one.rule == "deletes: restore" and one.record for one in told)


# ------------------------------------------------------------------------------------------------------- what waits


async def test_g12_the_children_of_a_record_that_does_not_take_part_wait_and_go_by_themselves_with_it(
    world: World,
) -> None:
    world.erp.save([lead(1)])
    world.erp.save([order(1)], "AUFTRAEGE", ORDERS)
    await world.connect(blueprint(orders=True, gate=GATE, **FROM_A))

    async def waits() -> bool:
        return [one.record for one in await world.parked("waiting")] == ["B00001"]

    await until(waits, "the order to wait")
    assert await ordered(world) == []
    world.erp.edit({"K00001": {"INTERN": "Kunde"}})

    async def there() -> bool:
        return await ordered(world) == ["B00001"]

    await until(there, "the order in the CRM")
    await world.quiet()
    assert await world.parked("waiting") == []


async def test_s08_a_stream_waits_until_another_one_has_a_record(world: World) -> None:
    fields = {name: field for name, field in ORDER_STREAM["fields"].items() if name != "customer"}
    await world.crm.script("ALTER TABLE orders ALTER customer_id DROP NOT NULL")
    world.erp.save([order(1), order(2)], "AUFTRAEGE", ORDERS)
    await world.connect(with_orders({"requires": ["customers"], "parents": [], "fields": fields}))

    async def wait() -> bool:
        return len(await world.parked("waiting")) == 2

    await until(wait, "both orders to wait")
    assert "no record of customers is in step yet" in (await world.parked("waiting"))[0].reason
    world.erp.save([customer(1)])

    async def there() -> bool:
        return await ordered(world) == ["B00001", "B00002"]

    await until(there, "both orders in the CRM")


# --------------------------------------------------------------------------------------------------- what is staged


async def staged(world: World, count: int) -> list[rooms_pb2.Parked]:
    async def found() -> list[rooms_pb2.Parked] | None:
        rows = await world.parked("staged")
        return rows if len(rows) == count else None

    rows = await until(found, f"{count} staged")
    assert rows is not None
    return rows


async def bring_in(world: World, row: rooms_pb2.Parked) -> None:
    await world.tandem.quarantine.RetryParked(rooms_pb2.RetryParkedRequest(id=row.id))


async def test_s10_documents_are_staged_and_one_that_was_is_never_fetched_into_a_second_copy(
    world: World,
) -> None:
    world.erp.save([customer(1)])
    world.erp.save([order(1), order(2)], "AUFTRAEGE", ORDERS)
    await world.connect(with_orders({"stages": ["b"], "once": ["b"]}))
    first, _ = await staged(world, 2)
    await world.quiet()
    assert await ordered(world) == []
    await bring_in(world, first)

    async def imported() -> bool:
        return await ordered(world) == [first.record]

    await until(imported, "the import")
    world.erp.save(world.erp.rows("AUFTRAEGE"), "AUFTRAEGE")  # the whole file once more
    world.erp.save([*world.erp.rows("AUFTRAEGE"), order(3)], "AUFTRAEGE")
    await staged(world, 2)
    await world.quiet()
    assert await ordered(world) == [first.record]


async def test_s18_for_each_document_it_can_be_asked_where_it_stands(world: World) -> None:
    world.erp.save([customer(1)])
    world.erp.save([order(1), order(2)], "AUFTRAEGE", ORDERS)
    await world.connect(with_orders({"stages": ["b"], "once": ["b"]}))
    first, second = await staged(world, 2)
    await bring_in(world, first)
    (left,) = await staged(world, 1)
    assert (left.record, left.reason) == (second.record, "staged: to be imported on b")
    assert await ordered(world) == [first.record]


async def test_s19_an_import_that_fails_stays_staged_with_the_reason_and_the_sync_goes_on(
    world: World,
) -> None:
    world.erp.save([customer(1)])
    world.erp.save([order(1, total="-5,00")], "AUFTRAEGE", ORDERS)
    await world.crm.script("ALTER TABLE orders ADD CONSTRAINT no_refunds CHECK (total > 0)")
    await world.connect(with_orders({"stages": ["b"], "once": ["b"]}))
    (row,) = await staged(world, 1)
    await bring_in(world, row)

    async def failed() -> bool:
        return any("no_refunds" in one.reason for one in await world.parked("staged"))

    await until(failed, "the reason")
    world.erp.save([*world.erp.rows(), customer(2)])
    await are(world, "K00001", "K00002")
    assert [one.reason.startswith("import failed: ") for one in await world.parked("staged")] == [True]
    await world.crm.script("ALTER TABLE orders DROP CONSTRAINT no_refunds")
    (row,) = await world.parked("staged")
    await bring_in(world, row)

    async def imported() -> bool:
        return await ordered(world) == ["B00001"]

    await until(imported, "the import")
