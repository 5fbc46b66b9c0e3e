"""Writes against a parsed file: checked against what stands there now, applied to raw rows, one outcome each.

Pure (ids are drawn by a function that is passed in). Must not: touch files; a batch is swapped in by `csv.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from actors.core.types import Op, Record
from actors.core.values import UNKNOWN, BadValue, Value, canonical, same
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.files.cells import BadCell, Meaning, write_cell
from clients.connectors.files.rows import Shown, native, nothing_named
from clients.connectors.files.text import QUOTE, Row, Table, joined, line_end, quoted, said, split


class Refused(Exception):
    """One write cannot be done, in words for a person."""


@dataclass(slots=True)
class Draft:
    """A file that is being changed. `draw` gives a new id, or "" where the object has none of its own; `shown` describes
    the file that a cell names."""

    table: Table
    meaning: Meaning
    draw: Callable[[], str]
    shown: Shown = nothing_named
    rows: list[Row | None] = field(init=False)
    index: dict[str, int] = field(init=False)
    changed: bool = False

    def __post_init__(self) -> None:
        self.rows = list(self.table.rows)
        self.index = dict(self.table.index)

    def apply(self, write: Write, fields: Sequence[str]) -> WriteResult:
        """Carry out one write in the draft."""
        try:
            if write.op is Op.CREATE:
                return self._create(write, fields)
            if write.id not in self.index:
                return WriteResult(WriteStatus.GONE, write.id)
            if not self._as_seen(write):
                return WriteResult(WriteStatus.MOVED_ON, write.id)
            return self._delete(write) if write.op is Op.DELETE else self._update(write, fields)
        except (Refused, BadValue) as error:
            return WriteResult(WriteStatus.REFUSED, write.id, error=str(error))

    def final_rows(self) -> list[Row]:
        """The rows as they shall stand in the file."""
        return [row for row in self.rows if row is not None]

    def _as_seen(self, write: Write) -> bool:
        held = self._native(write.id, list(write.seen))
        return all(same(held.get(name, UNKNOWN), canonical(value)) for name, value in write.seen.items())

    def _update(self, write: Write, fields: Sequence[str]) -> WriteResult:
        old = self._row(write.id)
        cells = split(old.raw, self.table.dialect)
        for place, name in enumerate(self.table.columns):
            if name in write.native:
                cells[place] = self._cell(
                    name, write.native[name], cells[place], cells[place].startswith(QUOTE)
                )
        raw = joined(cells, line_end(old.raw), self.table.dialect)
        if self._key_of(cells) != write.id:
            raise Refused(
                f"the key '{self.table.key}' of '{write.id}' cannot be changed: it says which record this is"
            )
        self._put(self.index[write.id], Row(raw, old.line))
        return self._done(write.id, fields)

    def _delete(self, write: Write) -> WriteResult:
        self._put(self.index.pop(write.id), None)
        return WriteResult(WriteStatus.DONE, write.id)

    def _create(self, write: Write, fields: Sequence[str]) -> WriteResult:
        stated = canonical(write.native.get(self.table.key))
        natural = "" if stated is None else write_cell_or_refuse(stated, self.table.key, "", self.meaning)
        id_ = natural or write.id or self.draw()  # what the record itself says goes before what was reserved
        if not id_.strip():
            hint = f"give '{self.table.key}' a value, or set new_id for this object"
            raise Refused(f"a new record needs a value in the key column '{self.table.key}' ({hint})")
        if id_ in self.index:
            raise Refused(f"'{id_}' exists already")
        styles = self._styles()
        cells = []
        for name, style in zip(self.table.columns, styles, strict=True):
            text = self._checked(name, id_) if name == self.table.key else None
            cells.append(
                quoted(text, self.table.dialect, style) if text else self._new_cell(name, write.native, style)
            )
        self.index[id_] = len(self.rows)
        self.rows.append(Row(joined(cells, self.table.dialect.eol, self.table.dialect), 0))
        self.changed = True
        return self._done(id_, fields)

    def _new_cell(self, name: str, values: Mapping[str, Value], style: bool) -> str:
        return self._cell(name, values.get(name), quoted("", self.table.dialect, style), style)

    def _cell(self, name: str, value: Value, old_raw: str, style: bool) -> str:
        old = said(old_raw, self.table.dialect)
        text = write_cell_or_refuse(canonical(value), name, old, self.meaning)
        return old_raw if text == old else quoted(self._checked(name, text), self.table.dialect, style)

    def _checked(self, name: str, text: str) -> str:
        try:
            text.encode(self.table.dialect.encoding)
        except UnicodeEncodeError as error:
            wrong, encoding = text[error.start], self.table.dialect.encoding
            raise Refused(
                f"field '{name}': the file is {encoding}, which has no character {wrong!r}"
            ) from None
        return text

    def _styles(self) -> list[bool]:
        """Which columns stand in quotes: as in the last row, else as in the header."""
        last = next(
            (row for row in reversed(self.rows) if row is not None and row.raw.strip()), self.table.head
        )
        cells = split(last.raw, self.table.dialect)
        return [cell.startswith(QUOTE) for cell in cells]

    def _key_of(self, cells: Sequence[str]) -> str:
        return said(cells[self.table.columns.index(self.table.key)], self.table.dialect)

    def _put(self, place: int, row: Row | None) -> None:
        self.changed = self.changed or row is None or row != self.rows[place]
        self.rows[place] = row

    def _row(self, id_: str) -> Row:
        row = self.rows[self.index[id_]]
        assert row is not None
        return row

    def _done(self, id_: str, fields: Sequence[str]) -> WriteResult:
        return WriteResult(WriteStatus.DONE, id_, Record(id_, self._native(id_, fields)))

    def _native(self, id_: str, fields: Sequence[str]) -> dict[str, Value]:
        return native(self.table, self._row(id_), self.meaning, fields, self.shown)


def write_cell_or_refuse(value: Value, name: str, old: str, meaning: Meaning) -> str:
    """`write_cell`, refusing in words that name the field."""
    try:
        return write_cell(value, name, old, meaning)
    except BadCell as error:
        raise Refused(f"field '{name}': {error}") from None
