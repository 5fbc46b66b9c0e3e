"""The objects of webCRM: where they are, their fields, what can be done with them. Data, from the vendor's Swagger file.

`overrides` (a setting) puts what is otherwise in an account over it: a path, a key, a field that came later, what a
user-defined field means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from clients.connectors.http.overlay import overlaid
from clients.connectors.http.shape import Field, Shape
from clients.connectors.http.values import Form, Type

NO_DATE: Final = "0001-01-01T00:00:00"
MARKS: Final = {"true": ("Yes",), "false": ("",)}  # a ticked custom checkbox is the word Yes


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One object. `entity`: its name in queries and in the metadata; `where`: what else its rows have to fulfil there.
    `modified`: the field with the time of the last change, "" = none. `kept`: fields that can't be changed once a record
    is there. `types`: fields that are no texts."""

    path: str
    entity: str
    key: str
    texts: str = ""
    integers: str = ""
    references: str = ""  # ids of other records: 0 is none
    decimals: str = ""
    booleans: str = ""
    instants: str = ""
    read_only: str = ""
    required: str = ""
    kept: tuple[str, ...] = ()
    modified: str = ""
    where: str = ""
    deletes: bool = False
    fields: Mapping[str, Type] = {}


def _stamped(prefix: str) -> dict[str, str]:
    return {
        "instants": f" {prefix}CreatedAt {prefix}UpdatedAt",
        "read_only": f" {prefix}CreatedAt {prefix}CreatedBy {prefix}UpdatedAt {prefix}UpdatedBy {prefix}History",
        "modified": f"{prefix}UpdatedAt",
    }


def _thing(path: str, entity: str, **given: Any) -> Thing:
    """An object whose fields all begin with its entity's name; they are given without it."""
    head = entity
    stamps = _stamped(head)
    made: dict[str, Any] = {"modified": stamps["modified"]}
    for name in ("texts", "integers", "references", "decimals", "booleans", "instants", "required"):
        made[name] = " ".join(f"{head}{part}" for part in str(given.pop(name, "")).split())
    made["instants"] += stamps["instants"]
    made["read_only"] = stamps["read_only"] + "".join(
        f" {head}{part}" for part in str(given.pop("read_only", "")).split()
    )
    return Thing(path=path, entity=entity, key=f"{head}Id", **{**made, **given})


THINGS: Final[Mapping[str, Thing]] = {
    "Organisations": _thing(
        "Organisations",
        "Organisation",
        texts=(
            "Name DivisionName Address PostCode City State Country Telephone Fax Www Domain VatNumber VatCountry"
            " VatGroup VatStatus Type Status Industry Alert Comment Memo Gps Custom1..15 ExtraCustom1..8 Plus1..20"
            " XText1..8 XMemo1..2"
        ),
        integers="ApprovalStatus XInt1..8",
        references="Owner Owner2 TerritoryId",
        booleans="NoAds",
        instants="XDate1..2 VatVerifiedAt",
        required="Name",
    ),
    "Persons": _thing(
        "Persons",
        "Person",
        texts=(
            "Name FirstName MiddleName LastName Title Salutation Email Email2 DirectPhone MobilePhone Status Skype"
            " Comment Memo Custom1..15 Plus1..20"
        ),
        integers="SortOrder",
        references="OrganisationId",
        booleans="BlockMassEmail BlockMassEmail2 CheckMark1..10",
        instants="Birthday",
        read_only="Name",
        required="LastName",
        kept=("PersonOrganisationId",),
    ),
    "Users": _thing(
        "Users",
        "User",
        texts=(
            "Name Initials Email LoginName Telephone MobilePhone Title Memo CurrencyName IntegrationId Territories"
            " Custom1..15"
        ),
        integers="AccessLevel LanguageId",
        references="GroupId AccessId",
        booleans="IsRestApiEnabled",
        required="Name",
    ),
    "Opportunities": _thing(
        "Opportunities",
        "Opportunity",
        texts=(
            "Number Description Comment Note Memo LevelText CurrencyName Product ErpId ErpStatus ErpReadOnly"
            " Custom1..15 Plus1..20"
        ),
        integers="Level Percent",
        references="OrganisationId PersonId AssignedTo AssignedTo2 ProductId UserGroupId",
        decimals="OrderValue OrderGmValue Discount",
        booleans="WinYesNo",
        instants="OrderDate NextFollowUp LostDate ErpSyncDateTime",
    ),
    "Deliveries": _thing(
        "Deliveries",
        "Delivery",
        texts=(
            "Number Description Comment Note Memo CurrencyName Product Status Risk ErpId ErpStatus ErpReadOnly"
            " OpportunityMemo Custom1..15 Plus1..20 OpportunityCustom1..15 OpportunityPlus1..20"
        ),
        integers="Type",
        references="OrganisationId PersonId Responsible AssignedTo AssignedTo2 UserGroupId",
        decimals="OrderValue OrderGmValue Discount",
        instants="OrderDate WonDate NextFollowUp ErpSyncDateTime",
        required="OrganisationId",
    ),
    "QuotationLines": _thing(
        "QuotationLines",
        "QuotationLine",
        texts="Data1..9 Memo Comment StockStatus",
        integers="SortOrder",
        references="OpportunityId OrganisationId PersonId LinkedDataId",
        decimals="Quantity Price ListPrice CostPrice Discount VatPercentage",
        required="OpportunityId",
        deletes=True,
    ),
    "LinkedData": Thing(
        path="QuotationLines/LinkedData",
        entity="LinkedData",
        key="QuotationLineLinkedDataItemId",
        texts=(
            "QuotationLineLinkedDataItemData1..9 QuotationLineLinkedDataDataMemo QuotationLineLinkedDataVatCode"
            " QuotationLineLinkedDataItemGroup"
        ),
        decimals="QuotationLineLinkedDataPrice QuotationLineLinkedDataCostPrice",
        deletes=True,
    ),
    "Products": _thing(
        "Products",
        "Product",
        texts="Combined VatCode StockStatus Memo Custom1..15",
        integers="ProductYear",
        references="OrganisationId PersonId",
        decimals="Price ListPrice CostPrice Discount Quantity",
        required="OrganisationId",
        deletes=True,
    ),
}
_USER_DEFINED: Final = ("Custom", "Plus", "XText", "XInt", "XDate", "XMemo", "CheckMark")


