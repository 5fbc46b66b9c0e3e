"""The exchange folder of Sage 50: what is under way, what the program refuses, exports that are half, locked or wrong.

The program is the emulated one, on a real folder. The contract itself is in test_sage50fr.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op, Record
from actors.core.values import Value
from actors.ports import Connector, Write, WriteStatus
from clients.connectors.catalog import open_connector
from clients.emulators.faults import Fault
from clients.emulators.sage50fr import System as Program
from clients.emulators.stand import stand

pytestmark = pytest.mark.anyio
FIELDS = ("Code", "Nom", "Société", "Encours autorisé", "Bloqué", "Date de création")


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    async with stand("sage50fr", {"folder": str(tmp_path)}) as emulator:
        assert isinstance(emulator, Program)
        emulator.person.insert("clients", {"Code": "DUPONT", "Nom": "Dupont", "Société": "Épicerie Dupont"})
        emulator.person.insert("clients", {"Code": "MARTIN", "Nom": "Martin"})
        emulator.export()
        yield emulator


async def connect(program: Program, **changes: Any) -> Connector:
    return await open_connector("sage50fr", {"path": program.address, "quiet_s": 0, "wait_s": 60, **changes})


async def look(connector: Connector, code: str, table: str = "clients") -> Record:
    (record,) = await connector.read(table, [code], FIELDS)
    return record


def rename(code: str, name: str, seen: str) -> Write:
    return Write(Op.UPDATE, id=code, native={"Nom": name}, seen={"Nom": seen})


def new(code: str, **native: Value) -> Write:
    return Write(Op.CREATE, id=code, native=native)


async def write(connector: Connector, *writes: Write, table: str = "clients") -> list[tuple[str, str]]:
    results = await connector.write(table, writes, FIELDS)
    return [(result.status.value, result.error) for result in results]


def lying(program: Program, ending: str = ".TXT") -> list[Path]:
    return sorted((program.folder / "Import").glob(f"*{ending}"))


async def lies_there(program: Program) -> Path:
    for _ in range(6000):
        if found := lying(program):
            return found[0]
        await anyio.sleep(0.01)
    raise AssertionError("no import file was written")


async def test_values_are_what_french_texts_mean(program: Program) -> None:
    values = {
        "Encours autorisé": Decimal("1234.5"),
        "Bloqué": True,
        "Date de création": date(2026, 1, 31),
    }
    program.person.edit("clients", "DUPONT", values)
    program.export()
    text = (program.folder / "Export/CLIENTS.TXT").read_bytes().decode("cp1252")
    assert "\t1234,5\t" in text
    assert "\t31/01/2026\t" in text
    assert "\tOui\t" in text
    assert "\r\n" in text
    record = await look(await connect(program), "DUPONT")
    assert {name: record.native[name] for name in values} == values
    assert record.native["Société"] == "Épicerie Dupont"


async def test_a_write_is_done_when_an_export_shows_it(program: Program) -> None:
    connector = await connect(program)
    assert await write(connector, rename("DUPONT", "Dupond", "Dupont")) == [("done", "")]
    assert program.person.row("clients", "DUPONT")["Nom"] == "Dupond"
    assert (await look(connector, "DUPONT")).native["Nom"] == "Dupond"
    assert not lying(program)
    (taken,) = lying(program, ".BAK")
    assert taken.read_bytes() == b"Code\tNom\r\nDUPONT\tDupond\r\n"


async def test_an_import_carries_only_what_changes(program: Program) -> None:
    connector = await connect(program)
    await write(connector, rename("DUPONT", "Dupond", "Dupont"), new("NEU", Nom="Neu", Bloqué=True))
    files = [path.read_text("cp1252").splitlines() for path in lying(program, ".BAK")]
    assert sorted(files) == [
        ["Code\tNom", "DUPONT\tDupond"],
        ["Code\tNom\tBloqué", "NEU\tNeu\tOui"],
    ]


async def test_an_import_may_have_every_column_in_the_order_of_the_export(program: Program) -> None:
    connector = await connect(program, import_columns="all")
    assert await write(connector, rename("DUPONT", "Dupond", "Dupont")) == [("done", "")]
    (taken,) = lying(program, ".BAK")
    head, row = taken.read_text("cp1252").splitlines()
    assert head == (program.folder / "Export/CLIENTS.TXT").read_text("cp1252").splitlines()[0]
    assert len(head.split("\t")) == 88
    assert row.split("\t")[:3] == ["DUPONT", "Dupond", "Épicerie Dupont"]
    assert program.person.row("clients", "DUPONT")["Société"] == "Épicerie Dupont"


async def test_without_the_program_the_outcome_is_unknown_and_nothing_is_sent_twice(program: Program) -> None:
    program.is_open = False
    connector = await connect(program, wait_s=0)
    ((status, why),) = await write(connector, rename("DUPONT", "Dupond", "Dupont"))
    assert status == "unknown"
    assert "no export shows yet" in why
    ((status, why),) = await write(connector, rename("DUPONT", "Dupont-Durand", "Dupont"))
    assert status == "not_done"
    assert lying(program)[0].name in why
    # Another process of ours knows as much, and other records go.
    other = await connect(program, wait_s=0)
    results = await write(other, rename("DUPONT", "X", "Dupont"), rename("MARTIN", "Y", "Martin"))
    assert [status for status, _ in results] == ["not_done", "unknown"]
    assert len(lying(program)) == 2
    program.is_open = True
    program.take_in()
    program.export()
    assert (await look(connector, "DUPONT")).native["Nom"] == "Dupond"
    again = await connect(program)
    assert await write(again, rename("DUPONT", "Dupont", "Dupond")) == [("done", "")]


async def test_what_was_taken_in_and_is_not_exported_yet_is_under_way(program: Program) -> None:
    connector = await connect(program, wait_s=0)
    program.is_open = False
    await write(connector, rename("DUPONT", "Dupond", "Dupont"))
    program.take_in()
    assert lying(program, ".BAK")
    ((status, _),) = await write(connector, rename("DUPONT", "Other", "Dupont"))
    assert status == "not_done"
    program.export()
    ((status, _),) = await write(connector, rename("DUPONT", "Other", "Dupond"))
    assert status == "unknown"


async def test_rows_that_the_program_refuses_are_refused_in_its_words(program: Program) -> None:
    connector = await connect(program)
    fields = ["Code adresse", "Nom"]
    results = await connector.write(
        "adresses",
        [
            new("A1", **{"Code client": "DUPONT", "Nom": "Anna"}),
            new("A2", **{"Code client": "NOBODY", "Nom": "B"}),
        ],
        fields,
    )
    assert [result.status for result in results] == [WriteStatus.DONE, WriteStatus.REFUSED]
    assert results[1].error == "le client NOBODY n'existe pas"
    assert set(program.rows("adresses")) == {"A1"}


async def test_a_file_that_is_refused_as_a_whole_stops_the_stream(program: Program) -> None:
    program.faults.add(Fault("error", method="IMPORT"))
    connector = await connect(program)
    with pytest.raises(TandemError, match="fichier illisible") as caught:
        await write(connector, rename("DUPONT", "Dupond", "Dupont"))
    assert (caught.value.kind, caught.value.scope) == (Kind.CONFIG, Scope.STREAM)
    assert not lying(program)
    assert await write(connector, rename("DUPONT", "Dupond", "Dupont")) == [("done", "")]


@pytest.mark.parametrize("done", [False, True])
async def test_a_program_that_ends_in_the_middle_of_a_file_takes_it_again(
    program: Program, done: bool
) -> None:
    program.faults.add(Fault("cut", method="IMPORT", done=done))
    connector = await connect(program)
    writes = [rename("DUPONT", "Dupond", "Dupont"), rename("MARTIN", "Martine", "Martin")]
    assert await write(connector, *writes) == [("done", "")] * 2
    assert len(program.taken_in) == 1


async def test_a_code_that_is_taken_is_not_written_over(program: Program) -> None:
    connector = await connect(program)
    ((status, why),) = await write(connector, new("DUPONT", Nom="Somebody else"))
    assert (status, why) == ("refused", "'DUPONT' exists already")
    (drawn,) = await connector.reserve("clients", 1)
    assert drawn == "SM000001"
    assert program.person.row("clients", "DUPONT")["Nom"] == "Dupont"


@pytest.mark.parametrize(
    "native, words",
    [
        ({"Nom": "a\tb"}, "cannot hold a tab"),
        ({"Nom": "a\nb"}, "the end of a line"),
        ({"Nom": "Łukasz"}, "has no character 'Ł'"),
        ({"Nom": "x" * 51}, "holds 50 characters, this has 51"),
        ({"Bloqué": "peut-être"}, "neither true nor false"),
        ({"Code": "OTHER"}, "cannot be changed"),
    ],
)
async def test_what_the_files_cannot_hold_is_refused(
    program: Program, native: dict[str, Value], words: str
) -> None:
    connector = await connect(program, wait_s=0)
    ((status, why),) = await write(connector, Write(Op.UPDATE, id="DUPONT", native=native))
    assert status == "refused"
    assert words in why
    assert not lying(program)


async def test_articles_and_invoices_are_only_read(program: Program) -> None:
    program.person.insert("articles", {"Code": "A1", "Désignation courte": "Stylo"})
    program.export()
    connector = await connect(program)
    (result,) = await connector.write(
        "articles", [Write(Op.UPDATE, id="A1", native={"Marque": "X"})], ["Code"]
    )
    assert result.status is WriteStatus.REFUSED
    assert "nothing is imported into 'articles'" in result.error
    with pytest.raises(TandemError, match="draws no codes"):
        await connector.reserve("articles", 1)


async def test_a_prospect_that_is_imported_as_a_client_is_one(program: Program) -> None:
    program.person.insert("prospects", {"Code": "P1", "Nom": "Petit", "Ville": "Lyon"})
    program.export()
    connector = await connect(program)
    assert await write(connector, new("P1", Nom="Petit")) == [("done", "")]
    assert program.person.row("clients", "P1")["Ville"] == "Lyon"
    assert not await connector.read("prospects", ["P1"], ["Code"])


async def test_a_half_written_export_is_waited_for(program: Program) -> None:
    connector = await connect(program)
    program.faults.add(Fault("truncated", method="EXPORT", path="CLIENTS", seconds=3600))
    program.person.insert("clients", {"Code": "NEU", "Nom": "Neu"})
    program.export()
    with pytest.raises(TandemError, match="ends within its last line") as caught:
        await look(connector, "DUPONT")
    assert caught.value.kind is Kind.TRANSIENT
    program.go_on()
    assert (await look(connector, "NEU")).native["Nom"] == "Neu"


async def test_a_locked_export_is_waited_for(program: Program) -> None:
    connector = await connect(program)
    program.faults.add(Fault("slow", method="EXPORT", path="CLIENTS", seconds=3600))
    program.person.edit("clients", "DUPONT", {"Nom": "Dupond"})
    program.export()
    with pytest.raises(TandemError, match="is being written") as caught:
        await look(connector, "DUPONT")
    assert caught.value.kind is Kind.TRANSIENT
    program.go_on()
    assert (await look(connector, "DUPONT")).native["Nom"] == "Dupond"


async def test_an_export_in_utf_8_is_not_taken(program: Program) -> None:
    connector = await connect(program)
    program.faults.add(Fault("encoded", method="EXPORT", path="CLIENTS"))
    program.person.edit("clients", "DUPONT", {"Nom": "Dupond"})
    program.export()
    with pytest.raises(TandemError, match="line 1: the file is in UTF-8") as caught:
        await look(connector, "DUPONT")
    assert (caught.value.kind, caught.value.scope) == (Kind.REJECTED, Scope.STREAM)


async def test_a_tab_in_the_data_stops_its_stream_naming_the_line(program: Program) -> None:
    connector = await connect(program)
    program.faults.add(Fault("malformed", method="EXPORT", path="CLIENTS"))
    program.person.edit("clients", "DUPONT", {"Nom": "Dupond"})
    program.export()
    with pytest.raises(TandemError, match="line 2: the file has a row of 89 cells where the header has 88"):
        await look(connector, "DUPONT")
    assert await connector.scan("articles", "", ["Code"], 10) is not None


async def test_a_column_that_is_not_exported_is_named(program: Program) -> None:
    connector = await connect(program)
    program.data.absent = {("clients", "Bloqué")}
    program.person.edit("clients", "DUPONT", {"Nom": "Dupond"})
    program.export()
    with pytest.raises(TandemError, match="no column 'Bloqué'") as caught:
        await look(connector, "DUPONT")
    assert caught.value.kind is Kind.CONFIG


async def test_a_write_that_is_cut_off_leaves_its_file(program: Program) -> None:
    program.is_open = False
    connector = await connect(program)
    async with anyio.create_task_group() as group:
        group.start_soon(write, connector, rename("DUPONT", "Dupond", "Dupont"))
        await lies_there(program)
        group.cancel_scope.cancel()
    assert len(lying(program)) == 1
    ((status, _),) = await write(await connect(program, wait_s=0), rename("DUPONT", "X", "Dupont"))
    assert status == "not_done"


async def test_old_files_of_ours_are_removed(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = await connect(program)
    await write(connector, rename("DUPONT", "Dupond", "Dupont"))
    theirs = program.folder / "Import/AUTRE_1.BAK"
    theirs.write_text("theirs")
    (old,) = [path for path in lying(program, ".BAK") if path != theirs]
    now_ns = old.stat().st_ctime_ns + 31 * 86_400 * 1_000_000_000
    monkeypatch.setattr("clients.connectors.systems.sage50fr_imports.time.time_ns", lambda: now_ns)
    await write(connector, rename("DUPONT", "Dupont", "Dupond"))
    assert not old.exists()
    assert theirs.exists()


async def test_settings_are_checked_as_a_whole(program: Program) -> None:
    with pytest.raises(TandemError) as caught:
        await connect(
            program,
            exports="Import",
            encoding="klingon",
            wait_s=601,
            objects={
                "clients": {"file": "x.csv", "typs": {}},
                "autres": {"file": "PROSPECTS.TXT", "new_id": "{a}"},
            },
        )
    message = str(caught.value)
    for fault in (
        "exports and imports must be two folders",
        "encoding 'klingon'",
        "wait_s must lie between 0 and 600",
        "objects.clients.file must be the name of a .TXT file",
        "objects.clients.typs is not known",
        "objects.autres.new_id",
        "objects.prospects and objects.autres are the same file",
    ):
        assert fault in message


async def test_a_folder_without_its_parts_is_named(program: Program) -> None:
    connector = await connect(program, imports="Elsewhere")
    with pytest.raises(TandemError, match="Elsewhere does not exist"):
        await connector.check()


async def test_an_open_connection_declares_what_its_settings_say(program: Program) -> None:
    connector = await connect(program, wait_s=5, take_in_max_s=1800)
    assert (connector.declaration.deadline_s, connector.declaration.vendor_tail_s) == (35.0, 1800.0)
