"""Named scenarios that once broke the design or the core, each told in its docstring; the number is the scenario's."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import msgspec
import pytest

from actors.core.guard import Ledger, guard
from actors.core.lenses import Length, MapValues
from actors.core.lifecycle import outcome
from actors.core.mapping import observe
from actors.core.merge import merge
from actors.core.plan import Context, Verdict, differs, fresh, half_binding, plan_new, plan_pair
from actors.core.policy import (
    Budget,
    Choice,
    DeletePolicy,
    FieldSpec,
    FirstContact,
    Owner,
    StreamSpec,
)
from actors.core.settle import resolve, settle
from actors.core.types import (
    SIDES,
    Action,
    Binding,
    Deviation,
    Observation,
    Op,
    Outcome,
    Parked,
    Record,
    Room,
    State,
)
from actors.core.values import BadValue, Value, canonical
from tests.core.pairs import (
    NOW,
    TwoSystems,
    bound,
    gone,
    match_all,
    mirrored_stream,
    one,
    place,
    seen,
    stream,
)


def test_redteam_01_a_page_read_before_our_write_undoes_nothing() -> None:
    """A page of B is read ahead; B7 is written and settled; then the old page is planned: the look is too old."""
    spec, binding = stream(one("f")), bound({"f": "v1"})
    page = msgspec.structs.replace(seen("b", {"f": "v0"}), asked=100.0)
    undo = plan_pair(spec, binding, seen("a", {"f": "v1"}), page, Context(NOW))
    assert [(action.side, dict(action.fields)) for action in undo.actions] == [("a", {"f": "v0"})]
    assert not fresh(page, wrote=104.0, read_lag_s=0.0)
    assert not fresh(msgspec.structs.replace(page, asked=105.0), wrote=104.0, read_lag_s=2.0)


@pytest.mark.parametrize("by_reply", [True, False])
def test_redteam_02_a_name_that_one_side_cuts_is_neither_cut_on_the_other_nor_sent_again(
    by_reply: bool,
) -> None:
    """A holds a long name, B keeps ten characters: A keeps it all, B is left alone, and B's next edit is an edit."""
    long = "Elisabeth von Hohenstein"
    world = TwoSystems(
        stream(one("name")),
        {"a": {"name": long}, "b": {"name": "old"}},
        {"b": lambda name, value: str(value)[:10]},
        reply=by_reply,
    )
    world.binding = bound({"name": "old"})
    assert world.rest() == 1
    assert (world.holds["a"]["name"], world.holds["b"]["name"]) == (long, long[:10])
    world.edit("b", "name", "Liesl")
    assert world.rest() == 1
    assert world.holds["a"]["name"] == "Liesl"


def test_redteam_03_nothing_is_overwritten_that_was_not_looked_at() -> None:
    """The phone was edited on both sides: the write carries what was seen there, so a system can refuse it."""
    spec = stream(one("phone", conflict=Choice.A), one("mail"))
    looks = seen("a", {"phone": "2", "mail": "m"}), seen("b", {"phone": "3", "mail": "m"}, version="9")
    (action,) = plan_pair(spec, bound({"phone": "1", "mail": "m"}), *looks, Context(NOW)).actions
    assert (dict(action.seen_native), action.version) == ({"phone": "3"}, "9")
    assert dict(action.before) == {"phone": "3"}
    assert action.decisions[0].b == "3"


