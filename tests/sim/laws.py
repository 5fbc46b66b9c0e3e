"""The rules of the simulated link, as the auditor reads them: plain tables, no code of the engine.

`blueprint.py` says the same to the engine; `test_sim.py` checks that the two agree in names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from actors.core.values import Line, Scalar, Value, line_of, lines_of

Side = Literal["a", "b"]
Owner = Literal["a", "b", "both"]
TYPES: Mapping[str, str] = {"place": "text"}  # of a field, by the type that its system gives it
SIDES: tuple[Side, Side] = ("a", "b")
MARK = "gone"  # the native field in which a record is marked as deleted on the other side
MEMO = "memo"  # a native field that is shared with nobody
DASH = "-"
SINCE = date(2026, 1, 1)  # the day from on which a gate lets through what took part before
# A value map: what side b calls each word. It has no entry for every fourth one; "c8" stands for none of the words.
CODES: Mapping[str, str] = {f"co{n}": f"c{n}" for n in range(3000)}
MEANT: Mapping[str, str] = {code: word for word, code in CODES.items()}
ENTRIES = tuple((code, word) for word, code in CODES.items() if int(code[1:]) % 4)
OBJECT = "@object"  # the object that a record stands in, among its native values where a side has several
CELLS = (
    "article",
    "amount",
)  # of a line; the first says what it is about, and no two lines that people give share it


def other(side: Side) -> Side:
    """The opposite side."""
    return "b" if side == "a" else "a"


def items_of(value: Value) -> tuple[Scalar, ...]:
    """The items of a list; null is an empty one."""
    return tuple(item for item in value if not isinstance(item, Line)) if isinstance(value, tuple) else ()


@dataclass(frozen=True)
class FieldLaw:
    """One shared field: its native name per side, who may change it, what happens when both do.

    `type` "list": merged item by item as a set; "lines": a list of lines, told by the first of CELLS if `keyed`, in an order
    that counts if `ordered`; "bytes": an attachment, known by what it is; "place": the object of its record on side `many`.
    `lens` "cents": side b holds a hundred times as much; "dash": there a dash stands for nothing; "map": it holds codes;
    "number": it writes numbers with a comma; "list": it writes a list into one text.
    `reference`: the stream of the record whose id each side holds; what is meant by an id is that record's own reference.
    `once_bound`: the owner is so only once the record is bound: what the other side made is told to it as it is.
    `when`: "filled" or "not": the owner is so under a condition that holds of every record, once its reference is known;
    `unless` would be otherwise. `first_contact`: where it is not the stream's. `reports`: an edit on the side that does not
    own it is reported and left. `ignores`: it says whether a record is active, and that it is so again stays on its side.
    `turns`: the field that says whether `then` is the owner, or `unless`.
    """

    name: str
    owner: Owner = "both"
    conflict: str = "ask"
    group: str = ""
    type: str = "text"
    on_create_only: bool = False
    required: bool = False
    lens: str = ""
    reference: str = ""
    once_bound: bool = False
    keyed: bool = False
    ordered: bool = True
    many: Side | None = None
    first_contact: str = ""
    reports: bool = False
    when: str = ""
    unless: Owner = "both"
    ignores: bool = False
    turns: str = ""
    then: Owner = "both"

    def native(self, side: Side) -> str:
        """The field's name in the system of `side`."""
        if side == self.many:
            return OBJECT
        return self.name if side == "a" else f"{self.name}_b"

    def kept(self, side: Side) -> str:
        """The type of the native field."""
        spelt = side == "b" and self.lens in ("number", "list")
        return "text" if spelt else TYPES.get(self.type, self.type)

    def told(self, side: Side, value: Value) -> Value:
        """A shared value as the system of `side` holds it."""
        if self.type == "lines":
            return tuple(line_of({cell_on(side, n): v for n, v in line.cells}) for line in lines_of(value))
        if self.lens == "dash" and side == "b" and value is None:
            return DASH
        if self.lens == "map" and side == "b":
            return CODES.get(str(value), value)
        if self.lens == "number" and side == "b" and isinstance(value, int | Decimal):
            return format(value, "f").replace(".", ",")
        if self.lens == "list" and side == "b" and value is not None:
            return ";".join(map(str, items_of(value))) or None
        cents = self.lens == "cents" and side == "b" and isinstance(value, Decimal)
        return Decimal(int(value * 100)) if cents and isinstance(value, Decimal) else value

    def meant(self, side: Side, value: Value) -> Value:
        """What the system of `side` holds, as a shared value; of an attachment its description."""
        if self.type == "lines":
            return self._lines_meant(side, value)
        if self.lens == "dash" and side == "b" and value == DASH:
            return None
        if self.lens == "map" and side == "b":
            return MEANT.get(str(value), value)
        if self.lens == "number" and side == "b" and isinstance(value, str):
            return Decimal(value.replace(",", "."))
        if self.lens == "list" and side == "b" and isinstance(value, str):
            return tuple(value.split(";"))
        if isinstance(value, bytes):
            return f"application/octet-stream {len(value)} {hashlib.sha256(value).hexdigest()}"
        cents = self.lens == "cents" and side == "b" and isinstance(value, int | Decimal)
        return Decimal(value) / 100 if cents and isinstance(value, int | Decimal) else value

    def _lines_meant(self, side: Side, value: Value) -> Value:
        """Without their ids; where their order says nothing, in one order. A cell that was not told holds nothing."""
        named = [
            line_of({n: held.get(cell_on(side, n)) for n in CELLS})
            for held in (dict(line.cells) for line in lines_of(value))
        ]
        return tuple(named if self.ordered else sorted(named, key=lambda line: str(line.cells)))


