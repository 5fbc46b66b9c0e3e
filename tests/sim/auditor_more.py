"""The auditor on gates, documents, fields that are only read, starting values, a side's own values, required streams, and
on what may be written over."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from actors.core.values import Value
from tests.sim.auditor_latest import goes_unasked, imported_by_itself, is_of_the_day, was_of_the_day
from tests.sim.auditor_several import moved_from, place_of, source_of, was_known
from tests.sim.evidence import MOMENT_S, Entry, Evidence, Violation
from tests.sim.laws import MARK, MEMO, SIDES, FieldLaw, GateLaw, Side, other
from tests.sim.timeline import Timeline

# So long after a record was shut out something that was looked at before may still be on its way: a slow look, a write
# within its deadline, a system's tail and its lag.
UNDER_WAY_S = 90.0
IMPORTED = ("import", "retry")


def told_to_restore(evidence: Evidence, timeline: Timeline, entry: Entry) -> bool:
    """Whether a rule, or a person asked about a deletion, said to put that very record back."""
    ids = timeline.ids(timeline.ref(entry))
    if entry.op == "create" and (
        entry.side in timeline.stream.restores or timeline.stream.delete_vs_edit == "restore"
    ):
        return True
    return entry.op == "create" and any(
        one.choose == "restore"
        and one.at <= entry.asked + MOMENT_S
        and any(i in ids[s] for s, i in one.ids.items())
        for one in evidence.decisions
    )


# ------------------------------------------------------------------------------------ what may be written beside


def may_write(evidence: Evidence, timeline: Timeline, entry: Entry, native: str) -> bool:
    """Whether a rule lets a daemon write a native field that is no shared one, with the value that it sent."""
    stream, value = timeline.stream, entry.sent.get(native)
    past = list(timeline.before(entry))
    if native == MARK:
        return is_marked(timeline, entry)
    for law in stream.derived:
        if (law.shown, law.name) == (entry.side, native):
            return any(law.means(e.id, e.after) == value for e in past if e.side != entry.side and e.after)
    held = {(one.after or {}).get(native) for one in past if one.side == entry.side}
    moved = source_of(timeline, entry) is not None  # with all that it held
    own = entry.op == "create" and (moved or entry.side in stream.restores)
    if native == MEMO:
        return own and entry.side in stream.own and value in held
    if (entry.side, native) in stream.assigned:
        return moved and value in held
    starts = {(side, name): told for side, name, told in stream.starts}
    if entry.op == "create" and (entry.side, native) in starts:
        return (own and value in held) or starts[entry.side, native] == value
    gate = stream.gate(entry.side)
    puts_back = gate is not None and gate.then == "put_back" and native == gate.path
    return bool(puts_back and gate is not None and value in gate.values and entry.op == "update")


def is_marked(timeline: Timeline, entry: Entry) -> bool:
    """Whether a rule lets the daemon mark this record, or take its mark away: its partner was deleted, is shown by no
    look, or no longer takes part."""
    origin = other(entry.side)
    if entry.op != "update":
        return False
    if timeline.stream.left == "mark" and moved_away(timeline, entry):
        return True
    gate = timeline.stream.gate(origin)
    if gate is not None and gate.then == "deactivate" and was_shut(timeline, entry, origin, gate):
        return True
    gone = timeline.evidence.hidden or any(
        e.side == origin and e.op == "delete" for e in timeline.before(entry)
    )
    return origin in timeline.stream.marks and bool(gone)


def moved_away(timeline: Timeline, entry: Entry) -> bool:
    """Whether a daemon had made the entry's record in another object of its side, since it was there."""
    born = timeline.record(entry)[0].at
    made = (
        one for one in timeline.before(entry) if not one.outside and one.op == "create" and one.at >= born
    )
    places = [place_of(timeline, one) for one in made if one.side == entry.side and one.id != entry.id]
    return any(place != place_of(timeline, entry) for place in places)


