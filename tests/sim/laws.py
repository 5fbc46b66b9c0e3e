"""The rules of the simulated link, as the auditor reads them: plain tables, no code of the engine.

`blueprint.py` says the same to the engine; `test_sim.py` checks that the two agree in names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from actors.core.values import Line, Scalar, Value

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")
MARK = "gone"  # the native field in which a record is marked as deleted on the other side


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
class StreamLaw:
    """One stream: the object of both systems, its fields, where records may be created and deleted from.

    `ref`: the field by which a person tells records apart; nobody ever edits it. `creates`, `removes`, `restores`,
    `marks`: sides on which a new record leads to one on the other side, a deleted one to a deletion there, or comes
    back, or is marked there (in the native field MARK, which is nobody else's). `match`: the match keys, () for `key`.
    `every_s`: sides that are delivered to by a schedule only, and how often.
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
