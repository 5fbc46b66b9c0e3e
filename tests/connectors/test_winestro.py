"""Winestro's connector: the contract on customers, and the vendor's own traps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any, cast

import pytest

from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.core.values import Value
from actors.ports import Connector, Write, WriteStatus
from clients.connectors.catalog import open_connector
from clients.emulators.faults import Edit
from clients.emulators.stand import stand
from clients.emulators.winestro import System as Winestro
from tests.connectors.contract import ConnectorContract, FindsByField
from tests.connectors.contract_faults import EmulatedSystem, UnderFaults
from tests.connectors.renamed import Renamed

pytestmark = pytest.mark.anyio
NAMES = {
    "name": "re_bemerkung",
    "note": "re_text",
    "amount": "re_netto",
    "count": "re_stueck",
    "active": "re_bezahlt",
    "day": "re_datum",
    "extra": "re_mandant",
}


class Invoices(EmulatedSystem):
    """Somebody in an account who writes invoices."""

    object_name = "rechnungen"
    key = "re_id"
    read_path = "apiACTION=getStamm"
    write_path = "apiACTION=(set|del)Stamm"
    read_method = "POST"

    def __init__(self, account: Winestro) -> None:
        self.account = self.emulator = account

    async def open(self) -> Connector:
        return cast(Connector, Renamed(await opened(self.account), NAMES))

    def id(self, number: int) -> str:
        return str(100_000 + number)

    def stored(self, field: str, value: Value) -> Value:
        return None if value == "" else value

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        for id_, values in rows.items():
            self.account.person.insert("rechnungen", {"re_id": int(id_), "re_nr": id_, **_native(values)})

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        self.account.person.edit("rechnungen", int(id), _native(changes))

    async def delete(self, id: str) -> None:
        self.account.person.delete("rechnungen", int(id))

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        return {
            str(key): {name: row[native] for name, native in NAMES.items()}
            for key, row in self.account.person.rows("rechnungen").items()
        }

    def bad_native(self) -> Mapping[str, Value] | None:
        return {"name": "x" * 251}


def _native(values: Mapping[str, Value]) -> dict[str, Value]:
    return {NAMES[name]: value for name, value in values.items()}


async def opened(account: Winestro, **settings: Any) -> Connector:
    """A connector for an emulator."""
    given = {
        "uid": account.uid,
        "user": account.user,
        "code": account.code,
        "url": f"{account.address}/xml/v23.0/wbo-API.php",
    }
    return await open_connector("winestro", {**given, **settings})


@pytest.fixture
async def account(request: pytest.FixtureRequest) -> AsyncIterator[Winestro]:
    async with stand("winestro", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, Winestro)
        yield emulator


class TestContract(FindsByField, UnderFaults, ConnectorContract):
    @pytest.fixture
    async def system(self, account: Winestro) -> Invoices:
        account.options["numbers"] = "comma"
        return Invoices(account)

    async def quick_edit(self, system: EmulatedSystem) -> Edit:
        return Edit("edit", "rechnungen", int(system.id(1)), {"re_bemerkung": "theirs"})

    def method(self, system: EmulatedSystem, what: str) -> str:
        return "POST"

    def writes(self, system: EmulatedSystem) -> int:
        return sum("setStamm" in told or "delStamm" in told for told in system.emulator.requests)


@pytest.fixture
async def connector(account: Winestro) -> AsyncIterator[Connector]:
    made = await opened(account)
    yield made
    await made.aclose()


async def test_escapes_of_texts_and_article_numbers_are_undone_and_not_written(
    account: Winestro, connector: Connector
) -> None:
    write = Write(Op.CREATE, native={"artikel_nr": "6+2025", "artikel_name": 'Kerner <feinherb> & "mehr"'})
    (made,) = await connector.write("artikel", [write], ["artikel_nr", "artikel_name"])
    assert made.record is not None
    assert dict(made.record.native) == dict(write.native)
    held = account.person.row("artikel", int(made.id))
    assert (held["artikel_nr"], held["artikel_name"]) == ("6+2025", 'Kerner <feinherb> & "mehr"')
    (found,) = await connector.find_by("artikel", "artikel_nr", "6+2025", ["artikel_name"])
    assert found.id == made.id


@pytest.mark.parametrize("style", ["text", "number", "comma"])
async def test_numbers_are_the_same_in_every_spelling(
    account: Winestro, connector: Connector, style: str
) -> None:
    account.options["numbers"] = style
    row = {"re_nr": "1", "re_netto": Decimal("1234.5"), "re_brutto": Decimal(1500), "re_stueck": 12}
    account.person.insert("rechnungen", row)
    page = await connector.scan("rechnungen", "", ["re_netto", "re_brutto", "re_stueck"], 10)
    assert dict(page.records[0].native) == {name: row[name] for name in row if name != "re_nr"}


async def test_one_row_none_and_several_are_the_same_list(account: Winestro, connector: Connector) -> None:
    for wanted in (0, 1, 2):
        page = await connector.scan("adressgruppen", "", ["grp_name", "grp_beschreibung"], 10)
        assert [dict(one.native) for one in page.records] == [
            {"grp_name": f"Gruppe {number}", "grp_beschreibung": None} for number in range(1, wanted + 1)
        ]
        account.person.insert("adressgruppen", {"grp_name": f"Gruppe {wanted + 1}"})


async def test_a_wrong_key_says_so_in_the_vendor_s_words(account: Winestro) -> None:
    connector = await opened(account, code="falscher-schluessel")
    with pytest.raises(TandemError) as caught:
        await connector.check()
    await connector.aclose()
    assert caught.value.kind is Kind.AUTH
    assert "apiCode" in str(caught.value)
    assert "falscher-schluessel" not in str(caught.value)


@pytest.mark.parametrize("account", [{"uid": "815"}], indirect=True)
async def test_another_account_behind_the_address_is_noticed(account: Winestro) -> None:
    account.uid = "816"
    account.options["uid"] = "816"
    connector = await opened(account, uid="816")
    assert await connector.identity() == "winestro:816"
    await connector.aclose()
    other = await opened(account, uid="815")
    with pytest.raises(TandemError) as caught:
        await other.identity()
    await other.aclose()
    assert caught.value.kind is Kind.AUTH


async def test_who_is_still_referred_to_is_not_deleted(account: Winestro, connector: Connector) -> None:
    (list_,) = account.person.insert("preiskategorien", {"pk_name": "Endkunden"})
    account.person.insert("kunden", {"adr_nr": "1", "adr_id_preiskategorie": list_})
    write = Write(Op.DELETE, id=str(list_), seen={"pk_name": "Endkunden"})
    (result,) = await connector.write("preiskategorien", [write], [])
    assert result.status is WriteStatus.REFUSED
    assert "noch verwendet" in result.error


async def test_a_number_that_is_taken_exists_already(account: Winestro, connector: Connector) -> None:
    account.person.insert("kunden", {"adr_nr": "10001", "adr_nachname": "Traube"})
    (result,) = await connector.write("kunden", [Write(Op.CREATE, native={"adr_nr": "10001"})], [])
    assert result.status is WriteStatus.REFUSED
    assert "exists already" in result.error


async def test_only_what_changed_is_written(account: Winestro, connector: Connector) -> None:
    (key,) = account.person.insert(
        "artikel", {"artikel_nr": "1", "artikel_name": "A", "artikel_bestand": "7.5"}
    )
    write = Write(Op.UPDATE, id=str(key), native={"artikel_name": "B"}, seen={"artikel_name": "A"})
    (result,) = await connector.write("artikel", [write], ["artikel_name", "artikel_bestand"])
    assert result.status is WriteStatus.DONE
    assert result.record is not None
    assert dict(result.record.native) == {"artikel_name": "B", "artikel_bestand": Decimal("7.5")}
