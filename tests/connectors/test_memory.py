"""The `memory` connector against the contract, and each of its lies: what the caller hears and what really happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import msgspec
import pytest

from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.core.values import Value
from actors.ports import Connector, Find, Write, WriteStatus
from clients.connectors.systems import memory
from clients.connectors.systems.memory_system import Change, Faults, MemorySystem, ObjectShape, Refused
from tests.connectors.contract import (
    TYPES,
    ConnectorContract,
    CrossesAsRows,
    DrawsIds,
    Feeds,
    FindsByField,
    FindsModified,
    FindsModifiedAsRows,
    FindsTagged,
    System,
)

pytestmark = pytest.mark.anyio

PEOPLE = ObjectShape({**TYPES, "extra": "text"})
CAREFUL = {"draws_ids": False, "tag": False, "find_by_field": False, "find": ["full"], "reply": "id"}


class Time:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at


class PeopleSystem(System):
    """Another person at the same memory system."""

    def __init__(self, **declare: Any) -> None:
        self.memory = MemorySystem("people", {"people": PEOPLE}, Time().now)
        declared = msgspec.to_builtins(memory.DECLARATION) | declare
        self.declaration = msgspec.convert(declared, type(memory.DECLARATION))

    async def open(self) -> Connector:
        return memory.MemoryConnector(self.memory, self.declaration)

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        for id_, values in rows.items():
            self.memory.create("people", values, "person", id=id_)

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        self.memory.edit("people", id, changes, "person")

    async def delete(self, id: str) -> None:
        self.memory.delete("people", id, "person")

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        return {id_: dict(state.fields or {}) for id_, state in self.memory.rows("people")}

    def bad_native(self) -> Mapping[str, Value]:
        return {"count": "many"}


class TestContract(DrawsIds, FindsModified, Feeds, FindsByField, FindsTagged, ConnectorContract):
    @pytest.fixture
    def system(self) -> System:
        return PeopleSystem()


class TestRowsContract(
    CrossesAsRows,
    FindsModifiedAsRows,
    DrawsIds,
    FindsModified,
    Feeds,
    FindsByField,
    FindsTagged,
    ConnectorContract,
):
    """Records that may cross as lines."""

    @pytest.fixture
    def system(self) -> System:
        return PeopleSystem(rows=True, version="none")


class TestCarefulContract(ConnectorContract):
    """Declared to be able to do as little as possible."""

    @pytest.fixture
    def system(self) -> System:
        return PeopleSystem(**CAREFUL)


def lying(faults: Faults, **declare: Any) -> tuple[memory.MemoryConnector, MemorySystem, Time, list[Change]]:
    """A connector over one record K1 in a system with these faults, and what the system notes."""
    clock, changes = Time(), list[Change]()
    system = MemorySystem("lies", {"people": PEOPLE}, clock.now, faults=faults, keep_s=100.0)
    system.create("people", {"name": "old"}, "person", id="K1")
    system.listeners.append(changes.append)
    declared = msgspec.to_builtins(memory.DECLARATION) | declare
    connector = memory.MemoryConnector(
        system, msgspec.convert(declared, type(memory.DECLARATION)), who="daemon"
    )
    return connector, system, clock, changes


def name_of(system: MemorySystem) -> Value:
    state = system.get("people", "K1")
    assert state is not None
    return (state.fields or {})["name"]


RENAME = Write(Op.UPDATE, id="K1", native={"name": "new"}, seen={"name": "old"})


@pytest.mark.parametrize(
    "faults, status, holds",
    [
        (Faults(lose_reply=1), WriteStatus.UNKNOWN, "new"),
        (Faults(lose_request=1), WriteStatus.UNKNOWN, "old"),
        (Faults(not_done=1), WriteStatus.NOT_DONE, "old"),
        (Faults(refuse=1), WriteStatus.REFUSED, "old"),
    ],
)
async def test_what_is_said_and_what_is_done(faults: Faults, status: WriteStatus, holds: str) -> None:
    connector, system, _, _ = lying(faults)
    (result,) = await connector.write("people", [RENAME], ["name"])
    assert (result.status, name_of(system)) == (status, holds)
    assert result.error


@pytest.mark.parametrize(
    "faults, kind", [(Faults(transient=1), Kind.TRANSIENT), (Faults(rate_limit=1), Kind.RATE_LIMITED)]
)
async def test_whole_requests_fail_without_effect(faults: Faults, kind: Kind) -> None:
    connector, system, _, changes = lying(faults)
    with pytest.raises(TandemError) as caught:
        await connector.write("people", [RENAME], ["name"])
    assert caught.value.kind is kind
    assert (caught.value.retry_after_s or 0) == (5.0 if kind is Kind.RATE_LIMITED else 0)
    assert name_of(system) == "old"
    assert not changes


async def test_a_late_effect_comes_within_the_tail_and_keeps_its_precondition() -> None:
    connector, system, clock, changes = lying(Faults(late=1), vendor_tail_s=20.0)
    with pytest.raises(TandemError) as caught:
        await connector.write("people", [RENAME], ["name"])
    assert caught.value.kind is Kind.UNKNOWN
    assert name_of(system) == "old"
    clock.at += 20.0
    assert name_of(system) == "new"
    assert 1000.0 <= changes[0].at <= 1020.0
    assert (changes[0].asked, changes[0].who) == (1000.0, "daemon")
    with pytest.raises(TandemError):
        await connector.write("people", [msgspec.structs.replace(RENAME, seen={"name": "new"})], ["name"])
    system.edit("people", "K1", {"name": "theirs"}, "person")
    clock.at += 20.0
    assert name_of(system) == "theirs"


async def test_a_cancelled_request_may_still_be_on_its_way() -> None:
    connector, system, clock, _ = lying(Faults(late=1, slow=1), vendor_tail_s=20.0)
    with anyio.move_on_after(0.01):
        await connector.write("people", [RENAME], ["name"])
    assert name_of(system) == "old"
    clock.at += 20.0
    assert name_of(system) == "new"


async def test_lagging_reads_answer_from_the_declared_past() -> None:
    connector, system, clock, _ = lying(Faults(lag=1), read_lag_s=50.0)
    clock.at += 60.0
    system.edit("people", "K1", {"name": "new"}, "person")
    clock.at += 1.0
    seen = {(await connector.read("people", ["K1"], ["name"]))[0].native["name"] for _ in range(20)}
    assert "old" in seen
    clock.at += 50.0
    assert (await connector.read("people", ["K1"], ["name"]))[0].native["name"] == "new"


async def test_a_cursor_never_passes_what_a_lagging_read_left_out() -> None:
    connector, system, clock, _ = lying(Faults(lag=0.7), read_lag_s=50.0)
    cursor, seen = (await connector.changes("people", "", ["name"], 10)).cursor, set[Value]()
    for step in range(40):
        clock.at += 7.0
        if step < 30:
            system.create("people", {"name": f"n{step}"}, "person")
        page = await connector.changes("people", cursor, ["name"], 2)
        cursor, seen = page.cursor, seen | {record.native["name"] for record in page.records}
    assert seen == {f"n{step}" for step in range(30)}


async def test_rows_are_hidden_only_where_absence_is_no_proof() -> None:
    proof = lying(Faults(hide_row=1))[0]
    connector = lying(Faults(hide_row=1), absence="hint")[0]
    for each in (proof, connector):
        assert (await each.scan("people", "", ["name"], 10)).records
    assert (await proof.scan("people", "", ["name"], 10)).records
    assert not (await connector.scan("people", "", ["name"], 10)).records
    assert await connector.read("people", ["K1"], ["name"])


async def test_a_dropped_field_is_missing_not_null() -> None:
    (record,) = await lying(Faults(drop_field=1))[0].read("people", ["K1"], ["id", "name"])
    assert dict(record.native) == {"id": "K1"}


async def test_what_was_made_of_lines_is_told_whole_whatever_reads_leave_out() -> None:
    """A null in a line is a null: an answer that leaves a field out would say that nothing is stored there."""
    connector, *_ = lying(Faults(drop_field=1), rows=True, version="none")
    assert await connector.create_rows("people", ("name",), "K2\tnew\n") == "K2\tnew\n"


@pytest.mark.parametrize(
    "faults, first, later",
    [
        (Faults(), 1, 1),
        (Faults(hint_lost=1), 0, 0),
        (Faults(hint_twice=1), 2, 2),
        (Faults(hint_late=1, hint_late_s=30), 0, 1),
    ],
)
async def test_hints_are_lost_doubled_and_late(faults: Faults, first: int, later: int) -> None:
    connector, _, clock, _ = lying(faults)
    assert len(await connector.drain(10)) == first
    clock.at += 30.0
    assert len(await connector.drain(10)) == later


async def test_the_same_seed_meets_the_same_fate() -> None:
    async def fates() -> list[WriteStatus]:
        connector, *_ = lying(Faults(lose_reply=0.3, refuse=0.3, not_done=0.3))
        write = Write(Op.UPDATE, id="K1", native={"note": "x"})
        return [(await connector.write("people", [write], ["note"]))[0].status for _ in range(30)]

    first = await fates()
    assert len(set(first)) >= 3
    assert await fates() == first


@pytest.mark.parametrize("covers", ["content", "none"])
async def test_a_reply_without_the_record_tells_the_version_where_it_covers_the_content(covers: str) -> None:
    connector, system, *_ = lying(Faults(), reply="id", version=covers)
    (result,) = await connector.write("people", [RENAME], ["name"])
    (record,) = await connector.read("people", ["K1"], ["name"])
    assert result.record is None
    assert result.version == (record.version if covers == "content" else None)
    system.edit("people", "K1", {"note": "by somebody else"}, "person")
    (record,) = await connector.read("people", ["K1"], ["name"])
    assert result.version != record.version


async def test_an_early_read_shows_what_was_so_when_it_was_asked_for() -> None:
    connector, system, clock, _ = lying(Faults(early=1, slow=1, slow_s=0.05))

    async def edit() -> None:
        await anyio.sleep(0.01)
        clock.at += 1.0
        system.edit("people", "K1", {"name": "new"}, "person")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(edit)
        (record,) = await connector.read("people", ["K1"], ["name"])
    assert (record.native["name"], name_of(system)) == ("old", "new")


async def test_an_answer_that_breaks_off_leaves_the_rest_unknown_though_done() -> None:
    connector, system, _, _ = lying(Faults(cut=1))
    creates = [Write(Op.CREATE, id=f"N{number}", native={"name": f"n{number}"}) for number in range(5)]
    results = await connector.write("people", creates, ["name"])
    statuses = [result.status for result in results]
    done = statuses.count(WriteStatus.DONE)
    assert 1 <= done < 5
    assert statuses == [WriteStatus.DONE] * done + [WriteStatus.UNKNOWN] * (5 - done)
    assert len(list(system.rows("people"))) == 6


async def test_a_batch_carried_out_in_disorder_is_answered_write_by_write() -> None:
    connector, _, _, changes = lying(Faults(batch_disorder=1))
    creates = [Write(Op.CREATE, id=f"N{number}", native={"name": f"n{number}"}) for number in range(8)]
    results = await connector.write("people", creates, ["name"])
    assert [result.id for result in results] == [write.id for write in creates]
    assert [change.id for change in changes] != [write.id for write in creates]
    ids = [write.id for write in creates]
    read = [record.id for record in await connector.read("people", ids, ["name"])]
    assert sorted(read) == ids
    assert read != ids


async def test_a_single_session_is_ended_by_the_next_log_in_and_taken_up_again() -> None:
    first, system, _, _ = lying(Faults(), session="single")
    second = memory.MemoryConnector(system, first.declaration)
    for each in (first, second, first, second):
        assert await each.read("people", ["K1"], ["name"])


async def test_a_log_in_that_is_not_answered_ends_the_session_before_it() -> None:
    connector, system, _, _ = lying(Faults(), session="single")
    await connector.check()
    other = memory.MemoryConnector(system, connector.declaration)
    system.faults = Faults(login_lost=1)
    with pytest.raises(TandemError) as caught:
        await other.check()
    assert caught.value.kind is Kind.TRANSIENT
    with pytest.raises(TandemError):
        await connector.check()
    system.faults = Faults()
    await connector.check()


async def test_who_is_not_let_in_gets_no_further() -> None:
    connector, system, _, changes = lying(Faults(), session="single")
    system.locked = True
    with pytest.raises(TandemError) as caught:
        await connector.write("people", [RENAME], ["name"])
    assert caught.value.kind is Kind.AUTH
    assert not changes


async def test_what_a_filter_hides_is_there_for_who_asks_for_it_and_what_rights_hide_is_not() -> None:
    connector, system, _, _ = lying(Faults())
    system.hide("people", "K1", by_id=False)
    assert not (await connector.scan("people", "", ["name"], 10)).records
    assert not await connector.find_by("people", "name", "old", ["name"])
    assert await connector.read("people", ["K1"], ["name"])
    system.hide("people", "K1", by_id=True)
    assert not await connector.read("people", ["K1"], ["name"])
    (result,) = await connector.write("people", [RENAME], ["name"])
    assert result.status is WriteStatus.GONE


async def test_a_field_that_is_withheld_is_missing_in_every_record_and_reply() -> None:
    connector, system, _, _ = lying(Faults())
    system.withheld.add(("people", "name"))
    (record,) = await connector.read("people", ["K1"], ["id", "name"])
    (result,) = await connector.write("people", [RENAME], ["id", "name"])
    assert record.native == {"id": "K1"}
    assert result.record is not None and result.record.native == {"id": "K1"}


async def test_a_system_that_is_set_back_is_what_it_was_and_tells_no_feed() -> None:
    connector, system, clock, changes = lying(Faults())
    cursor = (await connector.changes("people", "", ["name"], 10)).cursor
    clock.at += 10.0
    system.edit("people", "K1", {"name": "new"}, "person")
    id_ = system.create("people", {"name": "later"}, "person")
    page = await connector.changes("people", cursor, ["name"], 10)
    await connector.ack(await connector.drain(10))
    system.restore(1005.0, "backup")
    assert name_of(system) == "old"
    assert system.get("people", id_) is None
    assert [(change.op, change.who) for change in changes[-2:]] == [
        ("update", "backup"),
        ("delete", "backup"),
    ]
    assert not await connector.drain(10)
    assert not (await connector.changes("people", page.cursor, ["name"], 10)).records


def test_rewrites_hold_for_everybody() -> None:
    shape = ObjectShape({"name": "text", "code": "text"}, rewrites={"name": "truncate:3", "code": "upper"})
    system = MemorySystem("short", {"things": shape}, lambda: 0.0)
    id_ = system.create("things", {"name": "abcdef", "code": "x1"}, "person")
    state = system.get("things", id_)
    assert state is not None
    assert state.fields == {"name": "abc", "code": "X1"}


def test_an_id_is_never_given_twice() -> None:
    system = MemorySystem("ids", {"people": PEOPLE}, lambda: 0.0)
    id_ = system.create("people", {}, "person")
    system.delete("people", id_, "person")
    with pytest.raises(Refused, match="was used before"):
        system.create("people", {}, "person", id=id_)
    assert system.create("people", {}, "person") != id_
    assert system.create("people", {}, "person", id=id_, reuse=True) == id_


async def test_settings_choose_the_shared_system() -> None:
    objects = {"people": {"fields": {"name": "text"}, "rewrites": {"name": "truncate:2"}}}
    first = await memory.connect({"name": "shared-1", "objects": objects, "declare": {"find": ["modified"]}})
    second = await memory.connect({"name": "shared-1"})
    assert first.find("people") is Find.MODIFIED
    (id_,) = await first.reserve("people", 1)
    await first.write("people", [Write(Op.CREATE, id=id_, native={"name": "Ann"})], ["name"])
    assert [record.native for record in await second.read("people", [id_], ["name"])] == [{"name": "An"}]
    assert await first.identity() == await second.identity()


@pytest.mark.parametrize(
    "settings, named",
    [
        ({"faults": {"lose_repli": 1}}, "lose_repli"),
        ({"objects": {"x": {"fields": {"f": "text"}, "rewrites": {"f": "mangle"}}}}, "mangle"),
        ({"objects": {"x": {"fields": {"f": "words"}}}}, "words"),
        ({"declare": {"reply": "never"}}, "reply"),
    ],
)
async def test_faulty_settings_are_named(settings: Mapping[str, Any], named: str) -> None:
    with pytest.raises(TandemError, match=named) as caught:
        await memory.connect({"name": "faulty", **settings})
    assert caught.value.kind is Kind.CONFIG
