"""Writes to Sage 50: checked against the newest export, put into import files, awaited until an export shows them.

Must not: say that something is done before the program shows it, or write to a record whose last import is under way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import anyio
import anyio.to_thread

from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import ATTACHED
from actors.core.types import Op
from actors.core.values import BadValue, Value, canonical, same
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.files.cells import BadCell, write_cell
from clients.connectors.files.rows import check_fields, native, record
from clients.connectors.files.text import Table as Rows
from clients.connectors.systems.sage50fr_folder import SageFolder
from clients.connectors.systems.sage50fr_imports import Sent
from clients.connectors.systems.sage50fr_settings import Table

_PAUSE_MIN_S: Final = 0.02
_PAUSE_MAX_S: Final = 1.0
_STAMPS_MAX: Final = 5
_NOW: Final = "this batch"


class Refused(Exception):
    """One write cannot be done, in words for a person."""


class Line(NamedTuple):
    """A row of an import file. `place`: of its write in the batch; `cells`: by column, the key among them."""

    place: int
    id: str
    cells: Mapping[str, str]


class Writing:
    """Everything that is written to one exchange folder."""

    def __init__(self, folder: SageFolder) -> None:
        self._folder = folder

    async def write(
        self, table: Table, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """One result per write, in order."""
        results: dict[int, WriteResult] = {}
        sent: dict[Sent, list[Line]] = {}
        async with self._folder.lock():
            rows, under_way = await self._as_it_stands(table)
            for write in writes:
                check_fields(rows, table.form.file, [*write.native, *write.seen, *fields])
            lines: dict[tuple[str, ...], list[Line]] = defaultdict(list)
            for place, write in enumerate(writes):
                outcome = self._line(table, rows, under_way, place, write)
                if isinstance(outcome, WriteResult):
                    results[place] = outcome
                else:
                    lines[tuple(outcome.cells)].append(outcome)
                    under_way = {**under_way, outcome.id: _NOW}
            for columns, some in lines.items():
                cells = {line.id: list(line.cells.values()) for line in some}
                put = self._folder.imports.put
                sent[await anyio.to_thread.run_sync(put, table.stem, rows.key, columns, cells)] = some
            if self._folder.spec.keep_days:
                clean = self._folder.imports.clean
                await anyio.to_thread.run_sync(clean, table.stem, self._folder.spec.keep_days)
        results |= await self._awaited(table, writes, sent, fields)
        return [results[place] for place in range(len(writes))]

    async def _as_it_stands(self, table: Table) -> tuple[Rows, dict[str, str]]:
        """The newest export, and the keys whose import it can't show yet."""
        for _ in range(_STAMPS_MAX):
            before = await self._folder.settled(table.form)
            rows = await self._folder.look(table.form)
            if before is not None and before == await self._folder.settled(table.form):
                call = self._folder.imports.under_way
                args = (table.stem, rows.key, before.mtime_ns)
                return rows, await anyio.to_thread.run_sync(call, *args)
        raise TandemError(
            Kind.TRANSIENT, f"the export {table.form.file} is being written", scope=Scope.STREAM
        )

    def _line(
        self, table: Table, rows: Rows, under_way: Mapping[str, str], place: int, write: Write
    ) -> Line | WriteResult:
        """The row that carries out a write, or what became of it already."""
        try:
            if any(name.endswith(ATTACHED) for name in (*write.native, *write.seen)):
                raise Refused("the import files of Sage 50 carry no images")
            id_ = write.id if write.op is not Op.CREATE else self._new_id(table, rows, write)
            if write.op is Op.CREATE and under_way.get(id_) == _NOW:
                raise Refused(f"'{id_}' exists already: it is made by this very batch")
            if id_ in under_way:
                why = f"an import of '{id_}' is under way ({under_way[id_]}); it goes once an export shows it"
                return WriteResult(WriteStatus.NOT_DONE, id_, error=why)
            if write.op is not Op.CREATE:
                if id_ not in rows.index:
                    return WriteResult(WriteStatus.GONE, id_)
                if not _as_seen(table, rows, write):
                    return WriteResult(WriteStatus.MOVED_ON, id_)
            if write.op is Op.DELETE:
                raise Refused("the import files of Sage 50 cannot delete; delete it there")
            return self._row(table, rows, place, id_, write)
        except (Refused, BadValue) as error:
            return WriteResult(WriteStatus.REFUSED, write.id, error=str(error))

    def _new_id(self, table: Table, rows: Rows, write: Write) -> str:
        stated = canonical(write.native.get(rows.key))
        id_ = write.id if stated is None else self._cell(table, rows.key, stated, "")
        if not id_.strip():
            raise Refused(f"a new record needs a value in '{rows.key}', or set new_id for this object")
        if id_ in rows.index:
            # An import would change whoever has this code.
            raise Refused(f"'{id_}' exists already")
        return id_

    def _row(self, table: Table, rows: Rows, place: int, id_: str, write: Write) -> Line:
        if not table.takes:
            raise Refused(f"nothing is imported into '{table.name}' (setting objects.{table.name}.import)")
        held = rows.texts(rows.rows[rows.index[id_]]) if write.op is not Op.CREATE else {}
        whole = self._folder.spec.whole_rows
        cells: dict[str, str] = {}
        for name in rows.columns:
            old = held.get(name, "")
            if name == rows.key:
                cells[name] = self._cell(table, name, id_, "")
            elif name in write.native:
                cells[name] = self._cell(table, name, canonical(write.native[name]), old)
            elif whole and name:
                cells[name] = old
        if rows.key in write.native and not same(canonical(write.native[rows.key]), id_):
            raise Refused(f"the key '{rows.key}' of '{id_}' cannot be changed: it says which record this is")
        return Line(place, id_, cells)

    def _cell(self, table: Table, name: str, value: Value, old: str) -> str:
        try:
            text = write_cell(value, name, old, table.meaning)
        except BadCell as error:
            raise Refused(f"field '{name}': {error}") from None
        if any(mark in text for mark in "\t\r\n"):
            raise Refused(f"field '{name}': a text of Sage 50 cannot hold a tab or the end of a line")
        try:
            text.encode(self._folder.spec.encoding)
        except UnicodeEncodeError as error:
            encoding, wrong = self._folder.spec.encoding, text[error.start]
            raise Refused(f"field '{name}': {encoding} has no character {wrong!r}") from None
        size = table.sizes.get(name, 0)
        if size and len(text) > size and text != old:
            raise Refused(f"field '{name}': Sage 50 holds {size} characters, this has {len(text)}")
        return text

    async def _awaited(
        self, table: Table, writes: Sequence[Write], sent: Mapping[Sent, list[Line]], fields: Sequence[str]
    ) -> dict[int, WriteResult]:
        """What became of each row: refused, done, or not known by the end of `wait_s`."""
        results: dict[int, WriteResult] = {}
        waiting = dict(sent)
        deadline, pause = anyio.current_time() + self._folder.spec.wait_s, _PAUSE_MIN_S
        while waiting:
            for file, lines in list(waiting.items()):
                left = await self._looked_at(table, writes, file, lines, fields, results)
                if left:
                    waiting[file] = left
                else:
                    del waiting[file]
            if not waiting or anyio.current_time() >= deadline:
                break
            await anyio.sleep(pause)
            pause = min(pause * 1.5, _PAUSE_MAX_S)
        for file, lines in waiting.items():
            why = f"no export shows yet what Sage 50 is to take in from {file.path.name}"
            results |= {line.place: WriteResult(WriteStatus.UNKNOWN, line.id, error=why) for line in lines}
        return results

    async def _looked_at(
        self,
        table: Table,
        writes: Sequence[Write],
        file: Sent,
        lines: Sequence[Line],
        fields: Sequence[str],
        results: dict[int, WriteResult],
    ) -> list[Line]:
        """Note what is known of a file's rows by now; those of which it is not."""
        state = await anyio.to_thread.run_sync(self._folder.imports.state, file)
        if state.whole:
            await anyio.to_thread.run_sync(self._folder.imports.withdraw, file)
            if len(lines) == len(writes):
                raise _bad_format(file, state.whole)
            no = {line.place: WriteResult(WriteStatus.NOT_DONE, line.id, error=state.whole) for line in lines}
            results |= no
            return []
        if not state.taken:
            return list(lines)
        try:
            rows = await self._folder.look(table.form)
        except TandemError:
            return list(lines)  # an export that is being written: the next one shows it
        left = []
        for line in lines:
            if (reason := state.refused.get(line.id)) is not None:
                results[line.place] = WriteResult(WriteStatus.REFUSED, line.id, error=reason)
            elif _shows(table, rows, line.id, writes[line.place]):
                shown = record(rows, line.id, table.form.file, table.meaning, fields)
                results[line.place] = WriteResult(WriteStatus.DONE, line.id, shown)
            else:
                left.append(line)
        return left


def _as_seen(table: Table, rows: Rows, write: Write) -> bool:
    held = native(rows, rows.rows[rows.index[write.id]], table.meaning, write.seen)
    return all(same(held[name], canonical(value)) for name, value in write.seen.items())


def _shows(table: Table, rows: Rows, id_: str, write: Write) -> bool:
    """Whether an export holds what was written."""
    if id_ not in rows.index or not set(write.native) <= set(rows.columns):
        return False
    held = native(rows, rows.rows[rows.index[id_]], table.meaning, write.native)
    wanted = {name: canonical(value) for name, value in write.native.items()}
    return all(same(held[name], None if value == "" else value) for name, value in wanted.items())


def _bad_format(file: Sent, words: str) -> TandemError:
    return TandemError(
        Kind.CONFIG,
        f"Sage 50 takes nothing in from {file.path.name}: {words}",
        scope=Scope.STREAM,
        hint="let the import format of the program have the columns of its export (settings objects, import_columns)",
    )
