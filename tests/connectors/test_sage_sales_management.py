"""Sage Sales Management: the connector contract against the emulator, over real HTTP, faults included.

What is special to it (look-ups, deletion marks, bulk calls, dead tokens) is in test_sage_sales_management_api.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

import pytest

from actors.core.values import Value
from actors.ports import Connector
from clients.connectors.catalog import open_connector
from clients.emulators import sage_sales_management
from clients.emulators.description import Description, Field
from clients.emulators.faults import Edit
from clients.emulators.sage_sales_management_tables import DOC, TABLES, resource
from clients.emulators.stand import stand
from tests.connectors.contract import FIELDS, TYPES, ConnectorContract, FindsByField, FindsModified
from tests.connectors.contract_faults import EmulatedSystem, UnderFaults
from tests.connectors.http_server import let_in

NAME_MAX = 100
PEOPLE = resource(
    "people",
    (
        *(Field(name, type_, size=NAME_MAX if name == "name" else 0) for name, type_ in TYPES.items()),
        Field("extra"),
    ),
    (),
)


class Sales(sage_sales_management.System):
    """An account with one more resource."""

    description = Description("sage_sales_management", DOC, (*TABLES, PEOPLE))


def settings(system: sage_sales_management.System, **changes: Any) -> dict[str, Any]:
    """Settings of a connection to the emulator."""
    return {
        "url": f"{system.address}/api/v4",
        "public_key": "public",
        "private_key": "private",
        "rate_per_s": 0,
        "objects": ["people"],
        **changes,
    }


class People(EmulatedSystem):
    """A person in front of Sales Management."""

    read_path = "/people$"
    write_path = "/people/?[0-9a-z]*$"

    def __init__(self, emulated: Sales, **changes: Any) -> None:
        self.emulator = emulated
        self._changes = changes

    def id(self, number: int) -> str:
        """Ids are drawn numbers."""
        return str(100_000 + number)

    async def open(self) -> Connector:
        assert isinstance(self.emulator, Sales)
        return await open_connector("sage_sales_management", settings(self.emulator, **self._changes))

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        self.emulator.person.insert("people", *[{"id": int(id_), **row} for id_, row in rows.items()])

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        self.emulator.person.edit("people", int(id), dict(changes))

    async def delete(self, id: str) -> None:
        self.emulator.person.delete("people", int(id))

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        await let_in()
        return {
            str(id_): {name: row[name] for name in (*FIELDS, "extra")}
            for id_, row in self.emulator.person.rows("people").items()
            if not row["deleted"]
        }

    def bad_native(self) -> Mapping[str, Value]:
        return {"name": "x" * (NAME_MAX + 1)}


class Contract(FindsByField, FindsModified, UnderFaults, ConnectorContract):
    """All groups that are promised."""

    async def quick_edit(self, system: EmulatedSystem) -> Edit:
        return Edit("edit", "people", int(system.id(1)), {"name": "theirs"})


class TestContract(Contract):
    """Many at once."""

    waivers: ClassVar = {
        "test_one_unknown_write_leaves_the_others_told": "a batch is one request; TestContractOneByOne has this case"
    }

    @pytest.fixture
    async def system(self) -> AsyncIterator[People]:
        async with stand(Sales, {"limit": "off"}) as emulated:
            assert isinstance(emulated, Sales)
            yield People(emulated)


class TestContractOneByOne(Contract):
    """Without bulk calls, where no read-only record may be changed as it is, and pages are short."""

    @pytest.fixture
    async def system(self) -> AsyncIterator[People]:
        async with stand(Sales, {"limit": "off", "read_only": "refuse"}) as emulated:
            assert isinstance(emulated, Sales)
            yield People(emulated, bulk=False, read_only="unlock", page_size=3)
