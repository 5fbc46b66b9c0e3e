"""What a folder of WinBooks on Web holds: its objects ("OM") and their fields, after the vendor's pages. Which of it is
modelled: docs/connectors/winbooks.md.
"""

from __future__ import annotations

from typing import Final

from clients.emulators.description import Description, Field, Table, fields

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
KEY: Final = Field("Id", required=True)
STAMPS: Final = (*fields("Created Modified", "instant", writable=False), *fields("CreatedBy ModifiedBy"))


def table(name: str, *more: Field, coded: bool = True, indexed: tuple[str, ...] = ()) -> Table:
    """One object. `coded`: people call its records by a code, which no two share."""
    code = (Field("Code", required=True, size=10),) if coded else ()
    return Table(
        name,
        key="Id",
        draws=False,
        created="Created",
        modified="Modified",
        unique=(("Code",),) if coded else (),
        indexed=indexed,
        fields=(KEY, *code, *more, *STAMPS),
    )


PARTNER: Final = (
    *fields(
        "Third_Id Vat_Id CustomerCategory_Id GLAccount_Id GLAccount2_Id GLTemplate_Id PayCode_Id PayMode_Id"
        " PayTerm_Id DeliveryTerm_Id DiscountCategory_Id Tariff_Id"
    ),
    *fields("VatApplicable LastReminderLevel MemoType ConditionalDiscountDays", "integer"),
    *fields("ConditionalDiscountRate DiscountRate GlobalDiscountRate", "decimal"),
    *fields("IsReminderBlocked IsLocked IsHidden IsPartialDelivery", "boolean"),
    Field("Memo"),
    Field("CommodityCode", size=100),
    Field("LastReminderDate", "date"),
)

WINBOOKS: Final = Description(
    "winbooks",
    "WinBooks on Web: customers and suppliers of a folder their third parties, VAT codes, journals, booked documents.",
    (
        table("Customer", *PARTNER),
        table("Supplier", *PARTNER),
        table(
            "Third",
            Field("Name", size=40),
            Field("VatNumber", size=20),
            *fields("WebSite VatCountry_Id ThirdCivility_Id Language_Id Currency_Id"),
        ),
        table(
            "Address",
            Field("Index", "integer"),
            *fields("Address1 Address2 Number Box Zip Town Name PhoneNo FaxNo Memo Country_Id Third_Id"),
            *fields("Email MobileNo"),
            *fields("IsDelivering IsPosting IsInvoicing", "boolean"),
            coded=False,
        ),
        table(
            "Third_Address",
            *fields("Third_Id Address_Id", required=True),
            coded=False,
            indexed=("Third_Id",),
        ),
        *(table(name, Field("Name")) for name in ("ThirdCivility", "PayCode", "GLAccount", "BookYear")),
        *(table(name, Field("Name")) for name in ("Currency", "Country", "Language")),
        table("VatAccount", Field("Name"), Field("Rate", "decimal")),
        table("Journal", Field("Name"), Field("BookYear_Id"), Field("IsLocked", "boolean", default=False)),
        table(
            "BookPeriod",
            *fields("RelatedYear RelatedMonth Number", "integer"),
            Field("BookYear_Id"),
            Field("IsClosed", "boolean", default=False),
            coded=False,
        ),
        table(
            "GLTransHeader",
            *fields("BookPeriod_Id Journal_Id PayCode_Id Comment"),
            Field("DocNumber", "integer"),
            *fields("BookDate DueDate", "date"),
            *fields("IsLocked IsImported IsTemp IsChecked IsDoc", "boolean"),
            coded=False,
        ),
        table(
            "GLTrans",
            *fields("GLTransHeader_Id BookPeriod_Id Currency_Id GLAccount_Id Supplier_Id Customer_Id Vat_Id"),
            *fields("GLMatch_Id Comment"),
            *fields("LineOrder CentralAccountType", "integer"),
            *fields("Amount VatBaseAmount TurnOverAmount VatTaxAmount", "decimal"),
            coded=False,
        ),
    ),
    resolution_s=0.001,
)

# Object -> (property, field with the id, object it is): shown from level 2 on, and written under its code.
LINKS: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    **dict.fromkeys(
        ("Customer", "Supplier"),
        (
            ("Third", "Third_Id", "Third"),
            ("Vat", "Vat_Id", "VatAccount"),
            ("GLAccountDefault", "GLAccount_Id", "GLAccount"),
            ("GLAccountCentral", "GLAccount2_Id", "GLAccount"),
            ("PayCode", "PayCode_Id", "PayCode"),
        ),
    ),
    "Third": (
        ("Civility", "ThirdCivility_Id", "ThirdCivility"),
        ("Language", "Language_Id", "Language"),
        ("Currency", "Currency_Id", "Currency"),
        ("VatCountry", "VatCountry_Id", "Country"),
    ),
    "Third_Address": (("Address", "Address_Id", "Address"),),
    "Address": (("Country", "Country_Id", "Country"),),
    "Journal": (("BookYear", "BookYear_Id", "BookYear"),),
    "GLTransHeader": (("Journal", "Journal_Id", "Journal"), ("BookPeriod", "BookPeriod_Id", "BookPeriod")),
    "GLTrans": (
        ("Customer", "Customer_Id", "Customer"),
        ("Supplier", "Supplier_Id", "Supplier"),
        ("Vat", "Vat_Id", "VatAccount"),
        ("GLAccount", "GLAccount_Id", "GLAccount"),
        ("Currency", "Currency_Id", "Currency"),
    ),
}
# Object -> (property, object of the list, its field with the id, the order): shown from level 2 on, and saved with it.
LISTS: Final[dict[str, tuple[str, str, str, str]]] = {
    "Third": ("Addresses", "Third_Address", "Third_Id", "Address_Id"),
    "GLTransHeader": ("GLTransactions", "GLTrans", "GLTransHeader_Id", "LineOrder"),
}
OLD_ADDRESSES: Final = ("Addresses", "Address", "Third_Id", "Index")  # up to 2.4
# The names of these types have it in them.
ACCOUNTING: Final = (
    "PayCode",
    "GLAccount",
    "BookYear",
    "VatAccount",
    "Journal",
    "BookPeriod",
    "GLTransHeader",
    "GLTrans",
)


def type_of(name: str) -> str:
    """The full name of an object's type."""
    return f"Winbooks.TORM.OM.{'Accounting.' if name in ACCOUNTING else ''}{name}, Winbooks.TORM.OM"
