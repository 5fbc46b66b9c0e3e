"""What is gone on one side and may have been merged there: the table of policies, rules and a person's words, mirrored."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.plan import Context, Verdict, plan_pair
from actors.core.policy import MERGES, DeletePolicy, StreamSpec
from actors.core.rooms import delete_print
from actors.core.stream_rules import OnMerge
from actors.core.types import SIDES, Op, Parked, Room, Side, State, other
from actors.core.verdict import RESTORE
from tests.core.pairs import NOW, bound, gone, one, seen, stream

WAS = {"name": "Ada"}
MARKS: dict[str, Any] = {"a": {"state": "gone"}, "b": {"state": "gone"}}


def spec(policy: DeletePolicy, rule: OnMerge) -> StreamSpec:
    deletes = dict.fromkeys(SIDES, policy)
    return stream(one("name"), deletes=deletes, mark=MARKS, on_merge=rule)


def word(verdict: Verdict) -> str:
    """A verdict in one word."""
    if verdict.actions:
        return {Op.DELETE: "removed", Op.MARK: "marked"}[verdict.actions[0].op]
    if verdict.park:
        return "waits" if verdict.park[0].room is Room.WAITING else "listed"
    return "restored" if RESTORE in verdict.binding.note else verdict.binding.state.value


def planned(
    here: Side,
    policy: DeletePolicy,
    rule: OnMerge,
    choice: str = "",
    edited: bool = False,
    referring: tuple[str, ...] | None = (),
) -> Verdict:
    """Gone on `here`, where another record has its key."""
    binding, left = bound(WAS), seen(other(here), {"name": "Ada L."} if edited else WAS)
    looks = (gone("a"), left) if here == "a" else (left, gone("b"))
    rows: tuple[Parked, ...] = ()
    if choice:
        print_ = delete_print(binding, left)
        said = {"choose": choice}
        row = Parked("customers", Room.CONFLICT, 1, "", field="*delete*", fingerprint=print_, decision=said)
        rows = (row,)
    ctx = Context(NOW, parked=rows, survivor=("B9", "mail"), referring=referring)
    return plan_pair(spec(policy, rule), binding, *looks, ctx)


DELETED = {
    DeletePolicy.IGNORE: "tombstone",
    DeletePolicy.MARK: "marked",
    DeletePolicy.REMOVE: "removed",
    DeletePolicy.RESTORE: "restored",
}
CONCLUDES = [policy for policy in DeletePolicy if policy is not DeletePolicy.IGNORE]


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize("policy", list(DeletePolicy))
@pytest.mark.parametrize("edited", [False, True])
def test_by_rule(here: Side, policy: DeletePolicy, edited: bool) -> None:
    asked = planned(here, policy, OnMerge.ASK, edited=edited)
    kept = planned(here, policy, OnMerge.KEEP, edited=edited)
    assert word(asked) == ("tombstone" if policy is DeletePolicy.IGNORE else "listed")
    assert word(kept) == "tombstone"
    if not edited:
        assert word(planned(here, policy, OnMerge.DELETE)) == DELETED[policy]
    if policy is not DeletePolicy.IGNORE:
        assert "it may have been merged into that" in asked.park[0].reason
        assert kept.binding.note == f"merged into B9 on {here}, kept on {other(here)}"
        assert kept.items[0].rule == "on_merge: keep"


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize("policy", CONCLUDES)
def test_by_a_person_s_word(here: Side, policy: DeletePolicy) -> None:
    words = {
        choice: word(planned(here, policy, OnMerge.ASK, choice)) for choice in ("keep", "remove", "restore")
    }
    assert words == {"keep": "tombstone", "remove": "removed", "restore": "restored"}


FOLLOWED = {
    DeletePolicy.IGNORE: "tombstone",
    DeletePolicy.MARK: "marked",
    DeletePolicy.REMOVE: "removed",
    DeletePolicy.RESTORE: "listed",
}


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize("policy", list(DeletePolicy))
@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("referring", [(), ("orders 7",), None], ids=["none", "one", "not known"])
def test_by_the_rule_follow(
    here: Side, policy: DeletePolicy, edited: bool, referring: tuple[str, ...] | None
) -> None:
    """It goes as a deletion would, each on a yes, and neither with an edit nor while something refers to it."""
    verdict = planned(here, policy, OnMerge.FOLLOW, edited=edited, referring=referring)
    expected = FOLLOWED[policy]
    if policy in (DeletePolicy.MARK, DeletePolicy.REMOVE):
        if edited or referring is None:
            expected = "listed"
        elif referring:
            expected = "waits"
    assert word(verdict) == expected
    if expected == "waits":
        assert verdict.again_s > 0 and "orders 7" in verdict.park[0].reason
    for action in verdict.actions:
        assert (action.kinds, action.rule) == (("deletes", MERGES), "on_merge: follow")


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize("rule", [OnMerge.ASK, OnMerge.FOLLOW])
def test_a_person_s_word_to_remove_it_waits_for_what_refers_to_it_and_stands_meanwhile(
    here: Side, rule: OnMerge
) -> None:
    waits = planned(here, DeletePolicy.REMOVE, rule, "remove", referring=("orders 7",))
    assert word(waits) == "waits" and [row.decision for row in waits.park] == [None, {"choose": "remove"}]
    for referring in ((), None):
        went = planned(here, DeletePolicy.REMOVE, rule, "remove", referring=referring)
        assert (word(went), went.actions[0].kinds) == ("removed", ("deletes",))


def test_it_says_nothing_of_a_tombstone() -> None:
    binding = bound(WAS, state=State.TOMBSTONE)
    ctx = Context(NOW, survivor=("B9", "mail"))
    verdict = plan_pair(spec(DeletePolicy.IGNORE, OnMerge.ASK), binding, gone("a"), seen("b", WAS), ctx)
    assert (verdict.actions, verdict.park) == ((), ())
