"""What Winestro's functions do: tables read in id order, single fields written after a fresh look at the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op, Record
from actors.core.values import BadValue, Value
from actors.ports import Declaration, ObjectInfo, Page, Write, WriteResult, WriteStatus
from clients.connectors.http.base import HttpConnector
from clients.connectors.http.client import HttpClient
from clients.connectors.http.shape import Shape, having
from clients.connectors.http.values import write_value
from clients.connectors.http.wire import HttpError, Request, at
from clients.connectors.http.writing import each, moved_on, result_of
from clients.connectors.systems.winestro_objects import Thing, bare, shape

ROWS_MAX: Final = 1000
WRITE_S: Final = 40.0  # of one batch; below the declared deadline


class WinestroConnector(HttpConnector):
    """One account. `entry`: what goes with each call; `actions`: how reading, writing and deleting are called there."""

    def __init__(
        self,
        declaration: Declaration,
        client: HttpClient,
        things: Mapping[str, Thing],
        entry: Mapping[str, str],
        actions: Mapping[str, str],
    ) -> None:
        super().__init__(declaration, client)
        self._shapes = {name: shape(name, thing) for name, thing in things.items()}
        self._entry = dict(entry)
        self._actions = actions

    # ------------------------------------------------------------------------------------------------- looking

    async def identity(self) -> str:
        """The customer number, under which the provider knows the account. A copy of it would have another one."""
        await self.check()
        return f"winestro:{self._entry['UID']}"

    async def check(self) -> None:
        """The settings of the shop, as the vendor's own clients test a connection."""
        request = self._asking("test the access", "getEinstellungen", {})
        body = await self.client.json(request)
        number = at(body, "kundennummer")
        if isinstance(number, str | int) and str(number) != self._entry["UID"]:
            raise TandemError(
                Kind.CONFIG,
                f"this is the account {number}, not {self._entry['UID']}",
                hint="check the setting 'uid', and the address",
            )

    async def describe(self) -> Sequence[ObjectInfo]:
        """The tables and their fields."""
        return [one.described() for one in self._shapes.values()]

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """By id, many at once."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        wanted = [id_ for id_ in ids if id_.isdecimal()]
        rows = await self._rows(object_name, {"id": ",".join(wanted)}) if wanted else []
        return [shape.record(row, names) for row in rows]

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """By id, from the last one met."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        most = min(limit, ROWS_MAX)
        rows = await self._rows(object_name, {"ab": position or "0", "anzahl": str(most)})
        records = tuple(shape.record(row, names) for row in rows)
        return Page(records, records[-1].id if records else position, len(records) == most)

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """By a field's value."""
        shape = self._shape(object_name)
        names = shape.checked([*fields, field])
        try:
            text = str(write_value(value, shape.fields[field].form))
        except BadValue:
            return []
        rows = await self._rows(object_name, {"feld": field, "wert": text})
        return having([shape.record(row, names) for row in rows], field, value, fields)

    # --------------------------------------------------------------------------------------------- one request

    async def _rows(self, table: str, asked: Mapping[str, str]) -> list[Any]:
        """The rows of an answer, in whichever of its shapes they come."""
        doing = f"read {table}"
        request = self._asking(doing, self._actions["read"], {"tabelle": table, **asked})
        answer = await self.client.ask(request)
        if answer.status == 204:
            return []
        body = self.client.body_of(request, answer)
        if body is None:
            return []
        found = body if isinstance(body, list) else at(body, "item")
        if isinstance(found, dict):
            found = [found]
        if not isinstance(found, list):
            # Neither rows nor a word that there are none: it proves nothing.
            raise HttpError(Kind.TRANSIENT, f"can't {doing}: winestro's answer holds no rows")
        return [bare(row) for row in found]

    def _asking(self, doing: str, action: str, asked: Mapping[str, str]) -> Request:
        return Request(
            doing=doing,
            method="POST",
            query={"apiACTION": action},
            form={**self._entry, **asked},
            writes=False,
        )

    def _shape(self, name: str) -> Shape:
        return self.known(self._shapes, name)

    # ------------------------------------------------------------------------------------------------- writing

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """One by one."""
        shape = self._shape(object_name)
        names = shape.checked(fields)

        async def one(write: Write) -> WriteResult:
            if write.op is Op.CREATE:
                return await self._set(object_name, shape, names, write)
            return await self._change(object_name, shape, names, write)

        return await each(writes, one, within_s=WRITE_S, session_check=self.check)

    async def _change(self, table: str, shape: Shape, names: Sequence[str], write: Write) -> WriteResult:
        shape.checked(write.native)
        rows = await self._rows(table, {"id": write.id}) if write.id.isdecimal() else []
        if not rows:
            return WriteResult(WriteStatus.GONE, write.id)
        now = shape.record(rows[0], list(shape.fields)).native
        if moved := moved_on(write, now):
            return WriteResult(WriteStatus.MOVED_ON, write.id, error=f"moved on: {moved}")
        if write.op is Op.DELETE:
            request = self._writing(f"delete {table}", "delete", {"tabelle": table, "id": write.id})
            return result_of(write, await self.client.call(request))
        return await self._set(table, shape, names, write)

    async def _set(self, table: str, shape: Shape, names: Sequence[str], write: Write) -> WriteResult:
        try:
            body = shape.body(write.native)
        except BadValue as error:
            return WriteResult(WriteStatus.REFUSED, write.id, error=str(error))
        values = {f"feld_{name}": str(raw) for name, raw in body.items()}
        verb = "update" if write.id else "create"
        target = {"id": write.id} if write.id else {}
        request = self._writing(f"{verb} {table}", "write", {"tabelle": table, **target, **values})
        answer = await self.client.call(request)
        if answer.meaning != "ok":
            return result_of(write, answer)
        row = bare(at(self.client.body_of(request, answer), "item"))
        if not isinstance(row, dict):
            raise HttpError(Kind.UNKNOWN, f"winestro did not say what became of {table}", scope=Scope.RECORD)
        return result_of(write, answer, shape.record(row, names))

    def _writing(self, doing: str, act: str, asked: Mapping[str, str]) -> Request:
        return Request(
            doing=doing,
            method="POST",
            query={"apiACTION": self._actions[act]},
            form={**self._entry, **asked},
            record=True,
            scope=Scope.RECORD,
        )
