"""The auditor on what replies, clocks and people's words leave open: told by hand, what is allowed and what is not."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from actors.core.values import Value, line_of
from tests.sim.evidence import BACKUP, MOMENT_S, PERSON, Deviation
from tests.sim.laws import CUSTOMER_FIELDS, FieldLaw, Side
from tests.sim.test_auditor import Story, found, found_at_the_end, ruled
from tests.sim.test_auditor_more import made, story

ONLY_B: frozenset[Side] = frozenset({"b"})
ONLY_A: frozenset[Side] = frozenset({"a"})


def _met(blind: bool = True, **more: str) -> Story:
    """Two that people made meet, A's values win, and B's reply does not tell what became of that. `more`: edited on B."""
    told = ruled(first_contact="a")
    told.evidence.blind = ONLY_B if blind else frozenset()
    told.update("b", "d1", "B1", name="n1").names("name", "n2")
    return told.update("b", PERSON, "B1", **more) if more else told


def _set_back(told: Story, *, after_s: float = 10.0, again_s: float = 60.0, **edited: str) -> Story:
    """B is set back to before that (and edited then), and the daemon writes the same once more."""
    told.wait(after_s).update("b", BACKUP, "B1", name="n2").wait(again_s)
    told = told.update("b", PERSON, "B1", **edited).names("name", "n5") if edited else told
    return told.update("b", "d1", "B1", name="n1")


def _old_form(agreed: bool) -> Story:
    """B1 is saved with its old name and another phone (of which both sides had agreed, or not) right after the daemon's
    write; it writes the same once more."""
    told = ruled(first_contact="a")
    told.evidence.blind = ONLY_B
    told = told if agreed else told.update("a", PERSON, "A1", phone="p9")
    told.update("b", "d1", "B1", name="n1").names("name", "n2").wait(10.0)
    told.update("b", PERSON, "B1", name="n2", phone="p1").wait(60.0)
    return told.update("b", "d1", "B1", name="n1")


PUT_BACK: dict[str, tuple[Callable[[], Story], set[str]]] = {
    "as if it had not been accepted": (lambda: _set_back(_met()), set()),
    "the reply had told": (lambda: _set_back(_met(blind=False)), {"ask"}),
    "somebody edits another field meanwhile": (lambda: _set_back(_met(phone="p1")), {"ask"}),
    "somebody edits another field since": (lambda: _set_back(_met(), phone="p1"), set()),
    "somebody edits it since": (lambda: _set_back(_met(), name="n5"), set()),
    "an old form puts it back, and another field that was never agreed on": (lambda: _old_form(False), set()),
    "an old form puts it back, and a field that was agreed on": (lambda: _old_form(True), {"ask"}),
    "long after it could be looked at": (lambda: _set_back(_met(), after_s=500.0), {"ask"}),
    "it waits long to be written once more": (lambda: _set_back(_met(), again_s=500.0), set()),
    "and once more": (lambda: _set_back(_set_back(_met())), {"ask"}),
    "nobody put it back": (
        lambda: _met(name="n3").names("name", "n3").update("b", "d1", "B1", name="n1"), {"ask"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUT_BACK)
def test_what_was_put_back_as_a_whole_before_anybody_looked_may_be_written_over_once(name: str) -> None:
    tell, invariants = PUT_BACK[name]
    assert found(tell()) == invariants


def _written_once(
    edited: str = "before", field: str = "*once*", decided: bool = True, back: str = "r2"
) -> Story:
    """A1 was written once, B's remark was edited after that, and a person said that both stay; then A1 is edited by hand.
    `back`: to what B's remark was edited once more, after another edit."""
    told = story(once=ONLY_A).create("b", PERSON, "B1", ref="r1", email="e1", remark="r1")
    told.create("a", "d1", "A1", ref="r1", email="e1", remark="r1").counts("a", "created", 1)
    for when in ("before", "after"):
        if when == edited:
            told.update("b", PERSON, "B1", remark="r2").names("remark", "r2")
        if when == "before" and decided:
            told.decides("A1", field).wait(1.0)
    if edited == "before":
        told.update("b", PERSON, "B1", remark="r8").update("b", PERSON, "B1", remark=back).names(
            "remark", back
        )
    return told.update("a", PERSON, "A1", remark="r3").update("b", "d1", "B1", remark="r3")


