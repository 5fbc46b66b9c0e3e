"""The exchange folder of a dossier: its tables, and what shows that a file is not in the encoding it should be in.

Must not: write exports, which are the program's.
"""

from __future__ import annotations

import os

from actors.core.errors import Kind, Scope, TandemError
from clients.connectors.files import disk
from clients.connectors.files.attached import Attached
from clients.connectors.files.disk import Content
from clients.connectors.files.folder import Form, TableFolder
from clients.connectors.files.text import BrokenText
from clients.connectors.files.text import Table as Rows
from clients.connectors.systems.sage50fr_imports import Imports
from clients.connectors.systems.sage50fr_settings import Exchange, Table


class SageFolder(TableFolder):
    """One exchange folder under its settings."""

    def __init__(self, spec: Exchange) -> None:
        super().__init__("sage50fr", spec.path, spec.quiet_s)
        self.spec = spec
        self.imports = Imports(self.path / spec.imports, spec.encoding)
        self.attached = {
            name: Attached((self.path / table.form.file).parent, table.attachments, spec.quiet_s)
            for name, table in spec.tables.items()
        }

    def table(self, name: str) -> Table:
        """The object called `name`; CONFIG naming the ones there are."""
        if name not in self.spec.tables:
            there = ", ".join(sorted(self.spec.tables))
            message = f"the exchange folder {self.path} has no object '{name}'"
            raise TandemError(Kind.CONFIG, message, scope=Scope.STREAM, hint=f"it has: {there}")
        return self.spec.tables[name]

    def check(self) -> None:
        """CONFIG where a folder is missing or may not be used. Blocking."""
        disk.check_folder(self.path)
        for table in self.spec.tables.values():
            disk.check_folder((self.path / table.form.file).parent)
            break
        disk.check_folder(self.imports.folder)
        if not os.access(self.imports.folder, os.W_OK):
            raise TandemError(
                Kind.CONFIG,
                f"the folder {self.imports.folder} may not be written to",
                hint="give the daemon's user access",
            )

    def _parsed(self, form: Form, content: Content) -> Rows:
        """In Windows-1252 almost any bytes are letters: UTF-8 would be read as other letters, and written back so."""
        rows = super()._parsed(form, content)
        if not rows.dialect.bom and form.encoding != "utf-8" and (line := _utf8_line(content.data)):
            raise BrokenText(
                line, f"is in UTF-8, not in {form.encoding}: no letter with an accent is what it seems"
            )
        return rows


def _utf8_line(data: bytes) -> int:
    """The first line whose letters with accents are all whole UTF-8, where that is so of the whole file; else 0."""
    if data.isascii():
        return 0
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return 0
    return next(place for place, line in enumerate(data.split(b"\n"), 1) if not line.isascii())
