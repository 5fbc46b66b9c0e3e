"""The contract of connectors that have attachments (`attachments` in the declaration): described by their content, fetched
and written on their own.

A test module brings `Goods` and a class `TestAttachments(TakesAttachments)` with a fixture `goods`; where attachments are
only delivered, `GoodsToRead` and `ReadsAttachments`. Must not: know any particular system.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Sequence

import pytest

from actors.core.attachments import describe
from actors.core.types import Op, Record
from actors.core.values import Value
from actors.ports import Connector, HoldsAttachments, Write, WriteResult, WriteStatus
from tests.connectors.contract_base import Case, check_refuses_field

PNG = b"\x89PNG\r\n\x1a\n"
CONTENTS = (PNG + b"x" * 100_000, PNG + b"small", b"%PDF-1.4 no image at all", None)


class GoodsToRead(abc.ABC):
    """The system as another person uses it: one object of goods with a text field and an image. Empty at the start of a
    test."""

    object_name: str = "goods"
    text: str = "sku"
    image: str = "image#"

    @property
    def fields(self) -> tuple[str, str]:
        return self.text, self.image

    @abc.abstractmethod
    async def open(self) -> Connector:
        """A new connector; who asks for it closes it."""

    @abc.abstractmethod
    async def insert(self, sku: str, content: bytes | None) -> str:
        """Add goods with their image; the id."""

    @abc.abstractmethod
    async def hang(self, id_: str, content: bytes | None) -> None:
        """Another image in the place of the one that is there, or none."""


class Goods(GoodsToRead):
    """One whose images are written, too."""

    @abc.abstractmethod
    async def content(self, id_: str) -> bytes | None:
        """The image of goods, read past the connector."""

    @abc.abstractmethod
    async def ids(self) -> Sequence[str]:
        """All goods."""


async def look(connector: Connector, goods: GoodsToRead, id_: str) -> Record:
    """A fresh look."""
    (record,) = await connector.read(goods.object_name, [id_], goods.fields)
    return record


async def fetched(connector: Connector, goods: GoodsToRead, id_: str) -> bytes | None:
    """The content as the engine fetches it."""
    found: HoldsAttachments = connector  # type: ignore[assignment]
    return await found.fetch_attachment(goods.object_name, id_, goods.image)


class ReadsAttachments(Case):
    """What every connector with attachments shows."""

    @pytest.fixture
    async def connector(self, goods: GoodsToRead) -> AsyncIterator[Connector]:
        opened = await goods.open()
        try:
            yield opened
        finally:
            await opened.aclose()

    async def test_a_look_describes_and_does_not_deliver(
        self, connector: Connector, goods: GoodsToRead
    ) -> None:
        assert connector.declaration.attachments
        ids = [await goods.insert(f"S{place}", content) for place, content in enumerate(CONTENTS)]
        wanted = {
            id_: None if content is None else describe(content)
            for id_, content in zip(ids, CONTENTS, strict=True)
        }
        records = await connector.read(goods.object_name, ids, goods.fields)
        assert {one.id: one.native[goods.image] for one in records} == wanted
        page = await connector.scan(goods.object_name, "", goods.fields, 10)
        assert {one.id: one.native[goods.image] for one in page.records} == wanted
        assert [await fetched(connector, goods, id_) for id_ in ids] == list(CONTENTS)

    async def test_another_content_is_another_description(
        self, connector: Connector, goods: GoodsToRead
    ) -> None:
        id_ = await goods.insert("S", PNG + b"one")
        shown = []
        # Of the same length and name too: what is compared is the content.
        for content in (PNG + b"two", PNG + b"six", None, PNG + b"one"):
            await goods.hang(id_, content)
            shown.append((await look(connector, goods, id_)).native[goods.image])
        assert shown == [describe(PNG + b"two"), describe(PNG + b"six"), None, describe(PNG + b"one")]

    async def test_goods_that_are_not_there_have_none(self, connector: Connector, goods: GoodsToRead) -> None:
        await goods.insert("S", PNG)
        assert await fetched(connector, goods, "999999") is None

    async def test_it_is_offered_and_an_unknown_one_is_named(
        self, connector: Connector, goods: GoodsToRead
    ) -> None:
        await goods.insert("S", PNG)
        offered = {info.name: info for info in await connector.describe()}[goods.object_name]
        assert {field.name: field.type for field in offered.fields}[goods.image] == "attachment"
        await check_refuses_field(connector.scan(goods.object_name, "", ["no_such_field#"], 10))


class TakesAttachments(ReadsAttachments):
    """What every connector does that writes them."""

    async def sent(self, connector: Connector, goods: Goods, write: Write) -> WriteResult:
        (result,) = await connector.write(goods.object_name, [write], goods.fields)
        return result

    def changed(self, goods: Goods, record: Record, content: bytes | None, **more: Value) -> Write:
        """The update of a record that was looked at."""
        native = {goods.image: None if content is None else describe(content), **more}
        seen = {name: record.native[name] for name in native}
        carried = {} if content is None else {goods.image: content}
        return Write(Op.UPDATE, record.id, native, seen, record.version, attachments=carried)

    async def test_it_is_written_over_what_was_seen(self, connector: Connector, goods: Goods) -> None:
        id_ = await goods.insert("S", PNG + b"one")
        other = await goods.insert("T", PNG + b"other")
        record = await look(connector, goods, id_)
        write = self.changed(goods, record, PNG + b"two")
        assert (await self.sent(connector, goods, write)).status is WriteStatus.DONE
        assert await goods.content(id_) == PNG + b"two"
        assert (await look(connector, goods, id_)).native[goods.image] == describe(PNG + b"two")
        # It shows another one by now, and so another one than this was planned on.
        assert (await self.sent(connector, goods, write)).status is WriteStatus.MOVED_ON
        assert [await goods.content(one) for one in (id_, other)] == [PNG + b"two", PNG + b"other"]

    async def test_it_is_written_again_and_again_emptied_and_refilled(
        self, connector: Connector, goods: Goods
    ) -> None:
        id_ = await goods.insert("S", None)
        for content in (PNG + b"one", PNG + b"two", PNG + b"one", None, PNG + b"two"):
            record = await look(connector, goods, id_)
            assert (await self.sent(connector, goods, self.changed(goods, record, content))).status is (
                WriteStatus.DONE
            )
            assert await goods.content(id_) == content
        assert (await look(connector, goods, id_)).native[goods.text] == "S"

    async def test_it_goes_with_other_fields_and_stays_without(
        self, connector: Connector, goods: Goods
    ) -> None:
        id_ = await goods.insert("S", PNG + b"one")
        record = await look(connector, goods, id_)
        both = self.changed(goods, record, PNG + b"two", **{goods.text: "T"})
        assert (await self.sent(connector, goods, both)).status is WriteStatus.DONE
        text = Write(Op.UPDATE, id_, {goods.text: "U"}, {goods.text: "T"})
        assert (await self.sent(connector, goods, text)).status is WriteStatus.DONE
        record = await look(connector, goods, id_)
        assert (record.native[goods.text], await goods.content(id_)) == ("U", PNG + b"two")

    async def test_a_record_is_made_with_it(self, connector: Connector, goods: Goods) -> None:
        drawn = ""
        if connector.declaration.draws_ids:
            (drawn,) = await connector.reserve(goods.object_name, 1)
        native: dict[str, Value] = {goods.text: "N", goods.image: describe(PNG)}
        made = Write(Op.CREATE, drawn, native, attachments={goods.image: PNG})
        result = await self.sent(connector, goods, made)
        assert result.status is WriteStatus.DONE
        assert list(await goods.ids()) == [result.id]
        assert await goods.content(result.id) == PNG

    async def test_goods_are_removed_with_it(self, connector: Connector, goods: Goods) -> None:
        id_ = await goods.insert("S", PNG)
        record = await look(connector, goods, id_)
        gone = Write(Op.DELETE, id_, seen=record.native, version=record.version)
        assert (await self.sent(connector, goods, gone)).status is WriteStatus.DONE
        assert list(await goods.ids()) == []
