"""Lists of the SelectLine API as rows of its JSON: pages by key, single records, positions, and what is put together of
several requests. Must not: write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import msgspec

from actors.core.errors import Kind, Scope
from actors.core.types import Record
from actors.core.values import Value
from clients.connectors.http.base import not_offered
from clients.connectors.http.client import HttpClient, segment
from clients.connectors.http.shape import Shape
from clients.connectors.http.together import together
from clients.connectors.http.wire import Answer, HttpError, Request, at
from clients.connectors.systems.selectline_filter import TEXT_MAX, chunks, joined, literal
from clients.connectors.systems.selectline_objects import (
    ARTICLES,
    DOCUMENT,
    DOCUMENTS,
    ENTERED,
    KIND,
    NET_PRICE,
    NUMBER,
    POSITION,
    POSITIONS,
    STATUS,
    TENANTS,
    Thing,
)

ROWS_MAX: Final = 500
POSITIONS_MAX: Final = 100  # of one page: no server will cut that
SHORT: Final = 10  # a page of fewer records was not cut: that many are sent where nobody says how many
LIST_PAGES_MAX: Final = 2  # of what is entered; of a longer list those are asked for that matter
PLAIN_KEY: Final = re.compile(r"[\w .-]+")  # what every web server takes in a path


class Lists:
    """The lists of one tenant. `entered`: object -> object.field of the list that its records are entered in;
    `price_customer`: whose sales prices count, "" = list prices."""

    def __init__(
        self,
        client: HttpClient,
        things: Mapping[str, Thing],
        shapes: Mapping[str, Shape],
        settings: Mapping[str, Any],
        concurrency: int,
    ) -> None:
        self._client = client
        self.things, self.shapes = things, shapes
        self._tenant = settings["tenant"]
        self._entered: Mapping[str, str] = settings["entered"]
        self._price_customer = settings["price_customer"] if settings["prices"] == "customer" else ""
        self._concurrency = concurrency
        self._held = settings["held"]  # "none": documents are not held

    async def listed(
        self, name: str, conditions: Sequence[str], most: int, after: str = "", *, looked: bool = False
    ) -> tuple[list[Any], Answer]:
        """The rows of a list that fit all conditions, by key, and the answer. `after`: keys are behind this one. `looked`:
        they are asked for by id, whether the object would list them or not."""
        thing = self.things[name]
        if name == POSITIONS:
            raise not_offered(name, "a list", "they are lines of their document")
        order = f"{KIND}|{NUMBER}" if thing.is_document else thing.key
        query = {
            "page": "0",
            "items": str(most),
            "orderBy": order,
            **dict.fromkeys(thing.switches.split(), "true"),
        }
        if chosen := joined("AND", conditions if looked else [thing.filter, *conditions]):
            query["filter"] = chosen
        request = Request(doing=f"read {name}", path=thing.path, query=query)
        answer = await self._client.ask(request)
        rows = [self._keyed(name, row) for row in self._list(request, answer)]
        if len(rows) > most or (after and any(self.id_of(name, row) == after for row in rows)):
            # It would never come to an end.
            raise HttpError(
                Kind.CONFIG,
                f"can't {request.doing}: selectline does not keep to `items` or to the filter",
                scope=Scope.STREAM,
            )
        return rows, answer

    def _list(self, request: Request, answer: Answer) -> list[Any]:
        rows = self._client.body_of(request, answer)
        if not isinstance(rows, list):
            # Neither rows nor a word that there are none: it proves nothing.
            raise HttpError(Kind.TRANSIENT, f"can't {request.doing}: selectline's answer holds no list")
        return rows

    async def looked(self, name: str, ids: Sequence[str]) -> list[Any]:
        """The rows with these ids."""
        if name == TENANTS:
            ids = [one for one in ids if one == self._tenant]
            return [row for id_ in ids if (row := await self._get(name, id_)) is not None]
        wanted = [one for one in dict.fromkeys(ids) if self._is(name, one)]
        found: dict[str, Any] = {}
        for text in chunks(self._is(name, one) for one in wanted):
            rows, _ = await self.listed(name, [text], len(wanted), looked=True)
            found |= {self.id_of(name, row): row for row in rows}

        async def one(id_: str) -> Any:
            return await self._get(name, id_)

        left = [id_ for id_ in wanted if id_ not in found and PLAIN_KEY.fullmatch(id_)]
        if not self.things[name].table:  # there is no way to ask for one row of those
            more = await together(left, one, self._concurrency)
            found |= {self.id_of(name, row): row for row in more if row is not None}
        return [found[id_] for id_ in wanted if id_ in found]

    async def _get(self, name: str, id_: str) -> Any:
        request = Request(doing=f"read {name}", path=self.path(name, id_), record=True)
        answer = await self._client.call(request)
        if answer.meaning != "ok":
            return None
        row = self._keyed(name, self._client.body_of(request, answer))
        return row if self.id_of(name, row) == id_ else None  # paths don't mind the case of letters

    async def positions(self, key: str) -> list[Any]:
        """The positions of a document; none where it is gone."""
        found: list[Any] = []
        for page in range(1000):
            query = {"page": str(page), "items": str(POSITIONS_MAX), "orderBy": "PositionNumber"}
            path = f"{self.path(DOCUMENTS, key)}/Positions"
            request = Request(doing=f"read {POSITIONS}", path=path, query=query, record=True)
            answer = await self._client.call(request)
            if answer.meaning != "ok":
                return []
            rows = self._list(request, answer)
            found += [{**row, DOCUMENT: key, POSITION: f"{key}/{at(row, 'Identifier')}"} for row in rows]
            if len(rows) < POSITIONS_MAX:
                break
        return found

    def _keyed(self, name: str, row: Any) -> Any:
        """A row with its id, where that is put together."""
        if not isinstance(row, dict):
            return row
        if (
            self.things[name].is_document
            and isinstance(row.get(KIND), str)
            and isinstance(row.get(NUMBER), str)
        ):
            return {**row, DOCUMENT: f"{row[KIND]}{row[NUMBER]}"}
        return {**row, "TenantName": self._tenant} if name == TENANTS else row

    def id_of(self, name: str, row: Any) -> str:
        return self.shapes[name].id_of(row)

    def path(self, name: str, id_: str = "") -> str:
        path = self.things[name].path
        return f"{path}/{segment(id_)}" if id_ else path

    def _is(self, name: str, id_: str) -> str:
        """The condition that a record has this id; "" for what can be none."""
        if self.things[name].is_document:
            if len(id_) < 2:
                return ""
            return f"{KIND} EQ {literal(id_[0])} AND {NUMBER} EQ {literal(id_[1:])}"
        key = self.things[name].key
        if self.things[name].table:
            return f"{key} EQ {id_}" if id_.isdecimal() else ""
        return f"{key} EQ {literal(id_)}" if id_ else ""

    def behind(self, name: str, id_: str) -> str:
        """The condition that a record stands behind this one; "" at the beginning."""
        if not id_:
            return ""
        if self.things[name].is_document:
            kind, number = literal(id_[0]), literal(id_[1:])
            return f"({KIND} GT {kind}) OR ({KIND} EQ {kind} AND {NUMBER} GT {number})"
        key = self.things[name].key
        return f"{key} GT {id_ if self.things[name].table else literal(id_)}"

    def equal(self, name: str, field: str, value: Value) -> str | None:
        """The condition that a field holds a value; "" where no filter can say it, None where no record can."""
        form = self.shapes[name].fields[field].form
        if field in (ENTERED, NET_PRICE, DOCUMENT, POSITION, "TenantName") or form.type == "instant":
            return ""
        if value is None:
            # Of days that is broken since 22.3, and a text may be empty instead.
            return "" if form.type in ("date", "text") else f"{field} IS NULL"
        kinds: dict[str, type | tuple[type, ...]] = {
            "text": str,
            "boolean": bool,
            "integer": int,
            "date": date,
        }
        if not isinstance(value, kinds.get(form.type, (int, Decimal))):
            return None
        condition = f"{field} EQ {literal(value)}"
        return condition if len(chunks([condition])[0]) <= TEXT_MAX else ""

    # ---------------------------------------------------------------------------------- what is put together

    async def made_of(self, name: str, rows: Sequence[Any], names: Sequence[str]) -> list[Record]:
        """Records of rows, with what is asked for elsewhere."""
        shape = self.shapes[name]
        if ENTERED in names:
            entered = await self._entered_of(name, rows)
            rows = [{**row, ENTERED: self.id_of(name, row).casefold() in entered} for row in rows]
        if NET_PRICE in names and name == ARTICLES:
            rows = await together(list(rows), self._priced, self._concurrency)
        return [
            msgspec.structs.replace(shape.record(row, names), unfinished=self._is_held(name, row))
            for row in rows
        ]

    def _is_held(self, name: str, row: Any) -> bool:
        """Whether a document is parked, as it is until its positions are complete."""
        if not self.things[name].is_document:
            return False
        status = self.shapes[name].record(row, [STATUS]).native.get(STATUS)
        return bool(status == self._held)

    async def _entered_of(self, name: str, rows: Sequence[Any]) -> set[str]:
        """Which of these rows stand in the list of what is entered. A list that is long is asked for them alone: it would be
        read as a whole for each page of its object."""
        place, _, field = self._entered[name].partition(".")
        found, is_whole = await self._values(place, field, "", LIST_PAGES_MAX if rows else 0)
        if is_whole or not rows:
            return found
        asked = [self.equal(place, field, self.id_of(name, row)) for row in rows]
        for condition in chunks(one for one in asked if one) if all(asked) else [""]:
            found |= (await self._values(place, field, condition))[0]
        return found

    async def _values(
        self, name: str, field: str, condition: str, pages_max: int = 1_000_000
    ) -> tuple[set[str], bool]:
        """What a field holds in the rows that fit a condition, without the case of letters; whether those were all."""
        found: set[str] = set()
        position, read = "", self.shapes[name]
        for _ in range(pages_max):
            rows, _ = await self.listed(name, [condition, self.behind(name, position)], ROWS_MAX, position)
            values = [read.record(row, [field]).native.get(field) for row in rows]
            found |= {str(value).casefold() for value in values if value is not None}
            if len(rows) < SHORT:
                return found, True
            position = self.id_of(name, rows[-1])
        return found, False

    async def _priced(self, row: Any) -> Any:
        """An article with its net price of one unit; without, where that was not delivered."""
        price, factor = at(row, "Payment.ListPrice"), at(row, "Payment.PriceUnitFactor")
        if self._price_customer:
            path = f"{self.path(ARTICLES, self.id_of(ARTICLES, row))}/Sales/Prices/{segment(self._price_customer)}"
            request = Request(doing="ask for the sales price", path=path, query={"netPrice": "true"})
            rows = self._list(request, await self._client.ask(request))
            if not rows:
                return {**row, NET_PRICE: None}
            first = min(rows, key=lambda one: at(one, "Quantity") or 0)
            price, factor = at(first, "FinalPrice"), at(first, "PriceUnitFactor")
        if price is None:
            return {**row, NET_PRICE: None}
        if not isinstance(price, int | Decimal):
            return row
        per = Decimal(factor) if isinstance(factor, int | Decimal) and factor else Decimal(1)
        return {**row, NET_PRICE: Decimal(price) / per}