def user_defined(name: str) -> bool:
    """Whether a field is there only where somebody in the account made it."""
    bare = name.rstrip("0123456789")
    return bare != name and bare.endswith(_USER_DEFINED)


def things(overrides: Mapping[str, Any]) -> dict[str, Thing]:
    """All objects with what the settings say of them; CONFIG for what is none."""
    return overlaid(THINGS, overrides, Thing)


def shape(name: str, thing: Thing, placeholders: tuple[str, ...], made: frozenset[str] | None) -> Shape:
    """The fields of an object. `made`: the user-defined ones that there are; None: nobody knows, so all."""
    forms = {
        "texts": Form(nulls=placeholders),
        "integers": Form(type="integer", null_as=0),
        "references": Form(type="integer", nulls=(0,), null_as=0),
        "decimals": Form(type="decimal", null_as=0),
        "booleans": Form(type="boolean", null_as=False),
        "instants": Form(type="instant", nulls=(NO_DATE,), null_as=NO_DATE),
    }
    typed = {field: form for kind, form in forms.items() for field in _names(getattr(thing, kind))}
    typed[thing.key] = Form()
    typed |= {field: _own_form(kind) for field, kind in thing.fields.items()}
    read_only, required = _names(thing.read_only), _names(thing.required)
    return Shape(
        name,
        thing.key,
        [
            Field(
                name=field,
                form=form,
                required=field in required,
                writable=field not in read_only and field != thing.key,
            )
            for field, form in typed.items()
            if made is None or not user_defined(field) or field in made
        ],
        modified=thing.modified,
    )


def _own_form(kind: Type) -> Form:
    """A user-defined field is a text, whatever it means: a day, a number, a word for a tick."""
    if kind == "boolean":
        return Form(type="boolean", true=MARKS["true"], false=MARKS["false"])
    if kind in ("integer", "decimal"):
        return Form(type=kind, decimals="text", nulls=("",))
    return Form(type=kind, nulls=("",) if kind != "text" else ())


def _names(text: str) -> list[str]:
    """`A Custom1..3`: A, Custom1, Custom2, Custom3."""
    found: list[str] = []
    for part in text.split():
        first, dots, last = part.partition("..")
        stem = first.rstrip("0123456789")
        numbers = range(int(first[len(stem) :]), int(last) + 1) if dots else ()
        found.extend(f"{stem}{number}" for number in numbers) if dots else found.append(part)
    return found
