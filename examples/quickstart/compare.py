"""An independent look at both systems: are they in step? Shares no code with Tandem; knows only the two systems."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from examples.quickstart.stand import Stand


async def differences(stand: Stand, open_fields: Iterable[tuple[str, str]] = ()) -> list[str]:
    """Every way in which the two sides disagree, in words; empty when they are in step.

    `open_fields`: (customer number, field) pairs that a person still has to decide.
    """
    erp = stand.erp_rows("KUNDEN")
    crm = [dict(row) for row in await stand.sql("SELECT * FROM customers")]
    out = [*_doubled(erp, crm), *_customers(erp, crm, set(open_fields))]
    goods = {row["sku"]: dict(row) for row in await stand.sql("SELECT * FROM articles")}
    out.extend(_articles(stand.erp_rows("ARTIKEL"), goods))
    return out


def _doubled(erp: list[dict[str, str]], crm: list[dict[str, Any]]) -> Iterable[str]:
    for where, numbers in (("ERP", [r["KUNDENNR"] for r in erp]), ("CRM", [r["number"] for r in crm])):
        for number, count in Counter(n for n in numbers if n).items():
            if count > 1:
                yield f"customer {number} stands {count} times in the {where}"


def _customers(
    erp: list[dict[str, str]], crm: list[dict[str, Any]], undecided: set[tuple[str, str]]
) -> Iterable[str]:
    by_number = {row["number"]: row for row in crm if row["number"]}
    shared_mail = Counter((row["email"] or "").lower() for row in crm)
    for row in erp:
        number = row["KUNDENNR"]
        partner = by_number.pop(number, None)
        if partner is None:
            if shared_mail[row["EMAIL"].lower()] < 2:  # the ambiguous pair waits for a person, as it should
                yield f"customer {number} is not in the CRM"
            continue
        for field, left, right in _pairs(row, partner):
            if left != right and (number, field) not in undecided:
                yield f"customer {number}, {field}: {left!r} in the ERP, {right!r} in the CRM"
    for number in by_number:
        yield f"customer {number} is in the CRM, but not in the ERP"
    for row in crm:
        if not row["number"] and shared_mail[(row["email"] or "").lower()] < 2:
            yield f"customer {row['name']} of the CRM has no number: it never reached the ERP"


def _pairs(erp: Mapping[str, str], crm: Mapping[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    yield "name", f"{erp['NAME1']} {erp['NAME2']}".strip(), crm["name"]
    for column, field in (("STRASSE", "street"), ("PLZ", "zip"), ("ORT", "city"), ("USTID", "vat_id")):
        yield field, erp[column], crm[field] or ""
    yield "email", erp["EMAIL"].lower(), (crm["email"] or "").lower()
    yield "phone", _digits(erp["TELEFON"]), _digits(crm["phone"] or "")
    yield "credit_limit", _money(erp["KREDITLIMIT"]), crm["credit_limit"]
    yield "blocked", erp["GESPERRT"] == "J", bool(crm["blocked"])


def _articles(erp: list[dict[str, str]], crm: dict[str, dict[str, Any]]) -> Iterable[str]:
    for row in erp:
        partner = crm.pop(row["ARTIKELNR"], None)
        if partner is None:
            yield f"article {row['ARTIKELNR']} is not in the CRM"
        elif (row["BEZEICHNUNG"], _money(row["PREIS"])) != (partner["title"], partner["price"]):
            yield f"article {row['ARTIKELNR']} differs: {row} / {partner}"
    for sku in crm:
        yield f"article {sku} is in the CRM, but not in the ERP"


def _digits(text: str) -> str:
    digits = re.sub(r"\D", "", text.replace("+49", "0"))
    return digits.removeprefix("0")


def _money(text: str) -> Decimal | None:
    return Decimal(text.replace(".", "").replace(",", ".")) if text else None
