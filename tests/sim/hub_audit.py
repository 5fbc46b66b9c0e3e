"""The judge of a hub: three systems' logs, and what the store says of each link. Shares no code with the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from actors.core.values import Value
from tests.sim.evidence import Entry, StoreView, Violation
from tests.sim.hub import LINKS, PRIMARY, STREAM, SYSTEMS, HubOutcome, side_of
from tests.sim.settled import REASONS

WHOLE = ("", "*", "*delete*", "*outcome*")
WRITES_MAX = (
    6  # of one field of one record after the last edit: one per link and conflict that is answered, both ways
)


def judge(outcome: HubOutcome) -> list[Violation]:
    """Everything that must hold of a hub."""
    checks = (
        no_duplicates,
        no_invention,
        nothing_lost,
        deletes,
        convergence,
        gone_where_told,
        quiet,
        termination,
    )
    return [*outcome.fallen, *(found for check in checks for found in check(outcome))]


def ref_of(outcome: HubOutcome, name: str, entry: Entry) -> Value:
    """The reference that a person gave the record; nobody ever edits it."""
    return next(
        (held["ref"] for held in (entry.after, entry.before) if held and held.get("ref") is not None), None
    )


def records(outcome: HubOutcome, name: str) -> dict[str, Entry]:
    """The records of a system at the end: id -> last entry."""
    live: dict[str, Entry] = {}
    for entry in outcome.entries[name]:
        if entry.op == "delete":
            live.pop(entry.id, None)
        else:
            live[entry.id] = entry
    return live


def no_duplicates(outcome: HubOutcome) -> Iterator[Violation]:
    """What a daemon makes is not there yet; nobody need have seen what people made just before."""
    for name in SYSTEMS:
        live: dict[Value, dict[str, Entry]] = {}
        for entry in outcome.entries[name]:
            there = live.setdefault(ref_of(outcome, name, entry), {})
            if entry.op == "delete":
                there.pop(entry.id, None)
                continue
            known = [
                one
                for one in there.values()
                if not (one.outside and entry.asked - one.at < outcome.laws.race_s)
            ]
            # Where people made two at once elsewhere, each of them may get its own copy.
            copies = max(len(made_before(outcome, other, entry)) for other in SYSTEMS if other != name)
            if entry.op == "create" and not entry.outside and known and len(there) >= copies:
                text = f"{entry.who} made {name}:{entry.id} though there is {known[0].id}"
                yield Violation("no duplicates", text, entry.at)
            there.setdefault(entry.id, entry)


def made_before(outcome: HubOutcome, name: str, entry: Entry) -> set[str]:
    """The records of the same reference that were made in a system before."""
    ref = ref_of(outcome, name, entry)
    return {
        one.id
        for one in outcome.entries[name]
        if one.op == "create" and one.at < entry.at and ref_of(outcome, name, one) == ref
    }


def given(outcome: HubOutcome, ref: Value, field: str) -> set[Value]:
    """Every value of a field that people gave the records of a reference, anywhere."""
    found: set[Value] = {None}
    for name in SYSTEMS:
        for entry in outcome.entries[name]:
            if entry.outside and entry.after is not None and ref_of(outcome, name, entry) == ref:
                found.add(entry.after.get(field))
    return found


def no_invention(outcome: HubOutcome) -> Iterator[Violation]:
    """A daemon writes nothing that no person gave that record."""
    for name in SYSTEMS:
        for entry in outcome.entries[name]:
            if entry.outside or entry.op == "delete":
                continue
            for field in entry.sent:
                value = (entry.after or {}).get(field)
                if value not in given(outcome, ref_of(outcome, name, entry), field):
                    yield Violation(
                        "no invention", f"{name}:{entry.id} {field}={value!r} by {entry.who}", entry.at
                    )


def nothing_lost(outcome: HubOutcome) -> Iterator[Violation]:
    """What a person wrote is replaced only where some other system had shown it, or a stored record names it."""
    named = {(one.field, one.value) for view in outcome.views.values() for one in view.named}
    shown: Counter[tuple[Value, str, Value]] = Counter()
    writer: dict[tuple[str, str, str], Entry] = {}
    everything = sorted(
        ((entry.at, name, entry) for name in SYSTEMS for entry in outcome.entries[name]), key=lambda t: t[0]
    )
    for _, name, entry in everything:
        ref = ref_of(outcome, name, entry)
        for field in entry.changed() if entry.op != "delete" else ():
            value = (entry.before or {}).get(field)
            last = writer.get((name, entry.id, field))
            lost = not entry.outside and last is not None and last.outside and value is not None
            if lost and (field, value) not in named and shown[ref, field, value] < 2:
                text = f"{entry.who} replaced {field}={value!r} of a person in {name}:{entry.id}"
                yield Violation("no silent loss", text, entry.at)
            writer[name, entry.id, field] = entry
            shown[ref, field, (entry.after or {}).get(field)] += 1


def convergence(outcome: HubOutcome) -> Iterator[Violation]:
    """In the end each record stands once in every system, and they agree, up to what the store names."""
    live = {name: records(outcome, name) for name in SYSTEMS}
    by_ref: dict[Value, dict[str, list[Entry]]] = {}
    deleted = {
        ref_of(outcome, name, entry)
        for name in SYSTEMS
        for entry in outcome.entries[name]
        if entry.op == "delete"
    }
    for name, there in live.items():
        for entry in there.values():
            by_ref.setdefault(ref_of(outcome, name, entry), {}).setdefault(name, []).append(entry)
    for ref, places in by_ref.items():
        if ref in deleted or any(len(found) > 1 for found in places.values()):
            continue
        for link, secondary in LINKS.items():
            view, pair = outcome.views[link], {n: places.get(n, [None])[0] for n in (PRIMARY, secondary)}
            ids = {one.id for one in pair.values() if one is not None}
            if parked(view, ids, ""):
                continue
            mine, theirs = pair[PRIMARY], pair[secondary]
            if mine is None or theirs is None:
                where = PRIMARY if mine is None else secondary
                if any(found for found in places.values()) and not waits_elsewhere(outcome, places):
                    yield Violation("convergence", f"{ref} never came to {where}", 0.0)
                continue
            yield from agreement(outcome, link, mine, theirs)


def neighbours(name: str) -> tuple[str, ...]:
    """The systems that one shares a link with."""
    return tuple(LINKS.values()) if name == PRIMARY else (PRIMARY,)


def deletes(outcome: HubOutcome) -> Iterator[Violation]:
    """A daemon deletes only what was deleted next to it, by whoever, where the policy, or a person, says so."""
    removes = outcome.laws.by_name[STREAM].removes
    for name in SYSTEMS:
        for entry in outcome.entries[name]:
            if entry.outside or entry.op != "delete":
                continue
            ref = ref_of(outcome, name, entry)
            said = any(one.choose == "remove" and entry.id in one.ids.values() for one in outcome.decisions)
            gone = [
                there
                for there in neighbours(name)
                for one in outcome.entries[there]
                if one.op == "delete" and one.at <= entry.asked and ref_of(outcome, there, one) == ref
            ]
            if not gone or not (said or any(side_of(there) in removes for there in gone)):
                yield Violation("deletes", f"{entry.who} deleted {name}:{entry.id} ({ref!r})", entry.at)


def gone_where_told(outcome: HubOutcome) -> Iterator[Violation]:
    """What was deleted where deletions are carried over from is gone next to it, unless somebody wrote it there since, or a
    room has it."""
    removes = outcome.laws.by_name[STREAM].removes
    live = {name: records(outcome, name) for name in SYSTEMS}
    for name in (name for name in SYSTEMS if side_of(name) in removes):
        for end in (entry for entry in outcome.entries[name] if entry.op == "delete"):
            ref = ref_of(outcome, name, end)
            if any(ref_of(outcome, name, one) == ref for one in live[name].values()):
                continue  # there again
            for there in neighbours(name):
                left = [one for one in live[there].values() if ref_of(outcome, there, one) == ref]
                if len(left) == 1 and not kept_by_somebody(outcome, name, there, left[0], end):
                    text = f"{ref!r} was deleted in {name} and still is {there}:{left[0].id}"
                    yield Violation("convergence", text, end.at)


def kept_by_somebody(outcome: HubOutcome, name: str, there: str, entry: Entry, end: Entry) -> bool:
    """Whether something speaks for a record whose partner went: an edit, another copy, a room, a person's word. Nobody need
    have known the two as one who stood side by side for a moment only."""
    past = [one for one in outcome.entries[there] if one.id == entry.id]
    first = next(one for one in outcome.entries[name] if one.id == end.id)
    views = list(outcome.views.values())
    knew = any(not one.outside and one.at < end.at for one in (*past, first)) or (
        end.at - max(past[0].at, first.at) > outcome.laws.race_s
    )
    return (
        not knew
        or any(one.at >= end.at for one in past)
        or any(parked(view, {entry.id, end.id}, "") for view in views)
        or any(entry.id in one.ids.values() for one in outcome.decisions)
        or len(made_before(outcome, name, entry)) > 1
        or len(made_before(outcome, there, entry)) > 1
    )


def waits_elsewhere(outcome: HubOutcome, places: dict[str, list[Entry]]) -> bool:
    """Whether some link holds the record: then it can't have come to the other one."""
    ids = {one.id for found in places.values() for one in found}
    return any(parked(view, ids, "") for view in outcome.views.values())


