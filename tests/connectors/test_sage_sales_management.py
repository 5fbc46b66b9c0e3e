"""Sage Sales Management: the connector contract against the emulator, over real HTTP.

What is special to it (look-ups, deletion marks, bulk calls, dead tokens, faults) is in test_sage_sales_management_api.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from actors.core.values import Value
from actors.ports import Connector
from clients.connectors.catalog import open_connector
from clients.emulators import sage_sales_management as emulator
from clients.emulators.description import Description, Field
from clients.emulators.sage_sales_management_tables import DOC, TABLES, resource
from clients.emulators.stand import stand
from tests.connectors.contract import FIELDS, TYPES, ConnectorContract, FindsByField, FindsModified, System

PEOPLE = resource(
    "people",
    (*(Field(name, type_, size=0) for name, type_ in TYPES.items()), Field("extra"), Field("short", size=5)),
    (),
)


class Sales(emulator.System):
    """An account with one more resource."""

    description = Description("sage_sales_management", DOC, (*TABLES, PEOPLE))


def settings(system: emulator.System, **changes: Any) -> dict[str, Any]:
    """Settings of a connection to the emulator."""
    return {
        "url": f"{system.address}/api/v4",
        "public_key": "public",
        "private_key": "private",
        "rate_per_s": 0,
        "objects": ["people"],
        **changes,
    }


class SalesSystem(System):
    """A person in front of Sales Management."""

    def __init__(self, emulated: Sales) -> None:
        self.emulated = emulated

    def id(self, number: int) -> str:
        """Ids are drawn numbers."""
        return str(100_000 + number)

    async def open(self) -> Connector:
        return await open_connector("sage_sales_management", settings(self.emulated))

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        self.emulated.person.insert("people", *[{"id": int(id_), **row} for id_, row in rows.items()])

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        self.emulated.person.edit("people", int(id), dict(changes))

    async def delete(self, id: str) -> None:
        self.emulated.person.delete("people", int(id))

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        return {
            str(id_): {name: row[name] for name in (*FIELDS, "extra")}
            for id_, row in self.emulated.person.rows("people").items()
            if not row["deleted"]
        }

    def bad_native(self) -> Mapping[str, Value]:
        return {"short": "far too long"}


class TestContract(FindsByField, FindsModified, ConnectorContract):
    """The whole contract, without a waiver."""

    @pytest.fixture
    async def system(self) -> AsyncIterator[SalesSystem]:
        async with stand(Sales, {"limit": "off"}) as emulated:
            assert isinstance(emulated, Sales)
            yield SalesSystem(emulated)


class TestContractOneByOne(FindsByField, FindsModified, ConnectorContract):
    """Without bulk calls, where no read-only record may be changed as it is, and pages are short."""

    @pytest.fixture
    async def system(self) -> AsyncIterator[SalesSystem]:
        class OneByOne(SalesSystem):
            async def open(self) -> Connector:
                given = settings(self.emulated, bulk=False, read_only="unlock", page_size=3)
                return await open_connector("sage_sales_management", given)

        async with stand(Sales, {"limit": "off", "read_only": "refuse"}) as emulated:
            assert isinstance(emulated, Sales)
            yield OneByOne(emulated)
