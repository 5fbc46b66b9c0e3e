"""Contract cases of writing: nothing blind, nothing half, one bad record blocks nobody, results in order.

Sources: field guide of failures "blind writes", "retried although the write may have happened", "one record stops a
link"; rows B13 and B18 of the specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import anyio
import pytest

from actors.core.errors import TandemError
from actors.core.types import Op
from actors.core.values import Value, same
from actors.ports import Connector, Write, WriteResult, WriteStatus
from tests.connectors.contract_base import (
    FIELDS,
    Case,
    System,
    change,
    check_same,
    create,
    look,
    mapped,
    opened,
    removal,
    row,
    scan,
    write,
    write_done,
)
from tests.connectors.contract_looks import ODD_TEXTS


class Writes(Case):
    """What every connector does to the system, and never does."""

    async def test_create_is_seen_by_others(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(1): row(1)})
        (result,) = await write_done(connector, system, await create(connector, system, mapped(row(2))))
        assert result.id
        rows = await system.rows()
        assert set(rows) == {system.id(1), result.id}
        check_same(mapped(rows[result.id]), mapped(row(2)))
        (record,) = await connector.read(system.object_name, [result.id], FIELDS)
        check_same(record.native, mapped(row(2)))

    async def test_create_with_some_fields(self, system: System, connector: Connector) -> None:
        (result,) = await write_done(connector, system, await create(connector, system, {"name": "Alone"}))
        shown = (await system.rows())[result.id]
        check_same(mapped(shown), {**dict.fromkeys(FIELDS), "name": "Alone"})

    async def test_reply_carries_the_record(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(1): row(1)})
        write_ = change(await look(connector, system, 1), name="Answered")
        (result,) = await write_done(connector, system, write_)
        assert result.id == system.id(1)
        if connector.declaration.reply == "record":
            assert result.record is not None
            check_same(result.record.native, mapped(row(1, name="Answered")))
        if (
            result.version is not None
        ):  # told instead: the very one that a look shows, until somebody else writes
            assert (await look(connector, system, 1)).version == result.version
            await write_done(connector, system, change(await look(connector, system, 1), name="Again"))
            assert (await look(connector, system, 1)).version != result.version

    async def test_partial_update_leaves_the_rest(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in range(1, 4)})
        await write_done(
            connector, system, change(await look(connector, system, 2), note="new", amount=Decimal("0.1"))
        )
        rows = await system.rows()
        check_same(rows[system.id(1)], row(1))
        check_same(rows[system.id(2)], row(2, note="new", amount=Decimal("0.1")))
        check_same(rows[system.id(3)], row(3))

    async def test_mark_is_an_update(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(1): row(1)})
        seen = (await look(connector, system, 1)).native
        mark = Write(Op.MARK, id=system.id(1), native={"active": True}, seen={"active": seen["active"]})
        await write_done(connector, system, mark)
        check_same((await system.rows())[system.id(1)], row(1, active=True))

    async def test_delete_is_seen_by_others(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in range(1, 4)})
        await write_done(connector, system, removal(await look(connector, system, 2)))
        assert set(await system.rows()) == {system.id(1), system.id(3)}

    async def test_update_after_foreign_edit_moved_on(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(1): row(1)})
        record = await look(connector, system, 1)
        await system.edit(system.id(1), {"name": "Theirs"})
        (result,) = await write(connector, system, change(record, name="Ours", note="ours"))
        assert result.status is WriteStatus.MOVED_ON
        check_same((await system.rows())[system.id(1)], row(1, name="Theirs"))

    async def test_foreign_edit_of_another_field_stays(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(1): row(1)})
        record = await look(connector, system, 1)
        await system.edit(system.id(1), {"note": "theirs", "extra": "theirs too"})
        (result,) = await write(connector, system, change(record, name="Ours"))
        assert result.status in {WriteStatus.DONE, WriteStatus.MOVED_ON}
        name = "Ours" if result.status is WriteStatus.DONE else "Name 1"
        check_same((await system.rows())[system.id(1)], row(1, name=name, note="theirs", extra="theirs too"))

    async def test_null_is_seen_as_null(self, system: System, connector: Connector) -> None:
        """A precondition on null holds while it is null, and not when somebody filled it."""
        await system.insert({system.id(number): row(number, note=None) for number in (1, 2)})
        first, second = await look(connector, system, 1), await look(connector, system, 2)
        await system.edit(system.id(2), {"note": "theirs"})
        results = await write(connector, system, change(first, note="ours"), change(second, note="ours"))
        assert [result.status for result in results] == [WriteStatus.DONE, WriteStatus.MOVED_ON]
        rows = await system.rows()
        assert [rows[system.id(number)]["note"] for number in (1, 2)] == ["ours", "theirs"]

    async def test_delete_after_foreign_edit_moved_on(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(1): row(1)})
        record = await look(connector, system, 1)
        await system.edit(system.id(1), {"note": "wanted again"})
        (result,) = await write(connector, system, removal(record))
        assert result.status is WriteStatus.MOVED_ON
        check_same((await system.rows())[system.id(1)], row(1, note="wanted again"))

    async def test_gone_record(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in (1, 2, 3)})
        first, second = await look(connector, system, 1), await look(connector, system, 2)
        await system.delete(system.id(1))
        await system.delete(system.id(2))
        results = await write(connector, system, removal(first), change(second, name="Nobody"))
        assert [result.status for result in results] == [WriteStatus.GONE, WriteStatus.GONE]
        assert set(await system.rows()) == {system.id(3)}

    async def test_results_stand_in_order(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in range(1, 7)})
        records = {record.id: record for record in await scan(connector, system)}
        await system.delete(system.id(2))
        await system.edit(system.id(3), {"name": "Theirs"})
        results = await write(
            connector,
            system,
            change(records[system.id(5)], name="Five"),
            change(records[system.id(2)], name="Gone"),
            await create(connector, system, mapped(row(70))),
            change(records[system.id(3)], name="Ours"),
            removal(records[system.id(4)]),
            change(records[system.id(1)], name="One"),
        )
        statuses = [result.status.value for result in results]
        assert statuses == ["done", "gone", "done", "moved_on", "done", "done"]
        rows = await system.rows()
        names = {id_: shown["name"] for id_, shown in rows.items()}
        expected = {1: "One", 3: "Theirs", 5: "Five", 6: "Name 6"}
        assert names == {**{system.id(key): name for key, name in expected.items()}, results[2].id: "Name 70"}

    async def test_empty_batch(self, system: System, connector: Connector) -> None:
        assert list(await write(connector, system)) == []

    async def test_one_bad_record_blocks_nobody(self, system: System, connector: Connector) -> None:
        bad = system.bad_native()
        assert bad is not None, "give bad_native(), or waive this case with its reason"
        await system.insert({system.id(number): row(number) for number in range(1, 51)})
        records = {record.id: record for record in await scan(connector, system)}
        writes = [change(records[system.id(number)], name=f"Batch {number}") for number in range(1, 51)]
        writes[24] = change(records[system.id(25)], **bad)
        writes[30] = await create(connector, system, {**mapped(row(31)), **bad})
        results = await write(connector, system, *writes)
        check_refused(results, {24, 30})
        rows = await system.rows()
        names = [rows[system.id(number)]["name"] for number in range(1, 51)]
        assert names == [f"Name {n}" if n in {25, 31} else f"Batch {n}" for n in range(1, 51)]
        assert len(rows) == 50

    async def test_unknown_field_is_never_dropped_silently(
        self, system: System, connector: Connector
    ) -> None:
        await system.insert({system.id(1): row(1)})
        wrong = Write(Op.UPDATE, id=system.id(1), native={"no_such_field": "x"}, seen={"no_such_field": None})
        assert "no_such_field" in await refusal(connector, system, wrong)
        check_same((await system.rows())[system.id(1)], row(1))

    @pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
    async def test_odd_text_is_written_as_it_is(
        self, system: System, connector: Connector, text: str
    ) -> None:
        await system.insert({system.id(1): row(1), system.id(2): row(2)})
        await write_done(connector, system, change(await look(connector, system, 1), note=text))
        rows = await system.rows()
        assert rows[system.id(1)]["note"] == text
        check_same(rows[system.id(2)], row(2))
        assert (await look(connector, system, 1)).native["note"] == text

    @pytest.mark.parametrize(
        "field, value",
        [
            ("note", None),
            ("note", ""),
            ("amount", None),
            ("amount", Decimal("12345678901234.123456")),
            ("amount", Decimal("-0.000001")),
            ("amount", Decimal(0)),
            ("amount", Decimal(1000)),
            ("count", 0),
            ("count", -2_000_000_000),
            ("active", True),
            ("active", None),
            ("day", date(1900, 2, 28)),
            ("day", None),
        ],
        ids=str,
    )
    async def test_values_are_written_exactly(
        self, system: System, connector: Connector, field: str, value: Value
    ) -> None:
        await system.insert({system.id(1): row(1, active=False)})
        await write_done(connector, system, change(await look(connector, system, 1), **{field: value}))
        expected = system.stored(field, value)
        assert same((await system.rows())[system.id(1)][field], expected)
        again = await look(connector, system, 1)
        assert same(again.native[field], expected)
        # What was read can be written again: the precondition recognises the value, and nothing changes.
        await write_done(connector, system, change(again, **{field: again.native[field]}))
        assert same((await look(connector, system, 1)).native[field], expected)

    async def test_writes_cut_off_leave_old_or_new(self, system: System, connector: Connector) -> None:
        numbers = range(1, 21)
        await system.insert({system.id(number): row(number) for number in numbers})
        for attempt, after_s in enumerate((0.0, 0.001, 0.003, 0.01, 0.03)):
            before = await system.rows()
            async with opened(system) as cut_off:
                records = await scan(cut_off, system)
                text = f"attempt {attempt}"
                with anyio.move_on_after(after_s):
                    await write(
                        cut_off, system, *[change(record, name=text, note=text) for record in records]
                    )
            after = await system.rows()
            for number in numbers:
                old = before[system.id(number)]
                shown = after[system.id(number)]
                # Where the vendor has a tail, a request of an earlier attempt may have come since.
                late = bool(connector.declaration.vendor_tail_s) and str(shown["name"]).startswith("attempt ")
                new = {**old, "name": shown["name"], "note": shown["name"]}
                check_same(shown, new if late or shown["name"] == text else old)
        statuses: list[WriteStatus] = []
        while not statuses or (statuses[-1] is WriteStatus.MOVED_ON and len(statuses) < 5):
            (result,) = await write(
                connector, system, change(await look(connector, system, 1), name="after all")
            )
            statuses.append(result.status)
        assert statuses[-1] is WriteStatus.DONE
        assert len(statuses) == 1 or connector.declaration.vendor_tail_s

    async def test_two_writers_lose_nothing(self, system: System, connector: Connector) -> None:
        """Two connections write different records at once; both that are reported done are there."""
        await system.insert({system.id(number): row(number) for number in range(1, 11)})
        records = await scan(connector, system)
        results: dict[str, WriteResult] = {}

        async def writes(writer: Connector, mine: int) -> None:
            for record in records[mine::2]:
                (result,) = await write(writer, system, change(record, name=f"by {mine}"))
                results[record.id] = result

        async with opened(system) as second, anyio.create_task_group() as group:
            group.start_soon(writes, connector, 0)
            group.start_soon(writes, second, 1)
        rows = await system.rows()
        for place, record in enumerate(records):
            done = results[record.id].status is WriteStatus.DONE
            assert same(rows[record.id]["name"], f"by {place % 2}" if done else record.native["name"])
        assert sum(result.status is WriteStatus.DONE for result in results.values()) >= 5


def check_refused(results: Sequence[WriteResult], bad: set[int]) -> None:
    """Exactly the results at these places are refused, with words; all others are done."""
    for place, result in enumerate(results):
        assert result.status is (WriteStatus.REFUSED if place in bad else WriteStatus.DONE), (place, result)
        assert bool(result.error) is (place in bad)


async def refusal(connector: Connector, system: System, refused: Write) -> str:
    """The words in which a write is refused, alone or with its whole batch."""
    try:
        (result,) = await write(connector, system, refused)
    except TandemError as error:
        return str(error)
    return result.error if result.status is WriteStatus.REFUSED else ""
