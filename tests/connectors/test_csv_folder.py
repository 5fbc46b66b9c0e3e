"""The CSV folder as an account: ids that never come twice, one identity however it is addressed, settings checked whole."""

# ruff: noqa: ASYNC240 - the other person works with files as anybody does; nothing else waits for the loop here.

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.ports import Write, WriteStatus
from clients.connectors.definition import checked_settings
from clients.connectors.systems.csv import DECLARATION
from clients.connectors.systems.csv_settings import folder_spec
from tests.connectors.csv_people import PEOPLE, connect, names, settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    return path


async def test_ids_never_come_twice(file: Path) -> None:
    (first,) = await (await connect(file.parent)).reserve("people", 1)
    assert first == "K3"
    # Reserved by a process that is gone, written by nobody; and the row with the highest number is deleted.
    connector = await connect(file.parent)
    drawn = await connector.reserve("people", 2)
    await connector.write("people", [Write(Op.CREATE, id=drawn[1], native={"name": "Eva"})], [])
    await connector.write("people", [Write(Op.DELETE, id=drawn[1], seen={"name": "Eva"})], [])
    (last,) = await (await connect(file.parent)).reserve("people", 1)
    assert [*drawn, last] == ["K4", "K5", "K6"]


async def test_a_number_that_somebody_else_took_is_left_out(file: Path) -> None:
    connector = await connect(file.parent)
    assert list(await connector.reserve("people", 1)) == ["K3"]
    file.write_text(PEOPLE + "K41;Theirs;t\nX99;Other;o\n")
    assert list(await connector.reserve("people", 2)) == ["K42", "K43"]


async def test_each_file_counts_for_itself(file: Path) -> None:
    (file.parent / "orders.csv").write_text("nr;sum\nA-0007-Z;1\n")
    objects = {"people": {"new_id": "K{number}"}, "orders": {"new_id": "A-{number:04d}-Z"}}
    connector = await connect(file.parent, objects=objects)
    drawn = [(await connector.reserve(name, 1))[0] for name in ("people", "orders", "people", "orders")]
    assert drawn == ["K3", "A-0008-Z", "K4", "A-0009-Z"]


async def test_ids_may_be_random(file: Path) -> None:
    connector = await connect(file.parent, objects={"people": {"new_id": "uuid"}})
    drawn = await connector.reserve("people", 50)
    assert len({len(id_) for id_ in drawn}) == 1
    assert len(set(drawn)) == 50


async def test_damaged_counters_stop_with_a_way_out(file: Path) -> None:
    (file.parent / ".tandem-ids.json").write_text("{")
    connector = await connect(file.parent)
    with pytest.raises(TandemError, match="damaged") as caught:
        await connector.reserve("people", 1)
    assert caught.value.kind is Kind.CONFIG
    assert "remove" in caught.value.hint


async def test_an_object_without_new_id_takes_the_key_it_is_given(file: Path) -> None:
    connector = await connect(file.parent, objects={"people": {}})
    writes = [
        Write(Op.CREATE, native={"id": "A7", "name": "Eva"}),
        Write(Op.CREATE, native={"name": "Nobody"}),
    ]
    results = await connector.write("people", writes, ["name"])
    assert [result.status for result in results] == [WriteStatus.DONE, WriteStatus.REFUSED]
    assert "new_id" in results[1].error
    assert set(await names(connector)) == {"A7", "K1", "K2"}
    with pytest.raises(TandemError, match=r"objects\.people\.new_id"):
        await connector.reserve("people", 1)


async def test_the_same_folder_is_one_account_and_a_copy_another(file: Path, tmp_path: Path) -> None:
    folder = file.parent
    first = await (await connect(folder)).identity()
    (folder.parent / f"{folder.name}-link").symlink_to(folder)
    assert await (await connect(folder.parent / f"{folder.name}-link")).identity() == first
    assert await (await connect(Path(f"{folder}/../{folder.name}"))).identity() == first
    copy = folder.parent / f"{folder.name}-copy"
    shutil.copytree(folder, copy)
    assert await (await connect(copy)).identity() != first
    moved = folder.parent / f"{folder.name}-moved"
    folder.rename(moved)
    assert await (await connect(moved)).identity() == first


async def test_a_folder_that_may_not_be_written_is_known_by_its_path() -> None:
    """Nobody can make a file in /sys, root included."""
    assert await (await connect(Path("/sys/../sys"), objects={})).identity() == "csv:/sys"


# ------------------------------------------------------------------------------------------------ settings


def faults(changes: Mapping[str, Any]) -> str:
    with pytest.raises(TandemError) as caught:
        folder_spec(checked_settings(DECLARATION, settings(Path("/"), **changes)))
    assert caught.value.kind is Kind.CONFIG
    return str(caught.value)


def test_all_faults_of_the_objects_are_named_at_once() -> None:
    wrong = {
        "file": "../secret.csv",
        "kee": "id",
        "key": 1,
        "types": {"n": "money"},
        "date_format": "%d.%m.",
        "true_words": [True],
        "empty": "maybe",
        "new_id": "K{n}",
    }
    for encoding in ("utf-16", "rot13", "hex"):
        assert f"encoding '{encoding}'" in faults({"encoding": encoding})
    text = faults({"encoding": "utf-9", "quiet_s": 3600, "objects": {"a": wrong, "b": 1}})
    for word in ("encoding 'utf-9'", "quiet_s", "objects.b must", *(f"objects.a.{name}" for name in wrong)):
        assert word in text


def test_two_objects_of_one_file_are_refused() -> None:
    text = faults({"objects": {"a": {"file": "x.csv"}, "b": {"file": "X.csv"}}})
    assert "objects.a and objects.b are the same file" in text
