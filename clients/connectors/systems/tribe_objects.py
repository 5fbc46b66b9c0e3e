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
IDENTITY: Final = "Relationship_Organization_Identity"


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entity set. `links`: what refers to another record, read and written as its id; `fields`: name -> type."""

    texts: str = ""
    integers: str = ""
    decimals: str = ""
    booleans: str = ""
    dates: str = ""
    links: str = ""
    read_only: str = ""
    required: str = ""
    writable: bool = True
    fields: Mapping[str, Type] = {}


_FUNNEL: Final = Thing(
    texts="Name ImportId",
    integers="PaymentTermInDays",
    links="Organization Relation AccountManager",
    required="Relation",
)
SETS: Final[Mapping[str, Thing]] = {
    "Relation_Organization": Thing(
        texts=(
            "Name PhoneNumber EmailAddress FinancialEmailAddress Website VatNumber ChamberOfCommerceNumber"
            " ChamberOfCommerceName DebtorNumber ImportId"
        ),
        integers="NumberOfEmployees",
        dates="FoundingDate",
        links="VisitingAddress PostalAddress InvoiceAddress",
        required="Name",
    ),
    "Relation_Person": Thing(
        texts=(
            "FirstName MiddleName LastName Initials Title Suffix PhoneNumber MobilePhoneNumber EmailAddress ImportId"
        ),
        dates="BirthDate",
        links="Address",
        required="LastName",
    ),
    "Relationship_Organization_CommercialRelationship_Customer": _FUNNEL,
    "Relationship_Organization_CommercialRelationship_Lead": _FUNNEL,
    "Relationship_Person_Contact_Standard": Thing(
        texts="EmailAddress PhoneNumber MobilePhoneNumber Department ImportId",
        links="Relation Person",
        required="Relation Person",
    ),
    "Relationship_Person_Contact_Employee": Thing(
        texts="EmailAddress Department", links="Relation Person", writable=False
    ),
    "Address": Thing(texts="Street HouseNumber Postalcode City", links="Country Person Organization"),
    "Product": Thing(texts="Name ImportId", decimals="Price", required="Name"),
    "Activity_Invoice": Thing(
        texts="Subject Number Currency RelationDescription ImportId",
        decimals="Amount DiscountPercentage",
        booleans="IsVatIncluded IsActive IsClosed",
        links="Relationship Contact Phase",
        read_only="Number",
    ),
    "Country": Thing(texts="Name Code", writable=False),
    "Datastore_Phase_ActivityInvoice": Thing(texts="Name Code", writable=False),
    IDENTITY: Thing(texts="Name", links="Organization", writable=False),
}


def sets(overrides: Mapping[str, Any]) -> dict[str, Thing]:
    """The entity sets, with what the settings say over them. CONFIG where that is none."""
    return overlaid(SETS, overrides, Thing)


def shape(name: str, thing: Thing, stamps: tuple[str, ...]) -> Shape:
    """The fields of an entity set. `stamps`: the fields with times, the last change first; none where there are none."""
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
    kinds |= dict.fromkeys(stamps, "instant")
    kinds |= thing.fields
    links = thing.links.split()
    fixed, required = {KEY, *stamps, *thing.read_only.split()}, {KEY, *thing.required.split()}
    fields = [
        Field(
            name=one,
            form=Form(type=kind),
            read=f"{one}.{KEY}" if one in links else "",
            write=f"{one}.{KEY}" if one in links else "",
            required=one in required,
            writable=thing.writable and one not in fixed,
        )
        for one, kind in kinds.items()
    ]
    return Shape(name, KEY, fields, modified=stamps[0] if stamps else "")
