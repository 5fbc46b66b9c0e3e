"""CSV files as things on a disk: half-written, replaced under our hands, locked, full, copied, killed in the middle.

Real files, processes and locks throughout. The contract itself is in test_csv.py, the text in test_csv_text.py.
"""

# ruff: noqa: ASYNC240 - the other person works with files as anybody does; nothing else waits for the loop here.

from __future__ import annotations

import io
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PosixPath
from typing import Any

import anyio
import anyio.to_thread
import pytest

from actors.core.errors import Kind, Scope, TandemError
from actors.core.values import Value
from actors.ports import Connector, Write, WriteResult, WriteStatus
from clients.connectors.definition import checked_settings
from clients.connectors.files import disk, folder
from clients.connectors.files.text import Table, parse
from clients.connectors.systems.csv import DECLARATION
from clients.connectors.systems.csv_folder import Folder
from clients.connectors.systems.csv_rows import Draft
from clients.connectors.systems.csv_settings import folder_spec
from tests.connectors.csv_people import PEOPLE, connect, names, rename, settings

pytestmark = pytest.mark.anyio
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    return path


async def failing(connector: Connector, object_name: str = "people") -> TandemError:
    with pytest.raises(TandemError) as caught:
        await names(connector, object_name)
    return caught.value


# ------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    "content", ["", "id;na", "id;name;note\nK1;Anna;x\nK2;Be", "id;name;note\nK1;Anna;x\nK2\n"]
)
async def test_a_half_written_file_is_no_shorter_list(file: Path, content: str) -> None:
    file.write_text(content)
    error = await failing(await connect(file.parent))
    assert (error.kind, error.scope) == (Kind.TRANSIENT, Scope.STREAM)
    assert "people.csv, line" in str(error)


async def test_an_unterminated_last_line_can_be_allowed(file: Path) -> None:
    file.write_text(PEOPLE.rstrip("\n"))
    assert "last_line" in str(await failing(await connect(file.parent)))
    assert await names(await connect(file.parent, last_line="any")) == {"K1": "Anna", "K2": "Bert"}


async def test_a_file_that_is_being_written_is_waited_for(file: Path) -> None:
    file.write_text("id;name;note\nK1;Anna;x\n")
    connector = await connect(file.parent, quiet_s="0.3")
    shown: dict[str, Value] = {}

    async def read() -> None:
        shown.update(await names(connector))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.sleep(0.1)
            with file.open("a") as writer:
                writer.write("K2;Bert;y\n")
    assert shown == {"K1": "Anna", "K2": "Bert"}


class Edited(PosixPath):
    """A file that somebody edits while it is being read: after the bytes are out, before the read is over."""

    def disturb(self) -> None:
        """What the other person does."""
        Path(self).write_text(PEOPLE + "K3;Cora;z\n")

    def open(self, *_: Any, **__: Any) -> Any:
        """Opened for reading."""
        path = self

        class Reading(io.FileIO):
            def readall(self) -> bytes:
                data = super().readall()
                path.disturb()
                return data

            def read(self, size: int | None = -1, /) -> bytes:
                return self.readall()

        return Reading(str(self), "r")


class Replaced(Edited):
    """Another file takes its name."""

    def disturb(self) -> None:
        new = Path(f"{self}.new")
        new.write_text(PEOPLE)
        new.replace(self)


class Removed(Edited):
    """It is removed."""

    def disturb(self) -> None:
        self.unlink()


@pytest.mark.parametrize("kind", [Edited, Replaced, Removed])
def test_a_read_that_was_disturbed_does_not_count(file: Path, kind: type[Edited]) -> None:
    os.utime(file, (1, 1))
    with pytest.raises(disk.Unsettled):
        disk.read_whole(kind(file))


async def test_a_file_that_never_holds_still_is_left_alone(file: Path) -> None:
    connector = await connect(file.parent, quiet_s="0.2")
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:

            async def write_on() -> None:
                while True:
                    with file.open("a") as writer:
                        writer.write("")
                    os.utime(file)
                    await anyio.sleep(0.02)

            group.start_soon(write_on)
            error = await failing(connector)
            group.cancel_scope.cancel()
    assert error.kind is Kind.TRANSIENT
    assert "is being written" in str(error)


