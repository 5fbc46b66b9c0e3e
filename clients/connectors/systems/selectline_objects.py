"""The objects of SelectLine Auftrag's API and their fields, those of nested objects with points. Data; which of it is
confirmed: docs/connectors/selectline.md.

`overrides` (the setting `objects`) puts what is otherwise in an installation over it: names of extra tables and of their
columns are each user's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from actors.core.errors import Kind, TandemError
from clients.connectors.http.overlay import overlaid
from clients.connectors.http.shape import Field, Shape
from clients.connectors.http.values import Form, Type

DOCUMENTS: Final = "Documents"
POSITIONS: Final = "Positions"
ARTICLES: Final = "Articles"
TENANTS: Final = "Tenants"
DOCUMENT: Final = "DocumentKey"  # one letter for the kind, and the number behind it
POSITION: Final = "PositionKey"  # ours: key of the document, a slash, identifier
KIND: Final = "KindFlag"
NUMBER: Final = "Number"
STATUS: Final = "StatusFlag"
QUANTITY: Final = "CalculatedQuantityValue"
WAREHOUSE: Final = "WarehouseId"
ENTERED: Final = "Entered"  # ours: whether it stands in the list of the setting `entered`
NET_PRICE: Final = "NetPrice"  # ours: of one unit, from the source of the setting `prices`
CREATED: Final = "MetaData.CreationDate"
MODIFIED: Final = "MetaData.ModificationDate"
COLUMN_MODIFIED: Final = "BearbeitetAm"  # how a filter calls the same time of an extra table

_NO_DATE: Final = ("0001-01-01T00:00:00", "")


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One object. `path`: below the address; `key`: the field with the id; `table`: an extra table, whose columns stand in
    `Fields`; `filter`: an expression that says which records of the list are meant; `switches`: of its list, without which
    it hides something; `made`: where the answer to a create says the id, "" where none can be made; the fields by type,
    names between blanks; `fields`: name -> type."""

    path: str = ""
    key: str = NUMBER
    table: bool = False
    filter: str = ""
    switches: str = ""
    made: str = ""
    changes: bool = False
    deletes: bool = False
    texts: str = ""
    integers: str = ""
    decimals: str = ""
    booleans: str = ""
    dates: str = ""
    read_only: str = ""
    required: str = ""
    fields: Mapping[str, Type] = {}

    @property
    def is_document(self) -> bool:
        """Whether its records are documents, with positions."""
        return self.path == DOCUMENTS


def _under(head: str, names: str) -> str:
    """Names of a nested object."""
    return " ".join(f"{head}.{name}" for name in names.split())


_PAYMENT: Final = _under(
    "Payment",
    "ProfitAccountGroupNumber ExpenseAccountGroupNumber QuantityDiscountGroupNumber PurchaseTaxCode PurchaseTaxLabel"
    " PurchaseAccountNumber SaleTaxCode SaleTaxLabel SaleAccountNumber PriceQuantityUnit PriceReferenceArticleNumber"
    " CommissionGroupNumber EuropeanPurchaseTaxCode ImportTaxCode ExportTaxCode CostCentreNumber PayerNumber",
)
_ADDRESS: Final = "Street City ZipCode CountryId"
_CONTACT: Final = "FaxNumber TelephoneNumber1 TelephoneNumber2 TelephoneNumber3"

