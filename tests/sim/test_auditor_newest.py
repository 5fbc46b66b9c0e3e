"""The auditor on units, several objects, clash keys, loads, merges, effects, commands and budgets: told by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from actors.core.policy import Budget
from actors.core.values import Value, line_of
from tests.sim.evidence import BACKUP, PERSON, Deviation, Entry, ParkedRow, Span, Violation
from tests.sim.laws import CUSTOMER_FIELDS, OBJECT, FieldLaw, Laws, Side
from tests.sim.test_auditor import Story, found, found_at_the_end
from tests.sim.test_auditor_more import made, story

ITEMS = (FieldLaw("items", type="lines"), FieldLaw("sum", type="decimal"))
PLACE = FieldLaw("place", type="place", many="b")


def lines(*amounts: int) -> Value:
    return tuple(line_of({"article": f"ar{one}", "amount": Decimal(one)}) for one in amounts)


def order(wrong: int = 0, *written: int) -> Story:
    """An order of two lines that a person made in a, and a daemon in b: with these lines, and a sum that is wrong by so
    much, which another person had given before."""
    told = story(fields=(*CUSTOMER_FIELDS, *ITEMS), adds_up=True)
    told.create("a", PERSON, "A1", ref="r1", email="e1", items=lines(1, 2), sum=Decimal(3))
    amounts = written or (1, 2)
    told.update("a", PERSON, "A1", sum=Decimal(sum(amounts) + wrong)).update(
        "a", PERSON, "A1", sum=Decimal(3)
    )
    return told.create(
        "b", "d1", "B1", ref="r1", email="e1", items=lines(*amounts), sum=Decimal(sum(amounts) + wrong)
    )


def imported(answered: bool) -> Story:
    """An order that a person imported as he was shown it: so far without its lines."""
    told = story(fields=(*CUSTOMER_FIELDS, *ITEMS), stages=frozenset({"b"}))
    told.create("a", PERSON, "A1", ref="r1", email="e1", items=lines(1, 2)).decides("A1", "", "import").wait(
        1
    )
    told.create("b", "d1", "B1", ref="r1", email="e1", items=lines())
    return told if answered else told.unanswered()


def placed(left: str = "remove", was: str = "", now: str = "", gone: bool = False) -> Story:
    """A record that stands in the first of b's two objects, and that a daemon made in the second one; what it was begun
    with, what it is now; and whether somebody had deleted it meanwhile."""
    told = story(fields=(*CUSTOMER_FIELDS, PLACE), objects=(("b", ("one", "two")),), left=left)
    told.evidence.laws = with_starts(told, ("b", "begun", "first")) if was or now else told.evidence.laws
    held, begins = ({"begun": value} if value else {} for value in (was, now))
    told.create("b", PERSON, "one:B1", ref="r1", email="e1", name="n1", **{OBJECT: "one"}, **held)
    told.create("a", "d1", "A1", ref="r1", email="e1", name="n1", place="one")
    told.update("a", PERSON, "A1", place="two")
    told = told.delete("b", PERSON, "one:B1") if gone else told
    return told.create("b", "d1", "two:B2", ref="r1", email="e1", name="n1", **{OBJECT: "two"}, **begins)


def beside(after_s: float, wrote: str = "", stood: bool = False) -> Story:
    """A record that a daemon made in b's second object, some time after people had made it in a, and in b's first one.
    `wrote`: which other record of a it wrote to before; A2 is made one with A1 by hand. `stood`: another one of people's
    stood in the second object then."""
    told = story(fields=(*CUSTOMER_FIELDS, PLACE), objects=(("b", ("one", "two")),))
    told.create("b", PERSON, "one:B1", ref="r1", email="e1", name="n1", **{OBJECT: "one"})
    told.create("a", PERSON, "A1", ref="r1", email="e1", name="n2", place="two").wait(after_s)
    if wrote:
        told.create("a", PERSON, "A2", ref="r2", email="e2", name="n3", place="two")
        told.update("a", "d1", wrote, name="n1").counts("a", "updated", 1)
        told.update("a", PERSON, "A1", email="e2", name="n2").delete("a", PERSON, "A2")
        told.update("a", PERSON, "A1", email="e1")
    if stood:
        told.create("b", PERSON, "two:B9", ref="r1", email="e1", name="n9", **{OBJECT: "two"})
    told.create("b", "d1", "two:B2", ref="r1", email="e1", name="n2", **{OBJECT: "two"})
    told = told.delete("b", PERSON, "two:B9") if stood else told
    return bound(told.counts("b", "created", 1), "A1", "two:B2")


def made_one_since() -> Story:
    """Two records of b, made of two of a, in another object each; then people make the two of a one."""
    told = story(fields=(*CUSTOMER_FIELDS, PLACE), objects=(("b", ("one", "two")),))
    for n, place in (("1", "one"), ("2", "two")):
        told.create("a", PERSON, f"A{n}", ref=f"r{n}", email=f"e{n}", name=f"n{n}", place=place)
    for n, place in (("1", "one"), ("2", "two")):
        told.create("b", "d1", f"{place}:B{n}", ref=f"r{n}", email=f"e{n}", name=f"n{n}", **{OBJECT: place})
    told.delete("a", PERSON, "A1").update("a", PERSON, "A2", email="e1").update(
        "b", "d1", "two:B2", email="e1"
    )
    return bound(told.counts("b", "created", 2).counts("b", "updated", 1), "A2", "two:B2")


def two_stand_elsewhere(told: Story) -> Story:
    """Likewise; another one stands in the second object too, of which people said that it is not the same."""
    return told.create("b", PERSON, "two:B3", ref="r1", email="e1", name="n1", **{OBJECT: "two"})


def begun_beside(after_s: float) -> Story:
    """Likewise; what is made there begins as the rules say."""
    told = story(fields=(*CUSTOMER_FIELDS, PLACE), objects=(("b", ("one", "two")),))
    told.evidence.laws = with_starts(told, ("b", "begun", "first"))
    told.create("b", PERSON, "one:B1", ref="r1", email="e1", name="n1", **{OBJECT: "one"})
    told.create("a", PERSON, "A1", ref="r1", email="e1", name="n2", place="two").wait(after_s)
    return told.create("b", "d1", "two:B2", ref="r1", email="e1", name="n2", begun="first", **{OBJECT: "two"})


def parted(left: str, marked: bool = False, sides: str = "ab") -> Story:
    """A record that a daemon moved, by a rule for what it leaves behind; then it is deleted on both sides (or one), and a
    deletion on a is to be undone."""
    told = placed(left)
    if marked:
        told.update("b", "d1", "one:B1", gone="yes").counts("b", "updated", 1)
    laws = told.evidence.laws
    told.evidence.laws = Laws((replace(laws.streams[0], restores=frozenset({"a"})), *laws.streams[1:]))
    told.counts("a", "created", 1).counts("b", "created", 1)
    told = told.delete("a", PERSON, "A1") if "a" in sides else told
    return told.update("b", PERSON, "one:B1", name="n7").delete("b", PERSON, "two:B2")


def again(edited: bool) -> Story:
    """A record that a daemon moved, and moves again from where it was left, since people deleted it in the new object."""
    told = placed("mark")
    told = told.update("b", PERSON, "one:B1", name="n7") if edited else told
    told.delete("b", PERSON, "two:B2").create(
        "b", "d1", "two:B3", ref="r1", email="e1", name="n1", **{OBJECT: "two"}
    )
    return bound(told.counts("a", "created", 1).counts("b", "created", 2), "A1", "two:B3")


def _renamed() -> Story:
    """A1 gets another id, and is said to belong into b's second object: the record is moved there."""
    told = story(fields=(*CUSTOMER_FIELDS, PLACE), objects=(("b", ("one", "two")),), removes="a")
    told.evidence.plain = frozenset({"a", "b"})
    told.create("b", PERSON, "one:B1", ref="r1", email="e1", **{OBJECT: "one"})
    told.create("a", "d1", "A1", ref="r1", email="e1", place="one").delete("a", PERSON, "A1")
    told.at -= 1.0
    told.create("a", PERSON, "A2", ref="r1", email="e1", place="one").wait(500.0)
    told.update("a", PERSON, "A2", place="two").wait(50.0)
    told.create("b", "d1", "two:B2", ref="r1", email="e1", **{OBJECT: "two"})
    return told.delete("b", "d1", "one:B1")


