"""Customers, contacts and invoices of an ERP and a CRM, in general form: G1, G14, G17-G20, G23, G25."""

from __future__ import annotations

from typing import Any

import pytest

from tandem_client import TandemError
from tests.spec.systems import LINK, until
from tests.spec.two import Two, alike

pytestmark = pytest.mark.anyio
CUSTOMERS: dict[str, Any] = {
    "a": "customers",
    "b": "companies",
    "match": [["code"]],
    "deletes": {"a": "mark", "b": "restore"},
    "mark": {"b": {"deleted": "yes"}},
    "fields": {
        "code": {"a": "account_code", "b": "company_code", "owner": "a"},
        "name": {"a": "name", "b": "name", "owner": {"once": "bound", "is": "a", "else": "both"}},
        "read_only": {"b": "read_only", "constant": "yes"},
        "rep": {
            "a": "sales_rep",
            "b": ["first", "last"],
            "lens_b": "join",
            "owner": "b",
            "on_create_only": True,
        },
    },
}
# Only addresses with the mark are contacts; a contact made in the CRM becomes one with the mark.
CONTACTS: dict[str, Any] = {
    "a": "addresses",
    "b": "contacts",
    "match": [["mail"]],
    "gate": {"a": {"path": "is_contact", "equals": True, "then": "deactivate"}},
    "deletes": {"a": "mark", "b": "ignore"},
    "mark": {"b": {"deleted": "yes"}},
    "fields": {
        **alike("mail", "phone"),
        "is_contact": {"a": "is_contact", "constant": True},
        "customer": {"a": "customer_id", "b": "company_id", "reference": "customers", "required": True},
    },
}


async def linked(two: Two) -> None:
    await two.tables(
        a_customers="account_code text UNIQUE DEFAULT 'C' || nextval('codes'), name text, sales_rep text",
        a_addresses="mail text, phone text, is_contact boolean, customer_id bigint",
        b_companies="company_code text, name text, read_only text, deleted text, first text, last text, owner text",
        b_contacts="mail text, phone text, deleted text, company_id bigint",
    )
    await two.a.script(
        "INSERT INTO customers (name) VALUES ('Ada'), ('Bob');"
        "INSERT INTO addresses (mail, phone, is_contact, customer_id) VALUES ('x@ada', '1', true, 1), "
        "('y@ada', '2', false, 1)"
    )
    await two.under({"customers": CUSTOMERS, "contacts": CONTACTS})
    await two.are(
        "b",
        "company_code, name, read_only FROM companies ORDER BY 1",
        ("C1", "Ada", "yes"),
        ("C2", "Bob", "yes"),
    )
    await two.are("b", "mail, phone FROM contacts", ("x@ada", "1"))


@pytest.fixture(autouse=True)
async def codes(two: Two) -> None:
    """The ERP gives the codes."""
    await two.a.script("CREATE SEQUENCE codes")


async def test_g01_the_account_code_is_the_identifier_on_both_sides(two: Two) -> None:
    await linked(two)
    await two.b.script("INSERT INTO companies (name, first, last) VALUES ('Eve', 'Rita', 'Rep')")
    await two.are(
        "b", "company_code, name FROM companies ORDER BY 1", ("C1", "Ada"), ("C2", "Bob"), ("C3", "Eve")
    )
    assert await two.rows("a", "account_code, name FROM customers WHERE name = 'Eve'") == [("C3", "Eve")]
    # Read anew from nothing they are the same records, by their code.
    await two.b.script("UPDATE companies SET company_code = 'X' WHERE name = 'Eve'")
    await two.are("b", "company_code FROM companies WHERE name = 'Eve'", ("C3",))


