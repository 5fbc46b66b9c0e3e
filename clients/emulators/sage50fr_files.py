"""How Sage 50 writes and reads its text files: tabs, a header of labels, Windows-1252, 31/12/2026, 1,5, Oui and Non.

Must not: quote anything. A tab in the data breaks the file, as it does with the vendor.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from clients.emulators.description import Field, Refused, Row, Table

EOL = "\r\n"


class Held:
    """A file that the program has written in its place and not let go of yet."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    def close(self) -> None:
        """Let go."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def write_in_place(path: Path, content: bytes) -> Held:
    """Write over a file as desktop programs do: no new name, no swap, but nobody else while it lasts."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.ftruncate(handle, 0)
    os.write(handle, content)
    return Held(handle)


def rendered(table: Table, columns: Sequence[str], rows: Sequence[Row], encoding: str) -> bytes:
    """An export."""
    lines = ["\t".join(columns)]
    lines += ["\t".join(_shown(row[name]) for name in columns) for row in rows]
    return (EOL.join(lines) + EOL).encode(encoding, "replace")


def decoded(content: bytes) -> tuple[list[str], list[list[str]]]:
    """Header and rows of an import file; `Refused` where it is none."""
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError as error:
        raise Refused("le fichier n'est pas en ANSI") from error
    if not text.endswith(EOL):
        raise Refused("fin de fichier inattendue")
    head, *rows = [line.split("\t") for line in text.removesuffix(EOL).split(EOL)]
    return head, rows


def parsed(table: Table, columns: Sequence[str], cells: Sequence[str]) -> Row:
    """The values of one row; `Refused` naming the first that is none."""
    row: Row = {}
    for label, text in zip(columns, cells, strict=True):
        field = table.field(label)
        assert field is not None
        row[label] = _value(field, text)
    return row


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Oui" if value else "Non"
    if isinstance(value, Decimal):
        return format(value, "f").replace(".", ",")
    if isinstance(value, date):
        return f"{value.day:02d}/{value.month:02d}/{value.year:04d}"
    return str(value)


def _value(field: Field, text: str) -> Any:
    if text == "":
        return None
    try:
        match field.type:
            case "decimal":
                return Decimal(text.replace(",", "."))
            case "integer":
                return int(text)
            case "date":
                return datetime.strptime(text, "%d/%m/%Y").date()  # noqa: DTZ007 - a day has no zone
            case "boolean":
                return {"Oui": True, "Non": False}[text]
    except (ValueError, KeyError, InvalidOperation) as error:
        raise Refused(f"{field.name}: valeur incorrecte {text}", field=field.name) from error
    return text
