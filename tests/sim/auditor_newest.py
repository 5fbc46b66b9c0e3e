"""The auditor on units, clash keys, the sides of an initial load, merges, effects, commands and budgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from actors.core.policy import MERGES
from actors.core.values import Scalar, Value, is_empty, lines_of
from tests.sim.auditor_several import moved_from, source_of
from tests.sim.evidence import BACKUP, MOMENT_S, Entry, Evidence, Violation
from tests.sim.laws import CELLS, FieldLaw, Side, other
from tests.sim.timeline import Timeline

Cell = tuple[str, Scalar]
# A write that was planned while somebody's run was under way may still be sent a while after it was cut short.
COMMAND_S = 60.0


def cells_of(value: Value) -> set[Cell]:
    """Everything that stands in lines."""
    return {cell for line in lines_of(value) for cell in line.cells if cell[1] is not None}


# ------------------------------------------------------------------------------------------------------- units


def lines_hold(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """Of the lines that a daemon writes none stands twice, each cell was given by a person, and none is lost unnamed."""
    law = timeline.stream.units
    for entry in timeline.entries if law is not None else ():
        if entry.outside or law is None or law.native(entry.side) not in entry.changed():
            continue
        native = law.native(entry.side)
        now, was = (entry.after or {}).get(native), (entry.before or {}).get(native)
        past = list(timeline.before(entry))
        yield from _twice(timeline, entry, law, now)
        shown = {cell for one in past for cell in cells_of((one.after or {}).get(law.native(one.side)))}
        if invented := cells_of(entry.sent.get(native)) - shown:
            text = f"{entry.who} wrote {sorted(map(str, invented))} into {entry.id}, which nobody gave"
            yield Violation("no invention", text, entry.at)
        lost = cells_of(was) - cells_of(now)
        lost -= {
            cell
            for one in past
            if one.side != entry.side
            for value in ((one.after or {}).get(law.native(one.side)), one.sent.get(law.native(one.side)))
            for cell in cells_of(value)
        }
        names = (*evidence.store.named, *evidence.lost_names)
        lost -= {cell for one in names if one.field == law.name for cell in cells_of(one.value)}
        if lost:
            text = f"{entry.who} took {sorted(map(str, lost))} out of the lines of {entry.side}:{entry.id}"
            yield Violation("no silent loss", f"{text}; no record names it", entry.at)


def _twice(timeline: Timeline, entry: Entry, law: FieldLaw, now: Value) -> Iterator[Violation]:
    """People may have made a line two, by an old form; a daemon never does."""
    count = Counter(line.get(CELLS[0]) for line in lines_of(now))
    for article, times in count.items():
        known = max(
            (
                sum(
                    line.get(CELLS[0]) == article
                    for line in lines_of((one.after or {}).get(law.native(one.side)))
                )
                for one in timeline.before(entry)
            ),
            default=0,
        )
        if times > max(known, 1):
            text = f"{entry.who} wrote the line {article!r} of {entry.side}:{entry.id} {times} times"
            yield Violation("lines twice", text, entry.at)


def adds_up(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """A daemon makes no record of which the lines do not add up, and of one where they do none where they don't (but for a
    write that was cut between two of its steps)."""
    stream = timeline.stream
    for entry in timeline.entries if stream.adds_up else ():
        if entry.outside or entry.op == "delete" or entry.after is None or was_cut(timeline, entry):
            continue
        if stream.named("sum").owner == entry.side:
            continue  # that side's own figure
        before, after = _right(timeline, entry.side, entry)
        if (entry.before is None or before) and not after:
            yield Violation(
                "sums", f"{entry.who} left {entry.side}:{entry.id} so that it does not add up", entry.at
            )


def was_cut(timeline: Timeline, entry: Entry) -> bool:
    """Whether a write of lines may have been done in part: the daemon was not told that it was done."""
    return not timeline.evidence.was_answered(entry)


def _right(timeline: Timeline, side: Side, entry: Entry) -> tuple[bool, bool]:
    """Whether the lines added up before an entry, and after."""
    items, total = timeline.stream.named("items").native(side), timeline.stream.named("sum").native(side)
    found = []
    for held in (entry.before or {}, entry.after or {}):
        amounts = [line.get(CELLS[1]) for line in lines_of(held.get(items))]
        found.append(
            sum((Decimal(one) for one in amounts if isinstance(one, int | Decimal)), Decimal(0))
            == held.get(total)
        )
    return found[0], found[1]


# ------------------------------------------------------------------------------------------- keys, loads, merges


def clashes_bind_nobody(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """Two records that share nothing but a clash key are no pair, unless a person said so."""
    if not timeline.stream.clashes:
        return
    refs: dict[tuple[Side, str], Value] = {}
    for entry in timeline.entries:
        refs.setdefault((entry.side, entry.id), timeline.given_ref(entry))
    for stream, a, b in evidence.store.pairs:
        mine, theirs = refs.get(("a", a)), refs.get(("b", b))
        if stream == timeline.stream.name and mine is not None and theirs is not None and mine != theirs:
            yield Violation("clash", f"a:{a} ({mine!r}) and b:{b} ({theirs!r}) were made a pair")


def clashes_make_nobody(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """Where a person's record of that side has the clash key for long, and another reference, nobody makes a second one."""
    stream = timeline.stream
    if not stream.clashes or not evidence.plain or evidence.set_back:
        return
    for entry in timeline.entries:
        key = stream.named(stream.key).native(entry.side)
        value = entry.sent.get(key)
        if entry.outside or entry.op != "create" or value is None or entry.side not in evidence.plain:
            continue
        for ref in timeline.refs():
            for one in _held_for_long(timeline, ref, entry, key, value):
                said = any(d.choose in ("different", "same", "restore") for d in evidence.decisions)
                if ref != timeline.ref(entry) and not said and entry.side not in stream.restores:
                    text = f"{entry.who} made {entry.side}:{entry.id} though {one.id} has {value!r}"
                    yield Violation("clash", text, entry.at)


