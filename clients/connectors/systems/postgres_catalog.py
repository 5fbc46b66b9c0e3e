"""What the database's own catalog says of the objects: tables, columns, keys. Read once, and again after a change.

Must not read rows of the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.unit_lines import IN_LINES
from actors.ports import FieldInfo, Find, ObjectInfo
from clients.connectors.lines import asked_lines
from clients.connectors.systems.postgres_session import Session
from clients.connectors.systems.postgres_settings import LinesSetting, ObjectSetting, Settings
from clients.connectors.systems.postgres_values import Column, quoted, with_descriptions

COLUMNS_SQL = Path(__file__).with_name("postgres_catalog.sql").read_text(encoding="utf-8")
TABLES_SQL = """
SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition ORDER BY 1 LIMIT 50"""
SHOWN_MAX = 30
# Of modified columns: the first carries a zone, the others need the setting time_zone.
ZONED, ZONELESS = "timestamptz", frozenset({"timestamp", "date"})


class Table(msgspec.Struct, frozen=True):
    """An object. `kind`: pg_class.relkind. `has_children`: other tables inherit from it. `is_utf8`: the database."""

    object: str
    oid: int
    schema: str
    name: str
    kind: str
    key: Column
    columns: Mapping[str, Column]
    find: Find
    modified: Column | None = None
    has_children: bool = False
    is_utf8: bool = True
    doc: str = ""
    lines: Mapping[str, LineTable] = {}

    @property
    def sql(self) -> str:
        """The table's name for a statement."""
        return quoted(self.schema, self.name)

    def chosen(self, names: Iterable[str], *, to_write: bool = False) -> tuple[Column, ...]:
        """The columns of these names; raises CONFIG naming the fields that are not there and those that are."""
        names = tuple(names)
        if missing := [name for name in names if name not in self.columns]:
            there = ", ".join(list(self.columns)[:SHOWN_MAX])
            raise TandemError(
                Kind.CONFIG,
                f"{self.object} has no field {', '.join(missing)}",
                scope=Scope.STREAM,
                hint=f"The columns of table {self.name} are {there}",
            )
        chosen = tuple(self.columns[name] for name in names)
        if to_write and (computed := [column.name for column in chosen if column.generated]):
            raise TandemError(
                Kind.CONFIG,
                f"{self.object}: {', '.join(computed)} is computed by the database and can't be written",
                scope=Scope.STREAM,
                hint="Map the field one way only",
            )
        return chosen

    def described(self) -> ObjectInfo:
        """For people and for the check of blueprints."""
        fields = tuple(
            FieldInfo(column.name, column.field_type, column.required, column.writable, column.doc)
            for column in self.columns.values()
        )
        for path, of in self.lines.items():
            fields += (FieldInfo(path, "lines", doc=of.table.doc),)
            fields += tuple(
                msgspec.structs.replace(one, name=f"{path}{IN_LINES}{one.name}")
                for one in of.table.described().fields
            )
        return ObjectInfo(self.object, self.key.name, fields, self.doc)

    def lacks(self, fields: Iterable[str]) -> bool:
        """Whether the object, or a table of its lines, has no column for one of these fields."""
        plain, lines = asked_lines(fields)
        known = {path: of.table.columns for path, of in self.lines.items()}
        return any(name not in self.columns for name in plain) or any(
            cell not in known.get(path, ()) for path, cells in lines.items() for cell in cells
        )

    def of(self, path: str) -> LineTable:
        """The table of the lines called `path`; raises CONFIG naming those there are."""
        if path not in self.lines:
            raise TandemError(
                Kind.CONFIG,
                f"{self.object} has no lines {path}",
                scope=Scope.STREAM,
                hint=f"Name their table in the setting objects: lines; there are {', '.join(self.lines) or 'none'}",
            )
        return self.lines[path]


class LineTable(msgspec.Struct, frozen=True):
    """A table whose rows are lines of an object; its `key` is that of a line. `parent`: the column with the object's key."""

    table: Table
    parent: Column
    order: Column

    def cells(self, names: Iterable[str], *, to_write: bool = False) -> tuple[Column, ...]:
        """The columns of these cells; raises CONFIG for one that is not there, or that is a list: a cell is one value."""
        columns = self.table.chosen(names, to_write=to_write)
        if lists := [column.name for column in columns if column.is_array]:
            raise TandemError(
                Kind.CONFIG,
                f"{self.table.object}: {', '.join(lists)} is a list, and a cell of a line is a single value",
                scope=Scope.STREAM,
            )
        return columns


