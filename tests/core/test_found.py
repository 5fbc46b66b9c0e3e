"""Faults of the core that the simulation found, each as small as it can be said; the seed stands in the test."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.core.plan import RESTORE, Context, plan_new, plan_pair
from actors.core.policy import (
    Choice,
    DeletePolicy,
    FirstContact,
    Owner,
    OwnerCase,
)
from actors.core.settle import settle
from actors.core.types import (
    SIDES,
    Op,
    Room,
    State,
)
from tests.core.pairs import (
    NOW,
    bound,
    gone,
    one,
    seen,
    stream,
)


def test_an_address_that_is_put_back_is_never_made_of_two() -> None:
    """B's street deviates from what was agreed; its town was edited since, and A's record was deleted, to be put back.
    Seed 3503: the street that was agreed and the new town made an address that never stood anywhere."""
    spec = stream(one("street", group="address"), one("town", group="address"))
    half = bound(
        {"street": "Ring 1", "town": "Ulm"}, b_dev={"street": "RING 1"}, state=State.NEW, note=RESTORE
    )
    half = msgspec.structs.replace(half, a=None)
    for town, street in (("Bonn", "RING 1"), ("Ulm", "Ring 1")):
        look = seen("b", {"street": "RING 1", "town": town})
        (action,) = plan_new(spec, half, look, Context(NOW)).actions
        assert dict(action.fields) == {"street": street, "town": town}


def test_a_record_is_put_back_with_the_image_that_is_still_there() -> None:
    """B's image was left as it was by the initial load, and A's record was deleted, to be put back. Seed 200033: it was to
    be made with A's own image, which went with it, and so it was never made."""
    spec = stream(one("f"), one("image", attachment=True))
    half = bound({"f": "x", "image": "of a"}, b_dev={"image": "of b"}, state=State.NEW, note=RESTORE)
    look = seen("b", {"f": "x", "image": "of b"})
    (action,) = plan_new(spec, msgspec.structs.replace(half, a=None), look, Context(NOW)).actions
    assert dict(action.fields) == {"f": "x", "image": "of b"}


def test_a_record_is_not_put_back_without_what_it_needs() -> None:
    """A's record never had a street, B's was left as it was by the initial load, and A's was deleted, to be put back. Seed
    502908: it was to be made without one, since B shows one."""
    spec = stream(one("f"), one("street", required=True))
    for agreed, reasons in ((None, ["needs street"]), ("Ring 2", [])):
        half = bound({"f": "x", "street": agreed}, b_dev={"street": "Ring 1"}, state=State.NEW, note=RESTORE)
        look = seen("b", {"f": "x", "street": "Ring 1"})
        verdict = plan_new(spec, msgspec.structs.replace(half, a=None), look, Context(NOW))
        assert [row.reason for row in verdict.park] == reasons
        assert [dict(action.fields) for action in verdict.actions] == ([] if reasons else [half.base])


@pytest.mark.parametrize("rule", FirstContact)
@pytest.mark.parametrize("reply", [{"f": "x", "image": None}, {"f": "x"}])
def test_an_image_that_came_late_is_not_taken_away_for_the_record_was_made_without_it(
    rule: FirstContact, reply: dict[str, Any]
) -> None:
    """A's image was not delivered when B's record was made. Seed 510217 (and 756184, where the reply left it out as well):
    B's rule at first contact took it from A."""
    spec = stream(one("f"), one("image", attachment=True), first_contact=rule)
    half = msgspec.structs.replace(bound({}, state=State.NEW), b=None)
    (action,) = plan_new(spec, half, seen("a", {"f": "x"}), Context(NOW)).actions
    out = settle(spec, half, action, seen("b", reply), now=NOW, by_reply=True)
    assert out.open == tuple(reply)[1:]
    there, here = seen("a", {"f": "x", "image": "of a"}), seen("b", {"f": "x", "image": None})
    (write,) = plan_pair(spec, out.binding, there, here, Context(NOW)).actions
    assert (write.side, dict(write.fields)) == ("b", {"image": "of a"})


def test_what_was_not_delivered_is_not_deleted_with_the_record() -> None:
    """A deletes; B's price was edited, and this one look at B brings no price. Seed 3391: the record went with the edit,
    which no list named. It waits until the price is delivered, and then it is a deletion against an edit."""
    spec = stream(one("f"), one("price"), deletes=dict.fromkeys(SIDES, DeletePolicy.REMOVE))
    binding = bound({"f": "x", "price": 1})
    half = plan_pair(spec, binding, gone("a"), seen("b", {"f": "x"}), Context(NOW))
    (row,) = half.park
    assert (half.actions, row.room, "b.price" in row.reason) == ((), Room.WAITING, True)
    assert half.again_s > 0
    whole = plan_pair(spec, half.binding, gone("a"), seen("b", {"f": "x", "price": 2}), Context(NOW))
    (row,) = whole.park
    said = msgspec.structs.replace(row, decision={"choose": "remove"})
    for look, ops in ((seen("b", {"f": "x"}), []), (seen("b", {"f": "x", "price": 2}), [Op.DELETE])):
        verdict = plan_pair(spec, whole.binding, gone("a"), look, Context(NOW, parked=(said,)))
        assert [action.op for action in verdict.actions] == ops
        assert (said in verdict.park) is not bool(ops)


def test_nobodys_word_puts_a_record_back_on_a_side_that_is_only_read() -> None:
    """The ERP owns everything and deletes an article that was edited in the shop; a person says "restore". Seed 2485: it
    was made again in the ERP, which is never written to."""
    spec = stream(
        one("f", owner=Owner.A), creates=frozenset({"a"}), deletes=dict.fromkeys(SIDES, DeletePolicy.REMOVE)
    )
    left = seen("b", {"f": "edited"})
    verdict = plan_pair(spec, bound({"f": "x"}), gone("a"), left, Context(NOW))
    (row,) = verdict.park
    assert ("never written to" in row.reason, "restore" in row.hint) == (True, False)
    for choose, ops in (("restore", []), ("b", []), ("remove", [Op.DELETE]), ("keep", [])):
        said = msgspec.structs.replace(row, decision={"choose": choose})
        decided = plan_pair(spec, verdict.binding, gone("a"), left, Context(NOW, parked=(said,)))
        assert [action.op for action in decided.actions] == ops
        assert decided.binding.state is (State.TOMBSTONE if choose == "keep" else State.SETTLED)
        assert len(decided.park) == (choose in ("restore", "b"))


def test_what_is_contested_and_edited_on_both_sides_stays_its_owners() -> None:
    """The phone is b's once the record is bound; something in a answers each of our writes, so it is listed. Then b edits
    it too. Seed 204041: the entry was taken for a dispute from before the rule turned, and the newer value, a's, replaced
    b's without a word of anybody."""
    spec = stream(
        one("phone", conflict=Choice.NEWEST_ELSE_A, owner_cases=(OwnerCase(Owner.B, once_bound=True),))
    )
    binding = bound({"phone": "1"}, contests={"a.phone": (20, NOW)})
    looks = seen("a", {"phone": "answer"}), seen("b", {"phone": "2"})
    listed = plan_pair(spec, binding, *looks, Context(NOW))
    (row,) = listed.park
    again = plan_pair(spec, listed.binding, *looks, Context(NOW, parked=(row,)))
    assert (listed.actions, again.actions, again.park) == ((), (), (row,))
    said = msgspec.structs.replace(row, decision={"choose": "b"})
    (action,) = plan_pair(spec, listed.binding, *looks, Context(NOW, parked=(said,))).actions
    assert (action.side, dict(action.fields)) == ("a", {"phone": "2"})
