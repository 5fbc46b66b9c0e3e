"""The XML/JSON interface of a Winestro.Cloud account as an emulator: one address, an action per call, the customer number
and three keys with each; JSON in which one row is no list, texts are escaped and emptiness has many forms.

Options: `uid` (customer number, 4711), `name`, `user`, `code`, `shop` (1); `numbers` (`text`, `number`, `comma`); `hook`:
address that is told of every change, with `hook_token`. Actions of the vendor: getEinstellungen, getArtikel, getAdrGrp,
getKundenGruppe. Modelled, since none that writes master data is known: getStamm, setStamm, delStamm.
What is confirmed and what is modelled: docs/connectors/winestro.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from html import escape
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from clients.emulators.calls import Call
from clients.emulators.data import Change, Near
from clients.emulators.description import Refused, Row, Table
from clients.emulators.emulator import ENCODER, Emulator, answer
from clients.emulators.winestro_tables import REFERENCES, WINESTRO

VERSIONS: Final = ("18.0", "21.0", "22.0", "23.0")
ENTRY: Final = ("UID", "apiUSER", "apiCODE", "apiShopID", "apiACTION")
EVENTS: Final = {"insert": "neu", "edit": "geaendert", "delete": "geloescht"}
NUMBERED: Final = {"kunden": "adr_nr", "rechnungen": "re_nr"}  # who gets the next number where none is given
GONE: Final = "12"
REFUSED: Final = "20"
EXISTS: Final = "30"


class System(Emulator):
    """One account."""

    description = WINESTRO

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.uid = self.options.get("uid", "4711")
        self.name = self.options.get("name", f"Weingut {self.uid}")
        self.user = self.options.get("user", "tandem")
        self.code = self.options.get("code", "geheimer-schluessel")
        self._changed_code = ""

    def routes(self) -> Iterable[web.RouteDef]:
        """One address, by GET or POST."""
        for version in VERSIONS:
            for method in ("GET", "POST"):
                yield web.route(method, f"/xml/v{version}/wbo-API.php", self._entry)

    def expire(self) -> None:
        """The key was drawn anew in the Developer-Center: the old one is void until `allow`."""
        self._changed_code = "another"

    def allow(self) -> None:
        """The old key is good again."""
        self._changed_code = ""

    def place(self, request: web.Request) -> str:
        """There is one path: the action is in the query, if the caller puts it there."""
        return request.path_qs

    async def _entry(self, request: web.Request) -> web.StreamResponse:
        asked = {**request.query, **{name: str(value) for name, value in (await request.post()).items()}}
        missing = [name for name in ENTRY if not asked.get(name)]
        if missing:
            return answer({"text": f"Der Parameter {missing[0]} fehlt."}, 400)
        keys = (asked["UID"], asked["apiUSER"], asked["apiCODE"])
        if keys != (self.uid, self.user, self._changed_code or self.code):
            return answer({"text": "Der apiCode ist fehlerhaft."}, 401)
        act = {
            "getEinstellungen": self._settings,
            "getArtikel": self._articles,
            "getAdrGrp": self._groups,
            "getKundenGruppe": self._customers,
            "getStamm": self._rows,
            "setStamm": self._set,
            "delStamm": self._del,
        }.get(asked["apiACTION"])
        if act is None:
            return _fault("1", f"Die Aktion {asked['apiACTION']} gibt es nicht.")
        return act(asked)

    # ---------------------------------------------------------------------------------------- the vendor's own

    def _settings(self, asked: Mapping[str, str]) -> web.Response:
        return answer({"name": self.name, "kundennummer": self.uid})

    def _articles(self, asked: Mapping[str, str]) -> web.Response:
        """Only those that have a price and a weight: who vanishes from this list was not deleted."""
        rows = [row for row in self.data.shown("artikel") if row["artikel_preis"] and row["artikel_gewicht"]]
        if number := asked.get("artikelnr"):
            rows = [row for row in rows if row["artikel_nr"] == number]
        if asked.get("bestand") != "true":
            rows = [{name: row[name] for name in row if name != "artikel_bestand"} for row in rows]
        return self._items("artikel", rows)

    def _groups(self, asked: Mapping[str, str]) -> web.Response:
        return self._items("adressgruppen", self.data.shown("adressgruppen"))

    def _customers(self, asked: Mapping[str, str]) -> web.Response:
        group = asked.get("id_grp", "")
        rows = [row for row in self.data.shown("kunden") if str(row["adr_id_gruppe"]) == group]
        return self._items("kunden", rows)

    # --------------------------------------------------------------------------------------------- modelled

    def _rows(self, asked: Mapping[str, str]) -> web.Response:
        """`id`: these; `feld`, `wert`: who has that; `ab`: behind that id, `anzahl` of them. By id."""
        table = self._table(asked)
        rows = self.data.shown(table.name, _near(table, asked))
        if "id" in asked:
            wanted = set(asked["id"].split(","))
            rows = [row for row in rows if str(row[table.key]) in wanted]
        if name := asked.get("feld"):
            rows = [row for row in rows if _plain(row.get(name)) == asked.get("wert", "")]
        if after := asked.get("ab"):
            rows = [row for row in rows if row[table.key] > int(after)]
        most = int(asked.get("anzahl") or 0)
        return self._items(table.name, rows[:most] if most else rows)

    def _set(self, asked: Mapping[str, str]) -> web.Response:
        """Change the fields that are given; without `id` a new row."""
        table = self._table(asked)
        values: dict[str, Any] = {}
        for name, text in asked.items():
            if not name.startswith("feld_"):
                continue
            field = table.field(name.removeprefix("feld_"))
            if field is None or not field.writable or field.name == table.key:
                raise Refused(f"Das Feld {name.removeprefix('feld_')} gibt es nicht.", code=REFUSED)
            values[field.name] = _taken(field.type, text)
        if asked.get("id"):
            row = self.data.edit(table.name, self._key(table, asked), values)
        else:
            if (number := NUMBERED.get(table.name)) and not values.get(number):
                values[number] = self._next_number(table.name, number)
            row = self.data.insert(table.name, values)
        return answer({"status": "ok", "item": self._shown(table, row)})

    def _del(self, asked: Mapping[str, str]) -> web.Response:
        table = self._table(asked)
        self.data.delete(table.name, self._key(table, asked))
        return answer({"status": "ok"})

    def _table(self, asked: Mapping[str, str]) -> Table:
        try:
            return self.data.table(asked.get("tabelle", ""))
        except KeyError:
            raise Refused(f"Die Tabelle {asked.get('tabelle')} gibt es nicht.", code="2") from None

    def _key(self, table: Table, asked: Mapping[str, str]) -> int:
        key = int(asked["id"]) if asked.get("id", "").isdecimal() else 0
        if key not in self.data.tables[table.name]:
            raise Refused("Der Datensatz ist nicht vorhanden.", code=GONE)
        return key

    def _next_number(self, table: str, field: str) -> str:
        numbers = [row[field] or "" for row in self.data.tables[table].values()]
        return str(max([10000, *(int(number) for number in numbers if number.isdecimal())]) + 1)

    def guard(self, change: Change) -> None:
        """Nobody is deleted whom another row refers to, and nobody refers to who is not there."""
        for table, field, to in REFERENCES:
            if change.op == "delete" and change.table == to:
                if any(row[field] == change.key for row in self.data.tables[table].values()):
                    raise Refused(f"Der Datensatz wird noch verwendet ({table}).", code=REFUSED)
            elif change.table == table and change.after is not None:
                value = change.after.get(field)
                if value is not None and value not in self.data.tables[to]:
                    raise Refused(f"{field}: {value} gibt es in {to} nicht.", code=REFUSED, field=field)

    # ---------------------------------------------------------------------------------------------- spelling

    def _items(self, name: str, rows: list[Row]) -> web.Response:
        """One row is an object, several are a list, and none is 204."""
        if not rows:
            return web.Response(status=204)
        table = self.data.table(name)
        shown = [self._shown(table, row) for row in rows]
        return answer({"item": shown[0] if len(shown) == 1 else shown})

    def _shown(self, table: Table, row: Row) -> dict[str, Any]:
        return {
            field.name: self._spelt(field.name, row[field.name])
            for field in table.fields
            if field.name in row
        }

    def _spelt(self, name: str, value: Any) -> Any:
        if value is None or value == "":
            return [] if len(name) % 2 else {}  # as PHP has it: an empty array, or an empty object
        if isinstance(value, bool):
            return "1" if value else "0"
        if isinstance(value, datetime):
            return value.strftime("%Y-%m-%d %H:%M:%S")
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, int | Decimal):
            return self._number(value)
        return quote(value) if name == "artikel_nr" else escape(value)

    def _number(self, value: int | Decimal) -> Any:
        style = self.options.get("numbers", "text")
        if style == "number":
            return value
        text = format(value, "f") if isinstance(value, Decimal) else str(value)
        return text.replace(".", ",") if style == "comma" else text

    def refused(self, error: Refused) -> web.Response:
        """A fault, with 200."""
        if error.code == "KeyExists":
            return _fault(EXISTS, f"{error.field} ist bereits vorhanden.")
        if error.code == "CouldNotFind":
            return _fault(GONE, "Der Datensatz ist nicht vorhanden.")
        return _fault(error.code if error.code.isdecimal() else REFUSED, error.reason)

    def rate_limited(self, seconds: float) -> web.Response:
        """Not documented: 429 with the usual header."""
        return web.Response(status=429, headers={"Retry-After": f"{seconds:g}"}, text="Too many requests")

    def calls_for(self, change: Change) -> Iterable[Call]:
        """Modelled: the address of the option `hook` is told table, id and event."""
        if url := self.options.get("hook"):
            body = {"tabelle": change.table, "id": str(change.key), "ereignis": EVENTS[change.op]}
            headers = {"Content-Type": "application/json"}
            if token := self.options.get("hook_token"):
                headers["X-Winestro-Token"] = token
            yield Call("POST", url, headers, ENCODER.encode(body))


def _fault(number: str, text: str) -> web.Response:
    return answer({"fehler": {"id": number, "text": text}})


def _near(table: Table, asked: Mapping[str, str]) -> Near | None:
    if "id" in asked:
        return Near(table.key, values=[int(id_) for id_ in asked["id"].split(",") if id_.isdecimal()])
    if asked.get("feld") and (field := table.field(asked["feld"])) is not None and field.type == "text":
        return Near(field.name, values=[asked.get("wert", "")])
    return Near(table.key, least=int(asked["ab"])) if asked.get("ab") else None


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _taken(kind: str, text: str) -> Any:
    if text == "":
        return None
    if kind == "boolean":
        if text not in ("0", "1"):
            raise Refused(f"{text} ist weder 0 noch 1.", code=REFUSED)
        return text == "1"
    return text.replace(",", ".") if kind == "decimal" else text