def test_redteam_05_a_time_out_is_resolved_by_looking_never_by_sending_again() -> None:
    """ "Set code C100 to C200", no reply: found by its id under the new code it was done, whatever a key would say."""
    new, old = {"code": "C200"}, {"code": "C100"}
    intent = Action("customers", "b", Op.UPDATE, 1, fields=new, native=new, before=old, seen_native=old)
    done = resolve(intent, [seen("b", {"code": "C200"})], now=NOW, sure_after=NOW + 60, decisive=True)
    early = resolve(intent, [seen("b", {"code": "C100"})], now=NOW, sure_after=NOW + 60, decisive=True)
    late = resolve(intent, [seen("b", {"code": "C100"})], now=NOW + 61, sure_after=NOW + 60, decisive=True)
    assert (done, early, late) == ("done", "wait", "not_done")
    booking = Action("invoices", "b", Op.CREATE, 1, fields={"total": 1})
    assert resolve(booking, [], now=NOW + 10**6, sure_after=NOW, decisive=False) == "ask"


def test_redteam_06_a_field_that_is_not_delivered_any_more_empties_nothing() -> None:
    """The API user loses the right to a field: it is missing from every record, and nothing is erased."""
    spec = stream(one("phone"), one("mail"))
    base = {"phone": "1", "mail": "m"}
    for side in SIDES:
        looks = {s: seen(s, base) for s in SIDES} | {side: seen(side, {"mail": "m"})}
        assert not differs(spec, bound(base), looks[side])
        verdict = plan_pair(spec, bound(base), looks["a"], looks["b"], Context(NOW))
        assert (verdict.actions, dict(verdict.binding.base)) == ((), base)
    cleared = plan_pair(spec, bound(base), seen("a", {"phone": None}), seen("b", base), Context(NOW))
    assert [action.kinds for action in cleared.actions] == [("clears",)]


@pytest.mark.parametrize("policy", [DeletePolicy.IGNORE, DeletePolicy.REMOVE, DeletePolicy.MARK])
def test_redteam_08_a_deleted_record_is_not_created_again_in_the_second_and_third_run(
    policy: DeletePolicy,
) -> None:
    """The debtor is deleted, the organisation still says "Kunde": remembered, in every later run."""
    spec = stream(one("f"), deletes={"a": policy, "b": policy}, mark={"b": {"x": 1}})
    binding, left = bound({"f": "Kunde"}), seen("b", {"f": "Kunde"})
    first = plan_pair(spec, binding, gone("a"), left, Context(NOW))
    binding = first.binding
    for action in first.actions:
        binding = settle(spec, binding, action, None, now=NOW, by_reply=True).binding
    assert binding.state is State.TOMBSTONE
    for edited in ("Kunde", "Lead", "Kunde"):
        look = gone("b") if policy is DeletePolicy.REMOVE else seen("b", {"f": edited})
        verdict = plan_pair(spec, binding, gone("a"), look, Context(NOW))
        assert (verdict.actions, verdict.park) == ((), ())
        binding = verdict.binding
    assert binding.state is State.TOMBSTONE


def test_redteam_08_an_edit_is_not_deleted_with_the_record() -> None:
    """A deletes, B edited an hour ago: listed with what B holds, and deleted only when a person says so."""
    spec = stream(one("f"), deletes={"a": DeletePolicy.REMOVE, "b": DeletePolicy.REMOVE})
    left = seen("b", {"f": "edited"})
    verdict = plan_pair(spec, bound({"f": "x"}), gone("a"), left, Context(NOW))
    (row,) = verdict.park
    assert (verdict.actions, row.room, row.detail["b"]) == ((), Room.CONFLICT, {"f": "edited"})
    said = msgspec.structs.replace(row, decision={"choose": "remove"})
    removed = plan_pair(spec, verdict.binding, gone("a"), left, Context(NOW, parked=(said,)))
    assert [action.op for action in removed.actions] == [Op.DELETE]
    newer = plan_pair(
        spec, verdict.binding, gone("a"), seen("b", {"f": "again"}), Context(NOW, parked=(said,))
    )
    assert newer.actions == ()


MARKED = {"a": DeletePolicy.MARK, "b": DeletePolicy.IGNORE}


