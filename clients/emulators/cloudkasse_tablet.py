"""The tablets of a CloudKasse's tills: receipts are rung up on them, and come to the cloud when they hand them over.

A tablet is another device: no request shows it, and no backup of the cloud brings it back. Must not: speak HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from clients.emulators.data import Data
from clients.emulators.description import Refused, Row

ZONE: Final = ZoneInfo("Europe/Berlin")
CENT: Final = Decimal("0.01")
FIVE: Final = Decimal("0.00001")  # DSFinV-K writes taxes of lines with five places
NOT_TAXABLE: Final = 5
Line = Mapping[str, Any]


class Tablets:
    """All tablets of an account; `till` is the number of a till."""

    def __init__(self, data: Data) -> None:
        self._data = data

    def deeds(self) -> Mapping[str, Callable[..., Any]]:
        """What people at the tills do, by name."""
        done = (self.sell, self.cancel, self.hand_over, self.report, self.close_day, self.reset)
        return {act.__name__: act for act in done}

    # ------------------------------------------------------------------------------------------------- selling

    def sell(self, till: str, lines: Sequence[Line] = (), payments: Sequence[Line] = (), **head: Any) -> str:
        """Ring up a receipt; its id. It stays on the tablet until that hands it over.

        A line: `article` (number), `quantity` (1), `price` (gross, of one; else the till's), `discount` (gross, off the
        line), `vatKey`, `text`, `type` (GV_TYP), `name` (GV_NAME), `voucher`, `storno`. A payment: `type`, `name`, `amount`,
        `currency`, `foreign`; none: all in cash. `head`: fields of the receipt by their names.
        """
        row = self._till(till)
        made = [self._line(row, place, line) for place, line in enumerate(lines, 1)]
        total = sum((line["POS_BRUTTO"] for line in made), Decimal(0))
        number = 1 + max((one["receipt"]["BON_NR"] for one in self._on(row)), default=0)
        now = self._now()
        receipt = {
            "id": f"{row['id']}-{number:06d}",
            "tillId": row["id"],
            "Z_KASSE_ID": till,
            "TERMINAL_ID": till,
            "BON_ID": f"{till}-{number:06d}",
            "BON_NR": number,
            "BON_TYP": "Beleg",
            "BON_START": now,
            "BON_ENDE": now,
            "BON_STORNO": False,
            "UMS_BRUTTO": total,
            "lines": made,
            "vat": _per_key(made),
            "payments": [_payment(one) for one in payments or ({"type": "Bar", "amount": total},)],
            "references": [],
            **head,
        }
        held = {"id": receipt["id"], "tillId": row["id"], "receipt": receipt, "handed": False}
        return str(self._data.insert("tablet", held, by="person")["id"])

    def cancel(self, receipt: str) -> str:
        """Cancel a receipt by another one with the opposite amounts, which names it; its id."""
        old = self._data.tables["tablet"][receipt]["receipt"]
        till = str(old["Z_KASSE_ID"])
        new = self.sell(till)
        held = self._data.tables["tablet"][new]
        turned = {
            "lines": [_turned(line, _LINE) for line in old["lines"]],
            "vat": [_turned(one, _VAT) for one in old["vat"]],
            "payments": [_turned(one, _PAYMENT) for one in old["payments"]],
            "UMS_BRUTTO": -old["UMS_BRUTTO"],
            "BON_STORNO": True,
            "BEDIENER_ID": old.get("BEDIENER_ID"),
            "references": [
                {
                    "POS_ZEILE": "",
                    "REF_TYP": "Transaktion",
                    "REF_NAME": None,
                    "REF_DATUM": old["BON_ENDE"],
                    "REF_Z_KASSE_ID": till,
                    "REF_Z_NR": old.get("Z_NR"),
                    "REF_BON_ID": old["BON_ID"],
                }
            ],
        }
        self._data.edit("tablet", new, {"receipt": {**held["receipt"], **turned}}, by="person")
        return new

    def _line(self, till: Row, place: int, line: Line) -> dict[str, Any]:
        number = line.get("article")
        known = next((one for one in self._data.tables["articles"].values() if one["number"] == number), None)
        article: Mapping[str, Any] = known or {}
        price = line.get("price")
        each = Decimal(str(price)) if price is not None else self._price(till, article)
        key = int(line.get("vatKey", article.get("vatKey") or NOT_TAXABLE))
        rate = self._data.tables["vatRates"][key]["rate"]
        quantity, discount = Decimal(str(line.get("quantity", 1))), Decimal(str(line.get("discount", 0)))
        gross = (quantity * each - discount).quantize(CENT)
        net = (gross * 100 / (100 + rate)).quantize(FIVE)
        return {
            "POS_ZEILE": str(place),
            "GV_TYP": line.get("type", "Umsatz"),
            "GV_NAME": line.get("name"),
            "GUTSCHEIN_NR": line.get("voucher"),
            "ARTIKELTEXT": line.get("text") or article.get("receiptText") or article.get("name"),
            "ART_NR": number,
            "GTIN": article.get("gtin"),
            "WARENGR": article.get("group"),
            "EINHEIT": article.get("unit"),
            "P_STORNO": bool(line.get("storno", False)),
            "INHAUS": False,
            "MENGE": quantity,
            "FAKTOR": Decimal(1),
            "STK_BR": each,
            "PF_RABATT": discount,
            "UST_SCHLUESSEL": key,
            "POS_BRUTTO": gross,
            "POS_NETTO": net,
            "POS_UST": gross - net,
            "UST_SATZ": rate,
        }

    def _price(self, till: Row, article: Mapping[str, Any]) -> Decimal:
        """That of the till where it has one, else the article's."""
        own = [
            one["gross"]
            for one in self._data.tables["prices"].values()
            if one["articleId"] == article.get("id") and one["tillId"] == till["id"]
        ]
        return Decimal(str(own[-1] if own else article.get("grossPrice") or 0))

    # --------------------------------------------------------------------------------------- to the cloud and out

    def hand_over(self, till: str, at_most: int | None = None, again: bool = False) -> int:
        """The tablet is online and hands over what it holds, oldest first; how many. `at_most`: then the line is cut.
        `again`: also what it handed over before."""
        row = self._till(till)
        waiting = [one for one in self._on(row) if again or not one["handed"]]
        sent = waiting if at_most is None else waiting[:at_most]
        for one in sent:
            self._to_cloud(one["receipt"])
            self._data.edit("tablet", one["id"], {"handed": True}, by="person")
        self.report(till)
        return len(sent)

    def report(self, till: str) -> int:
        """The tablet tells the cloud how many receipts it holds that were not handed over; as many."""
        row = self._till(till)
        left = sum(not one["handed"] for one in self._on(row))
        self._data.edit("tills", row["id"], {"pending": left, "reportedAt": self._data.now()}, by="person")
        return left

    def close_day(self, till: str) -> int:
        """The day's closing: all is handed over, and what has no closing yet gets this one; its number."""
        self.hand_over(till)
        row = self._till(till)
        number = (row["lastZNr"] or 0) + 1
        closing = {"Z_NR": number, "Z_ERSTELLUNG": self._now()}
        for one in self._on(row):
            if one["receipt"].get("Z_NR") is None:
                receipt = {**one["receipt"], **closing}
                self._data.edit("tablet", one["id"], {"receipt": receipt}, by="person")
                self._to_cloud(receipt)
        self._data.edit("tills", row["id"], {"lastZNr": number}, by="person")
        return number

    def reset(self, till: str) -> int:
        """The tablet is replaced: its numbers begin anew, and what it had not handed over is lost; how many that were."""
        row = self._till(till)
        held = self._on(row)
        for one in held:
            self._data.delete("tablet", one["id"], by="person")
        return sum(not one["handed"] for one in held)

    def uses(self, table: str, row: Row) -> bool:
        """Whether a receipt, in the cloud or on a tablet, names this row."""
        receipts = [
            *self._data.tables["receipts"].values(),
            *(one["receipt"] for one in self._data.tables["tablet"].values()),
        ]
        if table == "articles":
            return any(line["ART_NR"] == row["number"] for one in receipts for line in one["lines"])
        if table == "staff":
            return any(one.get("BEDIENER_ID") == row["number"] for one in receipts)
        return table == "tills" and any(one["tillId"] == row["id"] for one in receipts)

    def _to_cloud(self, receipt: Row) -> None:
        """What is there as it is stays; another one under the same id takes its place."""
        there = self._data.tables["receipts"].get(receipt["id"])
        if there is None:
            self._data.insert("receipts", {**receipt, "uploadedAt": self._data.now()}, by="person")
        elif any(there.get(name) != value for name, value in receipt.items()):
            self._data.edit("receipts", receipt["id"], receipt, by="person")

    def _till(self, number: str) -> Row:
        found = next((row for row in self._data.tables["tills"].values() if row["number"] == number), None)
        if found is None:
            raise Refused(f"Kasse {number} gibt es nicht.", code="CouldNotFind", field="till")
        return found

    def _on(self, till: Row) -> list[Row]:
        held = [one for one in self._data.tables["tablet"].values() if one["tillId"] == till["id"]]
        return sorted(held, key=lambda one: one["receipt"]["BON_NR"])

    def _now(self) -> str:
        """The till's own time, which carries no zone."""
        return self._data.now().astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S")


