"""The auditor catches what it is there for: a clean history passes, and each planted violation is named.

Histories are told by hand, so that nothing of the engine can hide a fault of the auditor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from actors.core.values import Value
from tests.sim.auditor import safety
from tests.sim.evidence import (
    AUTOMATION,
    BACKUP,
    OUTSIDE,
    PERSON,
    Answer,
    Commit,
    Decision,
    Deviation,
    Entry,
    Evidence,
    Hidden,
    Named,
    ParkedRow,
    Span,
)
from tests.sim.laws import FieldLaw, Laws, Side, articles, customers
from tests.sim.settled import liveness


class Story:
    """A history told in order. Shared names for fields; each line is one second after the last one."""

    def __init__(self, removes: str = "", restores: str = "") -> None:
        sides: dict[str, Side] = {"a": "a", "b": "b"}
        stream = customers(frozenset(sides[s] for s in removes), frozenset(sides[s] for s in restores))
        self.evidence = Evidence(Laws((stream, articles(frozenset()))))
        self.at = 1000.0
        self._held: dict[tuple[Side, str], dict[str, Value]] = {}

    def _native(self, stream: str, side: Side, fields: dict[str, Value]) -> dict[str, Value]:
        laws = {law.name: law.native(side) for law in self.evidence.laws.by_name[stream].fields}
        return {laws.get(name, name): value for name, value in fields.items()}

    def _add(
        self,
        side: Side,
        who: str,
        op: str,
        id: str,
        sent: dict[str, Value],
        stored: dict[str, Value],
        stream: str,
    ) -> None:
        before = self._held.get((side, id))
        after = None if op == "delete" else {**(before or {}), **sent, **stored}
        if op == "create":
            names = [law.native(side) for law in self.evidence.laws.by_name[stream].fields]
            after = dict.fromkeys(names) | (after or {})
        self.evidence.entries.append(
            Entry(self.at, self.at - 0.5, side, stream, id, op, who, sent, before, after)
        )
        if who not in OUTSIDE:
            self.evidence.answers.append(Answer(side, stream, id, who, Span(self.at - 0.5, self.at)))
        self.at += 1.0
        if after is None:
            del self._held[side, id]
        else:
            self._held[side, id] = after

    def create(self, side: Side, who: str, id: str, stream: str = "customers", **fields: Value) -> Story:
        self._add(side, who, "create", id, self._native(stream, side, fields), {}, stream)
        return self

    def update(self, side: Side, who: str, id: str, stream: str = "customers", **fields: Value) -> Story:
        self._add(side, who, "update", id, self._native(stream, side, fields), {}, stream)
        return self

    def rewritten(self, side: Side, who: str, id: str, field: str, sent: Value, stored: Value) -> Story:
        native = self._native("customers", side, {field: sent})
        self._add(side, who, "update", id, native, {next(iter(native)): stored}, "customers")
        return self

    def delete(self, side: Side, who: str, id: str, stream: str = "customers") -> Story:
        self._add(side, who, "delete", id, {}, {}, stream)
        return self

    def wait(self, seconds: float) -> Story:
        self.at += seconds
        return self

    def unanswered(self) -> Story:
        """The reply to the last write never came."""
        self.evidence.answers.pop()
        return self

    def hides(self, side: Side, id: str, seconds: float, *, by_id: bool = True) -> Story:
        """No look shows a record for a while, or (not `by_id`) no list and no search."""
        span = Span(self.at, self.at + seconds)
        self.evidence.hidden.append(Hidden(side, "customers", id, by_id, span))
        return self

    def names(self, field: str, *values: Value) -> Story:
        self.evidence.store.named += [Named("customers", field, value) for value in values]
        return self

    def decides(self, id: str, field: str, choose: str = "a") -> Story:
        self.evidence.decisions.append(Decision(self.at, "customers", {"a": id}, field, choose))
        return self

    def counts(self, side: Side, what: str, count: int) -> Story:
        self.evidence.store.counted["customers", side, what] = count
        return self

    def ends(self, quiet: bool = False) -> Story:
        """People edit no more; `quiet`: and everything had settled."""
        self.evidence.edits_end = self.at
        if quiet:
            self.evidence.quiet_from = self.at
        self.wait(1.0)
        return self


def pair(removes: str = "", restores: str = "") -> Story:
    """A customer that a person made in a, and the daemon made in b."""
    story = Story(removes, restores)
    story.create("a", PERSON, "A1", ref="r1", email="e1", name="n1", memo="m1")
    return story.create("b", "d1", "B1", ref="r1", email="e1", name="n1").counts("b", "created", 1)


def found(story: Story) -> set[str]:
    return {violation.invariant for violation in safety(story.evidence)}


def found_at_the_end(story: Story) -> set[str]:
    return {violation.invariant for violation in liveness(story.evidence)}


CLEAN: dict[str, Callable[[], Story]] = {
    "made and copied": pair,
    "edit carried": lambda: pair().update("a", PERSON, "A1", name="n2").update("b", "d1", "B1", name="n2")
    .counts("b", "updated", 1),
    "edit carried back": lambda: pair().update("b", PERSON, "B1", phone="p2").update("a", "d1", "A1", phone="p2")
    .counts("a", "updated", 1),
    "conflict answered": lambda: pair().update("a", PERSON, "A1", name="n2").update("b", PERSON, "B1", name="n3")
    .decides("A1", "name").update("b", "d1", "B1", name="n2").names("name", "n3").counts("b", "updated", 1),
    "loser of a rule is named": lambda: pair().update("a", PERSON, "A1", remark="x").update("b", PERSON, "B1", remark="y")
    .update("a", "d1", "A1", remark="y").names("remark", "x").counts("a", "updated", 1),
    "put back and named": lambda: pair().update("b", PERSON, "B1", rating="x").update("b", "d1", "B1", rating=None)
    .names("rating", "x").counts("b", "updated", 1),
    "deletion carried": lambda: pair("a").delete("a", PERSON, "A1").delete("b", "d1", "B1").counts("b", "deleted", 1),
    "rewritten and recorded": lambda: with_deviation(
        pair().update("a", PERSON, "A1", name="long name").rewritten("b", "d1", "B1", "name", "long name", "long")
        .counts("b", "updated", 1), "long", "rewritten"
    ),
    "made again after a deletion": lambda: pair("", "b").delete("b", PERSON, "B1")
    .create("b", "d1", "B2", ref="r1", email="e1", name="n1").counts("b", "created", 2),
    "taken for an edit where it was never answered": lambda: pair().update("a", PERSON, "A1", name="long name")
    .rewritten("b", "d1", "B1", "name", "long name", "long").unanswered().update("a", "d1", "A1", name="long")
    .names("name", "long name").decides("A1", "name", "b").counts("a", "updated", 1).counts("b", "updated", 1),
    "deleted because nothing showed its partner": lambda: pair("a").hides("a", "A1", 100.0).wait(10.0)
    .delete("b", "d1", "B1").hides("a", "A1", 1.0).create("b", "d1", "B2", ref="r1", email="e1", name="n1")
    .counts("b", "deleted", 1).counts("b", "created", 2),
    "set back by a backup and carried": lambda: pair().update("b", BACKUP, "B1", name="n0")
    .update("a", "d1", "A1", name="n0").counts("a", "updated", 1),
    "each of two twins gets its own": lambda: pair("", "b").create("a", PERSON, "A2", ref="r1", email="e1")
    .create("b", "d1", "B2", ref="r1", email="e1").counts("b", "created", 2),
    "an automation answers until the breaker stops it": lambda: with_conflict(
        answered(pair().update("a", PERSON, "A1", rating="x").ends(), 6)),
    "twins nobody could have seen": lambda: Story().create("a", PERSON, "A1", ref="r1", email="e1")
    .create("b", PERSON, "B1", ref="r1", email="e1").create("b", "d1", "B2", ref="r1", email="e1").counts("b", "created", 1),
}  # fmt: skip


def with_deviation(story: Story, value: Value, reason: str) -> Story:
    story.evidence.store.deviations.append(Deviation("customers", "b", "B1", "name", value, reason))
    return story


def answered(story: Story, times: int) -> Story:
    """An automation on B sets the rating, whatever the daemon writes."""
    for number in range(times):
        story.update("b", "d1", "B1", rating="x").update("b", AUTOMATION, "B1", rating=f"au{number}")
        story.names("rating", f"au{number}")
    return story.counts("b", "updated", times)


def with_conflict(story: Story) -> Story:
    story.evidence.store.parked.append(ParkedRow("customers", "conflict", {"b": "B1"}, "rating", "contested"))
    return story


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_history_passes(name: str) -> None:
    story = CLEAN[name]().ends(quiet=True)
    assert found(story) == set()
    assert found_at_the_end(story) == set()


SINS: dict[str, tuple[str, Callable[[], Story]]] = {
    "a create is sent twice": (
        "no duplicates", lambda: pair().create("b", "d1", "B2", ref="r1", email="e1", name="n1")),
    "a record that was there long is made again": (
        "no duplicates", lambda: Story().create("a", PERSON, "A1", ref="r1", email="e1")
        .create("b", PERSON, "B1", ref="r1", email="e1").wait(500).create("b", "d1", "B2", ref="r1", email="e1")),
    "an owned field is written on its owner's side": (
        "ownership", lambda: pair().update("b", PERSON, "B1", rating="x").update("a", "d1", "A1", rating="x")),
    "a field that is not shared is written": (
        "ownership", lambda: pair().update("a", "d1", "A1", memo="gone")),
    "a read-only side is written": (
        "read-only", lambda: Story().create("b", PERSON, "B1", stream="articles", sku="s1")
        .create("a", "d1", "A1", stream="articles", sku="s1")),
    "a deletion that no policy allows": (
        "deletes", lambda: pair().delete("a", PERSON, "A1").delete("b", "d1", "B1")),
    "a deletion without one on the other side": (
        "deletes", lambda: pair("a").delete("b", "d1", "B1")),
    "a value out of nowhere": (
        "no invention", lambda: pair().update("b", "d1", "B1", phone="?")),
    "a value that a system cut short travels back": (
        "no invention", lambda: pair().update("a", PERSON, "A1", name="long name")
        .rewritten("b", "d1", "B1", "name", "long name", "long").update("a", "d1", "A1", name="long")),
    "a field is erased because it was not delivered": (
        "no invention", lambda: pair().update("b", "d1", "B1", name=None)),
    "half of an address": (
        "groups", lambda: pair().update("a", PERSON, "A1", street="s1", city="c1")
        .update("b", PERSON, "B1", street="s2", city="c2").update("b", "d1", "B1", city="c1").names("city", "c2")),
    "an edit is overwritten and named nowhere": (
        "no silent loss", lambda: pair().update("b", PERSON, "B1", phone="y").update("b", "d1", "B1", phone=None)),
    "an edit is deleted with its record and named nowhere": (
        "no silent loss", lambda: pair("a").update("b", PERSON, "B1", phone="p9").delete("a", PERSON, "A1")
        .delete("b", "d1", "B1")),
    "the side that wins is overwritten": (
        "rule", lambda: pair().update("a", PERSON, "A1", remark="x").update("b", PERSON, "B1", remark="y")
        .update("b", "d1", "B1", remark="x").names("remark", "y")),
    "an edit is undone from an old look": (
        "fresh eyes", lambda: pair().update("b", PERSON, "B1", name="n2").update("a", "d1", "A1", name="n2")
        .update("b", "d1", "B1", name="n1")),
    "a conflict is decided by nobody": (
        "ask", lambda: pair().update("a", PERSON, "A1", name="n2").update("b", PERSON, "B1", name="n3")
        .update("b", "d1", "B1", name="n2").names("name", "n3")),
}  # fmt: skip


@pytest.mark.parametrize("name", SINS)
def test_a_planted_violation_is_named(name: str) -> None:
    invariant, sinful = SINS[name]
    assert found(sinful()) == {invariant}


UNSETTLED: dict[str, tuple[str, Callable[[], Story]]] = {
    "an edit is never carried": ("convergence", lambda: pair().update("a", PERSON, "A1", name="n2").ends()),
    "a new record is never carried": (
        "convergence", lambda: Story().create("b", PERSON, "B1", ref="r1", email="e1").ends()),
    "a deletion is never carried": ("convergence", lambda: pair("a").delete("a", PERSON, "A1").ends()),
    "a record is not put back": ("convergence", lambda: pair("", "b").delete("b", PERSON, "B1").ends()),
    "a deviation without rewriting": (
        "convergence", lambda: with_deviation(pair().update("b", PERSON, "B1", name="n2"), "n2", "rewritten").ends()),
    "a deviation that the record moved away from": (
        "convergence", lambda: with_deviation(pair().update("b", PERSON, "B1", name="n2"), "n1", "differs").ends()),
    "a deviation for no known reason": (
        "convergence", lambda: with_deviation(pair().update("b", PERSON, "B1", name="n2"), "n2", "whatever").ends()),
    "a write after everything was settled": (
        "quiet", lambda: pair().ends(quiet=True).update("b", "d1", "B1", name="n1").counts("b", "updated", 1)),
    "writes that do not end": (
        "termination", lambda: back_and_forth(pair().update("a", PERSON, "A1", phone="p1")
        .update("b", PERSON, "B1", phone="p2").ends(), 5)),
    "an automation that nothing stops": ("termination", lambda: with_conflict(
        answered(pair().update("a", PERSON, "A1", rating="x").ends(), 7))),
    "a count of something that was not done": ("truth", lambda: pair().counts("b", "updated", 1)),
    "something done that nobody counts": ("truth", lambda: pair().counts("b", "created", 0)),
}  # fmt: skip


def back_and_forth(story: Story, times: int) -> Story:
    for number in range(times):
        story.update("b", "d1", "B1", phone=f"p{1 + number % 2}")
    story.update("b", "d1", "B1", phone="p1")
    return story.counts("b", "updated", times + 1)


@pytest.mark.parametrize("name", UNSETTLED)
def test_an_unsettled_end_is_named(name: str) -> None:
    invariant, unsettled = UNSETTLED[name]
    assert found_at_the_end(unsettled()) == {invariant}


def test_a_parked_record_need_not_agree() -> None:
    story = pair().update("a", PERSON, "A1", name="n2").ends()
    story.evidence.store.parked.append(ParkedRow("customers", "conflict", {"b": "B1"}, "name", "both"))
    assert found_at_the_end(story) == set()
    story.update("a", PERSON, "A1", phone="p2")
    assert found_at_the_end(story) == {"convergence"}


def test_writes_of_a_dry_run_and_of_a_paused_link_are_named() -> None:
    story = pair()
    story.evidence.dry_runs.append(Span(1000.2, 1000.9))
    assert found(story) == {"dry run"}
    story.evidence.pauses.append(Span(1000.2, 1000.9))
    assert found(story) == {"dry run", "pause"}


def test_a_second_owner_is_named() -> None:
    story = pair()
    story.evidence.commits = [Commit(1.0, "d1", 1, "take"), Commit(2.0, "d2", 2, "take")]
    assert found(story) == {"single owner"}
    story.evidence.commits = [Commit(1.0, "d2", 1, "take"), Commit(2.0, "d1", 2, "take")]
    assert found(story) == set()
    story.evidence.commits.append(Commit(3.0, "d2", 1, "settle"))
    assert found(story) == {"single owner"}
    story.evidence.commits = [Commit(1.0, "d2", 1, "take"), Commit(2.0, "d1", 1, "take")]
    assert found(story) == {"single owner"}


def test_a_write_into_another_account_is_named() -> None:
    story = pair()
    story.evidence.astray.append("b update B1")
    assert found(story) == {"another account"}


def test_what_was_hidden_is_no_deletion_long_after() -> None:
    story = pair("a").hides("a", "A1", 10.0).wait(500.0).delete("b", "d1", "B1")
    assert found(story) == {"deletes"}


@pytest.mark.parametrize(
    "turned_back, violations",
    [((), {"no duplicates"}), (((900.0, 200.0),), set()), (((900.0, 100.0),), {"no duplicates"})],
)
def test_what_nobody_saw_may_go_unseen_for_longer_where_the_clock_was_turned_back(
    turned_back: tuple[tuple[float, float], ...], violations: set[str]
) -> None:
    story = (
        Story()
        .create("a", PERSON, "A1", ref="r1", email="e1")
        .create("b", PERSON, "B1", ref="r1", email="e1")
    )
    story.evidence.turned_back += turned_back
    assert found(story.wait(250.0).create("b", "d1", "B2", ref="r1", email="e1")) == violations


def test_a_copy_whose_id_never_came_may_be_made_again_while_no_list_shows_it() -> None:
    def again(story: Story) -> set[str]:
        return found(story.wait(1.0).create("b", "d1", "B2", ref="r1", email="e1", name="n1"))

    assert again(pair().unanswered().hides("b", "B1", 100.0, by_id=False)) == set()
    assert again(pair().unanswered()) == {"no duplicates"}
    assert again(pair().hides("b", "B1", 100.0, by_id=False)) == {"no duplicates"}
    known = pair().unanswered().hides("b", "B1", 100.0, by_id=False)
    known.evidence.store.made.add(("customers", "b", "B1"))
    assert again(known) == {"no duplicates"}


def test_what_a_partner_held_that_no_look_shows_any_more_is_agreed_on_with_nobody() -> None:
    def two(hidden: bool) -> Story:
        """B1 is a person's, hidden while the daemon makes its copy, B2, which goes out of sight in its turn, or not."""
        story = Story().create("a", PERSON, "A1", ref="r1", email="e1", name="n1")
        story.create("b", PERSON, "B1", ref="r1", email="e1", name="n2").hides("b", "B1", 10.0).wait(5.0)
        story.create("b", "d1", "B2", ref="r1", email="e1", name="n1").wait(1000.0)
        story = story.hides("b", "B2", 100.0).wait(1.0) if hidden else story
        return story.update("a", "d1", "A1", name="n2").names("name", "n1")

    assert "fresh eyes" not in found(two(hidden=True))
    assert "fresh eyes" in found(two(hidden=False))


