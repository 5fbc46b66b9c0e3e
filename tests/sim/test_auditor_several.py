"""The auditor on records of a side with several objects: told by hand."""

from __future__ import annotations

import pytest

from tests.sim.evidence import PERSON, Decision
from tests.sim.laws import CUSTOMER_FIELDS, MARK, OBJECT
from tests.sim.test_auditor import Story, found, found_at_the_end
from tests.sim.test_auditor_more import story
from tests.sim.test_auditor_newest import PLACE, bound, placed, with_starts


def made_too_early(later: bool) -> Story:
    """People made a record in a, and in b's second object (or nowhere in b); a daemon saw the one of a alone, and made it
    in the first one; then it writes what stands in b to a."""
    told = story(fields=(*CUSTOMER_FIELDS, PLACE), objects=(("b", ("one", "two")),))
    told.create("a", PERSON, "A1", ref="r1", email="e1", name="n1", place="one")
    if later:
        told.create("b", PERSON, "two:B1", ref="r1", email="e1", name="n2", **{OBJECT: "two"})
    told.create("b", "d1", "one:B2", ref="r1", email="e1", name="n1", **{OBJECT: "one"})
    return told.update("a", "d1", "A1", name="n2")


@pytest.mark.parametrize("later, invariants", [(True, set()), (False, {"fresh eyes"})])
def test_where_a_record_stands_in_two_objects_the_later_one_counts(later: bool, invariants: set[str]) -> None:
    assert {"fresh eyes"} & found(made_too_early(later)) == invariants


@pytest.mark.parametrize("word, invariants", [("b", set()), ("a", {"convergence"})])
def test_what_a_move_left_stays_where_a_person_said_so(word: str, invariants: set[str]) -> None:
    told = bound(placed().counts("a", "created", 1).counts("b", "created", 1), "A1", "two:B2")
    told.evidence.decisions.append(Decision(told.at, "customers", {"b": "one:B1"}, "*left behind*", word))
    assert found_at_the_end(told.ends()) == invariants


@pytest.mark.parametrize(
    "own, memo, invariants", [("b", "m1", set()), ("b", "m2", {"ownership"}), ("", "m1", {"ownership"})]
)
def test_a_record_moves_with_what_is_its_sides_own(own: str, memo: str, invariants: set[str]) -> None:
    told = story(fields=(*CUSTOMER_FIELDS, PLACE), objects=(("b", ("one", "two")),), own=frozenset(own))
    told.create("b", PERSON, "one:B1", ref="r1", email="e1", memo="m1", **{OBJECT: "one"})
    told.create("a", PERSON, "A1", ref="r1", email="e1", place="two")
    told.create("b", "d1", "two:B2", ref="r1", email="e1", memo=memo, **{OBJECT: "two"})
    assert {"ownership"} & found(told) == invariants


@pytest.mark.parametrize("word, invariants", [("different", set()), ("same", {"starts with"})])
def test_who_was_told_apart_is_made_anew_and_not_moved(word: str, invariants: set[str]) -> None:
    told = story(fields=(*CUSTOMER_FIELDS, PLACE), objects=(("b", ("one", "two")),), left="keep")
    told.evidence.laws = with_starts(told, ("b", "begun", "first"))
    told.create("b", PERSON, "one:B1", ref="r1", email="e1", begun="mine", **{OBJECT: "one"})
    told.create("a", PERSON, "A1", ref="r1", email="e1", place="two").wait(500.0).decides(
        "A1", "", word
    ).wait(10.0)
    told.create("b", "d1", "two:B2", ref="r1", email="e1", begun="first", **{OBJECT: "two"})
    assert {"starts with"} & found(told) == invariants


@pytest.mark.parametrize("edited, invariants", [(True, set()), (False, {"convergence"})])
def test_who_got_another_key_before_anybody_wrote_of_it_was_not_moved(
    edited: bool, invariants: set[str]
) -> None:
    told = story(
        fields=(*CUSTOMER_FIELDS, PLACE), objects=(("b", ("one", "two")),), match=(("ref", "email"),)
    )
    told.create("a", PERSON, "A1", ref="r1", email="e1", place="two")
    told.create("b", PERSON, "one:B1", ref="r1", email="e1", **{OBJECT: "one"}).wait(500.0)
    if edited:
        told.update("b", PERSON, "one:B1", email="e2")
    told.create("b", "d1", "two:B2", ref="r1", email="e1", **{OBJECT: "two"})
    told.counts("b", "created", 1)
    assert found_at_the_end(bound(told, "A1", "two:B2").ends()) == invariants


@pytest.mark.parametrize("left, invariants", [("mark", set()), ("remove", {"no duplicates"})])
def test_what_is_put_back_beside_what_a_move_left_marked_is_no_double(
    left: str, invariants: set[str]
) -> None:
    """B1 was moved to B2, which is deleted, and put back where B1 stands."""
    told = placed(left)
    if left == "mark":
        told.update("b", "d1", "one:B1", **{MARK: "yes"})
    told.delete("b", PERSON, "two:B2").update("a", PERSON, "A1", place="one").wait(500.0)
    told.create("b", "d1", "one:B3", ref="r1", email="e1", name="n1", **{OBJECT: "one"})
    assert {"no duplicates"} & found(told) == invariants