async def test_g14_contacts_are_made_and_edited_on_both_sides_and_deleted_as_customers_are(two: Two) -> None:
    await linked(two)
    await two.b.script(
        "INSERT INTO contacts (mail, phone, company_id) SELECT 'z@bob', '3', id FROM companies WHERE name = 'Bob'"
    )
    await two.a.script(
        "INSERT INTO addresses (mail, is_contact, customer_id) VALUES ('v@bob', true, 2);"
        "UPDATE addresses SET phone = '11' WHERE mail = 'x@ada'"
    )
    await two.are(
        "b", "mail, phone FROM contacts ORDER BY 1", ("v@bob", None), ("x@ada", "11"), ("z@bob", "3")
    )
    await two.b.script("UPDATE contacts SET phone = '33' WHERE mail = 'v@bob'")
    await two.are("a", "phone FROM addresses WHERE mail = 'v@bob'", ("33",))
    await two.a.script("DELETE FROM addresses WHERE mail = 'x@ada'")  # marked there
    await two.b.script("DELETE FROM contacts WHERE mail = 'v@bob'")  # deletes nothing here
    await two.are("b", "mail, deleted FROM contacts ORDER BY 1", ("x@ada", "yes"), ("z@bob", None))
    assert await two.rows("a", "mail FROM addresses ORDER BY 1") == [("v@bob",), ("y@ada",), ("z@bob",)]


async def test_g20_a_contact_made_there_becomes_a_marked_address_and_comes_round_as_the_same(
    two: Two,
) -> None:
    await linked(two)
    await two.b.script(
        "INSERT INTO contacts (mail, phone, company_id) SELECT 'z@bob', '3', id FROM companies WHERE name = 'Bob'"
    )
    await two.are(
        "a", "mail, is_contact, customer_id FROM addresses WHERE mail = 'z@bob'", ("z@bob", "True", "2")
    )
    await two.a.script("UPDATE addresses SET phone = '33' WHERE mail = 'z@bob'")
    await two.are("b", "mail, phone FROM contacts ORDER BY 1", ("x@ada", "1"), ("z@bob", "33"))
    assert len(await two.rows("a", "id FROM addresses")) == 3


async def test_g23_contacts_of_a_read_only_customer_stay_editable_on_both_sides(two: Two) -> None:
    await linked(two)
    await two.b.script(
        "UPDATE companies SET name = 'of the CRM' WHERE name = 'Ada'; UPDATE contacts SET phone = '9'"
    )
    await two.are("a", "phone FROM addresses WHERE mail = 'x@ada'", ("9",))
    await two.are("b", "name, read_only FROM companies WHERE company_code = 'C1'", ("Ada", "yes"))
    await two.a.script("UPDATE addresses SET phone = '10' WHERE mail = 'x@ada'")
    await two.are("b", "phone FROM contacts", ("10",))
    assert await two.rows("a", "name FROM customers WHERE account_code = 'C1'") == [("Ada",)]


async def test_g25_the_rep_is_told_at_that_creation_never_read_back_and_never_rewritten(two: Two) -> None:
    await linked(two)
    await two.b.script(
        "INSERT INTO companies (name, first, last, owner) VALUES ('Eve', 'Rita', 'Rep', 'rita')"
    )
    await two.are("a", "name, sales_rep FROM customers WHERE name = 'Eve'", ("Eve", "Rita Rep"))
    await two.a.script(
        "UPDATE customers SET sales_rep = 'Somebody Else', name = 'Eve Ltd' WHERE name = 'Eve'"
    )
    await two.are(
        "b",
        "name, first, last, owner FROM companies WHERE name LIKE 'Eve%'",
        ("Eve Ltd", "Rita", "Rep", "rita"),
    )
    await two.b.script("UPDATE companies SET first = 'Rosa', owner = 'rosa' WHERE name = 'Eve Ltd'")
    await two.quiet()
    assert await two.rows("a", "sales_rep FROM customers WHERE name = 'Eve Ltd'") == [("Somebody Else",)]
    assert await two.rows("a", "sales_rep FROM customers WHERE name = 'Ada'") == [(None,)]


def invoices(**fields: Any) -> dict[str, Any]:
    return {
        "invoices": {
            "kind": "document",
            "a": "invoices",
            "b": "invoices",
            "match": [["number"]],
            "creates": ["a"],
            "deletes": {"a": "mark", "b": "ignore"},
            "mark": {"b": {"deleted": "yes"}},
            "fields": {**alike("number", "total", owner="a"), **fields},
        }
    }


