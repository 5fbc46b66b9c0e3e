"""How a run looks: a handful of changes as a whole (actors/looking.py), several looks by id at once (actors/access.py), and
what was touched in several objects (actors/several.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import msgspec
import pytest

from actors.access import Access
from actors.core.errors import Kind, TandemError
from actors.core.policy import Budget
from actors.core.types import Presence, Record
from actors.core.values import Value
from actors.looking import FEW
from actors.messages import Call
from actors.ports import Find, Page
from actors.root import RootActor
from actors.several import changed
from clients.connectors.systems.memory import DECLARATION, MemoryConnector
from tests.actors.rig import Rig, customers, loaded, on, until
from tests.actors.test_several import CLIENTS, PROSPECTS, accounts
from tests.fakes.store import MemoryStore
from tests.sim import loop
from tests.sim.life import SimClock


class EmptyEnds(MemoryConnector):
    """Only an empty page tells that there are no more changes."""

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        page = await super().changes(object_name, cursor, fields, limit)
        return msgspec.structs.replace(page, more=bool(page.records))


def rig_with_empty_ends(free: int = 0) -> Rig:
    """So many overwrites go before it is known how many there are."""
    budgets = {"overwrites": Budget(1000, 0.0, free=free)}
    rig = Rig(customers(budgets=budgets), find=(Find.MODIFIED,), poll_s=20.0)
    rig.connector = EmptyEnds
    return rig


async def settled(rig: Rig, count: int) -> list[str]:
    """So many records on both sides, everybody at rest, and what was made over there met as our own; their ids in a."""
    ids = [rig.create("a", f"n{number}") for number in range(count)]
    await until(lambda: loaded(rig) and len(rig.rows("b")) == count)
    await anyio.sleep(90)
    return ids


async def edited(rig: Rig, ids: Sequence[str]) -> list[str]:
    """All of them are edited at once, and carried over: what the systems were asked for, but for side b's own changes."""
    before = len(rig.requests)
    for id in ids:
        rig.edit("a", id, phone="2")
    await until(lambda: all(row["phone"] == "2" for row in rig.rows("b").values()))
    await anyio.sleep(1)
    asked = [(connection, method) for _, connection, method, _ in rig.requests[before:]]
    return [
        f"{method} {connection}" for connection, method in asked if (connection, method) != ("b", "changes")
    ]


def test_a_handful_of_changes_is_decided_on_as_a_whole_behind_one_more_question() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        asked = await edited(rig, await settled(rig, FEW))
        return asked, list(rig.link().plans.values())

    asked, held = on(rig_with_empty_ends, body)
    assert asked[:2] == ["changes a", "changes a"]
    assert (asked.count("write b"), asked.count("read b")) == (1, 0)  # the write itself proves what it met
    assert held == []


def test_more_than_a_handful_is_worked_on_before_more_is_asked_for() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        return await edited(rig, await settled(rig, FEW + 1))

    asked = on(rig_with_empty_ends, body)
    assert asked[0] == "changes a" != asked[1]


def test_who_is_touched_between_both_questions_is_met_as_he_was_met_last() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        first, second = await settled(rig, 2)

        async def meanwhile() -> None:
            asked.append(anyio.current_time())
            if len(asked) == 2:
                rig.edit("a", first, phone="3")

        asked: list[float] = []
        rig.on["a", "changes"] = meanwhile
        for id in (first, second):
            rig.edit("a", id, phone="2")
        await until(lambda: {row["phone"] for row in rig.rows("b").values()} == {"2", "3"})
        await anyio.sleep(1)
        return sorted(said for action in rig.actions() if (said := action.fields.get("phone")) != "1")

    assert on(lambda: rig_with_empty_ends(free=20), body) == ["2", "3"]


# ---------------------------------------------------------------------------------------------- looks by id


