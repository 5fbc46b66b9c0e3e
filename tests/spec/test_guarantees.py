"""B3, B10, B11, B12: no echo, conflicts, ambiguous matches, quarantine: as both systems and the people see them."""

from __future__ import annotations

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value

from tandem.v1 import rooms_pb2
from tests.spec.systems import blueprint, customer, until
from tests.spec.world import World

pytestmark = pytest.mark.anyio


async def test_b03_writes_stop_after_the_last_edit_on_both_sides(world: World) -> None:
    world.erp.save([customer(n) for n in range(1, 11)])
    # A system that rewrites what it is given: it keeps towns in capitals.
    await world.crm.sql(
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.city := upper(NEW.city); RETURN NEW; END $$"
    )
    await world.crm.sql(
        "CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION shout()"
    )
    await world.connect()
    await until(lambda: world.crm.value("SELECT count(*) = 10 FROM customers"), "ten customers in the CRM")
    await world.quiet()
    world.erp.edit({"K00001": {"TELEFON": "030 / 777001", "ORT": "Bonn"}})
    await world.crm.sql("UPDATE customers SET email = 'neu@haus.example' WHERE number = 'K00002'")

    async def arrived() -> bool:
        row = await world.crm.value("SELECT phone FROM customers WHERE number = 'K00001'")
        return "777001" in (row or "") and world.erp.rows()[1]["EMAIL"] == "neu@haus.example"

    await until(arrived, "both edits on the other side")
    await world.quiet()
    writes, files, rows = await world.crm.writes(), world.erp.state(), await world.crm.state()
    # 10 creates, 1 edit by a person, and what the edit in the ERP needs: no more than two writes of one record.
    assert writes <= 13
    for _ in range(5):
        assert (await world.sync()).outcome == "nothing_new"
    assert (await world.crm.writes(), world.erp.state(), await world.crm.state()) == (writes, files, rows)
    assert await world.crm.value("SELECT city FROM customers WHERE number = 'K00001'") == "BONN"
    # One rule for the ERP's own writing: nobody put capitals into it, or it took them over once and for all.
    assert world.erp.rows()[0]["ORT"] in ("Bonn", "BONN")


async def edited_on_both_sides(world: World) -> None:
    """K00001 in different fields, K00002 in the same one, while the link is paused."""
    world.erp.save([customer(n) for n in range(1, 6)])
    await world.connect()
    await world.in_step()
    await world.quiet()
    await world.pause()
    await world.at_rest()
    world.erp.edit({"K00001": {"TELEFON": "030 / 777001"}, "K00002": {"NAME": "Müßig & Erben"}})
    await world.crm.sql("UPDATE customers SET email = 'neu@haus.example' WHERE number = 'K00001'")
    await world.crm.sql("UPDATE customers SET name = 'Erben & Co', city = 'Bonn' WHERE number = 'K00002'")
    await world.resume()


async def test_b10_same_field_is_a_conflict_for_a_person_and_different_fields_are_none(world: World) -> None:
    await edited_on_both_sides(world)
    await until(world.conflicts, "the conflict")
    await world.quiet()
    (conflict,) = await world.conflicts()
    assert (conflict.stream, conflict.field, conflict.room) == ("customers", "name", "conflict")
    assert json_format.MessageToDict(conflict.detail) == {
        "base": {"name": "Weinhandel Müßig 2"},
        "a": {"name": "Müßig & Erben"},
        "b": {"name": "Erben & Co"},
    }
    assert conflict.reason and conflict.hint
    # Different fields: both edits are on both sides; of the conflicting record only the one field waits.
    left = await world.differences()
    assert [line[:6] for line in left] == ["K00002"]
    assert world.erp.rows()[0]["EMAIL"] == "neu@haus.example" and world.erp.rows()[1]["ORT"] == "Bonn"
    assert world.erp.rows()[1]["NAME"] == "Müßig & Erben"
    decision = rooms_pb2.ResolveConflictRequest(id=conflict.id, choose="b")
    await world.tandem.conflicts.ResolveConflict(decision)
    await world.in_step()
    assert world.erp.rows()[1]["NAME"] == "Erben & Co"
    await world.quiet()
    assert await world.conflicts() == []


async def test_b10_a_person_may_give_a_third_value(world: World) -> None:
    await edited_on_both_sides(world)
    (conflict,) = await until(world.conflicts, "the conflict")
    value = Value(string_value="Müßig, Erben & Co")
    decision = rooms_pb2.ResolveConflictRequest(id=conflict.id, choose="value", value=value)
    await world.tandem.conflicts.ResolveConflict(decision)
    await world.in_step()
    assert world.erp.rows()[1]["NAME"] == "Müßig, Erben & Co"


