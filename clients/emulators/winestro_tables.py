"""What an account of Winestro.Cloud holds. Customer and article fields after the vendor's interface pages; the rest of the
tables, and the eleven fields of an article that belong to each account, are modelled (docs/connectors/winestro.md).
"""

from __future__ import annotations

from typing import Final

from clients.emulators.description import Description, Field, Table, fields

ADDRESS: Final = "str str_nr plz ort land"
ELEVEN: Final = (
    *fields("artikel_eigenanteil artikel_herstellungskosten", "decimal"),
    *fields("artikel_fibu_erloeskonto artikel_fibu_aufwandskonto artikel_fibu_steuerschluessel"),
    Field("artikel_bestand_warnung_ab", "integer"),
    Field("artikel_reichweite_tage", "integer"),
    *fields("artikel_lager artikel_lieferant artikel_erzeuger"),
    *fields("artikel_ueberverkauf artikel_mandantenabrechnung artikel_inventur", "boolean"),
)

KUNDEN: Final = Table(
    "kunden",
    key="adr_id",
    unique=(("adr_nr",),),
    fields=(
        Field("adr_id", "integer"),
        *fields("adr_nr adr_anrede adr_vorname adr_nachname adr_firma"),
        *fields(" ".join(f"adr_{name}" for name in ADDRESS.split())),
        *fields("adr_festnetz adr_mobil adr_fax adr_email adr_www adr_note1..4"),
        *fields("adr_anredenart adr_kunden_mwst adr_id_zahlungsart", "integer"),
        *fields("adr_id_preiskategorie adr_id_gruppe adr_id_provision", "integer"),
        Field("adr_rabatt", "decimal"),
        *fields("adr_newsletter_aktiv adr_werbung_email adr_werbung_post adr_werbung_telefon", "boolean"),
        Field("adr_geloescht", "boolean"),
    ),
)
LIEFERADRESSEN: Final = Table(
    "lieferadressen",
    key="la_id",
    fields=(
        Field("la_id", "integer"),
        Field("la_id_adr", "integer", required=True),
        *fields("la_firma la_vorname la_nachname la_str la_str_nr la_plz la_ort la_land la_note"),
        Field("la_geloescht", "boolean"),
    ),
)
ANSPRECHPARTNER: Final = Table(
    "ansprechpartner",
    key="ap_id",
    fields=(
        Field("ap_id", "integer"),
        Field("ap_id_adr", "integer", required=True),
        *fields("ap_anrede ap_vorname ap_nachname ap_funktion ap_telefon ap_mobil ap_email ap_note"),
        Field("ap_geloescht", "boolean"),
    ),
)
PREISKATEGORIEN: Final = Table(
    "preiskategorien",
    key="pk_id",
    unique=(("pk_name",),),
    fields=(
        Field("pk_id", "integer"),
        Field("pk_name", required=True),
        Field("pk_sortierung", "integer"),
        Field("pk_geloescht", "boolean"),
    ),
)
ADRESSGRUPPEN: Final = Table(
    "adressgruppen",
    key="grp_nr",
    fields=(
        Field("grp_nr", "integer"),
        Field("grp_name", required=True),
        Field("grp_beschreibung"),
        Field("grp_geloescht", "boolean"),
    ),
)
PROVISIONEN: Final = Table(
    "provisionsempfaenger",
    key="pe_id",
    fields=(Field("pe_id", "integer"), Field("pe_name", required=True), Field("pe_satz", "decimal")),
)
ARTIKELGRUPPEN: Final = Table(
    "artikelgruppen",
    key="wg_id",
    fields=(
        Field("wg_id", "integer"),
        Field("wg_name", required=True),
        Field("wg_nr"),
        Field("wg_kategorie"),
    ),
)
ARTIKEL: Final = Table(
    "artikel",
    key="artikel_id",
    modified="artikel_last_modified",
    unique=(("artikel_nr",),),
    fields=(
        Field("artikel_id", "integer"),
        Field("artikel_nr", required=True),
        Field("artikel_name", required=True),
        *fields("artikel_beschreibung artikel_jahrgang artikel_sorte artikel_qualitaet artikel_geschmack"),
        *fields("artikel_zucker artikel_alkohol artikel_saeure artikel_lage artikel_land artikel_region"),
        *fields("artikel_anbaugebiet artikel_ausbau artikel_apnr artikel_ean13 artikel_ean13_kiste"),
        *fields("artikel_zutaten artikel_notiz"),
        *fields("artikel_liter artikel_gewicht artikel_mwst", "decimal"),
        *fields("artikel_id_warengruppe artikel_typ_id artikel_verpackung_inhalt", "integer"),
        *fields("artikel_sulfite artikel_versandfrei artikel_ausgetrunken", "boolean"),
        *ELEVEN,
        *fields("artikel_preis artikel_bestand", "decimal"),
        Field("artikel_last_modified", "instant", writable=False),
    ),
)
PREISE: Final = Table(
    "preise",
    key="preis_id",
    unique=(("preis_id_kategorie", "preis_artikel_nr"),),
    fields=(
        Field("preis_id", "integer"),
        Field("preis_id_kategorie", "integer", required=True),
        Field("preis_artikel_nr", required=True),
        Field("preis_betrag", "decimal"),
    ),
)
RECHNUNGEN: Final = Table(
    "rechnungen",
    key="re_id",
    unique=(("re_nr",),),
    fields=(
        Field("re_id", "integer"),
        Field("re_nr", required=True),
        Field("re_datum", "date"),
        Field("re_mandant"),  # the customer number of the account it goes to
        *fields("re_netto re_brutto", "decimal"),
        Field("re_stueck", "integer"),
        Field("re_bezahlt", "boolean"),
        Field("re_bemerkung", size=250),
        Field("re_text"),
    ),
)
EINGANGSRECHNUNGEN: Final = Table(
    "eingangsrechnungen",
    key="er_id",
    unique=(("er_mandant", "er_nr"),),
    fields=(
        Field("er_id", "integer"),
        Field("er_nr", required=True),
        Field("er_datum", "date"),
        Field("er_mandant"),  # the customer number of the account it came from
        *fields("er_netto er_brutto", "decimal"),
        Field("er_bemerkung"),
    ),
)

WINESTRO: Final = Description(
    name="winestro",
    doc="An account of Winestro.Cloud.",
    tables=(
        KUNDEN,
        LIEFERADRESSEN,
        ANSPRECHPARTNER,
        PREISKATEGORIEN,
        ADRESSGRUPPEN,
        PROVISIONEN,
        ARTIKELGRUPPEN,
        ARTIKEL,
        PREISE,
        RECHNUNGEN,
        EINGANGSRECHNUNGEN,
    ),
)

# Which field of which table refers to a row of which other one: that one can't be deleted meanwhile.
REFERENCES: Final = (
    ("lieferadressen", "la_id_adr", "kunden"),
    ("ansprechpartner", "ap_id_adr", "kunden"),
    ("kunden", "adr_id_preiskategorie", "preiskategorien"),
    ("kunden", "adr_id_gruppe", "adressgruppen"),
    ("kunden", "adr_id_provision", "provisionsempfaenger"),
    ("artikel", "artikel_id_warengruppe", "artikelgruppen"),
    ("preise", "preis_id_kategorie", "preiskategorien"),
)
