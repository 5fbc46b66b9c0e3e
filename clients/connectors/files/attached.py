"""Files that the cells of a column name: attachments of a table's records (images beside an export).

A cell names a file by its last part (`C:\\Photos\\stylo.jpg` is `stylo.jpg`), in the one folder of its column. What is
named and not there yet was not delivered: it is nothing, never an empty value. A new content gets a name of its own, made
of its digest, so that the swap of the table is what makes it count; a file is removed only if its name says that we have
put it there. Blocking; called from worker threads. Must not: look outside of the folder, or know a system.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from actors.core.attachments import HEAD, describe, media_type, own_path, read_description
from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import ATTACHED
from actors.core.values import UNKNOWN, Seen, Value
from clients.connectors.files import disk
from clients.connectors.files.disk import Stamp, Unsettled
from clients.connectors.files.text import Table

DIGITS: Final = 16  # of the digest, in the names that we give
TICK_S: Final = 2.0  # times move in ticks: what is as young as this may change once more without showing it
_LOOKS_MAX: Final = 5
_ENDINGS: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
}
_OURS: Final = re.compile(rf".+-([0-9a-f]{{{DIGITS}}})\.[a-z0-9]+", re.DOTALL)


class Attached:
    """The attachments of one object. `columns`: column -> folder below `root`. `quiet_s`: a file changed less than so long
    ago is looked at twice."""

    def __init__(self, root: Path, columns: Mapping[str, str], quiet_s: float) -> None:
        self.columns = columns
        self._root = root
        self._quiet_s = quiet_s
        self._known: dict[Path, tuple[Stamp, str]] = {}
        self._names: dict[
            str, tuple[Stamp | None, Mapping[str, str]]
        ] = {}  # by folder, as they were found last

    def check(self, file: str, fields: Iterable[str]) -> None:
        """CONFIG naming the first field that is asked for as an attachment and is no such column."""
        for name in fields:
            if name.endswith(ATTACHED) and own_path(name) not in self.columns:
                hint = f"columns that name files: {', '.join(self.columns) or 'none'}; see `attachments` of the object"
                message = f"the column '{own_path(name)}' of {file} is not said to name files"
                raise TandemError(Kind.CONFIG, message, scope=Scope.STREAM, hint=hint)

    def described(
        self, table: Table, ids: Iterable[str], fields: Iterable[str]
    ) -> dict[tuple[str, str], Seen]:
        """What the cells of some rows name, by column and cell; TRANSIENT while one of the files is being written."""
        asked = [own_path(name) for name in fields if name.endswith(ATTACHED)]
        found: dict[tuple[str, str], Seen] = {}
        for id_ in ids if asked else ():
            texts = table.texts(table.rows[table.index[id_]])
            for column in asked:
                cell = column, texts[column]
                if cell not in found:
                    found[cell] = self.shown(*cell)
        return found

    def shown(self, column: str, cell: str) -> Seen:
        """The description of the file that a cell names: null for an empty cell, UNKNOWN where there is no such file."""
        if not named(cell):
            return None
        path = self._path(column, cell)
        stamp = disk.stamp_of(path)
        if stamp is None:
            self._known.pop(path, None)
            return UNKNOWN
        known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        content = self._settled(path)
        if content is None:
            return UNKNOWN
        told = describe(content.data)
        if not _is_young(content.stamp):
            self._known[path] = content.stamp, told
        return told

    def content(self, column: str, cell: str) -> bytes | None:
        """The bytes of the file that a cell names; None where there is none."""
        found = self._settled(self._path(column, cell)) if named(cell) else None
        return found.data if found is not None else None

    def token(self) -> str:
        """What changes whenever a file of these folders may have changed."""
        stamps = []
        for folder in sorted(set(self.columns.values())):
            for entry in self._entries(folder):
                stamp = disk.stamp_of(Path(entry.path))
                stamps.append((folder, entry.name, stamp, _is_young(stamp)))  # looked at once more later on
        digest = hashlib.blake2b(repr(sorted(stamps, key=repr)).encode(), digest_size=16)
        return digest.hexdigest() if self.columns else ""

    def beside(self, column: str) -> list[str]:
        """The columns whose files stand in the folder of this one, itself among them."""
        return [one for one, folder in self.columns.items() if folder == self.columns[column]]

    def folders(self) -> dict[str, Stamp | None]:
        """The state of the folders: another one where a file came, went or was renamed."""
        return {folder: disk.stamp_of(self._root / folder) for folder in self.columns.values()}

    def placed(
        self, id_: str, native: Mapping[str, Value], contents: Mapping[str, bytes]
    ) -> dict[str, Value]:
        """The fields of a write with the names of files in the place of their descriptions; the files are there then."""
        found: dict[str, Value] = {}
        for name, value in native.items():
            column = own_path(name)
            if name == column:
                found[name] = value
            else:
                content = contents.get(name) if value is not None else None
                found[column] = self._put(column, id_, content) if content is not None else None
        return found

    def drop(self, column: str, cells: Iterable[str], used: Collection[str]) -> None:
        """Remove files that no cell names any more (`used`: those that one does, in whichever column) and that we have put
        there."""
        for cell in cells:
            name = named(cell)
            if not name or name in used or not (ours := _OURS.fullmatch(name)):
                continue
            path = self._path(column, cell)
            with contextlib.suppress(OSError, Unsettled, TandemError):
                told = read_description(describe(disk.read_whole(path).data))
                if told is not None and told.digest.startswith(ours[1]):
                    path.unlink()
                    self._known.pop(path, None)

    def _put(self, column: str, id_: str, content: bytes) -> str:
        told = read_description(describe(content))
        assert told is not None
        stem = re.sub(r"[^\w.-]", "_", id_) or "new"
        ending = _ENDINGS.get(media_type(content[:HEAD]), ".bin")
        name = f"{stem[:80]}-{told.digest[:DIGITS]}{ending}"
        path = self._path(column, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.stat().st_size != len(content):
                _write(path, content)
        except OSError as error:
            raise disk.failure(error, path, "cannot be written") from error
        return name

    def _settled(self, path: Path) -> disk.Content | None:
        """A file that holds still; None where there is none."""
        for _ in range(_LOOKS_MAX):
            stamp = disk.stamp_of(path)
            if stamp is None:
                return None
            age_s = time.time() - stamp.mtime_ns / 1e9
            if age_s < self._quiet_s:
                time.sleep(self._quiet_s - max(age_s, 0.0))
            with contextlib.suppress(Unsettled):
                content = disk.read_whole(path)
                if content.stamp == stamp:
                    return content
        raise TandemError(
            Kind.TRANSIENT,
            f"the file {path} is being written",
            scope=Scope.STREAM,
            hint="it is read as soon as it holds still",
        )

    def _path(self, column: str, cell: str) -> Path:
        """The file that a cell names; where there is none, one that differs in capitals alone, which are one to Windows."""
        folder, name = self.columns[column], named(cell)
        path = self._root / folder / name
        if path.exists():
            return path
        stamp = disk.stamp_of(path.parent)
        if _is_young(stamp) or self._names.get(folder, (None,))[0] != stamp:
            self._names[folder] = stamp, {one.name.casefold(): one.name for one in self._entries(folder)}
        return path.with_name(self._names[folder][1].get(name.casefold(), name))

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._root / folder) as found:
                return [entry for entry in found if not entry.name.startswith(".")]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise disk.failure(error, self._root / folder, "cannot be read") from error


def named(cell: str) -> str:
    """The name of the file that a cell means: its last part; "" where it names none."""
    name = re.split(r"[/\\]", cell.strip())[-1]
    return "" if name in (".", "..") or "\x00" in name else name


def columns_of(where: str, stated: Any, faults: list[str]) -> dict[str, str]:
    """The setting `attachments` of an object: column -> the folder in which its cells name files."""
    given = stated if isinstance(stated, Mapping) else {}
    fits = [
        isinstance(column, str) and isinstance(folder, str) and not re.search(r"[/\\\x00]|^\.\.?$", folder)
        for column, folder in given.items()
    ]
    if not isinstance(stated, Mapping) or not all(fits):
        faults.append(
            f"{where}.attachments must give a column the name of a folder beside the file ('': that of the file)"
        )
        return {}
    return dict(given)


def _is_young(stamp: Stamp | None) -> bool:
    return stamp is None or time.time() - stamp.mtime_ns / 1e9 < TICK_S


def _write(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.tandem-tmp")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
    disk.sync_folder(path.parent)