def test_a_persons_word_that_both_stay_settles_what_he_was_shown() -> None:
    assert found(_written_once()) == set()
    assert found(_written_once(edited="after")) == {"rule"}
    assert found(_written_once(back="r9")) == {"rule"}
    assert found(_written_once(decided=False)) == {"rule"}
    assert found(_written_once(field="name")) == {"rule"}


@pytest.mark.parametrize("late_s, invariants", [(MOMENT_S / 2, set()), (0.1, {"staged"})])
def test_a_word_and_the_write_that_follows_it_at_the_same_moment_are_told_by_two_clocks(
    late_s: float, invariants: set[str]
) -> None:
    """A hair after the write was asked for, by the other clock, is in time; later is not."""
    told = story(stages=ONLY_B).create("a", PERSON, "A1", ref="r1", email="e1", name="n1")
    asked = told.at - 0.5
    told.at = asked + late_s
    told.decides("A1", "", "import")
    told.at = asked + 0.5
    assert found(told.create("b", "d1", "B1", ref="r1", email="e1", name="n1")) == invariants


@pytest.mark.parametrize("answered, invariants", [(True, {"convergence"}), (False, set())])
def test_a_copy_that_nobody_knew_of_before_both_went_is_new_when_it_is_back(
    answered: bool, invariants: set[str]
) -> None:
    """Records may be made of B's alone. B1's copy is made, B1 is deleted, A1 too, and a backup brings A1 back."""
    told = story(restores="ab", creates=ONLY_B).create("b", PERSON, "B1", ref="r1", email="e1", name="n1")
    told.create("a", "d1", "A1", ref="r1", email="e1", name="n1").counts("a", "created", int(answered))
    told.evidence.store.unsure = 1 - answered
    told = told if answered else told.unanswered()
    told.delete("b", PERSON, "B1").delete("a", PERSON, "A1")
    told.create("a", BACKUP, "A1", ref="r1", email="e1", name="n1")
    assert found_at_the_end(told.ends()) == invariants


@pytest.mark.parametrize("loaded, invariants", [(1100.0, {"convergence"}), (5000.0, set())])
def test_what_stood_side_by_side_before_all_was_loaded_need_not_have_been_known_as_one(
    loaded: float, invariants: set[str]
) -> None:
    """Records may be made of B's alone. A1 and B1 stand there for long, and B1 is deleted."""
    told = story(removes="b", creates=ONLY_B).create("a", PERSON, "A1", ref="r1", email="e1")
    told.evidence.loaded["customers"] = loaded
    told.create("b", PERSON, "B1", ref="r1", email="e1").wait(1000.0).delete("b", PERSON, "B1")
    assert found_at_the_end(told.ends()) == invariants


def _known_before(set_back_s: float, patchy: bool = True) -> Story:
    """What the daemon made long ago is forgotten, and made again so many seconds later."""
    told = (
        story().create("a", PERSON, "A1", ref="r1", email="e1").create("b", "d1", "B1", ref="r1", email="e1")
    )
    told.wait(500.0).evidence.set_back.append(told.at)
    told.evidence.patchy = ONLY_B if patchy else frozenset()
    return told.wait(set_back_s).create("b", "d1", "B2", ref="r1", email="e1")


def test_what_was_known_before_the_state_was_set_back_is_missed_for_no_longer_than_a_new_record() -> None:
    assert found(_known_before(50.0)) == set()
    assert found(_known_before(50.0, patchy=False)) == {"no duplicates"}
    assert found(_known_before(500.0)) == {"no duplicates"}
    known = Story()
    known.at = 1.0
    known.create("a", PERSON, "A1", ref="r1", email="e1").create("b", "d1", "B1", ref="r1", email="e1")
    assert found(known.create("b", "d1", "B2", ref="r1", email="e1")) == {"no duplicates"}


@pytest.mark.parametrize(
    "ago_s, plain, invariants",
    [(20.0, False, set()), (20.0, True, {"no duplicates"}), (500.0, False, {"no duplicates"})],
)
def test_what_was_made_just_before_its_making_was_forgotten_is_missed_like_a_new_record_where_looks_come_late(
    ago_s: float, plain: bool, invariants: set[str]
) -> None:
    told = (
        story().create("a", PERSON, "A1", ref="r1", email="e1").create("b", "d1", "B1", ref="r1", email="e1")
    )
    told.wait(5.0).evidence.set_back.append(told.at)
    told.evidence.plain = ONLY_B if plain else frozenset()
    assert found(told.wait(ago_s).create("b", "d2", "B2", ref="r1", email="e1")) == invariants


