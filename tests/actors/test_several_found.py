"""Records of several objects as the simulation found them: beside one that is gone, and a read that was cut short."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import DeletePolicy, LeftBehind, ObjectRules, StreamSpec
from actors.core.types import OPEN_STATES, SIDES, Op, Room, Side
from actors.ports import Find, Page
from actors.root import RootActor
from actors.several import scanned
from clients.connectors.systems.memory_system import Faults
from tests.actors.odds import MIRRORED, at_rest, edited_behind
from tests.actors.rig import Rig, fails, field, on, until
from tests.actors.test_several import BOTH, CLIENTS, FINDS, PROSPECTS, accounts, pair, rig_with, shown
from tests.actors.test_several import _settled as settled
from tests.sim import loop


@MIRRORED
@FINDS
@pytest.mark.parametrize("left", [LeftBehind.REMOVE, LeftBehind.KEEP])
def test_found_by_sim_who_stands_beside_is_the_record_once_the_other_one_is_gone(
    left: LeftBehind, here: Side, there: Side, find: Find
) -> None:
    """A client becomes a prospect again: made there first, then deleted here. It was taken for deleted; where our own
    moves leave the old record, always (seed 204112)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        client = rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1"}, "person")
        await until(lambda: len(settled(rig)) == 1)
        rig.systems[there].create(PROSPECTS, {"name": "Ada", "phone": "9"}, "person")
        await at_rest(rig)
        rig.systems[there].delete(CLIENTS, client, "person")
        await until(lambda: all(row["kind"] == PROSPECTS for row in rig.rows(here).values()))
        await at_rest(rig)
        return [(row["phone"], row["marked"]) for row in rig.rows(here).values()], rig.parked()

    assert on(lambda: rig_with(accounts(here, left_behind=left), find), body) == ([("9", None)], [])


