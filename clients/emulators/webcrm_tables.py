"""What webCRM holds: its tables and fields, after the vendor's Swagger file of 2019 and his own client.

Custom fields are in every answer, but a tenant can use only those that somebody made under "user-defined fields"; which
ones these are, and what they are called, says `FieldsMetadata`.
"""

from __future__ import annotations

from typing import Final

from clients.emulators.description import Description, Field, Table, fields

STATUSES: Final = ("Active", "Resigned", "Other", "Guest")
DELIVERY_STATUSES: Final = ("New", "Planned", "OnGoing", "Completed", "GeneralDelivery")
ERP_STATUSES: Final = ("NotReadyForSynchronization", "ReadyForSynchronization", "Synchronized")
EVENTS: Final = ("Create", "Update", "Delete")


def _stamps(prefix: str) -> tuple[Field, ...]:
    by = f"{prefix}CreatedBy {prefix}UpdatedBy"
    at = f"{prefix}CreatedAt {prefix}UpdatedAt"
    return (*fields(at, "instant", writable=False), *fields(by, writable=False))


def _key(prefix: str) -> Field:
    return Field(f"{prefix}Id", "integer", default=0)


ORGANISATIONS: Final = Table(
    "Organisations",
    key="OrganisationId",
    created="OrganisationCreatedAt",
    modified="OrganisationUpdatedAt",
    fields=(
        _key("Organisation"),
        Field("OrganisationName", required=True, size=200),
        Field("OrganisationDivisionName", size=200),
        Field("OrganisationAddress", size=250),
        *fields("OrganisationPostCode OrganisationState OrganisationVatStatus OrganisationType"),
        *fields("OrganisationStatus OrganisationComment OrganisationMemo OrganisationXMemo1..2"),
        Field("OrganisationHistory", writable=False),
        *fields("OrganisationCity OrganisationCountry OrganisationTelephone OrganisationFax", size=50),
        *fields("OrganisationWww OrganisationDomain OrganisationVatNumber OrganisationIndustry", size=50),
        *fields("OrganisationAlert OrganisationGps OrganisationExtraCustom1..8", size=50),
        *fields("OrganisationXText1..8", size=50),
        Field("OrganisationVatCountry", size=10),
        Field("OrganisationVatGroup", size=20),
        Field("OrganisationCompareName", size=500, writable=False),
        *fields("OrganisationCustom1..15 OrganisationPlus1..20"),
        *fields("OrganisationOwner OrganisationOwner2 OrganisationTerritoryId", "integer"),
        *fields("OrganisationApprovalStatus OrganisationXInt1..8", "integer"),
        Field("OrganisationNoAds", "boolean"),
        *fields("OrganisationXDate1..2 OrganisationVatVerifiedAt", "instant"),
        Field("OrganisationLastItemUpdatedAt", "instant", writable=False),
        *_stamps("Organisation"),
    ),
)

PERSONS: Final = Table(
    "Persons",
    key="PersonId",
    created="PersonCreatedAt",
    modified="PersonUpdatedAt",
    fields=(
        _key("Person"),
        Field("PersonOrganisationId", "integer"),
        Field("PersonLastName", required=True),
        *fields("PersonFirstName PersonMiddleName PersonTitle PersonSalutation PersonEmail PersonEmail2"),
        *fields("PersonDirectPhone PersonMobilePhone PersonSkype PersonComment PersonMemo"),
        *fields("PersonName PersonHistory", writable=False),
        Field("PersonStatus", choices=(*STATUSES, ""), default="Active"),
        *fields("PersonBlockMassEmail PersonBlockMassEmail2 PersonCheckMark1..10", "boolean"),
        *fields("PersonSortOrder PersonEmailBounces", "integer"),
        Field("PersonBirthday", "instant"),
        *fields("PersonCustom1..15 PersonPlus1..20"),
        *_stamps("Person"),
    ),
)

