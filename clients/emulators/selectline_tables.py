"""What a tenant of SelectLine Auftrag holds: its tables and their fields, by the names of the API, those of nested objects
with points. The extra tables of a CloudKasse and the protocol of stock are modelled: docs/connectors/selectline.md.
"""

from __future__ import annotations

from typing import Final

from clients.emulators.description import Description, Field, Table, fields

STAMPS: Final = fields("MetaData.CreationDate MetaData.ModificationDate", "instant", writable=False)
NUMBER: Final = 10001


def table(name: str, key: str, *more: Field, size: int = 0, draws: bool = False) -> Table:
    """One table, stamped by the system."""
    field = Field(key, "integer", writable=False) if draws else Field(key, required=True, size=size)
    return Table(
        name,
        key=key,
        draws=draws,
        created="MetaData.CreationDate",
        modified="MetaData.ModificationDate",
        fields=(field, *more, *STAMPS),
    )


def extra(name: str, *more: Field) -> Table:
    """A table that the users made: names of its columns begin with an underscore, that of the table with an X."""
    return table(name, "Id", *more, draws=True)


ARTICLES: Final = table(
    "Articles",
    "Number",
    Field("EuropeanArticleNumber", size=18),
    Field("Name", size=80),
    Field("MatchCode", size=80),
    Field("AdditionalDescription", size=80),
    Field("ArticleGroupNumber", size=13),
    *fields("Description QuantityUnit WarehouseId ArticleKind VariantArticleNumber"),
    *fields("Weight Warehouse.Stock Warehouse.AvailableStock", "decimal"),
    *fields("Payment.ListPrice Payment.CalculationPrice Payment.PriceUnitFactor", "decimal"),
    Field("Payment.SaleTaxCode", size=2),
    *fields("Payment.SaleTaxLabel Payment.PriceQuantityUnit"),
    *fields("IsWarehouseArtikel IsInactive IsShopActive IsEffortArticle IsFavorite", "boolean"),
    *fields("Payment.IsDiscountAllowed CustomFields.CustomIndicator1", "boolean"),
    size=18,
)

CUSTOMERS: Final = table(
    "Customers",
    "Number",
    Field("Salutation", size=30),
    Field("FirstName", size=40),
    Field("LastName", size=80),
    Field("Company", size=80),
    Field("GroupNumber", size=6),
    Field("EmployeeNumber", size=6),
    *fields("IsInactive IsPrivatePerson Payment.IsPaymentLock", "boolean"),
    Field("Address.Street", size=80),
    Field("Address.City", size=40),
    Field("Address.ZipCode", size=10),
    Field("Address.CountryId", size=6),
    Field("Contact.EMail1", size=80),
    Field("Contact.TelephoneNumber1", size=30),
    Field("Payment.PriceGroupNumber", size=2),
    Field("Payment.TaxIdentifierNumber", size=20),
    Field("Payment.CreditLimitAmount", "decimal"),
    Field("BirthDay", "date"),
    size=13,
)

EMPLOYEES: Final = table(
    "Employees",
    "EmployeeNumber",
    Field("Salutation", size=30),
    Field("FirstName", size=40),
    Field("LastName", size=40),
    Field("StaffNumber", size=6),
    Field("Contact.EMail", size=80),
    Field("Contact.TelephoneNumber1", size=30),
    Field("IsInactive", "boolean"),
    size=6,
)

