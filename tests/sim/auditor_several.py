"""The auditor on records of a side with several objects: what was moved from one to another, and what it left behind."""

from __future__ import annotations

from collections.abc import Iterator

from actors.core.values import Value
from tests.sim.auditor_doubles import is_another, was_told
from tests.sim.evidence import Entry, Evidence, Violation
from tests.sim.laws import MARK, other
from tests.sim.timeline import Timeline


def source_of(timeline: Timeline, entry: Entry) -> Entry | None:
    """Of a create in one of several objects, what its record last was in another one: it was moved from there, unless a
    person had said that it is another one."""
    if entry.op != "create" or entry.side != timeline.stream.several:
        return None
    if was_told(timeline.evidence, timeline, entry, "different"):
        return None
    for one in timeline.before(entry):
        if (
            one.side == entry.side
            and one.op != "delete"
            and place_of(timeline, one) != place_of(timeline, entry)
        ):
            return one
    return None


def place_of(timeline: Timeline, entry: Entry) -> Value:
    """The object that a record stands in."""
    return (entry.after or entry.before or {}).get(timeline.stream.named("place").native(entry.side))


def moved_from(timeline: Timeline, entry: Entry) -> Entry | None:
    """Of a daemon's delete in one of several objects, the create by which it had moved the record from there."""
    if entry.op != "delete" or entry.side != timeline.stream.several:
        return None
    for one in timeline.before(entry):
        made = one.side == entry.side and one.op == "create" and not one.outside
        if made and place_of(timeline, one) != place_of(timeline, entry):
            return one
    return None


def left_behind(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """What is removed in the old object stood in the new one as it was; a rule says that anything is removed at all."""
    stream = timeline.stream
    for entry in timeline.entries if stream.several is not None else ():
        made = moved_from(timeline, entry) if not entry.outside else None
        if made is None or any(one.choose in ("a", "b") for one in evidence.decisions):
            continue
        if stream.left != "remove" and other(entry.side) not in stream.removes:
            yield Violation("left behind", f"{entry.who} deleted {entry.id}, which was to stay", entry.at)
        seen = {
            (law.name, value)
            for one in timeline.before(entry)
            if one is made or one.side != entry.side or one.id != entry.id
            for law in stream.fields
            for value in ((one.after or {}).get(law.native(one.side)), one.sent.get(law.native(one.side)))
        }
        seen |= {(one.field, one.value) for one in (*evidence.store.named, *evidence.lost_names)}
        for law in stream.fields:
            value = (entry.before or {}).get(law.native(entry.side))
            if law.type == "place" or value is None or law.type == "list" or (law.name, value) in seen:
                continue
            text = (
                f"{entry.who} deleted {entry.id} with {law.name}={value!r}, which its new object never held"
            )
            yield Violation("no silent loss", text, entry.at)


def nobody_left(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """In the end what a daemon moved is gone from its old object, or marked there, unless somebody touched it there or is
    asked."""
    stream = timeline.stream
    if stream.several is None or stream.left == "keep" or evidence.set_back:
        return
    parked = {id for row in (*evidence.store.parked, *evidence.store.held) for id in row.ids.values()}
    bound = {id for _, *ids in evidence.store.pairs for id in ids}  # it is another record
    bound |= {  # or a person said that it stays where it is
        one.ids[stream.several]
        for one in evidence.decisions
        if one.field == "*left behind*" and one.choose == stream.several in one.ids
    }
    for ref in timeline.refs():
        there = timeline.live(ref)[stream.several]
        for entry in (one for one in there.values() if one.id not in bound):
            made = [
                one
                for one in timeline.about(ref)
                if not one.outside and (was := source_of(timeline, one)) is not None and was.id == entry.id
                if timeline.given_ref(one) == timeline.given_ref(entry)  # else people made the two one since
            ]
            sure = bool(made) and evidence.was_answered(made[-1])  # else somebody else may have made it
            sure = sure and was_known(timeline, entry, made[-1])
            # Where more than one stand elsewhere nobody can say which was made of it: a person may have said it is none.
            elsewhere = sum(place_of(timeline, one) != place_of(timeline, entry) for one in there.values())
            sure = sure and elsewhere < 2
            sure = sure and not _stood_beside(timeline, entry, made[-1])
            sure = sure and not _never_met(timeline, entry, made[-1])
            sure = sure and not (stream.left == "mark" and (entry.after or {}).get(MARK) == "yes")
            # Who touched it since it was left was asked about it, also if the one in the new object was put back after that.
            if sure and not parked & set(there) and not _touched_since(timeline, entry, made[0]):
                yield Violation(
                    "convergence", f"{entry.id} is left where {made[-1].id} was moved from", entry.at
                )


def _stood_beside(timeline: Timeline, entry: Entry, made: Entry) -> bool:
    """Whether another one stood there, too, when a daemon made one in another object: it may have been made of that."""
    others = (one for one in timeline.standing(made.side, made) if one.id != entry.id)
    return any((one.after or {}).get(MARK) != "yes" for one in others)


def _never_met(timeline: Timeline, entry: Entry, made: Entry) -> bool:
    """Whether a person gave it another key before anybody wrote of it: who is made under the old one is made anew."""
    born = timeline.record(entry)[0]
    written = any(not one.outside for one in timeline.before(made) if one.at >= born.at)
    return not written and is_another(timeline, born, made)


def was_kept_behind(timeline: Timeline, entry: Entry) -> bool:
    """Whether a record is what a daemon left in its old object, where a rule keeps that, or marked there: it stands for
    nobody, also once the one in the new object is gone, or a backup has taken the mark away."""
    made = (one for one in timeline.about(timeline.ref(entry)) if not one.outside)
    was = (source_of(timeline, one) for one in made)
    marks = ((one.after or {}).get(MARK) for one in timeline.record(entry))
    marked = timeline.stream.left == "mark" and "yes" in marks
    kept = timeline.stream.left == "keep" or marked
    return kept and any(one is not None and one.id == entry.id for one in was)


def was_known(timeline: Timeline, entry: Entry, made: Entry) -> bool:
    """Whether who was made in another object must have been made of that record: it had stood there for long, or something
    was written of it, or of its partner, since it was there. Else a look may have left it out (and its partner is made), or
    it had not come to the place where it was looked for (and who seems gone is put back)."""
    born, ref = timeline.record(entry)[0], timeline.given_ref(entry)
    since = (one for one in timeline.before(made) if one.at >= born.at and timeline.given_ref(one) == ref)
    return any(not one.outside for one in since) or not timeline.evidence.is_soon(born.at, made.asked)


def _touched_since(timeline: Timeline, entry: Entry, made: Entry) -> bool:
    return any(one.outside and one.at >= made.asked for one in timeline.record(entry))


def counts_elsewhere(timeline: Timeline, last: Entry, entry: Entry) -> bool:
    """Whether a record stood in a later object as well, where a person had made it, when `entry` was written: that one
    counts, and not the one of which `last` tells, which a daemon may have made before any look had shown the other."""
    if last.side != timeline.stream.several:
        return False
    names = timeline.stream.objects_on(last.side)
    later = names[names.index(str(place_of(timeline, last))) + 1 :]
    return any(
        place_of(timeline, one) in later and timeline.record(one)[0].outside
        for one in timeline.standing(last.side, entry)
    )