_DOCUMENT: Final = Thing(
    path=DOCUMENTS,
    key=DOCUMENT,
    made=DOCUMENT,
    changes=True,
    deletes=True,
    texts=(
        f"{NUMBER} {KIND} EmployeeNumber SalesmanNumber WarehouseNumber CurrencyCode DeliveryTermNumber DeliveryText"
        " DeliveryText2 PriceGroupNumber PriceKindFlag DiscountGroupNumber OurReference LanguageCode"
        " DeliveryDocumentNumber BillingAddress DisplayName StatusFlag PaymentReference HeaderText FooterText"
        " BusinessPartner.Address.Number BusinessPartner.BusinessPartnerReferenceNumber BusinessPartner.Company"
        " BusinessPartner.FirstName BusinessPartner.LastName Payment.PaymentTerm Payment.BankAccount"
        " Payment.CostCenterNumber"
    ),
    integers="ProjectId CashDiscountDays",
    decimals="GrossAmount NetAmount TaxAmount DiscountAmount CashDiscountPercent CurrencyExchangeRate Weight",
    booleans="IsPrinted Payment.IsCashSale Payment.IsPaymentLock",
    dates="Date DeliveryDate ValutaDate",
    read_only="GrossAmount NetAmount TaxAmount Weight ProjectId",
)
OBJECTS: Final[Mapping[str, Thing]] = {
    ARTICLES: Thing(
        switches="includeInactiveArticles includeVariantArticles",
        texts=(
            "EuropeanArticleNumber Name Description AdditionalDescription MatchCode ArticleGroupNumber ArticleGroupLabel"
            " QuantityUnit WarehouseId ArticleKind VariantArticleNumber ManufacturerArticleNumber DefaultSupplierNumber"
            f" {_PAYMENT}"
        ),
        integers="ExpirationDays",
        decimals=(
            "Weight Payment.PriceQuantityFactor Payment.PriceUnitFactor Payment.SaleLotSize Payment.ListPrice"
            " Payment.CalculationPrice Warehouse.Stock Warehouse.AvailableStock Warehouse.ReservedStock"
            f" Warehouse.OrderedStock {NET_PRICE}"
        ),
        booleans=(
            "IsWarehouseArtikel HasMinusWarning IsInactive IsShopActive IsEffortArticle IsFavorite"
            " Payment.IsDiscountAllowed Payment.IsCashDiscountAllowed CustomFields.CustomIndicator1"
            " CustomFields.CustomIndicator2 CustomFields.CustomIndicator3 CustomFields.CustomIndicator4"
        ),
        dates="PhasingOutDate",
    ),
    "Employees": Thing(
        key="EmployeeNumber",
        switches="includeInactive",
        texts=(
            "Salutation FirstName LastName StaffNumber UserName WarehouseNumber"
            f" {_under('Address', _ADDRESS)} {_under('Contact', f'{_CONTACT} EMail')}"
        ),
        booleans="IsInactive",
    ),
    "Customers": Thing(
        switches="includeInactive",
        made="CustomerNumber",
        changes=True,
        texts=(
            "Salutation LetterSalutation Title FirstName LastName Company Department GroupNumber EmployeeNumber"
            " SalesmanNumber OwnNumber LanguageId EBillEMail"
            f" {_under('Address', f'{_ADDRESS} AdditionalInformation1')} {_under('Contact', f'{_CONTACT} EMail1 EMail2')}"
            " Payment.PriceGroupNumber Payment.TaxNumber Payment.TaxIdentifierNumber Payment.CurrencyCode"
            " Payment.PaymentConditionId"
        ),
        decimals="Payment.CreditLimitAmount Payment.SpecialDiscountPercent Payment.MinimumOrderAmount",
        booleans="IsPrivatePerson IsInactive IsFavorite Payment.IsReminderLock Payment.IsPaymentLock",
        dates="BirthDay",
    ),
    # The one of the setting `tenant`: its address is that of the settings of the tenant.
    TENANTS: Thing(
        key="TenantName",
        texts=(
            "Name Company FirstName LastName Salutation AdditionalInformation TenantCountry CurrencyThreeLetter Kind"
            f" VersionNumber {_under('Address', f'{_ADDRESS} HouseNumber')}"
            f" {_under('Contact', 'EMail FaxNumber HomePageUrl TelephoneNumber')}"
        ),
    ),
    "ArticleGroups": Thing(
        texts="Description Kind AdditionalDescription ParentArticleGroupNumber", integers="ShopPosition"
    ),
    "PriceGroups": Thing(
        texts="Description Kind AdditionalDescription ParentGroupNumber", integers="ShopPosition"
    ),
    DOCUMENTS: _DOCUMENT,
    # The cash sales among them: who keeps these alone in step need not read all others.
    "Sales": msgspec.structs.replace(_DOCUMENT, filter="Payment.IsCashSale EQ 1"),
    # Lines of the above: read and written with their document alone.
    POSITIONS: Thing(
        key=POSITION,
        made=POSITION,
        changes=True,
        deletes=True,
        texts=(
            f"{DOCUMENT} Identifier ArticleNumber Name AdditionalDescription QuantityUnit TaxCode {WAREHOUSE} OrderNumber"
            " CustomText1 CustomText2 EmployeeNumber CostCentreName Memo"
        ),
        integers="PositionNumber",
        decimals=f"{QUANTITY} Quantity UnitPrice TotalPrice DiscountPercent DiscountPercent2 TaxRate PriceUnitFactor",
        booleans="IsWarehouseArticle IsDiscountAllowed IsPrintLock",
        read_only="Identifier PositionNumber Quantity",
    ),
    # A CloudKasse has no resource of its own: extra tables, which somebody makes and keeps.
    "Tills": Thing(
        path="ExtraTable/XCLOUDKASSEN",
        key="Id",
        table=True,
        made="Identifier",
        changes=True,
        deletes=True,
        texts="_NUMMER _BEZEICHNUNG",
        booleans="_AKTIV",
    ),
    "TillArticles": Thing(path="ExtraTable/XCLOUDKASSEARTIKEL", key="Id", table=True, texts="_ARTIKELNUMMER"),
    "TillEmployees": Thing(
        path="ExtraTable/XCLOUDKASSEMITARBEITER", key="Id", table=True, texts="_MITARBEITERNUMMER"
    ),
}


