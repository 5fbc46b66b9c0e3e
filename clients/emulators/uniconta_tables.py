"""What Uniconta holds: its entities and fields, after the bindings in the vendor's own pages (2025-06), misspelt as
there.
"""

from __future__ import annotations

from typing import Final

from clients.emulators.description import Description, Field, Table, fields

KEY: Final = Field("PrimaryKeyId", "integer")
STAMPS: Final = fields("UpdatedAt", "instant", writable=False)
ADDRESS: Final = "Address1..3 ZipCode City Country"
DELIVERY_ADDRESS: Final = (
    "DeliveryName DeliveryAddress1..3 DeliveryZipCode DeliveryCity DeliveryCountry DeliveryContactPerson"
    " DeliveryPhone DeliveryContactEmail"
)

DEBTOR: Final = Table(
    "DebtorClient",
    key="PrimaryKeyId",
    modified="UpdatedAt",
    unique=(("Account",),),
    fields=(
        KEY,
        Field("Account", required=True, size=20),
        Field("Name", required=True, size=100),
        *fields(ADDRESS),
        *fields("CompanyRegNo VatNumber EORI Phone MobilPhone ContactPerson ContactEmail InvoiceEmail"),
        *fields("EAN Www UserLanguage Payment PaymentFormat Currency Vat VatZone VatOperation PriceList"),
        *fields(
            "PriceGroup Employee CrmGroup Interests Products IndustryCode CompanyState BankAccount SWIFT"
        ),
        *fields("InvoiceAccount OurAccount Shipment DeliveryTerm LayoutGroup ItemNameGroup PostingAccount"),
        Field("Group", required=True),
        *fields("PaymentFee EndDiscountPct LineDiscountPct CreditMax", "double"),
        *fields("CurBalance Overdue", "double", writable=False),
        *fields("EmailDocuments InvoiceInXML PricesInclVat Blocked", "boolean"),
        *fields("Created LastInvoice", "date", writable=False),
        *fields(DELIVERY_ADDRESS),
        *fields("Dimension1..5"),
        *STAMPS,
    ),
)

ITEM: Final = Table(
    "InvItemClient",
    key="PrimaryKeyId",
    modified="UpdatedAt",
    unique=(("Item",),),
    fields=(
        KEY,
        Field("Item", required=True, size=30),
        Field("Name", size=100),
        Field("Group", required=True),
        *fields("ItemType DiscountGroup Unit UnitGroup CostModel Currency1..3 PurchaseCurrency EAN URL"),
        *fields("PurchaseAccount SupplierItemId Photo Warehouse Location StockPosition BrandGroup"),
        *fields("CategoryGroup StatisticsGroup TariffNumber CountryOfOrigin UNSPSC AlternativeItem"),
        *fields("StandardVariant SerialOrBatch PayrollCategory Dimension1..5"),
        *fields("CostPrice SalesPrice1..3 PurchasePrice Weight NetWeight Volume MinStockLevel", "double"),
        *fields("MaxStockLevel SalesQty PurchaseQty PurchaseMin", "double"),
        *fields("QtyOnStock QtyReserved QtyOrdered Available", "double", writable=False),
        *fields("Decimals Cartons DeliveryTime", "integer"),
        *fields("Blocked UseStorage UseVariants", "boolean"),
        *STAMPS,
    ),
)

CONTACT: Final = Table(
    "ContactClient",
    key="PrimaryKeyId",
    modified="UpdatedAt",
    fields=(
        KEY,
        Field("Name", required=True, size=100),
        *fields("Email Phone Mobil Title EAN ReferenceId ContactType Interests Products"),
        Field("DCType", choices=("Debtor", "Creditor", "Prospect", "")),
        Field("DCAccount"),
        *fields("Invoice AccountStatement CollectionLetter Packnote Confirmation Offer", "boolean"),
        *STAMPS,
    ),
)

EMPLOYEE: Final = Table(
    "EmployeeClient",
    key="PrimaryKeyId",
    modified="UpdatedAt",
    unique=(("Number",),),
    fields=(
        KEY,
        Field("Number", required=True, size=20),
        Field("Name", required=True, size=100),
        *fields("Title Group Address1..2 ZipCode City Mobil PrivateMobil Email PrivateEmail"),
        *fields("PersonalId PayId PayrollCategory Approver Approver2 UserLoginId UserName Dimension1..5"),
        *fields("Hired Terminated", "date"),
        *fields("CostPrice SalesPrice", "double"),
        Field("Blocked", "boolean"),
        *STAMPS,
    ),
)

