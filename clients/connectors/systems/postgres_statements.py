"""The statements that write, built for one shape of a batch: all rows at once, each with its own precondition.

A batch arrives as arrays of text, one per column (`Shape.arrays`); `w` is a row of it, `t` the table. Must not run
anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from actors.core.types import Op
from actors.ports import Write
from clients.connectors.systems.postgres_catalog import Table
from clients.connectors.systems.postgres_values import Column, encoded, fill, matches, quoted, typed

INSERT = """
INSERT INTO {table} AS t ({targets}) {overriding}
SELECT {values} FROM unnest({arrays}) WITH ORDINALITY AS w({names}, place) ORDER BY w.place
RETURNING {wanted}, t.{key}::text"""
INSERT_DEFAULTS = "INSERT INTO {table} AS t DEFAULT VALUES RETURNING {wanted}, t.{key}::text"
UPDATE = """
UPDATE {table} AS t SET {sets} FROM {rows} AS w({names})
 WHERE {is_row} AND {holds} RETURNING {wanted}, w.id"""
DELETE = """
DELETE FROM {table} AS t USING unnest({arrays}) AS w({names})
 WHERE {is_row} AND {holds} RETURNING {wanted}, w.id"""
STILL = "SELECT w.id, {holds} AS holds FROM {table} AS t JOIN unnest({arrays}) AS w({names}) ON {is_row}"


@dataclass(frozen=True, slots=True)
class Shape:
    """Writes of one kind to the same columns. `has_id`: the key is known before the write."""

    table: Table
    op: Op
    written: tuple[Column, ...]
    seen: tuple[Column, ...]
    has_id: bool

    def arrays(self, writes: Sequence[Write]) -> list[list[str | None]]:
        """The values of the statement: ids, written columns, seen columns; raises BadValue."""
        return [
            [write.id for write in writes],
            *([encoded(column, write.native[column.name]) for write in writes] for column in self.written),
            *([encoded(column, write.seen[column.name]) for write in writes] for column in self.seen),
        ]

    def statement(self, wanted: str, *, is_single: bool = False) -> str:
        """Writes all rows of the arrays; returns `wanted`, then the row's id as it was asked for. `is_single`: an update of
        arrays of one, for which the server plans once and not each time, since there is nothing to join."""
        if self.op is Op.CREATE:
            return self._insert(wanted)
        # An update without columns still has its precondition, and its record as the reply.
        columns = self.table.columns.values()
        itself = next((c for c in columns if not (c.generated or c.identity)), self.table.key)
        sets = ", ".join(
            f"{quoted(column.name)} = {typed(column, f'w.n{place}')}"
            for place, column in enumerate(self.written)
        )
        return fill(
            DELETE if self.op is Op.DELETE else UPDATE,
            table=self.table.sql,
            sets=sets or f"{quoted(itself.name)} = t.{quoted(itself.name)}",
            arrays=self._placeholders(),
            rows=self._one_row() if is_single else f"unnest({self._placeholders()})",
            names=", ".join(self._names()),
            is_row=self._is_row(),
            holds=self._holds(),
            wanted=wanted,
        )

    def still(self) -> str:
        """For the same arrays: which rows are there, and whether their precondition holds."""
        return fill(
            STILL,
            table=self.table.sql,
            arrays=self._placeholders(),
            names=", ".join(self._names()),
            is_row=self._is_row(),
            holds=self._holds(),
        )

    def _insert(self, wanted: str) -> str:
        key = self.table.key
        pairs = [(key.name, typed(key, "w.id"))] if self.has_id else []
        pairs += [
            (column.name, typed(column, f"w.n{place}"))
            for place, column in enumerate(self.written)
            if not (self.has_id and column.name == key.name)
        ]
        if not pairs:
            return fill(INSERT_DEFAULTS, table=self.table.sql, wanted=wanted, key=quoted(key.name))
        return fill(
            INSERT,
            table=self.table.sql,
            targets=", ".join(quoted(name) for name, _ in pairs),
            overriding="OVERRIDING SYSTEM VALUE"
            if any(self.table.columns[name].identity for name, _ in pairs)
            else "",
            values=", ".join(value for _, value in pairs),
            arrays=self._placeholders(),
            names=", ".join(self._names()),
            wanted=wanted,
            key=quoted(key.name),
        )

    @property
    def takes_values(self) -> bool:
        """Whether the statement has arrays at all: an insert of nothing but defaults has none."""
        return self.op is not Op.CREATE or self.has_id or bool(self.written)

    def _names(self) -> list[str]:
        written = [f"n{place}" for place in range(len(self.written))]
        return ["id", *written, *(f"s{place}" for place in range(len(self.seen)))]

    def _placeholders(self) -> str:
        return ", ".join(f"${number}::text[]" for number in range(1, len(self._names()) + 1))

    def _one_row(self) -> str:
        columns = (f"(${number}::text[])[1]" for number in range(1, len(self._names()) + 1))
        return f"(SELECT {', '.join(columns)})"

    def _is_row(self) -> str:
        key = f"t.{quoted(self.table.key.name)}"
        return f"{key} = {typed(self.table.key, 'w.id')} AND {key}::text = w.id"

    def _holds(self) -> str:
        conditions = [
            matches(column, f"w.s{place}", is_utf8=self.table.is_utf8)
            for place, column in enumerate(self.seen)
        ]
        return "(" + " AND ".join(conditions) + ")" if conditions else "true"


Kin = tuple[Op, bool, tuple[str, ...], tuple[str, ...]]


def _kin(write: Write) -> Kin:
    """What writes of one statement have in common: kind, whether the key is known, columns written and seen."""
    op = Op.UPDATE if write.op is Op.MARK else write.op
    written = () if op is Op.DELETE else tuple(sorted(write.native))
    return op, bool(write.id), written, () if op is Op.CREATE else tuple(sorted(write.seen))


def _shape(table: Table, kin: Kin) -> Shape:
    op, has_id, written, seen = kin
    return Shape(table, op, table.chosen(written, to_write=True), table.chosen(seen), has_id)


def grouped(table: Table, writes: Sequence[Write]) -> Iterator[tuple[Shape, list[int]]]:
    """Places of writes that one statement can carry out. Kinds keep their order, and so do writes to one record.

    Raises CONFIG for columns that are not there or can't be written.
    """
    waiting: dict[Kin, list[int]] = {}
    last_op, ids = None, set[str]()
    for place, write in enumerate(writes):
        kin = _kin(write)
        op, has_id, _, _ = kin
        # Without an id the rows of the reply can't be told apart, so such a create goes alone.
        if op is not last_op or write.id in ids or not has_id:
            yield from ((_shape(table, known), places) for known, places in waiting.items())
            waiting, last_op, ids = {}, op if has_id else None, set()
        ids.add(write.id)
        waiting.setdefault(kin, []).append(place)
    yield from ((_shape(table, known), places) for known, places in waiting.items())
