"""The CSV folder: the connector contract, with the other person writing files as an ERP does, through the stdlib's csv.

What is special to files (bytes kept, half-written files, swaps, locks, full disks) is in test_csv_files.py.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.core.values import Value
from actors.ports import Connector
from clients.connectors.catalog import open_connector
from tests.connectors.contract import TYPES, ConnectorContract, DrawsIds, System

COLUMNS = ("id", "name", "note", "amount", "count", "active", "day", "extra")


class FolderSystem(System):
    """A folder whose files another program replaces, each time as a whole."""

    def __init__(self, folder: Path, encoding: str, separator: str, decimal: str) -> None:
        self.folder = folder
        self.file = folder / "people.csv"
        self.encoding, self.separator, self.decimal = encoding, separator, decimal
        self._put([])

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the connection."""
        people = {"file": "people.csv", "key": "id", "types": TYPES, "new_id": "K{number:05d}"}
        return {
            "path": str(self.folder),
            "decimal": self.decimal,
            "quiet_s": 0,
            "objects": {"people": people},
        }

    async def open(self) -> Connector:
        return await open_connector("csv", self.settings)

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        new = [
            {"id": id_, **{name: self._text(value) for name, value in row.items()}}
            for id_, row in rows.items()
        ]
        self._put([*self._get(), *new])

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        texts = {name: self._text(value) for name, value in changes.items()}
        self._put([{**row, **texts} if row["id"] == id else row for row in self._get()])

    async def delete(self, id: str) -> None:
        self._put([row for row in self._get() if row["id"] != id])

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        return {
            row.pop("id"): {name: self._value(name, text) for name, text in row.items()}
            for row in self._get()
        }

    def stored(self, field: str, value: Value) -> Value:
        """A cell cannot tell an empty text from none."""
        return None if value == "" else value

    def bad_native(self) -> Mapping[str, Value]:
        return {"day": "no day at all"}

    def _get(self) -> list[dict[str, str]]:
        with self.file.open(encoding=self.encoding, newline="") as file:
            return list(csv.DictReader(file, delimiter=self.separator, strict=True))

    def _put(self, rows: list[dict[str, str]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, delimiter=self.separator, restval="")
        writer.writeheader()
        writer.writerows(rows)
        new = self.file.with_suffix(".tmp")
        new.write_bytes(text.getvalue().encode(self.encoding))
        new.replace(self.file)

    def _text(self, value: Value) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        return format(value, "f").replace(".", self.decimal) if isinstance(value, Decimal) else str(value)

    def _value(self, field: str, text: str) -> Value:
        readers: dict[str, Callable[[], Value]] = {
            "decimal": lambda: Decimal(text.replace(self.decimal, ".")),
            "integer": lambda: int(text),
            "boolean": lambda: {"true": True, "false": False}[text],
            "date": lambda: date.fromisoformat(text),
        }
        reader = readers.get(TYPES.get(field, "text"), lambda: text)
        return reader() if text else None


class TestContract(DrawsIds, ConnectorContract):
    """Semicolons and decimal commas, as in most of Europe."""

    @pytest.fixture
    def system(self, tmp_path: Path) -> FolderSystem:
        return FolderSystem(tmp_path, "utf-8-sig", ";", ",")


class TestContractWithCommas(DrawsIds, ConnectorContract):
    """Commas and decimal points, no byte order mark."""

    @pytest.fixture
    def system(self, tmp_path: Path) -> FolderSystem:
        return FolderSystem(tmp_path, "utf-8", ",", ".")
