"""Field rules over the real daemon: a folder of files on one side, PostgreSQL on the other, and what both hold afterwards.

Rows of the five products in their general form; each product's own blueprint comes with its connectors.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tandem.v1 import settings_pb2
from tests.spec.systems import LINK, blueprint, customer, until
from tests.spec.world import World

pytestmark = pytest.mark.anyio
NUMBER = {"number": {"a": "KUNDENNR", "b": "number", "owner": "a"}}
NAME = {"name": {"a": "NAME", "b": "name"}}


async def connected(world: World, fields: dict[str, Any], *rows: dict[str, str], **changed: Any) -> None:
    """The link under these fields, the rows in the ERP. Number and name are always there."""
    world.erp.save(list(rows) or [customer(1)])
    named = {} if "name" in fields else NAME
    changed = {"first_contact": "a", "match": [["number"]]} | changed
    await world.connect(blueprint(fields=NUMBER | named | fields, **changed))


async def crm_shows(world: World, number: int = 1, **values: Any) -> bool:
    """Wait until the CRM shows that."""

    async def shown() -> bool:
        found = [row for row in await world.crm.customers() if row["number"] == f"K{number:05d}"]
        return any(all(row[name] == value for name, value in values.items()) for row in found)

    return await until(shown, f"{values} in the CRM")


async def erp_shows(world: World, number: int = 1, **values: str) -> bool:
    """Wait until the ERP shows that."""

    async def shown() -> bool:
        found = [row for row in world.erp.rows() if row["KUNDENNR"] == f"K{number:05d}"]
        return any(all(row[name] == value for name, value in values.items()) for row in found)

    return await until(shown, f"{values} in the ERP")


async def waiting(world: World, said: str) -> None:
    """Wait until somebody waits for that reason."""

    async def listed() -> bool:
        return any(said in row.reason for row in await world.parked("waiting"))

    await until(listed, f"somebody who waits: {said}")


async def nobody_waits(world: World) -> None:
    """Wait until nobody waits any more."""

    async def empty() -> bool:
        return not await world.parked("waiting")

    await until(empty, "nobody to wait")


async def reported(world: World, rule: str) -> None:
    """Wait until the protocol of some run names the rule."""

    async def said() -> bool:
        for run in await world.runs():
            if any(rule in item.rule for item in await world.items(run)):
                return True
        return False

    await until(said, f"the rule {rule!r} in a protocol")


async def edit(world: World, number: int = 1, **values: Any) -> None:
    """Somebody edits a customer in the CRM."""
    for name, value in values.items():
        await world.crm.sql(f"UPDATE customers SET {name} = $1 WHERE number = $2", value, f"K{number:05d}")


# ------------------------------------------------------------------------------------------------ whose it is


async def test_w16_an_edit_of_what_the_other_side_owns_is_put_back_and_reported(world: World) -> None:
    fields = {"city": {"a": "ORT", "b": "city", "owner": "a"}, "notes": {"b": "notes", "owner": "local"}}
    await connected(world, fields)
    assert await crm_shows(world, city="Köln")
    await edit(world, city="Ulm", notes="mine")
    await reported(world, "put back: owned by a")
    assert await crm_shows(world, city="Köln", notes="mine")
    assert await erp_shows(world, ORT="Köln")


async def test_g02_a_mark_is_on_every_record_and_is_set_again(world: World) -> None:
    await connected(world, {"mark": {"b": "notes", "constant": "read-only"}}, customer(1), customer(2))
    assert await crm_shows(world, 1, notes="read-only")
    await edit(world, 2, notes=None)
    assert await crm_shows(world, 2, notes="read-only")
    before = world.erp.state()
    await world.quiet()
    assert world.erp.state() == before  # nothing of it is in the other system


async def test_g07_what_both_may_edit_is_one_side_s_once_another_field_says_so(world: World) -> None:
    status = {"status": {"a": "INTERN", "b": "notes", "conflict": "a"}}
    city = {"city": {"a": "ORT", "b": "city", "owner": [{"when": {"status": "client"}, "is": "a"}, "both"]}}
    await connected(world, status | city, customer(1, INTERN="prospect"))
    assert await crm_shows(world, city="Köln", notes="prospect")
    await edit(world, city="Ulm")
    assert await erp_shows(world, ORT="Ulm")
    world.erp.edit({"K00001": {"INTERN": "client"}})
    assert await crm_shows(world, notes="client")
    await edit(world, city="Bonn")
    await reported(world, "put back: owned by a")
    assert await crm_shows(world, city="Ulm")
    assert await erp_shows(world, ORT="Ulm")


async def test_t05_a_provisional_number_is_replaced_by_the_other_side_s(world: World) -> None:
    owner = {"once": "bound", "when": {"debtor": {"filled": True}}, "is": "b", "else": "both"}
    await connected(
        world, {"debtor": {"a": "INTERN", "b": "notes", "owner": owner}}, customer(1, INTERN="T-1")
    )
    assert await crm_shows(world, notes="T-1")
    await edit(world, notes="W-7")
    assert await erp_shows(world, INTERN="W-7")
    world.erp.edit({"K00001": {"INTERN": "T-2"}})
    assert await erp_shows(world, INTERN="W-7")


# ---------------------------------------------------------------------------------------- made, and from then on


async def test_g05_an_owner_is_set_when_we_make_the_record_and_never_again(world: World) -> None:
    await connected(world, {"boss": {"b": "notes", "owner": "local", "starts_with": {"b": "admin"}}})
    assert await crm_shows(world, notes="admin")
    await edit(world, notes="eve")
    world.erp.edit({"K00001": {"NAME": "Another"}})
    assert await crm_shows(world, name="Another", notes="eve")


async def test_g06_g25_the_joined_name_of_the_rep_is_written_at_creation_and_never_again(
    world: World,
) -> None:
    await world.crm.script("ALTER TABLE customers ADD first text, ADD last text")
    rep = {"a": "INTERN", "b": ["first", "last"], "lens_b": "join", "owner": "b", "on_create_only": True}
    number = {"number": {"a": "KUNDENNR", "b": "number"}}
    await connected(world, number | {"rep": rep})
    assert await crm_shows(world)
    await world.crm.sql(
        "INSERT INTO customers (number, name, first, last) VALUES ('K00002', 'Bob', 'Eve', 'Adams')"
    )
    assert await erp_shows(world, 2, NAME="Bob", INTERN="Eve Adams")
    await edit(world, 2, first="Mallory", name="Bobby")
    assert await erp_shows(world, 2, NAME="Bobby", INTERN="Eve Adams")
    world.erp.edit({"K00002": {"INTERN": "somebody", "NAME": "Robert"}})
    assert await crm_shows(world, 2, name="Robert", first="Mallory")


async def test_t22_g19_the_id_that_one_side_gives_is_written_to_the_other(world: World) -> None:
    await connected(world, {"id": {"a": "INTERN", "b": "@id", "owner": "b"}})
    assert await crm_shows(world)
    id = await world.crm.value("SELECT id::text FROM customers")
    assert await erp_shows(world, INTERN=str(id))
    world.erp.edit({"K00001": {"INTERN": "x"}})
    assert await erp_shows(world, INTERN=str(id))


async def test_u05_a_record_waits_for_what_is_required_unless_that_is_made_optional(world: World) -> None:
    fields = {"email": {"a": "EMAIL", "b": "email", "required": True}}
    await connected(world, fields, customer(1, EMAIL=""), customer(2, EMAIL=""), customer(3))
    assert await crm_shows(world, 3)
    await waiting(world, "needs email")
    assert len(await world.crm.customers()) == 1
    world.erp.edit({"K00001": {"EMAIL": "a@haus.example"}})
    assert await crm_shows(world, 1, email="a@haus.example")  # by itself
    optional = "streams: {customers: {fields: {email: {required: false}}}}"
    request = settings_pb2.ChangeSettingsRequest(link=LINK, tenant=world.tenant, settings=optional)
    await world.tandem.settings.ChangeSettings(request)
    assert await crm_shows(world, 2)
    await nobody_waits(world)


# ------------------------------------------------------------------------------------------------------- values


async def test_t19_a_missing_map_entry_holds_back_only_who_needs_it(world: World) -> None:
    asked = {"codes": {"form": "map", "doc": "group to code", "default": {"G1": "C1"}}}
    group = {"group": {"a": "INTERN", "b": "notes", "lens_a": {"map": {"setting": "codes"}}}}
    world.erp.save([customer(1, INTERN="G1"), customer(2, INTERN="G2")])
    text = blueprint(fields=NUMBER | NAME | group, first_contact="a", match=[["number"]])
    await world.connect(f"{text}settings: {asked}\n")
    assert await crm_shows(world, 1, notes="C1")
    await waiting(world, 'the setting codes has no entry for "G2"')
    assert len(await world.crm.customers()) == 1
    entry = "settings: {codes: {default: {G2: C2}}}"
    request = settings_pb2.ChangeSettingsRequest(link=LINK, tenant=world.tenant, settings=entry)
    await world.tandem.settings.ChangeSettings(request)
    assert await crm_shows(world, 2, notes="C2")
    assert await crm_shows(world, 1, notes="C1")
    await nobody_waits(world)


async def test_t09_a_name_is_split_and_joined_without_loss(world: World) -> None:
    parts = {"name": {"a": ["NAME", "INTERN", "ORT"], "b": "name", "lens_a": "join"}}
    await connected(world, parts, customer(1, NAME="Anna Maria", INTERN="de", ORT="Vos"))
    assert await crm_shows(world, name="Anna Maria de Vos")
    await edit(world, name="Anna Maria de Wit")
    assert await erp_shows(world, NAME="Anna Maria", INTERN="de", ORT="Wit")
    world.erp.edit({"K00001": {"NAME": "Anna", "INTERN": ""}})
    assert await crm_shows(world, name="Anna Wit")


async def test_s13_a_net_price_goes_up_gross_to_the_cent(world: World) -> None:
    rates = {"1": 19, "2": 7}
    price = {
        "a": "KREDIT",
        "b": ["credit", "notes"],
        "owner": "b",
        "lens_b": {"gross": {"rates": rates}},
        "lens_a": {"number": {"decimal": ",", "places": 2}},
    }
    await connected(world, {"price": price}, customer(1, KREDIT=""), customer(2, KREDIT=""))
    assert await crm_shows(world, 2)
    await edit(world, 1, credit=Decimal("8.40"), notes="1")  # 9.996
    await edit(world, 2, credit=Decimal("0.50"), notes="2")  # 0.535: half a cent goes up
    assert await erp_shows(world, 1, KREDIT="10,00")
    assert await erp_shows(world, 2, KREDIT="0,54")


async def test_g16_stock_that_does_not_apply_is_a_dash(world: World) -> None:
    formula = "INTERN == 'stock' ? KREDIT : '-'"
    stock = {"a": ["INTERN", "KREDIT"], "b": "notes", "owner": "a", "lens_a": {"formula": formula}}
    await connected(
        world,
        {"stock": stock},
        customer(1, INTERN="stock", KREDIT="0"),
        customer(2, INTERN="service", KREDIT="7"),
    )
    assert await crm_shows(world, 1, notes="0")
    assert await crm_shows(world, 2, notes="-")
    await edit(world, 2, notes="99")
    assert await crm_shows(world, 2, notes="-")
    world.erp.edit({"K00002": {"INTERN": "stock"}})
    assert await crm_shows(world, 2, notes="7")


async def test_u12_fields_of_its_own_are_mapped_per_link(world: World) -> None:
    await world.crm.script("ALTER TABLE customers ADD tier text")
    own = {"own": {"form": "fields", "default": {"tier": {"a": "INTERN", "b": "tier"}}}}
    world.erp.save([customer(1, INTERN="gold")])
    text = blueprint(fields=NUMBER | NAME, first_contact="a", match=[["number"]], custom={"setting": "own"})
    await world.connect(f"{text}settings: {own}\n")
    assert await crm_shows(world, tier="gold")
    await edit(world, tier="silver")
    assert await erp_shows(world, INTERN="silver")