def marked(now: str) -> tuple[StreamSpec, Binding, Observation]:
    """A deleted A1 was carried over as a mark on B1, which held `state: lead` before; there it shows `now` by now."""
    spec = stream(one("f"), deletes=MARKED, mark={"b": {"state": "deleted"}})
    look = msgspec.structs.replace(seen("b", {"f": "x"}), native={"f": "x", "state": "lead"})
    verdict = plan_pair(spec, bound({"f": "x"}), gone("a"), look, Context(NOW))
    (mark,) = verdict.actions
    tomb = settle(spec, verdict.binding, mark, None, now=NOW, by_reply=True).binding
    assert tomb.state is State.TOMBSTONE
    return spec, tomb, msgspec.structs.replace(look, native={"f": "x", "state": now})


@pytest.mark.parametrize("edit", ["x", "y"])
def test_redteam_08_a_record_that_is_restored_at_its_source_loses_its_mark(edit: str) -> None:
    """Policy `mark`, then the record is back, edited or not: the other side shows again what the mark replaced, once."""
    spec, tomb, look = marked("deleted")
    verdict = plan_pair(spec, tomb, seen("a", {"f": edit}), look, Context(NOW))
    (action,) = verdict.actions
    changed = {"f": edit} if edit != "x" else {}
    assert (action.op, dict(action.native)) == (Op.UPDATE, {"state": "lead", **changed})
    assert action.seen_native["state"] == "deleted"
    after = msgspec.structs.replace(seen("b", {"f": edit}), native={"f": edit, "state": "lead"})
    out = settle(spec, verdict.binding, action, after, now=NOW, by_reply=True)
    assert (out.open, out.not_taken, out.binding.state) == ((), False, State.SETTLED)
    by_hand = msgspec.structs.replace(after, native={"f": edit, "state": "deleted"})
    for later in (after, by_hand):  # a mark that a person sets later is not ours
        assert plan_pair(spec, out.binding, seen("a", {"f": edit}), later, Context(NOW)).actions == ()


def test_redteam_08_a_mark_that_somebody_took_away_is_not_taken_away_again() -> None:
    """B1 was set to `customer` meanwhile: that stays, and what the mark replaced is forgotten."""
    spec, tomb, look = marked("customer")
    verdict = plan_pair(spec, tomb, seen("a", {"f": "x"}), look, Context(NOW))
    assert verdict.actions == ()
    later = msgspec.structs.replace(look, native={"f": "x", "state": "deleted"})
    assert plan_pair(spec, verdict.binding, seen("a", {"f": "x"}), later, Context(NOW)).actions == ()


def test_redteam_11_two_with_one_mail_are_unclear_whichever_window_comes_first() -> None:
    """A1 and A2 share a mail, B1 has it too: nobody is bound by the luck of the order, and a number beats a mail."""
    mail, number, none = 7, 9, 0
    for order in itertools.permutations([("A1", (none, mail)), ("A2", (none, mail))]):
        assert match_all({"a": order, "b": [("B1", (none, mail))]})[0] == set()
    stronger = {"a": [("A1", (none, mail)), ("A2", (number, mail))], "b": [("B1", (number, mail))]}
    pairs, unclear = match_all(stronger)  # type: ignore[arg-type]
    assert pairs == {("A2", "B1")}
    assert unclear == {("a", "A1")}


def test_redteam_12_twenty_thousand_small_runs_have_one_budget() -> None:
    """A script empties a field in many records; each run is small; the ledger of the day stops them all the same."""
    spec = stream(one("f"), budgets={"clears": Budget(20, 0.0)})
    spent = 0
    for run in range(200):
        action = Action("customers", "b", Op.UPDATE, run, kinds=("clears",), fingerprint=str(run))
        passed = guard(spec, [action] * 5, Ledger({"clears": spent}), records=1000, totals_known=True)
        spent += len(passed.go)
    assert spent == 20


