"""The auditor on who is whose partner: what must go, or be put back, with which record: told by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.core.policy import Budget
from tests.sim.evidence import BACKUP, PERSON, Decision
from tests.sim.laws import CUSTOMER_FIELDS, FieldLaw, Laws, Side
from tests.sim.test_auditor import Story, found, found_at_the_end
from tests.sim.test_auditor_more import story

ONLY_B: frozenset[Side] = frozenset({"b"})
ONLY_A: frozenset[Side] = frozenset({"a"})


@pytest.mark.parametrize("key, invariants", [("e2", set()), ("e1", {"convergence"})])
def test_what_a_backup_brought_back_is_the_partner_of_nobody_who_has_another_key_by_then(
    key: str, invariants: set[str]
) -> None:
    """B1 got another id and, with A1, another key, or not; then b is set back to what was before. Nobody makes any."""
    told = Story(restores="a")
    first, *others = told.evidence.laws.streams
    told.evidence.laws = Laws((replace(first, creates=frozenset(), match=(("email",),)), *others))
    for side, id in (("a", "A1"), ("b", "B1")):
        told.create("a" if side == "a" else "b", PERSON, id, ref="r1", email="e1", name="n1")
    told.update("a", PERSON, "A1", name="n2").update("b", "d1", "B1", name="n2").delete("b", PERSON, "B1")
    told.create("b", PERSON, "B2", ref="r1", email="e1", name="n2", phone="p1")
    told.update("a", PERSON, "A1", email=key).update("b", "d1", "B2", email=key)
    told.create("b", BACKUP, "B1", ref="r1", email="e1", name="n2").delete("b", BACKUP, "B2")
    told.counts("b", "updated", 2).wait(2000.0).delete("a", PERSON, "A1")
    assert found_at_the_end(told.ends()) == invariants


@pytest.mark.parametrize("removed, invariants", [(True, set()), (False, {"convergence"})])
def test_what_a_daemon_had_removed_and_a_backup_brought_back_is_nobodys_partner(
    removed: bool, invariants: set[str]
) -> None:
    """A1 is out of sight, so that B1 goes; a backup brings it back (or nothing of that), and A1 is deleted."""
    told = story("a", "", creates=ONLY_A).create("a", PERSON, "A1", ref="r1", email="e1")
    told.create("b", "d1", "B1", ref="r1", email="e1").wait(50.0)
    if removed:
        told.delete("b", "d1", "B1").wait(20.0).create("b", BACKUP, "B1", ref="r1", email="e1")
        told.counts("b", "deleted", 1)
    told.counts("b", "created", 1).wait(20.0).delete("a", PERSON, "A1")
    assert found_at_the_end(told.ends()) == invariants


@pytest.mark.parametrize("seconds, invariants", [(10.0, set()), (120.0, {"convergence"})])
def test_who_had_just_come_where_another_one_ended_was_not_written_of(
    seconds: float, invariants: set[str]
) -> None:
    """A1 gets another id, and B1 is written to, by a look at A1 or at A2; then B1 goes, and A2 with it, or not."""
    told = story("b", "", creates=ONLY_B).create("a", PERSON, "A1", ref="r1", email="e1", name="n1")
    told.create("b", PERSON, "B1", ref="r1", email="e1").delete("a", PERSON, "A1")
    told.create("a", PERSON, "A2", ref="r1", email="e1", name="n1").wait(seconds)
    told.update("b", "d1", "B1", name="n1").counts("b", "updated", 1).delete("b", PERSON, "B1")
    assert found_at_the_end(told.ends()) == invariants


@pytest.mark.parametrize("unseen, invariants", [(True, set()), (False, {"convergence"})])
def test_who_shows_no_key_may_be_nobodys_partner_for_long(unseen: bool, invariants: set[str]) -> None:
    told = story("", "a", creates=ONLY_A).create("a", PERSON, "A1", ref="r1", email="e1")
    told.create("b", PERSON, "B1", ref="r1", email="e1").wait(500.0)
    if unseen:
        told.evidence.decisions.append(Decision(told.at, "customers", {"b": "B1"}, "*unseen*", "retry"))
    assert found_at_the_end(told.delete("a", PERSON, "A1").ends()) == invariants


@pytest.mark.parametrize("word, invariants", [("b", set()), ("a", {"convergence"})])
def test_what_a_move_left_may_stay_on_a_persons_word(word: str, invariants: set[str]) -> None:
    told = story("a").create("a", PERSON, "A1", ref="r1", email="e1")
    told.create("b", "d1", "B1", ref="r1", email="e1").counts("b", "created", 1).wait(20.0)
    told.delete("a", PERSON, "A1")
    told.evidence.decisions.append(Decision(told.at, "customers", {"b": "B1"}, "*left behind*", word))
    assert found_at_the_end(told.ends()) == invariants


@pytest.mark.parametrize("one, invariants", [("r2", set()), ("r1", {"no invention"})])
def test_what_stands_in_a_record_that_people_made_one_with_another_is_theirs(
    one: str, invariants: set[str]
) -> None:
    """B2 holds what b made of the name of its partner; people make it one with B1, and A1 is told of it."""
    told = Story().create("a", PERSON, "A1", ref="r1", email="e1", name="n1")
    told.create("a", PERSON, "A2", ref=one, email="e2", name="long name")
    told.create("b", "d1", "B2", ref=one, email="e2").rewritten("b", "d1", "B2", "name", "long name", "long")
    told.update("b", PERSON, "B2", email="e1").update("a", PERSON, "A2", email="e1")
    assert {"no invention"} & found(told.update("a", "d1", "A1", name="long")) == invariants


@pytest.mark.parametrize(
    "beside, after_s, invariants",
    [(True, 10.0, set()), (True, 160.0, {"convergence"}), (False, 10.0, {"convergence"})],
)
def test_who_was_made_beside_a_record_that_had_just_come_says_nothing_of_a_partner_of_that(
    beside: bool, after_s: float, invariants: set[str]
) -> None:
    """A1 is a person's, B1 another one's or a daemon's partner of it; A2 may have been made of B1. B1 goes, and A2."""
    told = story("", "b", creates="b").create("a", PERSON, "A1", ref="r1", email="e1")
    told.create("b", PERSON, "B1", ref="r1", email="e1", name="n1").wait(after_s)
    if beside:
        told.create("a", "d1", "A2", ref="r1", email="e1", name="n1").counts("a", "created", 1)
        told.delete("a", PERSON, "A2")
    else:
        told.update("a", "d1", "A1", name="n1").counts("a", "updated", 1)
    assert found_at_the_end(told.delete("b", PERSON, "B1").ends()) == invariants


@pytest.mark.parametrize("was, invariants", [((), set()), (("x",), {"budgets"})])
def test_nothing_of_a_list_that_was_empty_is_cleared(was: tuple[str, ...], invariants: set[str]) -> None:
    """B1's list turns to null (seed 287)."""
    told = story(fields=(*CUSTOMER_FIELDS, FieldLaw("tags", type="list")))
    told.evidence.loaded["customers"] = 0.0
    told.evidence.budgets = {"clears": Budget(0, 0.0, 0)}
    told.create("b", PERSON, "B1", ref="r1", email="e1", tags=was).create(
        "a", PERSON, "A1", ref="r1", email="e1"
    )
    assert {"budgets"} & found(told.wait(100.0).update("b", "d1", "B1", tags=None)) == invariants
