"""The objects of a CloudKasse and their fields. Data; all of it is modelled, for the interface is not published
(docs/connectors/cloudkasse.md). Receipts carry the names of DSFinV-K, the German standard for what tills record.

`overrides` (the setting `objects`) puts what is otherwise in an account over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from actors.core.errors import Kind, TandemError
from clients.connectors.http.overlay import overlaid
from clients.connectors.http.shape import Field, Nested, Shape
from clients.connectors.http.values import Form, Type

KEY: Final = "id"
TILLS: Final = "tills"
NUMBER: Final = "number"
ACTIVE: Final = "active"
REPORTED: Final = "reportedAt"  # of a till: until when it has handed over what it rang up
PENDING: Final = (
    "pending"  # of a till: receipts still on the tablet, as it told the cloud last; null: it does not tell
)


class Cells(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of a record or a line by type, names between blanks. `fields`: name -> type. `names`: name -> where it
    stands in a body, if elsewhere."""

    texts: str = ""
    integers: str = ""
    decimals: str = ""
    booleans: str = ""
    dates: str = ""
    instants: str = ""
    local: str = ""  # instants without a zone: the till's own time
    fields: Mapping[str, Type] = {}
    names: Mapping[str, str] = {}


class Thing(Cells, frozen=True, forbid_unknown_fields=True):
    """One object. `path`: below the address. `key`: the field with the id. `modified`: the field with the time at which
    the cloud got it as it is; "": it has none. `lists`: the lists of lines in its body. `handed_over_by`: the object of
    those who make its records and hand them over later; "": nobody."""

    path: str = ""
    key: str = KEY
    modified: str = "updatedAt"
    read_only: str = ""
    required: str = ""
    writable: bool = True
    lists: Mapping[str, Cells] = {}
    handed_over_by: str = ""


_CUSTOMER: Final = "KUNDE_NAME KUNDE_ID KUNDE_TYP KUNDE_STRASSE KUNDE_PLZ KUNDE_ORT KUNDE_LAND KUNDE_USTID"
RECEIPT: Final = Thing(
    path="receipts",
    writable=False,
    handed_over_by=TILLS,
    texts=(
        "Z_KASSE_ID BON_ID BON_TYP BON_NAME TERMINAL_ID BEDIENER_ID BEDIENER_NAME BON_NOTIZ ABRECHNUNGSKREIS"
        f" {_CUSTOMER}"
    ),
    integers="tillId Z_NR BON_NR",
    booleans="BON_STORNO",
    decimals="UMS_BRUTTO",
    instants="uploadedAt",
    local="Z_ERSTELLUNG BON_START BON_ENDE",
    dates="BON_TAG",
    names={"BON_TAG": "BON_ENDE"},  # the day that it is at the till
    lists={
        "lines": Cells(
            texts=(
                "POS_ZEILE GUTSCHEIN_NR ARTIKELTEXT POS_TERMINAL_ID GV_TYP GV_NAME ART_NR GTIN WARENGR_ID WARENGR"
                " EINHEIT"
            ),
            integers="UST_SCHLUESSEL AGENTUR_ID",
            booleans="INHAUS P_STORNO",
            decimals="MENGE FAKTOR STK_BR POS_BRUTTO POS_NETTO POS_UST PF_RABATT PF_AUFSCHLAG",
        ),
        "vat": Cells(integers="UST_SCHLUESSEL", decimals="UST_SATZ BON_BRUTTO BON_NETTO BON_UST"),
        "payments": Cells(
            texts="ZAHLART_TYP ZAHLART_NAME ZAHLWAEH_CODE", decimals="ZAHLWAEH_BETRAG BASISWAEH_BETRAG"
        ),
        "references": Cells(
            texts="POS_ZEILE REF_TYP REF_NAME REF_Z_KASSE_ID REF_BON_ID",
            integers="REF_Z_NR",
            local="REF_DATUM",
        ),
    },
)
OBJECTS: Final[Mapping[str, Thing]] = {
    "company": Thing(
        path="company", texts="number name street zip city country taxNumber vatId", required="name"
    ),
    TILLS: Thing(
        path="tills",
        texts="number name serialNumber",
        integers=f"companyId lastZNr {PENDING}",
        booleans="active",
        instants=REPORTED,
        read_only=f"lastZNr {REPORTED} {PENDING}",
        required="number",
    ),
    "articles": Thing(
        path="articles",
        texts="number name description receiptText gtin group unit",
        integers="vatKey sortIndex",
        decimals="grossPrice deposit",
        booleans="active discountable",
        dates="availableFrom",
        required="number name",
    ),
    "prices": Thing(
        path="prices",
        texts="priceGroup",
        integers="articleId tillId",
        decimals="gross",
        dates="validFrom",
        required="articleId gross",
    ),
    "staff": Thing(
        path="staff",
        texts="number firstName lastName",
        booleans="active hasPin",
        read_only="hasPin",
        required="number",
    ),
    "vatRates": Thing(path="vat-rates", key="key", texts="description", decimals="rate", writable=False),
    "receipts": RECEIPT,
}


def objects(overrides: Mapping[str, Any]) -> dict[str, Thing]:
    """The objects, with what the settings say of this account over them. CONFIG where that is none."""
    found = overlaid(OBJECTS, overrides, Thing)
    for name in overrides:
        if not found[name].path:
            raise TandemError(Kind.CONFIG, f"the setting 'objects' names no path of {name}")
    return found


def shape(name: str, thing: Thing, zone: str) -> Shape:
    """The fields of an object. `zone`: of times that carry none."""
    fixed = {thing.key, thing.modified, *thing.read_only.split()}
    required = {thing.key, *thing.required.split()}
    own = {thing.key: "text", **({thing.modified: "instant"} if thing.modified else {})}
    fields = [
        Field(
            name=one,
            form=form,
            read=thing.names.get(one, ""),
            write=thing.names.get(one, ""),
            writable=thing.writable and one not in fixed,
            required=one in required,
        )
        for one, form in {
            **_forms(thing, zone),
            **{one: _form(kind, zone) for one, kind in own.items()},
        }.items()
    ]
    lists = [_nested(one, cells, zone) for one, cells in thing.lists.items()]
    return Shape(name, thing.key, fields, modified=thing.modified, lines=lists)


def _nested(name: str, cells: Cells, zone: str) -> Nested:
    made = {
        one: Field(name=one, form=form, read=cells.names.get(one, ""), writable=False)
        for one, form in _forms(cells, zone).items()
    }
    return Nested(name=name, cells=made, read=cells.names.get("", ""))


def _forms(cells: Cells, zone: str) -> dict[str, Form]:
    kinds: dict[str, str] = {}
    for said, kind in (
        ("texts", "text"),
        ("integers", "integer"),
        ("decimals", "decimal"),
        ("booleans", "boolean"),
        ("dates", "date"),
        ("instants", "instant"),
        ("local", "instant"),
    ):
        kinds |= dict.fromkeys(getattr(cells, said).split(), kind)
    return {one: _form(kind, zone) for one, kind in {**kinds, **cells.fields}.items()}


def _form(kind: str, zone: str) -> Form:
    if kind == "decimal":
        return Form(type="decimal", decimals="text", places=2)
    if kind == "boolean":
        return Form(type="boolean", true=(True, 1, "1", "true"), false=(False, 0, "0", "false"))
    if kind == "instant":
        return Form(type="instant", zone=zone)
    return Form(type=kind)  # type: ignore[arg-type]