def test_redteam_14_a_workflow_that_answers_every_write_is_stopped() -> None:
    """The CRM sets Type back to Lead whenever we write Kunde: after `breaker` writes the field is listed."""
    spec = stream(one("type", owner=Owner.A), one("g"))
    binding = bound({"type": "Kunde", "g": 1})
    writes, verdict = 0, Verdict(binding)
    for _ in range(10):
        looks = seen("a", {"type": "Kunde", "g": 1}), seen("b", {"type": "Lead", "g": 1})
        verdict = plan_pair(spec, binding, *looks, Context(NOW, breaker=3))
        binding = verdict.binding
        for action in verdict.actions:
            writes += 1
            after = seen("b", {"type": "Kunde", "g": 1})
            binding = settle(spec, binding, action, after, now=NOW, by_reply=True).binding
    assert writes == 3
    assert [(row.room, row.field) for row in verdict.park] == [(Room.CONFLICT, "type")]


def test_redteam_14_two_spellings_in_a_hub_come_to_rest() -> None:
    """P-S1 and P-S2: S1 stores 0049, S2 stores +49; one edit at P must not go round for ever."""

    def zeros(name: str, value: Value) -> Value:
        return str(value).replace("+", "00")

    def plus(name: str, value: Value) -> Value:
        return str(value).replace("00", "+", 1) if str(value).startswith("00") else value

    hub: dict[str, Value] = {"f": "+49 1"}
    spec = stream(one("f", first_contact=FirstContact.A))
    spokes = [TwoSystems(spec, {"a": hub, "b": {"f": ""}}, {"b": makes}) for makes in (zeros, plus)]
    for spoke in spokes:
        spoke.edit("b", "f", "+49 1")
        spoke.rest()
    hub["f"] = "+49 2"
    counts = [sum(len(spoke.step().actions) for spoke in spokes) for _ in range(6)]
    assert sum(counts[2:]) == 0
    assert (spokes[0].holds["b"]["f"], spokes[1].holds["b"]["f"], hub["f"]) == ("0049 2", "+49 2", "+49 2")


def test_redteam_14_a_contested_field_takes_its_whole_group_with_it() -> None:
    """Street was written too often, town was not: writing the town alone makes an address that never existed."""
    spec = stream(one("street", group="address"), one("town", group="address"))
    binding = bound({"street": "Ring 1", "town": "Ulm"}, contests={"b.street": (20, NOW)})
    looks = (
        seen("a", {"street": "Allee 9", "town": "Bonn"}),
        seen("b", {"street": "Ring 1", "town": "Ulm"}),
    )
    verdict = plan_pair(spec, binding, *looks, Context(NOW))
    assert verdict.actions == ()


@pytest.mark.parametrize("choose, written", [("a", ("b", "7")), ("b", ("a", "5")), ("value", ("a", "9"))])
def test_a_contested_field_is_listed_with_both_values_and_a_persons_word_settles_it(
    choose: str, written: tuple[str, str]
) -> None:
    """Seed 876: the word counted for nothing; the row gave way to another one, which was decided, and so on for ever."""
    spec = stream(one("phone"), one("g"))
    binding = bound({"phone": "5", "g": 1}, contests={"b.phone": (20, NOW)})
    looks = seen("a", {"phone": "7", "g": 1}), seen("b", {"phone": "5", "g": 1})
    listed = plan_pair(spec, binding, *looks, Context(NOW))
    (row,) = listed.park
    assert (listed.actions, row.room, row.field, row.record) == ((), Room.CONFLICT, "phone", "A1")
    assert [row.detail[at] for at in ("base", "a", "b")] == [{"phone": "5"}, {"phone": "7"}, {"phone": "5"}]
    said = msgspec.structs.replace(row, decision={"choose": choose, "value": "9"})
    decided = plan_pair(spec, listed.binding, *looks, Context(NOW, parked=(said,)))
    assert written in [(action.side, action.fields["phone"]) for action in decided.actions]
    assert decided.park == ()
    for action in decided.actions:
        after = seen(action.side, {**looks[0].fields, **action.fields})
        binding = settle(spec, binding, action, after, now=NOW, by_reply=True).binding
    # One word, one write: what answers it is listed again, and so is the next change.
    more = plan_pair(spec, binding, seen("a", {"phone": "8", "g": 1}), looks[1], Context(NOW))
    assert ([action.side for action in more.actions if action.side == "b"], len(more.park)) == ([], 1)


