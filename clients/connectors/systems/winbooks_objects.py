"""The objects of WinBooks on Web ("OM") and their fields. Data; which of it is confirmed: docs/connectors/winbooks.md.

`overrides` (the setting `objects`) puts what is otherwise in a folder over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from clients.connectors.http.overlay import overlaid
from clients.connectors.http.shape import Field, Nested, Shape
from clients.connectors.http.values import Form, Type

KEY: Final = "Id"
CODE: Final = "Code"
MODIFIED: Final = "Modified"
THIRD: Final = "Third"
ADDRESS: Final = "Address"
INVOICE: Final = "SalesInvoice"
LINES: Final = "lines"
NOBODY: Final = "00000000-0000-0000-0000-000000000000"
ZONE: Final = "Europe/Brussels"

_NO_DATE: Final = (
    "/Date(-62135596800000)/",
    "/Date(-62135600400000)/",
)  # the first day of all, UTC and Brussels
_FORMS: Final[Mapping[str, Form]] = {
    "text": Form(),
    "integer": Form(type="integer"),
    "decimal": Form(type="decimal"),
    "boolean": Form(type="boolean"),
    # Midnight of Brussels and midnight UTC are the same day in Brussels; only the second is the same day in both.
    "date": Form(type="date", format="dotnet", zone=ZONE, nulls=_NO_DATE),
    "instant": Form(type="instant", format="dotnet", nulls=_NO_DATE),
    "list": Form(type="list"),
    "ref": Form(nulls=(NOBODY,), null_as=NOBODY),
}


# A line of an invoice: its VAT code, what it comes to without VAT, the account (the customer's own where nothing is said).
CELLS: Final[Mapping[str, Field]] = {
    "VatCode": Field(name="VatCode", required=True),
    "Amount": Field(name="Amount", form=Form(type="decimal"), required=True),
    "Comment": Field(name="Comment"),
    "GLAccountCode": Field(name="GLAccountCode"),
}


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One object. `space`: what stands before its name in the name of its type; `coded`: people call its records by a code;
    `third`: the fields of its third party, which is saved with it; `address`: those of that one's address, saved with both;
    `refs`: ids of other objects; `booked`: made of accounting documents and never changed (winbooks_invoices.py); `fields`:
    name -> type."""

    space: str = ""
    coded: bool = True
    third: str = ""
    address: str = ""
    refs: str = ""
    booked: bool = False
    texts: str = ""
    integers: str = ""
    decimals: str = ""
    booleans: str = ""
    dates: str = ""
    read_only: str = ""
    required: str = ""
    writable: bool = True
    fields: Mapping[str, Type] = {}


_THIRD_TEXTS: Final = "Name VatNumber WebSite"
_ADDRESS: Final = "Address1 Address2 Number Box Zip Town PhoneNo FaxNo Email MobileNo CountryCode"
_PARTNER: Final = Thing(
    third=_THIRD_TEXTS,
    address=_ADDRESS,
    refs=(
        "Third_Id Vat_Id CustomerCategory_Id GLAccount_Id GLAccount2_Id GLTemplate_Id PayCode_Id PayMode_Id PayTerm_Id"
        " DeliveryTerm_Id DiscountCategory_Id Tariff_Id"
    ),
    texts="Memo CommodityCode",
    integers="VatApplicable LastReminderLevel MemoType ConditionalDiscountDays",
    decimals="ConditionalDiscountRate DiscountRate GlobalDiscountRate",
    booleans="IsReminderBlocked IsLocked IsHidden IsPartialDelivery",
    dates="LastReminderDate",
    read_only="Third_Id",
)


def _list(space: str = "", **more: Any) -> Thing:
    """What a folder has and others refer to."""
    return Thing(space=space, writable=False, **more)