@pytest.mark.parametrize("whose, invariants", [("r1", {"moved"}), ("r2", set())])
def test_who_was_merged_by_hand_with_a_record_that_moves_is_not_that_record(
    whose: str, invariants: set[str]
) -> None:
    """A1 goes, and A2 takes over its key; then one of them gets another id, and A1's copy is deleted."""
    told = story(removes="a").create("a", PERSON, "A1", ref="r1", email="e1")
    told.create("b", "d1", "B1", ref="r1", email="e1").create("a", PERSON, "A2", ref="r2", email="e2")
    told.evidence.plain = frozenset({"a", "b"})
    goes, stays = ("A2", "A1") if whose == "r1" else ("A1", "A2")
    told.update("a", PERSON, stays, email="e1").delete("a", PERSON, goes).delete("a", PERSON, stays)
    told.at -= 1.0  # at the same moment
    told.create("a", PERSON, "A3", ref=whose, email="e1").wait(50.0)
    assert found(told.delete("b", "d1", "B1")) == invariants


@pytest.mark.parametrize("seconds, invariants", [(5.0, set()), (500.0, {"convergence"})])
@pytest.mark.parametrize("rules", [{"removes": "a"}, {"marks": ONLY_A}])
def test_what_is_back_after_both_were_gone_is_neither_removed_nor_marked(
    rules: dict[str, Any], seconds: float, invariants: set[str]
) -> None:
    """B1 is hidden; so many seconds after it is shown again A1 is deleted."""
    told = made(story(**rules)).hides("b", "B1", 10.0).wait(10.0 + seconds).delete("a", PERSON, "A1")
    assert found_at_the_end(told.ends()) == invariants


@pytest.mark.parametrize("whose, invariants", [("ours", set()), ("a person's", {"ask", "no silent loss"})])
def test_what_a_backup_brings_back_is_whose_it_was(whose: str, invariants: set[str]) -> None:
    """B's name is what the system made of ours, or a person's; B is set back, and again to a later state; then A's goes."""
    told = made(story()).update("a", PERSON, "A1", name="long name")
    if whose == "ours":
        told.rewritten("b", "d1", "B1", "name", "long name", "long")
    else:
        told.update("b", PERSON, "B1", name="long")
    told.update("b", BACKUP, "B1", name="n1").update("b", BACKUP, "B1", name="long")
    told.update("a", PERSON, "A1", name="n3").update("b", "d1", "B1", name="n3")
    assert found(told) == invariants


@pytest.mark.parametrize("field, invariants", [("rating", set()), ("name", {"ownership"})])
def test_an_owner_is_overruled_by_a_persons_word_about_that_field_alone(
    field: str, invariants: set[str]
) -> None:
    """A owns the rating. Something there answers each write, so it was listed, and somebody said that B's stays."""
    told = made(story()).update("b", PERSON, "B1", rating="x").decides("A1", field, "b").wait(1.0)
    assert found(told.update("a", "d1", "A1", rating="x")) == invariants


@pytest.mark.parametrize("hidden, is_set_back", [(True, True), (True, False), (False, True)])
def test_a_daemon_may_forget_that_it_deleted_the_partner_of_what_no_look_showed(
    hidden: bool, is_set_back: bool
) -> None:
    """A1 is hidden, so B1 is deleted; A1 is back, and is deleted as well: B1 is gone."""
    told = made(story(removes="ab"))
    told = told.hides("a", "A1", 10.0) if hidden else told
    told.wait(5.0).delete("b", "d1", "B1").wait(300.0)
    if is_set_back:
        told.evidence.set_back.append(told.at - 100.0)
    ends = set() if hidden and is_set_back else {"deletes"}
    assert found(told.delete("a", "d1", "A1")) == ends