@pytest.mark.parametrize(
    "content, words",
    [
        ("id;name\nK1;Anna\nK2;Bert\nK1;Again\nK3;C\n", ["'K1' twice", "line 2", "line 4"]),
        ("id;name\nK1;Anna;extra\nK2;Bert\n", ["line 2", "3 cells"]),
        ("id;name\n;Anna\nK2;Bert\n", ["line 2", "without a key"]),
    ],
)
async def test_a_broken_file_stops_its_stream_with_words(file: Path, content: str, words: list[str]) -> None:
    file.write_text(content)
    error = await failing(await connect(file.parent))
    assert (error.kind, error.scope) == (Kind.REJECTED, Scope.STREAM)
    assert not [word for word in ["people.csv", *words] if word not in str(error)]
    assert error.hint


async def test_a_missing_file_is_no_empty_one(file: Path) -> None:
    file.unlink()
    error = await failing(await connect(file.parent))
    assert (error.kind, error.scope) == (Kind.TRANSIENT, Scope.STREAM)


async def test_a_missing_folder_is_a_wrong_setting(file: Path) -> None:
    for place in (file.parent / "nowhere", file):
        for call in (Connector.check, Connector.identity, Connector.describe):
            with pytest.raises(TandemError) as caught:
                await getattr(await connect(place), call.__name__)()
            assert caught.value.kind is Kind.CONFIG
            assert "'path'" in str(caught.value)
        assert (await failing(await connect(place))).kind is Kind.CONFIG


async def test_without_objects_every_csv_file_is_one(file: Path) -> None:
    for name in ("half.csv.tmp", "up.csv.part", "old.csv~", "~lock.csv", ".hidden.csv", "notes.txt"):
        (file.parent / name).write_text("no table")
    (file.parent / "Orders.CSV").write_text("nr,sum\n1,2\n")
    (file.parent / "broken.csv").write_text("id;a\n1\n2;b\n")
    connector = await connect(file.parent, objects={})
    described = {item.name: item for item in await connector.describe()}
    assert set(described) == {"Orders", "broken", "people"}
    assert (described["Orders"].key, [field.name for field in described["Orders"].fields]) == (
        "nr",
        ["nr", "sum"],
    )
    assert "line 2" in described["broken"].doc
    assert await names(connector) == {"K1": "Anna", "K2": "Bert"}
    assert not connector.declaration.draws_ids


async def test_an_id_that_is_asked_for_twice_comes_once(file: Path) -> None:
    records = await (await connect(file.parent)).read("people", ["K2", "K1", "K2"], ["name"])
    assert [record.id for record in records] == ["K2", "K1"]


