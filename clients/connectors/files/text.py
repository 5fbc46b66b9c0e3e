"""Text to rows and back, keeping every byte that nobody changed: raw lines, quoting, line ends, encoding, BOM.

Pure. Must not: touch files, or know what a cell means (`cells.py` does).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

QUOTE: Final = '"'
SEPARATORS: Final = (";", ",", "\t", "|")
KEY_SIZE_MAX: Final = 500  # characters; what is longer goes on from a quote that somebody forgot
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class BrokenText(Exception):
    """The text is no table. `line` counts from 1; `half`: it looks as if somebody is still writing it."""

    def __init__(self, line: int, message: str, half: bool = False) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.half = half


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written. `newline`: the character that ends a line; `eol`: the whole line end. `quotes`: whether a cell
    may stand in quotes; where not, a quote is a character like any other."""

    encoding: str
    bom: bytes
    separator: str
    newline: str
    eol: str
    quotes: bool = True


class Row(NamedTuple):
    """A line (or several, where a cell holds line ends) as it stands in the file, with its line end."""

    raw: str
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """A parsed file. `index`: key -> place in `rows`; `ids`: sorted keys. Rows without any text are in no index."""

    dialect: Dialect
    head: Row
    columns: tuple[str, ...]
    key: str
    rows: tuple[Row, ...]
    index: Mapping[str, int]
    ids: tuple[str, ...]

    def texts(self, row: Row) -> dict[str, str]:
        """The cells of a row by column, without their quotes; columns without a name are left out."""
        cells = split(row.raw, self.dialect)
        return {
            name: said(cell, self.dialect) for name, cell in zip(self.columns, cells, strict=True) if name
        }


def parse(
    content: bytes, encoding: str, separator: str, key: str, last_line: str, quotes: bool = True
) -> Table:
    """The table in `content`. `encoding` and `separator` may be "auto"; `key` "" takes the first column.

    Raises `BrokenText` for anything but a whole, rectangular table with distinct keys: never a shorter list.
    """
    text, encoding, bom = decoded(content, encoding, last_line)
    newline = "\n" if "\n" in text or "\r" not in text else "\r"
    first = text[: text.find(newline)] if newline in text else text
    eol = "\r\n" if newline == "\n" and first.endswith("\r") else newline
    separator = found_separator(first) if separator == "auto" else separator
    dialect = Dialect(encoding, bom, separator, newline, eol, quotes)
    rows = list(_records(text, dialect))
    if not rows or not rows[0][0].raw.strip():
        raise BrokenText(1, "has no header line", half=True)
    head, cells = rows.pop(0)
    columns = tuple(said(cell, dialect).strip() for cell in cells)
    key = key or columns[0]
    check_columns(columns, key)
    index = _indexed(rows, columns.index(key), len(columns), dialect)
    return Table(dialect, head, columns, key, tuple(row for row, _ in rows), index, tuple(sorted(index)))


def decoded(content: bytes, encoding: str, last_line: str) -> tuple[str, str, bytes]:
    """Text, encoding and byte order mark. A cut-off end is found before the encoding is guessed from it."""
    bom, marked = next(((mark, name) for mark, name in _BOMS if content.startswith(mark)), (b"", ""))
    body = content[len(bom) :]
    if not body:
        raise BrokenText(1, "is empty, without even a header line", half=True)
    lines = body.count(b"\n") + 1
    if last_line == "terminated" and not body.rstrip(b"\x00").endswith((b"\n", b"\r")):
        raise BrokenText(lines, "ends within its last line", half=True)
    encoding = marked or {"utf-8-sig": "utf-8", "auto": ""}.get(encoding, encoding)
    try:
        text = body.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if error.reason in {"unexpected end of data", "truncated data"}:
            raise BrokenText(lines, "ends within a character", half=True) from None
        if not encoding:
            return decoded(content, "cp1252", last_line)
        line = body.count(b"\n", 0, error.start) + 1
        raise BrokenText(line, f"holds bytes that are no {encoding}") from None
    if "\x00" in text:
        raise BrokenText(text.count("\n", 0, text.index("\x00")) + 1, "holds NUL characters", half=True)
    return text, encoding or "utf-8", bom


def found_separator(head: str) -> str:
    """The separator that stands most often in the header line, outside quotes."""
    bare = "".join(head.split(QUOTE)[::2])
    return max(SEPARATORS, key=bare.count)


def check_columns(columns: Sequence[str], key: str) -> None:
    """Column names are distinct, and the key is one of them."""
    named = [name for name in columns if name]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise BrokenText(1, f"has more than one column '{twice[0]}'")
    if key not in named:
        raise BrokenText(1, f"has no key column '{key}', but: {', '.join(named)}")


def split(raw: str, dialect: Dialect) -> list[str]:
    """The raw cells of one row."""
    return _record(raw, 0, 0, dialect)[1]


