"""The auditor on what only stays where it is: records that are active again on one side, what is imported by itself or
records that wait for those they name, and gates since a day.

`auditor_active.py` runs these checks, and judges who was made active. Must not: import auditor.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from actors.core.values import Value
from tests.sim.auditor_several import source_of
from tests.sim.evidence import MOMENT_S, Entry, Evidence, ParkedRow, Staged, Violation
from tests.sim.laws import FieldLaw, GateLaw, Side, StreamLaw, other
from tests.sim.timeline import Timeline

# So long a look at a record may be old when it is made: a slow look, a write within its deadline, a tail and its lag.
LOOKED_S = 90.0
ACCEPTED = "accepted"  # by a person: it stays as it is there
ALONE = "not followed"  # active again on one side only
FAILED = "import failed"  # so begins what a room says of a document that was tried
IN_STEP = "not in step yet"  # so ends what a record waits for that is not there

# ------------------------------------------------------------------------------------------- active on one side


def goes_unasked(evidence: Evidence, timeline: Timeline, entry: Entry, law: FieldLaw) -> bool:
    """Whether nobody need be asked about a value that is written over: a deactivation always goes, and what was active again
    on one side alone was written down, and is no edit any more."""
    if not law.ignores:
        return False
    if (entry.after or {}).get(law.native(entry.side)) is False:
        return True
    ids, value = (
        timeline.ids(timeline.ref(entry))[entry.side],
        (entry.before or {}).get(law.native(entry.side)),
    )
    return any(
        (one.stream, one.side, one.field, one.value) == (entry.stream, entry.side, law.name, value)
        and one.id in ids
        and at <= entry.asked + MOMENT_S
        for at, one in evidence.alone
    )


def is_active_alone(law: FieldLaw, reason: str, here: Value, there: Value) -> bool:
    """Whether a recorded deviation says no more than that a record is active on this side only."""
    return reason == ALONE and law.ignores and here is not False and there is False


def missed(
    evidence: Evidence, timeline: Timeline, law: FieldLaw, pair: Mapping[Side, Entry]
) -> Iterator[Violation]:
    """A deactivation that a daemon must have seen reached the other side, whoever was made active there before it."""
    for side, last in pair.items():
        there = pair[other(side)]
        end = _seen_end(evidence, timeline, law, last)
        if not law.ignores or end is None or _is_named(evidence, law, last):
            continue
        if _is_named(evidence, law, there, ACCEPTED):
            continue
        native = law.native(there.side)
        shown = (there.after or {}).get(native)
        later = [e for e in timeline.record(there) if native in e.changed() and e.at >= end.asked]
        if shown is not False and not later:
            text = (
                f"{side}:{last.id} was deactivated, and {there.side}:{there.id} is active since before that"
            )
            yield Violation("convergence", text, end.at)


def _is_named(evidence: Evidence, law: FieldLaw, last: Entry, reason: str = "") -> bool:
    """Whether the store says (for that reason) that a side holds something else there than what was agreed: it came with a
    reply of ours, or a person said so."""
    return any(
        (one.stream, one.side, one.id, one.field) == (last.stream, last.side, last.id, law.name)
        and reason in ("", one.reason)
        for one in evidence.store.deviations
    )


def _seen_end(evidence: Evidence, timeline: Timeline, law: FieldLaw, last: Entry) -> Entry | None:
    """The one deactivation of a record since a daemon itself had made it active (and heard that it had)."""
    native, ours = law.native(last.side), None
    since: list[Entry] = []
    for one in timeline.record(last):
        if native not in one.changed() and one.op != "create":
            continue
        since.append(one)
        if not one.outside and one.op == "create":
            ours, since = one, []
    known = ours is not None and evidence.is_known(ours) and (ours.after or {}).get(native) is not False
    if not known or len(since) != 1 or evidence.set_back:
        return None
    return since[0] if since[0].outside and (since[0].after or {}).get(native) is False else None


def written_down_once(evidence: Evidence) -> Iterator[Violation]:
    """That a record is active again is written down when somebody makes it so, and not at each look."""
    touched: Counter[tuple[str, Side, str]] = Counter()
    for law in evidence.laws.streams:
        timeline = Timeline(evidence, law)
        for field in (one for one in law.fields if one.ignores):
            for entry in timeline.entries:
                native = field.native(entry.side)
                if entry.op == "delete" or not (native in entry.changed() or entry.op == "create"):
                    continue
                ids = timeline.ids(timeline.ref(entry))
                touched.update((law.name, side, id) for side, found in ids.items() for id in found)
    for at, count in evidence.store.again.items():
        if count > touched[at]:
            text = f"{at[0]} {at[1]}:{at[2]} was written down as active again {count} times"
            yield Violation("active again", text)


# ---------------------------------------------------------------------------------------------------- imports


def imported_by_itself(evidence: Evidence, timeline: Timeline, entry: Entry) -> bool:
    """Whether the rule says that what is staged is made, and it was staged, in another run than the one that made it; and
    was not refused since, which is tried again on a person's word only."""
    if timeline.stream.imports != "always":
        return False
    if evidence.set_back:
        return True  # nobody knows what was staged
    ref, until = timeline.given_ref(entry), entry.asked + MOMENT_S
    # Others may have been made one with it since.
    about = (one for one in timeline.about(timeline.ref(entry)) if timeline.given_ref(one) == ref)
    ids = {one.id for one in about if one.side == other(entry.side)}

    def past(rows: list[Staged], until: float) -> list[Staged]:
        return [one for one in rows if one.stream == entry.stream and one.id in ids and one.at <= until]

    intended = past(evidence.intended, until)
    staged = past(evidence.staged, intended[-1].at) if intended else []
    refused = bool(staged) and staged[-1].reason.startswith(FAILED)
    return bool(staged) and not refused and staged[-1].run != intended[-1].run