def _unmarked(told: Story) -> Story:
    return told.update("b", BACKUP, "one:B1", gone=None)


def with_starts(told: Story, start: tuple[Side, str, Value]) -> Laws:
    first, *others = told.evidence.laws.streams
    return Laws((replace(first, starts=(start,)), *others))


def bound(told: Story, a: str, b: str) -> Story:
    told.evidence.store.pairs.add(("customers", a, b))
    return told


def clash(told_by_all: bool = True) -> Story:
    """A record of b that a person gave a phone, long ago, which a new one of a has as well."""
    told = story(match=(("ref",), ("email",)), clashes=1)
    told.evidence.plain = frozenset({"a", "b"}) if told_by_all else frozenset()
    told.create("b", PERSON, "B1", ref="r1", email="e1").wait(1000)
    return told.create("a", PERSON, "A2", ref="r2", email="e1")


def loading(told: Story, at: float) -> Story:
    told.evidence.loaded["customers"] = at
    return told


def approved(told: Story) -> Story:
    told.evidence.approved["customers", "merges"] = 1
    return told


def merged(rule: str) -> Story:
    """Of two pairs one was merged into the other in a; then a daemon deletes its partner."""
    told = story(removes="a", on_merge=rule, match=(("email",),), key="ref")
    told.evidence.plain = frozenset({"a", "b"})
    for n in "12":
        told.create("b", PERSON, f"B{n}", ref=f"r{n}", email=f"e{n}")
        told.create("a", "d1", f"A{n}", ref=f"r{n}", email=f"e{n}")
        bound(told, f"A{n}", f"B{n}")
    told.update("a", PERSON, "A1", email="e2").delete("a", PERSON, "A2").wait(100)
    return told.delete("b", "d1", "B2")