SYNCED: dict[str, Any] = {
    "status": {"b": "status", "constant": "synced"},
    "at_source": {"a": {"setting": "mark_at_source"}, "constant": "synced"},
}
MARK_AT_SOURCE = {
    "mark_at_source": {"form": "text", "default": None, "doc": "a field of the ERP that says so too"}
}


async def books(two: Two) -> None:
    await two.tables(
        a_invoices="number text, total text, exported text",
        b_invoices="number text, total text, status text, deleted text",
    )
    await two.a.script("INSERT INTO invoices (number, total) VALUES ('R1', '10'), ('R2', '20')")


async def test_g17_invoices_go_one_way_and_are_read_only_there(two: Two) -> None:
    await books(two)
    await two.under(invoices())
    await two.are("b", "number, total FROM invoices ORDER BY 1", ("R1", "10"), ("R2", "20"))
    await two.a.script(
        "UPDATE invoices SET total = '11' WHERE number = 'R1'; DELETE FROM invoices WHERE number = 'R2'"
    )
    await two.are(
        "b", "number, total, deleted FROM invoices ORDER BY 1", ("R1", "11", None), ("R2", "20", "yes")
    )
    was = await two.state("a", "invoices")
    await two.b.script(
        "UPDATE invoices SET total = '99' WHERE number = 'R1'; INSERT INTO invoices (number) VALUES ('R9')"
    )
    await two.are("b", "number, total FROM invoices ORDER BY 1", ("R1", "11"), ("R2", "20"), ("R9", None))
    assert await two.state("a", "invoices") == was


async def test_g18_what_was_synced_says_so_there_and_the_origin_is_untouched(two: Two) -> None:
    await books(two)
    was = await two.state("a", "invoices")
    await two.under(invoices(**SYNCED), settings=MARK_AT_SOURCE)
    await two.are("b", "number, status FROM invoices ORDER BY 1", ("R1", "synced"), ("R2", "synced"))
    await two.b.script("UPDATE invoices SET status = 'other' WHERE number = 'R1'")
    await two.are("b", "status FROM invoices", ("synced",), ("synced",))
    assert await two.state("a", "invoices") == was


async def test_g18_a_mark_at_the_source_is_a_setting_set_once_and_is_no_edit(two: Two) -> None:
    await books(two)
    await two.under(invoices(**SYNCED), settings=MARK_AT_SOURCE, chosen={"mark_at_source": "exported"})
    await two.are("a", "number, exported FROM invoices ORDER BY 1", ("R1", "synced"), ("R2", "synced"))
    was = await two.state("a", "invoices"), await two.state("b", "invoices")
    await two.quiet()
    assert (await two.state("a", "invoices"), await two.state("b", "invoices")) == was  # no echo of it
    await two.a.script("INSERT INTO invoices (number, total) VALUES ('R3', '30')")
    await two.are("a", "number, exported FROM invoices WHERE number = 'R3'", ("R3", "synced"))
    assert await two.rows("b", "number, status FROM invoices WHERE number = 'R3'") == [("R3", "synced")]


async def test_g19_the_invoice_carries_the_other_side_s_id_in_a_field_that_has_to_be_there(two: Two) -> None:
    await books(two)
    rules = invoices(origin={"a": "@id", "b": "erp_id", "owner": "a"})
    with pytest.raises(TandemError) as refused:
        await two.under(rules)
    assert "invoices of connection crm has no field 'erp_id'" in refused.value.message
    await two.b.script("ALTER TABLE invoices ADD erp_id text")

    async def made() -> bool:  # what the account offers is looked up again by and by
        try:
            await two.relink(rules)
        except TandemError:
            return False
        return True

    await until(made, f"{LINK} to be made")
    await two.are("b", "number, erp_id FROM invoices ORDER BY 1", ("R1", "1"), ("R2", "2"))
    assert len(await two.rows("a", "id FROM invoices")) == 2
