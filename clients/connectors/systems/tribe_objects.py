"""The entity sets of Tribe CRM and their fields. Data; which of it is confirmed: docs/connectors/tribe.md.

`overrides` (the setting `objects`) puts what is otherwise in an organisation's Tribe over it: fields of its own above all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from clients.connectors.http.overlay import overlaid
from clients.connectors.http.shape import Field, Shape
from clients.connectors.http.values import Form, Type

KEY: Final = "ID"
CODE: Final = "Code"
IDENTITY: Final = "Relationship_Organization_Identity"
LINE: Final = "ProductLine"


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entity set. `links`: what refers to another record, read and written as its id; `coded`: of these, what may be
    said by its code as well (`Phase.Code`), link -> set; `parts`: way -> set of what is read and written with a record;
    `own`: the link that leads to the organisation whose Tribe it is, where nothing is said; `fields`: name -> type."""

    texts: str = ""
    integers: str = ""
    decimals: str = ""
    booleans: str = ""
    dates: str = ""
    links: str = ""
    read_only: str = ""
    required: str = ""
    writable: bool = True
    coded: Mapping[str, str] = {}
    parts: Mapping[str, str] = {}
    own: str = ""
    fields: Mapping[str, Type] = {}


ADDRESSES: Final = ("VisitingAddress", "PostalAddress", "InvoiceAddress")
_COMPANY: Final = {"Organization": "Relation_Organization", "Organization.InvoiceAddress": "Address"}
_FUNNEL: Final = Thing(
    texts="Name ImportId",
    integers="PaymentTermInDays",
    booleans="IsActive",
    links="Organization Relation AccountManager",
    parts=_COMPANY,
    own="Relation",
)
SETS: Final[Mapping[str, Thing]] = {
    "Relation_Organization": Thing(
        texts=(
            "Name PhoneNumber EmailAddress FinancialEmailAddress Website VatNumber ChamberOfCommerceNumber"
            " ChamberOfCommerceName DebtorNumber CreditorNumber ImportId"
        ),
        integers="NumberOfEmployees",
        dates="FoundingDate",
        links="VisitingAddress PostalAddress InvoiceAddress",
        required="Name",
    ),
    "Relation_Person": Thing(
        texts=(
            "FirstName MiddleName LastName Initials Title Suffix PhoneNumber MobilePhoneNumber EmailAddress DebtorNumber"
            " ImportId"
        ),
        dates="BirthDate",
        links="Address",
        required="LastName",
    ),
    "Relationship_Organization_CommercialRelationship_Customer": _FUNNEL,
    "Relationship_Organization_CommercialRelationship_Lead": _FUNNEL,
    "Relationship_Person_CommercialRelationship_Customer": Thing(
        texts="Name ImportId",
        integers="PaymentTermInDays",
        booleans="IsActive",
        links="Person Relation AccountManager",
        parts={"Person": "Relation_Person"},
        own="Relation",
    ),
    "Relationship_Organization_Supplier": Thing(
        texts="Name ImportId",
        booleans="IsActive",
        links="Organization Relation",
        parts=_COMPANY,
        own="Relation",
    ),
    "Relationship_Person_Contact_Standard": Thing(
        texts="EmailAddress PhoneNumber MobilePhoneNumber Department ImportId",
        links="Relation Person",
        required="Relation Person",
    ),
    "Relationship_Person_Contact_Employee": Thing(
        texts="EmailAddress Department", links="Relation Person", writable=False
    ),
    "Address": Thing(
        texts="Street HouseNumber Postalcode City",
        links="Country Person Organization",
        coded={"Country": "Country"},
    ),
    "Product": Thing(texts="Name ImportId", decimals="Price", required="Name"),
    "Activity_Invoice": Thing(
        texts="Subject Number Currency RelationDescription ImportId",
        decimals="Amount DiscountPercentage",
        booleans="IsVatIncluded IsActive IsClosed",
        dates="InvoiceDate",
        links="Relationship Contact Phase",
        coded={"Phase": "Datastore_Phase_ActivityInvoice"},
        read_only="Number",
    ),
    LINE: Thing(
        texts="Description",
        decimals="Quantity Price DiscountPercentage Amount SortIndex",
        links="Activity Product VatGroup",
        coded={"VatGroup": "Datastore_VatGroup"},
        read_only="Amount",
        required="Activity",
    ),
    "Datastore_VatGroup": Thing(
        texts="Name Code",
        decimals="Percentage",
        links="Country",
        coded={"Country": "Country"},
        writable=False,
    ),
    "Country": Thing(texts="Name Code", writable=False),
    "Datastore_Phase_ActivityInvoice": Thing(texts="Name Code", writable=False),
    IDENTITY: Thing(
        texts="Name",
        links="Organization",
        parts={"Organization": "Relation_Organization", "Organization.VisitingAddress": "Address"},
        writable=False,
    ),
}

# Calls about these may name the organisation, the person or the address instead.
COMPOSED: Final = tuple(name for name, thing in SETS.items() if thing.parts)


def sets(overrides: Mapping[str, Any]) -> dict[str, Thing]:
    """The entity sets, with what the settings say over them. CONFIG where that is none."""
    return overlaid(SETS, overrides, Thing)


def shape(
    name: str, things: Mapping[str, Thing], stamps: tuple[str, ...], *, writable: bool | None = None
) -> Shape:
    """The fields of an entity set, and of its parts. `stamps`: the fields with times, the last change first."""
    thing = things[name]
    may = thing.writable if writable is None else writable
    links = thing.links.split()
    kinds: dict[str, Type] = _kinds(thing)
    kinds |= dict.fromkeys(stamps, "instant")
    fixed, required = {KEY, *stamps, *thing.read_only.split()}, {KEY, *thing.required.split()}
    fields = [
        Field(
            name=one,
            form=Form(type=kind),
            read=f"{one}.{KEY}" if one in links else "",
            write=f"{one}.{KEY}" if one in links else "",
            required=one in required,
            writable=may and one not in fixed,
        )
        for one, kind in kinds.items()
    ]
    for way, of in thing.parts.items():
        for field in shape(of, things, (), writable=may).fields.values():
            if field.name not in (KEY, "ImportId") and not field.read:
                told = msgspec.structs.replace(field, name=f"{way}.{field.name}", required=False)
                fields.append(told)
    return Shape(name, KEY, fields, modified=stamps[0] if stamps else "")


def _kinds(thing: Thing) -> dict[str, Type]:
    kinds: dict[str, Type] = {KEY: "text"}
    said: tuple[tuple[str, Type], ...] = (
        ("texts", "text"),
        ("integers", "integer"),
        ("decimals", "decimal"),
        ("booleans", "boolean"),
        ("dates", "date"),
        ("links", "text"),
    )
    for place, kind in said:
        kinds |= dict.fromkeys(getattr(thing, place).split(), kind)
    kinds |= dict.fromkeys((f"{link}.{CODE}" for link in thing.coded), "text")
    return kinds | dict(thing.fields)
