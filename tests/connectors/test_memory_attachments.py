"""Images in the memory system: the contract of attachments."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import pytest

from actors.ports import Connector
from clients.connectors.systems import memory
from clients.connectors.systems.memory_system import MemorySystem, ObjectShape
from tests.connectors.contract_attachments import Goods, TakesAttachments


class Shelf(Goods):
    """Another person at the same memory system."""

    def __init__(self) -> None:
        self.memory = MemorySystem(
            "goods", {"goods": ObjectShape({"sku": "text", "image": "bytes"})}, time.time
        )

    async def open(self) -> Connector:
        declared = msgspec.structs.replace(memory.DECLARATION, version="none")
        return memory.MemoryConnector(self.memory, declared)

    async def insert(self, sku: str, content: bytes | None) -> str:
        return self.memory.create("goods", {"sku": sku, "image": content}, "person")

    async def hang(self, id_: str, content: bytes | None) -> None:
        self.memory.edit("goods", id_, {"image": content}, "person")

    async def content(self, id_: str) -> bytes | None:
        state = self.memory.get("goods", id_)
        found = (state.fields or {})["image"] if state is not None else None
        return found if isinstance(found, bytes) else None

    async def ids(self) -> Sequence[str]:
        return [id_ for id_, _ in self.memory.rows("goods")]


@pytest.fixture
def goods() -> Shelf:
    return Shelf()


class TestAttachments(TakesAttachments):
    """The contract."""
