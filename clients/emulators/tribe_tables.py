"""What an organisation's Tribe CRM holds: its entity sets and their fields, after the vendor's pages. Which of it is
modelled: docs/connectors/tribe.md.
"""

from __future__ import annotations

from typing import Final

from clients.emulators.description import Description, Field, Table, fields

ORGANIZATION: Final = "Relation_Organization"
PERSON: Final = "Relation_Person"
CUSTOMER: Final = "Relationship_Organization_CommercialRelationship_Customer"
PERSON_CUSTOMER: Final = "Relationship_Person_CommercialRelationship_Customer"
SUPPLIER: Final = "Relationship_Organization_Supplier"
CONTACT: Final = "Relationship_Person_Contact_Standard"
EMPLOYEE: Final = "Relationship_Person_Contact_Employee"
IDENTITY: Final = "Relationship_Organization_Identity"
INVOICE: Final = "Activity_Invoice"
LINE: Final = "ProductLine"
PHASE: Final = "Datastore_Phase_ActivityInvoice"
VAT_GROUP: Final = "Datastore_VatGroup"


# Entity set -> (navigation property, the set it leads to; `A|B`: a row of either).
NAVIGATIONS: Final[dict[str, dict[str, str]]] = {
    ORGANIZATION: {"VisitingAddress": "Address", "PostalAddress": "Address", "InvoiceAddress": "Address"},
    PERSON: {"Address": "Address"},
    CUSTOMER: {"Organization": ORGANIZATION, "Relation": ORGANIZATION, "AccountManager": EMPLOYEE},
    PERSON_CUSTOMER: {"Person": PERSON, "Relation": ORGANIZATION, "AccountManager": EMPLOYEE},
    SUPPLIER: {"Organization": ORGANIZATION, "Relation": ORGANIZATION},
    CONTACT: {"Relation": ORGANIZATION, "Person": PERSON},
    EMPLOYEE: {"Relation": ORGANIZATION, "Person": PERSON},
    IDENTITY: {"Organization": ORGANIZATION},
    "Address": {"Country": "Country", "Person": PERSON, "Organization": ORGANIZATION},
    INVOICE: {"Phase": PHASE, "Relationship": f"{CUSTOMER}|{PERSON_CUSTOMER}", "Contact": CONTACT},
    LINE: {"Activity": INVOICE, "Product": "Product", "VatGroup": VAT_GROUP},
    VAT_GROUP: {"Country": "Country"},
}


def table(name: str, *more: Field) -> Table:
    """One entity set. `LastMutationDate` is empty until a row is edited."""
    stamps = fields("CreationDate LastMutationDate", "instant", writable=False)
    return Table(
        name,
        key="ID",
        draws=False,
        created="CreationDate",
        indexed=tuple(NAVIGATIONS.get(name, ())),
        fields=(Field("ID", required=True), *more, *fields("ImportId"), *stamps),
    )


TRIBE: Final = Description(
    "tribe",
    "Tribe CRM: organisations, persons, the relationships between them, invoices and products, over OData.",
    (
        table(
            ORGANIZATION,
            Field("Name", required=True),
            *fields("PhoneNumber EmailAddress FinancialEmailAddress Website VatNumber"),
            Field("ChamberOfCommerceNumber", size=100),
            *fields("ChamberOfCommerceName DebtorNumber CreditorNumber"),
            *fields("NumberOfEmployees", "integer"),
            *fields("FoundingDate", "date"),
            *fields("VisitingAddress PostalAddress InvoiceAddress Language"),
            # What this organisation's users made for themselves: `_` and an id, or a name.
            *fields("_Remark _Extra"),
            *fields("_Margin", "decimal"),
            *fields("_Active", "boolean"),
        ),
        table(
            PERSON,
            *fields("FirstName MiddleName Initials Title Suffix PhoneNumber MobilePhoneNumber EmailAddress"),
            Field("LastName", required=True),
            Field("BirthDate", "date"),
            *fields("Address Gender Language DebtorNumber"),
        ),
        table(
            CUSTOMER,
            *fields("Name Organization AccountManager"),
            Field("Relation", required=True),
            Field("PaymentTermInDays", "integer"),
            Field("IsActive", "boolean", default=True),
        ),
        table(
            PERSON_CUSTOMER,
            *fields("Name AccountManager"),
            *fields("Relation Person", required=True),
            Field("PaymentTermInDays", "integer"),
            Field("IsActive", "boolean", default=True),
        ),
        table(
            SUPPLIER,
            *fields("Name"),
            *fields("Relation Organization", required=True),
            Field("IsActive", "boolean", default=True),
        ),
        table(
            CONTACT,
            *fields("Relation Person", required=True),
            *fields("EmailAddress PhoneNumber MobilePhoneNumber Department"),
        ),
        table(EMPLOYEE, *fields("Relation Person EmailAddress Department")),
        table(IDENTITY, *fields("Name Organization")),
        table("Address", *fields("Street HouseNumber Postalcode City Country Person Organization")),
        table("Country", *fields("Name Code")),
        table("Product", Field("Name", required=True), Field("Price", "double")),
        table(PHASE, *fields("Name Code")),
        table(VAT_GROUP, *fields("Name Code Country"), Field("Percentage", "decimal")),
        table(
            INVOICE,
            *fields("Subject Number Currency RelationDescription Relationship Contact Phase"),
            *fields("Amount DiscountPercentage", "double"),
            *fields("IsVatIncluded IsActive IsClosed", "boolean"),
            Field("InvoiceDate", "date"),
        ),
        table(
            LINE,
            Field("Activity", required=True),
            *fields("Description Product VatGroup _Note"),
            *fields("Quantity Price", "decimal"),
            Field("DiscountPercentage", "decimal"),
            Field("Amount", "decimal", writable=False),
            Field("SortIndex", "decimal"),
        ),
    ),
    resolution_s=0.001,
    unknown_fields="refused",
)

# Relationship -> (what it is about, the number that it has in this role).
NUMBERS: Final[dict[str, tuple[str, str]]] = {
    CUSTOMER: ("Organization", "DebtorNumber"),
    PERSON_CUSTOMER: ("Person", "DebtorNumber"),
    SUPPLIER: ("Organization", "CreditorNumber"),
}
