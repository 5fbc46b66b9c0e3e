"""Pictures of products in Sage Sales Management: the contract of attachments, and what a cut between two steps leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from actors.core.attachments import SIZE_MAX, describe
from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.ports import Connector, Write, WriteResult, WriteStatus
from clients.connectors.catalog import open_connector
from clients.connectors.http.wire import Answer, Request
from clients.connectors.systems.sage_sales_management_pictures import Pictures
from clients.emulators.faults import Fault
from clients.emulators.sage_sales_management import System
from clients.emulators.stand import stand
from tests.connectors.contract_attachments import PNG, Goods, TakesAttachments, look

pytestmark = pytest.mark.anyio
DOCUMENTS = r"/products/\d+/documents$"


class Products(Goods):
    """A person in front of Sales Management."""

    object_name, text = "products", "model"

    def __init__(self, system: System, **changes: Any) -> None:
        self.system = system
        keys = {"public_key": "public", "private_key": "private", "rate_per_s": 0}
        self.settings = {"url": f"{system.address}/api/v4", **keys, **changes}

    async def open(self) -> Connector:
        return await open_connector("sage_sales_management", self.settings)

    async def insert(self, sku: str, content: bytes | None) -> str:
        (key,) = self.system.person.insert("products", {"model": sku})
        if content is not None:
            await self.hang(str(key), content)
        return str(key)

    async def hang(self, id_: str, content: bytes | None) -> None:
        for name in self.system.files.shown(int(id_)):
            self.system.person.delete("documents", int(name.partition(":")[2]))
        if content is not None:
            self.system.files.hang(int(id_), content)

    async def content(self, id_: str) -> bytes | None:
        return next(iter(self.system.files.shown(int(id_)).values()), None)

    async def ids(self) -> Sequence[str]:
        rows = self.system.person.rows("products").values()
        return [str(row["id"]) for row in rows if not row["deleted"]]


@pytest.fixture
async def goods() -> AsyncIterator[Products]:
    async with stand(System, {"limit": "off"}) as system:
        assert isinstance(system, System)
        yield Products(system)


@pytest.fixture
async def connector(goods: Products) -> AsyncIterator[Connector]:
    opened = await goods.open()
    yield opened
    await opened.aclose()


class TestAttachments(TakesAttachments):
    """The contract."""


class TestAttachmentsOneByOne(TakesAttachments):
    """Documents by product, read-only products unlocked for a change."""

    @pytest.fixture
    async def goods(self) -> AsyncIterator[Products]:
        async with stand(System, {"limit": "off", "read_only": "refuse"}) as system:
            assert isinstance(system, System)
            yield Products(system, pictures="each", read_only="unlock")


async def sent(connector: Connector, goods: Products, id_: str, content: bytes | None) -> WriteResult:
    """A picture over the one that is seen now."""
    record = await look(connector, goods, id_)
    told = None if content is None else describe(content)
    carried = {} if content is None else {"image#": content}
    write = Write(Op.UPDATE, id_, {"image#": told}, {"image#": record.native["image#"]}, attachments=carried)
    (result,) = await connector.write("products", [write], goods.fields)
    return result


async def test_pictures_of_other_names_are_left_alone(goods: Products, connector: Connector) -> None:
    id_ = await goods.insert("Stylo", None)
    goods.system.files.hang(int(id_), PNG + b"theirs", "Sur la table.jpg")
    assert (await look(connector, goods, id_)).native["image#"] is None
    assert (await sent(connector, goods, id_, PNG + b"ours")).status is WriteStatus.DONE
    assert (await sent(connector, goods, id_, None)).status is WriteStatus.DONE
    assert list(goods.system.files.shown(int(id_)).values()) == [PNG + b"theirs"]


async def test_a_picture_is_fetched_once_to_be_known(goods: Products, connector: Connector) -> None:
    id_ = await goods.insert("Stylo", PNG + b"one")
    for _ in range(3):
        await look(connector, goods, id_)
    assert goods.system.counters["GET /files/{key}"] == 1


@pytest.mark.parametrize("step", ["bring", "remove"])
async def test_a_write_that_is_cut_between_two_steps_has_not_taken_place_and_is_done_by_the_next(
    goods: Products, connector: Connector, step: str
) -> None:
    id_ = await goods.insert("Stylo", PNG + b"one")
    cut = {"bring": Fault("cut", path="/files/", method="PUT"), "remove": Fault("error", path="/documents/")}
    await look(connector, goods, id_)
    goods.system.faults.add(cut[step])
    assert (await sent(connector, goods, id_, PNG + b"two")).status is WriteStatus.UNKNOWN
    assert (await look(connector, goods, id_)).native["image#"] == describe(PNG + b"one")
    assert (await sent(connector, goods, id_, PNG + b"two")).status is WriteStatus.DONE
    assert list(goods.system.files.shown(int(id_)).values()) == [PNG + b"two"]
    rows = goods.system.person.rows("documents").values()
    assert len([row for row in rows if not row["deleted"]]) == 1


async def test_a_product_whose_picture_did_not_come_is_there_and_its_write_is_not_told_as_done(
    goods: Products, connector: Connector
) -> None:
    goods.system.faults.add(Fault("error", path=DOCUMENTS, method="POST"))
    native = {"model": "Stylo", "image#": describe(PNG)}
    made = Write(Op.CREATE, "", native, attachments={"image#": PNG})
    (result,) = await connector.write("products", [made], goods.fields)
    assert result.status is WriteStatus.UNKNOWN
    assert list(await goods.ids()) == [result.id]
    assert (await sent(connector, goods, result.id, PNG)).status is WriteStatus.DONE
    assert await goods.content(result.id) == PNG


async def test_a_picture_that_is_refused_changes_nothing_else(goods: Products, connector: Connector) -> None:
    id_ = await goods.insert("Stylo", PNG + b"one")
    goods.system.faults.add(Fault("error", path="/files/", method="PUT", status=413))
    record = await look(connector, goods, id_)
    new = {"image#": describe(PNG), "model": "Plume"}
    write = Write(Op.UPDATE, id_, new, dict(record.native), attachments={"image#": PNG})
    (result,) = await connector.write("products", [write], goods.fields)
    assert (result.status, "413" in result.error) == (WriteStatus.REFUSED, True)
    assert goods.system.person.row("products", int(id_))["model"] == "Stylo"
    assert (await look(connector, goods, id_)).native["image#"] == describe(PNG + b"one")


async def test_a_file_elsewhere_is_not_asked_for(goods: Products, connector: Connector) -> None:
    id_ = await goods.insert("Stylo", PNG)
    (key,) = goods.system.person.rows("documents")
    goods.system.person.edit("documents", int(key), {"link": "https://files.example.org/x?signature=s3cr3t"})
    with pytest.raises(TandemError, match=r"points at the host files\.example\.org") as caught:
        await look(connector, goods, id_)
    assert caught.value.kind is Kind.CONFIG
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("status", [403, 404])
async def test_a_picture_that_came_and_cannot_be_fetched_now_is_not_delivered(
    goods: Products, connector: Connector, status: int
) -> None:
    """A signed address runs out. Taken for no picture, it would be removed on the other side."""
    id_ = await goods.insert("Stylo", PNG)
    goods.system.faults.add(Fault("error", path="/files/", method="GET", status=status))
    assert "image#" not in (await look(connector, goods, id_)).native
    assert (await look(connector, goods, id_)).native["image#"] == describe(PNG)


async def test_a_picture_that_is_too_large_to_be_brought_is_not_delivered(
    goods: Products, connector: Connector
) -> None:
    id_ = await goods.insert("Stylo", PNG)
    (key,) = goods.system.person.rows("documents")
    goods.system.person.edit("documents", int(key), {"size": SIZE_MAX + 1})
    assert "image#" not in (await look(connector, goods, id_)).native
    assert goods.system.counters["GET /files/{key}"] == 0


@pytest.mark.parametrize("product", [7, "7", {"id": "7"}])
async def test_a_document_names_its_product_as_a_number_or_as_a_text(product: object) -> None:
    """Told by neither, a product would have no picture, and get another one with every look."""

    class Api:
        """An account with one document."""

        http = property(lambda self: self)

        async def whole(self, resource: str, cases: Sequence[str]) -> list[dict[str, Any]]:
            row = {"id": 1, "productId": product, "name": "Photo.png", "carrousel": True}
            return [{**row, "link": "https://files.amazonaws.com/1"}]

        async def elsewhere(self, request: Request, hosts: Sequence[str]) -> Answer:
            return Answer(status=200, headers={}, body=PNG, cookies={})

    api: Any = Api()
    settings = {"picture_name": "Photo", "file_hosts": ["amazonaws.com"], "pictures": "list"}
    assert await Pictures(api, settings).described(["7"]) == {"7": describe(PNG)}
