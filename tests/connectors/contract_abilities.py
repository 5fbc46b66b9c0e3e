"""Contract cases of what only some systems can: reserved ids, modified-since, a feed of touched keys, look-up by field.

Sources: field guide of failures "retried although the write may have happened", "a hint that arrives while its record
is being worked on is acknowledged away", "cursors and other people's clocks"; row B13 of the specification.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from actors.core.types import Op
from actors.ports import Connector, Touched, Write, WriteStatus
from tests.connectors.contract_base import (
    FIELDS,
    Case,
    System,
    check_refuses_field,
    check_same,
    mapped,
    opened,
    row,
    write,
    write_done,
)


class DrawsIds(Case):
    """For a declaration with `draws_ids`: a create whose outcome is unknown can be resolved by its id."""

    async def test_reserved_ids_are_distinct_and_unused(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in range(1, 4)})
        drawn = [
            *await connector.reserve(system.object_name, 5),
            *await connector.reserve(system.object_name, 1),
        ]
        async with opened(system) as second:
            drawn.extend(await second.reserve(system.object_name, 3))
        assert len(set(drawn)) == len(drawn) == 9
        assert not set(drawn) & set(await system.rows())

    async def test_two_connections_reserve_at_once(self, system: System, connector: Connector) -> None:
        drawn: list[str] = []

        async def reserve(mine: Connector) -> None:
            for _ in range(5):
                drawn.extend(await mine.reserve(system.object_name, 2))

        async with opened(system) as second, anyio.create_task_group() as group:
            group.start_soon(reserve, connector)
            group.start_soon(reserve, second)
        assert len(set(drawn)) == len(drawn) == 20

    async def test_create_with_a_reserved_id(self, system: System, connector: Connector) -> None:
        ids = await connector.reserve(system.object_name, 2)
        # Not in the order they were drawn: an intent may be sent later than the next one's.
        for number, id_ in enumerate(reversed(ids), 1):
            write_ = Write(Op.CREATE, id=id_, native=mapped(row(number)))
            (result,) = await write_done(connector, system, write_)
            assert result.id == id_
            check_same(mapped((await system.rows())[id_]), mapped(row(number)))

    async def test_create_repeated_is_refused(self, system: System, connector: Connector) -> None:
        (id_,) = await connector.reserve(system.object_name, 1)
        sent = Write(Op.CREATE, id=id_, native=mapped(row(1)))
        await write_done(connector, system, sent)
        (again,) = await write(connector, system, sent)
        assert again.status is WriteStatus.REFUSED
        assert "exists already" in again.error
        rows = await system.rows()
        assert set(rows) == {id_}
        check_same(mapped(rows[id_]), mapped(row(1)))

    async def test_create_repeated_in_one_batch(self, system: System, connector: Connector) -> None:
        (id_,) = await connector.reserve(system.object_name, 1)
        sent = Write(Op.CREATE, id=id_, native=mapped(row(1)))
        results = await write(connector, system, sent, sent)
        assert [result.status for result in results] == [WriteStatus.DONE, WriteStatus.REFUSED]
        assert set(await system.rows()) == {id_}


class FindsModified(Case):
    """For `Find.MODIFIED`: nothing is lost to equal times, late commits or edits during paging."""

    async def test_changes_start_from_now(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in range(1, 4)})
        first = await connector.changes(system.object_name, "", FIELDS, 100)
        assert first.records == ()
        assert not first.more
        assert first.cursor
        await system.edit(system.id(2), {"name": "Edited"})
        await system.insert({system.id(4): row(4)})
        found, _ = await changes(connector, system, first.cursor)
        assert found.get(system.id(2)) == "Edited"
        assert found.get(system.id(4)) == "Name 4"

    async def test_equal_times(self, system: System, connector: Connector) -> None:
        start = (await connector.changes(system.object_name, "", FIELDS, 100)).cursor
        await system.insert({system.id(number): row(number) for number in range(1, 8)})
        for limit in (1, 2, 3):
            found, _ = await changes(connector, system, start, limit)
            assert set(found) == {system.id(number) for number in range(1, 8)}

    async def test_edits_while_paging(self, system: System, connector: Connector) -> None:
        start = (await connector.changes(system.object_name, "", FIELDS, 100)).cursor
        await system.insert({system.id(number): row(number) for number in range(1, 8)})

        async def between(page: int) -> None:
            if page == 1:
                await system.edit(system.id(1), {"name": "First"})
                await system.edit(system.id(7), {"name": "Last"})

        found, cursor = await changes(connector, system, start, 2, between)
        later, _ = await changes(connector, system, cursor)
        names = {**found, **later}
        assert set(names) == {system.id(number) for number in range(1, 8)}
        assert (names[system.id(1)], names[system.id(7)]) == ("First", "Last")

    async def test_late_commit(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in (1, 2)})
        start = (await connector.changes(system.object_name, "", FIELDS, 100)).cursor
        async with system.held_edit(system.id(1), {"name": "Late"}):
            await system.edit(system.id(2), {"name": "Early"})
            found, cursor = await changes(connector, system, start)
            assert found.get(system.id(2)) == "Early"
        found, _ = await changes(connector, system, cursor)
        assert found.get(system.id(1)) == "Late"

    async def test_unknown_field_of_changes_is_named(self, system: System, connector: Connector) -> None:
        await check_refuses_field(connector.changes(system.object_name, "", ["no_such_field"], 10))


async def changes(
    connector: Connector,
    system: System,
    cursor: str,
    limit: int = 100,
    between: Callable[[int], Awaitable[None]] | None = None,
) -> tuple[dict[str, object], str]:
    """All there is since `cursor`: the names by id as last delivered, and the cursor at the end."""
    names: dict[str, object] = {}
    for page_number in range(1, 100):
        page = await connector.changes(system.object_name, cursor, FIELDS, limit)
        assert len(page.records) <= limit
        names.update({record.id: record.native["name"] for record in page.records})
        cursor = page.cursor
        if between is not None:
            await between(page_number)
        if not page.more:
            return names, cursor
    raise AssertionError("changes do not come to an end")


class Feeds(Case):
    """For `Find.FEED`: every touched key comes until it is acknowledged, and again when it is touched again."""

    async def test_touched_keys_appear(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in range(1, 4)})
        assert await drained(connector) >= {(system.object_name, system.id(number)) for number in range(1, 4)}
        assert not await connector.drain(100)
        await system.edit(system.id(1), {"name": "Edited"})
        await system.delete(system.id(2))
        touched = await drained(connector)
        assert {(system.object_name, system.id(1)), (system.object_name, system.id(2))} <= touched
        assert (system.object_name, system.id(3)) not in touched

    async def test_unacknowledged_keys_come_again(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in range(1, 4)})
        first = keys(await connector.drain(100))
        assert keys(await connector.drain(100)) == first
        async with opened(system) as second:
            assert keys(await second.drain(100)) == first

    async def test_ack_removes_what_was_drained_only(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in (1, 2)})
        touched = await connector.drain(100)
        await system.edit(system.id(1), {"name": "After the drain"})
        await connector.ack(touched)
        assert await drained(connector) == {(system.object_name, system.id(1))}

    async def test_drain_in_parts(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in range(1, 8)})
        found: set[tuple[str, str]] = set()
        while touched := await connector.drain(2):
            assert len(touched) <= 2
            found |= keys(touched)
            await connector.ack(touched)
        assert found == {(system.object_name, system.id(number)) for number in range(1, 8)}

    async def test_late_commit_is_fed(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in (1, 2)})
        await drained(connector)
        async with system.held_edit(system.id(1), {"name": "Late"}):
            await system.edit(system.id(2), {"name": "Early"})
            assert await drained(connector) == {(system.object_name, system.id(2))}
        assert await drained(connector) == {(system.object_name, system.id(1))}

    async def test_watch_wakes(self, system: System, connector: Connector) -> None:
        await drained(connector)
        woken = anyio.Event()

        async def watch() -> None:
            async for _ in connector.watch():
                if await connector.drain(1):
                    woken.set()
                    return

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(watch)
                await system.insert({system.id(1): row(1)})
                # Edited until noticed: nobody outside can know from when on the watch listens.
                while not woken.is_set():
                    await system.edit(system.id(1), {"name": "Edited"})
                    with anyio.move_on_after(0.2):
                        await woken.wait()
        assert keys(await connector.drain(10)) == {(system.object_name, system.id(1))}


def keys(touched: object) -> set[tuple[str, str]]:
    """(object, id) of touched keys."""
    assert isinstance(touched, list | tuple)
    assert all(isinstance(item, Touched) for item in touched)
    return {(item.object, item.id) for item in touched}


async def drained(connector: Connector) -> set[tuple[str, str]]:
    """Everything that is there, acknowledged."""
    touched = await connector.drain(1000)
    await connector.ack(touched)
    return keys(touched)


class FindsByField(Case):
    """For a declaration with `find_by_field`: a create can be looked up by a field that it carried."""

    async def test_find_by_field(self, system: System, connector: Connector) -> None:
        await system.insert(
            {system.id(number): row(number, note="same" if number > 2 else "other") for number in (1, 3, 4)}
        )
        found = await connector.find_by(system.object_name, "note", "same", FIELDS)
        assert {record.id for record in found} == {system.id(3), system.id(4)}
        check_same(next(iter(found)).native, mapped(row(int(next(iter(found)).id[-1]), note="same")))
        assert not await connector.find_by(system.object_name, "name", "Nobody", FIELDS)

    async def test_find_by_unknown_field_is_named(self, system: System, connector: Connector) -> None:
        await check_refuses_field(connector.find_by(system.object_name, "no_such_field", "x", FIELDS))


class FindsTagged(Case):
    """For a declaration with `tag`: a create can be looked up by the tag that it was sent with."""

    async def test_find_tagged(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(1): row(1)})
        sent = Write(Op.CREATE, native=mapped(row(2)), tag="tandem-0123456789")
        (result,) = await write_done(connector, system, sent)
        found = await connector.find_tagged(system.object_name, "tandem-0123456789", FIELDS)
        assert [record.id for record in found] == [result.id]
        assert not await connector.find_tagged(system.object_name, "tandem-9876543210", FIELDS)
