"""The entities of Uniconta and their fields. Data, from the vendor's own pages; misspelt where they are.

Each entity is there twice: as it is (`DebtorClient`), and with the fields that users made (`DebtorClientUser`).
`overrides` (a setting) puts what is otherwise in an account over it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from clients.connectors.http.overlay import overlaid
from clients.connectors.http.shape import Field, Shape
from clients.connectors.http.values import Form, Type

ROW: Final = "PrimaryKeyId"
NUMBERED: Final = ("PrimaryKeyId", "OrderNumber")  # keys that are numbers
MODIFIED: Final = "UpdatedAt"
OWN: Final = "User"  # behind an entity's name: with user-defined fields
_ADDRESS: Final = "Address1 Address2 Address3 ZipCode City Country"
_DELIVERY: Final = (
    "DeliveryName DeliveryAddress1 DeliveryAddress2 DeliveryAddress3 DeliveryZipCode DeliveryCity DeliveryCountry"
    " DeliveryContactPerson DeliveryPhone DeliveryContactEmail"
)


class Entity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entity. `key`: the field by which others name its records; `required`: never left out by a true answer."""

    key: str = ROW
    texts: str = ""
    integers: str = ""
    decimals: str = ""
    booleans: str = ""
    dates: str = ""
    read_only: str = ""
    required: str = ""
    fields: Mapping[str, Type] = {}


ENTITIES: Final[Mapping[str, Entity]] = {
    "DebtorClient": Entity(
        key="Account",
        texts=(
            f"Account Name {_ADDRESS} CompanyRegNo VatNumber EORI Phone MobilPhone ContactPerson ContactEmail InvoiceEmail"
            " EAN Www UserLanguage Group Payment PaymentFormat Currency Vat VatZone VatOperation PriceList PriceGroup"
            " Employee CrmGroup Interests Products IndustryCode CompanyState BankAccount SWIFT InvoiceAccount OurAccount"
            f" Shipment DeliveryTerm LayoutGroup ItemNameGroup PostingAccount {_DELIVERY}"
            " Dimension1 Dimension2 Dimension3 Dimension4 Dimension5"
        ),
        decimals="PaymentFee EndDiscountPct LineDiscountPct CreditMax CurBalance Overdue",
        booleans="EmailDocuments InvoiceInXML PricesInclVat Blocked",
        dates="Created LastInvoice",
        read_only="CurBalance Overdue Created LastInvoice",
        required="Account Name Group",
    ),
    "InvItemClient": Entity(
        key="Item",
        texts=(
            "Item Name ItemType Group DiscountGroup Unit UnitGroup CostModel Currency1 Currency2 Currency3 PurchaseCurrency"
            " PurchaseAccount SupplierItemId EAN URL Photo Warehouse Location StockPosition BrandGroup CategoryGroup"
            " StatisticsGroup TariffNumber CountryOfOrigin UNSPSC AlternativeItem StandardVariant SerialOrBatch"
        ),
        integers="Decimals Cartons DeliveryTime",
        decimals=(
            "CostPrice SalesPrice1 SalesPrice2 SalesPrice3 PurchasePrice Weight NetWeight Volume QtyOnStock QtyReserved"
            " QtyOrdered Available MinStockLevel MaxStockLevel SalesQty PurchaseQty PurchaseMin"
        ),
        booleans="Blocked UseStorage UseVariants",
        read_only="QtyOnStock QtyReserved QtyOrdered Available",
        required="Item Group",
    ),
    "ContactClient": Entity(
        texts="Name Email Phone Mobil Title DCType DCAccount EAN ReferenceId ContactType Interests Products",
        booleans="Invoice AccountStatement CollectionLetter Packnote Confirmation Offer",
        required="Name",
    ),
    "EmployeeClient": Entity(
        key="Number",
        texts=(
            "Number Name Title Group Address1 Address2 ZipCode City Mobil PrivateMobil Email PrivateEmail PersonalId PayId"
            " PayrollCategory Approver Approver2 UserLoginId UserName"
        ),
        decimals="CostPrice SalesPrice",
        booleans="Blocked",
        dates="Hired Terminated",
        required="Number Name",
    ),
    "DebtorOrderClient": Entity(
        key="OrderNumber",
        texts=(
            "Account Name ContactName YourRef OurRef Requisition RelatedOrder Remark Group Payment PaymentFormat Shipment"
            " DeliveryTerm Employee Currency Vat InvoiceAccount PostingAccount PostingText PriceList LayoutGroup Project"
            f" PrCategory Task Approver {_DELIVERY}"
        ),
        integers="OrderNumber",
        decimals="EndDiscountPct ExchangeRate Weight Volume OrderTotal",
        booleans="PricesInclVat Offer DeleteOrder DeleteLines Approved",
        dates="DeliveryDate DeliveryDateConfirmed InvoiceDate DueDate ApprovedDate",
        read_only="Name OrderTotal",
        required="OrderNumber Account",
    ),
    "DebtorOrderLineClient": Entity(
        texts="Item Text Unit Note Variant Warehouse Location SerieBatch Currency ReferenceNumber",
        integers="OrderNumber",
        decimals="LineNumber Qty QtyNow QtyDelivered Remaining Price CostPrice DiscountPct Total MarginRatio",
        read_only="QtyDelivered Remaining Total",
        required="OrderNumber",
    ),
    "DebtorInvoiceClient": Entity(
        texts="Account Name Voucher",
        integers="InvoiceNumber OrderNumber",
        decimals="NetAmount VatAmount TotalAmount",
        dates="Date DueDate",
        read_only="Account Name Voucher InvoiceNumber OrderNumber NetAmount VatAmount TotalAmount Date DueDate",
        required="Account",
    ),
    "TableChangeEventClient": Entity(
        texts="Url Arguments", integers="TableId", booleans="UsePost", required="Url TableId"
    ),
}
_KINDS: Final[Mapping[str, Type]] = {
    "texts": "text",
    "integers": "integer",
    "decimals": "decimal",
    "booleans": "boolean",
    "dates": "date",
}
_EDM: Final[Mapping[str, Type]] = {
    "Edm.Int16": "integer",
    "Edm.Int32": "integer",
    "Edm.Int64": "integer",
    "Edm.Double": "decimal",
    "Edm.Single": "decimal",
    "Edm.Decimal": "decimal",
    "Edm.Boolean": "boolean",
    "Edm.DateTime": "date",
    "Edm.DateTimeOffset": "instant",
}
_TYPE: Final = re.compile(r"<EntityType\b[^>]*?\bName=\"(\w+)\"[^>]*>(.*?)</EntityType>", re.DOTALL)
_PROPERTY: Final = re.compile(r"<Property\b([^>]*)>")
_ATTRIBUTE: Final = re.compile(r"\b(Name|Type)=\"([^\"]*)\"")