_LINE: Final = ("MENGE", "POS_BRUTTO", "POS_NETTO", "POS_UST", "PF_RABATT")
_VAT: Final = ("BON_BRUTTO", "BON_NETTO", "BON_UST")
_PAYMENT: Final = ("ZAHLWAEH_BETRAG", "BASISWAEH_BETRAG")


def _turned(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: -value if name in names else value for name, value in row.items()}


def _per_key(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for line in lines:
        none = {"UST_SCHLUESSEL": line["UST_SCHLUESSEL"], "UST_SATZ": line["UST_SATZ"]}
        sums = found.setdefault(line["UST_SCHLUESSEL"], {**none, **dict.fromkeys(_VAT, Decimal(0))})
        for name in ("BRUTTO", "NETTO", "UST"):
            sums[f"BON_{name}"] += line[f"POS_{name}"]
    return list(found.values())


def _payment(one: Line) -> dict[str, Any]:
    amount = Decimal(str(one["amount"]))
    return {
        "ZAHLART_TYP": one.get("type", "Bar"),
        "ZAHLART_NAME": one.get("name") or one.get("type", "Bar"),
        "ZAHLWAEH_CODE": one.get("currency", "EUR"),
        "ZAHLWAEH_BETRAG": Decimal(str(one.get("foreign", amount))),
        "BASISWAEH_BETRAG": amount,
    }
