"""Rules drawn after all others, on top of rules_newest.py, from a source of their own: a seed without them is what it was.

What becomes of newcomers of the initial load, first contact field by field and "filled, else", streams in which nobody is
made, values that stand for nothing, value maps without an entry for each value, edits of what the other side owns that are
reported and left, loads that wait for no schedule.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tests.sim.laws import FieldLaw, Laws, StreamLaw

SHARE = 0.3  # of the seeds that have any of them
FIRST_CONTACTS = ("ask", "a", "b", "fill_empty", "filled_else_a", "filled_else_b")

Rule = Callable[[StreamLaw, random.Random], StreamLaw]


def with_last(laws: Laws, luck: random.Random, also: frozenset[str] = frozenset()) -> Laws:
    """One or two of these rules, each on one stream; `also`: rules that there are in any case."""
    chosen = set(also)
    if luck.random() < SHARE:
        chosen |= set(luck.sample(sorted(RULES), luck.choice([1, 1, 2])))
    for name in sorted(chosen):
        at = luck.randrange(len(laws.streams))
        streams = list(laws.streams)
        streams[at] = RULES[name](streams[at], luck)
        laws = replace(laws, streams=tuple(streams))
    return laws


def last_of(laws: Laws) -> set[str]:
    """Which of these rules there are, for the figures."""
    found: set[str] = set()
    for law in laws.streams:
        there = {
            f"initial creates {law.initial_creates}": law.initial_creates != "on",
            "filled else": law.first_contact.startswith("filled_else"),
            "first contact of a field": any(one.first_contact for one in law.fields),
            "nobody is made": not law.creates,
            "dashes": any(one.lens == "dash" for one in law.fields),
            "value maps": any(one.lens == "map" for one in law.fields),
            "foreign edits reported": any(one.reports for one in law.fields),
            "load at once": law.load_at_once,
        }
        found |= {name for name, held in there.items() if held}
    return found


def initial_creates(law: StreamLaw, luck: random.Random) -> StreamLaw:
    return replace(law, initial_creates=luck.choice(["plan", "off"]))


def filled_else(law: StreamLaw, luck: random.Random) -> StreamLaw:
    return replace(law, first_contact=luck.choice(FIRST_CONTACTS[-2:]))


def first_contact(law: StreamLaw, luck: random.Random) -> StreamLaw:
    """Some fields by a rule of their own; the fields of a group share theirs."""
    of_groups = {one.group: luck.choice(FIRST_CONTACTS) for one in law.fields}
    fields = (
        replace(one, first_contact=of_groups[one.group] if one.group else luck.choice(FIRST_CONTACTS))
        if one.name not in (law.ref, law.key)
        else one
        for one in law.fields
    )
    return replace(law, fields=tuple(fields))


def nobody(law: StreamLaw, luck: random.Random) -> StreamLaw:
    """Who is new stays alone, unless somebody like him is there: only what is deleted is put back."""
    if law.objects or law.effect or law.stages:
        return law
    return replace(law, creates=frozenset())


def dashes(law: StreamLaw, luck: random.Random) -> StreamLaw:
    """Nothing is a dash on side b, in a text that nothing is known by or worked out from."""
    return _in_other_words(law, luck, "dash")


def maps(law: StreamLaw, luck: random.Random) -> StreamLaw:
    """Side b has codes, and there are values that have none: their records wait until they are given others."""
    return _in_other_words(law, luck, "map")


def _in_other_words(law: StreamLaw, luck: random.Random, lens: str) -> StreamLaw:
    read = {one.of for one in law.derived}
    texts = [
        one for one in law.fields if _is_plain(law, one) and not read & {one.native("a"), one.native("b")}
    ]
    chosen = luck.sample(texts, min(2, len(texts)))
    fields = tuple(replace(one, lens=lens) if one in chosen else one for one in law.fields)
    return replace(law, fields=fields)


def _is_plain(law: StreamLaw, one: FieldLaw) -> bool:
    special = one.lens or one.reference or one.group or one.on_create_only or one.required
    return one.type == "text" and not special and one.name not in (law.ref, law.key)


def reports(law: StreamLaw, luck: random.Random) -> StreamLaw:
    """Where one side owns a field, an edit on the other one stays there."""
    fields = (
        replace(
            one, reports=one.owner != "both" and not one.once_bound and one.type not in ("lines", "place")
        )
        for one in law.fields
    )
    return replace(law, fields=tuple(fields))


def load_at_once(law: StreamLaw, luck: random.Random) -> StreamLaw:
    return replace(law, load_at_once=bool(law.every_s))


RULES: dict[str, Rule] = {
    "initial_creates": initial_creates,
    "filled_else": filled_else,
    "first_contact": first_contact,
    "nobody": nobody,
    "dashes": dashes,
    "maps": maps,
    "reports": reports,
    "load_at_once": load_at_once,
}