@MIRRORED
def test_what_our_move_kept_in_the_old_object_is_not_the_record_again(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, _ = await pair(rig, here, there)
        rig.edit(here, mine, kind=CLIENTS)
        await until(lambda: bool(rig.rows(there, CLIENTS)))
        await at_rest(rig)
        (client,) = rig.rows(there, CLIENTS)
        rig.systems[there].delete(CLIENTS, client, "person")
        await until(lambda: rig.rows(here)[mine]["marked"] == "yes")
        await at_rest(rig)
        return rig.rows(here)[mine]["kind"], shown(rig, there, PROSPECTS)

    spec = accounts(here, left_behind=LeftBehind.KEEP)
    assert on(lambda: rig_with(spec), body) == (CLIENTS, [("Ada", "1")])


@MIRRORED
def test_found_by_sim_a_read_that_was_cut_short_behind_its_last_page_is_taken_up_there(
    here: Side, there: Side
) -> None:
    """The cursor behind the last object named one that there is not, and the link fell over for good."""
    spec = accounts(here)
    end = Page((), json.dumps([len(spec.objects_on(there)), ""]), more=False)

    async def read() -> Page:
        return await scanned(spec, there, end.cursor, _nobody)

    assert loop.run(read) == end


@MIRRORED
@FINDS
def test_found_by_sim_who_stood_beside_a_record_that_was_deleted_on_both_sides_is_told_to_a_person(
    here: Side, there: Side, find: Find
) -> None:
    """A prospect too, who stays when the client and its partner go: nobody ever heard of it (seed 1012, `left_marked`)."""

    async def main() -> Any:
        rig = rig_with(accounts(here), find)
        async with rig.daemon():
            client = rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1"}, "person")
            await until(lambda: len(settled(rig)) == 1)
            prospect = rig.systems[there].create(PROSPECTS, {"name": "Ada", "phone": "1"}, "person")
            await until(lambda: "stands beside" in str(rig.bindings()))
            await at_rest(rig)
        rig.systems[there].delete(CLIENTS, client, "person")
        (mine,) = rig.rows(here)
        rig.systems[here].delete("customers", mine, "person")
        async with rig.daemon("d2"):
            await at_rest(rig)
        rooms = [(row.room, row.record == f"{PROSPECTS}:{prospect}") for row in rig.parked()]
        return rooms, len(rig.rows(here)), len(rig.rows(there, PROSPECTS))

    assert loop.run(main) == ([(Room.AMBIGUOUS, True)], 0, 1)


async def _nobody(name: str, position: str) -> Page:
    raise AssertionError(f"{name} was asked once more, at {position!r}")


@MIRRORED
@FINDS
def test_found_by_sim_who_stands_beside_is_the_record_whichever_id_the_other_one_had_last(
    here: Side, there: Side, find: Find
) -> None:
    """Made as a client too, who gets another id and is deleted then: the prospect, there all the while, was taken for
    nobody (seed 220549)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await pair(rig, here, there)
        client = rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1"}, "person")
        await until(lambda: all(row["kind"] == CLIENTS for row in rig.rows(here).values()))
        await at_rest(rig)
        rig.systems[there].delete(CLIENTS, client, "person")
        again = rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1"}, "person")
        await until(lambda: again in str(settled(rig)))
        await at_rest(rig)
        rig.systems[there].delete(CLIENTS, again, "person")
        await at_rest(rig)
        return [(row["kind"], row["marked"]) for row in rig.rows(here).values()], len(settled(rig))

    assert on(lambda: rig_with(accounts(here), find), body) == ([(PROSPECTS, None)], 1)


@MIRRORED
@pytest.mark.parametrize("left", [LeftBehind.REMOVE, LeftBehind.KEEP])
def test_who_stands_beside_is_the_record_also_where_we_moved_the_other_one_since(
    left: LeftBehind, here: Side, there: Side
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, prospect = await pair(rig, here, there)
        rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1"}, "person")
        await until(lambda: rig.rows(here)[mine]["kind"] == CLIENTS)
        await at_rest(rig)
        rig.edit(here, mine, kind=PROSPECTS)
        await until(lambda: len(rig.rows(there, PROSPECTS)) == 2)
        await at_rest(rig)
        (moved,) = rig.rows(there, PROSPECTS).keys() - {prospect}
        rig.systems[there].delete(PROSPECTS, moved, "person")
        await at_rest(rig)
        return (
            list(rig.rows(there, PROSPECTS)) == [prospect],
            prospect in str(settled(rig)),
            len(rig.rows(here)),
        )

    assert on(lambda: rig_with(accounts(here, left_behind=left)), body) == (True, True, 1)


@MIRRORED
def test_found_by_sim_a_move_without_a_reply_that_was_met_as_a_stranger_comes_to_its_end(
    here: Side, there: Side
) -> None:
    """A client becomes a prospect again by a create that is not answered, and can't be looked up for a while. It is seen,
    and taken for one who stands beside the client: no run came to an end after that (seed 713869)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1"}, "person")
        await until(lambda: len(settled(rig)) == 1)
        away = TandemError(Kind.TRANSIENT, "no answer", scope=Scope.STREAM)
        rig.systems[there].faults = Faults(lose_reply=1.0)
        rig.on[there, "find_tagged"] = fails(away)
        (mine,) = rig.rows(here)
        rig.edit(here, mine, kind=PROSPECTS)
        await until(lambda: bool(rig.rows(there, PROSPECTS)))
        rig.systems[there].faults = Faults()
        await until(lambda: len(rig.bindings()) == 2)
        await at_rest(rig, 60)
        del rig.on[there, "find_tagged"]
        await at_rest(rig, 300)
        states = {one.state for one in rig.actions()}
        return shown(rig, there, PROSPECTS), shown(rig, there, CLIENTS), states & OPEN_STATES

    def rig_of() -> Rig:
        return Rig(accounts(here), find=(Find.FEED,), poll_s=20.0, draws_ids=False)

    assert on(rig_of, body) == ([("Ada", "1")], [], set())


@MIRRORED
@pytest.mark.parametrize("made", [True, False])
def test_a_create_without_a_reply_in_one_of_several_objects_is_looked_for_by_its_fields(
    here: Side, there: Side, made: bool
) -> None:
    """Where nothing else can tell, a record is looked for by all that it was sent with: the object field is none of those.
    Found by seeds that change much: the intent stayed open, and with it everybody who is new."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await pair(rig, here, there)
        rig.systems[there].faults = Faults(lose_reply=1.0) if made else Faults(lose_request=1.0)
        rig.create(here, "Bob", "7", kind=PROSPECTS)
        await until(lambda: any(one.side == there and one.op is Op.CREATE for one in rig.actions()))
        await at_rest(rig, 1)
        if made:  # and somebody changes the very key that it would be found by
            bob = next(id for id, row in rig.rows(there, PROSPECTS).items() if row["name"] == "Bob")
            rig.systems[there].edit(PROSPECTS, bob, {"name": "Robert"}, "person")
        rig.systems[there].faults = Faults()
        await at_rest(rig, 600)
        return shown(rig, there, PROSPECTS), len(rig.rows(here)), {one.state for one in rig.actions()}

    def rig_of() -> Rig:
        declared: dict[str, Any] = {"draws_ids": False, "tag": False, "find_by_field": True}
        return Rig(accounts(here), find=(Find.FEED,), poll_s=20.0, **declared)

    prospects, accounts_here, states = on(rig_of, body)
    assert prospects == [("Ada", "1"), ("Robert" if made else "Bob", "7")]
    assert accounts_here == 2 and not states & OPEN_STATES


@MIRRORED
@pytest.mark.parametrize("clashes", [0, 1])
def test_found_by_sim_who_shares_a_key_with_one_that_waits_is_made_and_the_other_one_is_told_to_a_person(
    clashes: int, here: Side, there: Side
) -> None:
    """Of two prospects with one mail address the first lacks what is required: the second waited for it for good, and
    nobody was told (seeds 310697, 331967)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems[there].create(PROSPECTS, {"name": "Ada", "mail": "m"}, "person")
        rig.systems[there].create(PROSPECTS, {"name": "Bob", "mail": "m", "note": "full"}, "person")
        await at_rest(rig)
        return rig.names(here), {row.room for row in rig.parked()}

    spec = strict(here, clashes=clashes)
    assert on(lambda: rig_with(spec), body) == (["Bob"], {Room.AMBIGUOUS, Room.WAITING})


def strict(here: Side, **rules: Any) -> StreamSpec:
    """Accounts with a mail address, and a note that each of them needs."""
    fields = (*accounts(here).fields, field("mail"), field("note", required=True))
    return accounts(here, fields=fields, match=(("name",), ("mail",)), **rules)


@MIRRORED
def test_found_by_sim_who_moves_while_all_is_read_is_not_put_back_where_his_key_has_several_fields(
    here: Side, there: Side
) -> None:
    """A client becomes a prospect when the prospects were read already: the record was made once more as a client
    (seed 340026)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        client = rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1"}, "person")
        await until(lambda: len(settled(rig)) == 1)
        await at_rest(rig)
        prospects_read = False

        async def read() -> None:
            nonlocal prospects_read
            object_name = rig.requests[-1][3][0]
            if object_name == CLIENTS and not prospects_read:
                prospects_read = True
                rig.systems[there].delete(CLIENTS, client, "person")
                rig.systems[there].create(PROSPECTS, {"name": "Ada", "phone": "1"}, "person")

        rig.on[there, "scan"] = read
        await until(lambda: prospects_read, 600)
        await at_rest(rig)
        rows = rig.rows(here).values()
        return [(row["kind"], row["marked"]) for row in rows], shown(rig, there, CLIENTS)

    kept = {CLIENTS: DeletePolicy.RESTORE, PROSPECTS: DeletePolicy.RESTORE}
    rules = {name: ObjectRules(name, BOTH, dict.fromkeys(SIDES, policy)) for name, policy in kept.items()}
    objects = {there: (rules[PROSPECTS], rules[CLIENTS])}

    def rig_of() -> Rig:
        spec = accounts(here, match=(("name", "phone"),), objects=objects, complete_read_s=30.0)
        return Rig(spec, find=(Find.FULL,), poll_s=20.0, find_by_field=True)

    assert on(rig_of, body) == ([(PROSPECTS, None)], [])


def made_from(here: Side, there: Side, policy: DeletePolicy = DeletePolicy.IGNORE) -> StreamSpec:
    """Accounts that are made from records of `here` alone; what a deletion here does there."""
    rules = [
        ObjectRules(name, frozenset({here}), {here: policy, there: DeletePolicy.IGNORE})
        for name in (PROSPECTS, CLIENTS)
    ]
    return accounts(here, objects={there: tuple(rules)})


@MIRRORED
@FINDS
def test_who_stood_beside_a_newcomer_that_is_gone_is_a_newcomer_himself(
    here: Side, there: Side, find: Find
) -> None:
    """A client may be either of two accounts, and is deleted: of the prospect who is the same nobody heard any more."""

    async def body(rig: Rig, root: RootActor) -> Any:
        for kind in (PROSPECTS, CLIENTS):
            rig.create(here, "Ada", "1", kind=kind)
        client = rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1"}, "person")
        prospect = rig.systems[there].create(PROSPECTS, {"name": "Ada", "phone": "1"}, "person")
        await until(lambda: "stands beside" in str(rig.bindings()))
        await at_rest(rig)
        rig.systems[there].delete(CLIENTS, client, "person")
        await at_rest(rig)
        return {row.room for row in rig.parked()}, f"{PROSPECTS}:{prospect}" in str(rig.parked())

    assert on(lambda: rig_with(accounts(here), find), body) == ({Room.AMBIGUOUS}, True)


@MIRRORED
@FINDS
def test_found_by_sim_who_stood_beside_goes_with_the_record_where_both_are_gone_at_once(
    here: Side, there: Side, find: Find
) -> None:
    """What was concluded of the one, and of the other one for it, were two settlements of one half binding, and neither was
    ever stored (seed 522472)."""

    async def main() -> Any:
        rig = rig_with(accounts(here, complete_read_s=60.0), find)
        async with rig.daemon():
            client = rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1"}, "person")
            await until(lambda: len(settled(rig)) == 1)
            prospect = rig.systems[there].create(PROSPECTS, {"name": "Ada", "phone": "1"}, "person")
            await until(lambda: "stands beside" in str(rig.bindings()))
            await at_rest(rig)
        (mine,) = rig.rows(here)
        rig.systems[here].delete("customers", mine, "person")
        for object_name, id in ((CLIENTS, client), (PROSPECTS, prospect)):
            rig.systems[there].delete(object_name, id, "person")
        async with rig.daemon("d2"):
            await at_rest(rig)
        return [run.error for run in rig.runs() if run.error], "stands beside" in str(rig.bindings())

    assert loop.run(main) == ([], False)


@MIRRORED
@FINDS
def test_found_by_sim_who_moves_before_he_is_put_back_is_put_back_where_he_is_now(
    here: Side, there: Side, find: Find
) -> None:
    """He stood beside the old one for a moment, and was forgotten with that (seed 512016)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here, "Ada", "1", kind=CLIENTS)
        await until(lambda: len(settled(rig)) == 1)
        await at_rest(rig)
        rig.systems[there].withheld.add((CLIENTS, "phone"))  # so it can't be put back at once
        (mine,) = rig.rows(here)
        rig.systems[here].delete("customers", mine, "person")
        await until(lambda: not settled(rig))
        await at_rest(rig)
        (client,) = rig.rows(there, CLIENTS)
        rig.systems[there].create(PROSPECTS, {"name": "Ada", "phone": "1"}, "person")
        await until(lambda: "stands beside" in str(rig.bindings()))
        rig.systems[there].delete(CLIENTS, client, "person")
        await at_rest(rig)
        rig.systems[there].withheld.clear()
        await at_rest(rig)
        return [(row["name"], row["kind"]) for row in rig.rows(here).values()], len(settled(rig))

    spec = made_from(here, there, DeletePolicy.RESTORE)
    assert on(lambda: rig_with(spec, find), body) == ([("Ada", PROSPECTS)], 1)