def test_nobodys_word_gives_a_contested_field_another_value_than_its_owners() -> None:
    """The CRM sets back what the ERP owns; a person says "b": it stays listed, and the owner's side is not written."""
    spec = stream(one("type", owner=Owner.A))
    binding = bound({"type": "Kunde"}, contests={"b.type": (20, NOW)})
    looks = seen("a", {"type": "Kunde"}), seen("b", {"type": "Lead"})
    (row,) = plan_pair(spec, binding, *looks, Context(NOW)).park
    for choose, sides in (("b", []), ("value", []), ("a", ["b"])):
        said = msgspec.structs.replace(row, decision={"choose": choose, "value": "x"})
        verdict = plan_pair(spec, binding, *looks, Context(NOW, parked=(said,)))
        assert [action.side for action in verdict.actions] == sides
        assert len(verdict.park) == (not sides)


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", float("nan"), float("inf")])
def test_redteam_27_a_value_that_no_store_can_hold_is_known_before_it_gets_there(value: object) -> None:
    """One record with a NUL must be parked, not stop the link in the middle of a transaction."""
    with pytest.raises(BadValue):
        canonical(value)


def test_redteam_27_one_unmapped_code_holds_back_one_record() -> None:
    """An unknown VAT code in one invoice: that invoice waits, naming the entry; it is no fault of the link."""
    spec = stream(one("vat", b=MapValues((("V1", "19"),))), one("f"))
    look = seen("a", {"vat": "7", "f": 1})
    half = msgspec.structs.replace(half_binding(spec, look, 1), key=1)
    verdict = plan_new(spec, half, look, Context(NOW))
    assert verdict.actions == ()
    assert [row.room for row in verdict.park] == [Room.WAITING]
    assert '"7"' in verdict.park[0].reason


def test_redteam_31_a_record_that_may_not_go_is_told_once_and_remembered() -> None:
    """Only B creates; a record of A without a partner is held back, with the reason, and not planned anew."""
    spec = stream(one("f"), creates=frozenset({"b"}))
    look = seen("a", {"f": "x"})
    half = half_binding(spec, look, 1)
    verdict = plan_new(spec, half, look, Context(NOW))
    assert (verdict.binding.state, len(verdict.items)) == (State.HELD_BACK, 1)
    assert "new on a" in verdict.binding.note


def test_redteam_32_an_address_is_never_made_of_two() -> None:
    """A moves to Munich, B corrects a typo in the old street: one of the two addresses wins as a whole."""
    names = ("street", "zip", "town")
    old, munich, typo = (
        ("Rign 1", "89073", "Ulm"),
        ("Allee 9", "80331", "München"),
        ("Ring 1", "89073", "Ulm"),
    )
    for rule, right in ((Choice.A, munich), (Choice.B, typo)):
        spec = stream(*(one(name, group="address", conflict=rule) for name in names))
        a = seen("a", dict(zip(names, munich, strict=True)))
        b = seen("b", dict(zip(names, typo, strict=True)))
        merged = merge(spec, bound(dict(zip(names, old, strict=True))), a, b)
        after = [{**look.fields, **merged.writes[look.side]} for look in (a, b)]
        assert after == [dict(zip(names, right, strict=True))] * 2


