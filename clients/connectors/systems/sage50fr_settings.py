"""The settings of a Sage 50 exchange folder: declared for people, checked as a whole, compiled to what the others use.

Must not: touch the folder; whether files and columns are there is found out when they are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from actors.core.errors import Kind, TandemError
from actors.ports import Setting
from clients.connectors.files.attached import columns_of
from clients.connectors.files.cells import TYPES, Meaning
from clients.connectors.files.folder import Form
from clients.connectors.files.ids import Pattern, pattern
from clients.connectors.systems.sage50fr_tables import TABLES, Known

SETTINGS: Final = (
    Setting(
        "path",
        "path",
        required=True,
        doc="the exchange folder of the dossier; it and its two folders must exist",
    ),
    Setting("exports", default="Export", doc="the folder in it where Sage 50 puts its export files"),
    Setting("imports", default="Import", doc="the folder in it from which Sage 50 takes import files"),
    Setting("encoding", default="cp1252", doc="the encoding of all files"),
    Setting(
        "objects",
        "map",
        default={},
        doc="what is otherwise in this installation: object -> {file, key, types: {label: text|decimal|integer|boolean|"
        "date}, import: true|false, new_id: none|SM{number:06d}, attachments: {label: folder}}; objects that are not among "
        "the known ones are added",
    ),
    Setting(
        "import_columns",
        default="changed",
        choices=("changed", "all"),
        doc="changed: an import file has the key and the columns that change; all: every column of the export, in its "
        "order, where the import format of the program is fixed",
    ),
    Setting(
        "wait_s",
        "decimal",
        default="20",
        doc="so long a write waits until Sage 50 has taken the file in and an export shows it; 0 to 600",
    ),
    Setting(
        "take_in_max_s",
        "decimal",
        default="3600",
        doc="within this time Sage 50 takes in whatever lies there, and exports again, while it is running",
    ),
    Setting(
        "keep_days",
        "integer",
        default=30,
        doc="our own files that were taken in, and their reports, are removed after so many days; 0: never",
    ),
    Setting(
        "quiet_s",
        "decimal",
        default="0.5",
        doc="a file changed less than so many seconds ago is looked at twice and left alone if it still changes",
    ),
)
_KEYS: Final = frozenset({"file", "key", "types", "import", "new_id", "attachments"})
_FILE_NAME: Final = re.compile(r"[^/\\\x00]+\.txt", re.IGNORECASE)
_FOLDER_NAME: Final = re.compile(r"[^/\\\x00]+")
_EMPTY: Final = Known("", "", {}, {}, takes=True, new_id="none")


@dataclass(frozen=True, slots=True)
class Table:
    """One object. `sizes`: how many characters a column holds. `takes`: whether import files may be written for it.
    `attachments`: columns whose cells name files, and the folder in which these stand."""

    name: str
    form: Form
    meaning: Meaning
    sizes: Mapping[str, int]
    takes: bool
    new_id: Pattern | None
    attachments: Mapping[str, str]

    @property
    def stem(self) -> str:
        """What the names of its import files begin with."""
        return self.form.file.rpartition("/")[2][:-4]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A whole exchange folder. `whole_rows`: import files have every column."""

    path: str
    imports: str
    encoding: str
    whole_rows: bool
    wait_s: float
    take_in_max_s: float
    keep_days: int
    quiet_s: float
    tables: Mapping[str, Table]


def exchange(settings: Mapping[str, Any]) -> Exchange:
    """Compiled settings, as `checked_settings` gives them; CONFIG naming all faults."""
    faults: list[str] = []
    for name in ("exports", "imports"):
        if not _FOLDER_NAME.fullmatch(settings[name]):
            faults.append(f"{name} must be the name of a folder in the exchange folder")
    if settings["exports"] == settings["imports"]:
        faults.append("exports and imports must be two folders")
    seconds = {
        "wait_s": _seconds(settings, "wait_s", 600, faults),
        "take_in_max_s": _seconds(settings, "take_in_max_s", 604_800, faults),
        "quiet_s": _seconds(settings, "quiet_s", 60, faults),
    }
    encoding = _encoding(settings["encoding"], faults)
    tables = _tables(settings["objects"], settings["exports"], encoding, faults)
    if faults:
        raise TandemError(
            Kind.CONFIG, f"the settings of the Sage 50 exchange folder are wrong: {'; '.join(faults)}"
        )
    whole = settings["import_columns"] == "all"
    path, imports, days = settings["path"], settings["imports"], settings["keep_days"]
    return Exchange(path, imports, encoding, whole, keep_days=days, tables=tables, **seconds)


def _seconds(settings: Mapping[str, Any], name: str, most: int, faults: list[str]) -> float:
    value = float(settings[name])
    if not 0 <= value <= most:
        faults.append(f"{name} must lie between 0 and {most}")
    return value


def _encoding(name: str, faults: list[str]) -> str:
    try:
        "é".encode(name)
    except (LookupError, UnicodeEncodeError):
        faults.append(
            f"encoding '{name}' is not known, or no encoding of French texts; Sage 50 writes cp1252"
        )
    return name


def _tables(stated: Mapping[str, Any], exports: str, encoding: str, faults: list[str]) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    owners: dict[str, str] = {}
    for name in {**TABLES, **stated}:
        given = stated.get(name) or {}
        if not isinstance(given, Mapping):
            faults.append(f"objects.{name} must be a map")
            continue
        table = _table(name, given, exports, encoding, faults)
        tables[name] = table
        if (first := owners.setdefault(table.form.file.casefold(), name)) != name:
            faults.append(f"objects.{first} and objects.{name} are the same file")
    return tables


def _table(name: str, given: Mapping[str, Any], exports: str, encoding: str, faults: list[str]) -> Table:
    where, known = f"objects.{name}", TABLES.get(name, _EMPTY)
    for key in sorted(set(given) - _KEYS):
        faults.append(f"{where}.{key} is not known; there are {', '.join(sorted(_KEYS))}")
    file, key = given.get("file", known.file or f"{name.upper()}.TXT"), given.get("key", known.key)
    if not isinstance(file, str) or not _FILE_NAME.fullmatch(file):
        faults.append(f"{where}.file must be the name of a .TXT file in the folder of exports")
        file = f"{name}.TXT"
    if not isinstance(key, str):
        faults.append(f"{where}.key must be the label of a column")
        key = ""
    types = given.get("types", {})
    if not isinstance(types, Mapping) or not all(kind in TYPES for kind in types.values()):
        faults.append(f"{where}.types must give a column one of {', '.join(TYPES)}")
        types = {}
    takes = given.get("import", known.takes)
    if not isinstance(takes, bool):
        faults.append(f"{where}.import must be true or false")
    form = Form(name, f"{exports}/{file}", key, encoding, "\t", quotes=False)
    # Sage 50 writes days as 31/12/2026, truth as Oui and Non, and decimals with a comma.
    meaning = Meaning({**known.types, **types}, ",", "%d/%m/%Y", "", ("Oui",), ("Non",))
    new_id = _pattern(where, given, known, faults)
    attachments = columns_of(where, given.get("attachments", known.attachments), faults)
    return Table(name, form, meaning, known.sizes, takes is True, new_id, attachments)


def _pattern(where: str, given: Mapping[str, Any], known: Known, faults: list[str]) -> Pattern | None:
    try:
        return pattern(given.get("new_id", known.new_id))
    except ValueError as error:
        faults.append(f"{where}.new_id {error}")
        return None
