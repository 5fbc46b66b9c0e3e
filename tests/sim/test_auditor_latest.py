"""The auditor on what stays on its own side, what is imported by itself or never, who waits for whom, and gates since a day:
told by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from actors.core.values import Value
from tests.sim.auditor_active import safety_latest
from tests.sim.evidence import PERSON, Deviation, ParkedRow, Staged
from tests.sim.laws import CUSTOMER_FIELDS, OBJECT, SINCE, FieldLaw, GateLaw, Laws, StreamLaw
from tests.sim.test_auditor import Story, found, found_at_the_end
from tests.sim.test_auditor_more import pairs, story

# ------------------------------------------------------------------------------------------ active on one side


def switched(made: Value = True, conflict: str = "newest_else_a", **rules: Any) -> Story:
    """A record that a person made in a, active or not, and a daemon in b."""
    law = FieldLaw("active", conflict=conflict, type="boolean", ignores=True)
    told = story(fields=(*CUSTOMER_FIELDS, law), **rules)
    told.create("a", PERSON, "A1", ref="r1", email="e1", active=made)
    return pairs(told.create("b", "d1", "B1", ref="r1", email="e1", active=made).counts("b", "created", 1))


def alone(told: Story, value: Value = True, times: int = 1) -> Story:
    """The store says that a is active alone; so often it was written down."""
    said = Deviation("customers", "a", "A1", "active", value, "not followed", False)
    told.evidence.store.deviations.append(said)
    told.evidence.alone.append((told.at - 0.5, said))
    told.evidence.store.again["customers", "a", "A1"] = times
    return told


def accepted(told: Story) -> Story:
    """A person said that a stays active."""
    told.evidence.store.deviations.append(
        Deviation("customers", "a", "A1", "active", True, "accepted", False)
    )
    return told


def activated_in_a(conflict: str = "newest_else_a") -> Story:
    return switched(False, conflict).update("a", PERSON, "A1", active=True)


def met(rule: str) -> Story:
    """Two that people made, the one active, the other not: they meet."""
    law = FieldLaw("active", conflict="newest_else_a", type="boolean", ignores=True)
    told = story(fields=(*CUSTOMER_FIELDS, law), first_contact=rule)
    told.create("a", PERSON, "A1", ref="r1", email="e1", active=True)
    return told.create("b", PERSON, "B1", ref="r1", email="e1", active=False).names("active", False)


# --------------------------------------------------------------------------------------------------- imports


def imported(rule: str, staged: str = "", by: str = "r2", word: bool = False, refused: str = "") -> Story:
    """A document of a that a daemon made in b, in run `by`; `staged`: the runs that had staged it, `refused`: the one
    of them to which b had said no."""
    told = story(stages=frozenset({"b"}), imports=rule)
    told.create("a", PERSON, "A1", ref="r1", email="e1", name="n1")
    told = told.decides("A1", "", "import") if word else told
    for run in staged.split():
        reason = "import failed: no" if run == refused else "staged: imported on b after the run"
        told.evidence.staged.append(Staged(told.wait(1).at, run, "customers", "A1", reason))
    told.evidence.intended.append(Staged(told.wait(1).at, by, "customers", "A1"))
    told.wait(1).create("b", "d1", "B1", ref="r1", email="e1", name="n1").counts("b", "created", 1)
    return told


def beside_one_that_was_staged_at_once() -> Story:
    """Likewise; another document was staged in the very run that made this one, and people make the two one after that."""
    told = imported("always", "r1")
    told.evidence.staged.append(
        Staged(told.at - 2.5, "r2", "customers", "A2", "staged: imported on b after the run")
    )
    told.create("a", PERSON, "A2", ref="r2", email="e2", name="n2")
    return told.update("a", PERSON, "A2", email="e1")


def in_the_room(rule: str, reason: str) -> Story:
    """A document of a that is left in the room."""
    told = story(stages=frozenset({"b"}), imports=rule).create("a", PERSON, "A1", ref="r1", email="e1")
    told.evidence.store.parked.append(ParkedRow("customers", "staged", {"a": "A1"}, "", reason))
    return told


def unclear(told: Story) -> Story:
    """A person is asked which record A1 is."""
    told.evidence.store.parked.append(ParkedRow("customers", "ambiguous", {"a": "A1"}, "", "several records"))
    return told


# ---------------------------------------------------------------------------------------------- who is named


def named(*names: str, in_step: str = "12", parked: bool = False) -> Story:
    """An article of a that names customers, each of whom (but for those not `in_step`) a daemon has made in b."""
    told = Story()
    first, second = told.evidence.laws.streams
    told.evidence.laws = Laws((first, with_names(second)))
    for number in "12":
        told.create("a", PERSON, f"A{number}", ref=f"r{number}", email=f"e{number}")
        if number in in_step:
            told.create("b", "d1", f"B{number}", ref=f"r{number}", email=f"e{number}")
            told.evidence.store.pairs.add(("customers", f"A{number}", f"B{number}"))
        else:
            row = ParkedRow("customers", "waiting", {"a": f"A{number}"}, "", "needs name")
            told.evidence.store.parked.append(row)
    told.create("a", PERSON, "S1", stream="articles", sku="s1", needs=", ".join(names) or None)
    if parked:
        reason = f"customers {', '.join(names)} not in step yet"
        told.evidence.store.parked.append(ParkedRow("articles", "waiting", {"a": "S1"}, "", reason))
    return told.counts("b", "created", len(in_step))


def with_names(law: StreamLaw) -> StreamLaw:
    return replace(law, requires=("customers",), assigned=(("a", "needs"),))


def article(told: Story) -> Story:
    return told.create("b", "d1", "T1", stream="articles", sku="s1")


def moved_on(told: Story) -> Story:
    """A daemon moves the article to another object of b, though one that it names by now is not in step."""
    first, second = told.evidence.laws.streams
    place = FieldLaw("place", type="place", many="b")
    law = replace(second, fields=(*second.fields, place), objects=(("b", ("one", "two")),))
    told.evidence.laws = Laws((first, law))
    told.update("a", PERSON, "S1", "articles", place="one")
    told.create("b", "d1", "one:T1", stream="articles", sku="s1", **{OBJECT: "one"})
    told.update("a", PERSON, "S1", "articles", needs="e9", place="two").wait(200)
    return told.create("b", "d1", "two:T2", stream="articles", sku="s1", **{OBJECT: "two"})


# ------------------------------------------------------------------------------------------------ since a day


def dated(days: int | None, rule: bool = True, taken: bool = True) -> Story:
    """A record of a that took part before the link was there, and is of a day so far from the one of the rule; a daemon made
    it in b, or not."""
    gate = GateLaw("kind", ("in",), "edge", since=SINCE if rule else None, dated="day" if rule else "")
    told = story(gates=(("a", gate),), fields=(*CUSTOMER_FIELDS, FieldLaw("day", type="date")))
    told.evidence.plain = frozenset({"a", "b"})
    told.at = 0.0
    day = SINCE + timedelta(days=days) if days is not None else None
    told.create("a", PERSON, "A1", ref="r1", email="e1", day=day, kind="in")
    told.evidence.loaded["customers"] = 100.0
    told.wait(500)
    if taken:
        told.create("b", "d1", "B1", ref="r1", email="e1", day=day).counts("b", "created", 1)
    return told


SAFE: dict[str, tuple[Callable[[], Story], str]] = {
    "a deactivation is carried": (
        lambda: switched().update("b", PERSON, "B1", active=False).update("a", "d1", "A1", active=False), ""
    ),
    "a deactivation goes though it was activated there": (
        lambda: activated_in_a("ask").update("b", PERSON, "B1", active=None).update("b", PERSON, "B1", active=False)
        .update("a", "d1", "A1", active=False).names("active", True), "",
    ),
    "who is active again is so everywhere": (lambda: activated_in_a().update("b", "d1", "B1", active=True), "active again"),
    "who is active again is emptied everywhere": (
        lambda: switched(False).update("a", PERSON, "A1", active=None).update("b", "d1", "B1", active=None), "active again"
    ),
    "a person said that he is active": (
        lambda: activated_in_a().decides("A1", "active").update("b", "d1", "B1", active=True), ""
    ),
    "two meet, and the rule says that they are active": (lambda: met("a").update("b", "d1", "B1", active=True), ""),
    "two meet, and no rule says that they are active": (
        lambda: met("b").update("b", "d1", "B1", active=True), "active again"
    ),
    "what was written down gives way to who says nothing": (
        lambda: alone(activated_in_a("ask")).update("b", PERSON, "B1", active=None).update("a", "d1", "A1", active=None)
        .names("active", True), "",
    ),
    "what was never written down gives way to who says nothing": (
        lambda: activated_in_a("ask").update("b", PERSON, "B1", active=None).update("a", "d1", "A1", active=None)
        .names("active", True), "ask",
    ),
    "it is written down each time that somebody says so": (
        lambda: alone(
            activated_in_a().update("a", PERSON, "A1", active=False).update("a", PERSON, "A1", active=True), times=4
        ),
        "",
    ),
    "it is written down at each look": (lambda: alone(activated_in_a(), times=9), "active again"),
    "imported by itself after the run that staged it": (lambda: imported("always", "r1"), ""),
    "imported by itself in the run that staged it": (lambda: imported("always", "r2"), "staged"),
    "imported by itself in the run that staged it anew": (lambda: imported("always", "r1 r2"), "staged"),
    "imported by itself though it was refused": (lambda: imported("always", "r0 r1", refused="r1"), "staged"),
    "refused, changed, and imported by itself": (lambda: imported("always", "r0 r1", refused="r0"), ""),
    "refused, and imported on a word": (lambda: imported("always", "r0 r1", word=True, refused="r1"), ""),
    "imported by itself, and made one with another one since": (beside_one_that_was_staged_at_once, ""),
    "imported by itself and never staged": (lambda: imported("always"), "staged"),
    "imported by itself where a person is asked": (lambda: imported("ask", "r1"), "staged"),
    "imported on a word though it never is": (lambda: imported("never", "r1", word=True), "imports"),
    "imported on a word in the run that staged it": (lambda: imported("always", "r2", word=True), ""),
    "made once all that it names are in step": (lambda: article(named("e1", "e2")), ""),
    "made though it names nobody": (lambda: article(named(in_step="1")), ""),
    "made before one that it names is in step": (lambda: article(named("e1", "e2", in_step="1")), "requires"),
    "made though it names somebody who is not there": (lambda: article(named("e1", "e9")), "requires"),
    "made as it named nobody but just now": (
        lambda: article(named("e2", in_step="1").update("a", PERSON, "S1", "articles", needs="e1")), ""
    ),
    "moved though it names another one for long": (lambda: moved_on(named("e1")), ""),
    "made though it names another one for long": (
        lambda: article(named("e1", in_step="1").update("a", PERSON, "S1", "articles", needs="e2").wait(200)), "requires"
    ),
    "it goes that is of the day": (lambda: dated(0), ""),
    "it goes that is of a later day": (lambda: dated(9), ""),
    "it goes that is of an earlier day": (lambda: dated(-1), "gate"),
    "it goes that shows no day": (lambda: dated(None), "gate"),
    "it goes where no day is said": (lambda: dated(9, rule=False), "gate"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAFE)
def test_what_must_hold_at_any_moment(name: str) -> None:
    told, violation = SAFE[name]
    ended = told()
    latest = {one.invariant for one in safety_latest(ended.evidence)}
    assert found(ended) | latest == ({violation} if violation else set())


ENDS: dict[str, tuple[Callable[[], Story], str]] = {
    "active on one side alone, and written down": (lambda: alone(activated_in_a()), ""),
    "active on one side alone, and not written down": (activated_in_a, "convergence"),
    "a deactivation that is written down instead of carried": (
        lambda: alone(switched().update("a", PERSON, "A1", active=False), False), "convergence"
    ),
    "a deactivation that never came to who was activated before it": (
        lambda: alone(switched().update("a", PERSON, "A1", active=None).update("b", PERSON, "B1", active=False), None),
        "convergence",
    ),
    "a deactivation that a person said stays where it is": (
        lambda: accepted(switched().update("b", PERSON, "B1", active=False)), ""
    ),
    "a deactivation that nobody said anything about": (
        lambda: switched().update("b", PERSON, "B1", active=False), "convergence"
    ),
    "activated after the other side had been deactivated": (
        lambda: alone(switched().update("b", PERSON, "B1", active=False).update("a", PERSON, "A1", active=None), None), ""
    ),
    "left in the room though it is imported by itself": (
        lambda: in_the_room("always", "staged: imported on b after the run"), "imports"
    ),
    "left in the room though it is imported by itself, and a person is asked who it is": (
        lambda: unclear(in_the_room("always", "staged: imported on b after the run")), ""
    ),
    "left in the room, as it was refused": (lambda: in_the_room("always", "import failed: no"), ""),
    "left in the room, as nobody imports it": (lambda: in_the_room("never", "staged: never imported on b"), ""),
    "gone once those that it names are in step": (lambda: article(named("e1")), ""),
    "waits for one that is not in step": (lambda: named("e1", "e2", in_step="1", parked=True), ""),
    "waits though all that it names are in step": (lambda: named("e1", "e2", parked=True), "requires"),
    "never goes though it is of the day": (lambda: dated(0, taken=False), "convergence"),
    "never goes as it is of an earlier day": (lambda: dated(-1, taken=False), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_what_must_hold_in_the_end(name: str) -> None:
    told, violation = ENDS[name]
    ended = told().ends()
    ended.evidence.store.counted["articles", "b", "created"] = sum(
        (one.stream, one.side, one.outside) == ("articles", "b", False) for one in ended.evidence.entries
    )
    assert found_at_the_end(ended) == ({violation} if violation else set())