def said(cell: str, dialect: Dialect) -> str:
    """What a raw cell says."""
    return cell[1:-1].replace('""', QUOTE) if dialect.quotes and cell.startswith(QUOTE) else cell


def quoted(text: str, dialect: Dialect, style: bool) -> str:
    """A raw cell for `text`, in quotes where it needs them or where the `style` of its column has them."""
    special = (dialect.separator, QUOTE, "\r", "\n")
    if style or text != text.strip() or any(mark in text for mark in special):
        return QUOTE + text.replace(QUOTE, '""') + QUOTE
    return text


def joined(cells: Sequence[str], eol: str, dialect: Dialect) -> str:
    """One raw row of raw cells."""
    return dialect.separator.join(cells) + eol


def line_end(raw: str) -> str:
    """The line end of a raw row; "" for an unterminated last one."""
    return raw[len(raw.rstrip("\r\n")) :] if raw.endswith(("\n", "\r")) else ""


def rendered(table: Table, rows: Sequence[Row]) -> bytes:
    """The file with other rows."""
    parts = [table.head.raw, *(row.raw for row in rows)]
    ended = [part if part.endswith(("\n", "\r")) else part + table.dialect.eol for part in parts[:-1]]
    return table.dialect.bom + "".join([*ended, parts[-1]]).encode(table.dialect.encoding)


def _records(text: str, dialect: Dialect) -> Iterator[tuple[Row, list[str]]]:
    if not dialect.quotes or QUOTE not in text:  # a line is a row
        *lines, rest = text.split(dialect.newline)
        for number, plain in enumerate(lines, 1):
            yield Row(plain + dialect.newline, number), plain.rstrip("\r\n").split(dialect.separator)
        if rest:
            yield Row(rest, len(lines) + 1), rest.rstrip("\r\n").split(dialect.separator)
        return
    start, line = 0, 1
    while start < len(text):
        end, cells = _record(text, start, line, dialect)
        raw = text[start:end]
        yield Row(raw, line), cells
        start, line = end, line + raw.count(dialect.newline)


def _record(text: str, start: int, line: int, dialect: Dialect) -> tuple[int, list[str]]:
    end = _line_stop(text, start, dialect)
    plain = text[start:end]
    if QUOTE not in plain or not dialect.quotes:
        return end, plain.rstrip("\r\n").split(dialect.separator)
    cells: list[str] = []
    position = start
    while True:
        cell_end = _cell_end(text, position, line, dialect)
        cells.append(text[position:cell_end])
        if text[cell_end : cell_end + 1] != dialect.separator:
            return _line_stop(text, cell_end, dialect), cells
        position = cell_end + 1


def _cell_end(text: str, start: int, line: int, dialect: Dialect) -> int:
    if not text.startswith(QUOTE, start):
        stop = _line_stop(text, start, dialect)
        end = text.find(dialect.separator, start, stop)
        return end if end >= 0 else start + len(text[start:stop].rstrip("\r\n"))
    search = start + 1
    while (close := text.find(QUOTE, search)) >= 0 and text.startswith(QUOTE, close + 1):
        search = close + 2
    if close < 0:
        raise BrokenText(line, "ends within a quoted cell that begins in this line", half=True)
    if not text.startswith((dialect.separator, dialect.newline, "\r\n"), close + 1) and close + 1 < len(text):
        raise BrokenText(line, "has text after the closing quote of a cell")
    return close + 1


def _line_stop(text: str, start: int, dialect: Dialect) -> int:
    found = text.find(dialect.newline, start)
    return len(text) if found < 0 else found + 1


def _indexed(
    rows: Sequence[tuple[Row, list[str]]], key_place: int, width: int, dialect: Dialect
) -> dict[str, int]:
    index: dict[str, int] = {}
    for place, (row, cells) in enumerate(rows):
        if len(cells) == width:
            key = said(cells[key_place], dialect)
            if key not in index and key.strip() and len(key) <= KEY_SIZE_MAX:  # nearly always
                index[key] = place
                continue
        if not any(said(cell, dialect) for cell in cells):
            continue
        if len(cells) != width:
            last = place == len(rows) - 1
            raise BrokenText(
                row.line, f"has a row of {len(cells)} cells where the header has {width}", half=last
            )
        key = said(cells[key_place], dialect)
        if not key.strip():
            raise BrokenText(row.line, "has a row without a key")
        if len(key) > KEY_SIZE_MAX:
            said_of_it = (
                f"has a key of {len(key):,} characters, '{key[:20]}…'; at most {KEY_SIZE_MAX} are one"
            )
            raise BrokenText(row.line, said_of_it)
        if key in index:
            first = rows[index[key]][0].line
            raise BrokenText(row.line, f"has the key '{key}' twice, in line {first} and in line {row.line}")
        index[key] = place
    return index
