"""The auditor on gates, documents, read-only fields and the like: told by hand, clean stories and planted faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.sim.evidence import BACKUP, PERSON, ParkedRow
from tests.sim.laws import MARK, DerivedLaw, GateLaw, Laws
from tests.sim.test_auditor import Story, found, found_at_the_end

SHUT = {"kind": "out"}
OPEN = {"kind": "in"}


def story(removes: str = "", restores: str = "", **rules: Any) -> Story:
    """A story under rules of the customers."""
    told = Story(removes, restores)
    first, *others = told.evidence.laws.streams
    told.evidence.laws = Laws((replace(first, **rules), *others))
    return told


def gated(then: str = "keep", on: str = "level", **more: Any) -> Story:
    """Side a has a gate."""
    return story(gates=(("a", GateLaw("kind", ("in",), on, then)),), **more)


def made(told: Story, **more: Any) -> Story:
    """A customer that a person made in a, and the daemon made in b."""
    told.create("a", PERSON, "A1", ref="r1", email="e1", name="n1", **more)
    return told.create("b", "d1", "B1", ref="r1", email="e1", name="n1").counts("b", "created", 1)


def pairs(told: Story) -> Story:
    told.evidence.store.pairs.add(("customers", "A1", "B1"))
    return told


def shut_out(told: Story, seconds: float) -> Story:
    """Its record is shut out, and somebody edits it long after."""
    return (
        made(told, **OPEN)
        .update("a", PERSON, "A1", **SHUT)
        .wait(seconds)
        .update("a", PERSON, "A1", name="n2")
    )


def told_by(told: Story) -> Story:
    told.evidence.plain = frozenset({"a", "b"})
    return told


SAFE: dict[str, tuple[Callable[[], Story], str]] = {
    "who takes part is made": (lambda: made(gated(), **OPEN), ""),
    "who never took part is made": (lambda: made(gated(), **SHUT), "gate"),
    "made though it took part since before the link": (
        lambda: _since_ever(told_by(gated(on="edge"))), "gate"
    ),
    "made once it began to take part": (
        lambda: made(told_by(gated(on="edge")), **OPEN), ""
    ),
    "what is under way is carried": (
        lambda: shut_out(gated("detach"), 5).update("b", "d1", "B1", name="n2"), ""
    ),
    "it passes though it is shut out": (
        lambda: shut_out(gated("detach"), 500).wait(500).update("b", "d1", "B1", name="n2"), "gate"
    ),
    "it stays in step though it is shut out": (
        lambda: shut_out(gated("keep"), 500).update("b", "d1", "B1", name="n2"), ""
    ),
    "the value is put back": (
        lambda: shut_out(gated("put_back"), 1).update("a", "d1", "A1", **OPEN), ""
    ),
    "a value is put back where that is no rule": (
        lambda: shut_out(gated("keep"), 1).update("a", "d1", "A1", **OPEN), "ownership"
    ),
    "another value is put back": (
        lambda: shut_out(gated("put_back"), 1).update("a", "d1", "A1", kind="elsewhere"), "ownership"
    ),
    "the partner of who is shut out is marked": (
        lambda: shut_out(gated("deactivate"), 1).update("b", "d1", "B1", **{MARK: "yes"}), ""
    ),
    "the partner of who takes part is marked": (
        lambda: made(gated("deactivate"), **OPEN).update("b", "d1", "B1", **{MARK: "yes"}), "ownership"
    ),
    "made on a person's word": (lambda: _imported(0), ""),
    "made, and nobody had said so": (lambda: made(story(stages=frozenset({"b"}))), "staged"),
    "made with what was edited after the word": (lambda: _imported(1), "staged"),
    "written once": (lambda: made(story(once=frozenset({"b"}))), ""),
    "written again": (
        lambda: made(story(once=frozenset({"b"})))
        .update("a", PERSON, "A1", name="n2").update("b", "d1", "B1", name="n2"), "once"
    ),
    "begun as told": (lambda: _begun("first"), ""),
    "not begun": (lambda: _begun(None), "starts with"),
    "begun once more": (
        lambda: _begun("first").update("b", PERSON, "B1", begun="mine").update("b", "d1", "B1", begun="first"),
        "ownership",
    ),
    "says the id": (lambda: made(_saying("id")).update("b", "d1", "B1", says="A1"), ""),
    "says another id": (lambda: made(_saying("id")).update("b", "d1", "B1", says="A2"), "ownership"),
    "says the formula": (lambda: made(_saying("formula")).update("b", "d1", "B1", says="<n1>"), ""),
    "says another constant": (lambda: made(_saying("constant")).update("b", "d1", "B1", says="y"), "ownership"),
    "its own memo is put back": (lambda: _restored("mine"), ""),
    "somebody else's memo is put back": (lambda: _restored("yours"), "ownership"),
    "another id, and it stays": (lambda: _moved(), ""),
    "another id, and its partner is deleted": (lambda: _moved().delete("b", "d1", "B1"), "moved"),
    "another id, its partner is deleted, and a person had said that the two are not the same": (
        lambda: _moved().decides("A2", "", "different").delete("b", "d1", "B1"), ""
    ),
    "deleted on a person's word": (
        lambda: made(story())
        .delete("b", PERSON, "B1")
        .decides("A1", "*delete*", "remove").wait(1)
        .delete("a", "d1", "A1"),
        "",
    ),
    "deleted without a word": (
        lambda: made(story()).delete("b", PERSON, "B1").delete("a", "d1", "A1"),
        "deletes",
    ),
    "made with what it requires": (lambda: _article(made(_needing())), ""),
    "made without what it requires": (lambda: _article(_needing()), "requires"),
}  # fmt: skip


def _since_ever(told: Story) -> Story:
    told.at = 0.0
    told.create("a", PERSON, "A1", ref="r1", email="e1", name="n1", **OPEN).wait(100)
    return told.create("b", "d1", "B1", ref="r1", email="e1", name="n1")


def _imported(edited: int) -> Story:
    told = story(stages=frozenset({"b"}))
    told.create("a", PERSON, "A1", ref="r1", email="e1", name="n1").decides("A1", "", "import").wait(1)
    for _ in range(edited):
        told.update("a", PERSON, "A1", name="n2")
    return told.create("b", "d1", "B1", ref="r1", email="e1", name=f"n{edited + 1}")


def _begun(value: str | None) -> Story:
    told = story(starts=(("b", "begun", "first"),))
    told.create("a", PERSON, "A1", ref="r1", email="e1", name="n1")
    more = {"begun": value} if value else {}
    return told.create("b", "d1", "B1", ref="r1", email="e1", name="n1", **more)


def _saying(kind: str) -> Story:
    return story(derived=(DerivedLaw("says", "b", kind, "x", "name"),))


def _restored(memo: str) -> Story:
    told = made(story(restores="b", own=frozenset({"b"})))
    told.update("b", PERSON, "B1", memo="mine").delete("b", PERSON, "B1").wait(100)
    return told.create("b", "d1", "B2", ref="r1", email="e1", name="n1", memo=memo)


def _moved() -> Story:
    told = told_by(made(story(removes="ab")))
    told.delete("a", PERSON, "A1")
    told.at -= 1.0  # at the same moment
    return told.create("a", PERSON, "A2", ref="r1", email="e1", name="n1").wait(50)


def _needing() -> Story:
    told = Story()
    first, second = told.evidence.laws.streams
    told.evidence.laws = Laws((first, replace(second, requires=("customers",))))
    return told


def _article(told: Story) -> Story:
    told.create("a", PERSON, "A9", "articles", sku="s1")
    return told.create("b", "d1", "B9", "articles", sku="s1")


@pytest.mark.parametrize("name", SAFE)
def test_what_such_a_rule_allows_passes_and_what_it_forbids_is_found(name: str) -> None:
    tell, invariant = SAFE[name]
    assert found(tell()) == ({invariant} if invariant else set())


AT_THE_END: dict[str, tuple[Callable[[], Story], str]] = {
    "shut out, and never carried": (
        lambda: gated().create("a", PERSON, "A1", ref="r1", email="e1", **SHUT), ""
    ),
    "let in, and never carried": (
        lambda: gated().create("a", PERSON, "A1", ref="r1", email="e1", **OPEN), "convergence"
    ),
    "since ever, on an edge": (
        lambda: _loaded(gated(on="edge").create("a", PERSON, "A1", ref="r1", email="e1", **OPEN), 2000.0), ""
    ),
    "anew, on an edge": (
        lambda: _loaded(gated(on="edge").create("a", PERSON, "A1", ref="r1", email="e1", **OPEN), 10.0),
        "convergence",
    ),
    "shut for long and anew, on an edge": (lambda: _opened_anew(), "convergence"),
    "shut for no longer than it may go unseen, and anew, on an edge": (lambda: _opened_anew(shut_s=100.0), ""),
    "gone for long and there again, on an edge": (lambda: _back_again(300.0), "convergence"),
    "gone for no longer than it may go unseen, and there again, on an edge": (lambda: _back_again(100.0), ""),
    "shut, forgotten, and anew, on an edge": (lambda: _opened_anew(forgotten_s=20.0), ""),
    "shut, forgotten long ago, and anew, on an edge": (lambda: _opened_anew(forgotten_s=200.0), "convergence"),
    "nothing passes, and they differ": (lambda: pairs(shut_out(gated("detach"), 1)), ""),
    "it stays in step, and they differ": (lambda: pairs(shut_out(gated("keep"), 1)), "convergence"),
    "not put back": (
        lambda: pairs(made(gated("put_back"), **OPEN).update("a", PERSON, "A1", **SHUT)), "convergence"
    ),
    "not marked": (
        lambda: pairs(made(gated("deactivate"), **OPEN).update("a", PERSON, "A1", **SHUT)), "convergence"
    ),
    "nobody says what is to be said": (lambda: pairs(made(_saying("id"))), "convergence"),
    "it is said": (
        lambda: pairs(made(_saying("id")).update("b", "d1", "B1", says="A1").counts("b", "updated", 1)), ""
    ),
    "the old name is still said": (lambda: _old_name(), "convergence"),
    "the old name is still said, and listed": (lambda: _old_name("says"), ""),
    "the old name is still said, and something else is listed": (lambda: _old_name("phone"), "convergence"),
}  # fmt: skip


def _opened_anew(forgotten_s: float = 0.0, shut_s: float = 300.0) -> Story:
    """A record that took part when all was loaded, was shut out for so long, and takes part anew; `forgotten_s` before that
    the state of the daemon was set back."""
    told = _loaded(gated(on="edge").create("a", PERSON, "A1", ref="r1", email="e1", **OPEN), 1001.0)
    told.update("a", PERSON, "A1", **SHUT).wait(shut_s)
    told.evidence.set_back += [told.at - forgotten_s] if forgotten_s else []
    return told.update("a", PERSON, "A1", **OPEN)


def _back_again(gone_s: float) -> Story:
    """A record that took part when all was loaded, was gone for so long, and is brought back by a backup."""
    told = _loaded(gated(on="edge").create("a", PERSON, "A1", ref="r1", email="e1", **OPEN), 1001.0)
    told.delete("a", PERSON, "A1").wait(gone_s)
    return told.create("a", BACKUP, "A1", ref="r1", email="e1", **OPEN)


def _old_name(listed: str = "") -> Story:
    told = pairs(made(_saying("formula")).update("b", "d1", "B1", says="<n1>").counts("b", "updated", 2))
    told.update("a", PERSON, "A1", name="n2").update("b", "d1", "B1", name="n2")
    row = ParkedRow("customers", "conflict", {"b": "B1"}, listed, "contested")
    told.evidence.store.parked += [row] if listed else []
    return told


def _loaded(told: Story, at: float) -> Story:
    told.evidence.loaded["customers"] = at
    return told


@pytest.mark.parametrize("name", AT_THE_END)
def test_what_such_a_rule_demands_in_the_end(name: str) -> None:
    tell, invariant = AT_THE_END[name]
    assert found_at_the_end(tell().ends()) == ({invariant} if invariant else set())