def agreement(outcome: HubOutcome, link: str, mine: Entry, theirs: Entry) -> Iterator[Violation]:
    """Two records of a link agree in every field."""
    view = outcome.views[link]
    for law in outcome.laws.by_name[STREAM].fields:
        held = {"a": (mine.after or {}).get(law.name), "b": (theirs.after or {}).get(law.name)}
        if held["a"] == held["b"] or parked(view, {mine.id, theirs.id}, law.name):
            continue
        said = {
            (one.side, one.value)
            for one in view.deviations
            if one.id in (mine.id, theirs.id) and one.field == law.name and one.reason in REASONS
        }
        if not said & set(held.items()):
            text = f"{law.name} in {link}: {mine.id} holds {held['a']!r}, {theirs.id} holds {held['b']!r}"
            yield Violation("convergence", text, max(mine.at, theirs.at))


def parked(view: StoreView, ids: set[str], field: str) -> bool:
    """Whether a room or a plan of a link holds a record as a whole, or this field of it."""
    return any(
        ids & set(row.ids.values()) and (row.field in WHOLE or row.field == field)
        for row in (*view.parked, *view.held)
    )


def quiet(outcome: HubOutcome) -> Iterator[Violation]:
    """Nobody writes anything once everything was settled, and no intent is left open."""
    for name in SYSTEMS:
        for entry in outcome.entries[name]:
            if not entry.outside and entry.at > outcome.quiet_from:
                yield Violation("quiet", f"{entry.who} still wrote {name}:{entry.id}", entry.at)
    for link, view in outcome.views.items():
        if view.open_actions or view.overdue:
            yield Violation("rest", f"{link}: {view.open_actions} intents, {view.overdue} hints")


def termination(outcome: HubOutcome) -> Iterator[Violation]:
    """After the last edit nothing goes round in circles."""
    written: Counter[tuple[str, str, str]] = Counter()
    for name in SYSTEMS:
        assert side_of(name)
        for entry in outcome.entries[name]:
            if not entry.outside and entry.at > outcome.edits_end and entry.op == "update":
                written.update((name, entry.id, field) for field in entry.changed())
    for (name, id, field), count in written.items():
        if count > WRITES_MAX:
            yield Violation("termination", f"{name}:{id} {field} was written {count} times")