def document(*effects: tuple[str, float]) -> Story:
    """A document that a daemon made in b of one of a; what was told of which documents, and when."""
    told = bound(made(story(once=frozenset({"b"}), effect="moves", stages=frozenset({"b"}))), "A1", "B1")
    told.evidence.decisions.clear()
    told.decides("A1", "staged", "import")
    told.evidence.decisions[0] = _at_once(told)
    told.evidence.effects += [
        Entry(told.at + at, told.at + at, "b", "moves", f"M{n}", "create", "d1", {}, None, {"sale": sale})
        for n, (sale, at) in enumerate(effects)
    ]
    return told


def listed(told: Story, room: str) -> Story:
    """The pair of a document stands in a waiting room in the end."""
    told.evidence.store.parked.append(
        ParkedRow("customers", room, {"a": "A1", "b": "B1"}, "", "no entry for it")
    )
    return told


def _moved_on(told: Story, id: str = "B9", who: str = PERSON) -> Story:
    """The document is deleted, and stands there under another id, or is brought back."""
    return told.delete("b", PERSON, "B1").wait(9).create("b", who, id, ref="r1", email="e1", name="n1")


def _made_one(told: Story) -> Story:
    """People make the document one with another one of theirs, which takes over its key."""
    told.create("b", PERSON, "B9", ref="r9", email="e9", name="n9")
    return told.update("b", PERSON, "B9", email="e1").delete("b", PERSON, "B1")


def _put_back(told: Story) -> Story:
    """A backup takes the document away, and a person has it put back."""
    told.delete("b", BACKUP, "B1").decides("A1", "*delete*", "restore")
    told.create("b", "d1", "B2", ref="r1", email="e1", name="n1").counts("b", "created", 2)
    return bound(told, "A1", "B2")


