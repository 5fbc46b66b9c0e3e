"""A folder with a small file of people, as the tests of the CSV connector's files and folder use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from actors.core.types import Op
from actors.core.values import Value
from actors.ports import Connector, Write
from clients.connectors.catalog import open_connector

PEOPLE: Final = "id;name;note\nK1;Anna;x\nK2;Bert;y\n"
_OBJECTS: Final = {"people": {"file": "people.csv", "key": "id", "new_id": "K{number}"}}


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """Settings of a connection to the folder."""
    return {"path": str(folder), "quiet_s": 0, "objects": _OBJECTS, **changes}


async def connect(folder: Path, **changes: Any) -> Connector:
    """A connector for the folder."""
    return await open_connector("csv", settings(folder, **changes))


def rename(id_: str, name: str, seen: str) -> Write:
    """The update of one name."""
    return Write(Op.UPDATE, id=id_, native={"name": name}, seen={"name": seen})


async def names(connector: Connector, object_name: str = "people") -> dict[str, Value]:
    """The names by id, as the connector shows them."""
    page = await connector.scan(object_name, "", ["name"], 1000)
    return {record.id: record.native["name"] for record in page.records}
