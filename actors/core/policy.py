"""The compiled rules of a link: what a blueprint becomes. Data and small look-ups; compiled once, never changed."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol

import msgspec

from actors.core.conditions import Condition
from actors.core.schedule import Place, Schedule
from actors.core.setup import SetupSpec
from actors.core.stream_rules import Gate, Imports, OnMerge, Reactivation
from actors.core.types import SIDES, Side
from actors.core.values import Value

# The native path of a record's own id, on a side that gives ids: read as a field, never asked for, never written.
RECORD_ID = "@id"
# The native path of the object that a record stands in, on a side with several objects: to write it is to move the record.
RECORD_OBJECT = "@object"
# At the end of a native path: what is asked for is the description of an attachment (attachments.py).
ATTACHED = "#"


class LensError(ValueError):
    """A value that a lens cannot translate; the record is parked with this text. `waits`: for a setting or parent."""

    def __init__(self, message: str, waits: bool = False) -> None:
        super().__init__(message)
        self.waits = waits


class Lens(Protocol):
    """A named two-way transform between native values (one per path) and one shared value.

    Laws: PutGet `get(put(old, v)) == v` (unless lossy), GetPut `put(old, get(old)) == old`, and "no change, no
    write": where get(old) already equals v, put returns old.
    """

    @property
    def lossy(self) -> bool:
        """Whether what is written may come back as less."""
        ...

    @property
    def one_way(self) -> bool:
        """Whether it only reads: nothing is ever written through it, so the field is that side's own."""
        ...

    def get(self, native: tuple[Value, ...]) -> Value:
        """Native values, in the order of the paths, to the shared value."""
        ...

    def put(self, old: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        """The native values that show `value`, staying as close to `old` as can be."""
        ...


class Owner(enum.StrEnum):
    """Who may change a field."""

    A = "a"
    B = "b"
    BOTH = "both"
    LOCAL = "local"  # never transferred, never overwritten


class OwnerCase(msgspec.Struct, frozen=True):
    """An owner under conditions, all of which have to hold. `once_bound`: only while the record has its partner."""

    owner: Owner
    when: tuple[Condition, ...] = ()
    once_bound: bool = False


class ForeignEdit(enum.StrEnum):
    """What becomes of an edit on the side that does not own the field."""

    PUT_BACK = "put_back"  # the owner's value is written again, and the attempt reported
    REPORT = "report"  # it stays there as a deviation, and is reported


class Choice(enum.StrEnum):
    """Conflict rule: whose value stays when both changed the same field differently."""

    A = "a"
    B = "b"
    NEWEST_ELSE_A = "newest_else_a"
    NEWEST_ELSE_B = "newest_else_b"
    NEWEST_ELSE_ASK = "newest_else_ask"
    ASK = "ask"
    STRICTEST = "strictest"  # a withdrawal wins: False before True, then null, then by `order`


class FirstContact(enum.StrEnum):
    """Whose value stays when two records meet for the first time and differ."""

    A = "a"
    B = "b"
    FILL_EMPTY = "fill_empty"  # null is filled from the other side; two values that differ go to the list
    FILLED_ELSE_A = "filled_else_a"  # null is filled from the other side; of two values that of A stays
    FILLED_ELSE_B = "filled_else_b"
    ASK = "ask"


class InitialCreates(enum.StrEnum):
    """What becomes of records that are there already when a link begins, and that the other side lacks."""

    ON = "on"  # made: activating the link was the yes
    PLAN = "plan"  # they wait as a plan
    OFF = "off"  # they rest until they change, or are needed


class DeletePolicy(enum.StrEnum):
    """What a deletion on one side does on the other."""

    IGNORE = "ignore"
    MARK = "mark"
    REMOVE = "remove"
    RESTORE = "restore"


class DeleteEdit(enum.StrEnum):
    """Deleted on one side, edited on the other."""

    KEEP = "keep"  # keep the edited record and list it
    RESTORE = "restore"  # put the deleted one back
    REMOVE = "remove"  # the deletion wins


class LeftBehind(enum.StrEnum):
    """What becomes of a record in its old object once it was made in another one."""

    REMOVE = "remove"
    MARK = "mark"
    KEEP = "keep"


class ObjectRules(msgspec.Struct, frozen=True):
    """One of several objects that hold the records of a side. `creates`, `deletes`: as of `StreamSpec`, for records that
    stand in it; a side that may not create there does not move records there either."""

    name: str
    creates: frozenset[Side]
    deletes: Mapping[str, DeletePolicy]


class FieldSide(msgspec.Struct, frozen=True, dict=True):
    """Where a field lives on one side: its native paths and the lens over them. `within`: which of the paths each of
    several objects has, where these differ (core/lenses_objects.py)."""

    paths: tuple[str, ...]
    lens: Lens
    within: Mapping[str, tuple[str, ...]] = {}

    @cached_property
    def nothing(self) -> tuple[Value, ...]:
        """What stands there in a record that is new."""
        return (None,) * len(self.paths)


class Sum(msgspec.Struct, frozen=True):
    """What the lines have to add up to: `field` of the record equals the sum of `formula` over its lines, give or take
    `tolerance`. `names`: the line fields that the formula reads, in the order in which it is given them."""

    field: str
    formula: str
    names: tuple[str, ...]
    tolerance: Decimal = Decimal(0)


class LinesSpec(msgspec.Struct, frozen=True):
    """How the lines of a record are kept in step with it (core/unit_lines.py).

    `fields`: of one line; their paths are within the line. `key`: the line fields by which lines of both sides are the
    same; without one they are told by what they hold. `ordered`: their order says something. `position[x]`: the path on
    side x that carries the order there, where it is not that of delivery.
    """

    fields: tuple[FieldSpec, ...]
    key: tuple[str, ...] = ()
    ordered: bool = True
    position: Mapping[Side, str] = {}
    sums: tuple[Sum, ...] = ()


class FieldSpec(msgspec.Struct, frozen=True):
    """One shared field. `a`/`b` None: the side does not have it (then it is local to the other).

    `owner_cases` go before `owner`, the first that holds counts (core/owners.py). `starts_with[x]`: the native values that
    a record which we make on side x begins with, where nothing else writes them. `within[x]`: the objects of side x that a
    reference may point into, where its stream has several there.
    """

    name: str
    a: FieldSide | None
    b: FieldSide | None
    owner: Owner = Owner.BOTH
    conflict: Choice = Choice.ASK
    first_contact: FirstContact | None = None  # None: the stream's
    group: str = ""
    on_create_only: bool = False
    required: bool = False
    as_set: bool = False  # a list merged three-way as a set
    reference: str = ""  # the stream whose bindings translate this field
    owner_cases: tuple[OwnerCase, ...] = ()
    foreign_edit: ForeignEdit = ForeignEdit.PUT_BACK
    reactivation: Reactivation = Reactivation.FOLLOW
    starts_with: Mapping[str, Mapping[str, Value]] = {}
    attachment: bool = False  # the value describes an attachment; its content crosses beside it
    lines: LinesSpec | None = None  # the value is a list of lines, part of the record
    within: Mapping[Side, tuple[str, ...]] = {}

    @property
    def references(self) -> tuple[str, ...]:
        """The streams that it refers to, its lines included."""
        below = tuple(spec.reference for spec in self.lines.fields) if self.lines is not None else ()
        return tuple(name for name in dict.fromkeys((self.reference, *below)) if name)

    @property
    def unit(self) -> str:
        """The name under which it is merged, disputed and decided: its group's, or its own."""
        return f"group {self.group}" if self.group else self.name

    def side(self, side: Side) -> FieldSide | None:
        """The field's place on `side`."""
        return self.a if side == "a" else self.b


class Budget(msgspec.Struct, frozen=True):
    """How much of one kind may happen in 24 h without a person's yes. The larger of count and per cent counts. `free`: so
    many go at once; what is beyond waits until the look is complete and the totals are known."""

    count: int
    percent: float
    free: int = 20

    def limit(self, records: int) -> int:
        """The limit for a stream of so many bound records."""
        return max(self.count, int(records * self.percent / 100))


BUDGET_KINDS = ("deletes", "creates", "overwrites", "clears")
# Of creates and deletes, those of which each waits for a yes: `initial_creates: plan`, `on_merge: follow`.
INITIAL_CREATES, MERGES = "initial_creates", "merges"


class StreamSpec(msgspec.Struct, frozen=True, dict=True):
    """One kind of record of a link.

    `creates`: the sides on which a new record leads to one on the other side. `requires`: nothing is made while one of
    these streams has no pair; `named`: nor while those lack one that the record names at that path (core/needed.py).
    `deletes[x]`: what happens on the other side when a record is deleted on x. `mark[x]`: native values that mark a record
    as deleted on x. `gates[x]`: which records of x take part. `complete_read_s`: a complete read at least this often,
    seconds. `delivery[x]`: when what is to be written on x goes; at once where nothing is said.
    `stale[v]`: fields that meant something else under mapping version v; `remapped`: since when not, epoch seconds.
    `triggers[x]`: events of x's webhook that lead to a look; all where nothing is said. `once`: sides on which a record is
    made and never changed after. `stages`: sides on which one is made when `imports` says so. `effects`: the streams of
    what is written together with a record that is made; each of them `follows` this one (core/effects.py). `objects[x]`:
    the objects of side x where there are several (core/several.py); `creates` and `deletes` stand with them then.
    `initial_load`: the sides that the initial load may write to, `initial_creates`: what it does about records that the
    other side lacks (core/initial.py). `clashes`: of the match keys, so many at the end bind nobody: who shares one goes to
    a person. `contact_cases` go before `first_contact`, the first that holds counts.
    """

    name: str
    kind: str  # master | document
    a_object: str
    b_object: str
    fields: tuple[FieldSpec, ...]
    match: tuple[tuple[str, ...], ...] = ()
    parents: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    named: Mapping[str, Mapping[Side, str]] = {}
    once: frozenset[Side] = frozenset()
    stages: frozenset[Side] = frozenset()
    imports: Imports = Imports.ASK
    initial_load: frozenset[Side] = frozenset({"a", "b"})
    initial_creates: InitialCreates = InitialCreates.ON
    creates: frozenset[Side] = frozenset({"a", "b"})
    deletes: Mapping[str, DeletePolicy] = msgspec.field(
        default_factory=lambda: {"a": DeletePolicy.IGNORE, "b": DeletePolicy.IGNORE}
    )
    delete_vs_edit: DeleteEdit = DeleteEdit.KEEP
    on_merge: OnMerge = OnMerge.ASK
    mark: Mapping[str, Mapping[str, Value]] = {}
    gates: Mapping[str, Gate] = {}
    first_contact: FirstContact = FirstContact.ASK
    contact_cases: tuple[tuple[FirstContact, tuple[Condition, ...]], ...] = ()
    budgets: Mapping[str, Budget] = {}
    complete_read_s: float = 3600.0
    map_ver: str = ""
    delivery: Mapping[Side, Schedule] = {}
    stale: Mapping[str, frozenset[str]] = {}
    remapped: float = 0.0
    triggers: Mapping[Side, tuple[str, ...]] = {}
    objects: Mapping[Side, tuple[ObjectRules, ...]] = {}
    left_behind: LeftBehind = LeftBehind.REMOVE
    clashes: int = 0
    effects: tuple[str, ...] = ()
    follows: str = ""

    def object(self, side: Side) -> str:
        """The name of the object that holds these records on `side`; of several, all their names."""
        return self.a_object if side == "a" else self.b_object

    def objects_on(self, side: Side) -> tuple[str, ...]:
        """The names of the objects that hold these records on `side`."""
        return tuple(one.name for one in self.objects.get(side, ())) or (self.object(side),)

    def binds_by(self, level: int) -> bool:
        """Whether records that alone share this match key are the same."""
        return level < len(self.match) - self.clashes

    @cached_property
    def several(self) -> Side | None:
        """The side on which there are several objects, if there is one."""
        return next((side for side in SIDES if side in self.objects), None)

    @cached_property
    def object_field(self) -> FieldSpec | None:
        """The field that says which of several objects a record stands in. Where it is local, a record stays where it was
        made, and the other side knows nothing of it."""
        side = self.several
        if side is None:
            return None
        places = ((spec, spec.side(side)) for spec in self.fields)
        own = ((spec, at) for spec, at in places if at is not None and at.paths == (RECORD_OBJECT,))
        return next((spec for spec, at in own if not at.lens.one_way), None)

    def field(self, name: str) -> FieldSpec:
        """The field called `name`; KeyError where there is none."""
        return self._by_name[name]

    # Worked out once: the rules don't change, and every record asks.

    @cached_property
    def _by_name(self) -> Mapping[str, FieldSpec]:
        return {spec.name: spec for spec in reversed(self.fields)}

    @cached_property
    def key_names(self) -> frozenset[str]:
        """The fields that match keys are made of."""
        return frozenset(name for names in self.match for name in names)

    @cached_property
    def made(self) -> dict[Side, Any]:
        """What was made of the rules for many records at once (actors/core/changes.py)."""
        return {}

    @cached_property
    def mergeable(self) -> tuple[FieldSpec, ...]:
        """The fields that both sides have and keep in step after a record was made."""
        kept = (spec for spec in self.fields if spec.owner is not Owner.LOCAL and not spec.on_create_only)
        return tuple(spec for spec in kept if spec.a is not None and spec.b is not None)

    @cached_property
    def units(self) -> tuple[tuple[str, tuple[FieldSpec, ...]], ...]:
        """The mergeable fields as (name, members): a group under its name, every other field alone.

        Those whose owner depends on the record come last: what it depends on is decided by then.
        """
        grouped: dict[str, list[FieldSpec]] = {}
        for spec in sorted(self.mergeable, key=lambda spec: bool(spec.owner_cases)):
            grouped.setdefault(spec.unit, []).append(spec)
        return tuple((name, tuple(members)) for name, members in grouped.items())

    def units_with(self, names: Iterable[str]) -> list[tuple[str, tuple[FieldSpec, ...]]]:
        """Those of the units to which these mergeable fields belong, in their order."""
        return [self.units[place] for place in sorted({self._place_of[name] for name in names})]

    @cached_property
    def _place_of(self) -> Mapping[str, int]:
        return {spec.name: place for place, (_, members) in enumerate(self.units) for spec in members}

    @cached_property
    def attached(self) -> tuple[FieldSpec, ...]:
        """The fields that are attachments."""
        return tuple(spec for spec in self.mergeable if spec.attachment)

    @cached_property
    def with_lines(self) -> tuple[FieldSpec, ...]:
        """The fields that are lists of lines; a stream that has one is one of units: whole, or not at all."""
        return tuple(spec for spec in self.mergeable if spec.lines is not None)

    @cached_property
    def starts_with(self) -> Mapping[str, Mapping[str, Value]]:
        """Side -> the native values that a record which we make there begins with."""
        return {
            side: {
                path: value for spec in self.fields for path, value in spec.starts_with.get(side, {}).items()
            }
            for side in SIDES
        }

    @cached_property
    def own_paths(self) -> Mapping[Side, tuple[str, ...]]:
        """Per side, the native paths of its local fields where a deletion there is undone: they go back with the record."""
        places = {s: [spec.side(s) for spec in self.fields if spec.owner is Owner.LOCAL] for s in SIDES}
        return {
            s: tuple(path for place in places[s] if place is not None for path in place.paths)
            if DeletePolicy.RESTORE in self.policies(s)
            else ()
            for s in SIDES
        }

    def policies(self, side: Side) -> frozenset[DeletePolicy]:
        """Everything that a deletion on `side` may do."""
        rules = next(iter(self.objects.values()), ())
        return frozenset(one.deletes[side] for one in rules) or frozenset({self.deletes[side]})

    def shared(self, side: Side) -> tuple[tuple[FieldSpec, FieldSide], ...]:
        """The fields that `side` has and that are kept in step (not local), each with its place there."""
        return self._shared[side]

    def kept_on(self, side: Side) -> frozenset[str]:
        """The names of those fields."""
        return self._kept_on[side]

    @cached_property
    def _kept_on(self) -> Mapping[Side, frozenset[str]]:
        return {side: frozenset(spec.name for spec, _ in self._shared[side]) for side in SIDES}

    def tells_id(self, side: Side) -> bool:
        """Whether a field of `side` is the record's own id."""
        return side in self._telling

    @cached_property
    def _telling(self) -> frozenset[Side]:
        return frozenset(side for side in SIDES for _, at in self._shared[side] if RECORD_ID in at.paths)

    @cached_property
    def _shared(self) -> Mapping[Side, tuple[tuple[FieldSpec, FieldSide], ...]]:
        return {
            side: tuple(
                (spec, place)
                for spec in self.fields
                if spec.owner is not Owner.LOCAL and (place := spec.side(side)) is not None
            )
            for side in SIDES
        }


class SettingSpec(msgspec.Struct, frozen=True):
    """One setting that a blueprint asks for. `default` counts if `has_default`. `choices`: nothing else is taken.
    `awaited`: the link is not active before it is chosen (`setup`), so that it is no fault while it is not there.
    `fixed`: it can't be changed once the link is active."""

    name: str
    form: str
    doc: str = ""
    default: Any = None
    has_default: bool = False
    awaited: bool = False
    choices: tuple[str, ...] = ()
    fixed: bool = False

    @property
    def needed(self) -> bool:
        """Whether the link has to have it."""
        return not self.has_default and not self.awaited


class LinkSpec(msgspec.Struct, frozen=True, dict=True):
    """A compiled blueprint. `streams` stand in working order: parents before children.

    `poll_s[x]`: how often side x is looked at, seconds. `breaker`: how often we may write one field of one record
    in 24 h before it is listed as contested.
    """

    name: str
    version: str
    a_connector: str
    b_connector: str
    streams: tuple[StreamSpec, ...]
    poll_s: Mapping[str, float] = msgspec.field(default_factory=lambda: {"a": 60.0, "b": 60.0})
    breaker: int = 20
    description: str = ""
    settings: tuple[SettingSpec, ...] = ()
    setup: SetupSpec = SetupSpec()

    def stream(self, name: str) -> StreamSpec:
        """The stream called `name`; KeyError where there is none."""
        for spec in self.streams:
            if spec.name == name:
                return spec
        raise KeyError(name)

    @cached_property
    def schedules(self) -> Mapping[Place, Schedule]:
        """Every direction that does not deliver at once, by stream and side written to."""
        return {
            (stream.name, side): schedule
            for stream in self.streams
            for side, schedule in stream.delivery.items()
            if schedule.kind != "instant"
        }