def imported_in_the_end(evidence: Evidence) -> Iterator[Violation]:
    """Where what is staged is made by itself, only what was refused is left, and what a person is asked about."""
    unclear = {(row.stream, *row.ids.items()) for row in evidence.store.parked if row.room == "ambiguous"}
    for row in evidence.store.parked:
        law = evidence.laws.by_name.get(row.stream)
        if law is None or law.imports != "always" or row.room != "staged":
            continue
        if (row.stream, *row.ids.items()) in unclear:
            continue
        if not row.reason.startswith(FAILED):
            yield Violation("imports", f"{row.stream} {dict(row.ids)} is never imported: {row.reason}")


# ------------------------------------------------------------------------------------------- who is waited for


def names_in(value: Value) -> tuple[str, ...]:
    """Whom a native value names."""
    return tuple(one for one in str(value).split(", ") if one) if value is not None else ()


def waits_for_its_own(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """Nothing is made of a record before all those that it names (by any look that may have been the last one) are pairs."""
    stream = timeline.stream
    for side, path in stream.assigned:
        needed = Timeline(evidence, evidence.laws.by_name[stream.requires[0]])
        for entry in timeline.entries:
            if entry.outside or entry.op != "create" or entry.side == side:
                continue
            if source_of(timeline, entry) is not None:
                continue  # moved, not made
            shown = _shown(timeline, entry, side, path)
            late = [[one for one in names if not _was_pair(needed, side, one, entry)] for names in shown]
            if late and all(late):
                text = f"{entry.who} made {entry.id} before {', '.join(late[0])}, which it names"
                yield Violation("requires", text, entry.at)


def _shown(timeline: Timeline, entry: Entry, side: Side, path: str) -> list[tuple[str, ...]]:
    """Whom the record that a new one is made of named when it may have been looked at."""
    past = [one for one in timeline.before(entry) if one.side == side and one.after is not None]
    older = [one for one in past if one.at <= entry.asked - LOOKED_S]
    newer = [one for one in past if one.at > entry.asked - LOOKED_S]
    return [names_in((one.after or {}).get(path)) for one in (*older[:1], *newer)]


def _was_pair(needed: Timeline, side: Side, name: str, entry: Entry) -> bool:
    """Whether a record of the required stream that was ever called so had one of its reference on the other side."""
    native = needed.stream.named(needed.stream.names).native(side)
    called = (
        one
        for one in needed.entries
        if one.side == side and one.at <= entry.at and (one.after or {}).get(native) == name
    )
    return any(
        any(e.side == other(side) and e.at <= entry.at for e in needed.about(needed.ref(one)))
        for one in called
    )


def waits_for_nobody(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """In the end nothing waits for records that are all in step."""
    stream = timeline.stream
    for side, path in stream.assigned:
        needed = Timeline(evidence, evidence.laws.by_name[stream.requires[0]])
        waiting = {id for row in _waiting(evidence, stream) if (id := row.ids.get(side)) is not None}
        for ref in timeline.refs():
            for id, last in timeline.live(ref)[side].items():
                names = names_in((last.after or {}).get(path))
                if id in waiting and names and all(_is_pair(evidence, needed, side, one) for one in names):
                    text = f"{side}:{id} waits for {', '.join(names)}, which are in step"
                    yield Violation("requires", text, last.at)


def _waiting(evidence: Evidence, stream: StreamLaw) -> Iterator[ParkedRow]:
    """Rows of newcomers that wait for those that they name. (A bound one may wait for what its own field refers to.)"""
    rows = (row for row in evidence.store.parked if row.stream == stream.name and len(row.ids) == 1)
    begins = f"{stream.requires[0]} "
    return (row for row in rows if row.reason.startswith(begins) and row.reason.endswith(IN_STEP))


def _is_pair(evidence: Evidence, needed: Timeline, side: Side, name: str) -> bool:
    """Whether one record of the required stream is called so, on both sides, and nothing about it waits, or rests."""
    law = needed.stream.named(needed.stream.names)
    last = {s: [e for r in needed.refs() for e in needed.live(r)[s].values()] for s in (side, other(side))}
    same = {s: [e for e in held if (e.after or {}).get(law.native(s)) == name] for s, held in last.items()}
    if any(len(held) != 1 for held in same.values()):
        return False
    if any(not gate.lets(same[s][0].after) for s, gate in needed.stream.gates):
        return False
    a, b = same["a"][0].id, same["b"][0].id
    rows = (*evidence.store.parked, *evidence.store.held)
    waits = any(row.stream == needed.stream.name and {a, b} & {*row.ids.values()} for row in rows)
    return (needed.stream.name, a, b) in evidence.store.pairs and not waits


# ------------------------------------------------------------------------------------------------ since a day


def was_of_the_day(timeline: Timeline, gate: GateLaw, past: list[Entry]) -> bool:
    """Whether a record that took part before the link was there showed at any time a day from which on it goes as well."""
    return any(_is_of_the_day(timeline, gate, one) for one in past)


def is_of_the_day(timeline: Timeline, gate: GateLaw, last: Entry) -> bool:
    """Whether a record goes, whenever it took part, since it shows such a day."""
    return _is_of_the_day(timeline, gate, last)


def _is_of_the_day(timeline: Timeline, gate: GateLaw, entry: Entry) -> bool:
    if gate.since is None:
        return False
    native = timeline.stream.named(gate.dated).native(entry.side)
    return gate.lets(entry.after) and gate.is_of_the_day((entry.after or {}).get(native))