class Catalog:
    """The objects of one connection. `refresh` before first use."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._tables: Mapping[str, Table] | None = None

    @property
    def tables(self) -> Sequence[Table]:
        """All objects as last read."""
        return tuple((self._tables or {}).values())

    @property
    def watched(self) -> Sequence[Table]:
        """Whose changes a feed tells of: objects, and the tables of their lines, of which it tells as of their object."""
        return [
            one
            for table in self.tables
            if table.find is Find.FEED
            for one in (table, *(_as_parent(table, of) for of in table.lines.values()))
        ]

    async def table(self, object_name: str) -> Table:
        """The object's table, which may be new; raises CONFIG naming the objects there are."""
        if object_name not in (self._tables or {}):
            await self.refresh()
        table = (self._tables or {}).get(object_name)
        if table is None:
            there = ", ".join(list(self._tables or {})[:SHOWN_MAX]) or "none"
            raise TandemError(
                Kind.CONFIG,
                f"there is no object {object_name}",
                scope=Scope.STREAM,
                hint=f"The objects of this connection are {there}; see the setting objects",
            )
        return table

    async def refresh(self) -> None:
        """Read the catalog; raises CONFIG where an object of the settings can't be had."""
        objects = self._settings.objects
        below = [of.table for item in objects.values() for of in item.lines]
        names = sorted({*(item.table for item in objects.values()), *below}) if objects else None
        rows = await self._session.fetch("read the catalog", COLUMNS_SQL, self._settings.schema, names)
        encoding = await self._session.fetch(
            "read the catalog", "SELECT current_setting('server_encoding') AS name"
        )
        is_utf8 = encoding[0]["name"] == "UTF8"
        found = {name: list(group) for name, group in groupby(rows, key=lambda row: str(row["relation"]))}
        if objects:
            await self._check_there(found)
            tables = [_with_lines(self._settings, item, found, is_utf8) for item in objects.values()]
        else:
            tables = _every_table(self._settings, found, is_utf8)
        self._tables = {table.object: table for table in tables}

    async def _check_there(self, found: Mapping[str, Any]) -> None:
        items: list[ObjectSetting | LinesSetting] = [*self._settings.objects.values()]
        items += [below for item in self._settings.objects.values() for below in item.lines]
        missing = [item for item in items if item.table not in found]
        if not missing:
            return
        rows = await self._session.fetch("list the tables", TABLES_SQL, self._settings.schema)
        there = ", ".join(row["name"] for row in rows) or "none that this role can see"
        raise TandemError(
            Kind.CONFIG,
            f"there is no table {', '.join(item.table for item in missing)} in schema {self._settings.schema}",
            hint=f"The tables there are: {there}",
        )


def _every_table(settings: Settings, found: Mapping[str, list[asyncpg.Record]], is_utf8: bool) -> list[Table]:
    return [
        _table(settings, ObjectSetting(name, name, find=settings.find), rows, is_utf8)
        for name, rows in found.items()
        if any(row["is_primary"] for row in rows)
    ]


def _with_lines(
    settings: Settings, item: ObjectSetting, found: Mapping[str, list[asyncpg.Record]], is_utf8: bool
) -> Table:
    table = _table(settings, item, found[item.table], is_utf8)
    lines = {}
    for of in item.lines:
        own = ObjectSetting(f"{item.name}.{of.path}", of.table, of.key)
        below = _table(settings, own, found[of.table], is_utf8)
        if missing := [name for name in (of.parent, of.order) if name and name not in below.columns]:
            hint = f"Its columns are {', '.join(below.columns)}"
            raise _unfit(own, f"table {of.table} has no column {', '.join(missing)}", hint)
        order = below.columns[of.order] if of.order else below.key
        lines[of.path] = LineTable(below, below.columns[of.parent], order)
    return msgspec.structs.replace(table, lines=lines)


def _as_parent(table: Table, of: LineTable) -> Table:
    """A table of lines as a feed sees it: its rows are touches of the object."""
    return msgspec.structs.replace(of.table, object=table.object, key=of.parent, find=table.find)


def _table(settings: Settings, item: ObjectSetting, rows: Sequence[asyncpg.Record], is_utf8: bool) -> Table:
    first = rows[0]
    columns = with_descriptions({str(row["name"]): _column(row) for row in rows})
    return Table(
        object=item.name,
        oid=first["oid"],
        schema=settings.schema,
        name=item.table,
        kind=first["kind"],
        key=columns[_key_name(item, rows)],
        columns=columns,
        find=item.find,
        modified=_modified(settings, item, columns),
        has_children=first["has_children"],
        is_utf8=is_utf8,
        doc=first["relation_doc"] or "",
    )


def _column(row: asyncpg.Record) -> Column:
    default = row["default_expr"] or ""
    return Column(
        name=row["name"],
        base=row["elem_name"] or row["type_name"],
        cast=quoted(row["type_schema"], row["type_name"]),
        is_array=row["elem_name"] is not None,
        is_enum=bool(row["is_enum"] or row["elem_is_enum"]),
        required=row["not_null"] and not (default or row["identity"] or row["generated"]),
        writable=row["writable"] and not row["generated"],
        generated=row["generated"],
        identity=row["identity"],
        default=default,
        doc=row["doc"] or "",
    )


def _key_name(item: ObjectSetting, rows: Sequence[asyncpg.Record]) -> str:
    if not item.key:
        primary = [str(row["name"]) for row in rows if row["is_primary"]]
        if not primary:
            raise _unfit(
                item, f"table {item.table} has no primary key of one column", "Name a unique column as key"
            )
        return primary[0]
    row = next((row for row in rows if row["name"] == item.key), None)
    if row is None:
        there = ", ".join(str(row["name"]) for row in rows)
        raise _unfit(
            item, f"table {item.table} has no column {item.key} to be the key", f"Its columns are {there}"
        )
    if row["kind"] in {"r", "p"} and not row["is_unique"]:
        hint = "Make it so with CREATE UNIQUE INDEX, or choose another key"
        raise _unfit(item, f"column {item.key} of table {item.table} is not unique", hint)
    return item.key


def _modified(settings: Settings, item: ObjectSetting, columns: Mapping[str, Column]) -> Column | None:
    if not item.modified:
        return None
    column = columns.get(item.modified)
    if column is None:
        hint = f"Its columns are {', '.join(columns)}"
        raise _unfit(item, f"table {item.table} has no column {item.modified} (setting modified)", hint)
    if column.is_array or column.base not in {ZONED, *ZONELESS}:
        raise _unfit(
            item, f"column {item.modified} is no time", "Name a timestamp, or use find: trigger or full"
        )
    if column.base in ZONELESS and not settings.time_zone:
        raise _unfit(
            item, f"column {item.modified} carries no time zone", "Say which it is: setting time_zone"
        )
    return column


def _unfit(item: ObjectSetting, message: str, hint: str) -> TandemError:
    return TandemError(Kind.CONFIG, f"object {item.name}: {message}", scope=Scope.CONNECTION, hint=hint)
