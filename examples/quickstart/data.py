"""Invented customers and articles, the same at every start: what the ERP holds and what the CRM holds before they meet.

Some customers stand on both sides (by number, or only by e-mail), some on one side only, a few differ, and one pair
can't be told apart. Nobody in here exists. Must not: know anything of Tandem.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass, field, replace
from pathlib import Path

ERP_CUSTOMERS = 240
CRM_ONLY = 60
ARTICLES = 300

FIRST = "Anna Bernd Clara David Emilia Felix Greta Hanno Ida Jonas Karla Lukas Mona Nils Olga Paul Rosa Stefan Tilda Uwe"
LAST = (
    "Ahrens Bäcker Christiansen Dörfler Eichhorn Fährmann Grünwald Hövel Immken Jäger Köhlbrand Lüders Möhring Nießen "
    "Oßwald Pröll Quast Rübsam Schönherr Tönnies Ullrich Völkers Wüst Zöllner"
)
TRADES = "Weinhandel Bäckerei Schreinerei Gärtnerei Buchladen Feinkost Druckerei Hofladen Töpferei Brauerei Optik Floristik"
FORMS = "GmbH KG e.K. OHG"
STREETS = "Birkenweg Am-Mühlbach Lindenallee Hafenstraße Kirchgasse Rosenweg Nordring Kastanienplatz Bahnhofstraße Seeblick"
TOWNS = "10115=Berlin 20095=Hamburg 50667=Köln 80331=München 04109=Leipzig 70173=Stuttgart 28195=Bremen 01067=Dresden"
GOODS = "Riesling Silvaner Spätburgunder Apfelsaft Leinöl Honig Senf Kerze Vase Notizbuch Seife Tasse"
KINDS = "klein groß Bio Reserve klassisch mild kräftig"


@dataclass(frozen=True)
class Customer:
    """One customer as both sides might know it. `number` "" where only the CRM has it."""

    number: str
    name: str
    street: str
    zip: str
    city: str
    phone: str
    email: str
    vat_id: str = ""
    credit_limit: str = "0,00"
    blocked: bool = False


@dataclass(frozen=True)
class Article:
    """One article of the ERP."""

    number: str
    title: str
    unit: str
    price: str
    cost: str
    group: str
    active: bool
    stock: int


@dataclass
class World:
    """Everything before the first run."""

    erp: list[Customer] = field(default_factory=list)
    crm: list[Customer] = field(default_factory=list)
    articles: list[Article] = field(default_factory=list)


def world(seed: int = 7) -> World:
    """The same world for the same seed."""
    luck = random.Random(seed)  # noqa: S311 -- invented data, no secret
    out = World()
    out.erp = [_customer(luck, i, f"K{i:05d}") for i in range(1, ERP_CUSTOMERS + 1)]
    out.articles = [_article(luck, i) for i in range(1, ARTICLES + 1)]
    for customer in out.erp[:90]:  # known to both by number; the CRM lacks a phone now and then
        out.crm.append(replace(customer, phone="" if luck.random() < 0.3 else customer.phone))
    for customer in out.erp[90:130]:  # known to both, but in the CRM only by e-mail
        out.crm.append(replace(customer, number="", vat_id="", email=customer.email.upper()))
    for i in range(3):  # both sides hold another name: a person must say which
        out.crm[i] = replace(out.crm[i], name=out.crm[i].name + " (neu)")
    out.crm += [_customer(luck, 1000 + i, "") for i in range(CRM_ONLY)]
    twin = replace(out.erp[200], number="", vat_id="")  # two in the CRM share the e-mail of one in the ERP
    out.crm += [twin, replace(twin, name=twin.name + " Filiale")]
    return out


def write_erp(folder: Path, data: World) -> None:
    """The ERP's folder: KUNDEN.csv and ARTIKEL.csv in Windows-1252, semicolons, decimal commas."""
    folder.mkdir(parents=True, exist_ok=True)
    head = [
        "KUNDENNR",
        "NAME1",
        "NAME2",
        "STRASSE",
        "PLZ",
        "ORT",
        "LAND",
        "TELEFON",
        "EMAIL",
        "USTID",
        "KREDITLIMIT",
        "GESPERRT",
    ]
    rows = [
        [
            c.number,
            c.name,
            "",
            c.street,
            c.zip,
            c.city,
            "DE",
            c.phone,
            c.email,
            c.vat_id,
            c.credit_limit,
            "JN"[not c.blocked],
        ]
        for c in data.erp
    ]
    _write(folder / "KUNDEN.csv", head, rows)
    head = ["ARTIKELNR", "BEZEICHNUNG", "EINHEIT", "PREIS", "EK", "WARENGRUPPE", "AKTIV", "BESTAND"]
    rows = [
        [a.number, a.title, a.unit, a.price, a.cost, a.group, "JN"[not a.active], str(a.stock)]
        for a in data.articles
    ]
    _write(folder / "ARTIKEL.csv", head, rows)


def _write(path: Path, head: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="cp1252", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
        writer.writerow(head)
        writer.writerows(rows)


def _customer(luck: random.Random, i: int, number: str) -> Customer:
    first, last = luck.choice(FIRST.split()), luck.choice(LAST.split())
    trade, form = luck.choice(TRADES.split()), luck.choice(FORMS.split())
    zip_, city = luck.choice(TOWNS.split()).split("=")
    area, line = luck.randint(30, 89), luck.randint(100000, 999999)
    return Customer(
        number=number,
        name=f"{trade} {last} {form}" if luck.random() < 0.7 else f"{first} {last}",
        street=f"{luck.choice(STREETS.split()).replace('-', ' ')} {luck.randint(1, 120)}",
        zip=zip_,
        city=city,
        phone=f"0{area} / {line}" if luck.random() < 0.5 else f"+49 {area} {line}",
        email=f"kontakt{i}@{trade.lower().replace('ä', 'ae').replace('ö', 'oe')}-{i}.example",
        vat_id=f"DE{100000000 + i * 37}" if number and luck.random() < 0.6 else "",
        credit_limit=f"{luck.choice([500, 1000, 2500, 10000]):,}".replace(",", ".") + ",00",
        blocked=luck.random() < 0.03,
    )


def _article(luck: random.Random, i: int) -> Article:
    cents = luck.randint(190, 8900)
    return Article(
        number=f"A{i:04d}",
        title=f"{luck.choice(GOODS.split())} {luck.choice(KINDS.split())} {i}",
        unit=luck.choice(["Stk", "Fl", "kg"]),
        price=f"{cents // 100},{cents % 100:02d}",
        cost=f"{cents // 200},{cents % 100:02d}",
        group=luck.choice(["Wein", "Küche", "Papier", "Geschenke"]),
        active=luck.random() < 0.95,
        stock=luck.randint(0, 400),
    )