def cell_on(side: Side, name: str) -> str:
    """The name of a cell of a line in the system of `side`."""
    return name if side == "a" else f"{name}_b"


@dataclass(frozen=True)
class GateLaw:
    """Which records of one side take part: those whose native field `path` holds one of `values`. `on`, `then`: the words
    of a blueprint. `since`: on an edge, who took part before goes as well if the field `dated` shows that day or a later
    one."""

    path: str
    values: tuple[Value, ...]
    on: str = "level"
    then: str = "keep"
    since: date | None = None
    dated: str = ""

    def lets(self, held: Mapping[str, Value] | None) -> bool:
        """Whether a record with these native values takes part."""
        return held is not None and held.get(self.path) in self.values

    def is_of_the_day(self, value: Value) -> bool:
        """Whether who shows this value goes though it took part before."""
        dated = isinstance(value, date) and not isinstance(value, datetime)
        return self.since is not None and dated and value >= self.since  # type: ignore[operator]


@dataclass(frozen=True)
class DerivedLaw:
    """A field that is only read on one side, and shown in the native field `name` of side `shown`.

    `kind`: constant (`value`), id (of the record on the other side), formula (says of the other side's field `of` what
    `means` does).
    """

    name: str
    shown: Side
    kind: str
    value: Value = None
    of: str = ""

    def means(self, id: str, held: Mapping[str, Value]) -> Value:
        """What is to be shown for a record of the other side."""
        if self.kind == "constant":
            return self.value
        if self.kind == "id":
            return id.rpartition(":")[2]  # as it is called in its object
        value = held.get(self.of)
        return f"<{value}>" if isinstance(value, str) else "none"


