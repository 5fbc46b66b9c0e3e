"""The rules of the simulated link, as the auditor reads them: plain tables, no code of the engine.

`blueprint.py` says the same to the engine; `test_sim.py` checks that the two agree in names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from actors.core.values import Line, Scalar, Value

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")
MARK = "gone"  # the native field in which a record is marked as deleted on the other side
MEMO = "memo"  # a native field that is shared with nobody


def other(side: Side) -> Side:
    """The opposite side."""
    return "b" if side == "a" else "a"


def items_of(value: Value) -> tuple[Scalar, ...]:
    """The items of a list; null is an empty one."""
    return tuple(item for item in value if not isinstance(item, Line)) if isinstance(value, tuple) else ()


@dataclass(frozen=True)
class FieldLaw:
    """One shared field: its native name per side, who may change it, what happens when both do.

    `type` "list": merged item by item as a set. `lens` "cents": side b holds a hundred times as much. `reference`: the
    stream of the record whose id each side holds; what is meant by an id is that record's own reference. `once_bound`: the
    owner is so only once the record is bound: what the other side made is told to it as it is.
    """

    name: str
    owner: Literal["a", "b", "both"] = "both"
    conflict: str = "ask"
    group: str = ""
    type: str = "text"
    on_create_only: bool = False
    required: bool = False
    lens: str = ""
    reference: str = ""
    once_bound: bool = False

    def native(self, side: Side) -> str:
        """The field's name in the system of `side`."""
        return self.name if side == "a" else f"{self.name}_b"

    def told(self, side: Side, value: Value) -> Value:
        """A shared value as the system of `side` holds it."""
        cents = self.lens == "cents" and side == "b" and isinstance(value, Decimal)
        return Decimal(int(value * 100)) if cents and isinstance(value, Decimal) else value

    def meant(self, side: Side, value: Value) -> Value:
        """What the system of `side` holds, as a shared value."""
        cents = self.lens == "cents" and side == "b" and isinstance(value, int | Decimal)
        return Decimal(value) / 100 if cents and isinstance(value, int | Decimal) else value


@dataclass(frozen=True)
class GateLaw:
    """Which records of one side take part: those whose native field `path` holds one of `values`. `on`, `then`: the words
    of a blueprint."""

    path: str
    values: tuple[Value, ...]
    on: str = "level"
    then: str = "keep"

    def lets(self, held: Mapping[str, Value] | None) -> bool:
        """Whether a record with these native values takes part."""
        return held is not None and held.get(self.path) in self.values


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
            return id
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

    def gate(self, side: Side) -> GateLaw | None:
        """The gate of a side, if it has one."""
        return dict(self.gates).get(side)

    def natives(self, side: Side) -> dict[str, str]:
        """The native fields of a side and their types, those of every rule among them."""
        shared = {law.native(side): law.type for law in self.fields}
        more = [law.path for at, law in self.gates if at == side]
        more += [name for at, name, _ in self.starts if at == side]
        more += [law.name for law in self.derived if law.shown == side]
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
