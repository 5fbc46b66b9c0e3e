"""The auditor on doubles: who is called the same, who is another one by now, and who need not have been seen."""

from __future__ import annotations

import math

from actors.core.values import Value
from tests.sim.evidence import MOMENT_S, Entry, Evidence
from tests.sim.laws import Side, other
from tests.sim.timeline import Timeline

Live = dict[tuple[str, Value], dict[str, Entry]]  # by side and reference: what there is, by id


def called(timeline: Timeline, live: Live, side: Side, ref: Value, until: Entry) -> set[str]:
    """The records of a side that were made with a reference, or were called so since (by who made two of them one)."""
    native = timeline.stream.named(timeline.stream.ref).native(side)
    others = (one for (at, _), those in live.items() if at == side for one in those.values())
    renamed = {one.id for one in others if (timeline.held(one, until) or {}).get(native) == ref}
    return {*live.get((side, ref), ()), *renamed}


def was_told(
    evidence: Evidence, timeline: Timeline, entry: Entry, word: str, field: str | None = None
) -> bool:
    """Whether a person had said that word of a record of this reference (of that field)."""
    ids = timeline.ids(timeline.ref(entry))
    return any(
        one.choose == word
        and field in (None, one.field)
        and one.at <= entry.asked + MOMENT_S
        and any(i in ids[s] for s, i in one.ids.items())
        for one in evidence.decisions
    )


def is_another(timeline: Timeline, one: Entry, new: Entry) -> bool:
    """Whether a record that people made has, by a person's hand, other keys by now than the new one: nobody can tell
    that they were meant to be the same. (Nor of one that a daemon made, if its state was set back since, or if people
    deleted its partner and made another, or no look showed that for a while.)"""
    last = timeline.held(one, new)
    forgotten = any(one.at < at < new.at for at in timeline.evidence.set_back)
    parted = any(
        e.outside and e.op == "delete" and e.side != one.side and one.at < e.at < new.at
        for e in timeline.about(timeline.ref(new))
    )
    theirs = timeline.ids(timeline.ref(new))[other(one.side)]
    parted = parted or any(
        hidden.by_id and hidden.id in theirs and one.at < hidden.span.began < new.at
        for hidden in timeline.evidence.hidden
        if (hidden.side, hidden.stream) == (other(one.side), one.stream)
    )
    if not (one.outside or forgotten or parted) or last is None:
        return False
    keys = timeline.stream.keys
    natives = [[timeline.stream.named(name).native(one.side) for name in names] for names in keys]
    return all(any(last.get(n) != new.sent.get(n) for n in names) for names in natives)


def may_be_unseen(evidence: Evidence, there: list[Entry], entry: Entry) -> bool:
    """Whether all that is there was made so shortly before that nobody need have seen it yet: outside, or by a daemon whose
    state was set back since, where a look may come late (or was known, and the state was set back so shortly before,
    where lists leave records out now and then); or was hidden: from lists where nobody knew it, from every look where a
    daemon had made it, has its id, and lost no state since."""

    def known(one: Entry) -> bool:
        lost = any(one.at < at < entry.at for at in evidence.set_back)
        return not one.outside and evidence.has_id(one) and not lost

    def unknown_since(one: Entry) -> float:
        lost = [at for at in evidence.set_back if one.at < at < entry.at]
        missed = lost if one.side in evidence.patchy else []
        as_new = one.outside or (lost and one.side not in evidence.plain)
        return max([*missed, one.at if as_new else -math.inf])

    return all(
        evidence.is_soon(unknown_since(one), entry.asked)
        or evidence.out_of_sight(one.side, one.stream, one.id, entry.asked, by_id=known(one))
        for one in there
    )
