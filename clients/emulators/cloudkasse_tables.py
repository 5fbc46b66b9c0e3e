"""What an account of a CloudKasse holds, and what its tablets hold. All of it is modelled (docs/connectors/cloudkasse.md):
receipts after DSFinV-K, the German standard for what tills record, the rest after other cloud tills.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from clients.emulators.description import Description, Field, Table, fields

RECEIPT_TYPES: Final = (
    "Beleg AVRechnung AVTransfer AVBestellung AVTraining AVBelegstorno AVBelegabbruch AVSachbezug AVSonstige"
)
UPDATED: Final = Field("updatedAt", "instant", writable=False)
CUSTOMER: Final = "KUNDE_NAME KUNDE_ID KUNDE_TYP KUNDE_STRASSE KUNDE_PLZ KUNDE_ORT KUNDE_LAND KUNDE_USTID"


def table(name: str, *more: Field, unique: tuple[tuple[str, ...], ...] = (("number",),)) -> Table:
    """One kind of master data."""
    return Table(
        name,
        "id",
        (Field("id", "integer", writable=False), *more, UPDATED),
        modified="updatedAt",
        unique=unique,
    )


RECEIPTS: Final = Table(
    "receipts",
    key="id",
    draws=False,
    modified="updatedAt",
    fields=(
        Field("id", required=True),
        Field("tillId", "integer"),
        Field("uploadedAt", "instant"),
        Field("Z_KASSE_ID", size=50),
        Field("Z_ERSTELLUNG"),
        Field("Z_NR", "integer"),
        Field("BON_ID", size=40, required=True),
        Field("BON_NR", "integer"),
        Field("BON_TYP", choices=tuple(RECEIPT_TYPES.split()), default="Beleg"),
        *fields(
            "BON_NAME TERMINAL_ID BON_START BON_ENDE BEDIENER_ID BEDIENER_NAME ABRECHNUNGSKREIS BON_NOTIZ"
        ),
        Field("BON_STORNO", "boolean", default=False),
        Field("UMS_BRUTTO", "decimal"),
        *fields(CUSTOMER),
        *fields("lines vat payments references", "any"),
        UPDATED,
    ),
)
# Not the cloud's: what stands on the tablets, handed over or not. No request shows it, and no backup of the cloud holds it.
TABLET: Final = Table(
    "tablet",
    key="id",
    draws=False,
    apart=True,
    fields=(
        Field("id", required=True),
        Field("tillId", "integer"),
        Field("receipt", "any"),
        Field("handed", "boolean"),
    ),
)

CLOUDKASSE: Final = Description(
    "cloudkasse",
    "An account of a CloudKasse (modelled): company, tills, articles, prices, staff, receipts.",
    (
        table(
            "company", *fields("number street zip city country taxNumber vatId"), Field("name", required=True)
        ),
        table(
            "tills",
            Field("number", required=True, size=50),
            *fields("name serialNumber"),
            Field("companyId", "integer"),
            Field("active", "boolean", default=True),
            *fields("lastZNr pending", "integer", writable=False),
            Field("reportedAt", "instant", writable=False),
        ),
        table(
            "articles",
            Field("number", required=True, size=18),
            Field("name", required=True, size=80),
            *fields("description group unit"),
            Field("receiptText", size=80),
            Field("gtin", size=14),
            *fields("vatKey sortIndex", "integer"),
            *fields("grossPrice deposit", "decimal"),
            Field("active", "boolean", default=True),
            Field("discountable", "boolean"),
            Field("availableFrom", "date"),
        ),
        table(
            "prices",
            Field("articleId", "integer", required=True),
            Field("tillId", "integer"),
            Field("priceGroup"),
            Field("gross", "decimal", required=True),
            Field("validFrom", "date"),
            unique=(),
        ),
        table(
            "staff",
            Field("number", required=True, size=6),
            *fields("firstName lastName"),
            Field("active", "boolean", default=True),
            Field("hasPin", "boolean", writable=False, default=False),
        ),
        Table(
            "vatRates",
            key="key",
            draws=False,
            modified="updatedAt",
            fields=(Field("key", "integer"), Field("rate", "decimal"), Field("description"), UPDATED),
        ),
        RECEIPTS,
        TABLET,
    ),
    resolution_s=0.001,
    unknown_fields="refused",
)

PATHS: Final = {
    "company": "company",
    "tills": "tills",
    "articles": "articles",
    "prices": "prices",
    "staff": "staff",
    "vat-rates": "vatRates",
    "receipts": "receipts",
}
FIXED: Final = ("vatRates", "receipts")
# Which field refers to a row of which table.
REFERENCES: Final = (
    ("tills", "companyId", "company"),
    ("articles", "vatKey", "vatRates"),
    ("prices", "articleId", "articles"),
    ("prices", "tillId", "tills"),
)
RATES: Final = (
    {"key": 1, "rate": Decimal(19), "description": "Allgemeiner Steuersatz"},
    {"key": 2, "rate": Decimal(7), "description": "Ermäßigter Steuersatz"},
    {"key": 5, "rate": Decimal(0), "description": "Nicht steuerbar"},
)