@pytest.mark.parametrize("of, after", [("b's", True), ("b's", False), ("another", True), (None, True)])
def test_what_the_initial_load_left_apart_is_settled_and_the_next_edit_goes_over(
    of: str | None, after: bool
) -> None:
    """B's remark wins. A, which the load does not write to, holds none; somebody enters one, after the load or before it
    looked."""
    told = (
        ruled(initial_load=ONLY_B).update("b", PERSON, "B1", remark="b's").names("remark", "b's").wait(10.0)
    )
    left = told.at + (-5.0 if after else 5.0)
    told.update("a", PERSON, "A1", remark="a's").wait(50.0)
    if of is not None:
        stands = Deviation("customers", "a", "A1", "remark", None if after else "a's", "initial load", of)
        told.evidence.left.append((left, stands))
    assert found(told.update("b", "d1", "B1", remark="a's")) == (set() if after and of == "b's" else {"rule"})


def test_what_was_entered_between_the_look_of_the_initial_load_and_what_it_wrote_down_goes_over() -> None:
    told = (
        ruled(initial_load=ONLY_B).update("b", PERSON, "B1", remark="b's").names("remark", "b's").wait(10.0)
    )
    told.update("a", PERSON, "A1", remark="a's")
    stands = Deviation("customers", "a", "A1", "remark", None, "initial load", "b's")
    told.evidence.left.append((told.at, stands))
    assert found(told.wait(50.0).update("b", "d1", "B1", remark="a's")) == set()


@pytest.mark.parametrize("carried", [False, True])
def test_what_was_put_back_since_the_initial_load_left_it_counts_as_unedited(carried: bool) -> None:
    told = (
        ruled(initial_load=ONLY_B).update("b", PERSON, "B1", remark="b's").names("remark", "b's").wait(10.0)
    )
    stands = Deviation("customers", "a", "A1", "remark", None, "initial load", "b's")
    told.evidence.left.append((told.at - 5.0, stands))
    told.update("b", PERSON, "B1", remark="b2")
    told = told.update("a", "d1", "A1", remark="b2") if carried else told
    told.update("b", PERSON, "B1", remark="b's").update("a", PERSON, "A1", remark="a's").wait(50.0)
    assert found(told.update("b", "d1", "B1", remark="a's")) == ({"rule"} if carried else set())


def test_what_came_back_from_a_write_that_was_never_answered_is_put_back_as_both_sides_have_it() -> None:
    def history(answered: bool, value: str) -> set[str]:
        told = story("", "b", first_contact="b")
        told.create("a", PERSON, "A1", ref="r1", email="e1", name="long name")
        told.create("b", "d1", "B1", ref="r1", email="e1")
        told.rewritten("b", "d1", "B1", "name", "long name", "long")
        told = told if answered else told.unanswered()
        told.update("a", "d1", "A1", name="long").names("name", "long name")
        told.delete("b", PERSON, "B1").create("b", "d1", "B2", ref="r1", email="e1", name=value)
        return found(told)

    assert history(False, "long") == set()
    assert history(False, "lo") == {"no invention"}
    assert history(True, "long") == {"no invention"}


@pytest.mark.parametrize("held, invariants", [("long", set()), ("n2", {"ask", "no silent loss"})])
def test_what_a_system_made_of_our_value_is_nobodys_under_another_id_either(
    held: str, invariants: set[str]
) -> None:
    """B1 gets another id as it stands, or with another name; then A1's name goes over."""
    told = (
        Story()
        .create("a", PERSON, "A1", ref="r1", email="e1", name="n0")
        .create("b", "d1", "B1", ref="r1", email="e1", name="n0")
    )
    told.update("a", PERSON, "A1", name="long name").rewritten("b", "d1", "B1", "name", "long name", "long")
    told.delete("b", PERSON, "B1")
    told.at -= 1.0  # at the same moment
    told.create("b", PERSON, "B2", ref="r1", email="e1", name=held).update("a", PERSON, "A1", name="n1")
    assert found(told.update("b", "d1", "B2", name="n1")) == invariants


@pytest.mark.parametrize("who", [BACKUP, PERSON])
@pytest.mark.parametrize(
    "blind, after_s, invariants", [(True, 5.0, set()), (False, 5.0, {"rule"}), (True, 500.0, {"rule"})]
)
def test_what_was_taken_back_before_anybody_looked_was_never_settled(
    blind: bool, after_s: float, invariants: set[str], who: str
) -> None:
    """Two meet, and B's empty remark is filled. A backup, or an old form, empties it, somebody edits both, B's is emptied
    once more."""
    told = story(first_contact="fill_empty").create("a", PERSON, "A1", ref="r1", email="e1", remark="x")
    told.create("b", PERSON, "B1", ref="r1", email="e1").update("b", "d1", "B1", remark="x")
    told.evidence.blind = ONLY_B if blind else frozenset()
    told.wait(after_s).update("b", who, "B1", remark=None).update("a", PERSON, "A1", remark="y")
    told.update("b", PERSON, "B1", remark="z", phone="p1").update("b", PERSON, "B1", remark=None)
    assert found(told.update("b", "d1", "B1", remark="y")) == invariants