ORDER: Final = Table(
    "DebtorOrderClient",
    key="PrimaryKeyId",
    modified="UpdatedAt",
    unique=(("OrderNumber",),),
    fields=(
        KEY,
        Field("OrderNumber", "integer"),
        Field("Account", required=True),
        *fields("Name", writable=False),
        *fields("ContactName YourRef OurRef Requisition RelatedOrder Remark Group Payment PaymentFormat"),
        *fields("Shipment DeliveryTerm Employee Currency Vat InvoiceAccount PostingAccount PostingText"),
        *fields("PriceList LayoutGroup Project PrCategory Task Approver Dimension1..5"),
        *fields("DeliveryDate DeliveryDateConfirmed InvoiceDate DueDate ApprovedDate", "date"),
        *fields("EndDiscountPct ExchangeRate Weight Volume", "double"),
        *fields("PricesInclVat Offer DeleteOrder DeleteLines Approved", "boolean"),
        *fields("OrderTotal", "double", writable=False),
        *fields("CreatedTime", "instant", writable=False),
        *fields(DELIVERY_ADDRESS),
        *STAMPS,
    ),
)

LINE: Final = Table(
    "DebtorOrderLineClient",
    key="PrimaryKeyId",
    modified="UpdatedAt",
    unique=(("OrderNumber", "LineNumber"),),
    fields=(
        KEY,
        Field("OrderNumber", "integer", required=True),
        Field("LineNumber", "double"),
        *fields("Item Text Unit Note Variant Variant1..5 Warehouse Location SerieBatch Currency"),
        *fields("ReferenceNumber Dimension1..5"),
        *fields("Qty QtyNow Price CostPrice DiscountPct MarginRatio", "double"),
        *fields("Total QtyDelivered Remaining Available", "double", writable=False),
        *STAMPS,
    ),
)

# What was posted on a debtor: it makes him undeletable. Only the system itself writes it.
TRANSACTION: Final = Table(
    "DebtorTransClient",
    key="PrimaryKeyId",
    modified="UpdatedAt",
    fields=(
        KEY,
        Field("Account", required=True),
        *fields("Text InvoiceNumber"),
        Field("Date", "date"),
        Field("Amount", "double"),
        *STAMPS,
    ),
)

COMPANY: Final = Table(
    "CompanyClient",
    key="PrimaryKeyId",
    fields=(KEY, *fields("Name CompanyRegNo Country Currency")),
)

CHANGE_URL: Final = Table(
    "TableChangeEventClient",
    key="PrimaryKeyId",
    fields=(
        KEY,
        Field("TableId", "integer", required=True),
        Field("Url", required=True),
        Field("UsePost", "boolean", default=False),
        Field("Arguments"),
    ),
)

# Fields that the company's own users made. They are found in the entity with "User" behind its name, by their names.
USER_FIELDS: Final = Table(
    "UserFields",
    key="Id",
    fields=(
        Field("Id", "integer"),
        *fields("Entity Name", required=True),
        Field("Type", default="text"),
        Field("Size", "integer", default=0),
    ),
)

UNICONTA: Final = Description(
    "uniconta",
    "Uniconta: debtors, items, contacts, employees, orders with lines, over its OData feed and its REST-like interface.",
    (
        DEBTOR,
        ITEM,
        CONTACT,
        EMPLOYEE,
        ORDER,
        LINE,
        TRANSACTION,
        COMPANY,
        CHANGE_URL,
        USER_FIELDS,
    ),
)

# The numbers by which a "Change URL" names its table, and the name in the call. Others send none.
TABLE_IDS: Final = {
    "DebtorClient": (50, "Debtor", "Account"),
    "InvItemClient": (23, "InvItem", "Item"),
    "ContactClient": (60, "Contact", "Name"),
    "EmployeeClient": (95, "Employee", "Number"),
}
COUNTRIES: Final = {
    45: "Germany",
    57: "Denmark",
    76: "Finland",
    155: "Norway",
    195: "Sweden",
    214: "UnitedKingdom",
}
