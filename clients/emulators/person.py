"""A person at an emulated system: enters, edits, deletes and reads past the API. What the vendor refuses is refused, too.

Must not: know any system.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clients.emulators.data import Data
from clients.emulators.description import Key, Refused, Row
from clients.emulators.faults import Edit


class Person:
    """Whoever sits in front of the system."""

    def __init__(self, data: Data) -> None:
        self._data = data

    def insert(self, table: str, *rows: Mapping[str, Any]) -> list[Key]:
        """Enter rows; their keys. A row that brings its own key keeps it."""
        key = self._data.table(table).key
        return [self._data.insert(table, row, by="person")[key] for row in rows]

    def edit(self, table: str, key: Key, values: Mapping[str, Any] | None = None, **more: Any) -> Row:
        """Change fields of a row; the row as it stands then."""
        return dict(self._data.edit(table, key, {**(values or {}), **more}, by="person"))

    def delete(self, table: str, key: Key) -> None:
        """Remove a row."""
        self._data.delete(table, key, by="person")

    def rows(self, table: str) -> dict[Key, Row]:
        """All rows as they are, by key; no lag, nothing hidden."""
        return {key: dict(row) for key, row in self._data.tables[table].items()}

    def row(self, table: str, key: Key) -> Row:
        """One row; KeyError where there is none."""
        return dict(self._data.tables[table][key])

    def find(self, table: str, **values: Any) -> list[Row]:
        """Rows with these values."""
        return [
            dict(row)
            for row in self._data.tables[table].values()
            if all(row.get(name) == value for name, value in values.items())
        ]

    def do(self, edit: Edit) -> None:
        """One move, as data; one that the system refuses did not happen."""
        try:
            if edit.op == "insert":
                self.insert(edit.table, edit.values)
            elif edit.op == "edit":
                self.edit(edit.table, edit.key, edit.values)
            else:
                self.delete(edit.table, edit.key)
        except Refused:
            return