@MIRRORED
@pytest.mark.parametrize("edited", [False, True])
def test_what_a_move_left_and_a_person_edited_is_the_record_again_where_the_new_one_is_gone(
    here: Side, there: Side, edited: bool
) -> None:
    """Ada is moved, and somebody edits her old record meanwhile, so that it is listed; then the new one is deleted, and
    that is concluded before anybody has said what becomes of the old one. It stood there, bound to nobody, for good."""

    async def body(rig: Rig, root: RootActor) -> Any:
        mine, prospect = await pair(rig, here, there)
        edited_behind(rig, there, PROSPECTS, prospect, CLIENTS)
        rig.edit(here, mine, kind=CLIENTS)
        await until(lambda: rig.parked())
        await at_rest(rig)
        (client,) = rig.rows(there, CLIENTS)
        rig.systems[there].delete(CLIENTS, client, "person")
        await at_rest(rig)
        if edited:
            rig.systems[there].edit(PROSPECTS, prospect, {"phone": "11"}, "person")
            await at_rest(rig)
        (row,) = rig.rows(here).values()
        return list(rig.rows(there, PROSPECTS)), row["kind"], row["phone"], row["marked"], rig.parked()

    found = on(lambda: rig_with(accounts(here)), body)
    assert found[0] and found[1:] == (PROSPECTS, "11" if edited else "9", None, [])