_BOOKS: Final = "Accounting."
OBJECTS: Final[Mapping[str, Thing]] = {
    "Customer": _PARTNER,
    "Supplier": _PARTNER,
    "Third": Thing(
        texts=_THIRD_TEXTS, refs="VatCountry_Id ThirdCivility_Id Language_Id Currency_Id", required="Name"
    ),
    "Address": Thing(
        coded=False,
        texts="Address1 Address2 Number Box Zip Town Name PhoneNo FaxNo Memo Email MobileNo",
        integers="Index",
        booleans="IsDelivering IsPosting IsInvoicing",
        refs="Country_Id Third_Id",
    ),
    "Third_Address": Thing(coded=False, refs="Third_Id Address_Id", required="Third_Id Address_Id"),
    "ThirdCivility": _list(texts="Name"),
    "Language": _list(texts="Name"),
    "Currency": _list(texts="Name"),
    "Country": _list(texts="Name"),
    "VatAccount": _list(_BOOKS, texts="Name", decimals="Rate"),
    "PayCode": _list(_BOOKS, texts="Name"),
    "GLAccount": _list(_BOOKS, texts="Name"),
    "BookYear": _list(_BOOKS, texts="Name"),
    "BookPeriod": _list(_BOOKS, coded=False, integers="RelatedYear RelatedMonth Number", refs="BookYear_Id"),
    "Journal": _list(_BOOKS, texts="Name", refs="BookYear_Id"),
    INVOICE: Thing(
        _BOOKS,
        coded=False,
        refs="Customer_Id",
        texts="JournalCode CurrencyCode Comment",
        integers="DocNumber",
        decimals="NetAmount VatAmount TotalAmount",
        dates="BookDate DueDate",
        booleans="IsOpen",
        read_only="NetAmount VatAmount TotalAmount IsOpen",
        required="Customer_Id JournalCode DocNumber BookDate",
        booked=True,
    ),
    "GLTransHeader": _list(
        _BOOKS,
        coded=False,
        refs="BookPeriod_Id Journal_Id PayCode_Id",
        texts="Comment",
        integers="DocNumber",
        dates="BookDate DueDate",
        booleans="IsLocked IsImported IsTemp IsChecked IsDoc",
    ),
    "GLTrans": _list(
        _BOOKS,
        coded=False,
        refs=(
            "GLTransHeader_Id BookPeriod_Id Currency_Id GLAccount_Id Supplier_Id Customer_Id Vat_Id GLMatch_Id"
        ),
        texts="Comment",
        integers="LineOrder CentralAccountType",
        decimals="Amount VatBaseAmount TurnOverAmount VatTaxAmount",
    ),
}


def objects(overrides: Mapping[str, Any]) -> dict[str, Thing]:
    """The objects, with what the settings say of this folder over them. CONFIG where that is none."""
    return overlaid(OBJECTS, overrides, Thing)


def type_of(name: str, thing: Thing) -> str:
    """The full name of a type, as bodies and criteria say it."""
    return f"Winbooks.TORM.OM.{thing.space}{stored(name)}, Winbooks.TORM.OM"


def stored(name: str) -> str:
    """The object of WinBooks that holds these records."""
    return "GLTransHeader" if name == INVOICE else name


def shape(name: str, thing: Thing) -> Shape:
    """The fields of an object; those of its third party are called `Third.Name` and so on."""
    kinds: dict[str, str] = {KEY: "text", **({CODE: "text"} if thing.coded else {})}
    kinds |= {f"{THIRD}.{one}": "text" for one in thing.third.split()}
    kinds |= {f"{ADDRESS}.{one}": "text" for one in thing.address.split()}
    for said, kind in (
        ("refs", "ref"),
        ("texts", "text"),
        ("integers", "integer"),
        ("decimals", "decimal"),
        ("booleans", "boolean"),
        ("dates", "date"),
    ):
        kinds |= dict.fromkeys(getattr(thing, said).split(), kind)
    kinds |= {"Created": "instant", MODIFIED: "instant", **thing.fields}
    fixed = {KEY, "Created", MODIFIED, *thing.read_only.split()}
    required = {KEY, *([CODE] if thing.coded else []), *thing.required.split()}
    fields = [
        Field(
            name=one,
            form=_FORMS[kind],
            required=one in required,
            writable=thing.writable and one not in fixed,
        )
        for one, kind in kinds.items()
    ]
    lines = [Nested(name=LINES, key=KEY, cells=CELLS)] if thing.booked else []
    return Shape(name, KEY, fields, modified=MODIFIED, lines=lines)