def objects(overrides: Mapping[str, Any]) -> dict[str, Thing]:
    """The objects, with what the settings say of this installation over them. CONFIG where that is none."""
    found = overlaid(OBJECTS, overrides, Thing)
    return {name: one if one.path else msgspec.structs.replace(one, path=name) for name, one in found.items()}


def check_settings(things: Mapping[str, Thing], settings: Mapping[str, Any]) -> None:
    """What settings say of each other holds. Raises CONFIG."""
    if settings["prices"] == "customer" and not settings["price_customer"]:
        raise TandemError(Kind.CONFIG, "'prices: customer' needs the setting 'price_customer'")
    try:
        zone = str(ZoneInfo(settings["time_zone"]))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise TandemError(Kind.CONFIG, f"there is no time zone {settings['time_zone']}") from error
    for name, place in settings["entered"].items():
        listed, _, field = str(place).partition(".")
        if not (name in things and listed in things and field in shape(listed, things[listed], zone).fields):
            raise TandemError(
                Kind.CONFIG,
                f"the setting 'entered' names what is not there: {name}: {place}",
                hint="object: object.field, such as Articles: TillArticles._ARTIKELNUMMER",
            )


def shape(name: str, thing: Thing, zone: str, *, entered: bool = False) -> Shape:
    """The fields of an object. `zone`: of its times; `entered`: whether a list says of each record if it stands in it."""
    number = "integer" if thing.table else "text"
    kinds: dict[str, str] = {thing.key: number}
    for said, kind in (
        ("texts", "text"),
        ("integers", "integer"),
        ("decimals", "decimal"),
        ("booleans", "boolean"),
        ("dates", "date"),
    ):
        kinds |= dict.fromkeys(getattr(thing, said).split(), kind)
    kinds |= {
        **({ENTERED: "boolean"} if entered else {}),
        CREATED: "instant",
        MODIFIED: "instant",
        **thing.fields,
    }
    keyed = thing.key in (NUMBER,)  # people may choose it for a new record
    fixed = {ENTERED, NET_PRICE, CREATED, MODIFIED, *thing.read_only.split(), *([] if keyed else [thing.key])}
    fields = [
        _field(one, kind, thing, zone, thing.changes and one not in fixed) for one, kind in kinds.items()
    ]
    return Shape(name, thing.key, fields, modified=MODIFIED)


def _field(name: str, kind: str, thing: Thing, zone: str, writable: bool) -> Field:
    nulls = _NO_DATE if kind in ("date", "instant") else ()
    form = Form(type=kind, nulls=nulls, zone=zone if kind == "instant" else "")  # type: ignore[arg-type]
    place = f"Fields.{name}" if thing.table and not name.startswith("MetaData.") else ""
    required = name == thing.key or name in thing.required.split()
    return Field(name=name, form=form, read=place, write=place, required=required, writable=writable)