def was_shut(timeline: Timeline, entry: Entry, side: Side, gate: GateLaw) -> bool:
    """Whether a record of the entry's reference did not take part on a side, at any time before."""
    return any(one.side == side and not gate.lets(one.after) for one in timeline.before(entry))


def starts_as_told(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """What a daemon makes begins with what the rules say, and nothing that is there is begun once more: what is made in
    another object of its side, since it moved there, goes on with what it held."""
    for entry in timeline.entries:
        if entry.outside or entry.op != "create" or told_to_restore(evidence, timeline, entry):
            continue
        was = source_of(timeline, entry)
        past = timeline.record(was) if was is not None else ()
        # Where it is gone by then nobody can tell, moved or new; nor where nobody need have seen it yet.
        gone = any(one.op == "delete" and one.at < entry.at for one in past)
        gone = gone or (was is not None and not was_known(timeline, was, entry))
        for side, name, value in timeline.stream.starts:
            held = {(one.after or {}).get(name) for one in past if one.op != "delete"}
            begins = {value} if was is None or gone else set()
            if side == entry.side and entry.sent.get(name) not in held | begins:
                yield Violation("starts with", f"{entry.who} made {entry.id} without {name}", entry.at)


# ------------------------------------------------------------------------------------------------------- gates


def gates_hold(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """Nothing is made of a record that never took part; nothing passes between two that no longer do."""
    for side, gate in timeline.stream.gates:
        for entry in timeline.entries:
            if entry.outside or timeline.is_merged(entry):
                continue
            if entry.op == "create" and entry.side != side:
                yield from made_of_nobody(evidence, timeline, entry, side, gate)
            elif entry.op == "update" and gate.then in ("detach", "deactivate"):
                yield from passed(evidence, timeline, entry, side, gate)


def made_of_nobody(
    evidence: Evidence, timeline: Timeline, entry: Entry, side: Side, gate: GateLaw
) -> Iterator[Violation]:
    if told_to_restore(evidence, timeline, entry):
        return
    past = [one for one in timeline.before(entry) if one.side == side]
    if not any(gate.lets(one.after) for one in past):
        yield Violation("gate", f"{entry.who} made {entry.id} of a record that was shut out", entry.at)
    elif gate.on == "edge" and side in evidence.plain and not any(set_anew(gate, one, 0.0) for one in past):
        if was_of_the_day(timeline, gate, past):
            return
        text = f"{entry.who} made {entry.id} of a record that took part before the link was there"
        yield Violation("gate", text, entry.at)


def set_anew(gate: GateLaw, entry: Entry, since: float) -> bool:
    """Whether a record began to take part with this entry, after that time."""
    return gate.lets(entry.after) and not gate.lets(entry.before) and entry.at > since


def passed(
    evidence: Evidence, timeline: Timeline, entry: Entry, side: Side, gate: GateLaw
) -> Iterator[Violation]:
    """Whether something shared was written although the record has been shut out for long."""
    shared = [name for name in entry.changed() if timeline.stream.law(entry.side, name) is not None]
    if not shared or side in evidence.drops:
        return
    record = last_of(timeline, entry, side)
    if record and all(not gate.lets(one.after) for one in record if one.at >= entry.asked - UNDER_WAY_S):
        since = [one for one in record if one.at < entry.asked - UNDER_WAY_S]
        if since and not gate.lets(since[-1].after):
            text = f"{entry.who} wrote {shared} of {entry.id}, whose record on {side} is shut out"
            yield Violation("gate", text, entry.at)


def last_of(timeline: Timeline, entry: Entry, side: Side) -> list[Entry]:
    """The history of the one record of the entry's reference on a side; [] where there were several, or it is gone."""
    past = [one for one in reversed(list(timeline.before(entry))) if one.side == side]
    past = [*past, entry] if entry.side == side else past
    ids = {one.id for one in past}
    return past if len(ids) == 1 and past[-1].op != "delete" and past[0].op == "create" else []


def ever_shut(timeline: Timeline, ref: Value) -> bool:
    """Whether some record of a reference was kept out by a gate at any time; on an edge, because it never began to take
    part while the link was there."""
    for side, gate in timeline.stream.gates:
        past = [one for one in timeline.about(ref) if one.side == side and one.after is not None]
        shut = any(not gate.lets(one.after) for one in past)
        loaded = timeline.evidence.loaded.get(timeline.stream.name, 0.0)
        if past and (shut or (gate.on == "edge" and not any(set_anew(gate, one, loaded) for one in past))):
            return True
    return False


def takes_part(timeline: Timeline, entry: Entry) -> bool:
    """Whether a record (by its last entry) lets itself be carried over, by the gate of its side."""
    gate = timeline.stream.gate(entry.side)
    if gate is None:
        return True
    if gate.on == "level" or is_of_the_day(timeline, gate, entry):
        return gate.lets(entry.after)
    return gate.lets(entry.after) and surely_anew(timeline, entry, gate)


def surely_anew(timeline: Timeline, entry: Entry, gate: GateLaw) -> bool:
    """Whether a record was made, or let in after it had been shut out (or gone, under this id) for long enough to be seen,
    once all was loaded (and remembered: what was seen before the daemon's own state was set back need not be)."""
    loaded = timeline.evidence.loaded.get(timeline.stream.name, 0.0)
    past = (one for one in timeline.before(timeline.record(entry)[0]) if one.op == "delete")
    since = next((one.at for one in past if (one.side, one.id) == (entry.side, entry.id)), None)
    for one in timeline.record(entry):
        forgotten = max((at for at in timeline.evidence.set_back if at <= one.at), default=-math.inf)
        seen_s = timeline.evidence.laws.race_s
        if set_anew(gate, one, loaded) and (since is None or one.at - max(since, forgotten) > seen_s):
            return True
        since = None if gate.lets(one.after) else (one.at if since is None else since)
    return False


# --------------------------------------------------------------------------------------------------- documents


def documents(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """What is staged is made on a person's word for what was shown; what is written once is not written again."""
    stream = timeline.stream
    for entry in timeline.entries:
        if entry.outside:
            continue
        if entry.side in stream.once and entry.op == "update":
            again = [name for name in entry.changed() if stream.law(entry.side, name) is not None]
            again = [] if completes(evidence, timeline, entry) else again
            if again:
                yield Violation("once", f"{entry.who} wrote {again} of {entry.id} again", entry.at)
        if entry.side in stream.stages and entry.op == "create":
            yield from staged(evidence, timeline, entry)


def completes(evidence: Evidence, timeline: Timeline, entry: Entry) -> bool:
    """Whether a write adds nothing but lines (and what a gate goes by) to a record whose making may have been cut between
    two of its steps."""
    law, made = timeline.stream.units, timeline.record(entry)[0]
    if law is None or made.outside or evidence.was_answered(made):
        return False
    changed = {name for name in entry.changed() if timeline.stream.law(entry.side, name) is not None}
    return changed == {law.native(entry.side)}


def staged(evidence: Evidence, timeline: Timeline, entry: Entry) -> Iterator[Violation]:
    was_there = any(one.side == entry.side for one in timeline.before(entry))
    if was_there and told_to_restore(evidence, timeline, entry):
        return
    if source_of(timeline, entry) is not None:
        return
    ids, origin = timeline.ids(timeline.ref(entry)), other(entry.side)
    words = [
        one.at
        for one in evidence.decisions
        if one.choose in IMPORTED and one.at <= entry.asked + MOMENT_S and one.ids.get(origin) in ids[origin]
    ]
    if timeline.stream.imports == "never":
        yield Violation("imports", f"{entry.who} made {entry.id}, which is never imported", entry.at)
        return
    if imported_by_itself(evidence, timeline, entry):
        words.append(entry.asked)
    if not words:
        yield Violation("staged", f"{entry.who} made {entry.id}, and nobody had said so", entry.at)
        return
    for native, value in entry.sent.items():
        law = timeline.stream.law(entry.side, native)
        if law is None or law.reference or law.type == "list" or value is None:
            continue
        if law.type == "lines" and not evidence.was_answered(entry):
            continue  # it may have been cut before the last line; the others follow (`completes`)
        there = law.native(origin)
        shown = [
            one for one in timeline.before(entry) if one.side == origin and one.at <= max(words) + MOMENT_S
        ]
        if not any((one.after or {}).get(there) == value for one in shown):
            text = f"{entry.who} made {entry.id} with {law.name}={value!r}, which nobody was shown"
            yield Violation("staged", text, entry.at)


# ------------------------------------------------------------------------------------- what may be written over


def put_back(evidence: Evidence, timeline: Timeline, entry: Entry) -> bool:
    """Whether outside hands (a backup, an old form) had put back the whole record as it was before our last write, where no
    reply to that had said all, before anybody need have looked: as if it had not been accepted. It is made once more (also
    if it was edited since: nothing was settled that this could be an edit of). What is told to new records only is settled
    nowhere: nobody can know what it was."""
    natives = [law.native(entry.side) for law in timeline.stream.fields if not law.on_create_only]

    def shared(held: Mapping[str, Value] | None) -> list[Value]:
        return [(held or {}).get(native) for native in natives]

    past = [one for one in timeline.record(entry) if one.at < entry.at]
    last = max((at for at, one in enumerate(past) if one.outside), default=0)
    ours = [one for one in past[:last] if not one.outside]
    if entry.side not in evidence.blind or not ours:
        return False
    again = any(shared(one.before) == shared(ours[-1].before) for one in ours[:-1])
    back = next(one for one in past if one.outside and one.at > ours[-1].at)
    in_time = back.at - ours[-1].at <= evidence.laws.race_s
    return in_time and not again and shared(back.after) == shared(ours[-1].before)


def taken_back(evidence: Evidence, timeline: Timeline, write: Entry, law: FieldLaw) -> bool:
    """Whether a backup, or an old form that a person saved, took back what a daemon had written, where no reply told it,
    before anybody need have looked: it need not have been settled (and where nothing is written over, nobody is asked)."""
    native = law.native(write.side)
    return write.side in evidence.blind and any(
        one.outside
        and write.at < one.at <= write.at + evidence.laws.race_s
        and (one.after or {}).get(native) == (write.before or {}).get(native)
        for one in timeline.record(write)
    )


def left_as_it_is(evidence: Evidence, timeline: Timeline, entry: Entry, law: FieldLaw) -> bool:
    """Whether a person was asked about the value (it was given after the record had been written once on the other side) and
    said that both stay as they are, or the initial load left them so: then it is settled, and whoever edits the field next
    on either side is carried. (Who puts back what stood there then edits nothing, until something is carried.)"""
    writer, ids = timeline.writer(entry, law.native(entry.side)), timeline.ids(timeline.ref(entry))
    if stands_as_settled(evidence, timeline, entry, law):
        return True
    if goes_unasked(evidence, timeline, entry, law):
        return True
    if writer is not None and left_by_the_load(evidence, timeline, entry, law, writer):
        return True
    return writer is not None and any(
        (one.stream, one.field) == (timeline.stream.name, "*once*")
        and one.at <= entry.at + MOMENT_S
        and (writer.at <= one.at + MOMENT_S or _stood(timeline, entry, law, one.at))
        and any(id in ids[side] for side, id in one.ids.items())
        for one in evidence.decisions
    )


def _stood(timeline: Timeline, entry: Entry, law: FieldLaw, at: float) -> bool:
    """Whether the record of an entry held then what the entry found there, and no daemon wrote the field since."""
    native = law.native(entry.side)
    since = [one for one in timeline.before(entry) if one.at > at]
    if any(not one.outside and law.native(one.side) in one.changed() for one in since):
        return False
    held = [one for one in timeline.record(entry) if one.at <= at]
    return bool(held) and (held[-1].after or {}).get(native) == (entry.before or {}).get(native)


def stands_as_settled(evidence: Evidence, timeline: Timeline, entry: Entry, law: FieldLaw) -> bool:
    """Whether a record shows once more what its system had made of our last write of a field, as the reply told: an old form
    put it back, and that is no edit (until anything else of it is carried, to either side)."""
    native = law.native(entry.side)
    ours = (one for one in timeline.before(entry) if not one.outside and law.native(one.side) in one.sent)
    last = next(ours, None)
    return (
        last is not None
        and timeline.one_record(last, entry)
        and evidence.was_answered(last)
        and (last.after or {}).get(native) == (entry.before or {}).get(native)
    )


def left_by_the_load(
    evidence: Evidence, timeline: Timeline, entry: Entry, law: FieldLaw, writer: Entry
) -> bool:
    """Whether the other side, which the initial load does not write to, was left as it was beside the value of `writer` (or
    beside the same one, which he put back before another one was carried), and somebody edited it since, or since the look
    that this was left by (under whichever id; it may have moved while this was written)."""
    value = (entry.before or {}).get(law.native(entry.side))
    unit = [one for one in timeline.stream.fields if one is law or (law.group and one.group == law.group)]
    there = {one.native(other(entry.side)) for one in unit}  # who edits one of a group gives all of it
    past = (one for one in timeline.before(entry) if one.side != entry.side and one.op != "delete")
    edit = next((one for one in past if not there.isdisjoint(one.changed())), None)
    if edit is None or not edit.outside or edit.side in timeline.stream.initial_load:
        return False
    ids, was = timeline.ids(timeline.ref(entry))[edit.side], (edit.before or {}).get(law.native(edit.side))
    carried = [
        one.at for one in timeline.before(entry) if not one.outside and not there.isdisjoint(one.changed())
    ]
    return any(
        (one.stream, one.side, one.field, one.of) == (edit.stream, edit.side, law.name, value)
        and one.id in ids
        and (at < edit.at or one.value == was)
        and (writer.at <= at or not any(at < one <= writer.at for one in carried))
        for at, one in evidence.left
    )


def bounded(evidence: Evidence) -> Iterator[Violation]:
    """The inbox never holds more than the records there are, each once for every stream that it is looked at in (a document
    also in that of its effect); one live plan per stream and kind."""
    records = {(entry.side, entry.stream, entry.id) for entry in (*evidence.entries, *evidence.effects)}
    effects = {law.name: law.effect for law in evidence.laws.streams if law.effect}
    records |= {(side, effects[stream], id) for side, stream, id in records if stream in effects}
    limit = len(records) + 2 * (len(evidence.laws.streams) + len(effects))
    if evidence.store.inbox > limit:
        yield Violation("bounded", f"{evidence.store.inbox} hints for {len(records)} records")
    live = evidence.store.live_plans
    if len(set(live)) != len(live):
        yield Violation("bounded", f"more than one live plan of a kind: {live}")


def right_account(evidence: Evidence) -> Iterator[Violation]:
    """Nothing is ever written into another account than the one that was linked."""
    for what in evidence.astray:
        yield Violation("another account", f"in an account that is none of the link's: {what}")


def required_streams(evidence: Evidence) -> Iterator[Violation]:
    """Nothing is made in a stream while one that it requires has no pair."""
    for law in evidence.laws.streams:
        for name in law.requires:
            needed = Timeline(evidence, evidence.laws.by_name[name])
            since = min((first_pair(needed, ref) for ref in needed.refs()), default=float("inf"))
            for entry in evidence.of(law):
                if not entry.outside and entry.op == "create" and entry.asked < since:
                    yield Violation("requires", f"{entry.who} made {entry.id} without any {name}", entry.at)


def first_pair(timeline: Timeline, ref: Value) -> float:
    """When a reference first had a record on both sides."""
    firsts = [
        min((one.at for one in timeline.about(ref) if one.side == side), default=float("inf"))
        for side in SIDES
    ]
    return max(firsts)


# ------------------------------------------------------------------------------------------------------- moves


def moved_stays(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """A record that got another id is not deleted on the other side (where all that happens is told of at once)."""
    for entry in timeline.entries:
        origin = other(entry.side)
        if entry.outside or entry.op != "delete" or origin not in evidence.plain:
            continue
        if moved_from(timeline, entry) is not None:
            continue  # what a move of our own left in the old object
        ref = timeline.given_ref(entry)  # who was made one with it by hand is not who it was
        past = [
            one
            for one in timeline.before(entry)
            if one.side == origin and one.at < entry.asked and timeline.given_ref(one) == ref
        ]
        ends = {one.at for one in past if one.op == "delete"}
        others = {one.id for one in past if one.op == "delete"}
        others |= {said.ids.get(origin, "") for said in evidence.decisions if said.choose == "different"}
        here = {one.id for one in past if one.op == "create" and one.at in ends} - others
        if here:
            text = f"{entry.who} deleted {entry.id}, whose partner is {', '.join(sorted(here))} by now"
            yield Violation("moved", text, entry.at)


def forgotten(evidence: Evidence, end: Entry, entry: Entry) -> bool:
    """Whether a daemon deleted a record because no look showed its partner (the one of `entry`), and its state was set back
    since: it finds the record gone, and nobody can tell that it was itself who did it."""
    unseen = evidence.out_of_sight(entry.side, entry.stream, entry.id, end.asked, by_id=True)
    return unseen and any(end.at < at < entry.asked for at in evidence.set_back)


# ------------------------------------------------------------------------------------------------- in the end


def derived_agree(
    evidence: Evidence, timeline: Timeline, pair: Mapping[Side, Entry], is_listed: Callable[[str], bool]
) -> Iterator[Violation]:
    """What is only read on one side is shown on the other, but where a room holds that very field."""
    for law in timeline.stream.derived:
        if law.shown in timeline.stream.once or is_listed(law.name):
            continue
        there, origin = pair[law.shown], pair[other(law.shown)]
        right, shown = law.means(origin.id, origin.after or {}), (there.after or {}).get(law.name)
        if right != shown and not says_deviates(evidence, timeline, there, law.name, shown):
            text = f"{law.name}: {law.shown}:{there.id} shows {shown!r} in place of {right!r}"
            yield Violation("convergence", text, there.at)


def says_deviates(evidence: Evidence, timeline: Timeline, entry: Entry, name: str, value: Value) -> bool:
    return any(
        (one.stream, one.side, one.id, one.field, one.value)
        == (timeline.stream.name, entry.side, entry.id, name, value)
        for one in evidence.store.deviations
    )


def gates_at_the_end(
    evidence: Evidence, timeline: Timeline, pair: Mapping[Side, Entry]
) -> Iterator[Violation]:
    """A pair of which one record is shut out: its value was put back, or the other one is marked."""
    for side, gate in timeline.stream.gates:
        mine, partner = pair[side], pair[other(side)]
        if gate.lets(mine.after):
            continue
        if gate.then == "put_back":
            text = f"{side}:{mine.id} is shut out, and {gate.path} was not put back"
            yield Violation("convergence", text, mine.at)
        let_in = [one.at for one in timeline.record(mine) if gate.lets(one.after)]
        # A mark that somebody took away since is not written again.
        saved = any(one.outside and one.at >= max(let_in, default=0.0) for one in timeline.record(partner))
        if gate.then == "deactivate" and (partner.after or {}).get(MARK) != "yes" and not saved:
            text = f"{side}:{mine.id} is shut out, and {partner.side}:{partner.id} is not marked"
            yield Violation("convergence", text, mine.at)


def nothing_passes(timeline: Timeline, pair: Mapping[Side, Entry]) -> bool:
    """Whether a gate keeps two records apart."""
    return any(
        gate.then in ("detach", "deactivate") and not gate.lets(pair[side].after)
        for side, gate in timeline.stream.gates
    )
