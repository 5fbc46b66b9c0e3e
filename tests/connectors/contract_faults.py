"""Contract cases for connectors that have an emulator: what must hold when answers go wrong, whatever the vendor.

A module's `System` has an attribute `emulator`; `READ`, `WRITE`: regular expressions of the paths on which it is read and
written. Sources: field guide of failures "retried although the write may have happened", "not delivered is read as empty",
"an answer that is none"; row B7 of the specification, and what bad input gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import pytest

from actors.core.errors import Kind, TandemError
from actors.ports import Connector, Write, WriteResult, WriteStatus
from clients.connectors.http.transport import Transport
from clients.connectors.http.wire import EXCERPT_MAX, RAW_MAX
from clients.emulators.emulator import Emulator
from clients.emulators.faults import Edit, Fault
from tests.connectors.contract_base import (
    FIELDS,
    Case,
    System,
    change,
    create,
    look,
    mapped,
    removal,
    row,
    scan,
    write,
    write_done,
)

SPOILED = ("html", "malformed", "truncated", "encoded")


class EmulatedSystem(System):
    """A system under test that is an emulator. `read_path`, `write_path`: where the contract's object is read and written
    (regular expressions); `write_methods`: the verbs that write."""

    emulator: Emulator
    read_path: ClassVar[str]
    write_path: ClassVar[str]
    read_method: ClassVar[str] = "GET"
    write_methods: ClassVar[tuple[str, ...]] = ("POST", "PUT", "PATCH", "DELETE")

    def table(self) -> str:
        """The emulator's table behind the contract's object."""
        return self.object_name


async def one(connector: Connector, system: System, sent: Write) -> WriteResult | TandemError:
    """What became of a single write: its result, or what was raised in its place."""
    try:
        (result,) = await write(connector, system, sent)
    except TandemError as error:
        return error
    return result


def is_unknown(outcome: WriteResult | TandemError) -> bool:
    """Nobody knows what became of it, and that is said."""
    if isinstance(outcome, TandemError):
        return outcome.kind is Kind.UNKNOWN
    return outcome.status is WriteStatus.UNKNOWN


class UnderFaults(Case):
    """Reads that fail are repeated by the engine; writes that may have happened are told as unknown, and never repeated."""

    @pytest.fixture
    def emulated(self, system: System) -> EmulatedSystem:
        return cast(EmulatedSystem, system)

    def writes(self, system: EmulatedSystem) -> int:
        """Requests that write, so far."""
        methods = system.write_methods
        return sum(count for path, count in system.emulator.counters.items() if path.startswith(methods))

    @pytest.mark.parametrize("kind", SPOILED)
    @pytest.mark.parametrize("after", [0, 1])
    async def test_an_answer_that_is_none_fails_the_read(
        self, emulated: EmulatedSystem, connector: Connector, kind: Any, after: int
    ) -> None:
        await emulated.insert({emulated.id(number): row(number) for number in range(1, 6)})
        await scan(connector, emulated)
        emulated.emulator.faults.add(
            Fault(kind, path=emulated.read_path, method=emulated.read_method, after=after, status=200)
        )
        with pytest.raises(TandemError) as caught:
            await scan(connector, emulated, limit=2)
        assert caught.value.kind is Kind.TRANSIENT
        assert connector.declaration.name in str(caught.value)
        assert len(await scan(connector, emulated, limit=2)) == 5
        # What came is kept with the error, bounded and without what a proxy's page repeats of our credentials.
        told = f"{caught.value} {getattr(caught.value, 'raw', '')}"
        assert len(told) <= EXCERPT_MAX + 2 * RAW_MAX
        assert not [value for value in emulated.emulator.echoed if value in told]

    async def test_an_answer_without_end_fails_the_read(
        self, emulated: EmulatedSystem, connector: Connector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await emulated.insert({emulated.id(1): row(1)})
        await scan(connector, emulated)
        monkeypatch.setattr(Transport, "_size_max", property(lambda _: 200_000), raising=False)
        emulated.emulator.faults.add(
            Fault("huge", path=emulated.read_path, method=emulated.read_method, size=300_000)
        )
        with pytest.raises(TandemError, match="more than 200000 bytes") as caught:
            await scan(connector, emulated)
        assert caught.value.kind is Kind.TRANSIENT
        assert connector.declaration.name in str(caught.value)
        assert len(await scan(connector, emulated)) == 1

    async def test_fields_that_nobody_knows_change_nothing(
        self, emulated: EmulatedSystem, connector: Connector
    ) -> None:
        await emulated.insert({emulated.id(number): row(number) for number in (1, 2)})
        before = {record.id: record.native for record in await scan(connector, emulated)}
        new = {"zzNewField": {"deep": [1, None, {"er": True}]}, "zz": None}
        emulated.emulator.faults.add(
            Fault("odd", path=emulated.read_path, method=emulated.read_method, times=-1, values=new)
        )
        assert {record.id: record.native for record in await scan(connector, emulated)} == before
        assert emulated.emulator.faults.happened

    async def test_a_value_of_another_kind_is_delivered_as_it_is_and_stops_nobody(
        self, emulated: EmulatedSystem, connector: Connector
    ) -> None:
        await emulated.insert({emulated.id(number): row(number) for number in (1, 2)})
        before = {record.id: record.native for record in await scan(connector, emulated)}
        asked = getattr(connector, "native_name", str)("count").rpartition(".")[2]
        emulated.emulator.faults.add(
            Fault("odd", path=emulated.read_path, method=emulated.read_method, values={asked: "a lot"})
        )
        found = {record.id: record.native for record in await scan(connector, emulated)}
        assert found == {id_: {**native, "count": "a lot"} for id_, native in before.items()}
        assert emulated.emulator.faults.happened

    async def test_a_broken_server_fails_the_read(
        self, emulated: EmulatedSystem, connector: Connector
    ) -> None:
        await emulated.insert({emulated.id(1): row(1)})
        await scan(connector, emulated)
        for fault in (
            Fault("error", path=emulated.read_path, status=500),
            Fault("cut", path=emulated.read_path),
        ):
            emulated.emulator.faults.add(fault)
            with pytest.raises(TandemError) as caught:
                await scan(connector, emulated)
            assert caught.value.kind is Kind.TRANSIENT
        assert len(await scan(connector, emulated)) == 1

    async def test_too_many_requests_are_told_with_the_time_to_wait(
        self, emulated: EmulatedSystem, connector: Connector
    ) -> None:
        await emulated.insert({emulated.id(1): row(1)})
        await scan(connector, emulated)
        emulated.emulator.faults.add(Fault("rate_limit", path=emulated.read_path, seconds=77))
        with pytest.raises(TandemError) as caught:
            await scan(connector, emulated)
        assert caught.value.kind is Kind.RATE_LIMITED
        assert caught.value.retry_after_s
        # Nobody asks before that time is over.
        before = len(emulated.emulator.requests)
        with pytest.raises(TandemError):
            await scan(connector, emulated)
        assert len(emulated.emulator.requests) == before

    @pytest.mark.parametrize("done", [False, True])
    @pytest.mark.parametrize("what", ["create", "update", "delete"])
    async def test_a_write_without_an_answer_is_unknown_and_not_repeated(
        self, emulated: EmulatedSystem, connector: Connector, what: str, done: bool
    ) -> None:
        sent = await self.prepared(emulated, connector, what)
        before, written = await emulated.rows(), self.writes(emulated)
        emulated.emulator.faults.add(
            Fault("cut", path=emulated.write_path, done=done, method=self.method(emulated, what))
        )
        assert is_unknown(await one(connector, emulated, sent))
        assert self.writes(emulated) == written + 1
        after = await emulated.rows()
        assert (after != before) is done
        # And nobody finishes it behind our back.
        await scan(connector, emulated)
        assert await emulated.rows() == after

    @pytest.mark.parametrize("kind", ["error", *SPOILED])
    @pytest.mark.parametrize("what", ["create", "update"])
    async def test_a_write_with_an_answer_that_is_none_is_unknown_or_done(
        self, emulated: EmulatedSystem, connector: Connector, what: str, kind: Any
    ) -> None:
        sent = await self.prepared(emulated, connector, what)
        before, written = await emulated.rows(), self.writes(emulated)
        status = 500 if kind == "error" else 200
        emulated.emulator.faults.add(
            Fault(
                kind, path=emulated.write_path, done=True, status=status, method=self.method(emulated, what)
            )
        )
        outcome = await one(connector, emulated, sent)
        # An answer that has no body can't be spoiled.
        is_done = isinstance(outcome, WriteResult) and outcome.status is WriteStatus.DONE
        assert is_unknown(outcome) or (is_done and kind not in ("error", "html"))
        assert self.writes(emulated) == written + 1 and await emulated.rows() != before

    async def test_one_unknown_write_leaves_the_others_told(
        self, emulated: EmulatedSystem, connector: Connector
    ) -> None:
        await emulated.insert({emulated.id(number): row(number) for number in range(1, 4)})
        records = await scan(connector, emulated)
        emulated.emulator.faults.add(
            Fault("cut", path=emulated.write_path, method=self.method(emulated, "update"), after=1, done=True)
        )
        results: Sequence[WriteResult] = await write(
            connector, emulated, *[change(record, name="new") for record in records]
        )
        rows = await emulated.rows()
        for record, result in zip(records, results, strict=True):
            if result.status is WriteStatus.DONE:
                assert rows[record.id]["name"] == "new"
            elif result.status is WriteStatus.NOT_DONE:
                assert rows[record.id]["name"] == record.native["name"]
        statuses = [result.status for result in results]
        assert statuses[:2] == [WriteStatus.DONE, WriteStatus.UNKNOWN]

    async def test_somebody_who_is_quicker_than_the_look_is_noticed(
        self, emulated: EmulatedSystem, connector: Connector
    ) -> None:
        await emulated.insert({emulated.id(1): row(1)})
        record = await look(connector, emulated, 1)
        edit = await self.quick_edit(emulated)
        emulated.emulator.faults.add(Fault("edit", method=emulated.read_method, edits=(edit,)))
        (result,) = await write(connector, emulated, change(record, name="ours"))
        assert result.status is WriteStatus.MOVED_ON
        assert (await emulated.rows())[emulated.id(1)]["name"] == "theirs"

    async def test_rows_that_are_not_shown_are_not_there(
        self, emulated: EmulatedSystem, connector: Connector
    ) -> None:
        await emulated.insert({emulated.id(number): row(number) for number in (1, 2)})
        emulated.emulator.data.hidden = {(emulated.table(), emulated.id(1))}
        assert [record.id for record in await scan(connector, emulated)] == [emulated.id(2)]
        assert not await connector.read(emulated.object_name, [emulated.id(1)], FIELDS)

    async def test_a_restored_backup_is_shown_as_it_is(
        self, emulated: EmulatedSystem, connector: Connector
    ) -> None:
        await emulated.insert({emulated.id(1): row(1)})
        name = emulated.emulator.data.backup()
        (result,) = await write_done(connector, emulated, await create(connector, emulated, mapped(row(2))))
        emulated.emulator.data.restore(name)
        assert [record.id for record in await scan(connector, emulated)] == [emulated.id(1)]
        assert not await connector.read(emulated.object_name, [result.id], FIELDS)

    # --------------------------------------------------------------------------------------------------- moves

    async def prepared(self, system: EmulatedSystem, connector: Connector, what: str) -> Write:
        """A write of that kind, with all that was read before it."""
        await system.insert({system.id(1): row(1)})
        record = await look(connector, system, 1)
        if what == "create":
            return await create(connector, system, mapped(row(2)))
        return removal(record) if what == "delete" else change(record, name="changed")

    def method(self, system: EmulatedSystem, what: str) -> str:
        """The verb of that kind of write."""
        return {"create": "POST", "update": "PUT", "delete": "DELETE"}[what]

    async def quick_edit(self, system: EmulatedSystem) -> Edit:
        """A person's edit of row 1: its name becomes "theirs"."""
        raise NotImplementedError