class Account:
    """An account of 12 records, `n10` among them; later requests are answered sooner."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.under_way = self.most = 0
        self.lost: str | None = None

    async def ask(self, call: Call) -> Any:
        _, ids, fields = call.args
        self.asked.append(ids)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await anyio.sleep(10 / len(self.asked))
        self.under_way -= 1
        if self.lost in ids:
            raise TandemError(Kind.TRANSIENT, "away")
        native: Mapping[str, Value] = dict.fromkeys(fields, "x")
        return [Record(id, native) for id in ids if int(id[1:]) < 12]


def side_of(account: Account, **declared: Any) -> Access:
    clock = SimClock("looks")
    declaration = msgspec.structs.replace(DECLARATION, **declared)
    return Access("a", "l", declaration, account.ask, MemoryStore(clock), clock, lambda: 60.0)


@pytest.mark.parametrize(
    "concurrency, look_max, most, requests",
    [(4, 2, 3, 7), (2, 2, 1, 7), (1, 2, 1, 7), (9, 2, 7, 7), (4, 0, 2, 2), (4, 20, 1, 1)],
)
def test_requests_of_one_look_go_out_at_once_but_one_place_at_the_account_stays_free(
    concurrency: int, look_max: int, most: int, requests: int
) -> None:
    ids = [f"n{number}" for number in range(14)]

    async def main() -> Any:
        account = Account()
        access = side_of(account, concurrency=concurrency, look_max=look_max, batch_max=10)
        seen = await access.look(customers(), ids)
        return seen, account

    seen, account = loop.run(main)
    assert (account.most, len(account.asked)) == (most, requests)
    # Request by request, whichever was answered first, and of each what was there before what was not.
    assert [one.id for one in seen] == ids
    assert [one.id for one in seen if one.presence is Presence.DELETED] == ["n12", "n13"]


def test_the_error_of_one_request_ends_the_look_as_it_is() -> None:
    async def main() -> int:
        account = Account()
        account.lost = "n3"
        with pytest.raises(TandemError, match="away"):
            await side_of(account, concurrency=3, look_max=2).look(customers(), [f"n{n}" for n in range(12)])
        return len(account.asked)

    assert loop.run(main) < 6


@pytest.mark.parametrize(
    "id, is_fine",
    [("x" * 2500, True), ("x" * 2501, False), ("ü" * 1251, False), ("a\x00b", False), ("a\ud800", False)],
)
def test_a_record_that_no_store_could_find_by_its_id_is_named(id: str, is_fine: bool) -> None:
    """Found with a key of 9,000 characters: the link stood still, with the words of an index in the store."""

    async def ask(call: Call) -> Any:
        return [Record(id, dict.fromkeys(call.args[2], "x"))]

    async def main() -> str:
        access = Access("a", "l", DECLARATION, ask, MemoryStore(clock := SimClock("i")), clock, lambda: 60.0)
        if is_fine:
            return (await access.look(customers(), [id]))[0].id
        with pytest.raises(TandemError) as caught:
            await access.look(customers(), [id])
        return f"{caught.value.kind} {caught.value.scope} {caught.value}"

    named = f"rejected stream customers: the id {id[:40]!r} of a record on side a can't be kept"
    assert loop.run(main).startswith(id if is_fine else named)


# ------------------------------------------------------------------------------- touched in several objects


def test_of_several_objects_one_that_came_to_its_end_is_not_asked_again_before_all_have() -> None:
    touched = {PROSPECTS: ["1"], CLIENTS: ["7", "8", "9"]}
    asked: list[tuple[str, str]] = []

    async def ask(name: str, at: str) -> Page:
        asked.append((name, at))
        place = int(at or 0)
        native: Mapping[str, Value] = {"name": "x"}
        records = tuple(Record(id, native) for id in touched[name][place : place + 1])
        after = place + len(records)
        return Page(records, str(after), after < len(touched[name]))

    async def main() -> tuple[list[Any], list[Any]]:
        shown: list[Any] = []
        asked_for: list[Any] = []
        at = ""
        for _ in range(4):  # one page as often as it takes, and the look after that
            page = await changed(accounts("a"), "b", at, ask)
            shown.append(([record.id for record in page.records], page.more))
            asked_for.append(asked[:])
            asked.clear()
            if not page.more:
                touched[PROSPECTS].append("2")  # whoever was not asked for a while is not forgotten
            at = page.cursor
        return shown, asked_for

    shown, asked_for = loop.run(main)
    assert shown == [
        (["prospects:1", "clients:7"], True),
        (["clients:8"], True),
        (["clients:9"], False),
        (["prospects:2"], False),
    ]
    assert asked_for == [
        [(PROSPECTS, ""), (CLIENTS, "")],
        [(CLIENTS, "1")],
        [(CLIENTS, "2")],
        [(PROSPECTS, "1"), (CLIENTS, "3")],
    ]