# What the vendor's list says of a document: who may write it, apart from the numbers that the system reckons.
RECKONED: Final = "GrossAmount NetAmount TaxAmount"
DOCUMENTS: Final = table(
    "Documents",
    "DocumentKey",
    Field("Number", size=10),
    Field("KindFlag", required=True, size=1),
    *fields(RECKONED, "decimal", writable=False),
    *fields("DiscountAmount CashDiscountPercent", "decimal"),
    *fields("CashDiscountDays ProjectId", "integer"),
    *fields("Date DeliveryDate", "date"),
    *fields("IsPrinted Payment.IsCashSale", "boolean"),
    Field("BusinessPartner.Address.Number", size=13),
    Field("BusinessPartner.Company", size=80),
    Field("BusinessPartner.BusinessPartnerReferenceNumber", size=40),
    Field("Payment.PaymentTerm", size=2),
    Field("EmployeeNumber", size=6),
    Field("WarehouseNumber", size=10),
    Field("CurrencyCode", size=3),
    Field("PriceKindFlag", size=1, choices=("N", "B", "S", "E")),
    Field("OurReference", size=40),
    Field("DeliveryDocumentNumber", size=40),
    Field("DeliveryText", size=80),
    Field("DisplayName", size=80),
    Field("StatusFlag", default="0", choices=("0", "1", "2", "3", "4", "5", "6")),
    *fields("HeaderText FooterText PaymentReference"),
)

POSITIONS: Final = table(
    "Positions",
    "Identifier",
    Field("DocumentKey", required=True),
    Field("PositionNumber", "integer"),
    Field("ArticleNumber", required=True, size=18),
    Field("Name", size=80),
    Field("AdditionalDescription", size=80),
    *fields("CalculatedQuantityValue Quantity UnitPrice TotalPrice DiscountPercent TaxRate", "decimal"),
    Field("QuantityUnit", size=10),
    Field("TaxCode", size=2),
    Field("WarehouseId", size=10),
    Field("OrderNumber", size=40),
    Field("CustomText1", size=80),
    Field("CustomText2", size=80),
    Field("Memo"),
    Field("IsWarehouseArticle", "boolean"),
)

SELECTLINE: Final = Description(
    "selectline",
    "A tenant of SelectLine Auftrag: articles, customers, employees, documents, stock, extra tables.",
    (
        ARTICLES,
        CUSTOMERS,
        EMPLOYEES,
        DOCUMENTS,
        POSITIONS,
        table(
            "Tenants",
            "Name",
            Field("Company", size=80),
            Field("FirstName", size=80),
            Field("LastName", size=80),
            Field("AdditionalInformation", size=80),
            Field("TenantCountry", size=2),
            Field("CurrencyThreeLetter", size=3, default="EUR"),
            *fields("Kind VersionNumber"),
            Field("Address.Street", size=80),
            Field("Address.HouseNumber", size=40),
            Field("Address.ZipCode", size=40),
            Field("Address.City", size=80),
            Field("Address.CountryId", size=6),
            Field("Contact.TelephoneNumber", size=30),
            Field("Contact.EMail", size=80),
            Field("Contact.HomePageUrl", size=80),
            size=14,
        ),
        table("PriceGroups", "Number", *fields("Description Kind AdditionalDescription"), size=13),
        table("ArticleGroups", "Number", *fields("Description Kind ParentArticleGroupNumber"), size=13),
        table(
            "DocumentKinds", "Flag", Field("Number", "integer"), *fields("Name WarehousingKindFlag"), size=1
        ),
        # Sales prices of a customer; a person keeps them as price groups and special prices.
        table(
            "Prices",
            "Id",
            *fields("ArticleNumber CustomerNumber"),
            *fields("Quantity UnitPrice DiscountPercent TaxRate", "decimal"),
            draws=True,
        ),
        # The protocol of stock movements; the API doesn't serve it.
        table("Movements", "Id", *fields("Position ArticleNumber"), Field("Quantity", "decimal"), draws=True),
        extra("XCLOUDKASSEN", *fields("_NUMMER _BEZEICHNUNG"), Field("_AKTIV", "boolean")),
        extra("XCLOUDKASSEARTIKEL", Field("_ARTIKELNUMMER")),
        extra("XCLOUDKASSEMITARBEITER", Field("_MITARBEITERNUMMER")),
    ),
    resolution_s=0.001,
)
EXTRA: Final = tuple(one.name for one in SELECTLINE.tables if one.name.startswith("X"))