async def test_b10_a_policy_decides_where_there_is_one(world: World) -> None:
    text = blueprint().replace("b: city\n", "b: city\n        conflict: b\n")
    world.erp.save([customer(1)])
    await world.connect(text)
    await world.in_step()
    await world.quiet()
    await world.pause()
    await world.at_rest()
    world.erp.edit({"K00001": {"ORT": "Ulm"}})
    await world.crm.sql("UPDATE customers SET city = 'Bonn'")
    await world.resume()
    await world.in_step()
    assert world.erp.rows()[0]["ORT"] == "Bonn"
    assert await world.conflicts() == []


async def test_b11_what_could_be_two_is_listed_and_nobody_guesses(world: World) -> None:
    world.erp.save([customer(1), customer(2, EMAIL="shared@haus.example")])
    add = "INSERT INTO customers (name, email) VALUES ($1, 'shared@haus.example')"
    await world.crm.sql(add, "Haus Eins")
    await world.crm.sql(add, "Haus Zwei")
    await world.connect()
    await until(lambda: world.parked("ambiguous"), "the unclear records")
    await world.quiet()
    entries = await world.parked("ambiguous")
    crm_ids = [str(row["id"]) for row in await world.crm.customers() if row["email"] == "shared@haus.example"]
    assert sorted(entry.record for entry in entries) == sorted(["K00002", *crm_ids])
    for entry in entries:
        assert "email" in entry.reason and entry.hint
        assert sorted(json_format.MessageToDict(entry.detail)["b"]) == sorted(crm_ids)
    # Nobody was bound or made again: the three stand where they stood.
    assert len(world.erp.rows()) == 2
    assert await world.crm.value("SELECT count(*) FROM customers WHERE number IS NULL") == 2
    assert await world.crm.value("SELECT count(*) FROM customers") == 3
    # The person's decision, made where it belongs: this one it is.
    await world.crm.sql("UPDATE customers SET number = 'K00002' WHERE name = 'Haus Zwei'")
    await world.crm.sql("UPDATE customers SET email = 'eins@haus.example' WHERE name = 'Haus Eins'")

    async def bound() -> bool:
        return not await world.parked("ambiguous") and len(world.erp.rows()) == 3

    await until(bound, "the list to be empty and Haus Eins in the ERP")
    await world.quiet()
    assert await world.crm.value("SELECT count(*) FROM customers") == 3
    assert {row["EMAIL"] for row in world.erp.rows()} >= {"eins@haus.example", "shared@haus.example"}


async def test_b12_a_refused_record_blocks_nobody_and_goes_by_itself_once_mended(world: World) -> None:
    await world.crm.sql("ALTER TABLE customers ADD CONSTRAINT no_pub CHECK (name NOT LIKE '%Kneipe%')")
    world.erp.save([customer(1), customer(2, NAME="Kneipe Zum Anker"), customer(3)])
    await world.connect()
    await until(lambda: world.crm.value("SELECT count(*) = 2 FROM customers"), "the others in the CRM")
    (entry,) = await until(lambda: world.parked("quarantine"), "the refused record")
    assert entry.record == "K00002"
    assert "no_pub" in entry.reason and entry.hint
    await world.quiet()
    # While it waits, it is not sent again and again.
    writes = await world.crm.writes()
    run = await world.sync()
    assert (run.outcome, run.waiting) == ("nothing_new", 1)  # it says what still waits
    assert await world.crm.writes() == writes
    world.erp.edit({"K00002": {"NAME": "Gasthaus Zum Anker"}})
    await world.in_step()
    await until(lambda: _empty(world), "an empty quarantine")


async def _empty(world: World) -> bool:
    return not await world.parked("quarantine")


async def test_b12_a_refused_record_is_tried_again_on_command(world: World) -> None:
    await world.crm.sql("ALTER TABLE customers ADD CONSTRAINT no_pub CHECK (name NOT LIKE '%Kneipe%')")
    world.erp.save([customer(1), customer(2, NAME="Kneipe Zum Anker")])
    await world.connect()
    (entry,) = await until(lambda: world.parked("quarantine"), "the refused record")
    await world.crm.sql("ALTER TABLE customers DROP CONSTRAINT no_pub")
    await world.quiet()
    await world.tandem.quarantine.RetryParked(rooms_pb2.RetryParkedRequest(id=entry.id))
    await world.in_step()
    await until(lambda: _empty(world), "an empty quarantine")
