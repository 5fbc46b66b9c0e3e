"""The auditor on what comes back: what a system made of our values, where nobody can know that it did."""

from __future__ import annotations

from actors.core.values import Value
from tests.sim.evidence import Entry, Evidence
from tests.sim.laws import FieldLaw, other
from tests.sim.timeline import Timeline


def came_back(
    evidence: Evidence, timeline: Timeline, entry: Entry, law: FieldLaw, value: Value
) -> set[Value]:
    """What a system made of our values, where nobody can know that it did: in a write that it never answered (it is taken
    for somebody's edit), in a record that no look had shown for a while (deleted, and new as it stands) or whose partner
    none had (then that one counts as deleted), and in any before the daemon's own state was set back. `value` is also what
    had come back before in such a way: by then both sides have it.
    """
    ref, there = timeline.given_ref(entry), [one for one in timeline.before(entry) if one.side != entry.side]
    found = {
        (past.after or {}).get(law.native(past.side))
        for past in there
        if not (past.outside or evidence.was_answered(past))
        or evidence.was_hidden(past.side, past.stream, past.id, entry.asked)
        or any(past.at < at < entry.at for at in evidence.set_back)
        or takes_part_anew(timeline, past, entry)
        or lost_its_partner(evidence, timeline, past, entry)
        or timeline.given_ref(past) != ref  # people made the two one: what stands there is theirs
    }
    told = (past for past in there if not past.outside and past.sent.get(law.native(past.side)) == value)
    if value not in found and any(value in came_back(evidence, timeline, one, law, value) for one in told):
        found.add(value)
    return found


def lost_its_partner(evidence: Evidence, timeline: Timeline, past: Entry, entry: Entry) -> bool:
    """Whether no look showed a partner of the written record for a while after that: then it was new, as it stood."""
    return any(
        evidence.was_hidden(entry.side, past.stream, id, entry.asked, since=past.at)
        for id in timeline.ids(timeline.ref(past))[entry.side]
    )


def looks_undone(timeline: Timeline, write: Entry, law: FieldLaw) -> bool:
    """Whether what outside hands took back may look as if it had not been accepted: it was written for the first time, and
    no field on which both sides had agreed tells that somebody has saved the record since."""
    native = law.native(write.side)
    before = (one for one in timeline.record(write) if one.at < write.at and not one.outside)
    if any(native in one.sent for one in before):
        return False
    partner = next((one for one in timeline.before(write) if one.side != write.side), None)
    held, there = write.after or {}, (partner.after if partner is not None else None) or {}
    since = [one for one in timeline.record(write) if one.outside and one.at > write.at]
    return not any(
        field.native(write.side) in one.changed()
        and field.native(write.side) not in write.sent
        and held.get(field.native(write.side)) == there.get(field.native(other(write.side)))
        for one in since[:1]
        for field in timeline.stream.fields
    )


def takes_part_anew(timeline: Timeline, past: Entry, entry: Entry) -> bool:
    """Whether the record of which a new one is made had lost its partner, and was let in by its gate once more: it is new,
    as it stands."""
    gate = timeline.stream.gate(past.side)
    return (
        gate is not None
        and entry.op == "create"
        and any(one.side == entry.side and one.op == "delete" for one in timeline.before(entry))
        and any(not gate.lets(one.after) for one in timeline.record(past))
    )
