"""Two records that a person makes one: the partner of the one that is gone is not deleted nor brought back (REDTEAM 30)."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.lenses import Same
from actors.core.policy import (
    MERGES,
    Budget,
    DeletePolicy,
    FieldSide,
    FieldSpec,
    Owner,
    StreamSpec,
)
from actors.core.stream_rules import OnMerge
from actors.core.types import Op, Room, Side, State
from actors.ports import Find
from actors.root import RootActor
from tests.actors.odds import CRASHES, MIRRORED, at_rest, by_side, dies
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until
from tests.actors.test_undoing import applied, planned, run_that

ORDERS = "orders"
CONCLUDES = (DeletePolicy.MARK, DeletePolicy.REMOVE, DeletePolicy.RESTORE)
POLICIES = pytest.mark.parametrize("policy", CONCLUDES)


def people(here: Side, policy: DeletePolicy, rule: OnMerge = OnMerge.ASK) -> StreamSpec:
    """Customers matched by mail; a deletion `here` does `policy` on the other side."""
    return customers(
        fields=(field("mail"), field("name"), field("phone"), field("marked", owner=Owner.LOCAL)),
        match=(("mail",),),
        deletes=by_side(here, policy, DeletePolicy.IGNORE),
        mark=by_side(here, {}, {"marked": "yes"}) if policy is DeletePolicy.MARK else {},
        on_merge=rule,
        budgets={MERGES: Budget(0, 0.0, free=0)} if rule is OnMerge.FOLLOW else {},
    )


def orders(here: Side, owner: Owner = Owner.BOTH) -> StreamSpec:
    """Orders of customers, made `here` alone."""
    place = FieldSide(("customer",), Same())
    ref = FieldSpec("customer", place, place, reference=CUSTOMERS, owner=owner)
    return customers(
        name=ORDERS,
        a_object=ORDERS,
        b_object=ORDERS,
        fields=(field("name"), ref),
        parents=(CUSTOMERS,),
        creates=frozenset({here}),
    )


class Play:
    """Ada and a second Ada, in step; then somebody makes them one `here`, who keeps the mail of the second."""

    def __init__(self, rig: Rig, here: Side, there: Side) -> None:
        self.rig, self.here, self.there = rig, here, there
        self.first = self.second = ""

    async def begin(self) -> None:
        rig = self.rig
        self.first = rig.create(self.here, "Ada", "1", mail="ada@one.example")
        self.second = rig.create(self.here, "Ada L.", "2", mail="ada@two.example")
        await until(lambda: len(rig.rows(self.there)) == 2 and loaded(rig) and not rig.link().inbox)
        await at_rest(rig, 30)

    def merge(self) -> None:
        self.rig.edit(self.here, self.first, mail="ada@two.example")
        self.rig.systems[self.here].delete(CUSTOMERS, self.second, "person")

    def phones(self) -> list[Any]:
        return sorted(row["phone"] for row in self.rig.rows(self.there).values())

    def done(self, op: Op) -> int:
        return sum(action.op is op for action in self.rig.actions())


def played(here: Side, there: Side, spec: StreamSpec, body: Any, *more: StreamSpec) -> Any:
    async def main(rig: Rig, root: RootActor) -> Any:
        return await body(Play(rig, here, there))

    return on(lambda: Rig(spec, *more, find=(Find.FEED,), poll_s=5.0), main)


@MIRRORED
@POLICIES
def test_redteam_30_a_merge_deletes_marks_and_brings_back_nobody_and_is_listed(
    here: Side, there: Side, policy: DeletePolicy
) -> None:
    async def body(play: Play) -> Any:
        await play.begin()
        play.merge()
        await until(lambda: play.rig.parked())
        await at_rest(play.rig)
        (row,) = play.rig.parked()
        mails = sorted(one["mail"] for one in play.rig.rows(there).values())
        marks = [one["marked"] for one in play.rig.rows(there).values()]
        return row, play.phones(), mails, marks, len(play.rig.rows(here)), play.first

    row, phones, mails, marks, here_count, first = played(here, there, people(here, policy), body)
    assert (row.room, row.side) == (Room.CONFLICT, there)
    assert row.reason == f"gone on {here}, and {first} there has its mail: it may have been merged into that"
    assert (phones, marks, here_count) == (["1", "2"], [None, None], 1)
    assert mails == ["ada@two.example"] * 2


@MIRRORED
@POLICIES
@pytest.mark.parametrize("choice", ["keep", "remove", "restore"])
def test_a_person_says_what_becomes_of_the_partner(
    here: Side, there: Side, policy: DeletePolicy, choice: str
) -> None:
    async def body(play: Play) -> Any:
        await play.begin()
        play.merge()
        await until(lambda: play.rig.parked())
        await at_rest(play.rig, 30)
        (row,) = play.rig.parked()
        assert play.rig.store.decide("l", row.id, row.fingerprint, {"choose": choice})
        await at_rest(play.rig)
        listed = [one.room for one in play.rig.parked() if one.field == "*delete*"]
        return play.phones(), play.done(Op.MARK), len(play.rig.rows(here)), listed

    phones, marked, left, listed = played(here, there, people(here, policy), body)
    assert listed == []
    assert phones == (["1"] if choice == "remove" else ["1", "2"])
    assert marked == 0
    assert left == 1  # the one put back has a mail that the other one has: a person says who is who


@MIRRORED
@POLICIES
def test_by_rule_the_partner_stays_and_is_let_go(here: Side, there: Side, policy: DeletePolicy) -> None:
    async def body(play: Play) -> Any:
        await play.begin()
        play.merge()
        await at_rest(play.rig)
        notes = [one.note for one in play.rig.bindings() if one.state is State.TOMBSTONE]
        return play.phones(), notes, play.rig.parked(), play.first

    phones, notes, parked, first = played(here, there, people(here, policy, OnMerge.KEEP), body)
    assert (phones, parked) == (["1", "2"], [])
    assert notes == [f"merged into {first} on {here}, kept on {there}"]


@MIRRORED
@pytest.mark.parametrize("rule", list(OnMerge))
def test_without_somebody_who_has_its_key_it_was_deleted(here: Side, there: Side, rule: OnMerge) -> None:
    """The mirror of the rule; and with `delete` a merge is one."""

    async def body(play: Play) -> Any:
        await play.begin()
        if rule is OnMerge.DELETE:
            play.merge()
        else:
            play.rig.systems[here].delete(CUSTOMERS, play.second, "person")
        await until(lambda: play.phones() == ["1"], timeout_s=600)
        await at_rest(play.rig, 60)
        return play.rig.parked(), play.done(Op.DELETE)

    assert played(here, there, people(here, DeletePolicy.REMOVE, rule), body) == ([], 1)


@MIRRORED
@CRASHES
def test_a_daemon_that_is_killed_meanwhile_deletes_nobody_either(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(play: Play) -> Any:
        await play.begin()
        dies(play.rig, crash)
        play.merge()
        await until(lambda: play.rig.parked(), timeout_s=7200)
        await at_rest(play.rig)
        return play.phones(), play.done(Op.DELETE), [row.field for row in play.rig.parked()]

    assert played(here, there, people(here, DeletePolicy.REMOVE), body) == (["1", "2"], 0, ["*delete*"])


# ------------------------------------------------------------------------------------------- merged here as it was there


class Trade(Play):
    """Each of the two has an order; whoever makes the two one gives both orders to the one that stays."""

    async def begin(self) -> None:
        await super().begin()
        (maker,) = self.rig.spec.stream(ORDERS).creates
        whose = {row["phone"]: id for id, row in self.rig.rows(maker).items()}
        for name, phone in (("O1", "1"), ("O2", "2")):
            fields = {"name": name, "customer": whose[phone]}
            self.rig.systems[maker].create(ORDERS, fields, "person")
        both = (self.here, self.there)
        await until(lambda: all(len(self.rig.rows(one, ORDERS)) == 2 for one in both))
        await at_rest(self.rig, 30)

    def merge(self) -> None:
        (order,) = [id for id, row in self.rig.rows(self.here, ORDERS).items() if row["name"] == "O2"]
        self.rig.systems[self.here].edit(ORDERS, order, {"customer": self.first}, "person")
        super().merge()

    def of_whom(self) -> dict[str, str]:
        """Whose the orders are on the other side, told by the phone."""
        known = self.rig.rows(self.there)
        rows = self.rig.rows(self.there, ORDERS).values()
        return {row["name"]: known.get(row["customer"], {}).get("phone", "nobody") for row in rows}

    def partner(self) -> str:
        """The partner of the one that is gone."""
        return next(id for id, row in self.rig.rows(self.there).items() if row["phone"] == "2")

    async def plan(self) -> Any:
        return await self.rig.store.held("l", CUSTOMERS, "held")

    async def say_yes(self) -> None:
        plan = await self.plan()
        assert plan is not None and plan.actions == 1
        self.rig.store.approve_plan("l", plan.id, plan.rev)


def traded(here: Side, there: Side, policy: DeletePolicy, body: Any, owner: Owner = Owner.BOTH) -> Any:
    async def main(rig: Rig, root: RootActor) -> Any:
        return await body(Trade(rig, here, there), root)

    spec = people(here, policy, OnMerge.FOLLOW)
    return on(
        lambda: Rig(
            spec, orders(here if owner is Owner.BOTH else there, owner), find=(Find.FEED,), poll_s=5.0
        ),
        main,
    )


FOLLOWS = pytest.mark.parametrize("policy", [DeletePolicy.MARK, DeletePolicy.REMOVE])


@MIRRORED
@FOLLOWS
def test_redteam_30_who_was_merged_goes_on_a_yes_once_all_that_referred_to_it_is_with_the_survivor(
    here: Side, there: Side, policy: DeletePolicy
) -> None:
    async def body(play: Trade, root: RootActor) -> Any:
        await play.begin()
        play.merge()
        await until(lambda: play.of_whom() == {"O1": "1", "O2": "1"})
        await at_rest(play.rig)
        before = play.phones(), play.done(Op.DELETE) + play.done(Op.MARK), play.rig.parked()
        plan = await play.plan()
        await play.say_yes()
        await at_rest(play.rig)
        marks = [row["marked"] for row in play.rig.rows(there).values()]
        led = [one.id for one in play.rig.actions() if one.stream == ORDERS and one.op is Op.UPDATE]
        went = [one.id for one in play.rig.actions() if one.op in (Op.DELETE, Op.MARK)]
        said = [one.rule for one in play.rig.actions() if one.op in (Op.DELETE, Op.MARK)]
        return before, plan.reason, play.phones(), marks, max(led) < min(went), said, play.of_whom()

    before, why, phones, marks, in_order, said, whose = traded(here, there, policy, body)
    assert before == (["1", "2"], 0, [])
    assert why == "records of customers were merged on the other side: their partners go on a yes"
    assert phones == (["1"] if policy is DeletePolicy.REMOVE else ["1", "2"])
    assert sorted(marks, key=str) == ([None] if policy is DeletePolicy.REMOVE else [None, "yes"])
    assert (in_order, said, whose) == (True, ["on_merge: follow"], {"O1": "1", "O2": "1"})


@MIRRORED
@FOLLOWS
def test_redteam_30_while_something_refers_to_it_nothing_goes_and_what_does_is_named(
    here: Side, there: Side, policy: DeletePolicy
) -> None:
    """An order that was entered on the other side, and that no rule carries: a person leads it to the survivor."""

    async def body(play: Trade, root: RootActor) -> Any:
        await play.begin()
        lost = play.partner()
        own = play.rig.systems[there].create(ORDERS, {"name": "own", "customer": lost}, "person")
        await at_rest(play.rig, 30)
        play.merge()
        await until(lambda: any(row.field == "*delete*" for row in play.rig.parked()))
        await at_rest(play.rig, 1200)  # long after nobody looks again by himself
        (row,) = [row for row in play.rig.parked() if row.field == "*delete*"]
        waits = row.room, row.reason.replace(play.first, "Ada").replace(own, "own"), await play.plan()
        (survivor,) = [id for id in play.rig.rows(there) if id != lost]
        play.rig.systems[there].edit(ORDERS, own, {"customer": survivor}, "person")
        await until(lambda: not [row for row in play.rig.parked() if row.field == "*delete*"], 7200)
        await at_rest(play.rig, 10)
        await play.say_yes()
        await at_rest(play.rig)
        return waits, play.of_whom(), play.done(Op.DELETE) + play.done(Op.MARK)

    waits, whose, done = traded(here, there, policy, body)
    reason = f"merged into Ada on {here}, and still referred to on {there}: orders own"
    assert waits == (Room.WAITING, reason, None)
    assert (whose, done) == ({"O1": "1", "O2": "1", "own": "1"}, 1)


@MIRRORED
def test_what_the_other_side_owns_is_not_put_back_onto_a_record_that_is_gone(here: Side, there: Side) -> None:
    """Whose an order is, is said by the other side: there it waits for somebody to say so."""

    async def body(play: Trade, root: RootActor) -> Any:
        await play.begin()
        play.merge()
        await at_rest(play.rig, 600)
        mine = {row["name"]: row["customer"] == play.first for row in play.rig.rows(here, ORDERS).values()}
        rooms = sorted((row.stream, row.room, row.reason) for row in play.rig.parked())
        (survivor,) = [id for id, row in play.rig.rows(there).items() if row["phone"] == "1"]
        (order,) = [id for id, row in play.rig.rows(there, ORDERS).items() if row["name"] == "O2"]
        play.rig.systems[there].edit(ORDERS, order, {"customer": survivor}, "person")
        await until(lambda: not play.rig.parked(), timeout_s=7200)
        await at_rest(play.rig, 10)
        await play.say_yes()
        await at_rest(play.rig)
        return mine, rooms, play.of_whom(), play.phones()

    mine, rooms, whose, phones = traded(here, there, DeletePolicy.REMOVE, body, Owner(there))
    assert mine == {"O1": True, "O2": True}
    assert [row[:2] for row in rooms] == [(CUSTOMERS, Room.WAITING), (ORDERS, Room.WAITING)]
    assert rooms[1][2] == f"the customers record it refers to is not on side {here} any more"
    assert (whose, phones) == ({"O1": "1", "O2": "1"}, ["1"])


@MIRRORED
def test_what_followed_a_merge_is_taken_back(here: Side, there: Side) -> None:
    async def body(play: Trade, root: RootActor) -> Any:
        await play.begin()
        play.merge()
        await until(lambda: play.of_whom() == {"O1": "1", "O2": "1"})
        await at_rest(play.rig)
        await play.say_yes()
        await until(lambda: play.phones() == ["1"])
        await at_rest(play.rig, 30)
        led = [
            run
            for run, one in play.rig.link().actions.values()
            if one.stream == ORDERS and one.op is Op.UPDATE
        ]
        plan = await planned(play.rig, root, run_that(play.rig, Op.DELETE, there))
        assert plan is not None
        await applied(play.rig, root, plan)
        await until(lambda: play.phones() == ["1", "2"])
        plan = await planned(play.rig, root, led[-1], ORDERS)
        assert plan is not None
        await applied(play.rig, root, plan, ORDERS)
        await at_rest(play.rig)
        return play.of_whom(), play.phones(), play.rig.parked()

    assert traded(here, there, DeletePolicy.REMOVE, body) == ({"O1": "1", "O2": "2"}, ["1", "2"], [])


@MIRRORED
@CRASHES
def test_a_daemon_that_is_killed_meanwhile_leads_all_over_before_anybody_goes(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(play: Trade, root: RootActor) -> Any:
        await play.begin()
        dies(play.rig, crash)
        play.merge()
        await until(lambda: play.of_whom() == {"O1": "1", "O2": "1"}, timeout_s=7200)
        await at_rest(play.rig)
        await play.say_yes()
        await until(lambda: play.phones() == ["1"], timeout_s=7200)
        await at_rest(play.rig)
        names = [row["name"] for row in play.rig.rows(there, ORDERS).values()]
        return play.of_whom(), sorted(names), play.rig.parked(), len(play.rig.rows(here))

    expected: Any = ({"O1": "1", "O2": "1"}, ["O1", "O2"], [], 1)
    assert traded(here, there, DeletePolicy.REMOVE, body) == expected
