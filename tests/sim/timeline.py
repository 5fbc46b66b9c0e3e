"""What the two systems held when, worked out from their write logs alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from actors.core.values import Value
from tests.sim.evidence import BACKUP, Entry, Evidence
from tests.sim.laws import FieldLaw, Side, StreamLaw

Life = tuple[Side, str, int]  # side, id, and the how manieth record under that id


class Timeline:
    """The past of one stream: every record by side and id, and by the reference a person gave it.

    Where a person gives a record the match key of another one (a merge by hand), the two references are one: the key
    says so, and nobody can tell them apart after that.
    """

    def __init__(self, evidence: Evidence, stream: StreamLaw) -> None:
        self.stream = stream
        self.evidence = evidence
        self.entries = evidence.of(stream)
        self._life: dict[
            int, Life
        ] = {}  # by id(entry): entries are compared as what they are, not by their content
        self._by_record: dict[Life, list[Entry]] = {}
        self._refs: dict[Life, Value] = {}
        self._same: dict[Value, Value] = {}
        self._by_ref: dict[Value, list[Entry]] = {}
        self._place()
        for entry in self.entries:
            self._by_ref.setdefault(self.ref(entry), []).append(entry)

    def _place(self) -> None:
        """Which record each entry is about, and which references belong together."""
        given: dict[tuple[str, Value], Value] = {}
        count: dict[tuple[Side, str], int] = {}
        for entry in self.entries:
            at = entry.side, entry.id
            count[at] = count.get(at, 0) + (entry.op == "create")
            life = (*at, count[at])
            self._life[id(entry)] = life
            self._by_record.setdefault(life, []).append(entry)
            if entry.op == "create":
                self._refs[life] = self._reference(entry, given)
            if entry.outside:
                values = self._values(entry)
                known = next((given[v] for v in values if v[0] == self.stream.key and v in given), None)
                if known is not None and known != self._refs.get(life) and not self.stream.clashes:
                    self._same[self.root(self._refs.get(life))] = self.root(known)
                given.update(dict.fromkeys(values, self._refs.get(life)))

    def root(self, ref: Value) -> Value:
        """The one reference that stands for all that people made one with this."""
        while self._same.get(ref, ref) != ref:
            ref = self._same[ref]
        return ref

    def _reference(self, entry: Entry, given: dict[tuple[str, Value], Value]) -> Value:
        """The reference of a new record; a copy made without it is known by any other value that a person gave."""
        law = next(law for law in self.stream.fields if law.name == self.stream.ref)
        said = (entry.after or {}).get(law.native(entry.side))
        if said is not None:
            return said
        return next((given[value] for value in self._values(entry) if value in given), None)

    def _values(self, entry: Entry) -> list[tuple[str, Value]]:
        """The shared values that an entry gave: (field, value)."""
        laws = ((self.stream.law(entry.side, native), value) for native, value in entry.sent.items())
        return [(law.name, value) for law, value in laws if law is not None and value is not None]

    def ref(self, entry: Entry) -> Value:
        """The reference of the record that an entry is about."""
        return self.root(self._refs.get(self._life[id(entry)]))

    def is_merged(self, entry: Entry) -> bool:
        """Whether a person made one record of the entry's and another one, at any time."""
        raw = self.given_ref(entry)
        return raw in self._same or raw in self._same.values()

    def given_ref(self, entry: Entry) -> Value:
        """The reference that the entry's record was made with, whatever it was merged with later."""
        return self._refs.get(self._life[id(entry)])

    def refs(self) -> list[Value]:
        """All references, in the order in which they came up."""
        return [ref for ref in self._by_ref if ref is not None]

    def record(self, entry: Entry) -> list[Entry]:
        """Everything that happened to the entry's record, in order."""
        return self._by_record[self._life[id(entry)]]

    def one_record(self, one: Entry, another: Entry) -> bool:
        """Whether two entries are about one and the same record."""
        return self._life[id(one)] == self._life[id(another)]

    def held(self, record: Entry, until: Entry) -> Mapping[str, Value] | None:
        """What an entry's record held when `until` took effect, in native names; None where it was gone."""
        before = [one for one in self.record(record) if one.at < until.at]
        return before[-1].after if before else None

    def about(self, ref: Value) -> list[Entry]:
        """Everything that happened to records with this reference, on both sides, in order."""
        return self._by_ref.get(ref, [])

    def live(self, ref: Value) -> dict[Side, dict[str, Entry]]:
        """The records with this reference that exist at the end: side -> id -> last entry."""
        found: dict[Side, dict[str, Entry]] = {"a": {}, "b": {}}
        for entry in self.about(ref):
            if entry.op == "delete":
                found[entry.side].pop(entry.id, None)
            else:
                found[entry.side][entry.id] = entry
        return found

    def ids(self, ref: Value) -> dict[Side, set[str]]:
        """All ids that records with this reference ever had."""
        found: dict[Side, set[str]] = {"a": set(), "b": set()}
        for entry in self.about(ref):
            found[entry.side].add(entry.id)
        return found

    def before(self, entry: Entry) -> Iterator[Entry]:
        """Entries about the same reference, both sides, that took effect before `entry`, newest first."""
        about = self.about(self.ref(entry))
        at = next(n for n, one in enumerate(about) if one is entry)
        return reversed(about[:at])

    def standing(self, side: Side, until: Entry) -> list[Entry]:
        """Records of a side, about the same reference, that were there when `until` took effect: the last entry of each."""
        last: dict[str, Entry] = {}
        for one in self.before(until):
            if one.side == side:
                last.setdefault(one.id, one)
        return [one for one in last.values() if one.op != "delete"]

    def writer(self, entry: Entry, native: str) -> Entry | None:
        """Who gave a field the value that `entry` found there."""
        for one in self.before(entry):
            if self._life[id(one)] == self._life[id(entry)] and native in one.changed():
                return self._first_writer(one, native)
        return None

    def _first_writer(self, entry: Entry, native: str) -> Entry:
        """Who gave the value that an entry did: of what a backup brought back, and of a record that got another id, whoever
        had written it into that record."""
        value = (entry.after or {}).get(native)
        was = self._under_another_id(entry)
        if was is not None and (was.before or {}).get(native) == value:
            return self.writer(was, native) or entry
        wrote = (
            one
            for one in self.before(entry)
            if (one.side, one.id) == (entry.side, entry.id)
            and one.who != BACKUP
            and native in one.changed()
            and (one.after or {}).get(native) == value
        )
        return next(wrote, entry) if entry.who == BACKUP else entry

    def _under_another_id(self, entry: Entry) -> Entry | None:
        """The end of the record that an entry, at the same moment, made again under another id."""
        if entry.op != "create" or not entry.outside:
            return None
        ref = self.given_ref(entry)
        ends = (
            one
            for one in self.before(entry)
            if one.op == "delete" and one.outside and (one.side, one.at) == (entry.side, entry.at)
        )
        return next((one for one in ends if self.given_ref(one) == ref), None)

    def last_write(self, entry: Entry, side: Side, law: FieldLaw) -> Entry | None:
        """Who gave a shared field its value on `side`, as it was when `entry` took effect; None where it is gone."""
        for one in self.before(entry):
            if one.side != side:
                continue
            if one.op == "delete":
                return None
            if law.native(side) in one.changed():
                return one
        return None

    def shown_on(self, side: Side, field_name: str, value: Value, until: Entry) -> bool:
        """Whether `side` held this value of a shared field, or was given it, at any time before an entry."""
        native = next(law for law in self.stream.fields if law.name == field_name).native(side)
        return any(
            one.side == side
            and one.after is not None
            and (one.after.get(native) == value or (native in one.sent and one.sent[native] == value))
            for one in self.before(until)
        )

    def written_by_persons(self, entry: Entry, field_name: str) -> set[Value]:
        """Every value of a shared field that people gave records with this reference, before `entry`, as stored.

        Of an owned field also what the owner's side held, as nobody but people can have changed it; where the owner turns,
        either side's.
        """
        law = next(law for law in self.stream.fields if law.name == field_name)
        found: set[Value] = set()
        for one in self.before(entry):
            native = law.native(one.side)
            if one.after is not None and (one.side == law.owner or law.turns):
                found.add(one.after.get(native))
            if one.outside and one.after is not None and (native in one.sent or one.op == "create"):
                found.add(one.after.get(native))
        return found
