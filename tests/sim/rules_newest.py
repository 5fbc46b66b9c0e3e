"""Rules drawn last of all, on top of what rules.py and rules_more.py draw: a seed that draws none of them is what it was.

Units (lines, and what they add up to), several objects on one side, clash keys, the sides of the initial load, what becomes
of merged records, attachments, effects of an import, delivery on a command or by cron, budgets of every kind.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from actors.core.policy import Budget
from tests.sim.laws import SIDES, FieldLaw, Laws, Owner, Side, StreamLaw, other

SHARE = 0.4  # of the seeds that have any of them
CONFLICTS = ("ask", "a", "b", "newest_else_a", "newest_else_b", "newest_else_ask")
OWNERS: tuple[Owner, ...] = ("both", "both", "both", "a", "b")
BUDGETS = {
    "deletes": Budget(1, 0.0, 1),
    "creates": Budget(4, 0.0, 2),
    "overwrites": Budget(3, 0.0, 1),
    "clears": Budget(1, 0.0, 1),
}

Rule = Callable[[StreamLaw, Laws, random.Random], StreamLaw]


def with_newest(laws: Laws, luck: random.Random, also: frozenset[str] = frozenset()) -> Laws:
    """One to three of these rules, each on one stream; `also`: rules that there are in any case."""
    chosen = set(also)
    if luck.random() < SHARE:
        chosen |= set(luck.sample(sorted(RULES), luck.choice([1, 1, 2, 3])))
    for name in sorted(chosen):
        at = luck.randrange(len(laws.streams))
        streams = list(laws.streams)
        streams[at] = RULES[name](streams[at], laws, luck)
        laws = replace(laws, streams=tuple(streams))
    return laws


def newest_of(laws: Laws) -> set[str]:
    """Which of these rules there are, for the figures."""
    found: set[str] = set()
    for law in laws.streams:
        there = {
            "units": law.units,
            "sums": law.adds_up,
            "several objects": law.objects,
            "clash keys": law.clashes,
            "initial load": law.initial_load != frozenset(SIDES),
            f"merged: {law.on_merge}": law.on_merge != "ask",
            "attachments": any(one.type == "bytes" for one in law.fields),
            "effects": law.effect,
            "delivery on command": law.command,
            "delivery by cron": law.by_minute,
        }
        found |= {name for name, held in there.items() if held}
    return found


def draw_budgets(luck: random.Random) -> dict[str, Budget]:
    """Budgets of some kinds, tight enough to be reached; {} in most seeds."""
    if luck.random() >= SHARE / 2:
        return {}
    return {name: BUDGETS[name] for name in luck.sample(sorted(BUDGETS), luck.choice([1, 2, 4]))}


def units(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    """The record has lines, and is kept in step whole."""
    if law.objects or law.units:
        return law
    owner, rule = luck.choice(OWNERS), luck.choice(CONFLICTS)
    items = FieldLaw(
        "items", owner, rule, type="lines", keyed=luck.random() < 0.5, ordered=luck.random() < 0.6
    )
    adds_up = luck.random() < 0.5
    total = (FieldLaw("sum", owner, luck.choice([rule, *CONFLICTS]), type="decimal"),) if adds_up else ()
    return replace(law, fields=(*law.fields, items, *total), adds_up=adds_up)


def several(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    """One side has two objects for what is one on the other."""
    referred = any(one.reference == law.name for stream in laws.streams for one in stream.fields)
    if referred or law.units or law.effect or law.objects or law.gates:
        return law
    side: Side = luck.choice(SIDES)
    owner = luck.choice(OWNERS)
    if other(side) not in law.creates:  # who may make nobody there moves nobody there either
        owner = side
    place = FieldLaw("place", owner, luck.choice(CONFLICTS), type="place", many=side)
    return replace(
        law,
        fields=(*law.fields, place),
        objects=((side, (f"{law.name}_one", f"{law.name}_two")),),
        left=luck.choice(["remove", "remove", "keep"]),
    )


def clash(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    """Who shares the key but not the reference is listed, and neither bound nor made a second time."""
    if law.key == law.ref or law.objects:
        return law
    return replace(law, match=((law.ref,), (law.key,)), clashes=1)


def initial_load(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    return replace(law, initial_load=frozenset(luck.choice([("a",), ("b",), ()])))


def on_merge(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    return replace(law, on_merge=luck.choice(["keep", "delete"]))


def attachment(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    photo = FieldLaw("photo", luck.choice(OWNERS), luck.choice(CONFLICTS), type="bytes")
    return replace(law, fields=(*law.fields, photo))


def effects(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    """What is made on a side is a document there: staged, made once, and told of once more in an object of its own."""
    if law.objects:
        return law
    side: Side = luck.choice(SIDES)
    if (
        law.named(law.ref).owner == side
    ):  # nobody would be told to who owns that: what he is made with is nothing
        side = other(side)
    there, here = frozenset({side}), frozenset({other(side)})
    return replace(
        law,
        once=there,
        stages=there,
        creates=here,
        effect=f"{law.name}_moves",
        removes=law.removes - here,
        marks=law.marks - here,
        restores=law.restores - there,
        own=law.own - there,
        delete_vs_edit="keep",
        gates=tuple((at, gate) for at, gate in law.gates if gate.then != "deactivate"),
    )


def command(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    side: Side = luck.choice(SIDES)
    left = tuple(one for one in law.every_s if one[0] != side)
    return replace(law, command=frozenset({side}), by_minute=law.by_minute - {side}, every_s=left)


def by_minute(law: StreamLaw, laws: Laws, luck: random.Random) -> StreamLaw:
    side: Side = luck.choice(SIDES)
    left = tuple(one for one in law.every_s if one[0] != side)
    return replace(law, by_minute=frozenset({side}) - law.command, every_s=left)


RULES: dict[str, Rule] = {
    "units": units,
    "several": several,
    "clash": clash,
    "initial_load": initial_load,
    "on_merge": on_merge,
    "attachment": attachment,
    "effects": effects,
    "command": command,
    "by_minute": by_minute,
}
