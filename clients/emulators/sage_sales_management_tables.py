"""The resources of Sage Sales Management (formerly ForceManager), version 4, with their fields and look-ups.

A look-up is a field of whole numbers here; `LOOKUPS` says which resource it points at. Custom fields begin with `Z_`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from clients.emulators.description import Description, Field, Table, fields

DOC: Final = (
    "Sage Sales Management (formerly ForceManager): accounts, contacts, products, sales over REST, version 4."
)
META: Final = (
    Field("deleted", "boolean", writable=False, default=False),
    *fields("dateCreated dateUpdated dateDeleted", "instant", writable=False),
    *fields("salesRepIdCreated salesRepIdUpdated salesRepIdDeleted", "integer", writable=False),
)
FLAGS: Final = (
    Field("readOnly", "boolean", default=False),
    Field("permissionLevel", "integer", default=3),
    Field("extId", size=255),
)
PLACE: Final = (
    *fields("address1 address2", size=180),
    Field("city", size=200),
    *fields("region postcode"),
    Field("countryId", "integer"),
)

ACCOUNTS: Final = (
    Field("name", required=True, size=200),
    *fields("branchId salesRepId1", "integer", required=True),
    *fields("salesRepId2..5", "integer"),
    *PLACE,
    *fields("phone phone2 phone3 fax email website vatNumber"),
    Field("comment", size=6000),
    *fields("typeId statusId segmentId rateId", "integer"),
    *fields("public marketingCommunications geocoded", "boolean", default=False),
    *fields("latitude longitude", "decimal"),
)
CONTACTS: Final = (
    Field("accountId", "integer", required=True),
    *fields("firstName lastName", required=True),
    Field("salesRepId", "integer", required=True),
    Field("typeId", "integer"),
    *fields("title email email2 email3 phone phone2 fax linkedin skype"),
    Field("gender", "integer"),
    Field("birthday", "date"),
    *PLACE,
    Field("UseCompanyAddress", "boolean", default=False),
    Field("comment", size=6000),
)
PRODUCTS: Final = (
    Field("model", required=True),
    Field("description", size=6000),
    *fields("price cost maxDiscount", "decimal"),
    Field("stock", "integer"),
    *fields("categoryId familyId", "integer"),
    Field("notAvailable", "boolean", default=False),
    *fields("Z_stock"),
)
SALES: Final = (
    Field("accountId", "integer"),
    *fields("accountExtId salesRepExtId", size=100),
    Field("date", "date"),
    Field("total", "decimal"),
    Field("salesRepId", "integer", writable=False),
    *fields("Z_numero Z_type Z_statut_synchro", size=100),
    Field("Z_echeance", "date"),
    Field("Z_solde", "decimal"),
)
ORDERS: Final = (
    *fields("branchId salesRepId", "integer", required=True),
    Field("reference", required=True),
    *fields("accountId contactId currencyId rateId statusId", "integer"),
    *fields("number comment internalComment"),
    Field("date", "date"),
    *fields("discount1..4 total", "decimal"),
    *fields("archived blocked", "boolean", default=False),
)
LINES: Final = (
    *fields("productId salesOrderId", "integer", required=True),
    *fields("quantity price", "decimal", required=True),
    Field("description"),
    *fields("discount1..4 total", "decimal"),
    Field("order", "integer"),
)
# A document of no account, product ... says -1 there. Its content is no field: it is kept by the file store.
DOCUMENTS: Final = (
    *fields("accountId productId activityId contactId folderId", "integer", default=-1),
    *fields("description extension link"),
    Field("size", "integer"),
    Field("carrousel", "boolean", default=False),
)
USERS: Final = (
    Field("name", required=True),
    *fields("lastName email extId locale dbLanguage"),
    Field("isActive", "boolean", default=True),
    *fields("level managerId", "integer"),
)
# A resource of value lists: what it is called, and what a country has besides.
VALUES: Final = (
    *("accountTypes", "accountStatuses", "branches", "currencies", "contactTypes"),
    *("productCategories", "productFamilies", "rates", "segments"),
)

LOOKUPS: Final[Mapping[str, str]] = {
    "branchId": "branches",
    **{
        f"salesRepId{tail}": "users"
        for tail in ("", "1", "2", "3", "4", "5", "Created", "Updated", "Deleted")
    },
    "countryId": "countries",
    "typeId": "accountTypes",
    "statusId": "accountStatuses",
    "segmentId": "segments",
    "rateId": "rates",
    "accountId": "accounts",
    "contactId": "contacts",
    "currencyId": "currencies",
    "productId": "products",
    "salesOrderId": "salesorders",
    "categoryId": "productCategories",
    "familyId": "productFamilies",
    "managerId": "users",
}
CONTACT_TYPES: Final = {("contacts", "typeId"): "contactTypes"}


def resource(name: str, own: tuple[Field, ...], flags: tuple[Field, ...] = FLAGS) -> Table:
    """One resource with its meta fields; it draws its own ids."""
    every = {field.name: field for field in (Field("id", "integer", writable=False), *flags, *own, *META)}
    return Table(name, key="id", fields=tuple(every.values()), created="dateCreated")


TABLES: Final = (
    resource("accounts", ACCOUNTS),
    resource("contacts", CONTACTS),
    resource("products", PRODUCTS),
    resource("sales", SALES),
    resource("salesorders", ORDERS),
    resource("salesordersLines", LINES),
    resource("documents", DOCUMENTS, ()),
    resource("users", USERS, ()),
    resource("countries", (Field("value", required=True), Field("iso2", size=2)), ()),
    *(resource(name, (Field("value", required=True),), ()) for name in VALUES),
    Table(
        "hooks",
        key="id",
        fields=(Field("id", "integer"), *fields("action entity name url version secret_key")),
    ),
)
ENTITIES: Final = {
    "accounts": "account",
    "contacts": "contact",
    "salesorders": "salesorder",
}
SSM: Final = Description("sage_sales_management", DOC, TABLES)
