"""Rules drawn after those of rules_last.py, from a source of their own: a seed without them is what it was.

Numbers and lists that side b holds as texts, what a move leaves behind marked, what becomes of merged records once nothing
refers to them any more, and owners under conditions.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tests.sim.laws import SIDES, FieldLaw, Laws, Owner, Side, StreamLaw
from tests.sim.rules_newest import several

SHARE = 0.2  # of the seeds that have one of them
REWRITTEN = ("credit",)  # side b may round it, as the number that it is

WHEN = ("", "filled", "not")
OWNERS: tuple[Owner, ...] = ("both", "a", "b")

Rule = Callable[[StreamLaw, Laws, random.Random], StreamLaw]


def with_since(laws: Laws, luck: random.Random, also: frozenset[str] = frozenset()) -> Laws:
    """One of these rules on one stream; `also`: rules that there are in any case."""
    chosen = set(also)
    if luck.random() < SHARE:
        chosen.add(luck.choice(sorted(RULES)))
    for name in sorted(chosen):
        at = 0 if name == "follows" else luck.randrange(len(laws.streams))  # people merge in the first one
        streams = list(laws.streams)
        streams[at] = RULES[name](streams[at], laws, luck)
        laws = replace(laws, streams=tuple(streams))
    return laws


def since_of(laws: Laws) -> set[str]:
    """Which of these rules there are, for the figures."""
    found: set[str] = set()
    for law in laws.streams:
        lenses = {one.lens for one in law.fields}
        there = {
            "numbers as texts": "number" in lenses,
            "lists as texts": "list" in lenses,
            "owners under conditions": any(one.when for one in law.fields),
            "left behind, marked": law.left == "mark" and law.objects,
        }
        found |= {name for name, held in there.items() if held}
    return found


def numbers(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    """Side b writes its numbers with a comma."""
    return _as_texts(law, "decimal", "number")


def lists(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    """Side b writes a list into one text."""
    return _as_texts(law, "list", "list")


def _as_texts(law: StreamLaw, kind: str, lens: str) -> StreamLaw:
    read = {one.of for one in law.derived}
    fields = (
        replace(one, lens=lens)
        if one.type == kind and not one.lens and one.name not in REWRITTEN and one.native("b") not in read
        else one
        for one in law.fields
    )
    return replace(law, fields=tuple(fields))


def left_marked(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    """What a record leaves behind in one of several objects is marked there."""
    law = law if law.objects else several(law, laws, luck)
    return replace(law, left="mark") if law.objects else law


def follows(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    """What was merged there is merged here too, each on a yes."""
    side: Side = luck.choice(SIDES)
    if not law.removes | law.marks:
        law = replace(law, removes=frozenset({side}), restores=law.restores - {side})
    return replace(law, on_merge="follow")


def owners_when(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    """Owners under conditions, which hold of every record; the fields of a group share theirs."""
    of_groups = {one.group: (luck.choice(WHEN), luck.choice(OWNERS)) for one in law.fields}
    fields: list[FieldLaw] = []
    for one in law.fields:
        when, unless = of_groups[one.group] if one.group else (luck.choice(WHEN), luck.choice(OWNERS))
        special = one.name in (law.ref, law.key, "place") or (one.once_bound and unless != "both")
        fields.append(one if special else replace(one, when=when, unless=unless))
    return replace(law, fields=tuple(fields))


RULES: dict[str, Rule] = {
    "numbers": numbers,
    "lists": lists,
    "left_marked": left_marked,
    "follows": follows,
    "owners_when": owners_when,
}
