"""The auditor's second half: what must be true once faults have ended, people have stopped and time has passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from actors.core.values import Value
from tests.sim.auditor import tell
from tests.sim.auditor_latest import LOOKED_S, imported_in_the_end, is_active_alone, missed, waits_for_nobody
from tests.sim.auditor_more import (
    derived_agree,
    ever_shut,
    gates_at_the_end,
    nothing_passes,
    takes_part,
)
from tests.sim.auditor_newest import effects_all, was_held_over
from tests.sim.auditor_several import nobody_left, was_kept_behind
from tests.sim.evidence import AUTOMATION, Entry, Evidence, ParkedRow, Violation
from tests.sim.laws import MARK, SIDES, FieldLaw, Side, StreamLaw, items_of, other
from tests.sim.operator import REST_S
from tests.sim.timeline import Timeline

WRITES_PER_FIELD_MAX = 3
MORE = ("*once*", "*gate*")
LOADED = "initial load"  # left as it was, on a side that the initial load does not write to
REPORTED = "reported"  # edited on the side that does not own it, where the rule leaves that
REASONS = frozenset({"rewritten", "lossy", "default", "differs", "accepted", "undone"})


def liveness(evidence: Evidence) -> list[Violation]:
    """Everything that must hold in the end."""
    found: list[Violation] = []
    for stream in evidence.laws.streams:
        timeline = Timeline(evidence, stream)
        found.extend(convergence(evidence, timeline))
        found.extend(truth_of_counts(evidence, timeline))
        found.extend(nobody_left(evidence, timeline))
        found.extend(waits_for_nobody(evidence, timeline))
    return [
        *found,
        *effects_all(evidence),
        *imported_in_the_end(evidence),
        *quiet(evidence),
        *termination(evidence),
        *rest(evidence),
    ]


def convergence(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """Records with one reference exist on both sides and agree, up to what the store names."""
    for ref in timeline.refs():
        live, ids = timeline.live(ref), timeline.ids(ref)
        if is_parked(evidence, timeline.stream, ids, "") or max(len(live["a"]), len(live["b"])) > 1:
            continue
        if live["a"] and live["b"]:
            (a,), (b,) = live["a"].values(), live["b"].values()
            if keys_differ(timeline.stream, a, b) and (a.stream, a.id, b.id) not in evidence.store.pairs:
                continue  # by its keys, and by a person's hand, neither is the other one's partner
            both: dict[Side, Entry] = {"a": a, "b": b}
            known = (a.stream, a.id, b.id) in evidence.store.pairs
            if not known and ever_shut(timeline, ref):
                continue  # nobody is matched with what a gate keeps out
            if not known and any(was_kept_behind(timeline, one) for one in (a, b)):
                continue  # what a move left stands there for nobody, also once the record is gone
            ended = any(one.op == "delete" for one in timeline.about(ref))
            if not known and ended and timeline.is_merged(a):
                continue  # made one by hand, and of the others some are gone: what is left may have had another partner
            if known:
                yield from gates_at_the_end(evidence, timeline, both)
            if not nothing_passes(timeline, both):
                yield from agreement(evidence, timeline, a, b)
                yield from missed_at_the_end(evidence, timeline, both) if known else ()
                is_listed = partial(is_parked, evidence, timeline.stream, {"a": {a.id}, "b": {b.id}})
                yield from derived_agree(evidence, timeline, both, is_listed) if known else ()
        else:
            yield from one_sided(evidence, timeline, ref, live)


def keys_differ(stream: StreamLaw, one: Entry, another: Entry) -> bool:
    """Whether two records, of one side or both, share no match key."""

    def held(names: tuple[str, ...], entry: Entry) -> list[Value]:
        return [(entry.after or {}).get(stream.named(name).native(entry.side)) for name in names]

    return all(held(names, one) != held(names, another) for names in stream.keys)


def agreement(evidence: Evidence, timeline: Timeline, a: Entry, b: Entry) -> Iterator[Violation]:
    """Two records agree on every shared field."""
    for law in timeline.stream.fields:
        held: dict[Side, Value] = {
            "a": (a.after or {}).get(law.native("a")),
            "b": (b.after or {}).get(law.native("b")),
        }
        held = {side: in_order(law, value) for side, value in held.items()}
        if (
            law.on_create_only
            or held["a"] == held["b"]
            or is_parked(evidence, timeline.stream, {"a": {a.id}, "b": {b.id}}, law.name)
        ):
            continue
        if law.group and is_parked(evidence, timeline.stream, {"a": {a.id}, "b": {b.id}}, law.group):
            continue
        if deviates(evidence, timeline, law, {"a": a, "b": b}, held):
            continue
        text = (
            f"{timeline.stream.name} {law.name}: a:{a.id} holds {held['a']!r}, b:{b.id} holds {held['b']!r}"
        )
        yield Violation("convergence", text, max(a.at, b.at))


def missed_at_the_end(evidence: Evidence, timeline: Timeline, pair: dict[Side, Entry]) -> Iterator[Violation]:
    """Deactivations that never came, but where a room holds them."""
    for law in (one for one in timeline.stream.fields if one.ignores):
        if not is_parked(evidence, timeline.stream, {side: {one.id} for side, one in pair.items()}, law.name):
            yield from missed(evidence, timeline, law, pair)


def in_order(law: FieldLaw, value: Value) -> Value:
    """A value that can be compared: of a list the order says nothing, and null is an empty one."""
    return tuple(sorted(map(str, items_of(value)))) if law.type == "list" else value


def deviates(
    evidence: Evidence, timeline: Timeline, law: FieldLaw, last: dict[Side, Entry], held: dict[Side, Value]
) -> bool:
    """Whether the store records the difference; a claimed rewriting must be in the system's log."""
    for side in SIDES:
        for said in evidence.store.deviations:
            where = (said.stream, said.side, said.id, said.field)
            if where != (timeline.stream.name, side, last[side].id, law.name):
                continue
            if in_order(law, said.value) != held[side]:
                continue
            loaded = said.reason == LOADED and side not in timeline.stream.initial_load
            alone = is_active_alone(law, said.reason, held[side], held[other(side)])
            reported = said.reason == REPORTED and law.reports and law.owner == other(side)
            if said.reason not in REASONS and not loaded and not reported and not alone:
                continue
            if said.reason != "rewritten" or was_rewritten(timeline, last[side], law, held):
                return True
    return False


