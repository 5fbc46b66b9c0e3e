"""The rules under which people meddle (meddling.py): drawn anew each time they turn, for the same objects and fields.

Must not: know what is done under them.
"""

from __future__ import annotations

import random
from typing import Any, Final

import msgspec

from actors.core.lenses import Same
from actors.core.policy import (
    Budget,
    Choice,
    DeletePolicy,
    FieldSide,
    FieldSpec,
    FirstContact,
    InitialCreates,
    LeftBehind,
    LinesSpec,
    ObjectRules,
    Owner,
    StreamSpec,
)
from actors.core.stream_rules import Gate, GateOn, Ineligible
from actors.core.types import SIDES, Side, other
from tests.actors.rig import CUSTOMERS, customers, field
from tests.actors.test_several import CLIENTS, PROSPECTS, accounts

PLAIN, SEVERAL, LINES, GATES, REFERENCES = "plain", "several", "lines", "gates", "references"
KINDS: Final = (PLAIN, SEVERAL, LINES, GATES, REFERENCES)
ARTICLES: Final = "articles"
FIELDS: Final = ("phone", "city", "mail")
MARKS: Final = {"a": {"marked": "yes"}, "b": {"marked": "yes"}}


class Rules:
    """Of one kind. `moves`: records stand in one of several objects of a side."""

    def __init__(self, luck: random.Random, kind: str) -> None:
        self._luck = luck
        self._kind = kind
        self._version = 0
        self.moves = kind == SEVERAL
        self._one: Side = luck.choice(SIDES)

    def objects(self, side: Side) -> tuple[str, ...]:
        """The objects of a side."""
        if self.moves and side != self._one:
            return PROSPECTS, CLIENTS
        return (CUSTOMERS, ARTICLES) if self._kind == REFERENCES else (CUSTOMERS,)

    def more(self, side: Side, name: str) -> tuple[str, ...]:
        """The fields that records of an object have beside `FIELDS`."""
        if self.moves:
            return ("kind",) if side == self._one else ()
        if self._kind == LINES:
            return ("items", "items")
        return ("article",) if self._kind == REFERENCES and name == CUSTOMERS else ()

    def draw(self) -> tuple[StreamSpec, ...]:
        """The streams, under rules that were drawn for them."""
        self._version += 1
        fields, luck = self._fields(), self._luck
        match self._kind:
            case "several":
                return (self._several(fields),)
            case "lines":
                key = luck.choice(((), ("article",)))
                lines = LinesSpec((field("article"), field("quantity")), key=key, ordered=luck.random() < 0.5)
                owner = luck.choice((Owner.BOTH, Owner.BOTH, Owner.A))
                items = msgspec.structs.replace(field("items"), lines=lines, owner=owner)
                return (customers(**self._stream((*fields, items))),)
            case "gates":
                gates = {side: self._gate() for side in SIDES if luck.random() < 0.6}
                return (customers(**self._stream(fields, gates=gates)),)
            case "references":
                there = {"name": ARTICLES, "a_object": ARTICLES, "b_object": ARTICLES}
                place = FieldSide(("article",), Same())
                refers = FieldSpec("article", place, place, reference=ARTICLES, required=luck.random() < 0.3)
                referring = self._stream((*self._fields(), refers), parents=(ARTICLES,))
                return customers(**self._stream(fields, **there)), customers(**referring)
            case _:
                return (customers(**self._stream(fields)),)

    def _several(self, fields: tuple[FieldSpec, ...]) -> StreamSpec:
        luck, many = self._luck, other(self._one)
        kind = accounts(self._one).object_field
        assert kind is not None
        rules = self._stream((*fields, kind))
        rules.pop("creates", None)
        made_by: tuple[tuple[Side, ...], ...] = (SIDES, SIDES, ("a",), ("b",))
        objects = tuple(
            ObjectRules(name, frozenset(luck.choice(made_by)), {side: self._policy() for side in SIDES})
            for name in (PROSPECTS, CLIENTS)
        )
        there = {"objects": {many: objects}, f"{many}_object": f"{PROSPECTS} + {CLIENTS}"}
        left = {"left_behind": luck.choice(tuple(LeftBehind))} if luck.random() < 0.3 else {}
        return customers(**rules, **there, **left)

    def _stream(self, fields: tuple[FieldSpec, ...], **more: Any) -> dict[str, Any]:
        luck = self._luck
        rules: dict[str, Any] = {
            "fields": fields,
            "deletes": {side: self._policy() for side in SIDES},
            "complete_read_s": 200.0,
            "map_ver": str(self._version),
            "mark": MARKS,
            "first_contact": luck.choice((FirstContact.A, FirstContact.B, FirstContact.FILL_EMPTY)),
        }
        if luck.random() < 0.3:
            kinds = [one for one in ("overwrites", "deletes", "clears", "creates") if luck.random() < 0.5]
            rules["budgets"] = {
                one: Budget(luck.choice((0, 1, 3)), 0.0, free=luck.choice((0, 1))) for one in kinds
            }
        if luck.random() < 0.2:
            rules["initial_creates"] = InitialCreates.PLAN
        if luck.random() < 0.3:
            rules["creates"] = frozenset(luck.choice(("a", "b", "ab")))
        return {**rules, **more}

    def _fields(self) -> tuple[FieldSpec, ...]:
        luck, grouped = self._luck, self._luck.random() < 0.5
        marked = FieldSide(("marked",), Same())
        out = [field("name"), FieldSpec("marked", marked, marked, owner=Owner.LOCAL)]
        conflict = luck.choice((Choice.ASK, Choice.ASK, Choice.A, Choice.B))
        for name in FIELDS:
            if name != "phone" and luck.random() < 0.15:
                continue
            if grouped and name != "mail":
                out.append(field(name, group="address", conflict=conflict))
                continue
            owner = luck.choice((Owner.A, Owner.B)) if luck.random() < 0.15 else Owner.BOTH
            out.append(field(name, owner=owner, required=luck.random() < 0.1, conflict=conflict))
        if sum(bool(one.group) for one in out) == 1:  # one alone is no group
            out = [msgspec.structs.replace(one, group="") for one in out]
        return tuple(out)

    def _gate(self) -> Gate:
        luck = self._luck
        values = luck.choice(((), ("c1",), ("c1", "c2")))
        return Gate("mail", values, on=luck.choice(tuple(GateOn)), then=luck.choice(tuple(Ineligible)))

    def _policy(self) -> DeletePolicy:
        return self._luck.choice(tuple(DeletePolicy))
