"""Rows of a table as records: the wanted fields, exact values, the column that is missing by its name.

Pure. Must not: touch files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from actors.core.attachments import own_path
from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.core.values import UNKNOWN, BadValue, Seen, Value
from clients.connectors.files.cells import Meaning, read_cell
from clients.connectors.files.text import Row, Table

Shown = Callable[[str, str], Seen]


def nothing_named(column: str, cell: str) -> Seen:
    """What a cell names, in a table whose cells name no files."""
    return UNKNOWN


def native(
    table: Table, row: Row, meaning: Meaning, fields: Iterable[str], shown: Shown = nothing_named
) -> dict[str, Value]:
    """The wanted fields of a row. `shown`: the description of the file that a cell of a column names."""
    texts = table.texts(row)
    found: dict[str, Value] = {}
    for name in fields:
        column = own_path(name)
        if name == column:
            found[name] = read_cell(texts[name], name, meaning)
        elif (told := shown(column, texts[column])) is not UNKNOWN:
            found[name] = told
    return found


def record(
    table: Table, id_: str, file: str, meaning: Meaning, fields: Sequence[str], shown: Shown = nothing_named
) -> Record:
    """One record of a table; REJECTED for its stream, naming the line, where a cell holds what no value can be."""
    row = table.rows[table.index[id_]]
    try:
        return Record(id_, native(table, row, meaning, fields, shown))
    except BadValue as error:
        message = f"{file}, line {row.line}: {error}"
        raise TandemError(Kind.REJECTED, message, scope=Scope.STREAM, hint="correct this line") from error


def check_fields(table: Table, file: str, fields: Iterable[str]) -> None:
    """CONFIG naming the first column that the file does not have, and those it has."""
    for name in map(own_path, fields):
        if not name or name not in table.columns:
            there = ", ".join(column for column in table.columns if column)
            message = f"the file {file} has no column '{name}'"
            raise TandemError(Kind.CONFIG, message, scope=Scope.STREAM, hint=f"it has: {there}")