def test_redteam_33_an_unrelated_edit_rewrites_no_code_that_maps_to_the_same() -> None:
    """Two VAT groups map to one code; an edit of the name on B leaves A's group as it was."""
    groups = MapValues((("G1", "goods"), ("G2", "goods")))
    spec = stream(FieldSpec("vat", place("group", groups), place("vat")), one("name"))
    a = Observation(
        "a", "A1", 0.0, fields={"vat": "goods", "name": "old"}, native={"group": "G2", "name": "old"}
    )
    (action,) = plan_pair(
        spec, bound({"name": "old"}), a, seen("b", {"vat": "goods", "name": "new"}), Context(NOW)
    ).actions
    assert dict(action.native) == {"name": "new"}


@pytest.mark.parametrize("side", SIDES)
def test_redteam_35_an_undone_write_stays_undone_until_somebody_edits(side: str) -> None:
    """A: v0 -> v1, written to B; undo sets B to v0 again: neither reverted nor done again, until an edit."""
    spec = stream(one("f"))
    binding = bound({"f": "v1"})
    assert binding.b is not None
    undone = msgspec.structs.replace(
        binding, b=msgspec.structs.replace(binding.b, dev={"f": Deviation("v0", "undone")})
    )
    quiet = plan_pair(spec, undone, seen("a", {"f": "v1"}), seen("b", {"f": "v0"}), Context(NOW))
    assert (quiet.actions, quiet.binding.base) == ((), {"f": "v1"})
    shown: Mapping[str, Value] = {"a": "v1", "b": "v0"} | {side: "v2"}
    edited = plan_pair(spec, undone, seen("a", {"f": shown["a"]}), seen("b", {"f": shown["b"]}), Context(NOW))
    assert [dict(action.fields) for action in edited.actions] == [{"f": "v2"}]


@pytest.mark.parametrize(
    "rule, a_at, b_at, right",
    [
        (Choice.NEWEST_ELSE_A, 100.9, 100.1, "a"),
        (Choice.NEWEST_ELSE_B, 100.9, 100.1, "b"),
        (Choice.NEWEST_ELSE_A, None, 100.0, "a"),
        (Choice.NEWEST_ELSE_B, 100.0, 102.0, "b"),
        (Choice.NEWEST_ELSE_A, 100.0, 102.0, "b"),
        (Choice.NEWEST_ELSE_ASK, 100.9, 100.1, ""),
    ],
)
def test_redteam_39_clocks_decide_nothing_finer_than_the_coarser_of_them(
    rule: Choice, a_at: float | None, b_at: float | None, right: str
) -> None:
    """Equal seconds, or a side without a stamp: the stated fallback decides, never a fraction of a second."""
    looks = seen("a", {"f": "a"}, modified=a_at), seen("b", {"f": "b"}, modified=b_at)
    merged = merge(stream(one("f", conflict=rule)), bound({"f": "base"}), *looks)
    winners = {d.chosen for d in merged.decisions}
    assert winners == ({right} if right else set())
    assert len(merged.disputes) == (not right)


def test_redteam_40_a_run_that_failed_or_was_cut_short_never_says_it_succeeded() -> None:
    """500 records refused, or a side that did not answer: neither "succeeded" nor "nothing new"."""
    plain = {"confirmed": 0, "failed": 0, "waiting": 0, "held": False, "cut_short": False, "cancelled": False}
    good = {Outcome.SUCCEEDED, Outcome.NOTHING_NEW}
    for trouble in (
        {"failed": 500},
        {"waiting": 1},
        {"cut_short": True},
        {"held": True},
        {"cancelled": True},
    ):
        for confirmed in (0, 9):
            assert outcome(**{**plain, "confirmed": confirmed, **trouble}) not in good  # type: ignore[arg-type]


def test_redteam_43_content_decides_whatever_the_version_says() -> None:
    """The version moves without the content (a counter), or the content without the version (a computed field)."""
    spec, settled = stream(one("f")), bound({"f": "x"})
    assert settled.b is not None
    binding = msgspec.structs.replace(settled, b=msgspec.structs.replace(settled.b, version="7"))
    assert differs(spec, binding, seen("b", {"f": "y"}, version="7"))
    assert not differs(spec, binding, seen("b", {"f": "x"}, version="8"))


