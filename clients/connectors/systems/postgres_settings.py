"""The postgres connector's settings as typed data, and its declaration. Must not talk to the database."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from actors.core.errors import Kind, TandemError
from actors.ports import Declaration, Find, Setting, Webhook

MODES: Mapping[str, Find] = {"trigger": Find.FEED, "modified": Find.MODIFIED, "full": Find.FULL}
_OBJECT_SETTINGS = frozenset({"table", "key", "modified", "find", "lines"})
_LINES_SETTINGS = ("table", "parent", "key", "order")
_ZONE = re.compile(r"[A-Za-z0-9_+/:-]*", re.ASCII)

DECLARATION = Declaration(
    name="postgres",
    doc="Tables of a PostgreSQL database (13 or newer) as objects, one row a record. The url must reach the server "
    "itself or a pooler in session mode.",
    settings=(
        Setting(
            "url",
            required=True,
            secret=True,
            doc="postgresql://user:password@host:port/database?sslmode=require",
        ),
        Setting("schema", default="public", doc="The schema that holds the tables."),
        Setting(
            "objects",
            type="map",
            default={},
            doc="Object name -> {table: (the object's name), key: (the primary key's column), modified: (column that "
            "every change sets to the current time), find: trigger | modified | full, lines: {field: {table, parent: "
            "(column that holds the object's key), key, order: (column)}}}. Empty: every table with a primary key of one "
            "column.",
        ),
        Setting(
            "find",
            default="full",
            choices=("trigger", "modified", "full"),
            doc="How changes are found where an object says nothing (and names no modified column). trigger: a queue "
            "of touched keys in the schema tandem, fed by triggers; needs the rights CREATE on the database and "
            "TRIGGER on the tables. full: complete reads.",
        ),
        Setting(
            "consumer",
            default="",
            doc="Name of this reader's queue (find: trigger). Two daemons on one database need two names. Default: "
            "derived from user, database and objects. A reader that is gone for good is removed with "
            "tandem.forget('name').",
        ),
        Setting(
            "overlap_s",
            type="integer",
            default=60,
            doc="find: modified. Looks again this many seconds behind the cursor, for clocks that are not the server's.",
        ),
        Setting(
            "time_zone",
            default="",
            doc="find: modified. The zone of modified columns that carry none, e.g. UTC or Europe/Berlin.",
        ),
    ),
    find=(Find.FEED, Find.MODIFIED, Find.FULL),
    # Pages of a complete read are several snapshots, and row level security may hide rows.
    absence="hint",
    by_id=True,
    ids="may_be_reused",
    version="none",
    precondition="atomic",
    reply="record",
    draws_ids=True,
    rows=True,
    lines="rows",
    attachments=True,
    find_by_field=True,
    missing_means="unknown",
    session="shared",
    # Nothing that commits leaves after the deadline; this is the room for what is under way then (postgres_write.QUICK_S).
    vendor_tail_s=5.0,
    batch_max=1000,
    concurrency=4,
    deadline_s=30.0,
    # For programs that write into the database where no trigger may be made.
    webhook=Webhook(
        "token", header="X-Tandem-Token", object="json:object", ids="json:ids.*", event="json:event"
    ),
)


class LinesSetting(msgspec.Struct, frozen=True):
    """A table whose rows are lines of an object. `parent`: the column that holds the object's key. `key`, `order` "": its
    primary key, and by that."""

    path: str
    table: str
    parent: str
    key: str = ""
    order: str = ""


class ObjectSetting(msgspec.Struct, frozen=True):
    """What the settings say of one object; `key` and `modified` "" = not said."""

    name: str
    table: str
    key: str = ""
    modified: str = ""
    find: Find = Find.FULL
    lines: tuple[LinesSetting, ...] = ()


class Settings(msgspec.Struct, frozen=True):
    """All settings. `objects` empty: every table with a primary key of one column, found by `find`."""

    url: str
    schema: str
    objects: Mapping[str, ObjectSetting]
    find: Find
    consumer: str
    overlap_s: int
    time_zone: str


def parsed(settings: Mapping[str, Any]) -> Settings:
    """Typed settings; raises CONFIG with all faults at once."""
    faults: list[str] = []
    url = settings.get("url")
    if not isinstance(url, str) or not url.startswith(("postgresql://", "postgres://")):
        faults.append("url: must be postgresql://user:password@host:port/database")
        url = ""
    default = MODES.get(str(settings.get("find") or "full"))
    if default is None:
        faults.append(f"find: must be one of {', '.join(MODES)}")
    zone = str(settings.get("time_zone") or "")
    if not _ZONE.fullmatch(zone):
        faults.append("time_zone: must be the name of a time zone, e.g. Europe/Berlin")
    objects = _objects(settings.get("objects") or {}, default or Find.FULL, faults)
    overlap = settings.get("overlap_s", 60)
    if isinstance(overlap, bool) or not isinstance(overlap, int) or overlap < 0:
        faults.append("overlap_s: must be a whole number of seconds")
        overlap = 60
    if faults:
        raise TandemError(Kind.CONFIG, "settings of the postgres connection: " + "; ".join(faults))
    schema = str(settings.get("schema") or "public")
    consumer = str(settings.get("consumer") or "") or _default_consumer(url, schema, objects)
    return Settings(url, schema, objects, default or Find.FULL, consumer, overlap, zone)


def _objects(given: Any, default: Find, faults: list[str]) -> dict[str, ObjectSetting]:
    if not isinstance(given, Mapping):
        faults.append("objects: must map object names to {table, key, modified, find}")
        return {}
    parsed_objects = {str(name): _object(str(name), said, default, faults) for name, said in given.items()}
    fed = [item.table for item in parsed_objects.values() if item.find is Find.FEED]
    for table in sorted({table for table in fed if fed.count(table) > 1}):
        faults.append(f"objects: table {table} can feed one object only (find: trigger)")
    return parsed_objects


def _object(name: str, said: Any, default: Find, faults: list[str]) -> ObjectSetting:
    said = said or {}
    if not isinstance(said, Mapping):
        faults.append(f"objects.{name}: must be a map of {', '.join(sorted(_OBJECT_SETTINGS))}")
        return ObjectSetting(name, name)
    if unknown := sorted(str(key) for key in said if key not in _OBJECT_SETTINGS):
        faults.append(
            f"objects.{name}: unknown {', '.join(unknown)}; there are {', '.join(sorted(_OBJECT_SETTINGS))}"
        )
    modified = str(said.get("modified") or "")
    find = MODES.get(str(said["find"])) if said.get("find") else (Find.MODIFIED if modified else default)
    if find is None:
        faults.append(f"objects.{name}.find: must be one of {', '.join(MODES)}")
    if find is Find.MODIFIED and not modified:
        faults.append(f"objects.{name}: find: modified needs the setting modified, naming a column")
    return ObjectSetting(
        name,
        str(said.get("table") or name),
        str(said.get("key") or ""),
        modified,
        find or Find.FULL,
        _lines(name, said.get("lines") or {}, faults),
    )


def _lines(name: str, said: Any, faults: list[str]) -> tuple[LinesSetting, ...]:
    found = []
    for path, table in said.items() if isinstance(said, Mapping) else ((str(said), None),):
        at, known = f"objects.{name}.lines.{path}", ", ".join(_LINES_SETTINGS)
        if not isinstance(table, Mapping) or not set(table) <= set(_LINES_SETTINGS):
            faults.append(f"{at}: must be a map of {known}")
        elif not table.get("table") or not table.get("parent"):
            faults.append(f"{at}: needs table, and parent: the column that holds the key of {name}")
        else:
            words = {part: str(table.get(part) or "") for part in _LINES_SETTINGS}
            found.append(LinesSetting(path=str(path), **words))
    return tuple(found)


def _default_consumer(url: str, schema: str, objects: Mapping[str, ObjectSetting]) -> str:
    """Stable, and the same however host and password are written."""
    parts = urlsplit(url)
    tables = sorted(item.table for item in objects.values())
    told = "\x00".join((parts.username or "", parts.path, schema, *tables))
    return "tandem-" + hashlib.sha256(told.encode()).hexdigest()[:12]
