"""The settings of a CSV folder: declared for people, checked as a whole, compiled to what the other modules use.

Must not: touch the folder; whether files and columns are there is found out when they are read.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from actors.core.errors import Kind, TandemError
from actors.ports import Setting
from clients.connectors.files.attached import columns_of
from clients.connectors.files.cells import TYPES, Meaning
from clients.connectors.files.ids import Pattern, pattern

SEPARATORS: Final = {"auto": "auto", ",": ",", ";": ";", "tab": "\t", "\t": "\t", "pipe": "|", "|": "|"}
SETTINGS: Final = (
    Setting("path", "path", required=True, doc="the folder that holds the files; it must exist"),
    Setting(
        "encoding",
        default="auto",
        doc="encoding of the files: auto (byte order mark, else utf-8 where that fits, else cp1252), or a name such "
        "as utf-8, cp1252, latin-1. Name it where the files may be plain ASCII now and hold other letters later",
    ),
    Setting("separator", default="auto", choices=tuple(SEPARATORS), doc="auto takes it from the header line"),
    Setting("decimal", default=",", choices=(",", "."), doc="the decimal mark of the files"),
    Setting(
        "objects",
        "map",
        default={},
        doc="object name -> {file, key, types: {field: text|decimal|integer|boolean|date|instant|list}, date_format, "
        "instant_format, true_words, false_words, list_separator, empty: null|text, new_id: none|uuid|K{number:05d}, "
        "attachments: {field: folder}}; "
        "without it every *.csv of the folder is an object of texts whose key is its first column",
    ),
    Setting(
        "quiet_s",
        "decimal",
        default="0.5",
        doc="a file changed less than so many seconds ago is looked at twice and left alone if it still changes",
    ),
    Setting(
        "last_line",
        default="terminated",
        choices=("terminated", "any"),
        doc="terminated: a file whose last line has no line end is taken for half-written; any: it is taken as it is",
    ),
)
_FILE_NAME: Final = re.compile(r"[^/\x00]+")
_KEYS: Final = frozenset(
    {
        *("file", "key", "types", "empty", "new_id", "attachments"),
        *("date_format", "instant_format", "true_words", "false_words", "list_separator"),
    }
)


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """One object: its file and how it is read. `key` "" means the first column. `new_id`: how ids are drawn, if at all.
    `attachments`: columns whose cells name files, and the folder in which these stand."""

    name: str
    file: str
    key: str
    meaning: Meaning
    new_id: Pattern | None
    attachments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FolderSpec:
    """A whole folder. `objects` empty: every *.csv is one."""

    path: str
    encoding: str
    separator: str
    decimal: str
    quiet_s: float
    last_line: str
    objects: Mapping[str, ObjectSpec]

    def implied(self, file: str) -> ObjectSpec:
        """The object that a file is where nothing is said about it: named as the file, without its ending."""
        return ObjectSpec(file.rpartition(".")[0], file, "", Meaning({}, self.decimal), None, {})


def folder_spec(settings: Mapping[str, Any]) -> FolderSpec:
    """Compiled settings, as `checked_settings` gives them; CONFIG naming all faults."""
    faults: list[str] = []
    encoding = _encoding(settings["encoding"], faults)
    decimal = settings["decimal"]
    objects = {}
    for name, stated in settings["objects"].items():
        if isinstance(stated, Mapping):
            objects[name] = _object(name, stated, decimal, faults)
        else:
            faults.append(f"objects.{name} must be a map")
    _check_files(objects, faults)
    quiet_s = float(settings["quiet_s"])
    if not 0 <= quiet_s <= 60:
        faults.append("quiet_s must lie between 0 and 60")
    if faults:
        raise TandemError(Kind.CONFIG, f"the settings of the CSV folder are wrong: {'; '.join(faults)}")
    separator = SEPARATORS[settings["separator"]]
    return FolderSpec(settings["path"], encoding, separator, decimal, quiet_s, settings["last_line"], objects)


def _encoding(name: str, faults: list[str]) -> str:
    if name == "auto":
        return name
    try:
        known = codecs.lookup(name).name
        # What writes a mark of its own would write it in the middle of a file; a mark that is there is kept anyway.
        if known == "utf-8-sig" or "".encode(known) == b"":
            return known
    except LookupError:
        pass
    faults.append(
        f"encoding '{name}' is not known; name one such as utf-8, cp1252, latin-1 or utf-16-le, or auto"
    )
    return "auto"


def _object(name: str, stated: Mapping[str, Any], decimal: str, faults: list[str]) -> ObjectSpec:
    where = f"objects.{name}"
    faults.extend(
        f"{where}.{key} is not known; there are {', '.join(sorted(_KEYS))}"
        for key in stated
        if key not in _KEYS
    )
    file = stated.get("file", f"{name}.csv")
    if not isinstance(file, str) or not _FILE_NAME.fullmatch(file) or file in {".", ".."}:
        faults.append(f"{where}.file must be the name of a file in the folder")
        file = ""
    key = stated.get("key", "")
    if not isinstance(key, str):
        faults.append(f"{where}.key must be the name of a column")
        key = ""
    meaning, new_id = _meaning(where, stated, decimal, faults), _new_id(where, stated, faults)
    attachments = columns_of(where, stated.get("attachments", {}), faults)
    return ObjectSpec(name, file, key, meaning, new_id, attachments)


def _meaning(where: str, stated: Mapping[str, Any], decimal: str, faults: list[str]) -> Meaning:
    plain = Meaning({}, decimal)
    types = stated.get("types", {})
    if not isinstance(types, Mapping) or not all(kind in TYPES for kind in types.values()):
        faults.append(f"{where}.types must give a column one of {', '.join(TYPES)}")
        types = {}
    formats = {key: _format(where, key, stated, faults) for key in ("date_format", "instant_format")}
    words = {key: _words(where, key, stated, faults) for key in ("true_words", "false_words")}
    empty, between = stated.get("empty", plain.empty), stated.get("list_separator", plain.list_separator)
    if empty not in {"null", "text"}:
        faults.append(f"{where}.empty must be null (in quotes) or text")
    if not isinstance(between, str) or not between:
        faults.append(f"{where}.list_separator must be a text")
    return Meaning(
        dict(types),
        decimal,
        formats["date_format"] or plain.date_format,
        formats["instant_format"],
        words["true_words"] or plain.true_words,
        words["false_words"] or plain.false_words,
        str(empty),
        str(between),
    )


def _format(where: str, key: str, stated: Mapping[str, Any], faults: list[str]) -> str:
    given = stated.get(key, "")
    sample = datetime(2024, 11, 23)  # noqa: DTZ001 - only tried out
    try:
        if given == "" or datetime.strptime(sample.strftime(given), given).date() == sample.date():  # noqa: DTZ007
            return str(given)
    except (TypeError, ValueError):
        pass
    faults.append(f"{where}.{key} must be a format that says year, month and day, such as %d.%m.%Y")
    return ""


def _words(where: str, key: str, stated: Mapping[str, Any], faults: list[str]) -> tuple[str, ...]:
    given = stated.get(key, [])
    if isinstance(given, list | tuple) and all(isinstance(word, str) and word for word in given):
        return tuple(given)
    faults.append(f"{where}.{key} must be a list of words (in quotes), the one to be written first")
    return ()


def _new_id(where: str, stated: Mapping[str, Any], faults: list[str]) -> Pattern | None:
    given = stated.get("new_id", "none")
    try:
        return pattern(given)
    except ValueError as error:
        faults.append(f"{where}.new_id {error}")
        return None


def _check_files(objects: Mapping[str, ObjectSpec], faults: list[str]) -> None:
    owners: dict[str, str] = {}
    for spec in objects.values():
        if spec.file and (first := owners.setdefault(spec.file.casefold(), spec.name)) != spec.name:
            faults.append(f"objects.{first} and objects.{spec.name} are the same file")
