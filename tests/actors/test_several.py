"""Two objects on one side for one on the other: records move between them, whoever moves them (G8, G10, G13, G22)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio
import pytest

from actors.core.conditions import Condition as If
from actors.core.conditions import Test as Asks
from actors.core.lenses import Same
from actors.core.policy import (
    RECORD_OBJECT,
    Budget,
    DeletePolicy,
    FieldSide,
    FieldSpec,
    FirstContact,
    LeftBehind,
    ObjectRules,
    Owner,
    OwnerCase,
    StreamSpec,
)
from actors.core.schedule import COMMAND
from actors.core.types import SIDES, ActionState, Op, Outcome, Room, Side, State
from actors.ports import Find, RunRow
from actors.root import RootActor
from tests.actors.odds import CRASHES, MIRRORED, at_rest, by_side, dies, edited_behind
from tests.actors.rig import CUSTOMERS, Rig, customers, field, on, until
from tests.actors.test_verifying import verified
from tests.sim import loop

FINDS = pytest.mark.parametrize("find", [Find.FEED, Find.MODIFIED, Find.FULL])
PROSPECTS, CLIENTS = "prospects", "clients"
BOTH = frozenset(SIDES)


def accounts(one: Side, made_by: Any = BOTH, **rules: Any) -> StreamSpec:
    """Accounts: one object on side `one`, prospects and clients on the other. Clients are that side's own, once they are."""
    many: Side = "b" if one == "a" else "a"
    mine, theirs = FieldSide(("kind",), Same()), FieldSide((RECORD_OBJECT,), Same())
    kind = FieldSpec("kind", a=mine if one == "a" else theirs, b=theirs if one == "a" else mine)
    owned = OwnerCase(Owner(many), when=(If("kind", Asks.IS, (CLIENTS,)),), once_bound=True)
    place = FieldSide(("own",), Same())
    local = FieldSpec(
        "own", a=place if many == "a" else None, b=place if many == "b" else None, owner=Owner.LOCAL
    )
    deletes = {
        PROSPECTS: by_side(many, DeletePolicy.REMOVE, DeletePolicy.RESTORE),
        CLIENTS: by_side(many, DeletePolicy.MARK, DeletePolicy.IGNORE),
    }
    plain: dict[str, Any] = {
        "fields": (
            field("name"),
            field("phone", owner_cases=(owned,)),
            kind,
            local,
            field("marked", owner=Owner.LOCAL),
        ),
        "objects": {
            many: (
                ObjectRules(PROSPECTS, BOTH, deletes[PROSPECTS]),
                ObjectRules(CLIENTS, frozenset(made_by), deletes[CLIENTS]),
            )
        },
        "mark": {"a": {"marked": "yes"}, "b": {"marked": "yes"}},
        f"{many}_object": f"{PROSPECTS} + {CLIENTS}",
    }
    return customers(**(plain | rules))


def rig_with(spec: StreamSpec, find: Find = Find.FEED) -> Rig:
    return Rig(spec, find=(find,), poll_s=20.0)


def rows(rig: Rig, side: Side, name: str) -> Mapping[str, Mapping[str, Any]]:
    return rig.rows(side, name)


def shown(rig: Rig, side: Side, name: str) -> list[tuple[Any, Any]]:
    return sorted((row["name"], row.get("phone")) for row in rig.rows(side, name).values())


async def pair(rig: Rig, here: Side, there: Side) -> tuple[str, str]:
    """Ada, a prospect, is in step; her ids in the one object and among the prospects."""
    id = rig.systems[there].create(PROSPECTS, {"name": "Ada", "phone": "1", "own": "mine"}, "person")
    await until(lambda: len(rig.rows(here)) == 1 and len(_settled(rig)) == 1)
    return next(iter(rig.rows(here))), id


def _settled(rig: Rig) -> list[Any]:
    return [one for one in rig.bindings() if one.state is State.SETTLED]


def person_moves(rig: Rig, side: Side, id: str, **changes: Any) -> str:
    """Somebody makes a client of a prospect, in the system itself."""
    system = rig.systems[side]
    held = dict(rig.rows(side, PROSPECTS)[id])
    new = system.create(CLIENTS, held | changes, "person")
    system.delete(PROSPECTS, id, "person")
    return new


