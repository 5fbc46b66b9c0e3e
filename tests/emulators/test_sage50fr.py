"""The emulated Sage 50: what it exports, takes in, refuses and reports, and how it goes wrong."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from clients.emulators.description import Refused
from clients.emulators.emulator import Automation
from clients.emulators.faults import Edit, Fault
from clients.emulators.sage50fr import System
from clients.emulators.stand import stand

pytestmark = pytest.mark.anyio
CLIENT = {
    "Code": "DUPONT",
    "Nom": "Dupont",
    "Société": "Épicerie Dupont",
    "Encours autorisé": Decimal("10.50"),
}


@pytest.fixture
async def sage(tmp_path: Path) -> AsyncIterator[System]:
    async with stand("sage50fr", {"folder": str(tmp_path)}) as emulator:
        assert isinstance(emulator, System)
        emulator.is_open = False  # it works when it is told to
        emulator.person.insert("clients", CLIENT)
        emulator.export()
        yield emulator


def exported(sage: System, name: str) -> list[dict[str, str]]:
    text = (sage.folder / "Export" / name).read_bytes().decode("cp1252")
    head, *rows = [line.split("\t") for line in text.removesuffix("\r\n").split("\r\n")]
    return [dict(zip(head, row, strict=True)) for row in rows]


def put(sage: System, name: str, *lines: str) -> Path:
    path = sage.folder / "Import" / name
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode("cp1252"))
    return path


def report(path: Path) -> list[str]:
    return path.with_suffix(".ERR").read_text("cp1252").splitlines()


async def test_exports_are_written_as_the_vendor_does(sage: System) -> None:
    (row,) = exported(sage, "CLIENTS.TXT")
    assert len(row) == 88
    shown = {name: row[name] for name in ("Code", "Société", "Encours autorisé", "Bloqué", "Ville")}
    assert list(shown.values()) == ["DUPONT", "Épicerie Dupont", "10,50", "Non", ""]
    assert exported(sage, "ARTICLES.TXT") == []


async def test_an_import_changes_and_makes_and_is_renamed(sage: System) -> None:
    path = put(sage, "CLIENTS_1.TXT", "Code\tNom\tEncours autorisé", "DUPONT\tDupond\t1,25", "NEU\tNeu\t")
    sage.take_in()
    assert sage.person.row("clients", "DUPONT")["Nom"] == "Dupond"
    assert sage.person.row("clients", "DUPONT")["Encours autorisé"] == Decimal("1.25")
    assert sage.person.row("clients", "DUPONT")["Société"] == "Épicerie Dupont"
    assert "NEU" in sage.rows("clients")
    assert not path.exists()
    assert path.with_suffix(".BAK").exists()
    assert not path.with_suffix(".ERR").exists()


async def test_refused_rows_are_reported_and_the_others_taken(sage: System) -> None:
    path = put(sage, "CLIENTS_1.TXT", "Code\tNom\tBloqué", "A\t\tOui", "B\tBon\toui", "C\tBon\tNon", "D\tx")
    sage.take_in()
    assert report(path) == [
        "Ligne\tCode\tMotif",
        "1\tA\tle nom ou la société est obligatoire",
        "2\tB\tBloqué: valeur incorrecte oui",
        "4\tD\t2 colonnes au lieu de 3",
    ]
    assert set(sage.rows("clients")) == {"DUPONT", "C"}


@pytest.mark.parametrize(
    "name, lines, reason",
    [
        ("CLIENTS_1.TXT", ["Code\tNon", "X\tY"], "colonne inconnue: Non"),
        ("CLIENTS_1.TXT", ["Nom", "Y"], "la colonne Code manque"),
        ("ARTICLES_1.TXT", ["Code", "Y"], "aucun format d'import pour ARTICLES"),
    ],
)
async def test_a_file_may_be_refused_as_a_whole(
    sage: System, name: str, lines: list[str], reason: str
) -> None:
    path = put(sage, name, *lines)
    sage.take_in()
    assert report(path)[1:] == [f"0\t\t{reason}"]
    assert path.exists()
    sage.take_in()
    assert sage.counters["IMPORT"] == 1


async def test_a_file_is_taken_once(sage: System) -> None:
    put(sage, "CLIENTS_1.TXT", "Code\tNom", "NEU\tNeu")
    sage.take_in()
    path = put(sage, "CLIENTS_1.TXT", "Code\tNom", "NEU\tAnders")
    sage.take_in()
    assert report(path)[1:] == ["0\t\tce fichier a déjà été importé"]
    assert sage.person.row("clients", "NEU")["Nom"] == "Neu"


async def test_what_people_may_not_do(sage: System) -> None:
    sage.person.insert("factures", {"N° pièce": "F1", "Client": "DUPONT"})
    with pytest.raises(Refused, match="mouvementé"):
        sage.person.delete("clients", "DUPONT")
    with pytest.raises(Refused, match="n'existe pas"):
        sage.person.insert("adresses", {"Code adresse": "A1", "Code client": "NOBODY"})
    with pytest.raises(Refused, match="longer than 13"):
        sage.person.insert("clients", {"Code": "X" * 14, "Nom": "x"})


async def test_a_prospect_becomes_a_client(sage: System) -> None:
    sage.person.insert(
        "prospects", {"Code": "P1", "Nom": "Petit"}, {"Code": "P2", "Nom": "Grand", "Ville": "Lyon"}
    )
    sage.convert("P1")
    put(sage, "CLIENTS_1.TXT", "Code\tNom", "P2\tGrand")
    path = put(sage, "PROSPECTS_1.TXT", "Code\tNom", "DUPONT\tDupont")
    sage.take_in()
    sage.export()
    assert sage.person.row("clients", "P2")["Ville"] == "Lyon"
    assert report(path)[1:] == ["1\tDUPONT\tDUPONT est déjà client"]
    assert [row["Code"] for row in exported(sage, "CLIENTS.TXT")] == ["DUPONT", "P1", "P2"]
    assert exported(sage, "PROSPECTS.TXT") == []


async def test_an_automation_answers_what_is_taken_in(sage: System) -> None:
    sage.automations.append(Automation("clients", upper=("Nom",)))
    put(sage, "CLIENTS_1.TXT", "Code\tNom", "DUPONT\tDupond")
    sage.take_in()
    assert sage.person.row("clients", "DUPONT")["Nom"] == "DUPOND"


async def test_exports_go_wrong_on_demand(sage: System) -> None:
    path = sage.folder / "Export/CLIENTS.TXT"
    whole = path.read_bytes()
    for kind in ("truncated", "encoded", "malformed"):
        sage.faults.add(Fault(kind, method="EXPORT", path="CLIENTS", seconds=3600))
        sage.person.edit("clients", "DUPONT", {"Ville": kind})
        sage.export()
        content = path.read_bytes()
        if kind == "truncated":
            assert not content.endswith(b"\n")
            assert len(content) < len(whole)
        elif kind == "encoded":
            assert "Épicerie" in content.decode("utf-8")
        else:
            assert content.split(b"\r\n")[1].count(b"\t") == 88
        sage.go_on()
    sage.person.edit("clients", "DUPONT", {"Ville": None})
    sage.export()
    assert path.read_bytes() == whole


async def test_imports_go_wrong_on_demand(sage: System) -> None:
    sage.faults.add(Fault("slow", method="IMPORT", seconds=3600))
    path = put(sage, "CLIENTS_1.TXT", "Code\tNom", "A\tA", "B\tB")
    sage.take_in()
    assert path.exists()
    sage.faults.add(Fault("cut", method="IMPORT"))
    sage.go_on()
    assert set(sage.rows("clients")) == {"DUPONT", "A"}
    assert path.exists()
    edit = Edit("edit", "clients", "DUPONT", {"Nom": "Plus vite"})
    sage.faults.add(Fault("edit", method="IMPORT", edits=(edit,)))
    sage.take_in()
    assert set(sage.rows("clients")) == {"DUPONT", "A", "B"}
    assert sage.person.row("clients", "DUPONT")["Nom"] == "Plus vite"
    assert not path.exists()


async def test_hidden_rows_absent_columns_and_backups_show_in_exports(sage: System) -> None:
    name = sage.data.backup()
    sage.person.insert("clients", {"Code": "NEU", "Nom": "Neu"})
    sage.data.hidden = {("clients", "DUPONT")}
    sage.data.absent = {("clients", "NPAI")}
    sage.export()
    (row,) = exported(sage, "CLIENTS.TXT")
    assert row["Code"] == "NEU"
    assert "NPAI" not in row
    sage.data.hidden, sage.data.absent = set(), set()
    sage.data.restore(name)
    sage.is_open = True
    for _ in range(6000):
        if [row["Code"] for row in exported_or_none(sage)] == ["DUPONT"]:
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("the restored state was not exported")


def exported_or_none(sage: System) -> list[dict[str, str]]:
    try:
        return exported(sage, "CLIENTS.TXT")
    except ValueError:  # it is being written
        return []


async def test_it_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "clients.emulators", "sage50fr", "--option", f"folder={tmp_path}"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        address, control = (await process.stdout.readline()).decode().split()
        assert address == str(tmp_path)
        async with aiohttp.ClientSession() as http:
            row = {"Code": "NEU", "Nom": "Noël"}
            async with http.post(f"{control}/rows/clients", json=row) as answer:
                assert await answer.json() == ["NEU"]
        file = tmp_path / "Export/CLIENTS.TXT"
        for _ in range(6000):
            if "Noël".encode("cp1252") in file.read_bytes():
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("it was not exported")
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