def was_rewritten(timeline: Timeline, entry: Entry, law: FieldLaw, held: dict[Side, Value]) -> bool:
    """Whether the system was given the other side's value and made of it what it holds."""
    native = law.native(entry.side)
    return any(
        native in one.sent
        and one.sent[native] == held[other(entry.side)]
        and (one.after or {}).get(native) == held[entry.side]
        for one in timeline.about(timeline.ref(entry))  # under whichever id
        if one.side == entry.side
    )


def one_sided(
    evidence: Evidence, timeline: Timeline, ref: Value, live: dict[Side, dict[str, Entry]]
) -> Iterator[Violation]:
    """A record on one side only must have a reason: a rule, somebody's deletion, or somebody's word to keep it."""
    stream = timeline.stream
    if was_told_to_keep(evidence, timeline, ref):
        return
    for side in SIDES:
        for entry in live[side].values():
            gone = other(side)
            if not takes_part(timeline, entry) or was_held_over(evidence, timeline, entry):
                continue
            if was_kept_behind(timeline, entry):
                continue
            ended = [one for one in timeline.about(ref) if one.side == gone and one.op == "delete"]
            if ended and ever_shut(timeline, ref):
                continue
            if ended and side not in stream.creates and not were_a_pair(evidence, timeline, entry, ended[-1]):
                continue
            if not ended and side in stream.creates:
                yield Violation("convergence", f"{tell(entry)} ({ref}) never came to {gone}", entry.at)
            elif ended and was_kept(timeline, ended[-1]):
                continue
            elif ended and gone in stream.restores:
                yield Violation("convergence", f"{ref} was deleted on {gone} and not put back", ended[-1].at)
            elif ended and evidence.out_of_sight(side, stream.name, entry.id, ended[-1].at, by_id=True):
                continue  # both were gone, and one is back: it is neither removed nor marked for what was before
            elif ended and side not in stream.creates and was_away(evidence, entry, ended[-1]):
                continue  # likewise, and it is no newcomer that anybody is made from
            elif ended and gone in stream.marks and not is_marked(timeline, entry, ended[-1]):
                yield Violation(
                    "convergence", f"{ref} was deleted on {gone} and not marked on {side}", ended[-1].at
                )
            elif ended and gone in stream.removes and not edited_since(timeline, entry, ended[-1]):
                yield Violation(
                    "convergence", f"{ref} was deleted on {gone} and still is on {side}", ended[-1].at
                )