def test_bounds_and_leftovers_are_named() -> None:
    story = pair().ends()
    story.evidence.store.inbox = story.evidence.store.overdue = 100
    story.evidence.store.open_actions = 1
    story.evidence.store.live_plans = [("customers", "held")] * 2
    assert found(story) == {"bounded"}
    assert len(safety(story.evidence)) == 2
    assert found_at_the_end(story) == {"rest"}


def ruled(field: str = "", said: dict[str, Any] | None = None, **rules: Any) -> Story:
    """A customer on both sides, made by people, under other rules: of one field, and of the stream."""
    story = Story()
    (stream, *rest) = story.evidence.laws.streams
    fields = tuple(replace(law, **(said or {})) if law.name == field else law for law in stream.fields)
    stream = replace(stream, fields=(*fields, FieldLaw("tags", type="list")), **rules)
    story.evidence = Evidence(Laws((stream, *rest)))
    story.create("a", PERSON, "A1", ref="r1", email="e1", name="n1", tags=("x",))
    return story.create("b", PERSON, "B1", ref="r1", email="e1", name="n2", tags=("x", "y"))


MARKS_A: frozenset[Side] = frozenset({"a"})
RULED: dict[str, tuple[set[str], Callable[[], Story]]] = {
    "a record is made without what it needs": (
        {"required"}, lambda: ruled("phone", {"required": True}).create("a", PERSON, "A2", ref="r2", email="e2")
        .create("b", "d1", "B2", ref="r2", email="e2")),
    "a field that is only told to new records is written later": (
        {"ownership"}, lambda: ruled("phone", {"on_create_only": True}).update("a", PERSON, "A1", phone="p")
        .update("b", "d1", "B1", phone="p")),
    "an item that only one side had is taken out": (
        {"no silent loss"}, lambda: ruled().update("b", "d1", "B1", tags=("x",))),
    "an item of nobody's is put in": ({"no invention"}, lambda: ruled().update("b", "d1", "B1", tags=("x", "y", "z"))),
    "lists are merged": (set(), lambda: ruled().update("a", "d1", "A1", tags=("x", "y"))),
    "a record is marked though nobody deleted its partner": (
        {"ownership"}, lambda: ruled(marks=MARKS_A).update("b", "d1", "B1", gone="yes")),
    "a record is marked as the rule says": (
        set(), lambda: ruled(marks=MARKS_A).delete("a", PERSON, "A1").update("b", "d1", "B1", gone="yes")),
    "first contact is decided by its rule": (
        set(), lambda: ruled(first_contact="a").update("b", "d1", "B1", name="n1").names("name", "n2")),
    "first contact is decided by nobody": ({"ask"}, lambda: ruled().update("b", "d1", "B1", name="n1").names("name", "n2")),
    "a later conflict is taken for first contact": (
        {"ask"}, lambda: ruled(first_contact="a").update("b", "d1", "B1", name="n1").names("name", "n2", "n4")
        .update("a", PERSON, "A1", name="n3").update("b", PERSON, "B1", name="n4").update("b", "d1", "B1", name="n3")),
}  # fmt: skip