def _at_once(told: Story) -> Any:
    (one,) = told.evidence.decisions
    return type(one)(told.evidence.entries[1].asked, one.stream, one.ids, one.field, one.choose)


def commanded(*spans: tuple[float, float]) -> Story:
    told = made(story(command=frozenset({"b"})))
    told.evidence.commanded += [Span(*span) for span in spans]
    return told


def spent(approved: int) -> Story:
    """Two deletions of a daemon, of which people approved some; one is allowed."""
    told = loading(story(removes="a"), 0.0)
    told.evidence.budgets = {"deletes": Budget(1, 0.0, 1)}
    told.evidence.approved["customers", "deletes"] = approved
    for n in "12":
        told.create("a", PERSON, f"A{n}", ref=f"r{n}", email=f"e{n}")
        told.create("b", "d1", f"B{n}", ref=f"r{n}", email=f"e{n}").delete("a", PERSON, f"A{n}")
        told.delete("b", "d1", f"B{n}")
    return told


def taken_back(given_up: int, loaded: float = 0.0) -> Story:
    """A record that a daemon made, that a backup took away again before a look could show it (or `given_up` is 0: one
    did), and that was made once more; one creation is allowed."""
    told = loading(story().create("a", PERSON, "A1", ref="r1", email="e1"), loaded)
    told.evidence.budgets = {"creates": Budget(1, 0.0, 1)}
    told.create("b", "d1", "B1", ref="r1", email="e1").delete("b", BACKUP, "B1")
    told.evidence.store.given_up["customers", "b", "B1"] = given_up
    return told.create("b", "d1", "B2", ref="r1", email="e1")


def fallen() -> Story:
    told = story()
    told.evidence.crashes.append(Violation("crash", "link/sim fell over", 1.0))
    return told


