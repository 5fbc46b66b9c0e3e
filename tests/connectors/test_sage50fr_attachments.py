"""Images of Sage 50's articles: the contract of attachments, which are only read here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.core.attachments import describe
from actors.core.types import Op
from actors.ports import Connector, Write, WriteStatus
from clients.connectors.catalog import open_connector
from clients.emulators.sage50fr import System
from clients.emulators.stand import stand
from tests.connectors.contract_attachments import PNG, GoodsToRead, ReadsAttachments


class Articles(GoodsToRead):
    """A person in front of the program, who exports after every change."""

    object_name, text, image = "articles", "Désignation courte", "Photo#"

    def __init__(self, program: System) -> None:
        self.program = program

    async def open(self) -> Connector:
        return await open_connector("sage50fr", {"path": self.program.address, "quiet_s": 0})

    async def insert(self, sku: str, content: bytes | None) -> str:
        code = f"P{len(self.program.rows('articles')) + 1}"
        self.program.person.insert("articles", {"Code": code, "Désignation courte": sku})
        await self.hang(code, content)
        return code

    async def hang(self, id_: str, content: bytes | None) -> None:
        self.program.hang("articles", id_, content)
        self.program.export()


@pytest.fixture
async def goods(tmp_path: Path) -> AsyncIterator[Articles]:
    async with stand(System, {"folder": str(tmp_path)}) as program:
        assert isinstance(program, System)
        yield Articles(program)


class TestAttachments(ReadsAttachments):
    """The contract."""

    async def test_an_image_that_is_to_be_written_is_refused_in_words(self, goods: Articles) -> None:
        code = await goods.insert("Stylo", None)
        takes = {"objects": {"articles": {"import": True}}}
        connector = await open_connector(
            "sage50fr", {"path": goods.program.address, "quiet_s": 0, "wait_s": 0, **takes}
        )
        write = Write(
            Op.UPDATE, code, {"Photo#": describe(PNG)}, {"Photo#": None}, attachments={"Photo#": PNG}
        )
        (result,) = await connector.write("articles", [write], goods.fields)
        assert (result.status, "no images" in result.error) == (WriteStatus.REFUSED, True)