@MIRRORED
def test_what_a_move_left_goes_though_a_person_moved_the_new_one_on(here: Side, there: Side) -> None:
    """A client becomes a prospect again, and her old record is edited meanwhile, so that it waits for a word; then people
    enter her as a client anew, and remove the prospect. The old record was taken for all that is left of her (seed 900173
    with several objects)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        mine, _ = await pair(rig, here, there)
        rig.edit(here, mine, kind=CLIENTS)
        await until(lambda: not rig.rows(there, PROSPECTS))
        await at_rest(rig)
        (old,) = rig.rows(there, CLIENTS)
        edited_behind(rig, there, CLIENTS, old, PROSPECTS)
        rig.edit(here, mine, kind=PROSPECTS)
        await until(lambda: rig.parked())
        await at_rest(rig)
        del rig.on[there, "read"]
        new = rig.systems[there].create(CLIENTS, {"name": "Ada", "phone": "1"}, "person")
        await until(lambda: rig.rows(here)[mine]["kind"] == CLIENTS)
        for prospect in list(rig.rows(there, PROSPECTS)):
            rig.systems[there].delete(PROSPECTS, prospect, "person")
        await at_rest(rig)
        (row,) = rig.parked()
        rig.store.decide("l", row.id, row.fingerprint, {"choose": here})
        await until(lambda: old not in rig.rows(there, CLIENTS))
        await at_rest(rig)
        return list(rig.rows(there, CLIENTS)) == [new], len(rig.rows(here)), rig.parked()

    assert on(lambda: rig_with(accounts(here)), body) == (True, 1, [])