SAFE: dict[str, tuple[Callable[[], Story], str]] = {
    "an order as it is": (order, ""),
    "an order that does not add up": (lambda: order(1), "sums"),
    "the lines of one side beside the sum of the other": (
        lambda: order().update("b", PERSON, "B1", items=lines(1, 2, 7), sum=Decimal(10)).decides(
            "A1", "sum").update("a", "d1", "A1", items=lines(1, 2, 7)), "sums",
    ),
    "lines that nobody gave": (lambda: order(0, 1, 2, 9), "no invention"),
    "a line that stands there twice": (lambda: order(0, 1, 1), "lines twice"),
    "a line of a person's is taken out": (
        lambda: order().update("b", PERSON, "B1", items=lines(1, 2, 7), sum=Decimal(10)).names(
            "sum", Decimal(10)
        ).decides("A1", "sum").update("b", "d1", "B1", items=lines(1, 2), sum=Decimal(3)), "no silent loss",
    ),
    "an imported order that was cut before its lines": (lambda: imported(False), ""),
    "an imported order without its lines": (lambda: imported(True), "staged"),
    "what a move left is removed": (lambda: placed().delete("b", "d1", "one:B1"), ""),
    "what a move left is removed though its partner got another id before": (lambda: _renamed(), ""),
    "what a move left is removed though it was to stay": (
        lambda: placed("keep").delete("b", "d1", "one:B1"), "left behind"
    ),
    "what was edited in the old object goes with it": (
        lambda: placed().update("b", PERSON, "one:B1", name="n9").delete("b", "d1", "one:B1"), "no silent loss"
    ),
    "moved twice": (
        lambda: placed().create("b", "d1", "two:B3", ref="r1", email="e1", name="n1", **{OBJECT: "two"}),
        "",  # of several nobody knows which counts; what is left is told at the end
    ),
    "what a move left is marked": (lambda: placed("mark").update("b", "d1", "one:B1", gone="yes"), ""),
    "what a move left is marked though it is to be removed": (
        lambda: placed().update("b", "d1", "one:B1", gone="yes"), "ownership"
    ),
    "what no move left is marked": (lambda: placed("mark").update("b", "d1", "two:B2", gone="yes"), "ownership"),
    "what a move left is removed though it is to be marked": (
        lambda: placed("mark").delete("b", "d1", "one:B1"), "left behind"
    ),
    "moved with what somebody had put there": (lambda: placed(was="mine", now="mine"), ""),
    "moved, and begun once more": (lambda: placed(was="mine", now="first"), "starts with"),
    "made beside what nobody need have seen yet": (lambda: begun_beside(9), ""),
    "made beside what was there for long": (lambda: begun_beside(500), "starts with"),
    "moved without what it held": (lambda: placed(was="mine"), "starts with"),
    "deleted, and made in another object": (lambda: placed(was="mine", now="first", gone=True), ""),
    "a clash key makes no pair": (lambda: bound(clash(), "A2", "B1"), "clash"),
    "made beside one with the clash key": (
        lambda: clash().create("b", "d1", "B2", ref="r2", email="e1"), "clash"
    ),
    "made on a side that may not have told of the other one yet": (
        lambda: clash(False).create("b", "d1", "B2", ref="r2", email="e1"), ""
    ),
    "written where the load may write": (lambda: loading(made(story()), 5000), ""),
    "written where the load may not": (
        lambda: loading(made(story(initial_load=frozenset({"a"}))), 5000), "initial load"
    ),
    "made at the load": (lambda: loads("on"), ""),
    "made at the load where the rule makes nobody then": (lambda: loads("off"), "initial load"),
    "a partner of who was merged is deleted": (lambda: merged("keep"), "merge"),
    "a partner of who was merged follows on a yes": (lambda: approved(merged("follow")), ""),
    "a partner of who was merged follows, and nobody said yes": (lambda: merged("follow"), "merge"),
    "merged by a rule that says so": (lambda: merged("delete"), ""),
    "told of once": (lambda: document(("B1", 1)), ""),
    "told of twice": (lambda: document(("B1", 1), ("B1", 2)), "effects"),
    "told of what was given another id since": (lambda: _moved_on(document(("B9", 12))), ""),
    "told of what a backup brought back after that": (lambda: _moved_on(document(("B1", 1)), "B1", BACKUP), ""),
    "told of what people made one with it": (lambda: _made_one(document(("B9", 12))), ""),
    "told of before a backup made it": (lambda: _moved_on(document(("B9", 1)), "B9", BACKUP), "effects"),
    "told of what we did not make": (lambda: document(("B1", 1), ("B9", 2)), "effects"),
    "written on command": (lambda: commanded((1000, 1010)), ""),
    "written as the command came": (lambda: commanded((1000.5 + 1e-10, 1000.5 + 1e-10)), ""),
    "written before the command": (lambda: commanded((1001, 1010)), "on command"),
    "written without a command": (commanded, "on command"),
    "within the budget and what was approved": (lambda: spent(1), ""),
    "beyond the budget": (lambda: spent(0), "budgets"),
    "made, taken back by a backup unseen, and made again": (lambda: taken_back(1), ""),
    "made, seen, taken back by a backup, and made again": (lambda: taken_back(0), "budgets"),
    "made while all is loaded": (lambda: taken_back(0, 1000.5 - 1e-10), ""),
    "an actor fell over": (fallen, "crash"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAFE)
def test_what_must_hold_at_any_moment(name: str) -> None:
    told, violation = SAFE[name]
    assert found(told()) == ({violation} if violation else set())


def one_is_left(hidden: bool) -> Story:
    """Nobody is made anywhere. Of a pair one is deleted, and the other one should go; no look showed that for a while."""
    told = story(removes="a", creates=frozenset())
    told.evidence.plain = frozenset({"a", "b"})
    for side in ("a", "b"):
        told.create("a" if side == "a" else "b", PERSON, f"{side.upper()}1", ref="r1", email="e1")
    bound(told, "A1", "B1").wait(500).delete("a", PERSON, "A1").wait(50)
    return told.hides("b", "B1", 100.0) if hidden else told


def _loaded_anew(forgot: bool) -> Story:
    """B1 was made of A1, which is deleted (and by then b's state was set back); the next load writes nobody to a."""
    told = made(story("a", initial_load=frozenset({"b"}))).counts("b", "created", 1).wait(500)
    told.evidence.set_back += [told.at] if forgot else []
    told.delete("a", PERSON, "A1").wait(50)
    return loading(told, 5000)


def loads(rule: str) -> Story:
    """A record that a daemon made while the stream was loaded."""
    return loading(made(story(initial_creates=rule)), 5000)


def reported(rule: bool) -> Story:
    """An edit of what the other side owns stays there, and is recorded as such."""
    fields = (*CUSTOMER_FIELDS[:2], FieldLaw("name", owner="a", reports=rule))
    told = bound(made(story(fields=fields)), "A1", "B1").counts("b", "created", 1)
    told.update("b", PERSON, "B1", name="n9")
    told.evidence.store.deviations.append(Deviation("customers", "b", "B1", "name", "n9", "reported"))
    return told


def taken_over(rule: str, key: str) -> Story:
    """Two pairs. In b the second record takes over a clash key (or gets another one), and the first one is deleted."""
    told = story("", "b", on_merge=rule, match=(("ref",), ("email",)), clashes=1)
    for n in ("1", "2"):
        told.create("a", PERSON, f"A{n}", ref=f"r{n}", email=f"e{n}")
        told.create("b", "d1", f"B{n}", ref=f"r{n}", email=f"e{n}")
        bound(told, f"A{n}", f"B{n}")
    told.update("b", PERSON, "B2", email=key).update("a", "d1", "A2", email=key).delete("b", PERSON, "B1")
    return told.counts("b", "created", 2).counts("a", "updated", 1)


ENDS: dict[str, tuple[Callable[[], Story], str]] = {
    "every document is told of": (lambda: document(("B1", 1)), ""),
    "a document was never told of": (document, "effects"),
    "a document waits itself, and was not told of yet": (lambda: listed(document(), "waiting"), ""),
    "a document that was never told of is refused": (lambda: listed(document(), "quarantine"), "effects"),
    "a document that was told of is put back under another id": (lambda: _put_back(document(("B1", 1))), ""),
    "a document that was never told of is put back under another id": (lambda: _put_back(document()), "effects"),
    "what a move left is still there": (
        lambda: bound(placed().counts("a", "created", 1).counts("b", "created", 1), "A1", "two:B2"),
        "convergence",
    ),
    "what nobody knew of is still there beside what was made": (lambda: beside(9), ""),
    "what nobody knew of is still there, and another one was made one with it": (lambda: beside(9, "A2"), ""),
    "what was written to is still there beside what was made": (lambda: beside(9, "A1"), "convergence"),
    "what was there for long is still there": (lambda: beside(500), "convergence"),
    "what people made one with a record of another object is still there": (made_one_since, ""),
    "what was there for long is still there, and more than one stands elsewhere": (
        lambda: two_stand_elsewhere(beside(500)), ""
    ),
    "what was there for long is still there, and another one stood elsewhere when one was made": (
        lambda: beside(500, stood=True), ""
    ),
    "what a move kept in the old object, and both others are deleted": (lambda: parted("keep"), ""),
    "what a move kept in the old object, and the one in the new one is deleted": (lambda: parted("keep", sides="b"), ""),
    "what a move should have marked, and the one in the new one is deleted": (
        lambda: parted("mark", sides="b"), "convergence"
    ),
    "what a move marked in the old object, and both others are deleted": (lambda: parted("mark", True), ""),
    "what a move marked, and a backup took both back": (lambda: _unmarked(parted("mark", True, "")), ""),
    "what a move should have marked, and both others are deleted": (lambda: parted("mark"), "convergence"),
    "what a move left and people edited is not marked when it is put back": (lambda: again(True), ""),
    "what a move left is not marked when it is put back": (lambda: again(False), "convergence"),
    "what a move left is not marked": (
        lambda: bound(placed("mark").counts("a", "created", 1).counts("b", "created", 1), "A1", "two:B2"),
        "convergence",
    ),
    "what a move left is marked in the end": (
        lambda: bound(
            placed("mark").update("b", "d1", "one:B1", gone="yes").counts("a", "created", 1)
            .counts("b", "created", 1).counts("b", "updated", 1), "A1", "two:B2"
        ),
        "",
    ),
    "what a daemon made before it forgot all, and the next load left, stays alone": (lambda: _loaded_anew(True), ""),
    "what a daemon made, and forgot nothing of, is to go": (lambda: _loaded_anew(False), "convergence"),
    "what the load left where it is stays alone": (
        lambda: loading(story(initial_load=frozenset({"a"})).create("a", PERSON, "A1", ref="r1", email="e1"), 5000),
        "",
    ),
    "what came at the very moment at which all was loaded stays alone": (
        lambda: loading(story(initial_load=frozenset({"a"})).create("a", PERSON, "A1", ref="r1", email="e1"), 1000 - 1e-7),
        "",
    ),
    "what the rule leaves out of the load stays alone": (
        lambda: loading(story(initial_creates="off").create("a", PERSON, "A1", ref="r1", email="e1"), 5000), ""
    ),
    "a partner that is to go is left": (lambda: one_is_left(False), "convergence"),
    "a partner that nobody saw when it was to go is left": (lambda: one_is_left(True), ""),
    "an edit on the wrong side is reported": (lambda: reported(True), ""),
    "an edit on the wrong side is not put back": (lambda: reported(False), "convergence"),
    "who was merged is to be put back, and a rule keeps its partner": (lambda: taken_over("keep", "e1"), ""),
    "who was merged is to be put back, and no rule keeps its partner": (
        lambda: taken_over("delete", "e1"), "convergence"
    ),
    "who is gone is to be put back, and nobody has its key": (lambda: taken_over("keep", "e9"), "convergence"),
    "what came after the load stays alone": (
        lambda: loading(story(initial_load=frozenset({"a"})).create("a", PERSON, "A1", ref="r1", email="e1"), 500),
        "convergence",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_what_must_hold_in_the_end(name: str) -> None:
    told, violation = ENDS[name]
    assert found_at_the_end(told().ends()) == ({violation} if violation else set())


@pytest.mark.parametrize("carried, invariants", [(False, set()), (True, {"ask"})])
def test_what_goes_along_when_a_record_is_moved_was_not_agreed_on_with_anybody(
    carried: bool, invariants: set[str]
) -> None:
    """Two that people made meet and differ. The object goes over first, which moves one of them; its website stands, or was
    told to the other one before that."""
    told = story(fields=(*CUSTOMER_FIELDS, PLACE), objects=(("b", ("one", "two")),), first_contact="b")
    told.create("b", PERSON, "one:B1", ref="r1", email="e1", website="w1", **{OBJECT: "one"})
    told.create("a", PERSON, "A1", ref="r1", email="e1", website="w1" if carried else "w2", place="two")
    if carried:
        told.update("b", PERSON, "one:B1", website="w2").update("b", "d1", "one:B1", website="w1").names(
            "website", "w2"
        )
        told.update("a", PERSON, "A1", website="w2")
    told.create("b", "d1", "two:B2", ref="r1", email="e1", website="w1", **{OBJECT: "two"})
    assert found(told.update("a", "d1", "A1", website="w1").names("website", "w2")) == invariants


def test_a_document_may_be_to_be_looked_at_once_more_for_what_it_is_told_of_with() -> None:
    """One of a, one that was made of it in b, and its movement: A1 and B1 twice; two streams in all, and articles."""
    told = document(("B1", 1))
    streams = len(told.evidence.laws.streams) + 1
    for hints, invariants in ((5 + 2 * streams, set[str]()), (6 + 2 * streams, {"bounded"})):
        told.evidence.store.inbox = hints
        assert found(told) == invariants