USERS: Final = Table(
    "Users",
    key="UserId",
    created="UserCreatedAt",
    modified="UserUpdatedAt",
    unique=(("UserLoginName",),),
    fields=(
        _key("User"),
        Field("UserName", required=True),
        *fields("UserInitials UserEmail UserLoginName UserTelephone UserMobilePhone UserTitle UserMemo"),
        *fields("UserCurrencyName UserIntegrationId UserTerritories UserCustom1..15"),
        *fields("UserGroupId UserAccessId UserAccessLevel UserLanguageId", "integer"),
        *fields("UserIsRestApiEnabled UserIsActive", "boolean", default=True),
        *_stamps("User"),
    ),
)

OPPORTUNITIES: Final = Table(
    "Opportunities",
    key="OpportunityId",
    created="OpportunityCreatedAt",
    modified="OpportunityUpdatedAt",
    fields=(
        _key("Opportunity"),
        *fields("OpportunityOrganisationId OpportunityPersonId OpportunityLevel", "integer"),
        *fields("OpportunityPercent OpportunityAssignedTo OpportunityAssignedTo2", "integer"),
        *fields("OpportunityProductId OpportunityUserGroupId", "integer"),
        *fields("OpportunityNumber OpportunityDescription OpportunityComment OpportunityNote"),
        *fields("OpportunityMemo OpportunityLevelText OpportunityCurrencyName OpportunityProduct"),
        *fields("OpportunityErpId OpportunityErpReadOnly OpportunityCustom1..15 OpportunityPlus1..20"),
        *fields("OpportunityOrderValue OpportunityOrderGmValue OpportunityDiscount", "double"),
        Field("OpportunityWinYesNo", "boolean"),
        *fields("OpportunityOrderDate OpportunityNextFollowUp OpportunityLostDate", "instant"),
        Field("OpportunityErpStatus", choices=(*ERP_STATUSES, "")),
        Field("OpportunityErpSyncDateTime", "instant"),
        *_stamps("Opportunity"),
    ),
)

DELIVERIES: Final = Table(
    "Deliveries",
    key="DeliveryId",
    created="DeliveryCreatedAt",
    modified="DeliveryUpdatedAt",
    fields=(
        _key("Delivery"),
        Field("DeliveryOrganisationId", "integer", required=True),
        *fields("DeliveryPersonId DeliveryType DeliveryResponsible DeliveryAssignedTo", "integer"),
        *fields("DeliveryAssignedTo2 DeliveryUserGroupId", "integer"),
        *fields("DeliveryNumber DeliveryDescription DeliveryComment DeliveryNote DeliveryMemo"),
        *fields("DeliveryCurrencyName DeliveryRisk DeliveryErpId DeliveryErpReadOnly DeliveryProduct"),
        *fields("DeliveryCustom1..15 DeliveryPlus1..20 DeliveryOpportunityMemo"),
        *fields("DeliveryOpportunityCustom1..15 DeliveryOpportunityPlus1..20"),
        *fields("DeliveryOrderValue DeliveryOrderGmValue DeliveryDiscount", "double"),
        Field("DeliveryStatus", choices=(*DELIVERY_STATUSES, ""), default="New"),
        Field("DeliveryErpStatus", choices=(*ERP_STATUSES, ""), default=ERP_STATUSES[0]),
        *fields("DeliveryOrderDate DeliveryWonDate DeliveryNextFollowUp DeliveryErpSyncDateTime", "instant"),
        *_stamps("Delivery"),
    ),
)

