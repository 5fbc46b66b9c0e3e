"""The tables of a Winestro.Cloud account and their fields. Data; which of it is confirmed: docs/connectors/winestro.md.

`overrides` (the setting `objects`) puts what is otherwise in an account over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import unescape
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from actors.core.errors import Kind, TandemError
from clients.connectors.http.overlay import overlaid
from clients.connectors.http.shape import Field, Shape
from clients.connectors.http.values import Form, Type

ZONE: Final = "Europe/Berlin"  # times carry no zone
ENCODED: Final = ("artikel_nr",)  # these are encoded as in an address

_EMPTY: Final[tuple[Any, ...]] = ("", [], {})  # emptiness as PHP writes it
_FORMS: Final[Mapping[str, Form]] = {
    "text": Form(nulls=_EMPTY, null_as=""),
    "integer": Form(type="integer", nulls=_EMPTY, null_as="", decimals="text"),
    "decimal": Form(type="decimal", decimals="comma", nulls=_EMPTY, null_as=""),
    "boolean": Form(
        type="boolean",
        true=("1", 1, True, "true"),
        false=("0", 0, False, "false"),
        nulls=_EMPTY,
        null_as="",
    ),
    "date": Form(type="date", nulls=(*_EMPTY, "0000-00-00"), null_as=""),
    "instant": Form(
        type="instant", format="%Y-%m-%d %H:%M:%S", zone=ZONE, nulls=(*_EMPTY, "0000-00-00 00:00:00")
    ),
}


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table. `key`: the field with the id; the others by type, names between blanks; `fields`: name -> type."""

    key: str = ""
    texts: str = ""
    integers: str = ""
    decimals: str = ""
    booleans: str = ""
    dates: str = ""
    instants: str = ""
    read_only: str = ""
    required: str = ""
    fields: Mapping[str, Type] = {}


TABLES: Final[Mapping[str, Thing]] = {
    "kunden": Thing(
        key="adr_id",
        texts=(
            "adr_nr adr_anrede adr_vorname adr_nachname adr_firma adr_str adr_str_nr adr_plz adr_ort adr_land"
            " adr_festnetz adr_mobil adr_fax adr_email adr_www adr_note1 adr_note2 adr_note3 adr_note4"
        ),
        integers=(
            "adr_anredenart adr_kunden_mwst adr_id_zahlungsart adr_id_preiskategorie adr_id_gruppe"
            " adr_id_provision"
        ),
        decimals="adr_rabatt",
        booleans="adr_newsletter_aktiv adr_werbung_email adr_werbung_post adr_werbung_telefon adr_geloescht",
    ),
    "lieferadressen": Thing(
        key="la_id",
        texts="la_firma la_vorname la_nachname la_str la_str_nr la_plz la_ort la_land la_note",
        integers="la_id_adr",
        booleans="la_geloescht",
        required="la_id_adr",
    ),
    "ansprechpartner": Thing(
        key="ap_id",
        texts="ap_anrede ap_vorname ap_nachname ap_funktion ap_telefon ap_mobil ap_email ap_note",
        integers="ap_id_adr",
        booleans="ap_geloescht",
        required="ap_id_adr",
    ),
    "preiskategorien": Thing(
        key="pk_id", texts="pk_name", integers="pk_sortierung", booleans="pk_geloescht", required="pk_name"
    ),
    "adressgruppen": Thing(
        key="grp_nr", texts="grp_name grp_beschreibung", booleans="grp_geloescht", required="grp_name"
    ),
    "provisionsempfaenger": Thing(key="pe_id", texts="pe_name", decimals="pe_satz", required="pe_name"),
    "artikelgruppen": Thing(key="wg_id", texts="wg_name wg_nr wg_kategorie", required="wg_name"),
    "artikel": Thing(
        key="artikel_id",
        texts=(
            "artikel_nr artikel_name artikel_beschreibung artikel_jahrgang artikel_sorte artikel_qualitaet"
            " artikel_geschmack artikel_zucker artikel_alkohol artikel_saeure artikel_lage artikel_land"
            " artikel_region artikel_anbaugebiet artikel_ausbau artikel_apnr artikel_ean13 artikel_ean13_kiste"
            " artikel_zutaten artikel_notiz artikel_fibu_erloeskonto artikel_fibu_aufwandskonto"
            " artikel_fibu_steuerschluessel artikel_lager artikel_lieferant artikel_erzeuger"
        ),
        integers=(
            "artikel_id_warengruppe artikel_typ_id artikel_verpackung_inhalt artikel_bestand_warnung_ab"
            " artikel_reichweite_tage"
        ),
        decimals=(
            "artikel_liter artikel_gewicht artikel_mwst artikel_preis artikel_bestand artikel_eigenanteil"
            " artikel_herstellungskosten"
        ),
        booleans=(
            "artikel_sulfite artikel_versandfrei artikel_ausgetrunken artikel_ueberverkauf"
            " artikel_mandantenabrechnung artikel_inventur"
        ),
        instants="artikel_last_modified",
        read_only="artikel_last_modified",
        required="artikel_nr artikel_name",
    ),
    "preise": Thing(
        key="preis_id",
        texts="preis_artikel_nr",
        integers="preis_id_kategorie",
        decimals="preis_betrag",
        required="preis_artikel_nr preis_id_kategorie",
    ),
    "rechnungen": Thing(
        key="re_id",
        texts="re_nr re_mandant re_bemerkung re_text",
        integers="re_stueck",
        booleans="re_bezahlt",
        decimals="re_netto re_brutto",
        dates="re_datum",
        required="re_nr",
    ),
    "eingangsrechnungen": Thing(
        key="er_id",
        texts="er_nr er_mandant er_bemerkung",
        decimals="er_netto er_brutto",
        dates="er_datum",
        required="er_nr",
    ),
}


def tables(overrides: Mapping[str, Any]) -> dict[str, Thing]:
    """The tables, with what the settings say of this account over them. CONFIG where that is none."""
    found = overlaid(TABLES, overrides, Thing)
    for name in overrides:
        if not found[name].key:
            raise TandemError(Kind.CONFIG, f"the setting 'objects' names no key of {name}")
    return found


def shape(name: str, thing: Thing) -> Shape:
    """The fields of a table."""
    types: dict[str, str] = {
        thing.key: "text",
        **dict.fromkeys(thing.texts.split(), "text"),
        **dict.fromkeys(thing.integers.split(), "integer"),
        **dict.fromkeys(thing.decimals.split(), "decimal"),
        **dict.fromkeys(thing.booleans.split(), "boolean"),
        **dict.fromkeys(thing.dates.split(), "date"),
        **dict.fromkeys(thing.instants.split(), "instant"),
        **thing.fields,
    }
    fixed, required = {thing.key, *thing.read_only.split()}, {thing.key, *thing.required.split()}
    fields = [
        Field(name=one, form=_FORMS[kind], writable=one not in fixed, required=one in required)
        for one, kind in types.items()
    ]
    return Shape(name, thing.key, fields)


def bare(row: Any) -> Any:
    """A row without the vendor's escapes: HTML in texts, an address's in article numbers."""
    if not isinstance(row, dict):
        return row
    return {name: _bare(name, value) if isinstance(value, str) else value for name, value in row.items()}


def _bare(name: str, text: str) -> str:
    return unquote(text) if name in ENCODED else unescape(text)