def was_kept(timeline: Timeline, end: Entry) -> bool:
    """Whether a rule keeps what was left, since another record of that side had taken over a key of the one that is gone (of
    a clash key, which makes no two records one)."""
    stream = timeline.stream
    names = [
        one[0] for one in stream.match[len(stream.keys) :] if stream.on_merge == "keep" and len(one) == 1
    ]
    for native in (stream.named(name).native(end.side) for name in names):
        value = (end.before or {}).get(native)
        for one in timeline.entries:
            same = (one.after or {}).get(native) == value and one.side == end.side and one.id != end.id
            if value is not None and same and one.at <= end.at:
                return True
    return False


def was_away(evidence: Evidence, entry: Entry, end: Entry) -> bool:
    """Whether no look showed a record at some time after the end of its partner."""
    away = (one for one in evidence.hidden if (one.side, one.id) == (entry.side, entry.id) and one.by_id)
    return any(one.span.ended >= end.at for one in away)


def were_a_pair(evidence: Evidence, timeline: Timeline, entry: Entry, end: Entry) -> bool:
    """Whether a daemon must have known two records as one before one of them went: it had written to them (and knew of what
    it made), or they had stood side by side for long, once all was loaded. Else the one that is left is new, from a side
    that may make none."""
    if any(end.at < at for at in evidence.set_back):
        return False  # nobody knows it any more
    since = max(timeline.record(one)[0].at for one in (entry, end))
    stood = end.at - since
    paused = sum(span.ended - span.began + REST_S for span in evidence.pauses if span.began - REST_S < end.at)
    loaded = evidence.loaded.get(timeline.stream.name, 0.0) <= end.at
    mine, theirs = (_states(timeline, one, since, end.at) for one in (entry, end))
    met = any(not keys_differ(timeline.stream, one, another) for one in mine for another in theirs)
    hidden = any(  # a person was told that its key is not delivered
        one.field == "*unseen*" and one.ids.get(entry.side) == entry.id for one in evidence.decisions
    )
    long = loaded and met and not hidden and stood - paused > evidence.laws.race_s
    about, born = timeline.about(timeline.ref(entry)), timeline.record(entry)[0].at
    # What a daemon itself had removed, and a backup brought back, is nobody's partner any more.
    removed = [one.at for one in about if one.op == "delete" and not one.outside and one.side == entry.side]
    return long or any(
        not one.outside
        and one.at < end.at
        and one.op != "delete"  # whose partner was gone then
        and (one.op != "create" or evidence.is_known(one))
        and not any(one.at < at < end.at for at in evidence.set_back)  # forgotten since
        and not any(one.at < at < born for at in removed)
        and pairs(timeline, one, entry)
        for one in about
    )


def _states(timeline: Timeline, entry: Entry, since: float, until: float) -> list[Entry]:
    """What a record was between two times."""
    past = [one for one in timeline.record(entry) if one.at < until]
    before = [one for one in past if one.at <= since]
    return [*before[-1:], *past[len(before) :]]