QUOTATION_LINES: Final = Table(
    "QuotationLines",
    key="QuotationLineId",
    created="QuotationLineCreatedAt",
    modified="QuotationLineUpdatedAt",
    fields=(
        _key("QuotationLine"),
        # Lines of a delivery hold the delivery's id in the same field.
        Field("QuotationLineOpportunityId", "integer", required=True),
        *fields("QuotationLineOrganisationId QuotationLinePersonId QuotationLineSortOrder", "integer"),
        Field("QuotationLineLinkedDataId", "integer"),
        *fields("QuotationLineData1..9", size=250),
        *fields("QuotationLineMemo QuotationLineComment QuotationLineStockStatus"),
        *fields("QuotationLineQuantity QuotationLinePrice QuotationLineListPrice", "double"),
        *fields("QuotationLineCostPrice QuotationLineDiscount QuotationLineVatPercentage", "double"),
        *_stamps("QuotationLine"),
    ),
)

LINKED_DATA: Final = Table(
    "QuotationLinesLinkedData",
    key="QuotationLineLinkedDataItemId",
    fields=(
        Field("QuotationLineLinkedDataItemId", "integer", default=0),
        *fields("QuotationLineLinkedDataItemData1..9 QuotationLineLinkedDataDataMemo"),
        *fields("QuotationLineLinkedDataVatCode QuotationLineLinkedDataItemGroup"),
        *fields("QuotationLineLinkedDataPrice QuotationLineLinkedDataCostPrice", "double"),
    ),
)

PRODUCTS: Final = Table(
    "Products",
    key="ProductId",
    created="ProductCreatedAt",
    modified="ProductUpdatedAt",
    fields=(
        _key("Product"),
        Field("ProductOrganisationId", "integer", required=True),
        *fields("ProductPersonId ProductProductYear", "integer"),
        *fields("ProductCombined ProductVatCode ProductStockStatus ProductMemo ProductCustom1..15"),
        *fields("ProductPrice ProductListPrice ProductCostPrice ProductDiscount ProductQuantity", "double"),
        *_stamps("Product"),
    ),
)

HOOKS: Final = Table(
    "Hooks",
    key="Id",
    created="CreatedAt",
    modified="UpdatedAt",
    fields=(
        Field("Id", "integer", default=0),
        Field("Entity", required=True),
        Field("TargetUrl", required=True),
        Field("IsEnabled", "boolean", default=True),
        Field("Filter", "any", default=["All"]),
        Field("EventType", required=True, choices=EVENTS),
        *fields("CreatedAt UpdatedAt", "instant", writable=False),
    ),
)

# Which user-defined fields there are. `EntityType` as in GET /FieldsMetadata/{entityTypes}.
FIELDS_METADATA: Final = Table(
    "FieldsMetadata",
    key="DbName",
    draws=False,
    fields=(
        Field("DbName", required=True),
        Field("EntityType", required=True),
        *fields("FriendlyName Label DisplayType"),
        *fields("MaxLength SortOrder", "integer", default=0),
        Field("DropDownList", "any", default=[]),
    ),
)

WEBCRM: Final = Description(
    "webcrm",
    "webCRM's REST API: organisations, persons, users, opportunities, deliveries with their lines, the product catalogue.",
    (
        ORGANISATIONS,
        PERSONS,
        USERS,
        OPPORTUNITIES,
        DELIVERIES,
        QUOTATION_LINES,
        LINKED_DATA,
        PRODUCTS,
        HOOKS,
        FIELDS_METADATA,
    ),
)

# In the words of /Queries and of FieldsMetadata.
ENTITIES: Final = {
    "Organisation": "Organisations",
    "Person": "Persons",
    "User": "Users",
    "Opportunity": "Opportunities",
    "Delivery": "Deliveries",
    "QuotationLine": "QuotationLines",
    "LinkedData": "QuotationLinesLinkedData",
    "Product": "Products",
}
DELETABLE: Final = ("QuotationLines", "Products")
CREATED_BETWEEN: Final = ("Organisations", "Opportunities", "Deliveries")
NO_REPLY: Final = ("Organisations", "Users")  # POST answers without a body
# Fields that hold the placeholder while nothing is chosen.
DROPDOWNS: Final = ("OrganisationType", "OrganisationStatus", "OrganisationIndustry")
