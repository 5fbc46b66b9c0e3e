"""Sage 50 (France) as an emulator: a program that exports its tables to a folder and takes import files from another one.

It has no vendor's face over HTTP, since the product has none: its address is the exchange folder (`Export`, `Import`). A
person works at it through the control port.

Images of articles stand beside the exports, in `Photos`, under the names in the column `Photo`.

Options: `folder` (else one of its own, removed at the end); `export_every_s`, `import_every_s` (0: at once); `creates`
(`no`: an import makes no records); `report` (`no`: refused rows are not reported).

Faults have the method `EXPORT` or `IMPORT` and the file's name as their path. Of the kinds there are `truncated` (half a
file for `seconds`), `slow` (locked, or left lying, for `seconds`), `encoded` (UTF-8), `malformed` (a tab in the data),
`error` (a file refused as a whole), `cut` (the program ends in the middle of a file; `done`: at its very end), `edit`.

What is confirmed and what is modelled: docs/connectors/sage50fr.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from clients.emulators.data import Change
from clients.emulators.description import Refused, Row, Table
from clients.emulators.emulator import Emulator
from clients.emulators.faults import Fault
from clients.emulators.sage50fr_files import Held, decoded, parsed, rendered, write_in_place
from clients.emulators.sage50fr_tables import FILES, NAMED, SAGE, TAKES

TICK_S: Final = 0.02
REPORT_HEAD: Final = "Ligne\tCode\tMotif\r\n"


class System(Emulator):
    """One dossier."""

    description = SAGE
    files: ClassVar[Mapping[str, str]] = FILES
    takes: frozenset[str] = TAKES

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.is_open = True  # a program that nobody has started neither exports nor takes anything in
        self.taken_in: list[str] = []  # names of files, in order
        self.folder = Path(self.options.get("folder") or tempfile.mkdtemp(prefix="sage50fr-"))
        # Some installations take invoices too, with an import format of their own.
        self.takes |= frozenset(filter(None, self.options.get("takes", "").split(",")))
        self._export_every_s = float(self.options.get("export_every_s", "0"))
        self._import_every_s = float(self.options.get("import_every_s", "0"))
        self._exported_at = self._looked_at = 0.0
        self._dirty = set(self.files)
        self._photos: dict[str, bytes] = {}  # by their names
        self._shown: object = None
        self._until: dict[str, float] = {}  # files that are left lying, and exports that are half, until then
        self._held: dict[str, Held] = {}  # exports that are locked
        self._task: asyncio.Task[None] | None = None
        self.data.listeners.append(self._is_dirty)

    # -------------------------------------------------------------------------------------------- the program

    async def begin(self) -> None:
        """Comes up: the folders are there, and the first exports."""
        self.address = str(self.folder)
        for part in ("Export", "Import"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self._shown = self._what_is_shown()
        self.export()
        self._task = asyncio.create_task(self._work())

    async def end(self) -> None:
        """Goes down; whatever lies there stays."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for held in self._held.values():
            held.close()
        if "folder" not in self.options:
            shutil.rmtree(self.folder, ignore_errors=True)

    def convert(self, code: str) -> None:
        """A prospect becomes a customer: same code, same data, another table."""
        row = self.data.tables["prospects"].pop(code)
        self.data.tables["clients"][code] = dict(row)
        self._dirty |= {"clients", "prospects"}

    def hang(self, table: str, key: str, content: bytes | None) -> None:
        """Somebody gives a row an image, another one, or none."""
        name = f"{key}.jpg" if content is not None else None
        if content is not None:
            self._photos[f"{key}.jpg"] = content
        self.person.edit(table, key, {"Photo": name})
        self._dirty.add(table)

    def go_on(self) -> None:
        """Whatever a fault has put off is done now."""
        self._until.clear()
        self.take_in()
        self._dirty |= set(self._held)
        self.export()

    def export(self) -> None:
        """Write every export that would be another one now."""
        self._exported_at = time.monotonic()
        for name in [name for name in self.files if name in self._dirty]:
            if self._export(self.data.table(name)):
                self._dirty.discard(name)

    def take_in(self) -> None:
        """Take in what lies in the folder of imports, in the order of names."""
        self._looked_at = time.monotonic()
        for path in sorted((self.folder / "Import").glob("*.TXT")):
            if self._until.get(path.name, 0.0) <= time.monotonic():
                self._take(path)

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if not self.is_open:
                continue
            now = time.monotonic()
            if now - self._looked_at >= self._import_every_s:
                self.take_in()
            shown = self._what_is_shown()
            if shown != self._shown:
                self._shown, self._dirty = shown, set(self.files)
            if self._dirty and now - self._exported_at >= self._export_every_s:
                self.export()

    def _what_is_shown(self) -> object:
        """What makes all exports others without a change of a row: a restored backup, rows and columns left out."""
        return id(self.data.tables), frozenset(self.data.hidden), frozenset(self.data.absent)

    def _is_dirty(self, change: Change) -> None:
        self._dirty.add(change.table)

    def guard(self, change: Change) -> None:
        """What the program refuses, whoever asks."""
        rows = self.data.tables
        if change.op == "delete":
            if change.table == "clients" and any(
                piece["Client"] == change.key for piece in rows["factures"].values()
            ):
                raise Refused(
                    f"le client {change.key} est mouvementé et ne peut être supprimé", code="Mouvement"
                )
            return
        assert change.after is not None
        if change.table in {"clients", "prospects"} and not any(change.after[name] for name in NAMED):
            raise Refused("le nom ou la société est obligatoire", field="Nom")
        if change.table == "adresses":
            owner = change.after["Code client"]
            if owner not in rows["clients"] and owner not in rows["prospects"]:
                raise Refused(f"le client {owner or ''} n'existe pas", field="Code client")

    # -------------------------------------------------------------------------------------------- exports

    def _export(self, table: Table) -> bool:
        name = self.files[table.name]
        if self._until.get(name, 0.0) > time.monotonic():
            return False
        if (held := self._held.pop(name, None)) is not None:
            held.close()
        path = self.folder / "Export" / name
        fault = self.faults.meets("EXPORT", name)
        columns = [f.name for f in table.fields if (table.name, f.name) not in self.data.absent]
        rows = self.data.shown(table.name)
        self.counters[f"EXPORT {name}"] += 1
        if fault is not None and fault.kind == "malformed" and rows:
            rows = [rows[0] | {columns[-1]: "une\ttabulation"}, *rows[1:]]
        content = rendered(table, columns, rows, "utf-8" if fault and fault.kind == "encoded" else "cp1252")
        if fault is not None and fault.kind == "truncated":
            content = content[: len(content) * 2 // 3].rstrip(b"\r\n")
            self._until[name] = time.monotonic() + fault.seconds
        self._export_photos(rows)
        held = write_in_place(path, content)
        if fault is not None and fault.kind == "slow":
            self._held[name] = held
            self._until[name] = time.monotonic() + fault.seconds
            return False
        held.close()
        return fault is None or fault.kind != "truncated"

    def _export_photos(self, rows: Sequence[Row]) -> None:
        """The images that rows name, before the table that names them."""
        for row in rows:
            name = row.get("Photo")
            path = self.folder / "Export" / "Photos" / str(name)
            if name in self._photos and (not path.exists() or path.read_bytes() != self._photos[name]):
                path.parent.mkdir(exist_ok=True)
                write_in_place(path, self._photos[name]).close()

    # -------------------------------------------------------------------------------------------- imports

    def _take(self, path: Path) -> None:
        self.counters["IMPORT"] += 1
        fault = self.faults.meets("IMPORT", path.name)
        if fault is not None and fault.kind == "slow":
            self._until[path.name] = time.monotonic() + fault.seconds
            return
        if fault is not None and fault.kind == "edit":
            for edit in fault.edits:
                self.person.do(edit)
        try:
            table, columns, rows = self._readable(path, fault)
        except Refused as error:
            self._until[path.name] = float("inf")  # it is not tried again
            self._report(path, [f"0\t\t{error.reason}"])
            return
        refused = self._take_rows(table, columns, rows, fault)
        if fault is not None and fault.kind == "cut":
            return  # the file still lies there, and is taken again from its start
        if refused:
            self._report(path, refused)
        path.rename(path.with_suffix(".BAK"))
        self.taken_in.append(path.name)

    def _readable(
        self, path: Path, fault: Fault | None
    ) -> tuple[Table, Sequence[str], Sequence[Sequence[str]]]:
        if fault is not None and fault.kind == "error":
            raise Refused("fichier illisible")
        if path.with_suffix(".BAK").exists():
            raise Refused("ce fichier a déjà été importé")
        stem = path.name.partition("_")[0]
        name = next((name for name, file in self.files.items() if file == f"{stem}.TXT"), "")
        if name not in self.takes:
            raise Refused(f"aucun format d'import pour {stem}")
        table = self.data.table(name)
        columns, rows = decoded(path.read_bytes())
        for label in columns:
            if table.field(label) is None:
                raise Refused(f"colonne inconnue: {label}")
        if table.key not in columns:
            raise Refused(f"la colonne {table.key} manque")
        return table, columns, rows

    def _take_rows(
        self, table: Table, columns: Sequence[str], rows: Sequence[Sequence[str]], fault: Fault | None
    ) -> list[str]:
        refused = []
        last = len(rows) if fault is None or fault.kind != "cut" or fault.done else len(rows) // 2
        for number, cells in enumerate(rows[:last], 1):
            key = dict(zip(columns, cells, strict=False)).get(table.key, "")
            try:
                if len(cells) != len(columns):
                    raise Refused(f"{len(cells)} colonnes au lieu de {len(columns)}")
                self._take_row(table, key, parsed(table, columns, cells))
            except Refused as error:
                refused.append(f"{number}\t{key}\t{error.reason}")
        return refused

    def _take_row(self, table: Table, key: str, values: Row) -> None:
        if table.name == "clients" and key in self.data.tables["prospects"]:
            self.convert(key)
        if table.name == "prospects" and key in self.data.tables["clients"]:
            raise Refused(f"{key} est déjà client")
        if key in self.data.tables[table.name]:
            self.data.edit(table.name, key, values)
        elif self.options.get("creates", "yes") == "no":
            raise Refused(f"{key} n'existe pas")
        else:
            self.data.insert(table.name, values)

    def _report(self, path: Path, lines: Sequence[str]) -> None:
        if self.options.get("report", "yes") == "yes":
            text = REPORT_HEAD + "".join(f"{line}\r\n" for line in lines)
            path.with_suffix(".ERR").write_bytes(text.encode("cp1252", "replace"))

    def rows(self, table: str) -> dict[str, Any]:
        """All rows of a table, by key."""
        return {str(key): row for key, row in self.person.rows(table).items()}
