"""Images beside a CSV file: the contract of attachments, and which files are left alone, waited for and tidied up."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.core.attachments import describe
from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.ports import Connector, HoldsAttachments, Write, WriteStatus
from clients.connectors.catalog import open_connector
from tests.connectors.contract_attachments import PNG, Goods, TakesAttachments, look

pytestmark = pytest.mark.anyio


class Folder(Goods):
    """A folder with a table, and its images in a folder beside it."""

    text, image = "name", "picture#"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.images = path / "images"
        self.images.mkdir()
        self.table = path / "goods.csv"
        self.table.write_text("id;name;picture\n")

    async def open(self) -> Connector:
        goods = {"key": "id", "new_id": "K{number}", "attachments": {"picture": "images"}}
        return await open_connector(
            "csv", {"path": str(self.path), "quiet_s": 0, "objects": {"goods": goods}}
        )

    async def insert(self, sku: str, content: bytes | None) -> str:
        id_ = f"K{len(self.lines()) + 1}"
        self.table.write_text(f"{self.table.read_text()}{id_};{sku};\n")
        await self.hang(id_, content)
        return id_

    async def hang(self, id_: str, content: bytes | None) -> None:
        if content is not None:
            (self.images / f"{id_}.png").write_bytes(content)
        self.name(id_, "" if content is None else f"{id_}.png")

    async def content(self, id_: str) -> bytes | None:
        name = self.lines()[id_][1]
        return (self.images / name).read_bytes() if name else None

    async def ids(self) -> Sequence[str]:
        return list(self.lines())

    def lines(self) -> dict[str, list[str]]:
        """Name and picture by id."""
        rows = [line.split(";") for line in self.table.read_text().splitlines()[1:]]
        return {row[0]: row[1:] for row in rows}

    def name(self, id_: str, picture: str) -> None:
        """Somebody enters the name of a picture."""
        rows = {**self.lines(), id_: [self.lines()[id_][0], picture]}
        text = "".join(f"{key};{';'.join(cells)}\n" for key, cells in rows.items())
        self.table.write_text(f"id;name;picture\n{text}")

    def files(self) -> dict[str, bytes]:
        """What lies in the folder of images."""
        return {path.name: path.read_bytes() for path in self.images.iterdir()}


@pytest.fixture
def goods(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


class TestAttachments(TakesAttachments):
    """The contract."""


@pytest.fixture
async def connector(goods: Folder) -> Any:
    return await goods.open()


def sent(id_: str, content: bytes | None, seen: Any) -> Write:
    told = None if content is None else describe(content)
    carried = {} if content is None else {"picture#": content}
    return Write(Op.UPDATE, id_, {"picture#": told}, {"picture#": seen}, attachments=carried)


async def test_what_is_named_and_not_there_yet_is_not_delivered(goods: Folder, connector: Connector) -> None:
    id_ = await goods.insert("S", None)
    goods.name(id_, "coming.png")
    assert "picture#" not in (await look(connector, goods, id_)).native
    before = await connector.look_token("goods")
    (goods.images / "coming.png").write_bytes(PNG)
    assert await connector.look_token("goods") != before
    assert (await look(connector, goods, id_)).native["picture#"] == describe(PNG)


async def test_a_picture_that_is_written_over_in_its_place_is_a_change(
    goods: Folder, connector: Connector
) -> None:
    id_ = await goods.insert("S", PNG + b"one")
    before = await connector.look_token("goods")
    (goods.images / f"{id_}.png").write_bytes(PNG + b"six")
    assert await connector.look_token("goods") != before


async def test_a_picture_that_changed_within_the_tick_of_its_time_is_looked_at_once_more(
    goods: Folder, connector: Connector
) -> None:
    id_ = await goods.insert("S", PNG + b"one")
    path = goods.images / f"{id_}.png"
    tick = path.stat().st_mtime_ns + 10**11  # far enough for the slowest machine
    os.utime(path, ns=(tick, tick))
    await look(connector, goods, id_)
    path.write_bytes(PNG + b"six")
    os.utime(path, ns=(tick, tick))
    assert (await look(connector, goods, id_)).native["picture#"] == describe(PNG + b"six")


@pytest.mark.parametrize("cell", ["../secret.png", "/etc/secret.png", r"C:\Photos\secret.png"])
async def test_a_cell_names_a_file_of_its_folder_and_no_other(
    goods: Folder, connector: Connector, cell: str
) -> None:
    (goods.path / "secret.png").write_bytes(PNG + b"secret")
    id_ = await goods.insert("S", None)
    goods.name(id_, cell)
    assert "picture#" not in (await look(connector, goods, id_)).native
    (goods.images / "secret.png").write_bytes(PNG + b"its own")
    assert (await look(connector, goods, id_)).native["picture#"] == describe(PNG + b"its own")


async def test_capitals_of_a_name_do_not_matter(goods: Folder, connector: Connector) -> None:
    id_ = await goods.insert("S", None)
    goods.name(id_, "Stylo.PNG")
    assert "picture#" not in (await look(connector, goods, id_)).native
    (goods.images / "STYLO.png").write_bytes(PNG)
    assert (await look(connector, goods, id_)).native["picture#"] == describe(PNG)
    (goods.images / "Stylo.PNG").write_bytes(PNG + b"the very one")
    assert (await look(connector, goods, id_)).native["picture#"] == describe(PNG + b"the very one")


async def test_our_files_go_when_nothing_names_them_and_others_stay(
    goods: Folder, connector: Connector
) -> None:
    one, two = await goods.insert("S", PNG + b"theirs"), await goods.insert("T", None)
    for id_, seen in ((one, describe(PNG + b"theirs")), (two, None)):
        (result,) = await connector.write("goods", [sent(id_, PNG + b"ours", seen)], goods.fields)
        assert result.status is WriteStatus.DONE
    assert (
        len(goods.files()) == 3
    )  # theirs stays though nothing names it any more: nobody asked us to remove it
    (result,) = await connector.write("goods", [sent(two, None, describe(PNG + b"ours"))], goods.fields)
    assert result.status is WriteStatus.DONE
    assert sorted(goods.files().values()) == [PNG + b"ours", PNG + b"theirs"]
    assert await goods.content(one) == PNG + b"ours"


async def test_a_refused_write_leaves_no_file(goods: Folder, connector: Connector) -> None:
    id_ = await goods.insert("S", None)
    bad = Write(
        Op.UPDATE,
        id_,
        {"picture#": describe(PNG), "id": "other"},
        {"picture#": None},
        attachments={"picture#": PNG},
    )
    (result,) = await connector.write("goods", [bad], goods.fields)
    assert (result.status, goods.files()) == (WriteStatus.REFUSED, {})


async def test_a_picture_that_somebody_holds_is_waited_for(goods: Folder, connector: Connector) -> None:
    id_ = await goods.insert("S", PNG)
    held = (goods.images / f"{id_}.png").open("rb+")
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(TandemError, match="is being written") as caught:
        await look(connector, goods, id_)
    assert caught.value.kind is Kind.TRANSIENT
    held.close()
    assert (await look(connector, goods, id_)).native["picture#"] == describe(PNG)


async def test_a_column_that_names_no_files_is_refused(goods: Folder, connector: Connector) -> None:
    await goods.insert("S", None)
    with pytest.raises(TandemError, match=r"'name' of goods\.csv is not said to name files"):
        await connector.read("goods", ["K1"], ["name#"])
    holder: HoldsAttachments = connector  # type: ignore[assignment]
    with pytest.raises(TandemError, match="not said to name files"):
        await holder.fetch_attachment("goods", "K1", "name#")


@pytest.mark.parametrize("where", ["another column", "another table"])
async def test_a_file_of_ours_stays_while_anything_in_its_folder_names_it(tmp_path: Path, where: str) -> None:
    """Two columns, or two tables, may name files of one folder; the same content of a record has the same name there."""
    (tmp_path / "goods.csv").write_text("id;front;back\nK1;;\n")
    (tmp_path / "parts.csv").write_text("id;front;back\nK1;;\n")
    named = {"key": "id", "attachments": {"front": "images", "back": "images"}}
    settings = {"path": str(tmp_path), "quiet_s": 0, "objects": {"goods": named, "parts": named}}
    connector = await open_connector("csv", settings)
    told, other = describe(PNG), describe(PNG + b"other")
    other_table, other_column = ("goods", "back#") if where == "another column" else ("parts", "front#")
    for table, column in (("goods", "front#"), (other_table, other_column)):
        made = Write(Op.UPDATE, "K1", {column: told}, {column: None}, attachments={column: PNG})
        (result,) = await connector.write(table, [made], ["id"])
        assert result.status is WriteStatus.DONE
    over = Write(Op.UPDATE, "K1", {"front#": other}, {"front#": told}, attachments={"front#": PNG + b"other"})
    (result,) = await connector.write("goods", [over], ["id"])
    (record,) = await connector.read(other_table, ["K1"], [other_column])
    assert (result.status, dict(record.native)) == (WriteStatus.DONE, {other_column: told})