# ------------------------------------------------------------------------------------- found by reading the core


def test_a_decided_value_survives_a_refusal_on_one_side() -> None:
    """A person chooses a third value; A can't show it better, B refuses it: B's old value must not win over A's."""
    spec = stream(one("f", a=Length(3)))
    world = TwoSystems(spec, {"a": {"f": "abc"}, "b": {"f": "xyz"}}, refuses={"b"})
    world.binding = bound({"f": "old"})
    world.step()
    world.parked = tuple(
        msgspec.structs.replace(row, decision={"choose": "value", "value": "abcdef"}) for row in world.parked
    )
    world.step()
    world.refuses = set()
    world.step()
    assert world.holds["a"]["f"] == "abc"


def test_a_list_item_that_a_side_cannot_hold_is_not_removed_by_it() -> None:
    """B keeps two items of three (a recorded deviation); both sides add one: the third item was removed by nobody."""
    spec = stream(one("f", as_set=True))
    binding = bound({"f": ("x", "y", "z")}, b_dev={"f": ("x", "y")})
    merged = merge(spec, binding, seen("a", {"f": ("x", "y", "z", "p")}), seen("b", {"f": ("x", "y", "q")}))
    assert "z" in merged.writes["a"].get("f", ("x", "y", "z"))  # type: ignore[operator]


def test_a_set_in_another_order_is_no_change() -> None:
    """A system that returns the same tags in another order has changed nothing."""
    spec = stream(one("f", as_set=True))
    orders = (("x", "y"), ("y", "x"), ("y", "x", "x"))
    looks = [observe(spec, "b", Record("B1", {"f": tags}), NOW) for tags in orders]
    assert [dict(look.fields) for look in looks] == [{"f": ("x", "y")}] * 3
    assert not any(differs(spec, bound(looks[0].fields), look) for look in looks)
    added = observe(spec, "b", Record("B1", {"f": ("z", "y", "x")}), NOW)
    assert differs(spec, bound(looks[0].fields), added)


def test_joined_lists_are_the_same_whichever_side_is_called_a() -> None:
    """Swapping A and B with mirrored rules gives the mirrored plan, item order included."""
    spec = stream(one("f", as_set=True), first_contact=FirstContact.FILL_EMPTY)
    plain = merge(spec, bound({}), seen("a", {"f": ("p",)}), seen("b", {"f": ("q",)}))
    turned = merge(mirrored_stream(spec), bound({}), seen("a", {"f": ("q",)}), seen("b", {"f": ("p",)}))
    assert plain.writes["a"] == turned.writes["b"]


def test_the_stricter_of_a_number_and_its_text_is_the_same_on_either_side() -> None:
    """Swapping A and B must not change who wins."""
    spec = stream(one("f", conflict=Choice.STRICTEST))
    winners = []
    for a, b in ((1, "1"), ("1", 1)):
        merged = merge(spec, bound({"f": "base"}), seen("a", {"f": a}), seen("b", {"f": b}))
        winners.append(merged.decisions[0].chosen)
    assert winners[0] == winners[1]


def test_a_decision_made_on_other_values_is_never_carried_out() -> None:
    """The conflict was decided, then A was edited again: the row is listed anew, with the new values."""
    spec = stream(one("f"))
    b = seen("b", {"f": "y"})
    (row,) = plan_pair(spec, bound({"f": "base"}), seen("a", {"f": "x"}), b, Context(NOW)).park
    said: Parked = msgspec.structs.replace(row, decision={"choose": "a"})
    again = plan_pair(spec, bound({"f": "base"}), seen("a", {"f": "x2"}), b, Context(NOW, parked=(said,)))
    assert again.actions == ()
    assert [p.detail["a"] for p in again.park] == [{"f": "x2"}]