@dataclass(frozen=True)
class StreamLaw:
    """One stream: the object of both systems, its fields, where records may be created and deleted from.

    `ref`: the field by which a person tells records apart; nobody ever edits it. `creates`, `removes`, `restores`,
    `marks`: sides on which a new record leads to one on the other side, a deleted one to a deletion there, or comes
    back, or is marked there (in the native field MARK, which is nobody else's). `match`: the match keys, () for `key`.
    `every_s`: sides that are delivered to by a schedule only, and how often. `gates`: which records of a side take part.
    `once`: sides on which a record is made and never changed after; `stages`: on which one is made only on a person's word.
    `starts`: what a record that is made on a side begins with, by native field. `own`: sides whose memo goes back with a
    record that is put back there. `requires`: streams of which a pair has to be there before anything is made.
    `clashes`: so many of the match keys at their end bind nobody. `initial_load`: the sides that the initial load may write
    to. `on_merge`: what becomes of the partner of a record that was merged into another one. `objects`: the objects of the
    side that has several; `left`: what becomes of a record in its old one. `effect`: the object in which each document that
    we make is told of once more. `command`: sides that are delivered to on a command only; `by_minute`: by cron, once a
    minute. `adds_up`: the amounts of the lines in `items` are the record's `sum`.
    `initial_creates`: what becomes of newcomers of the initial load. `load_at_once`: that waits for no schedule.
    `imports`: when what is staged is made (`ask`, `always`, `never`). `assigned`: the native field of a side that names
    which records of the required stream have to be pairs before one is made.
    """

    name: str
    ref: str
    fields: tuple[FieldLaw, ...]
    creates: frozenset[Side] = frozenset(SIDES)
    removes: frozenset[Side] = frozenset()
    restores: frozenset[Side] = frozenset()
    key: str = ""
    marks: frozenset[Side] = frozenset()
    match: tuple[tuple[str, ...], ...] = ()
    first_contact: str = "ask"
    delete_vs_edit: str = "keep"
    parents: tuple[str, ...] = ()
    every_s: tuple[tuple[Side, float], ...] = ()
    gates: tuple[tuple[Side, GateLaw], ...] = ()
    once: frozenset[Side] = frozenset()
    stages: frozenset[Side] = frozenset()
    starts: tuple[tuple[Side, str, Value], ...] = ()
    own: frozenset[Side] = frozenset()
    derived: tuple[DerivedLaw, ...] = ()
    requires: tuple[str, ...] = ()
    clashes: int = 0
    initial_load: frozenset[Side] = frozenset(SIDES)
    on_merge: str = "ask"
    objects: tuple[tuple[Side, tuple[str, ...]], ...] = ()
    left: str = "remove"
    effect: str = ""
    command: frozenset[Side] = frozenset()
    by_minute: frozenset[Side] = frozenset()
    adds_up: bool = False
    initial_creates: str = "on"
    load_at_once: bool = False
    imports: str = "ask"
    assigned: tuple[tuple[Side, str], ...] = ()

    @property
    def several(self) -> Side | None:
        """The side with several objects, if there is one."""
        return next((side for side, _ in self.objects), None)

    @property
    def units(self) -> FieldLaw | None:
        """The field that is the record's lines, if it has any."""
        return next((law for law in self.fields if law.type == "lines"), None)

    @property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """The match keys that bind."""
        every = self.match or ((self.key,),)
        return every[: len(every) - self.clashes]

    @property
    def names(self) -> str:
        """The field by which others name a record of this stream: the first match key of one field."""
        return next(names[0] for names in self.keys if len(names) == 1)

    def objects_on(self, side: Side) -> tuple[str, ...]:
        """The names of the objects that hold these records on a side."""
        return dict(self.objects).get(side, (self.name,))

    def gate(self, side: Side) -> GateLaw | None:
        """The gate of a side, if it has one."""
        return dict(self.gates).get(side)

    def natives(self, side: Side) -> dict[str, str]:
        """The native fields of a side and their types, those of every rule among them."""
        shared = {law.native(side): law.kept(side) for law in self.fields if law.many != side}
        more = [law.path for at, law in self.gates if at == side]
        more += [name for at, name, _ in self.starts if at == side]
        more += [law.name for law in self.derived if law.shown == side]
        more += [path for at, path in self.assigned if at == side]
        return {**shared, MEMO: "text", MARK: "text", **dict.fromkeys(more, "text")}

    def find(self, name: str) -> FieldLaw | None:
        """The field called `name`, if there is one."""
        return next((law for law in self.fields if law.name == name), None)

    def named(self, name: str) -> FieldLaw:
        """The field called `name`."""
        return next(law for law in self.fields if law.name == name)

    def law(self, side: Side, native: str) -> FieldLaw | None:
        """The shared field behind a native name, None for one that is not shared."""
        return next((law for law in self.fields if law.native(side) == native), None)


@dataclass(frozen=True)
class Laws:
    """All streams of the link. `race_s`: how long a person's new record may go unseen; `poll_s`: how often we look;
    `breaker`: how often one field of one record may be written, so few that it is reached within the calm."""

    streams: tuple[StreamLaw, ...]
    race_s: float = 150.0
    poll_s: float = 20.0
    breaker: int = 6
    by_name: dict[str, StreamLaw] = field(init=False, repr=False, hash=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {stream.name: stream for stream in self.streams})

    def holding(self, name: str) -> StreamLaw | None:
        """The stream whose records an object holds; None for one that holds nothing but effects."""
        return next((law for law in self.streams for side in SIDES if name in law.objects_on(side)), None)


CUSTOMER_FIELDS = (
    FieldLaw("ref"),
    FieldLaw("email"),
    FieldLaw("name"),
    FieldLaw("phone", conflict="newest_else_a"),
    FieldLaw("street", conflict="a", group="address"),
    FieldLaw("city", conflict="a", group="address"),
    FieldLaw("remark", conflict="b"),
    FieldLaw("website"),
    FieldLaw("rating", owner="a"),
    FieldLaw("credit", owner="b", type="decimal"),
)
ARTICLE_FIELDS = (
    FieldLaw("sku", owner="a"),
    FieldLaw("title", owner="a"),
    FieldLaw("price", owner="a", type="decimal"),
)
ORDER_FIELDS = (
    FieldLaw("number"),
    FieldLaw("customer", reference="customers"),
    FieldLaw("total", type="decimal", conflict="newest_else_b"),
    FieldLaw("note", conflict="a"),
    FieldLaw("status", owner="b"),
)


def customers(removes: frozenset[Side], restores: frozenset[Side]) -> StreamLaw:
    """Two-way, with owners, a group, and every conflict rule."""
    return StreamLaw("customers", "ref", CUSTOMER_FIELDS, removes=removes, restores=restores, key="email")


def articles(removes: frozenset[Side]) -> StreamLaw:
    """One way: side a owns everything and is never written to."""
    return StreamLaw("articles", "sku", ARTICLE_FIELDS, frozenset({"a"}), removes, key="sku")