@pytest.mark.parametrize("email, invariants", [("e1", set()), ("e2", {"convergence"})])
def test_who_stands_beside_a_record_that_a_daemon_made_had_no_partner_for_that(
    email: str, invariants: set[str]
) -> None:
    """A1 and B1 mean the same one, and are known by reference and mail address together. A2 is made of B1, and a person
    deletes both: A1 goes with them only if it has B1's address."""
    told = story(removes="b", creates=ONLY_B, match=(("ref", "email"),))
    told.create("a", PERSON, "A1", ref="r1", email=email).create("b", PERSON, "B1", ref="r1", email="e2")
    told.wait(160.0).create("a", "d1", "A2", ref="r1", email="e2").counts("a", "created", 1)
    told.delete("a", PERSON, "A2").delete("b", PERSON, "B1")
    assert found_at_the_end(told.ends()) == invariants


@pytest.mark.parametrize("email, invariants", [("e1", {"convergence"}), ("e2", set())])
def test_what_a_daemon_writes_beside_a_record_says_only_that_who_has_its_key_was_its_partner(
    email: str, invariants: set[str]
) -> None:
    """B1 is a person's, and B2 was made of A1; A1 goes, and is to be put back only if it was B1's (nobody else makes it)."""
    told = story("", "a", creates=ONLY_A).create("b", PERSON, "B1", ref="r1", email="e1")
    told.create("a", PERSON, "A1", ref="r1", email=email).create("b", "d1", "B2", ref="r1", email="e2")
    told.update("b", PERSON, "B2", name="n2").update("a", "d1", "A1", name="n2").counts("b", "created", 1)
    told.counts("a", "updated", 1).delete("b", PERSON, "B2").delete("a", PERSON, "A1")
    assert found_at_the_end(told.ends()) == invariants


@pytest.mark.parametrize("cut, more, invariants", [
    (True, {}, set()), (True, {"kind": "in"}, set()), (False, {}, {"once"}), (True, {"name": "n2"}, {"once"}),
])  # fmt: skip
def test_a_document_that_was_cut_is_completed_by_its_lines_and_what_a_gate_goes_by(
    cut: bool, more: dict[str, Value], invariants: set[str]
) -> None:
    fields = (*CUSTOMER_FIELDS, FieldLaw("items", type="lines"))
    one, two = (line_of({"article": f"ar{n}", "amount": Decimal(n)}) for n in (1, 2))
    told = story(fields=fields, once=ONLY_B).create(
        "a", PERSON, "A1", ref="r1", email="e1", name="n2", items=(one, two)
    )
    told.create("b", "d1", "B1", ref="r1", email="e1", items=(one,))
    told = told.unanswered() if cut else told
    assert {"once"} & found(told.update("b", "d1", "B1", "customers", items=(one, two), **more)) == invariants


@pytest.mark.parametrize("by_id, key, invariants", [
    (True, "e2", set()), (False, "e2", {"no duplicates"}), (True, "e1", {"no duplicates"}),
])  # fmt: skip
def test_who_was_not_shown_while_his_partner_was_made_one_with_another_gets_a_new_partner(
    by_id: bool, key: str, invariants: set[str]
) -> None:
    """While no look shows A1, people make B1 the one that B2 was. A1 is back, and B1 has its key no longer, or still."""
    told = made(story())
    told.create("a", PERSON, "A2", ref="r2", email="e2").create("b", "d1", "B2", ref="r2", email="e2")
    told.hides("a", "A1", 100.0, by_id=by_id).wait(50.0)
    told.update("b", PERSON, "B1", email=key).delete("b", PERSON, "B2").wait(500.0)
    assert found(told.create("b", "d1", "B3", ref="r1", email="e1", name="n1")) == invariants