def pairs(timeline: Timeline, write: Entry, entry: Entry) -> bool:
    """Whether a daemon's write says that the entry's record had a partner: of another record that people made one with
    it later, or that stood beside it on its side, only what was written while the two shared a match key; who is made beside
    it before anybody need have seen it has a partner of its own."""
    same_ref = timeline.given_ref(write) == timeline.given_ref(entry)
    same_side = write.side == entry.side
    held = [one for one in timeline.record(entry) if one.at < write.at]
    alone = timeline.one_record(write, entry) if same_side else not _has_another(timeline, write, entry)
    beside = bool(held) and not alone
    if not same_side and _came_after(timeline, write, entry):
        return False
    if same_ref and not beside:
        return is_told(timeline, write, entry)
    if not held or (same_side and not same_ref):
        return False
    if same_side and write.op == "create" and timeline.evidence.is_soon(held[0].at, write.asked):
        return False
    return not keys_differ(timeline.stream, held[-1], write)


def _came_after(timeline: Timeline, write: Entry, entry: Entry) -> bool:
    """Whether a record came to stand where another one of its reference had just ended when a daemon wrote to the other
    side: that was told of by a look at the one before."""
    first = timeline.record(entry)[0]
    return any(
        one.op == "delete"
        and one.side == entry.side
        and write.asked - LOOKED_S <= one.at <= first.at <= write.at
        for one in timeline.before(write)
        if timeline.given_ref(one) == timeline.given_ref(entry)
    )


def _has_another(timeline: Timeline, write: Entry, entry: Entry) -> bool:
    """Whether another record of the entry's side stood there with the same reference when a daemon wrote to the other side:
    it may have had that from there."""
    stood, ref = timeline.standing(entry.side, write), timeline.given_ref(entry)
    return any(timeline.given_ref(one) == ref and not timeline.one_record(one, entry) for one in stood)


def is_told(timeline: Timeline, write: Entry, entry: Entry) -> bool:
    """Whether a record that got another id since a daemon's write can be told as the one that it was, then and at last: by a
    match key, or by everything else."""
    first, about = timeline.record(entry)[0], timeline.about(timeline.ref(entry))
    past = [one for one in about if one.side == entry.side and one.at < first.at and one.after is not None]
    then = [one for one in past if one.at <= write.at]
    if first.at <= write.at or not then:
        return True
    return all(_is_same(timeline.stream, was, first) for was in (then[-1], past[-1]))


def _is_same(stream: StreamLaw, was: Entry, now: Entry) -> bool:
    """Whether two of one side have a match key in common, or all the rest."""
    natives = {law.name: law.native(now.side) for law in stream.fields}
    held, holds = was.after or {}, now.after or {}
    edited = {name for name, native in natives.items() if held.get(native) != holds.get(native)}
    keys = stream.keys
    return any(edited.isdisjoint(names) for names in keys) or edited <= {n for names in keys for n in names}


def is_marked(timeline: Timeline, entry: Entry, end: Entry) -> bool:
    """Whether a record is marked as deleted on the other side, was marked and edited since, or need not be."""
    return (entry.after or {}).get(MARK) == "yes" or edited_since(timeline, entry, end)


def was_told_to_keep(evidence: Evidence, timeline: Timeline, ref: Value) -> bool:
    """Whether a person, asked about a deletion or about what a move had left, said to leave the record where it is."""
    ids = timeline.ids(ref)
    return any(
        (one.choose == "keep" or (one.field == "*left behind*" and one.choose in one.ids))
        and any(id in ids[side] for side, id in one.ids.items())
        for one in evidence.decisions
    )


def edited_since(timeline: Timeline, entry: Entry, end: Entry) -> bool:
    """Whether anything spoke against deleting this one too: it was made or edited by a person after that end."""
    return any(one.outside and one.at >= end.at for one in timeline.record(entry))


def is_parked(evidence: Evidence, stream: StreamLaw, ids: dict[Side, set[str]], field_name: str) -> bool:
    """Whether a room or a plan holds the record as a whole, or this field of it."""
    rows: list[ParkedRow] = [*evidence.store.parked, *evidence.store.held]
    return any(
        row.stream == stream.name
        and any(id in ids[side] for side, id in row.ids.items())
        # Of a record with lines everything waits for whatever waits.
        and (stream.units is not None or row.field in ("", "*", "*delete*", "*outcome*", *MORE, field_name))
        for row in rows
    )


