"""The rows of one emulated system, and the ways in which a system shows something else than it holds.

Rows live in memory, by table and key. Every change is told to listeners (webhooks, automations). Must not: speak HTTP.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Literal

import msgspec

from clients.emulators.description import Description, Key, Refused, Row, Table, checked, taken

By = Literal["api", "person", "automation"]
JSON = msgspec.json.Encoder(decimal_format="string")


class Change(msgspec.Struct, frozen=True):
    """What happened to one row. `before`, `after`: the whole row, None where there was or is none."""

    op: Literal["insert", "edit", "delete"]
    table: str
    key: Key
    before: Row | None
    after: Row | None
    by: By


class Near(msgspec.Struct, frozen=True):
    """Where the rows are that a question can be about: those whose `field` holds one of `values`, or (of the key) those from
    `least` to `most`. A question with many answers may still show fewer of them: it tests each."""

    field: str
    values: Sequence[Any] | None = None
    least: Any = None
    most: Any = None


class Backup(msgspec.Struct, frozen=True):
    """The whole state at a time."""

    rows: dict[str, dict[Key, Row]]
    next: dict[str, int]


class Data:
    """The state of one system."""

    def __init__(self, description: Description) -> None:
        self.description = description
        self.tables: dict[str, dict[Key, Row]] = {table.name: {} for table in description.tables}
        self.hidden: set[tuple[str, str]] = set()  # rows that no read shows, as (table, key)
        self.absent: set[tuple[str, str]] = set()  # fields that no read shows, as (table, field)
        self.skew_s = 0.0  # the system's clock against ours
        self.lag_s = 0.0  # reads show what was there so long ago
        self.reuse_ids = False  # a new row takes the highest id that was freed
        self.listeners: list[Callable[[Change], None]] = []
        self.guards: list[Callable[[Change], None]] = []  # the vendor's own refusals, before anything happens
        self._next = {table.name: table.first for table in description.tables}
        self._freed: dict[str, list[int]] = {table.name: [] for table in description.tables}
        self._past: list[tuple[float, str, Key, Row | None]] = []  # what stood there until then, newest last
        self._backups: dict[str, Backup] = {}
        self._numbers = count(1)
        self._sorted: dict[str, list[Key]] = {}  # keys in order, of tables that were read
        # Who holds a value that no two rows may share.
        self._index: dict[tuple[str, tuple[str, ...], tuple[Any, ...]], Key] = {}
        self._held: dict[tuple[str, str, Any], set[Key]] = {}  # who holds a value of an indexed field

    # ---------------------------------------------------------------------------------------------- looking

    def now(self) -> datetime:
        """The system's own time, in its own resolution."""
        whole = self.description.resolution_s
        at = time.time() + self.skew_s
        return datetime.fromtimestamp(at - at % whole, UTC)

    def table(self, name: str) -> Table:
        """The description of a table."""
        return self.description.table(name)

    def shown(self, name: str, near: Near | None = None) -> list[Row]:
        """The rows that a read shows, in key order: lagging, without what is hidden and without absent fields. `near`: none
        but these are needed; others may come, too."""
        rows = self.tables[name]
        if not (self.lag_s or self.hidden or self.absent):
            return self._in_order(name, near)
        if self.lag_s:
            rows = self._as_of(name, time.monotonic() - self.lag_s)
        gone = {field for table, field in self.absent if table == name}
        return [
            {field: value for field, value in row.items() if field not in gone} if gone else row
            for key, row in sorted(rows.items(), key=lambda item: _order(item[0]))
            if (name, str(key)) not in self.hidden
        ]

    def _in_order(self, name: str, near: Near | None) -> list[Row]:
        rows, keys = self.tables[name], self._sorted.get(name)
        if keys is None or len(keys) != len(rows) or (keys and keys[-1] not in rows):
            keys = self._sorted[name] = sorted(rows, key=_order)
        try:
            return [rows[key] for key in self._near(name, keys, near)]
        except KeyError:  # somebody moved rows by hand
            self._sorted.pop(name)
            return self._in_order(name, near)

    def _near(self, name: str, keys: list[Key], near: Near | None) -> Sequence[Key]:
        if near is None:
            return keys
        table = self.table(name)
        if near.values is not None:
            held = self._holders(table, near.field, near.values)
            return keys if held is None else sorted(held, key=_order)
        if near.field != table.key:
            return keys
        try:
            first = 0 if near.least is None else bisect_left(keys, near.least)
            end = len(keys) if near.most is None else bisect_right(keys, near.most)
        except TypeError:
            return keys
        return keys[first:end]

    def _holders(self, table: Table, field: str, values: Sequence[Any]) -> set[Key] | None:
        """The keys of rows that hold one of the values; None where nobody keeps a list of that."""
        if field == table.key:
            rows = self.tables[table.name]
            # The key as the row has it: an equal number may be written otherwise.
            return {rows[value][field] for value in values if value in rows}
        if field in table.indexed:
            return set().union(*(self._held.get((table.name, field, value), ()) for value in values))
        if (field,) not in table.unique or any(value in (None, "") for value in values):
            return None
        found = (self._index.get((table.name, (field,), (value,))) for value in values)
        return {key for key in found if key is not None}

    def holder(self, name: str, field: str, value: Any) -> Key | None:
        """The key of the row that holds a value which no two rows share; None: nobody."""
        return self._index.get((name, (field,), (value,)))

    def look(self, name: str, key: Key) -> Row | None:
        """One row as a read shows it, or None."""
        if not self.lag_s and not self.hidden and not self.absent:
            return self.tables[name].get(key)
        field = self.table(name).key
        return next((row for row in self.shown(name) if row.get(field, key) == key), None)

    def _as_of(self, name: str, at: float) -> dict[Key, Row]:
        rows = dict(self.tables[name])
        for when, table, key, before in reversed(self._past):
            if when <= at:
                break
            if table == name and before is None:
                rows.pop(key, None)
            elif table == name and before is not None:
                rows[key] = before
        return rows

    # --------------------------------------------------------------------------------------------- changing

    def insert(self, name: str, values: Mapping[str, Any], by: By = "api") -> Row:
        """A new row; `Refused` where the system won't have it."""
        table = self.table(name)
        row = {field.name: field.default for field in table.fields} | self._typed(table, values)
        if table.draws and not (by == "person" and row.get(table.key)):
            row[table.key] = self._draw(name)
        key = row[table.key]
        if key in (None, ""):
            raise Refused(f"{table.key} cannot be blank", code="FieldCannotBeBlank", field=table.key)
        if key in self.tables[name]:
            raise Refused(f"{table.key} {key} exists already", code="KeyExists", field=table.key)
        self._stamp(table, row, table.created, table.modified)
        self._put(Change("insert", name, key, None, row, by), table)
        return row

    def edit(self, name: str, key: Key, values: Mapping[str, Any], by: By = "api") -> Row:
        """Change fields of a row; `Refused` where it is not there or the system won't have it so."""
        table, before = self.table(name), self.tables[name].get(key)
        if before is None:
            raise Refused(f"there is no {name} {key}", code="CouldNotFind")
        row = before | self._typed(table, values)
        self._stamp(table, row, table.modified)
        self._put(Change("edit", name, key, before, row, by), table)
        return row

    def delete(self, name: str, key: Key, by: By = "api") -> None:
        """Remove a row; `Refused` where it is not there or the system keeps it."""
        before = self.tables[name].get(key)
        if before is None:
            raise Refused(f"there is no {name} {key}", code="CouldNotFind")
        change = Change("delete", name, key, before, None, by)
        self._guard(change)
        self._forget(self.table(name), before)
        del self.tables[name][key]
        self._sorted.pop(name, None)
        if isinstance(key, int):
            self._freed[name].append(key)
        self._tell(change)

    def _typed(self, table: Table, values: Mapping[str, Any]) -> Row:
        row: Row = {}
        for name, value in values.items():
            field = table.field(name)
            if field is not None:
                row[name] = taken(field, value)
            elif self.description.unknown_fields == "refused":
                raise Refused(f"{table.name} has no field {name}", field=name)
        return row

    def _draw(self, name: str) -> int:
        if self.reuse_ids and self._freed[name]:
            return self._freed[name].pop()
        return self._next[name]

    def _stamp(self, table: Table, row: Row, *names: str) -> None:
        for name in names:
            if name:
                row[name] = self.now()

    def _put(self, change: Change, table: Table) -> None:
        assert change.after is not None
        row = checked(table, change.after)
        for group, value in _unique(table, row):
            if self._index.get((table.name, group, value), change.key) != change.key:
                words = f"{', '.join(group)} {', '.join(map(str, value))} exists already"
                raise Refused(words, code="KeyExists", field=group[0])
        self._guard(change)
        self._forget(table, change.before)
        if change.before is None and (keys := self._sorted.get(table.name)) is not None:
            insort(keys, change.key, key=_order)
        self.tables[table.name][change.key] = row
        self._remember(table, change.key, row)
        if isinstance(change.key, int):
            self._next[table.name] = max(self._next[table.name], change.key + 1)
        self._tell(change)

    def _remember(self, table: Table, key: Key, row: Row) -> None:
        for group, value in _unique(table, row):
            self._index[table.name, group, value] = key
        for field in table.indexed:
            self._held.setdefault((table.name, field, row.get(field)), set()).add(key)

    def _forget(self, table: Table, row: Row | None) -> None:
        for group, value in _unique(table, row or {}):
            self._index.pop((table.name, group, value), None)
        if row is not None:
            for field in table.indexed:
                self._held.get((table.name, field, row.get(field)), set()).discard(row[table.key])

    def _index_all(self) -> None:
        self._index.clear()
        self._held.clear()
        self._sorted.clear()
        for name, rows in self.tables.items():
            for key, row in rows.items():
                self._remember(self.table(name), key, row)

    def _guard(self, change: Change) -> None:
        for guard in self.guards:
            guard(change)

    def _tell(self, change: Change) -> None:
        if self.lag_s:
            self._past.append((time.monotonic(), change.table, change.key, change.before))
        for listener in list(self.listeners):
            listener(change)

    # ------------------------------------------------------------------------------------- backups and files

    def backup(self) -> str:
        """Remember the whole state; the name under which it can be restored."""
        name = f"backup-{next(self._numbers)}"
        rows = {table: dict(held) for table, held in self.tables.items() if not self.table(table).apart}
        self._backups[name] = Backup(rows, dict(self._next))
        return name

    def restore(self, name: str) -> None:
        """Go back to a backup as an administrator does: nobody is told, and ids drawn since are drawn again."""
        state = self._backups[name]
        # Another mapping: who watches notices by it.
        self.tables = self.tables | {table: dict(held) for table, held in state.rows.items()}
        self._next = dict(state.next)
        self._past.clear()
        self._index_all()

    def save(self, path: Path) -> None:
        """Write all rows to a file."""
        part = path.with_suffix(path.suffix + ".part")
        part.write_bytes(JSON.encode({name: list(rows.values()) for name, rows in self.tables.items()}))
        part.replace(path)

    def load(self, path: Path) -> None:
        """Read all rows from a file that `save` wrote, or that has fewer fields; where there is none, nothing is there."""
        if not path.exists():
            return
        for name, rows in msgspec.json.decode(path.read_bytes()).items():
            table = self.table(name)
            new = {field.name: field.default for field in table.fields}
            typed = [new | self._typed(table, row) for row in rows]
            self.tables[name] = {row[table.key]: row for row in typed}
            self._next[name] = max(
                (int(key) + 1 for key in self.tables[name] if isinstance(key, int)), default=1
            )
        self._index_all()


def _order(key: Key) -> tuple[bool, Key]:
    return isinstance(key, str), key


def _unique(table: Table, row: Row) -> Iterator[tuple[tuple[str, ...], tuple[Any, ...]]]:
    for group in table.unique:
        value = tuple(row.get(field) for field in group)
        if not any(part in (None, "") for part in value):
            yield group, value
