"""Booking a sales invoice in WinBooks, once; and the lists of a folder by which codes are ids.

The vendor asks to fetch and keep those lists; what is missing in them is looked for once more before it is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final, Protocol

import anyio
import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.values import BadValue
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.http.client import HttpClient
from clients.connectors.http.shape import Shape
from clients.connectors.http.wire import Answer, HttpError, Request
from clients.connectors.http.writing import result_of
from clients.connectors.systems.winbooks_criteria import EQ, above, where
from clients.connectors.systems.winbooks_invoices import LISTS, Booking, Codes, document
from clients.connectors.systems.winbooks_objects import INVOICE, KEY, LINES, NOBODY

KEPT_S: Final = 300.0
ROWS_MAX: Final = 500


class Rows(Protocol):
    """The rows that criteria find, at most `most`, with the first answer."""

    async def __call__(
        self, name: str, conditions: Sequence[dict[str, Any]], most: int, after: str = "", /
    ) -> tuple[list[Any], Answer]: ...


class Lists:
    """The lists of one folder, as they were read last."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._codes = Codes({})
        self._until = -1.0
        self._reading = anyio.Lock()

    async def codes(self, *, anew: bool = False) -> Codes:
        """All of them."""
        async with self._reading:
            if anew or anyio.current_time() >= self._until:
                found: dict[str, dict[str, Any]] = {}
                for name in LISTS:
                    found[name] = {str(row[KEY]).lower(): row for row in await self._every(name)}
                self._codes, self._until = Codes(found), anyio.current_time() + KEPT_S
            return self._codes

    async def countries(self) -> dict[str, str]:
        """Codes of countries by id."""
        return {id_: str(row["Code"]) for id_, row in (await self.codes()).rows["Country"].items()}

    async def id_of(self, name: str, code: Any) -> str:
        """The id of what is called so; that of nobody where there is none."""
        found = (await self.codes()).row(name, str(code)) if code is not None else None
        return str(found[KEY]) if found is not None else NOBODY

    async def called(self, name: str, code: str) -> str:
        """The id of what is called so; BadValue where there is none."""
        codes = await self.codes()
        if codes.row(name, code) is None:
            codes = await self.codes(anew=True)
        return str(codes.called(name, code)[KEY])

    async def _every(self, name: str) -> list[Any]:
        rows: list[Any] = []
        last = ""
        while page := (await self._rows(name, above(last), ROWS_MAX, last))[0]:
            rows += page
            last = str(page[-1][KEY])
        return rows


class Booker:
    """Books invoices. `look`: the record of an object by its id, None where there is none."""

    def __init__(
        self,
        client: HttpClient,
        lists: Lists,
        rows: Rows,
        look: Callable[[str, str], Awaitable[Any]],
        settings: Mapping[str, Any],
    ) -> None:
        self._client = client
        self._lists = lists
        self._rows = rows
        self._look = look
        self._accounts = (settings["customers_account"], settings["sales_account"], settings["vat_account"])
        self._currency = str(settings["currency"])

    async def book(self, shape: Shape, write: Write, values: Mapping[str, Any], path: str) -> WriteResult:
        """One invoice, in one request. `values`: the fields of the write as a body has them."""
        journal = await self._lists.called("Journal", str(values.get("JournalCode")))
        number, day = values.get("DocNumber"), write.native.get("BookDate")
        if not isinstance(day, date) or number is None:
            raise BadValue("an invoice is booked with BookDate and DocNumber")
        for line in values.get(LINES) or ():
            await self._lists.called("VatAccount", str(line.get("VatCode")))
        if await self._booked(shape, journal, number, day) is not None:
            return WriteResult(WriteStatus.REFUSED, error=f"exists already: {values['JournalCode']} {number}")
        asked = [where(EQ, "RelatedYear", day.year), where(EQ, "RelatedMonth", day.month)]
        periods, _ = await self._rows("BookPeriod", asked, 2)
        if not periods:
            raise BadValue(f"there is no book period for {day:%Y-%m}")
        customer = await self._look("Customer", str(values.get("Customer_Id")))
        if customer is None:
            raise BadValue("there is no such customer")
        codes, period = await self._lists.codes(), str(periods[0][KEY])
        body = document(values, Booking(codes, customer, period, self._accounts, self._currency))
        request = writing("book an invoice", "POST", path, body)
        answer = await self._client.call(request)
        if answer.meaning != "ok":
            return result_of(write, answer)
        row = self._client.body_of(request, answer)
        if not (isinstance(row, dict) and row.get(KEY)):
            row = await made(INVOICE, lambda: self._booked(shape, journal, number, day))
        return WriteResult(WriteStatus.DONE, shape.id_of(row))

    async def _booked(self, shape: Shape, journal: str, number: Any, day: date) -> Any:
        """The document with that number in the journal and the year of that day; None where there is none."""
        asked = [where(EQ, "Journal_Id", journal, kind="System.Guid"), where(EQ, "DocNumber", number)]
        rows, _ = await self._rows(INVOICE, asked, ROWS_MAX)
        found = ((row, shape.record(row, ["BookDate"]).native.get("BookDate")) for row in rows)
        return next((row for row, at in found if isinstance(at, date) and at.year == day.year), None)


async def made(name: str, found: Callable[[], Awaitable[Any]]) -> Any:
    """What was just made, as it is found; UNKNOWN where it isn't."""
    try:
        row = await found()
    except TandemError as error:
        raise HttpError(Kind.UNKNOWN, error.message, scope=error.scope) from error
    if row is None:
        words = f"winbooks did not say under which id it made {name}"
        raise HttpError(Kind.UNKNOWN, words, scope=Scope.RECORD)
    return row


async def nobody() -> None:
    """Nothing to find it by."""


def writing(doing: str, method: str, path: str, body: Any = msgspec.UNSET) -> Request:
    """A request that may change one record."""
    return Request(doing=doing, method=method, path=path, json=body, record=True, scope=Scope.RECORD)
