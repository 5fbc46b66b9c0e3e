"""Sage 50 (France): the connector contract against the emulated program, which works on a real folder.

What is special to it (files under way, refusals, half-written and wrongly encoded exports) is in test_sage50fr_folder.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from actors.core.values import Value
from actors.ports import Connector
from clients.connectors.catalog import open_connector
from clients.emulators import sage50fr
from clients.emulators.description import Description, Field, Table
from clients.emulators.sage50fr_tables import DOC, TABLES
from clients.emulators.stand import stand
from tests.connectors.contract import TYPES, ConnectorContract, DrawsIds, System

NO_TAB = "a tab or the end of a line breaks the vendor's text files; such a value is refused in words"
NO_CHARACTER = "Windows-1252 has no such character; such a value is refused in words"
NO_DELETES = "the vendor's import files can't delete, and nothing is ever deleted in Sage 50 (G3, G9)"
PEOPLE = Table(
    "people",
    key="id",
    draws=False,
    fields=(Field("id"), *(Field(name, type_) for name, type_ in TYPES.items()), Field("extra")),
)


class Program(sage50fr.System):
    """A dossier with one more table, as an installation may choose what it exports."""

    description = Description("sage50fr", DOC, (*TABLES, PEOPLE), unknown_fields="refused")
    files: ClassVar[Mapping[str, str]] = {**sage50fr.System.files, "people": "PEOPLE.TXT"}
    takes = sage50fr.System.takes | {"people"}


def settings(program: sage50fr.System, **changes: Any) -> dict[str, Any]:
    """Settings of a connection to the program's folder."""
    people = {"key": "id", "types": TYPES, "new_id": "K{number:05d}"}
    return {"path": program.address, "quiet_s": 0, "objects": {"people": people}, **changes}


class ProgramSystem(System):
    """A person in front of the program, who exports after every change."""

    def __init__(self, program: Program) -> None:
        self.program = program

    async def open(self) -> Connector:
        return await open_connector("sage50fr", settings(self.program))

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        self.program.person.insert("people", *[{"id": id_, **row} for id_, row in rows.items()])
        self.program.export()

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        self.program.person.edit("people", id, dict(changes))
        self.program.export()

    async def delete(self, id: str) -> None:
        self.program.person.delete("people", id)
        self.program.export()

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        """As soon as nothing is left lying."""
        self.program.take_in()
        self.program.export()
        rows = self.program.rows("people")
        return {
            id_: {name: self.stored(name, value) for name, value in row.items() if name != "id"}
            for id_, row in rows.items()
        }

    def stored(self, field: str, value: Value) -> Value:
        """A cell cannot tell an empty text from none."""
        return None if value == "" else value

    def bad_native(self) -> Mapping[str, Value]:
        return {"day": "no day at all"}


class TestContract(DrawsIds, ConnectorContract):
    """The whole contract; what a text file can't hold is waived value by value."""

    waivers: ClassVar = {
        "test_delete_is_seen_by_others": NO_DELETES,
        "test_results_stand_in_order": NO_DELETES,
        **{
            f"test_odd_text_is_{done}_as_it_is[{text}]": reason
            for done in ("read", "written")
            for text, reason in {
                "emoji": NO_CHARACTER,
                "separators": NO_TAB,
                "lines": NO_TAB,
            }.items()
        },
    }

    @pytest.fixture
    async def system(self, tmp_path: Path) -> AsyncIterator[ProgramSystem]:
        async with stand(Program, {"folder": str(tmp_path)}) as program:
            assert isinstance(program, Program)
            yield ProgramSystem(program)
