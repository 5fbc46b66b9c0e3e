"""Rows of a table as records: the wanted fields, exact values, the column that is missing by its name.

Pure. Must not: touch files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.core.values import BadValue, Value
from clients.connectors.files.cells import Meaning, read_cell
from clients.connectors.files.text import Row, Table


def native(table: Table, row: Row, meaning: Meaning, fields: Iterable[str]) -> dict[str, Value]:
    """The wanted fields of a row."""
    texts = table.texts(row)
    return {name: read_cell(texts[name], name, meaning) for name in fields}


def record(table: Table, id_: str, file: str, meaning: Meaning, fields: Sequence[str]) -> Record:
    """One record of a table; REJECTED for its stream, naming the line, where a cell holds what no value can be."""
    row = table.rows[table.index[id_]]
    try:
        return Record(id_, native(table, row, meaning, fields))
    except BadValue as error:
        message = f"{file}, line {row.line}: {error}"
        raise TandemError(Kind.REJECTED, message, scope=Scope.STREAM, hint="correct this line") from error


def check_fields(table: Table, file: str, fields: Iterable[str]) -> None:
    """CONFIG naming the first column that the file does not have, and those it has."""
    for name in fields:
        if not name or name not in table.columns:
            there = ", ".join(column for column in table.columns if column)
            message = f"the file {file} has no column '{name}'"
            raise TandemError(Kind.CONFIG, message, scope=Scope.STREAM, hint=f"it has: {there}")