async def test_an_edit_in_the_same_tick_is_seen(file: Path) -> None:
    """Same size, same time, same inode: what the file system does not tell is found in the bytes."""
    connector = await connect(file.parent)
    assert (await names(connector))["K1"] == "Anna"
    token, times = await connector.look_token("people"), file.stat()
    with file.open("r+") as writer:
        writer.write(PEOPLE.replace("Anna", "Anne"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (await names(connector))["K1"] == "Anne"
    assert await connector.look_token("people") != token


async def test_touching_a_file_is_no_change(file: Path) -> None:
    connector = await connect(file.parent)
    token = await connector.look_token("people")
    os.utime(file, (1, 1))
    assert await connector.look_token("people") == token
    file.write_text(PEOPLE)
    assert await connector.look_token("people") == token


async def test_watch_tells_of_changes(file: Path) -> None:
    connector = await connect(file.parent)
    with anyio.fail_after(60):
        watch = connector.watch()
        await anext(watch)
        file.write_text(PEOPLE + "K3;Cora;z\n")
        await anext(watch)
        assert "K3" in await names(connector)
        with anyio.move_on_after(1.2) as nothing_new:
            await anext(watch)
        assert nothing_new.cancelled_caught
        watch = connector.watch()
        await anext(watch)
        shutil.rmtree(file.parent)
        with pytest.raises(TandemError, match="does not exist"):
            await anext(watch)


async def test_a_million_cells_in_pages_are_parsed_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 rows of ten cells, in pages; a look at an unchanged file costs no second parse."""
    head = ";".join(["id", "name", *(f"f{number}" for number in range(8))])
    rest = ";".join("abcdefgh")
    file.write_text(
        f"{head}\n" + "".join(f"K{number:06};Name {number};{rest}\n" for number in range(100_000))
    )
    os.utime(file, (1, 1))
    connector = await connect(file.parent)
    parses: list[int] = []

    def counted(content: bytes, *rest: Any) -> Table:
        parses.append(len(content))
        return parse(content, *rest)

    monkeypatch.setattr(folder, "parse", counted)
    position, count, more = "", 0, True
    while more:
        page = await connector.scan("people", position, ["name", "f7"], 5000)
        position, more, count = page.cursor, page.more, count + len(page.records)
    assert count == 100_000
    assert len(parses) == 1


# ------------------------------------------------------------------------------------------------- writing


def open_folder(folder: Path) -> Folder:
    return Folder(folder_spec(checked_settings(DECLARATION, settings(folder))))


async def test_an_edit_between_our_read_and_our_swap_is_not_lost(file: Path) -> None:
    folder, disturbances = (
        open_folder(file.parent),
        iter(["K1;Anna;x\nK2;Theirs;y\n", "K1;Anna;x\nK2;Theirs;z\n"]),
    )

    def apply(draft: Draft, meant: Sequence[Write]) -> list[WriteResult]:
        if (text := next(disturbances, None)) is not None:
            file.write_text(f"id;name;note\n{text}")
        return [draft.apply(rename("K1", "Ours", "Anna"), []), draft.apply(rename("K2", "Ours", "Bert"), [])]

    results = await folder.swap(await folder.object("people"), [], apply)
    assert results is not None
    assert [result.status for result in results] == [WriteStatus.DONE, WriteStatus.MOVED_ON]
    assert file.read_text() == "id;name;note\nK1;Ours;x\nK2;Theirs;z\n"


async def test_a_file_that_is_replaced_again_and_again_is_not_swapped(file: Path) -> None:
    folder, turn = open_folder(file.parent), 0

    def apply(draft: Draft, meant: Sequence[Write]) -> list[WriteResult]:
        nonlocal turn
        turn += 1
        new = file.with_suffix(".new")
        new.write_text(PEOPLE.replace("y", str(turn)))
        new.replace(file)
        return [draft.apply(rename("K1", "Ours", "Anna"), [])]

    assert await folder.swap(await folder.object("people"), [], apply) is None
    assert turn > 1
    assert file.read_text() == PEOPLE.replace("y", str(turn))


async def test_permissions_and_links_stay(file: Path) -> None:
    real = file.parent / "elsewhere"
    real.mkdir()
    file.rename(real / "export.csv")
    file.symlink_to(real / "export.csv")
    (real / "export.csv").chmod(0o640)
    connector = await connect(file.parent)
    (result,) = await connector.write("people", [rename("K1", "New", "Anna")], [])
    assert result.status is WriteStatus.DONE
    assert file.is_symlink()
    assert stat.S_IMODE((real / "export.csv").stat().st_mode) == 0o640
    assert "New" in (real / "export.csv").read_text()
    assert [path.name for path in real.iterdir()] == ["export.csv"]


async def test_a_write_protected_file_is_not_replaced(file: Path) -> None:
    file.chmod(0o444)
    connector = await connect(file.parent)
    with pytest.raises(TandemError, match="write-protected") as caught:
        await connector.write("people", [rename("K1", "New", "Anna")], [])
    assert caught.value.kind is Kind.CONFIG
    assert file.read_text() == PEOPLE


async def test_a_batch_that_changes_nothing_does_not_touch_the_file(file: Path) -> None:
    before = file.stat()
    connector = await connect(file.parent)
    results = await connector.write("people", [rename("K1", "Anna", "Anna"), rename("K9", "x", "y")], [])
    assert [result.status for result in results] == [WriteStatus.DONE, WriteStatus.GONE]
    assert file.stat() == before or file.stat().st_mtime_ns == before.st_mtime_ns


async def test_a_write_waits_for_the_lock(file: Path) -> None:
    connector, done = await connect(file.parent), anyio.Event()

    async def write() -> None:
        await connector.write("people", [rename("K1", "New", "Anna")], [])
        done.set()

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            with disk.locked(file.parent) as taken:
                assert taken
                group.start_soon(write)
                with anyio.move_on_after(0.2):
                    await done.wait()
                assert file.read_text() == PEOPLE
            await done.wait()
    assert "New" in file.read_text()


async def test_our_own_write_is_not_waited_for(file: Path) -> None:
    """A second look within a minute would otherwise fail: only other people's writes may be unfinished."""
    os.utime(file, (1, 1))
    connector = await connect(file.parent, quiet_s=60)
    with anyio.fail_after(60):
        for old, new in (("Anna", "Anne"), ("Anne", "Anja")):
            (result,) = await connector.write("people", [rename("K1", new, old)], [])
            assert result.status is WriteStatus.DONE
            assert (await names(connector))["K1"] == new


def run(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process of its own, in the repository."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


FULL_DISK = """
import anyio, resource, sys
from actors.core.types import Op
from actors.core.errors import TandemError
from actors.ports import Write
from clients.connectors.catalog import open_connector

async def main():
    connector = await open_connector("csv", {"path": sys.argv[1], "quiet_s": 0})
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
    try:
        await connector.write("people", [Write(Op.UPDATE, id="K1", native={"note": "n" * 4000}, seen={"note": "x"})], [])
    except TandemError as error:
        print(error.kind, error)

anyio.run(main)
"""


async def test_a_full_disk_leaves_the_old_file(file: Path) -> None:
    """The kernel's limit on a file's size stands in for the disk: the write fails in its middle all the same."""
    with run(FULL_DISK, file.parent) as process:
        output, _ = await anyio.to_thread.run_sync(process.communicate, None, 60)
    assert output.startswith("transient")
    assert "may not grow" in output
    assert file.read_text() == PEOPLE
    assert sorted(path.name for path in file.parent.iterdir()) == [".tandem-lock", "people.csv"]


BUSY_WRITER = """
import anyio, sys
from actors.core.types import Op
from actors.ports import Write
from clients.connectors.catalog import open_connector

async def main():
    connector = await open_connector("csv", {"path": sys.argv[1], "quiet_s": 0})
    seen = ["name 0"] * 2000
    for turn in range(1, 10_000):
        name = f"name {turn}"
        writes = [Write(Op.UPDATE, id=f"K{n}", native={"name": name}, seen={"name": old}) for n, old in enumerate(seen)]
        await connector.write("people", writes, [])
        seen = [name] * 2000
        print(turn, flush=True)

anyio.run(main)
"""


@pytest.mark.parametrize("turns", [1, 2, 4])
async def test_a_killed_writer_leaves_a_whole_file_and_no_lock(file: Path, turns: int) -> None:
    file.write_text("id;name\n" + "".join(f"K{number};name 0\n" for number in range(2000)))
    with run(BUSY_WRITER, file.parent) as process:
        assert process.stdout is not None
        for _ in range(turns):
            await anyio.to_thread.run_sync(process.stdout.readline)
        process.send_signal(signal.SIGKILL)
    connector = await connect(file.parent)
    shown = await names(connector)
    page = await connector.scan("people", "", ["name"], 5000)
    assert len(page.records) == 2000
    assert len({record.native["name"] for record in page.records}) == 1
    name = shown["K1"]
    assert isinstance(name, str)
    (result,) = await connector.write("people", [rename("K1", "after", name)], [])
    assert result.status is WriteStatus.DONE