def _held_for_long(timeline: Timeline, ref: Value, entry: Entry, key: str, value: Value) -> Iterator[Entry]:
    """The record of a reference, if there is one, that has held the key since long before an entry."""
    long_ago = entry.asked - timeline.evidence.laws.race_s
    past = [one for one in timeline.about(ref) if one.side == entry.side and one.at < entry.asked]
    ids = {one.id for one in past}
    if len(ids) == 1 and past[0].outside and past[-1].op != "delete":
        older = [one for one in past if one.at <= long_ago]
        newer = [one for one in past if one.at > long_ago]
        if older and all((one.after or {}).get(key) == value for one in (older[-1], *newer)):
            yield past[0]


def load_writes_where_it_may(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """Until the initial load is complete nothing is written on a side that it does not name, but on a person's word."""
    stream = timeline.stream
    if evidence.set_back:
        return
    loaded = evidence.loaded.get(stream.name, float("inf"))
    for entry in timeline.entries:
        left = entry.op == "create" and stream.initial_creates == "off" and source_of(timeline, entry) is None
        if entry.outside or (entry.side in stream.initial_load and not left) or entry.asked >= loaded:
            continue
        ids = timeline.ids(timeline.ref(entry))
        said = any(
            i in ids[s]
            for one in evidence.decisions
            if one.at <= entry.asked + MOMENT_S
            for s, i in one.ids.items()
        )
        # A number that is given to a record which the load itself made is told to where that came from.
        made = any(not one.outside and one.op == "create" for one in timeline.before(entry))
        needed = made or any(
            one.reference == stream.name for law in evidence.laws.streams for one in law.fields
        )
        if not said and not needed and entry.op != "delete" and not _after_a_change(timeline, entry):
            text = f"{entry.who} wrote {entry.side}:{entry.id} ({entry.op}) before all was loaded"
            yield Violation("initial load", text, entry.at)


def _after_a_change(timeline: Timeline, entry: Entry) -> bool:
    """Whether anybody touched the record, or its partner, more than once: by then it is no load any more."""
    past = [one for one in timeline.before(entry) if one.outside]
    return len(past) > len({(one.side, one.id) for one in past})


def was_held_over(evidence: Evidence, timeline: Timeline, entry: Entry) -> bool:
    """Whether a record of one side may stand there alone, because the initial load makes nobody from it."""
    stream = timeline.stream
    if other(entry.side) in stream.initial_load and stream.initial_creates != "off":
        return False
    loaded = evidence.loaded.get(stream.name, float("inf")) + MOMENT_S  # one moment, by two clocks
    # Somebody may have edited it between the look at it and the end of the load.
    its = [one for one in timeline.about(timeline.ref(entry)) if (one.side, one.id) == (entry.side, entry.id)]
    # What a daemon made before its state was set back is a stranger to it, like any other.
    forgotten = max(evidence.set_back, default=0.0)
    early = [one for one in its if one.at <= loaded and (one.outside or one.at < forgotten)]
    late = [one for one in its if one.outside and one.at > loaded]
    # (What a look did not deliver at the load tells nothing, should it be edited later.)
    shown = entry.side not in evidence.drops
    edited = shown and any(stream.law(one.side, name) for one in late for name in one.changed())
    edited = edited or any(one.op == "create" for one in late)
    alive = [one.after for one in early if one.after is not None]
    restored = bool(alive) and bool(late) and late[-1].after == alive[-1]  # deleted, and back out of a backup
    return bool(early) and (restored or not edited)


def merges_by_rule(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """Where a bound record had a key of the one that is gone, its partner is not deleted or marked but as the rule says."""
    stream = timeline.stream
    if stream.on_merge == "delete" or stream.clashes:
        return
    for entry in timeline.entries:
        origin = other(entry.side)
        if entry.outside or entry.op != "delete" or origin not in evidence.plain or evidence.set_back:
            continue
        ids = timeline.ids(timeline.ref(entry))
        if any(i in ids[s] for one in evidence.decisions for s, i in one.ids.items()):
            continue
        if stream.on_merge == "follow" and evidence.approved[stream.name, MERGES]:
            continue
        if (one := _survivor(evidence, timeline, entry, origin)) is not None:
            text = f"{entry.who} deleted {entry.side}:{entry.id}, whose partner was merged into {one}"
            yield Violation("merge", text, entry.at)


def _survivor(evidence: Evidence, timeline: Timeline, entry: Entry, origin: Side) -> str | None:
    """A record of the origin that was a pair in the end, and has had a key of the one that is gone since before it went."""
    ends = [one for one in timeline.before(entry) if one.side == origin and one.op == "delete"]
    if not ends:
        return None
    bound = {ids[1] if origin == "a" else ids[2] for ids in evidence.store.pairs}
    for names in timeline.stream.keys:
        native = timeline.stream.named(names[0]).native(origin)
        value = (ends[0].before or {}).get(native)
        if len(names) > 1 or value is None:
            continue
        for one in timeline.entries:
            if one.side != origin or one.id == ends[0].id or one.id not in bound or one.at >= ends[0].at:
                continue
            later = [e for e in timeline.record(one) if e.at >= one.at]
            if all((e.after or {}).get(native) == value for e in later) and _paired_before(
                timeline, one, ends[0]
            ):
                return one.id
    return None


def _paired_before(timeline: Timeline, one: Entry, end: Entry) -> bool:
    """Whether a record must have had its partner before another one went: a daemon made either of them."""
    first = timeline.record(one)[0]
    return not first.outside and first.at < end.at


# ------------------------------------------------------------------------------------------------------- effects


def effects_once(evidence: Evidence) -> Iterator[Violation]:
    """Each document that we made is told of once more, once, and nothing else is."""
    for law in evidence.laws.streams:
        if not law.effect:
            continue
        (side,) = law.stages
        timeline = Timeline(evidence, law)
        begun = [e for e in timeline.entries if e.op == "create" and e.side == side]
        made = {e.id: e for e in begun if not e.outside}
        # One that was given another id since is the same document, and one that people made one with it.
        refs = {timeline.ref(e) for e in made.values()}
        ended = {timeline.ref(e) for e in timeline.entries if e.op == "delete" and e.side == side}
        # (One that a backup brings back under its own id was made when we made it.)
        made = {e.id: e for e in begun if e.outside and timeline.ref(e) in refs & ended} | made
        told: Counter[Value] = Counter()
        for entry in evidence.effects:
            if entry.stream != law.effect or entry.op != "create":
                continue
            document = (entry.after or {}).get("sale")
            told[document] += 1
            if document not in made or made[str(document)].at > entry.at:
                yield Violation(
                    "effects", f"{entry.who} made {entry.id} of {document!r}, which is none of ours", entry.at
                )
            elif told[document] > 1:
                yield Violation(
                    "effects", f"{entry.who} made {entry.id}: {document!r} was told of already", entry.at
                )


def effects_all(evidence: Evidence) -> Iterator[Violation]:
    """In the end no document that we made, and that is there on both sides, lacks its effect."""
    for law in evidence.laws.streams:
        if not law.effect or evidence.set_back:
            continue
        (side,) = law.stages
        timeline = Timeline(evidence, law)
        told = {(e.after or {}).get("sale") for e in evidence.effects if e.stream == law.effect}
        # It waits itself, or its document does: found by a look, and not in step yet.
        waits = {
            id
            for row in evidence.store.parked
            if row.stream == f"{law.name}_moves" or (row.stream == law.name and row.room == "waiting")
            for id in row.ids.values()
        }
        ended = {(e.side, e.id) for e in timeline.entries if e.op == "delete"}
        # What was told of once is not told again, should the document be put back under another id.
        before = {timeline.given_ref(e) for e in timeline.entries if e.side == side and e.id in told}
        for stream, a, b in evidence.store.pairs:
            origin, document = (a, b) if side == "b" else (b, a)
            if stream != law.name or document in told or origin in waits or (other(side), origin) in ended:
                continue
            if (side, document) in ended:
                continue
            if any(
                (e.side, e.id, e.op, e.outside) == (other(side), origin, "create", False)
                for e in timeline.entries
            ):
                continue  # put back by us: the one it was imported from had ended
            made = [e for e in timeline.entries if (e.side, e.id, e.op) == (side, document, "create")]
            if not made or made[0].outside or timeline.given_ref(made[0]) in before:
                continue
            # Found by a look, where no reply came; or answered.
            if (law.name, side, document) in evidence.store.looked_up or evidence.was_answered(made[0]):
                yield Violation("effects", f"{document} was made, and never told of", made[0].at)


# ------------------------------------------------------------------------------------------- commands, budgets


def on_command_only(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """Nothing is written on a side that waits for a command, but in a run that somebody asked for, or said yes to."""
    for entry in timeline.entries:
        if entry.outside or entry.side not in timeline.stream.command:
            continue
        # A run and what it wrote may show one moment by two clocks.
        asked = any(s.began - MOMENT_S <= entry.asked <= s.ended + COMMAND_S for s in evidence.commanded)
        ids = timeline.ids(timeline.ref(entry))  # what somebody decided about a record waits for no schedule
        asked |= any(i in ids[s] for one in evidence.decisions for s, i in one.ids.items())
        if not asked and not any(stream == entry.stream for stream, _ in evidence.approved):
            yield Violation(
                "on command", f"{entry.who} wrote {entry.side}:{entry.id}, and nobody asked", entry.at
            )


def within_budgets(evidence: Evidence) -> Iterator[Violation]:
    """Once all is loaded no more is done of a kind than its budget and what people said yes to."""
    for law in evidence.laws.streams:
        loaded = evidence.loaded.get(law.name)
        if loaded is None or evidence.set_back:
            continue
        done: Counter[str] = Counter()
        timeline = Timeline(evidence, law)
        for entry in timeline.entries:
            loads = entry.asked <= loaded + MOMENT_S  # that has no budget
            if not entry.outside and not loads and not _is_nobodys(timeline, entry):
                done.update(_kinds(timeline, entry))
        for kind, budget in evidence.budgets.items():
            limit = budget.count + evidence.approved[law.name, kind]
            # (Of a write that is taken for not done, though it was, nobody counts anything.)
            unknown = sum(n for (name, *_), n in evidence.store.given_up.items() if name == law.name)
            if done[kind] > limit + unknown:
                text = f"{law.name}: {done[kind]} {kind} in a day, {budget.count} and {limit - budget.count} allowed"
                yield Violation("budgets", text)


def _is_nobodys(timeline: Timeline, entry: Entry) -> bool:
    """Whether a backup took back what was written before any look could show it: it is taken for never arrived."""
    given_up = timeline.evidence.store.given_up[entry.stream, entry.side, entry.id]
    return bool(given_up) and any(one.who == BACKUP and one.at >= entry.at for one in timeline.record(entry))


def _kinds(timeline: Timeline, entry: Entry) -> Iterator[str]:
    """What a write counts as. Who moves a record pays once, when it is made in its new object."""
    law = timeline.stream
    moves = source_of(timeline, entry) is not None
    if entry.op in ("create", "delete"):
        if not moves and moved_from(timeline, entry) is None:
            yield f"{entry.op}s"
        return
    changed = [name for name in entry.changed() if law.law(entry.side, name) is not None]
    before, after = entry.before or {}, entry.after or {}
    held = [name for name in changed if not is_empty(before.get(name))]
    if any(not is_empty(after.get(name)) for name in held):
        yield "overwrites"
    if any(is_empty(after.get(name)) for name in held):
        yield "clears"