@MIRRORED
@FINDS
def test_records_of_both_objects_stand_in_one_and_those_of_one_go_where_they_belong(
    here: Side, there: Side, find: Find
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems[there].create(PROSPECTS, {"name": "Ada", "phone": "1"}, "person")
        rig.systems[there].create(CLIENTS, {"name": "Bob", "phone": "2"}, "person")
        rig.create(here, "Eve", "3", kind=CLIENTS)
        rig.create(here, "Fay", "4", kind=PROSPECTS)
        rig.create(here, "Guy", "5", kind="nothing of the kind")
        await until(lambda: len(rig.rows(here)) == 5 and len(_settled(rig)) == 4)
        await at_rest(rig, 60)
        kinds = sorted((row["name"], row["kind"]) for row in rig.rows(here).values())
        rooms = [(row.room, row.record in rig.rows(here)) for row in rig.parked()]
        return kinds, shown(rig, there, PROSPECTS), shown(rig, there, CLIENTS), rooms

    kinds, prospects, clients, rooms = on(lambda: rig_with(accounts(here), find), body)
    assert kinds == [
        ("Ada", PROSPECTS), ("Bob", CLIENTS), ("Eve", CLIENTS), ("Fay", PROSPECTS), ("Guy", "nothing of the kind"),
    ]  # fmt: skip
    assert (prospects, clients) == ([("Ada", "1"), ("Fay", "4")], [("Bob", "2"), ("Eve", "3")])
    assert rooms == [(Room.WAITING, True)]


@MIRRORED
@FINDS
def test_g8_who_becomes_a_client_there_is_one_here_and_an_edit_made_before_is_delivered(
    here: Side, there: Side, find: Find
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, prospect = await pair(rig, here, there)
        await at_rest(rig, 60)
        before = [b.key for b in rig.bindings()]
        rig.edit(here, mine, phone="2")  # not carried yet when it happens
        new = person_moves(rig, there, prospect)
        await until(lambda: rig.rows(here)[mine]["kind"] == CLIENTS and not rig.link().inbox)
        await at_rest(rig, 60)
        carried = rig.rows(there, CLIENTS)[new]["phone"]
        rig.edit(here, mine, phone="3")  # it is theirs now
        await until(lambda: rig.rows(here)[mine]["phone"] == "2")
        await at_rest(rig, 60)
        same = [b.key for b in rig.bindings()] == before
        return carried, rig.rows(there, CLIENTS)[new], list(rig.rows(here)), mine, same, rig.parked()

    carried, client, left, mine, same, rooms = on(lambda: rig_with(accounts(here), find), body)
    assert (carried, client["phone"], client["own"]) == ("2", "2", "mine")
    assert (left, same, rooms) == ([mine], True, [])


@MIRRORED
@FINDS
def test_g22_who_gets_the_status_here_becomes_a_client_there_with_all_that_was_held(
    here: Side, there: Side, find: Find
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, _ = await pair(rig, here, there)
        await at_rest(rig, 60)
        key = rig.bindings()[0].key
        rig.edit(here, mine, kind=CLIENTS, phone="2")
        await until(lambda: not rig.rows(there, PROSPECTS))
        await at_rest(rig)
        (client,) = rig.rows(there, CLIENTS).values()
        (settled,) = _settled(rig)
        done = [(one.op, one.side == there) for one in rig.actions() if one.op in (Op.CREATE, Op.DELETE)]
        return dict(client), settled.key == key, list(rig.rows(here)) == [mine], done[1:], rig.parked()

    client, same, alone, done, rooms = on(lambda: rig_with(accounts(here), find), body)
    assert (client["name"], client["phone"], client["own"]) == ("Ada", "2", "mine")
    assert (same, alone, done, rooms) == (True, True, [(Op.CREATE, True), (Op.DELETE, True)], [])


@MIRRORED
def test_g22_where_this_side_may_make_no_clients_the_status_is_put_back(here: Side, there: Side) -> None:
    """The same switch keeps one that is entered as a client from going (G13), until its status says otherwise."""

    async def body(rig: Rig, root: RootActor) -> Any:
        mine, _ = await pair(rig, here, there)
        rig.edit(here, mine, kind=CLIENTS, phone="2")
        bob = rig.create(here, "Bob", kind=CLIENTS)
        await until(lambda: rig.rows(here)[mine]["kind"] == PROSPECTS and rig.rows(there, PROSPECTS))
        await at_rest(rig, 60)
        before = shown(rig, there, PROSPECTS), shown(rig, there, CLIENTS)
        reported = [one.rule for one in rig.actions() if "put back" in one.rule]
        rig.edit(here, bob, kind=PROSPECTS)
        await until(lambda: len(rig.rows(there, PROSPECTS)) == 2)
        return before, reported

    before, reported = on(lambda: rig_with(accounts(here, made_by={there})), body)
    assert before == ([("Ada", "2")], [])
    assert reported == [f"put back: owned by {there}"]


@MIRRORED
@CRASHES
def test_a_move_that_is_killed_anywhere_is_done_once(here: Side, there: Side, crash: tuple[str, int]) -> None:
    async def main(rig: Rig) -> Any:
        async with rig.daemon():
            mine, _ = await pair(rig, here, there)
            await at_rest(rig, 60)
            died = dies(rig, crash)
            rig.edit(here, mine, kind=CLIENTS)
            await anyio.sleep(5)
        async with rig.daemon("d2"):
            await until(lambda: not rig.rows(there, PROSPECTS), timeout_s=600)
            await at_rest(rig)
        return died(), len(rig.rows(there, CLIENTS)), len(rig.rows(here)), len(_settled(rig)), rig.parked()

    known: dict[str, Any] = {"draws_ids": False, "tag": False}  # by its id, by its tag, by its key
    for names in ((), ("draws_ids",), ("draws_ids", "tag")):
        rig = Rig(accounts(here), poll_s=20.0, **{name: known[name] for name in names})
        _, clients, mine, settled, rooms = loop.run(partial(main, rig))
        assert (clients, mine, settled, rooms) == (1, 1, 1, [])


@MIRRORED
@pytest.mark.parametrize("said", SIDES)
def test_what_was_changed_in_the_old_object_after_the_move_is_listed_and_not_removed(
    here: Side, there: Side, said: Side
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, prospect = await pair(rig, here, there)
        await at_rest(rig, 60)
        seen: list[int] = []

        async def edited() -> None:
            if len(rig.rows(there, CLIENTS)) == 1 and not seen:
                seen.append(1)
                rig.systems[there].edit(PROSPECTS, prospect, {"phone": "9"}, "person")

        rig.on[there, "read"] = edited
        rig.edit(here, mine, kind=CLIENTS)
        await until(lambda: rig.parked())
        await at_rest(rig, 60)
        (row,) = rig.parked()
        before = row.room, "changed after the record moved" in row.reason
        stays = rig.rows(there, PROSPECTS)[prospect]["phone"]
        rig.store.decide("l", row.id, row.fingerprint, {"choose": said})
        await until(lambda: not rig.parked())
        await at_rest(rig, 60)
        return before, stays, len(rig.rows(there, PROSPECTS)), len(rig.rows(here))

    left = 1 if said == there else 0
    expected = ((Room.CONFLICT, True), "9", left, 1)
    assert on(lambda: rig_with(accounts(here)), body) == expected


@MIRRORED
@pytest.mark.parametrize("left", [LeftBehind.MARK, LeftBehind.KEEP])
def test_what_is_left_behind_may_be_marked_or_kept(here: Side, there: Side, left: LeftBehind) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, prospect = await pair(rig, here, there)
        rig.edit(here, mine, kind=CLIENTS)
        await until(lambda: len(rig.rows(there, CLIENTS)) == 1)
        await at_rest(rig)
        rig.edit(here, mine, name="Eve")
        await at_rest(rig, 60)
        return rig.rows(there, PROSPECTS)[prospect].get("marked"), len(rig.rows(here)), rig.parked()

    marked = "yes" if left is LeftBehind.MARK else None
    assert on(lambda: rig_with(accounts(here, left_behind=left)), body) == (marked, 1, [])


@MIRRORED
def test_who_stands_in_both_is_what_the_later_one_says(here: Side, there: Side) -> None:
    """A system that keeps the prospect when it makes a client of it: one record here, and nothing listed."""

    async def body(rig: Rig, root: RootActor) -> Any:
        mine, prospect = await pair(rig, here, there)
        await at_rest(rig, 60)
        rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1", "own": "mine"}, "person")
        await until(lambda: rig.rows(here)[mine]["kind"] == CLIENTS)
        await at_rest(rig, 60)
        rig.systems[there].delete(PROSPECTS, prospect, "person")
        await at_rest(rig, 60)
        return len(rig.rows(here)), rig.parked(), len(rig.bindings())

    assert on(lambda: rig_with(accounts(here)), body) == (1, [], 1)


@MIRRORED
@pytest.mark.parametrize("left", [LeftBehind.REMOVE, LeftBehind.MARK])
def test_found_by_sim_what_was_left_stays_where_the_one_in_the_new_object_is_gone_again(
    here: Side, there: Side, left: LeftBehind
) -> None:
    """Ada is moved; before her old record goes, a backup takes the new one away: the old one would have been removed, or
    marked, all the same, and nothing of her was left there (seed 728805)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        mine, prospect = await pair(rig, here, there)

        async def restored() -> None:
            for client in rig.rows(there, CLIENTS):
                rig.systems[there].delete(CLIENTS, client, "backup")

        rig.on[there, "read"] = restored
        rig.edit(here, mine, kind=CLIENTS)
        await until(lambda: any(one.side == there and one.op is Op.CREATE for one in rig.actions()))
        await until(lambda: rig.rows(here)[mine]["kind"] == PROSPECTS, timeout_s=600)
        await at_rest(rig)
        return list(rig.rows(there, PROSPECTS)) == [prospect], rig.rows(there, PROSPECTS)[prospect]["marked"]

    assert on(lambda: rig_with(accounts(here, left_behind=left)), body) == (True, None)


def _is_empty(rig: Rig, side: Side, name: str) -> bool:
    return not rig.rows(side, name)


@MIRRORED
def test_there_and_back_again(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, _ = await pair(rig, here, there)
        ends = []
        for kind, gone in ((CLIENTS, PROSPECTS), (PROSPECTS, CLIENTS), (CLIENTS, PROSPECTS)):
            rig.edit(here, mine, kind=kind)
            await until(partial(_is_empty, rig, there, gone))
            await at_rest(rig, 60)
            ends.append((len(rig.rows(there, kind)), rig.rows(here)[mine]["kind"]))
        return ends, len(rig.rows(here)), rig.parked(), len(_settled(rig))

    ends = [(1, CLIENTS), (1, PROSPECTS), (1, CLIENTS)]
    assert on(lambda: rig_with(accounts(here)), body) == (ends, 1, [], 1)


@MIRRORED
def test_what_a_deletion_does_is_said_by_the_object(here: Side, there: Side) -> None:
    """Prospects that are deleted there disappear here, clients are marked; a prospect deleted here comes back (G3, G9)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = {
            name: rig.systems[there].create(kind, {"name": name, "phone": "1"}, "person")
            for name, kind in (("Ada", PROSPECTS), ("Bob", CLIENTS), ("Eve", PROSPECTS), ("Fay", CLIENTS))
        }
        await until(lambda: len(_settled(rig)) == 4)
        mine = {row["name"]: id for id, row in rig.rows(here).items()}
        rig.systems[there].delete(PROSPECTS, ids["Ada"], "person")
        rig.systems[there].delete(CLIENTS, ids["Bob"], "person")
        rig.systems[here].delete(CUSTOMERS, mine["Eve"], "person")
        rig.systems[here].delete(CUSTOMERS, mine["Fay"], "person")
        await at_rest(rig)
        return sorted((row["name"], row.get("marked")) for row in rig.rows(here).values())

    assert on(lambda: rig_with(accounts(here)), body) == [("Bob", "yes"), ("Eve", None)]


@MIRRORED
def test_a_move_spends_of_both_budgets_and_waits_for_a_yes_as_a_whole(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, _ = await pair(rig, here, there)
        await at_rest(rig, 60)
        rig.edit(here, mine, kind=CLIENTS)
        await at_rest(rig)
        (plan,) = rig.link().plans.values()
        return plan.reason, len(rig.rows(there, CLIENTS)), len(rig.rows(there, PROSPECTS))

    spec = accounts(here, budgets={"deletes": Budget(0, 0, 0)})
    reason, clients, prospects = on(lambda: rig_with(spec), body)
    assert ("1 deletes" in reason, clients, prospects) == (True, 0, 1)


def test_actions_of_a_move_are_written_down_as_what_they_are() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, _ = await pair(rig, "a", "b")
        rig.edit("a", mine, kind=CLIENTS)
        await until(lambda: not rig.rows("b", PROSPECTS))
        await at_rest(rig, 30)
        return [(one.op, one.reason) for one in rig.actions() if one.state is ActionState.CONFIRMED][1:]

    made, removed = on(lambda: rig_with(accounts("a")), body)
    assert made == (Op.CREATE, f"moves from {PROSPECTS} to {CLIENTS}")
    assert (removed[0], removed[1].startswith(f"moved to {CLIENTS}:")) == (Op.DELETE, True)


@MIRRORED
@FINDS
@pytest.mark.parametrize("known_here", [False, True])
def test_who_stands_in_both_from_the_beginning_is_one_record(
    here: Side, there: Side, find: Find, known_here: bool
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        for kind, phone in ((PROSPECTS, "1"), (CLIENTS, "2")):
            rig.systems[there].create(kind, {"name": "Ada", "phone": phone}, "person")
        if known_here:
            rig.create(here, "Ada", "2", kind=PROSPECTS)
        await until(lambda: len(_settled(rig)) == 1)
        await at_rest(rig)
        (mine,) = rig.rows(here).values()
        return mine["kind"], mine["phone"], rig.parked(), len(rig.rows(there, PROSPECTS))

    # The status that was here already moves nobody back: there the clients are the clients'.
    spec = accounts(here, first_contact=FirstContact(there))
    assert on(lambda: rig_with(spec, find), body) == (CLIENTS, "2", [], 1)


@MIRRORED
def test_a_prospect_beside_a_client_that_is_bound_is_left_alone(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1"}, "person")
        await until(lambda: len(_settled(rig)) == 1)
        rig.systems[there].create(PROSPECTS, {"name": "Ada", "phone": "9"}, "person")
        await at_rest(rig)
        return [row["phone"] for row in rig.rows(here).values()], rig.parked(), len(rig.bindings())

    assert on(lambda: rig_with(accounts(here)), body) == (["1"], [], 2)


@MIRRORED
def test_who_moves_while_everything_is_read_is_not_taken_for_deleted(here: Side, there: Side) -> None:
    """From the clients, read last, to the prospects, read before: no look meets it, and nothing is marked."""

    async def body(rig: Rig, root: RootActor) -> Any:
        client = rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1"}, "person")
        rig.systems[there].create(CLIENTS, {"name": "Bob", "phone": "1"}, "person")
        await until(lambda: len(_settled(rig)) == 2)
        await at_rest(rig, 60)
        seen: list[str] = []

        async def moves() -> None:
            asked = [args[0] for _, at, method, args in rig.requests if (at, method) == (there, "scan")]
            if asked[-1] == CLIENTS and rig.rows(there, CLIENTS).get(client) and not seen:
                seen.append(client)
                held = dict(rig.rows(there, CLIENTS)[client])
                rig.systems[there].create(PROSPECTS, held, "person")
                rig.systems[there].delete(CLIENTS, client, "person")

        rig.on[there, "scan"] = moves
        rig.systems[there].edit(CLIENTS, client, {"phone": "2"}, "person")
        await until(lambda: any(row["kind"] == PROSPECTS for row in rig.rows(here).values()))
        await at_rest(rig)
        marked = [one for one in rig.actions() if one.op in (Op.MARK, Op.DELETE)]
        return sorted((row["name"], row["kind"], row["marked"]) for row in rig.rows(here).values()), marked

    rows, marked = on(lambda: rig_with(accounts(here), Find.FULL), body)
    assert (rows, marked) == ([("Ada", PROSPECTS, None), ("Bob", CLIENTS, None)], [])


@MIRRORED
@FINDS
def test_a_comparison_of_both_sides_finds_all_of_them_in_step(here: Side, there: Side, find: Find) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, _ = await pair(rig, here, there)
        rig.systems[there].create(CLIENTS, {"name": "Bob", "phone": "2"}, "person")
        await until(lambda: len(_settled(rig)) == 2)
        await at_rest(rig, 60)
        run, lines = await verified(rig, root)
        rig.store.set_wish("l", "paused")
        rig.edit(here, mine, kind=CLIENTS)
        _, after = await verified(rig, root, "again")
        return run.outcome, lines, [decision.field for line in after for decision in line.decisions]

    assert on(lambda: rig_with(accounts(here), find), body) == (Outcome.NOTHING_NEW, [], ["kind"])


@MIRRORED
def test_what_is_left_behind_waits_for_its_schedule_and_is_not_forgotten(here: Side, there: Side) -> None:
    """It was edited after the move, so a person says that it goes; and that on command alone."""

    async def body(rig: Rig, root: RootActor) -> Any:
        async def command(number: int) -> None:
            await anyio.sleep(30)
            rig.store.request_run(RunRow(f"r{number}", "l", cause="command"))
            root.wake("l")
            await until(lambda: rig.link().runs[f"r{number}"].outcome is not Outcome.RUNNING)

        id = rig.systems[there].create(PROSPECTS, {"name": "Ada", "phone": "1"}, "person")
        await until(lambda: len(_settled(rig)) == 1)
        await command(1)

        edited_behind(rig, there, PROSPECTS, id, CLIENTS)
        rig.edit(here, next(iter(rig.rows(here))), kind=CLIENTS)
        await command(2)
        await until(lambda: rig.parked())
        (row,) = rig.parked()
        rig.store.decide("l", row.id, row.fingerprint, {"choose": here})
        await at_rest(rig, 60)
        before = len(rig.rows(there, PROSPECTS))
        del rig.on[there, "read"]
        await command(3)
        await at_rest(rig, 60)
        return before, len(rig.rows(there, PROSPECTS)), len(rig.rows(there, CLIENTS)), rig.parked()

    spec = accounts(here, delivery={there: COMMAND})
    assert on(lambda: rig_with(spec), body) == (1, 0, 1, [])