def entities(overrides: Mapping[str, Any]) -> dict[str, Entity]:
    """All entities, each also with `User` behind its name; CONFIG for settings that are none."""
    known = {f"{name}{tail}": one for name, one in ENTITIES.items() for tail in ("", OWN)}
    return overlaid(known, overrides, Entity)


def metadata(text: str) -> dict[str, dict[str, Type]]:
    """Entity -> field -> type, of an EDMX document."""
    return {
        name: {
            said["Name"]: _EDM.get(said.get("Type", ""), "text")
            for attributes in _PROPERTY.findall(body)
            if "Name" in (said := dict(_ATTRIBUTE.findall(attributes)))
        }
        for name, body in _TYPE.findall(text)
    }


def shape(name: str, entity: Entity, modified: str, told: Mapping[str, Type] | None) -> Shape:
    """The fields of an entity. `told`: those that the system says there are; None: it says nothing, so all known ones."""
    typed: dict[str, Type] = {ROW: "integer"}
    typed |= {field: kind for said, kind in _KINDS.items() for field in getattr(entity, said).split()}
    if modified:
        typed[modified] = "instant"
    if told is not None:
        # Known types before told ones: the feed calls a day and an instant by the same name.
        typed = {field: typed.get(field, kind) for field, kind in told.items()}
    typed |= {**entity.fields, entity.key: "text"}
    read_only = {ROW, modified, *entity.read_only.split()}
    required = entity.required.split()
    return Shape(
        name,
        entity.key,
        [
            Field(
                name=field,
                form=_form(kind),
                required=field in required,
                writable=field not in read_only,
            )
            for field, kind in typed.items()
        ],
        modified=modified if modified in typed else "",
    )


def _form(kind: Type) -> Form:
    return (
        Form(type=kind, nulls=("0001-01-01T00:00:00", "0001-01-01"))
        if kind in ("date", "instant")
        else Form(type=kind)
    )