@pytest.mark.parametrize("called, invariants", [(True, set()), (False, {"no duplicates"})])
def test_each_of_two_that_are_called_the_same_by_now_may_have_its_own_partner(
    called: bool, invariants: set[str]
) -> None:
    """People make B1 the one that B2 was, so A2 is called as B1 is (or is not); A1 and A2 both get a new partner."""
    told = made(story())
    told.create("a", PERSON, "A2", ref="r2", email="e2").create("b", "d1", "B2", ref="r2", email="e2")
    told.update("b", PERSON, "B1", email="e2").delete("b", PERSON, "B2")
    told = told.update("a", "d1", "A2", ref="r1") if called else told
    told.create("b", "d1", "B3", ref="r1", email="e1", name="n1").delete("b", PERSON, "B1").wait(500.0)
    assert found(told.create("b", "d1", "B4", ref="r1", email="e2", name="n1")) == invariants


@pytest.mark.parametrize(
    "hidden, by_id, invariants",
    [("after", True, set()), ("after", False, {"no invention"}), ("before", True, {"no invention"})],
)
def test_what_a_system_made_of_our_value_is_new_as_it_stands_once_no_look_shows_its_partner(
    hidden: str, by_id: bool, invariants: set[str]
) -> None:
    """B holds its own short form of A1's name; A1 is in no look, and back: they meet, and B's values win."""
    told = story("", "b", first_contact="b")
    told.create("a", PERSON, "A1", ref="r1", email="e1", name="long name")
    told = told.hides("a", "A1", 1.0, by_id=by_id).wait(5.0) if hidden == "before" else told
    told.create("b", "d1", "B1", ref="r1", email="e1")
    told.rewritten("b", "d1", "B1", "name", "long name", "long")
    told = told.hides("a", "A1", 60.0, by_id=by_id).wait(200.0) if hidden == "after" else told
    told.update("a", "d1", "A1", name="long").names("name", "long name")
    assert found(told) == invariants


def test_that_a_write_was_found_done_by_a_look_is_known_though_the_protocol_was_lost_with_the_state() -> None:
    """B's short form is taken for somebody's edit, and the state is set back after that."""
    told = story("", "b", first_contact="b")
    told.create("a", PERSON, "A1", ref="r1", email="e1", name="long name").create("b", "d1", "B1", ref="r1")
    told.rewritten("b", "d1", "B1", "name", "long name", "long")
    told.update("a", "d1", "A1", name="long").names("name", "long name")
    told.evidence.set_back.append(told.at)
    assert found(told) == {"no invention"}
    told.evidence.lost_looks.add(("customers", "b", "B1"))
    assert found(told) == set()


@pytest.mark.parametrize(
    "answered, carried, back, invariants",
    [
        (True, False, "long", set()),
        (True, False, "n3", {"ask"}),
        (False, False, "long", {"ask"}),
        (True, True, "long", {"ask"}),
    ],
)
def test_who_puts_back_what_a_system_had_made_of_our_value_edits_nothing(
    answered: bool, carried: bool, back: str, invariants: set[str]
) -> None:
    """B1 shows its short form of A1's name. Somebody edits it, saves an old form, and A1's name is carried over that."""
    told = story().create("a", PERSON, "A1", ref="r1", email="e1", name="n0")
    told.create("b", "d1", "B1", ref="r1", email="e1", name="n0").update("a", PERSON, "A1", name="long name")
    told.rewritten("b", "d1", "B1", "name", "long name", "long")
    told = told if answered else told.unanswered()
    told.update("b", PERSON, "B1", name="n2").names("name", "n0", "n2", "n3", "long")
    told = told.update("a", "d1", "A1", name="n2") if carried else told
    told.update("b", PERSON, "B1", name=back).update("a", PERSON, "A1", name="n4")
    assert found(told.update("b", "d1", "B1", name="n4")) == invariants


@pytest.mark.parametrize("field, invariants", [("*outcome*", set()), ("name", {"no duplicates"})])
def test_what_was_not_answered_is_made_once_more_on_a_persons_word(field: str, invariants: set[str]) -> None:
    """He was asked to look whether it is there, and says: once more."""
    told = made(story()).unanswered().wait(500.0).decides("A1", field, "retry").wait(1.0)
    assert found(told.create("b", "d1", "B2", ref="r1", email="e1", name="n1")) == invariants
