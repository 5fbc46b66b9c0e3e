"""The auditor: judges by the systems' own logs whether the invariants held. Shares no code with the engine.

`safety` holds at any moment and under any faults; `liveness` (settled.py) only once faults and edits have stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from actors.core.values import Value
from tests.sim.auditor_back import came_back, looks_undone
from tests.sim.auditor_doubles import Live, called, is_another, may_be_unseen, was_told
from tests.sim.auditor_more import (
    bounded,
    documents,
    forgotten,
    gates_hold,
    left_as_it_is,
    may_write,
    moved_stays,
    put_back,
    required_streams,
    right_account,
    starts_as_told,
    taken_back,
    told_to_restore,
)
from tests.sim.auditor_newest import (
    adds_up,
    clashes_bind_nobody,
    clashes_make_nobody,
    effects_once,
    lines_hold,
    load_writes_where_it_may,
    merges_by_rule,
    on_command_only,
    within_budgets,
)
from tests.sim.auditor_several import (
    counts_elsewhere,
    left_behind,
    moved_from,
    place_of,
    source_of,
    was_kept_behind,
)
from tests.sim.evidence import MOMENT_S, Entry, Evidence, Named, Violation
from tests.sim.laws import FieldLaw, StreamLaw, items_of, other
from tests.sim.timeline import Timeline

LEASE_S = 15.0  # so long a lease lasts

Check = Callable[[Evidence, Timeline], Iterator[Violation]]


def safety(evidence: Evidence) -> list[Violation]:
    """Everything that must hold at every moment, the worst first."""
    found: list[Violation] = []
    for stream in evidence.laws.streams:
        timeline = Timeline(evidence, stream)
        for check in CHECKS:
            found.extend(check(evidence, timeline))
    whole = (single_owner, obedience, bounded, right_account, required_streams, effects_once, within_budgets)
    return [*found, *(violation for check in whole for violation in check(evidence)), *evidence.crashes]


def no_duplicates(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """A daemon never makes a second record of one that exists on that side.

    Where the other side holds several of one reference (a race of two people), each of them may get its own copy.
    """
    live: Live = {}
    for entry in timeline.entries:
        ref = timeline.given_ref(entry)
        there = live.setdefault((entry.side, ref), {})
        if entry.op == "delete":
            there.pop(entry.id, None)
            continue
        made = entry.op == "create" and not entry.outside
        same = [one for one in there.values() if not is_another(timeline, one, entry)]
        if source_of(timeline, entry) is not None:
            # Moved: who stands in the same object is the same, unless nobody knows which of several counts.
            several = len({one.id for one in there.values()}) > 1
            here = [one for one in same if place_of(timeline, one) == place_of(timeline, entry)]
            same = [] if several else [one for one in here if not was_kept_behind(timeline, one)]
        if (
            made
            and not was_told(evidence, timeline, entry, "different")
            and not was_told(evidence, timeline, entry, "retry", "*outcome*")
            and len(same) >= len(called(timeline, live, other(entry.side), ref, entry))
            and not may_be_unseen(evidence, same, entry)
        ):
            text = f"{entry.who} made {tell(entry)} though there is {', '.join(one.id for one in same)}"
            yield Violation("no duplicates", text, entry.at)
        there.setdefault(entry.id, entry)


def ownership(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """No daemon changes a field on the side that owns it (but on a person's word, where it was contested), or one that is
    not shared; a read-only side stays as it is."""
    read_only = {side for side in ("a", "b") if all(law.owner == side for law in timeline.stream.fields)}
    if timeline.stream.gates:
        read_only = set()
    read_only -= {law.shown for law in timeline.stream.derived}
    for entry in timeline.entries:
        if entry.outside:
            continue
        if entry.side in read_only and not told_to_restore(evidence, timeline, entry):
            yield Violation("read-only", f"{entry.who} did {tell(entry)} on a read-only side", entry.at)
            continue
        if entry.op == "delete" or entry.side in read_only:
            continue
        for native in entry.changed():
            law = timeline.stream.law(entry.side, native)
            if law is None and may_write(evidence, timeline, entry, native):
                continue
            owned = (
                law is not None
                and law.owner == entry.side
                and not was_decided(evidence, timeline, entry, law)
            )
            if law is None or (entry.op == "update" and (owned or law.on_create_only)):
                why = "is not shared" if law is None else f"is owned by {law.owner}"
                yield Violation(
                    "ownership", f"{entry.who} changed {native}, which {why}: {tell(entry)}", entry.at
                )


def deletes(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """A daemon deletes only where the policy says so, and only after a person deleted the partner.

    A partner that no look showed, though asked for by its id, counts as deleted: the system says it is not there.
    """
    for entry in timeline.entries:
        if entry.outside or entry.op != "delete":
            continue
        origin = other(entry.side)
        if moved_from(timeline, entry) is not None:
            continue
        if origin not in timeline.stream.removes and not was_told(evidence, timeline, entry, "remove"):
            yield Violation("deletes", f"{entry.who} deleted, no policy allows it: {tell(entry)}", entry.at)
        elif not any(
            one.side == origin
            and one.at <= entry.asked
            and (
                (one.op == "delete" and (one.outside or forgotten(evidence, one, entry)))
                or evidence.out_of_sight(origin, one.stream, one.id, entry.asked, by_id=True)
            )
            for one in timeline.before(entry)
        ):
            text = f"{entry.who} deleted, nobody had deleted its partner: {tell(entry)}"
            yield Violation("deletes", text, entry.at)


def truth_of_values(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """Every value that a daemon writes was given by a person; what a system made of our value never travels back."""
    for entry in timeline.entries:
        if entry.outside or entry.op == "delete":
            continue
        for native, value in entry.sent.items():
            law = timeline.stream.law(entry.side, native)
            if law is None or law.type == "lines" or (entry.before or {}).get(native) == value:
                continue
            if (was := source_of(timeline, entry)) is not None and (was.after or {}).get(native) == value:
                continue  # moved as it stood
            known = timeline.written_by_persons(entry, law.name) | decided(evidence, timeline, entry, law)
            known |= came_back(evidence, timeline, entry, law, value)
            if law.type == "list" and set(items_of(value)) <= {
                item for one in known for item in items_of(one)
            }:
                continue
            if value not in known:
                text = f"{entry.who} wrote {law.name}={value!r}, which no person gave: {tell(entry)}"
                yield Violation("no invention", text, entry.at)


def required(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """A daemon makes no record without what its rules require (but for what the other side gives itself)."""
    needed = [law for law in timeline.stream.fields if law.required]
    for entry in timeline.entries:
        if entry.outside or entry.op != "create" or source_of(timeline, entry) is not None:
            continue
        for law in needed:
            if law.owner != entry.side and entry.sent.get(law.native(entry.side)) is None:
                yield Violation("required", f"{entry.who} did {tell(entry)} without {law.name}", entry.at)


def groups_stay_whole(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """After a daemon's write the fields of a group stand together as people left them, or as they stood at its owner."""
    names = sorted({law.group for law in timeline.stream.fields if law.group})
    for group in names:
        laws = [law for law in timeline.stream.fields if law.group == group]
        for entry in timeline.entries:
            touched = any(law.native(entry.side) in entry.changed() for law in laws)
            if entry.outside or entry.after is None or not touched or source_of(timeline, entry) is not None:
                continue
            now = together(laws, entry)
            answered = was_decided(evidence, timeline, entry, laws[0])
            stood = (
                one for one in timeline.before(entry) if one.outside or answered or one.side == laws[0].owner
            )
            if not any(together(laws, one) == now for one in stood):
                text = f"{entry.who} made {group} {now!r}, which never stood together: {tell(entry)}"
                yield Violation("groups", text, entry.at)


def together(laws: list[FieldLaw], entry: Entry) -> tuple[Value, ...] | None:
    """The values of a group after an entry."""
    return tuple(entry.after.get(law.native(entry.side)) for law in laws) if entry.after is not None else None


def nothing_lost(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """What a person wrote is overwritten or deleted only if the other side had shown it, or a stored record names it."""
    for entry in timeline.entries:
        if entry.outside or entry.op == "create" or moved_from(timeline, entry) is not None:
            continue
        for native in entry.changed():
            law = timeline.stream.law(entry.side, native)
            if law is not None and law.type in ("lines", "place"):
                continue  # auditor_newest.py
            writer = timeline.writer(entry, native)
            if law is None or writer is None or not writer.outside:
                continue
            value = (entry.before or {}).get(native)
            if law.type == "list":
                yield from items_lost(evidence, timeline, entry, law)
            elif not timeline.shown_on(other(entry.side), law.name, value, entry):
                yield from unseen_loss(evidence, timeline, entry, law, value)


def items_lost(evidence: Evidence, timeline: Timeline, entry: Entry, law: FieldLaw) -> Iterator[Violation]:
    """Items of a list that a write takes away: each was shown on the other side, or a stored record names it."""
    native, there = law.native(entry.side), law.native(other(entry.side))
    left = set(items_of((entry.after or {}).get(native)))
    seen = {
        item
        for one in timeline.before(entry)
        if one.side != entry.side
        for value in ((one.after or {}).get(there), one.sent.get(there))
        for item in items_of(value)
    }
    names = (*evidence.store.named, *evidence.lost_names)
    seen |= {item for one in names if one.field == law.name for item in items_of(one.value)}
    for item in items_of((entry.before or {}).get(native)):
        if item not in left | seen:
            text = f"{entry.who} took {item!r} out of {law.name}: {tell(entry)}; no record names it"
            yield Violation("no silent loss", text, entry.at)


def unseen_loss(
    evidence: Evidence, timeline: Timeline, entry: Entry, law: FieldLaw, value: Value
) -> Iterator[Violation]:
    """The two ways in which a person's value can be lost in one entry."""
    what = f"{law.name}={value!r} of a person: {tell(entry)}"
    if value is not None and not is_named(evidence, timeline.stream, law, value):
        yield Violation("no silent loss", f"{entry.who} overwrote {what}; no record names it", entry.at)
    if (
        entry.op == "delete"
        or law.owner != "both"
        or law.turns
        or was_decided(evidence, timeline, entry, law)
    ):
        return
    if Named(timeline.stream.name, law.name, value) in evidence.store.differed:
        return
    if met_anew(evidence, timeline, entry, law) or put_back(evidence, timeline, entry):
        return
    if left_as_it_is(evidence, timeline, entry, law):
        return
    if law.conflict == "ask":
        yield Violation("ask", f"{entry.who} overwrote {what}; it was to ask, and nobody answered", entry.at)
    elif law.conflict == entry.side:
        yield Violation("rule", f"{entry.who} overwrote {what}; in a conflict {entry.side} wins", entry.at)


def met_anew(evidence: Evidence, timeline: Timeline, entry: Entry, law: FieldLaw) -> bool:
    """Whether the rule of first contact may have decided, because the two values were never settled: no write of the
    field was ever answered, or the records may have been paired anew since."""
    rule = law.first_contact or timeline.stream.first_contact
    wins = rule.removeprefix("filled_else_") == other(entry.side) or (
        rule.startswith("fill") and (entry.before or {}).get(law.native(entry.side)) is None
    )
    if not wins:
        return False
    past = list(timeline.before(entry))
    fills = rule.startswith("fill") and (entry.before or {}).get(law.native(entry.side)) is None
    settled = any(
        not one.outside
        and law.native(one.side) in one.sent
        and evidence.was_answered(one)
        and not went_along(timeline, one, law)
        and not (taken_back(evidence, timeline, one, law) and (fills or looks_undone(timeline, one, law)))
        for one in past
        if one.side != entry.side or timeline.one_record(one, entry)
    )
    anew = (
        timeline.is_merged(entry)
        or evidence.set_back
        or evidence.hidden
        or any(e.op == "delete" for e in past)
    )
    return not settled or bool(anew)


def went_along(timeline: Timeline, entry: Entry, law: FieldLaw) -> bool:
    """Whether a write made a record in another object of its side, and the value went along as it stood."""
    was, native = source_of(timeline, entry), law.native(entry.side)
    return was is not None and (was.after or {}).get(native) == entry.sent.get(native)


def fresh_eyes(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """A daemon that has itself made both sides agree on a value does not write another one until somebody edits.

    Of records that a person made one of two nobody can say which is whose partner; nor of any, once the daemon's own
    state was set back. A partner that no look shows counts as deleted: what it held is agreed on with nobody else.
    """
    for entry in timeline.entries:
        forgotten = any(at < entry.at for at in evidence.set_back)
        if entry.outside or entry.op != "update" or timeline.is_merged(entry) or forgotten:
            continue
        for native in entry.changed():
            law = timeline.stream.law(entry.side, native)
            if law is None or law.type in ("list", "lines") or was_decided(evidence, timeline, entry, law):
                continue
            last = timeline.last_write(entry, other(entry.side), law)
            if last is None or last.outside or last.at >= entry.asked:
                continue
            if law.once_bound and last.op == "create":
                continue  # told to the side that owns it, and not agreed on: where two records meet, the owner's counts
            if evidence.out_of_sight(last.side, last.stream, last.id, entry.asked, by_id=True):
                continue
            if evidence.store.is_of_another(last, entry):
                continue  # who moved a record may leave two under one reference
            if counts_elsewhere(timeline, last, entry):
                continue
            if (last.after or {}).get(law.native(last.side)) == (entry.before or {}).get(native):
                text = f"{entry.who} undid {law.name}, on which both sides agreed: {tell(entry)}"
                yield Violation("fresh eyes", text, entry.at)


def is_named(evidence: Evidence, stream: StreamLaw, law: FieldLaw, value: Value) -> bool:
    """Whether a stored action or parked row names the value of that field."""
    return any(
        (named.stream, named.field) == (stream.name, law.name) and named.value == value
        for named in (*evidence.store.named, *evidence.lost_names)
    )


def was_decided(evidence: Evidence, timeline: Timeline, entry: Entry, law: FieldLaw) -> bool:
    """Whether a person had answered about that field of that record."""
    ids = timeline.ids(timeline.ref(entry))
    return any(
        one.stream == timeline.stream.name
        and one.field in (law.name, law.group or law.name, "")
        and one.at <= entry.at + MOMENT_S
        and any(id in ids[side] for side, id in one.ids.items())
        for one in evidence.decisions
    )


def decided(evidence: Evidence, timeline: Timeline, entry: Entry, law: FieldLaw) -> set[Value]:
    """Values that people chose in answers about that field of that record: one of their own, or what a side held."""
    ids = timeline.ids(timeline.ref(entry))
    found: set[Value] = set()
    for one in evidence.decisions:
        named = one.field in (law.name, law.group or law.name, "*delete*")
        if not named or not any(id in ids[side] for side, id in one.ids.items()):
            continue
        if one.choose == "value":
            found.add(one.value)
        found |= {
            (past.after or {}).get(law.native(past.side))
            for past in timeline.before(entry)
            if past.side == one.choose and past.at <= one.at + MOMENT_S
        }
    return found


def single_owner(evidence: Evidence) -> Iterator[Violation]:
    """Commits come from one owner at a time, and who has lost the link sends nothing more."""
    owners: dict[int, str] = {}
    last, taken = 0, list[tuple[float, str]]()
    for commit in evidence.commits:
        if commit.epoch < last:
            yield Violation(
                "single owner", f"{commit.owner} committed {commit.method} at an old epoch", commit.at
            )
        if owners.setdefault(commit.epoch, commit.owner) != commit.owner:
            yield Violation(
                "single owner", f"{commit.owner} shares an epoch with {owners[commit.epoch]}", commit.at
            )
        if not taken or taken[-1][1] != commit.owner:
            taken.append((commit.at, commit.owner))
        last = max(last, commit.epoch)
    for entry in evidence.entries:
        if any(0 <= entry.asked - at <= LEASE_S for at in evidence.jumps):
            continue  # a lease that ended before its owner could know; the store refuses what he would settle
        if not entry.outside and (now := owner_at(taken, entry.asked)) not in (None, entry.who):
            text = f"{entry.who} sent {tell(entry)} while {now} owned the link"
            yield Violation("single owner", text, entry.asked)


def owner_at(taken: list[tuple[float, str]], at: float) -> str | None:
    """Who had last committed at that time."""
    return next((owner for since, owner in reversed(taken) if since <= at + 1e-6), None)


def obedience(evidence: Evidence) -> Iterator[Violation]:
    """A dry run writes nothing; a paused link, after a moment to come to rest, sends nothing."""
    for name, spans in (("dry run", evidence.dry_runs), ("pause", evidence.pauses)):
        for entry in evidence.entries:
            if not entry.outside and any(
                span.began + MOMENT_S < entry.asked < span.ended - MOMENT_S for span in spans
            ):
                yield Violation(name, f"{entry.who} sent {tell(entry)}", entry.asked)


def tell(entry: Entry) -> str:
    """An entry in a few words."""
    if entry.op != "update":
        return f"{entry.op} {entry.stream} {entry.side}:{entry.id}"
    before, after = entry.before or {}, entry.after or {}
    changes = ", ".join(f"{name}: {before.get(name)!r} -> {after.get(name)!r}" for name in entry.changed())
    return f"update {entry.stream} {entry.side}:{entry.id} ({changes})"


CHECKS: tuple[Check, ...] = (
    no_duplicates,
    ownership,
    deletes,
    truth_of_values,
    required,
    groups_stay_whole,
    nothing_lost,
    fresh_eyes,
    gates_hold,
    documents,
    starts_as_told,
    moved_stays,
    lines_hold,
    adds_up,
    left_behind,
    clashes_bind_nobody,
    clashes_make_nobody,
    load_writes_where_it_may,
    merges_by_rule,
    on_command_only,
)