@pytest.mark.parametrize("name", RULED)
def test_what_other_rules_say_is_held(name: str) -> None:
    invariants, told = RULED[name]
    assert found(told()) == invariants


ONLY_B: frozenset[Side] = frozenset({"b"})
ONLY_A: frozenset[Side] = frozenset({"a"})


@pytest.mark.parametrize("write_first, invariants", [(True, set()), (False, {"convergence"})])
def test_who_takes_over_a_key_takes_over_a_partner_only_if_somebody_saw_it(
    write_first: bool, invariants: set[str]
) -> None:
    """A2, which may not be made in b, is given A1's key, and A1 and B1 are deleted. A write to B1 from before that was
    A1's business; from after it, it says that B1 was A2's partner, which is to be put back."""
    story = ruled(creates=ONLY_B, restores=ONLY_B, first_contact="a").create(
        "a", PERSON, "A2", ref="r2", email="e2"
    )
    story.wait(10.0)
    story = story.update("b", "d1", "B1", name="n1").counts("b", "updated", 1) if write_first else story
    story.update("a", PERSON, "A2", email="e1").delete("a", PERSON, "A1")
    story = story if write_first else story.update("b", "d1", "B1", name="n1").counts("b", "updated", 1)
    assert found_at_the_end(story.delete("b", PERSON, "B1").ends()) == invariants


def test_a_deletion_that_is_to_be_marked_and_is_not_is_named() -> None:
    story = ruled(marks=MARKS_A).update("a", "d1", "A1", tags=("x", "y")).delete("a", PERSON, "A1")
    assert "convergence" in found_at_the_end(story.ends())


@pytest.mark.parametrize(
    "edited, invariants",
    [
        ({"email": "e9"}, {"convergence"}),
        ({"name": "n9"}, {"convergence"}),
        ({"email": "e9", "name": "n9"}, set()),
    ],
)
def test_who_gets_another_id_is_the_same_record_if_its_key_or_all_the_rest_says_so(
    edited: dict[str, str], invariants: set[str]
) -> None:
    """B1 gets another id, edited in the same breath; then A1 is deleted, which is to be undone; B makes nobody."""
    story = ruled(creates=ONLY_A, restores=ONLY_A, first_contact="a").update("b", "d1", "B1", name="n1")
    story.counts("b", "updated", 1).wait(10.0)
    held = {"ref": "r1", "email": "e1", "name": "n1"} | edited
    story.delete("b", PERSON, "B1").create("b", PERSON, "B2", tags=("x", "y"), **held)
    assert found_at_the_end(story.delete("a", PERSON, "A1").ends()) == invariants