def truth_of_counts(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """What the runs say was done is what the systems saw: never more, and less only by what is not known.

    A write that was not answered and is found done counts as ours, whoever it was (somebody may have deleted the same
    record, cleared the same field, brought it back from a backup); the protocol says of each how it is known.
    """
    seen: Counter[tuple[Side, str]] = Counter()
    for entry in timeline.entries:
        if not entry.outside:
            seen[entry.side, f"{entry.op.rstrip('e')}ed"] += 1
    for side in SIDES:
        for what in ("created", "updated", "deleted"):
            said = evidence.store.counted.get((timeline.stream.name, side, what), 0)
            did = seen[side, what]
            found = evidence.store.found.get((timeline.stream.name, side, what), 0)
            lost = evidence.lost.get((timeline.stream.name, side, what), 0)
            if said - did > found or did - said > evidence.store.unsure + lost + evidence.lost_unsure:
                text = f"{timeline.stream.name}: {said} {what} on {side} by the runs, {did} by the system"
                yield Violation("truth", text)


def quiet(evidence: Evidence) -> Iterator[Violation]:
    """Nobody writes anything once everything was settled."""
    for entry in evidence.entries:
        if not entry.outside and entry.at > evidence.quiet_from:
            yield Violation("quiet", f"{entry.who} still did {tell(entry)}", entry.at)


def termination(evidence: Evidence) -> Iterator[Violation]:
    """After the last edit of a person a field is written a few times at most; where an automation answers our writes
    (its own field, or on the other side what it wrote there), no more often than the breaker lets it be, which counts
    the writes that it knows of."""
    written: Counter[tuple[Side, str, str, str]] = Counter()
    answered = {
        (side, e.stream, id, native)
        for e in evidence.entries
        if e.who == AUTOMATION
        for side, id in evidence.store.both_ids(e)
        for name in e.sent
        for native in written_with(evidence.laws.by_name[e.stream], e.side, name, side)
    }
    for entry in evidence.entries:
        if entry.outside or entry.at <= evidence.edits_end or entry.op != "update":
            continue
        for native in entry.changed():
            at = entry.side, entry.stream, entry.id, native
            written[at] += at not in answered or evidence.was_answered(entry)
    for (side, stream, id, native), count in written.items():
        limit = WRITES_PER_FIELD_MAX
        if (side, stream, id, native) in answered:
            limit = evidence.laws.breaker + evidence.store.given_up[stream, side, id]
            limit += words_about(evidence, stream, side, id, native)
        if count > limit:
            yield Violation("termination", f"{stream} {side}:{id} {native} was written {count} times")


def words_about(evidence: Evidence, stream: str, side: Side, id: str, native: str) -> int:
    """How often a person decided about that field: each word is one write more."""
    law = evidence.laws.by_name[stream].law(side, native)
    names = (law.name, law.group or law.name) if law is not None else ()
    return sum(
        one.stream == stream and one.ids.get(side) == id and one.field in names for one in evidence.decisions
    )


def written_with(stream: StreamLaw, side: Side, native: str, there: Side) -> set[str]:
    """A field and the rest of its group, in native names of `there`."""
    law = stream.law(side, native)
    if law is None:
        return {native} if there == side else set()
    return {
        one.native(there) for one in stream.fields if one is law or (law.group and one.group == law.group)
    }


def rest(evidence: Evidence) -> Iterator[Violation]:
    """No intent is left open, no hint is left lying: tried again and again, or long due. (Who takes a link over looks
    once more at what was read within a read lag of that, and idle daemons take it from each other now and then.)"""
    if evidence.store.open_actions:
        yield Violation("rest", f"{evidence.store.open_actions} intents are still open")
    if evidence.store.overdue:
        yield Violation("rest", f"{evidence.store.overdue} hints are still in the inbox")
